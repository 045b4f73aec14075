"""Refuse runs whose data have changed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lightning_seq.comparison.prepared_entry import PreparedEntry
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.records.record import Record
from lightning_seq.training.data_files import data_paths, digest_of
from lightning_seq.training.planned import Planned


def check_files(configs: Iterable[Config], runs: Iterable[tuple[Path, Record]]) -> None:
    """Raises UserError for a file of the configurations whose content has changed since one of the runs. Records of a
    version that recorded no files are skipped."""
    runs = [(directory, record) for directory, record in runs if record.files]
    if not runs:
        return
    now: dict[tuple[str, Path], str | None] = {}
    for config in configs:
        for key, path in data_paths(config):
            if (key, path) not in now:
                now[key, path] = digest_of(path)
    for directory, record in runs:
        for key, path in data_paths(record.config):
            before = record.files.get(key)
            if before and now.get((key, path), before) != before:
                restart = "" if record.status == "done" else "resume=never to start it again, "
                raise UserError(
                    f"{directory} was made from other data: {key}={path} has changed since {record.started[:16]}; give "
                    f"{restart}name=NEW for runs on the data as they are now, or restore them"
                )


def check_made_alike(runs: Iterable[Planned], ready: Iterable[PreparedEntry]) -> None:
    """Raises UserError for a run that is done whose data, splits or word vectors differ from those of its entry now."""
    by_label: dict[str, PreparedEntry] = {item.entry.label: item for item in ready}
    for run in runs:
        record, item = run.done(), by_label[run.entry.label]
        now: dict[str, str | None] = {
            "data": item.data.fingerprints["data"],
            "split": item.data.fingerprints["split"],
            "embedding": item.inputs.mark,
        }
        for name, value in now.items():
            before = record.fingerprints.get(name) if record else None
            if before and value and before != value:
                raise UserError(
                    f"{run.directory} was made from other data: its {name} fingerprint is {before}, that of "
                    f"data={run.config['choices']['data']} is {value} now; give name=NEW for runs on the data as they "
                    "are now, or restore them"
                )
