"""One run of a comparison: an entry with a seed, and its directory."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lightning_seq.config.entry import Entry
from lightning_seq.config.seeds import seeded
from lightning_seq.config.tree import Config, plain_differences
from lightning_seq.errors import UserError
from lightning_seq.identity import PREDICTIONS, config_identity, shown, value_at
from lightning_seq.records.record import FILE, Record, read, read_done, read_if_there
from lightning_seq.training.directory import CHECKPOINTS, CONFIG, read_config


@dataclass(frozen=True)
class Planned:
    """One run: an entry with a seed, and where it lives."""

    entry: Entry
    seed: int

    @property
    def title(self) -> str:
        return f"{self.entry.label}-seed{self.seed}"

    @property
    def config(self) -> Config:
        return seeded(self.entry.config, self.seed)

    @property
    def directory(self) -> Path:
        return Path(self.entry.config["runs"]) / self.entry.config["name"] / self.title

    def is_done(self) -> bool:
        return self.done() is not None

    def done(self) -> Record | None:
        """Its record if it is done."""
        return read_done(self.directory)

    def check_unchanged(self) -> None:
        """Raises UserError, naming the key, if the directory holds a run of another configuration, unless that one
        failed before its first result."""
        if not (self.directory / CONFIG).is_file():
            return
        if (self.directory / FILE).is_file() and not any(self.directory.glob(f"{CHECKPOINTS}/*.ckpt")):
            record = read(self.directory)
            if record.status == "failed" and not record.curves:
                return
        before = read_config(self.directory)
        for key, old, new in plain_differences(config_identity(before), config_identity(self.config)):
            raise UserError(
                f"{self.directory} holds a run with {shown(key)}={old}, this one has {shown(key)}={new}: "
                f"give another name=NAME, or delete that directory"
            )
        for key, usual in PREDICTIONS.items():
            old, new = (value_at(config, key) or usual for config in (before, self.config))
            if new not in (old, usual) and self.is_done():
                raise UserError(
                    f"{self.directory} is done, and its predictions were written with {key}={old}: for {key}={new} "
                    "give another name=NAME, or delete that directory"
                )


def record_of(run: Planned) -> Record | None:
    """The run's record; None if it is missing or damaged."""
    with suppress(UserError):
        return read_if_there(run.directory)
    return None
