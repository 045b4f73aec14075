"""Sets from a local directory in Hub layout: for clusters without internet."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic

from lightning_seq.data.sources.columns import Reading
from lightning_seq.data.sources.keys import origins
from lightning_seq.data.sources.table import L_co
from lightning_seq.errors import UserError, near, root_cause
from lightning_seq.files import DamagedError, Plain, check_parquet, sha256


@dataclass(frozen=True)
class Mirror(Generic[L_co]):
    """The set in `<root>/<path>/`: parquet files, and a README.md that names the split of each.

    root:   the mirror, from data.mirror or LIGHTNING_SEQ_MIRROR.
    path:   such as `stanfordnlp/imdb`.
    config: the set's own configuration; None: its only or default one.
    """

    root: str
    path: str
    config: str | None = None
    columns: Reading[L_co] = field(kw_only=True)

    def describe(self) -> str:
        return f"{self.path} (mirror)"

    def identity(self) -> Plain:
        return {
            "mirror": self.path,
            "config": self.config,
            "files": {file.relative_to(self._place()).as_posix(): sha256(file) for file in self._files()},
            "columns": self.columns.to_plain(),
        }

    def origins(self) -> dict[str, str]:
        return origins(self.columns.splits)

    def load(self) -> L_co:
        """Raises UserError when the mirror is not a directory, has no such set, or the set cannot be read."""
        self._files()
        import datasets

        # We cache the prepared ids: a second copy in the cache of `datasets` would only take room.
        with tempfile.TemporaryDirectory() as room:
            try:
                sets = datasets.load_dataset(str(self._place()), self.config, cache_dir=room)
            except Exception as error:  # readers of YAML and of Parquet may raise any error on damaged files
                raise UserError(
                    f"{self._place()} cannot be loaded ({root_cause(error)}): expected a set in Hub layout; check "
                    "data.mirror_config"
                ) from error
            return self.columns.read(sets, self.path, None)

    def _place(self) -> Path:
        return Path(self.root).expanduser() / self.path

    def _files(self) -> list[Path]:
        root = Path(self.root).expanduser()
        if not root.is_dir():
            raise UserError(
                f"data.mirror={self.root} is not a directory: expected one in Hub layout, with {self.path}/"
            )
        files = sorted(
            file for file in self._place().rglob("*") if file.suffix == ".parquet" or file.name == "README.md"
        )
        if not any(file.suffix == ".parquet" for file in files):
            sets = {place.relative_to(root).as_posix() for place in root.glob("*/*") if place.is_dir()}
            raise UserError(
                f"the mirror {self.root} has no set {self.path}; {near(self.path, sets)} "
                "(an empty data.mirror= loads from the Hub)"
            )
        for file in files:
            self._check(file)
        return files

    def _check(self, file: Path) -> None:
        if file.suffix != ".parquet":
            return
        try:
            if not check_parquet(file):
                raise DamagedError("it has no rows, expected at least one in each split")
        except DamagedError as error:
            raise UserError(f"{file} cannot be read: {error}") from None
