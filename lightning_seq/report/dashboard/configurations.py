"""Each run's configuration, log and curves as a section of the dashboard, at an address that the numbers link to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning_seq.records.artifacts import artifact, log_path
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.sections import Addresses, anchor, grouped, named, note, section
from lightning_seq.report.escape import html
from lightning_seq.report.summary import Group, Summary, located

_FILES = ("config", "metrics", "log")

ABOUT = "What all runs share stands once; of each run, what differs, and its files."


def addresses(runs: list[tuple[Path, Record]]) -> Addresses:
    """Where on the page each run's entry is, and each label's."""
    found: Addresses = {}
    for place, (_, record) in enumerate(runs):
        label = (record.task, record.data, record.label)
        found[*label, None] = f"runs-{place}" if (*label, None) in found else f"run-{place}"
        found[*label, record.seed] = f"run-{place}"
    return found


def configurations(directory: Path, runs: list[tuple[Path, Record]], summary: Summary) -> str:
    """Folded away: what all runs on a data set have in common, then the runs, those of a label together."""
    found = addresses(runs)
    parts = [
        (group, _group(directory, [run for run in runs if group.holds(run[1])], group, found))
        for group in summary.groups
    ]
    return section("Configuration of each run", grouped(parts, len(parts) > 1), ABOUT, "configuration")


def _group(directory: Path, runs: list[tuple[Path, Record]], group: Group, found: Addresses) -> str:
    flat = [dict(_flatten(record.config)) for _, record in runs]
    keys = dict.fromkeys(key for config in flat for key in config)
    shared = {key: flat[0][key] for key in keys if len({config.get(key) for config in flat}) == 1}
    parts = []
    if len(runs) == 1:
        shared = {}
    elif shared:
        settings = f"{len(shared)} {'setting' if len(shared) == 1 else 'settings'} that all runs share"
        parts.append(f"<details><summary>{settings}</summary><div>{_lines(shared)}</div></details>")
    for index, label in enumerate(group.labels):
        mine = [
            _run(directory, run, record, {key: value for key, value in config.items() if key not in shared}, found)
            for (run, record), config in zip(runs, flat, strict=True)
            if record.label == label
        ]
        if len(mine) == 1:
            parts.append(mine[0].replace("<summary>", f"<summary>{named(index, label)}, ", 1))
        else:
            head = f'{named(index, label)}<span class="state">{len(mine)} runs</span>'
            place = found[group.task, group.data, label, None]
            parts.append(
                f"<details><summary>{head}</summary>"
                f'<div id="{place}" class="run" tabindex="-1">{"".join(mine)}</div></details>'
            )
    return "".join(parts)


def _run(directory: Path, run: Path, record: Record, config: dict[str, str], found: Addresses) -> str:
    """A page opens what is folded around an address: it stands inside."""
    took = f"{record.started} – {record.finished}" if record.started and record.finished else record.started
    facts = " · ".join(part for part in [took, " ".join(record.overrides)] if part)
    own = (
        _lines(config)
        if config
        else note("Nothing differs." if record.config else "The record holds no configuration.")
    )
    place = found[record.task, record.data, record.label, record.seed]
    return (
        f"<details><summary>seed {record.seed}"
        f'<span class="state {html(record.status)}">{html(record.status)}</span></summary>'
        f'<div id="{place}" class="run" tabindex="-1">{note(facts) if facts else ""}'
        f"{_links(directory, run, record)}{own}</div></details>"
    )


def _lines(config: dict[str, str]) -> str:
    return f"<pre>{html(chr(10).join(f'{key} = {value}' for key, value in config.items()))}</pre>"


def _flatten(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [
            pair for key, item in value.items() for pair in _flatten(item, f"{prefix}.{key}" if prefix else str(key))
        ]
    return (
        [(prefix, "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value))]
        if prefix
        else []
    )


def _links(directory: Path, run: Path, record: Record) -> str:
    """The ways to the run's files from the page; a missing or changed one is a note instead."""
    found, wrong = [], []
    for name in _FILES:
        item = artifact(run, record, name, verify=name != "log")
        if item is not None and item.note is not None:
            wrong.append(item.note)
        path = log_path(run, record) if name == "log" else item.path if item is not None else None
        if path is not None:
            found.append(anchor(located(path, directory), path.name))
    links = f'<p class="note">{" · ".join(found)}</p>' if found else ""
    return links + "".join(note(text, warn=True) for text in wrong)
