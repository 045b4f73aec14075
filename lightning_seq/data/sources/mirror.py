"""Sets from a local directory in Hub layout: for clusters without internet."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Generic

from lightning_seq.data.sources.columns import Reading
from lightning_seq.data.sources.keys import origins
from lightning_seq.data.sources.table import L_co
from lightning_seq.errors import UserError, near, root_cause
from lightning_seq.files import DamagedError, Plain, check_form, check_parquet, is_inside, read_yaml, sha256
from lightning_seq.temporary import temporary_directory

CARD, CARD_ALONE, _INFOS = "README.md", ".huggingface.yaml", "dataset_infos.json"
CARDS = (CARD, CARD_ALONE)
"""The files that name the parquet files of a set and their splits."""


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
        """Raises UserError when the mirror is not a directory, has no such set, or the set cannot be read, and for a
        set that is not parquet files of its own directory."""
        files = {os.path.realpath(file) for file in self._files()}
        import datasets

        # We cache the prepared ids: a second copy in the cache of `datasets` would only take room.
        with temporary_directory("lightning-seq-mirror-") as room:
            try:
                self._check_card()
                builder = datasets.load_dataset_builder(str(self._place()), self.config, cache_dir=str(room))
                if not any(kind.__name__ == "Parquet" for kind in type(builder).__mro__):
                    raise UserError(f"{self._place()} is not parquet ({builder.name}): expected parquet files alone")
                for file in chain.from_iterable((builder.config.data_files or {}).values()):
                    if os.path.realpath(file) not in files:
                        raise _outside(self._place(), str(file))
                builder.download_and_prepare()
                sets = builder.as_dataset()
            except UserError:
                raise
            except Exception as error:  # YAML's reader may raise any error on damaged text
                raise UserError(
                    f"{self._place()} cannot be loaded ({root_cause(error)}): expected a set in Hub layout; check "
                    "data.mirror_config"
                ) from error
            return self.columns.read(sets, self.path, None)

    def _check_card(self) -> None:
        """Raises UserError for a README.md, or its other form, that names files outside the directory of the set.

        `datasets` would read such a file, or fetch it, while it looks for the files of a set.
        """
        from huggingface_hub import DatasetCard

        place, configs = self._place(), list[Plain]()
        if (place / CARD).is_file():
            card = DatasetCard.load(place / CARD).data.to_dict()
            check_form(card, dict, (place / CARD).stat().st_size)  # `datasets` writes all aliases out in its errors
            configs.append(card.get("configs"))
        if (place / CARD_ALONE).is_file():
            configs.append(read_yaml(place / CARD_ALONE).get("configs"))
        for config in chain.from_iterable(part for part in configs if isinstance(part, list)):
            for text in _texts([config.get("data_files"), config.get("data_dir")] if isinstance(config, dict) else []):
                if ":" in text or text.startswith(("/", "~", "\\")) or ".." in re.split(r"[/\\]", text):
                    raise _outside(place, text)

    def _place(self) -> Path:
        return Path(self.root).expanduser() / self.path

    def _files(self) -> list[Path]:
        root = Path(self.root).expanduser()
        if not root.is_dir():
            raise UserError(
                f"data.mirror={self.root} is not a directory: expected one in Hub layout, with {self.path}/"
            )
        files = sorted(
            file for file in self._place().rglob("*") if file.suffix == ".parquet" or file.name in (*CARDS, _INFOS)
        )
        for file in files:
            if not is_inside(file, self._place()) and not is_inside(file, root):
                raise _outside(self._place(), os.path.realpath(file))
            if not file.is_file():
                raise UserError(f"{file} is not a file: expected no directory, pipe or broken link of that name")
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


def _outside(place: Path, text: str) -> UserError:
    return UserError(
        f"{place} names the file {text!r}: expected parquet files inside that directory; check its {CARD}, or leave "
        "the set alone if it is not yours"
    )


def _texts(value: Plain) -> Iterator[str]:
    """The texts in nested lists and mappings of YAML, whose aliases may repeat a part many times."""
    seen, left = set[int](), [value]
    while left:
        part = left.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict | list) and id(part) not in seen:
            seen.add(id(part))
            left += part.values() if isinstance(part, dict) else part
