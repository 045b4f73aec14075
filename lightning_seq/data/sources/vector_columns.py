"""Sequences of vectors from columns: a row per sequence or a row per step, of a public set or of a file."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np

from lightning_seq.data.sources.columns import ColumnRows, Reading, Sets, check_columns
from lightning_seq.data.sources.keys import NameColumns, checked_keys, typed_keys
from lightning_seq.data.sources.public import PublicSet
from lightning_seq.data.sources.table import Cut, Loaded
from lightning_seq.data.sources.vector_table import StepsOnDisk, Target, VectorTable, as_steps
from lightning_seq.errors import UserError, first_line
from lightning_seq.files import Plain
from lightning_seq.text.lines import check_characters
from lightning_seq.value_types import ArgumentsOf, Count, OneOf, Range

Record: TypeAlias = tuple[int, Mapping[str, object]]
"""The number of a row, for people, and its values by column."""
TARGETS = ("label_column", "tags_column", "value_columns")
VALUES_OF = ("sequence", "step")


@dataclass(frozen=True, kw_only=True)
class VectorLayout(NameColumns):
    """The columns of sequences of vectors.

    steps_column:    a row is a sequence; this column holds its steps: a list of lists of numbers, or the path of a .npy
                     file. Several columns are joined. None: a row is a step.
    feature_columns: of rows that are steps, the columns of their numbers; None: all others.
    sequence_column: of rows that are steps, equal for those of one sequence, which come one after the other; None: all
                     rows of a split are one sequence.
    label_column:    the class of a sequence.
    tags_column:     the class of each step; a missing one does not count.
    value_columns:   numbers to predict, of a sequence or of each step (`values_of`).
    countdown:       a value is that at the last step of its sequence, and 1 more at each step before.
    cap:             values above it are set to it; None: no limit.
    ahead:           a step has the target of the step that is so many steps later; the last steps, without one, are
                     left out.

    Exactly one of `label_column`, `tags_column` and `value_columns` is given. Raises UserError otherwise.
    """

    steps_column: str | Sequence[str] | None = None
    feature_columns: Sequence[str] | None = None
    sequence_column: str | None = None
    label_column: str | None = None
    tags_column: str | None = None
    value_columns: Sequence[str] | None = None
    values_of: Annotated[str, OneOf(VALUES_OF)] = "sequence"
    countdown: bool = False
    cap: float | None = None
    ahead: Count = 0

    def check_targets(self) -> None:
        targets = [name for name in TARGETS if getattr(self, name)]
        if len(targets) != 1:
            came = " and ".join(f"data.{name}" for name in targets) or "none of them"
            raise UserError(
                f"{came} came: expected one of data.label_column (a class per sequence), data.tags_column (a class per "
                "step) and data.value_columns (numbers)"
            )
        if self.ahead and not self.of_steps:
            raise UserError(f"data.ahead={self.ahead} is for targets of steps, and these are of sequences")

    @property
    def of_steps(self) -> bool:
        """Whether each step has a target."""
        return bool(self.tags_column or (self.value_columns and (self.values_of == "step" or self.countdown)))

    @property
    def step_columns(self) -> list[str]:
        if self.steps_column is None:
            return []
        return [self.steps_column] if isinstance(self.steps_column, str) else list(self.steps_column)

    @property
    def other_columns(self) -> dict[str, str]:
        """The columns of targets and names, by setting."""
        named = {
            "sequence_column": self.sequence_column, "label_column": self.label_column, "tags_column": self.tags_column,
            **self.name_columns(),
        }  # fmt: skip
        values = {f"value_columns.{number}": name for number, name in enumerate(self.value_columns or [])}
        return {setting: name for setting, name in named.items() if name} | values

    def columns(self, known: Sequence[str], place: str) -> list[str]:
        """The columns to read, those of numbers first. known: those of the set or file.

        Raises UserError for one that is missing.
        """
        others = self.other_columns
        named = self.step_columns or list(self.feature_columns or [])
        setting = "steps_column" if self.steps_column else "feature_columns"
        for key, column in [*((setting, name) for name in named), *others.items()]:
            if column not in known:
                raise UserError(
                    f"{place} has no column {column!r} (data.{key.partition('.')[0]}): its columns are "
                    f"{', '.join(known)}"
                )
        features = named or [name for name in known if name not in others.values()]
        if not features:
            raise UserError(f"{place} has no column of numbers: its columns are {', '.join(known)}")
        return list(dict.fromkeys([*features, *others.values()]))

    def layout_to_plain(self) -> dict[str, Plain]:
        own = {name: getattr(self, name) for name in VectorLayout.__dataclass_fields__ if name not in _NAMES}
        plain = {name: list(value) if isinstance(value, tuple | list) else value for name, value in own.items()}
        return {**plain, **self.names_to_plain()}

    def table(
        self,
        records: Iterable[Record],
        known: Sequence[str],
        place: str,
        row: str = "row",
        classes: Sequence[str] | None = None,
        directory: Path | None = None,
    ) -> VectorTable:
        """The sequences in these rows. row: the word for one. classes: the names of labels that are numbers.
        directory: of the paths of .npy files; None: there are none.

        Raises UserError for a value of another kind than expected.
        """
        columns = self.columns(known, place)
        features = columns[: len(columns) - len(set(self.other_columns.values()))]
        reading = _Reading(self, features, place, row, classes, directory)
        if self.steps_column:
            reading.of_sequences(records)
        else:
            reading.of_steps(records)
        return reading.table()


_NAMES = NameColumns.__dataclass_fields__


@dataclass
class _Reading:
    """Reads rows into a table."""

    layout: VectorLayout
    features: list[str]
    place: str
    row: str
    classes: Sequence[str] | None
    directory: Path | None
    steps: StepsOnDisk = field(default_factory=StepsOnDisk)
    targets: list[Target] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    keys: list[object] = field(default_factory=list)
    groups: list[object] = field(default_factory=list)

    def table(self) -> VectorTable:
        layout = self.layout
        names = {}
        for setting, values in (("id_column", self.keys), ("group_column", self.groups)):
            column = getattr(layout, setting) or layout.sequence_column or ""
            checked = checked_keys(values, column, lambda place: f"{self.place}, {self.row} {self.ids[place]}", setting)
            names[setting] = typed_keys([checked], untyped=self.row == "line")[0] if values else None
        return VectorTable(
            list(range(len(self.steps))), self.steps, self.targets, self.ids, keys=names["id_column"],
            groups=names["group_column"], names=() if layout.steps_column else tuple(self.features),
            values=tuple(layout.value_columns or ()), remaining=layout.countdown,
        )  # fmt: skip

    def of_sequences(self, records: Iterable[Record]) -> None:
        layout = self.layout
        for number, record in records:
            where = f"{self.place}, {self.row} {number}"
            parts = [as_steps(self._loaded(record[column], where), f"{where}, {column!r}") for column in self.features]
            if len({len(part) for part in parts}) > 1:
                lengths = ", ".join(f"{name} {len(part)}" for name, part in zip(self.features, parts, strict=True))
                raise UserError(f"{where}: the columns of steps have unequal lengths: {lengths}")
            steps = np.concatenate(parts, 1)
            if layout.tags_column:
                tags = record[layout.tags_column]
                if not isinstance(tags, list | tuple | np.ndarray):
                    raise UserError(
                        f"{where}: {layout.tags_column!r} is {tags!r}, expected a list with a label per step"
                    )
                target: Target = [self._label(tag, where, layout.tags_column) for tag in tags]
            elif layout.label_column:
                target = self._class(record[layout.label_column], where)
            else:
                listed = layout.values_of == "step" and not layout.countdown
                target = np.array([self._values(record[c], where, c, listed) for c in layout.value_columns or []]).T
            self._add(number, steps, target, record, layout.id_column, where)

    def of_steps(self, records: Iterable[Record]) -> None:
        layout, seen = self.layout, set[object]()
        key = (lambda item: item[1][layout.sequence_column]) if layout.sequence_column else (lambda item: None)
        for name, rows in groupby(records, key):
            number, first = next(rows)
            where = f"{self.place}, {self.row} {number}"
            if name in seen:
                raise UserError(
                    f"{where}: sequence {name!r} goes on here after another one: expected its rows one after the "
                    f"other; sort them by {layout.sequence_column}"
                )
            seen.add(name)
            numbers, targets = array("f"), list[object]()
            for number_of_step, record in _chain((number, first), rows):
                step = f"{self.place}, {self.row} {number_of_step}"
                numbers.extend(self._numbers(record, step))
                targets.append(self._step_target(record, step))
                for column in (layout.label_column, layout.group_column):
                    if column and record[column] != first[column]:
                        remedy = "" if layout.sequence_column else "; data.sequence_column=NAME tells sequences apart"
                        raise UserError(
                            f"{step}: {column!r} is {record[column]!r}, and {first[column]!r} in the first row of its "
                            f"sequence: expected one for each sequence{remedy}"
                        )
            steps = np.frombuffer(numbers, dtype=np.float32).reshape(-1, len(self.features))
            target: Target = targets if layout.tags_column else str(targets[0])  # type: ignore[assignment]
            if layout.value_columns:
                target = np.array(targets, dtype=np.float32)
                target = target if layout.of_steps and not layout.countdown else target[-1]
            self._add(number, steps, target, first, layout.id_column or layout.sequence_column, where)

    def _add(
        self, number: int, steps: np.ndarray, target: Target, record: Mapping[str, object], id_column: str | None,
        where: str,
    ) -> None:  # fmt: skip
        layout = self.layout
        if isinstance(target, np.ndarray):
            target = target.astype(np.float32)
            if layout.countdown:
                target = target[None] + np.arange(len(steps), dtype=np.float32)[::-1, None]
            target = target if layout.cap is None else np.minimum(target, np.float32(layout.cap))
        if layout.of_steps and len(target) != len(steps):
            raise UserError(f"{where}: {len(target)} targets for {len(steps)} steps, expected one for each step")
        if layout.ahead:
            if len(steps) <= layout.ahead:
                raise UserError(f"{where}: {len(steps)} steps are too few for data.ahead={layout.ahead}")
            steps, target = steps[: -layout.ahead], target[layout.ahead :]
        self.steps.append(steps)
        self.targets.append(target)
        self.ids.append(number)
        if id_column:
            self.keys.append(record[id_column])
        if layout.group_column:
            self.groups.append(record[layout.group_column])

    def _numbers(self, record: Mapping[str, object], where: str) -> list[float]:
        try:
            return [float(record[column]) for column in self.features]  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return [_number(record[column], where, column) for column in self.features]

    def _step_target(self, record: Mapping[str, object], where: str) -> object:
        layout = self.layout
        if layout.tags_column:
            return self._label(record[layout.tags_column], where, layout.tags_column)
        if layout.label_column:
            return self._class(record[layout.label_column], where)
        return [_number(record[column], where, column) for column in layout.value_columns or []]

    def _class(self, value: object, where: str) -> str:
        label = self._label(value, where, str(self.layout.label_column))
        if label is None:
            raise UserError(f"{where}: the label is missing ({self.layout.label_column!r}), expected a class")
        return label

    def _label(self, value: object, where: str, column: str) -> str | None:
        """The name of a class; None for a missing one."""
        if value is None or value == "":
            return None
        if isinstance(value, float) and not value.is_integer():
            raise UserError(
                f"{where}: {column!r} is {value}, expected a class: for numbers to predict give data.value_columns"
            )
        if isinstance(value, int | float | np.integer) and not isinstance(value, bool):
            number = int(value)
            if self.classes is not None:
                return self.classes[number] if 0 <= number < len(self.classes) else None
            return str(number)
        label = str(value).strip()
        check_characters(where, label)
        return label or None

    def _values(self, value: object, where: str, column: str, listed: bool) -> object:
        if listed:
            if not isinstance(value, list | tuple | np.ndarray):
                raise UserError(f"{where}: {column!r} is {value!r}, expected a list with a number per step")
            return [_number(one, where, column) for one in value]
        return _number(value, where, column)

    def _loaded(self, value: object, where: str) -> object:
        """A value, or the array in the .npy file that it names."""
        if not isinstance(value, str):
            return value
        path = Path(value).expanduser()
        path = path if self.directory is None or path.is_absolute() else self.directory / path
        if path.suffix != ".npy" or not path.is_file():
            raise UserError(f"{where}: {value!r} is no .npy file: expected the path of one [steps, numbers]")
        try:
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(f"{where}: {path} cannot be read ({first_line(error)}): expected a .npy file") from None


def _number(value: object, where: str, column: str) -> float:
    """A number; NaN for an empty field. Raises UserError for text."""
    if value is None or value == "":
        return float("nan")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise UserError(
            f"{where}: {column!r} is {str(value)[:40]!r}, expected a number: give data.feature_columns without this "
            f"column, or data.label_column={column} for a class"
        ) from None


def _chain(first: Record, rows: Iterable[Record]) -> Iterator[Record]:
    yield first
    yield from rows


@dataclass(frozen=True, kw_only=True)
class VectorColumns(VectorLayout, Reading[Loaded[VectorTable]], Cut):
    """Reads sequences of vectors. classes: names of the labels 0, 1, … of a set that does not name them."""

    classes: Sequence[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_targets()

    def to_plain(self) -> Plain:
        classes = list(self.classes) if self.classes else None
        return {**self.layout_to_plain(), "classes": classes, "splits": self.own_splits, "cut": self.shares()}

    def read(self, sets: Sets, name: str, revision: str | None) -> Loaded[VectorTable]:
        """Raises UserError for a missing split or column, and as `VectorLayout.table` does."""
        self.check_trainable(sets, name)
        tables, classes = {}, None
        for split, rows, place in self.chosen(sets, name):
            columns = self.columns(rows.column_names, place)
            classes = self._classes(rows)
            values = zip(*(rows[column] for column in columns), strict=True)
            records = ((number, dict(zip(columns, row, strict=True))) for number, row in enumerate(values))
            tables[split] = self.table(records, columns, place, classes=classes)
        return self.loaded(tables, classes, revision)

    def _classes(self, rows: ColumnRows) -> tuple[str, ...] | None:
        column = self.label_column or self.tags_column
        if not column:
            return None
        check_columns(rows, {"label_column": column}, "the set")
        feature = rows.features[column]
        names = getattr(getattr(feature, "feature", feature), "names", None) or self.classes
        return tuple(names) if names else None


class VectorSet(PublicSet[Loaded[VectorTable]]):
    """Sequences of vectors of a public set.

    fold: of an official split into several folds; `{fold}` in `mirror_config` stands for it.

    Raises UserError as `PublicSet` does, and for a set that is neither on the Hub nor in a mirror.
    """

    reading = VectorColumns

    def __init__(
        self,
        hub: Mapping[str, object] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        fold: Annotated[int, Range(1, 3)] | None = None,
        **columns: Annotated[object, ArgumentsOf("reading")],
    ) -> None:
        if fold is not None and fold not in (1, 2, 3):
            raise UserError(f"data.fold is {fold}, expected 1, 2 or 3")
        if not mirror and not self.hub_settings(hub).get("id"):
            raise UserError(
                f"{mirror_path or 'the set'} is not on the Hub: give a directory in Hub layout that has it, "
                "data.mirror=DIR (or LIGHTNING_SEQ_MIRROR)"
            )
        config = mirror_config and mirror_config.replace("{fold}", str(fold))
        super().__init__({"id": mirror_path, **_set_keys(hub)}, mirror, mirror_path, config, **columns)


def _set_keys(hub: Mapping[str, object] | None) -> dict[str, object]:
    return {key: value for key, value in (hub or {}).items() if value is not None}
