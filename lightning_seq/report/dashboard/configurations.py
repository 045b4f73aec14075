"""Each run's configuration, log and curves as a section of the dashboard, at an address that the numbers link to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup

from lightning_seq.files import Plain
from lightning_seq.identity import shown
from lightning_seq.records.artifacts import artifact, log_path
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.page import Page, of_groups
from lightning_seq.report.dashboard.sections import Addresses
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import link
from lightning_seq.report.formats import plural
from lightning_seq.report.summary import Group, Summary, located

_FILES = ("config", "metrics", "log")

ABOUT = "The settings that all runs share come first; each run has the settings in which it differs, and its files."


def addresses(runs: Sequence[tuple[Path, Record]]) -> Addresses:
    """Where on the page each run's entry is, and each label's."""
    entries: Addresses = {}
    for place, (_, record) in enumerate(runs):
        label = (record.task, record.data, record.label)
        entries[*label, None] = f"runs-{place}" if (*label, None) in entries else f"run-{place}"
        entries[*label, record.seed] = f"run-{place}"
    return entries


def configurations(page: Page, directory: Path, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """The settings that all runs on a data set share, then the runs, those of a label together, all folded away."""
    entries = addresses(runs)
    parts = of_groups(
        summary, lambda group: _group(directory, [run for run in runs if group.holds(run[1])], group, entries)
    )
    return page.section("Configuration of each run", "configuration", ABOUT, parts)


def _group(directory: Path, runs: list[tuple[Path, Record]], group: Group, entries: Addresses) -> Markup:
    settings = [dict(flatten(record.config)) for _, record in runs]
    keys = dict.fromkeys(key for config in settings for key in config)
    shared = {key: settings[0][key] for key in keys if len({config.get(key) for config in settings}) == 1}
    if len(runs) == 1:
        shared = {}
    by_label: dict[str, list[dict[str, object]]] = {label: [] for label in group.labels}
    for (run, record), config in zip(runs, settings, strict=True):
        own = {key: value for key, value in config.items() if key not in shared}
        by_label[record.label].append(_run(directory, run, record, own, entries))
    return draw(
        "configurations",
        shared=f"{plural(len(shared), 'setting')} that all runs share" if shared else "",
        shared_lines=_lines(shared),
        labels=[(label, entries[group.task, group.data, label, None], by_label[label]) for label in group.labels],
    )


def _run(directory: Path, run: Path, record: Record, config: dict[str, str], entries: Addresses) -> dict[str, object]:
    took = f"{record.started} – {record.finished}" if record.started and record.finished else record.started
    links, wrong = _links(directory, run, record)
    return {
        "record": record,
        "address": entries[record.task, record.data, record.label, record.seed],
        "facts": " · ".join(part for part in [took, " ".join(record.overrides)] if part),
        "links": links,
        "wrong": wrong,
        "lines": _lines(config),
        "empty": "Nothing differs." if record.config else "The record holds no configuration.",
    }


def _lines(config: dict[str, str]) -> str:
    return "\n".join(f"{key} = {value}" for key, value in config.items())


def flatten(value: Plain, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each key of a configuration as it is typed, `data.train`, with its value as text."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from flatten(item, f"{prefix}.{key}" if prefix else str(key))
    elif prefix:
        yield shown(prefix), "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


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
