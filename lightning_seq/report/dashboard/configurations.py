"""Configurations as a section of the dashboard: the settings, by which labels have them, and each run's files.

A run's entry has an address that the numbers of the page link to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from lightning_seq.identity import shown
from lightning_seq.records.artifacts import artifact, log_path
from lightning_seq.records.record import Record
from lightning_seq.report.architectures import leaves
from lightning_seq.report.dashboard.page import Page, of_groups
from lightning_seq.report.dashboard.sections import Addresses
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import link
from lightning_seq.report.formats import NOTHING
from lightning_seq.report.summary import Group, Summary, located

_FILES = ("config", "metrics", "log")


class Setting(NamedTuple):
    """A key of configurations. holders: for each value the labels that have it; several values are of several seeds."""

    key: str
    holders: dict[str, list[str]]

    @property
    def differs(self) -> bool:
        return len(self.holders) > 1


def addresses(runs: Sequence[tuple[Path, Record]]) -> Addresses:
    """Where on the page each run's entry is, and each label's."""
    entries: Addresses = {}
    for place, (_, record) in enumerate(runs):
        label = (record.task, record.data, record.label)
        entries[*label, None] = f"runs-{place}" if (*label, None) in entries else f"run-{place}"
        entries[*label, record.seed] = f"run-{place}"
    return entries


def configurations(page: Page, directory: Path, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """The settings of each data set's labels, then the runs, those of a label together, all folded away."""
    entries = addresses(runs)
    parts = of_groups(
        summary, lambda group: _group(directory, [run for run in runs if group.holds(run[1])], group, entries)
    )
    return page.section("Configuration of each run", "configuration", parts)


def _group(directory: Path, runs: list[tuple[Path, Record]], group: Group, entries: Addresses) -> Markup:
    settings = [flatten(record.config) for _, record in runs]
    keys = dict.fromkeys(key for config in settings for key in config)
    shared = {key: settings[0][key] for key in keys if len({config.get(key) for config in settings}) == 1}
    if len(runs) == 1:
        shared = {}
    by_label: dict[str, list[dict[str, object]]] = {label: [] for label in group.labels}
    for (run, record), config in zip(runs, settings, strict=True):
        links, wrong = _links(directory, run, record)
        own = {key: value for key, value in config.items() if key not in shared}
        by_label[record.label].append({"record": record, "links": links, "wrong": wrong, "own": own})
    return draw(
        "configurations",
        title=group.title,
        settings=settings_of([record.label for _, record in runs], settings),
        labels=by_label,
        address=lambda label, seed=None: entries[group.task, group.data, label, seed],
    )


def settings_of(labels: Sequence[str], configs: Sequence[Mapping[str, str]]) -> list[Setting]:
    """Every setting of these runs, those that differ between labels first."""
    found = []
    for key in dict.fromkeys(key for config in configs for key in config):
        by_label: dict[str, dict[str, None]] = {label: {} for label in labels}
        for label, config in zip(labels, configs, strict=True):
            by_label[label][config.get(key, NOTHING)] = None
        holders: dict[str, list[str]] = {}
        for label, values in by_label.items():
            holders.setdefault(", ".join(values), []).append(label)
        found.append(Setting(key, holders))
    return sorted(found, key=lambda setting: not setting.differs)


def flatten(config: object) -> dict[str, str]:
    """Each key of a configuration as it is typed, `data.train`, with its value as text."""
    texts = {None: "null", True: "true", False: "false"}
    return {
        shown(key): texts[value] if value is None or isinstance(value, bool) else str(value)
        for key, value in leaves(config)
    }


def _links(directory: Path, run: Path, record: Record) -> tuple[list[tuple[str, str]], list[str]]:
    """The ways to the run's files from the page, with their names; notes on missing and changed ones."""
    links, wrong = [], []
    for name in _FILES:
        item = artifact(run, record, name, verify=name != "log")
        if item is not None and item.note is not None:
            wrong.append(item.note)
        path = log_path(run, record) if name == "log" else item.path if item is not None else None
        if path is not None:
            links.append((link(*located(path, directory).parts), path.name))
    return links, wrong
