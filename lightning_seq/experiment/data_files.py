"""The user's files that a run is made from, by their content: a path alone does not say which data a run has seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_seq.errors import UserError
from lightning_seq.experiment.config import Config
from lightning_seq.files import fingerprint, sha256
from lightning_seq.record import Record

if TYPE_CHECKING:
    from lightning_seq.experiment.grid import Planned
    from lightning_seq.experiment.prepare import Ready

_KEYS = (
    *(f"data.{split}{side}" for split in ("train", "validation", "test") for side in ("", "_target")),
    "data.mirror",
    "embedding.path",
    "embedding.target_path",
)
_READ_IN_DIRECTORIES = (".parquet", ".conllu", ".safetensors", ".json")
"""What is read where a key names a directory: of a mirror's set, a treebank, word vectors."""


def data_files(config: Config) -> dict[str, str | None]:
    """The SHA-256 of the file that each key names; of a directory, a fingerprint of its files. Absent files are left
    out: whoever reads them refuses them."""
    return {key: digest for key, path in _paths(config) if (digest := _digest(path))}


def _paths(config: Config) -> Iterator[tuple[str, Path]]:
    for key in _KEYS:
        group, _, name = key.partition(".")
        settings = config.get(group) or {}
        value = settings.get(name)
        if not isinstance(value, str) or not value:
            continue
        if name == "mirror":
            place = settings.get("mirror_path") or (settings.get("hub") or {}).get("id")
            if settings.get("train") or not isinstance(place, str):
                continue
            value = str(Path(value, place))
        yield key, Path(value).expanduser()


def _digest(path: Path) -> str | None:
    if path.is_file():
        return sha256(path)
    files = [file for file in sorted(path.rglob("*")) if file.suffix in _READ_IN_DIRECTORIES and file.is_file()]
    return fingerprint({file.relative_to(path).as_posix(): sha256(file) for file in files}) if files else None


def check_files(configs: Iterable[Config], runs: Iterable[tuple[Path, Record]]) -> None:
    """Raises UserError where a file that one of the configurations names had another content when one of the runs was
    made. Runs recorded before files were are passed over."""
    runs = [(directory, record) for directory, record in runs if record.files]
    if not runs:
        return
    now: dict[tuple[str, Path], str | None] = {}
    for config in configs:
        for key, path in _paths(config):
            if (key, path) not in now:
                now[key, path] = _digest(path)
    for directory, record in runs:
        for key, path in _paths(record.config):
            before = record.files.get(key)
            if before and now.get((key, path), before) != before:
                anew = "" if record.status == "done" else "resume=never to start it anew, "
                raise UserError(
                    f"{directory} was made from other data: {key}={path} has changed since {record.started[:16]}; give "
                    f"{anew}name=NEW for runs on the data as they are now, or restore them"
                )


def check_made_alike(runs: Iterable[Planned], ready: Iterable[Ready]) -> None:
    """Raises UserError where a run that is done was made from other data, splits or word vectors than those that its
    entry has now, whatever they came from.

    ready: the entries, prepared, in the order in which the runs have them.
    """
    by_label: dict[str, Ready] = {item.entry.label: item for item in ready}
    for run in runs:
        record, item = run.done(), by_label[run.entry.label]
        now: dict[str, Any] = {
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
