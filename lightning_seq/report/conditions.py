"""The conditions under which runs may be compared in one table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from lightning_seq.errors import UserError
from lightning_seq.files import fingerprint
from lightning_seq.identity import may_differ, settings_of_data
from lightning_seq.records.record import Record

CONDITIONS = {
    "data fingerprint": "they were made from other data",
    "split fingerprint": "their train, validation and test splits differ",
    "task.tolerance": "their success is not the same metric",
}
"""The conditions, and the reason that an error gives if they differ."""

APART = "report these directories separately, or run one of the two again with the value of the other"


class Run(NamedTuple):
    """A run and the directory of its comparison."""

    comparison: Path
    directory: Path
    record: Record

    def __str__(self) -> str:
        return f"{self.record.label} seed {self.record.seed} of {self.comparison}"


def check_alike(runs: Iterable[Run]) -> None:
    """Raises UserError if two runs of one comparison have the same configuration of data but other fingerprints: a
    file was changed between them. Settings that make other data on purpose (`data.min_count=1,2`) are not the same
    configuration.
    """
    first: dict[tuple[str, str], tuple[Run, str]] = {}
    for run in runs:
        config = run.record.config
        if not isinstance(config.get("data"), dict):
            continue
        data = {key: value for key, value in settings_of_data(config["data"]).items() if not may_differ(key)}
        vectors = [data, [config.get("embedding"), config.get("word2vec")]]
        for name, settings in {"data": data, "split": data, "embedding": vectors}.items():
            value = run.record.fingerprints.get(name)
            if value is None:
                continue
            key = (name, fingerprint([run.record.task, run.record.data, settings]))
            other, before = first.setdefault(key, (run, value))
            if value != before:
                field = f"{name} fingerprint"
                raise refusal(
                    field, run, value, other, before, CONDITIONS.get(field, "their word vectors differ"),
                    "delete one of the two runs, or run both again under name=NEW",
                )  # fmt: skip


def refusal(
    field: str, run: Run, value: object, other: Run, before: object, reason: str, remedy: str = APART
) -> UserError:
    return UserError(f"{run} has {field} {value}, {other} has {before}: {reason}; {remedy}")
