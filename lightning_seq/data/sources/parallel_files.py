"""Pairs of texts in files of the user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lightning_seq.data.sources.keys import NameColumns, check_apart, checked_keys, typed_names
from lightning_seq.data.sources.pairs import PairTable
from lightning_seq.data.sources.split_files import SplitFiles, decoded
from lightning_seq.data.sources.table import SPLITS, Cut, Loaded
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, sha256
from lightning_seq.printable import number_of
from lightning_seq.text.lines import check_line_ends, split_lines

_SHOWN = 40
Line = tuple[int, str, str, list[str]]
"""Its number, its source and target, and its values in the columns of ids and groups."""


@dataclass(frozen=True)
class ParallelFiles(NameColumns, SplitFiles, Cut):
    """Two files for each split, with as many lines, or one file with a tab between source and target.

    The id of an example is its line, or its value in `id_column` of a file with tabs and a line of names.

    train, validation, test: the sources; or, without a file of targets, sources and targets.
    train_target, validation_target, test_target: the targets.
    source_column, target_column: names in the first line of a file with tabs; None: it has no line of names, and its
        first two columns are read.
    source_language, target_language: names that the checkpoint keeps.
    """

    train_target: str | None = None
    validation_target: str | None = None
    test_target: str | None = None
    source_column: str | None = None
    target_column: str | None = None
    source_language: str | None = None
    target_language: str | None = None

    advice = (
        "give data.train=FILE and data.train_target=FILE, line by line, or data.train=FILE alone with a tab between "
        "source and target"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for split in SPLITS:
            if getattr(self, f"{split}_target") and not getattr(self, split):
                raise UserError(
                    f"data.{split}_target={getattr(self, f'{split}_target')} has no sources: give data.{split}=FILE"
                )
        for setting, name in self.name_columns().items():
            if self.source_column is None or self.train_target:
                raise UserError(
                    f"data.{setting}={name}: expected one file with tabs and a line of names, give "
                    "data.source_column=NAME and data.target_column=NAME; or leave it out"
                )
        if (self.source_column is None) != (self.target_column is None):
            raise UserError(
                f"data.source_column={self.source_column} and data.target_column={self.target_column}: "
                "expected both, or neither for a file without a line of names"
            )
        check_apart(source_column=self.source_column, target_column=self.target_column)

    @property
    def language_pair(self) -> tuple[str | None, str | None]:
        return self.source_language, self.target_language

    def identity(self) -> Plain:
        return {
            "files": {
                split: [sha256(path) for path in (source, target) if path]
                for split, (source, target) in self._pairs().items()
            },
            "columns": [self.source_column, self.target_column],
            "cut": self.shares(),
            **self.encoded(),
            **self.names_to_plain(),
        }

    def load(self) -> Loaded[PairTable]:
        """Raises UserError, with file and line, for a mistake in the files."""
        tables, notes = {}, []
        for split, (source, target) in self._pairs().items():
            table, blank, own = PairTable([], [], []), 0, list[list[str]]()
            for line, first, second, names in self._together(source, target) if target else self._tabbed(source):
                if not first.strip() and not second.strip():
                    blank += 1
                    continue
                _check_text(source, line, first, "source")
                _check_text(target or source, line, second, "target")
                table.sources.append(first)
                table.targets.append(second)
                table.ids.append(line)
                own.append(names)
            if blank:
                notes.append(f"{split}: {number_of(blank, 'line')} blank on both sides left out")
            tables[split] = self._named(table, own, source)
        return self.loaded(typed_names(tables, untyped=True), notes=notes)

    def _named(self, table: PairTable, names: list[list[str]], path: Path) -> PairTable:
        """With the ids and the groups of the pairs. names: of each pair, its values in `name_columns`."""
        values = {
            setting: checked_keys(column, name, lambda row: f"{path}, line {table.ids[row]}", setting)
            for (setting, name), column in zip(self.name_columns().items(), zip(*names, strict=True), strict=False)
        }
        return replace(table, keys=values.get("id_column"), groups=values.get("group_column"))

    def _pairs(self) -> dict[str, tuple[Path, Path | None]]:
        """The file of the sources and that of the targets, by split."""
        return {split: (path, self._target(f"{split}_target")) for split, path in self.paths().items()}

    def _target(self, setting: str) -> Path | None:
        name = getattr(self, setting)
        if not name:
            return None
        path = Path(name).expanduser()
        if not path.is_file():
            reason = "is a directory" if path.is_dir() else "is not there"
            raise UserError(f"data.{setting}={name} {reason}: expected a file with a line for each line of the sources")
        return path

    def _tabbed(self, path: Path) -> Iterator[Line]:
        lines = split_lines(decoded(path, self.encoding))
        check_line_ends(path, lines, ["\t"])
        positions, begin = [0, 1], 1
        if self.source_column is not None and self.target_column is not None:
            header = [name.strip() for name in lines[0].split("\t")]
            wanted = {"source_column": self.source_column, "target_column": self.target_column, **self.name_columns()}
            for setting, name in wanted.items():
                if name not in header:
                    raise UserError(
                        f"{path} has no column {name!r} (data.{setting}): its columns are {', '.join(header)}; "
                        f"give data.{setting}=NAME"
                    )
                if header.count(name) > 1:
                    raise UserError(
                        f"{path} has {header.count(name)} columns called {name!r} (data.{setting}): expected one; "
                        "rename the other in the first line"
                    )
            positions, begin, lines = [header.index(name) for name in wanted.values()], 2, lines[1:]
        for number, line in enumerate(lines, begin):
            if not line.strip():
                yield number, "", "", []
                continue
            values = line.split("\t")
            if len(values) <= max(positions):
                least = f"{max(positions) + 1} columns" if begin == 2 else "a source, a tab and its target"
                raise UserError(
                    f"{path}, line {number}: {len(values) - 1} tabs, expected {least}; "
                    "for targets in a file of their own give it as data.train_target=FILE"
                )
            first, second, *names = (values[position] for position in positions)
            yield number, first, second, names

    def _together(self, source: Path, target: Path) -> Iterator[Line]:
        first, second = (split_lines(decoded(path, self.encoding)) for path in (source, target))
        if len(first) != len(second):
            longer, lines = (source, first) if len(first) > len(second) else (target, second)
            number = min(len(first), len(second)) + 1
            text = lines[number - 1]
            shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
            raise UserError(
                f"{source} has {len(first):,} lines and {target} has {len(second):,}: expected as many, line by line; "
                f"the first without a partner is line {number} of {longer} ({shown!r})"
            )
        for number, (left, right) in enumerate(zip(first, second, strict=True), 1):
            yield number, left, right, []


def _check_text(path: Path, line: int, text: str, side: str) -> None:
    if not text.strip():
        raise UserError(
            f"{path}, line {line}: the {side} is empty: expected at least one word; fill it in or take the pair out"
        )
