"""Tagged sentences, and their reading from the columns of a public set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from lightning_seq.data.sources.columns import ColumnRows, Reading, Sets, check_columns, names_of
from lightning_seq.data.sources.keys import NameColumns
from lightning_seq.data.sources.table import Cut, Examples, Keys, Loaded, Source
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.printable import number_of
from lightning_seq.text.bio_tags import Tag
from lightning_seq.text.conll import fields


@dataclass(frozen=True)
class TaggedTable(Examples):
    """Tagged sentences: the examples of one split.

    tokens, tags: of each sentence, equally many; an unknown tag is None and does not count.
    ids:          of the source: rows, verses, first lines of the sentences.
    intents:      of each sentence as a whole, or None.
    origin:       the user's file that holds the examples, or None.
    lines:        the line of every token in that file, or None.
    keys:         the values of the user's own column of ids, or None.
    groups:       the values of the user's own column of groups, or None.
    """

    tokens: list[list[str]]
    tags: list[list[Tag]]
    ids: list[int]
    intents: list[str] | None = None
    origin: str | None = None
    lines: list[list[int]] | None = None
    keys: Keys | None = None
    groups: Keys | None = None

    @property
    def strata(self) -> Sequence[str]:
        return self.intents or [""] * len(self)

    @classmethod
    def of_file(cls, origin: str, sentences: list[list[tuple[str, Tag, int]]]) -> TaggedTable:
        """The sentences of a file, as tokens with their tags and lines."""
        tokens = [[token for token, _, _ in sentence] for sentence in sentences]
        tags = [[tag for _, tag, _ in sentence] for sentence in sentences]
        lines = [[line for _, _, line in sentence] for sentence in sentences]
        return cls(tokens, tags, [numbers[0] for numbers in lines], None, origin, lines)

    def place(self, name: str, split: str, row: int, step: int | None = None) -> str:
        """The place of a sentence, or of its token number `step`, for people. name: of the whole set."""
        if self.origin and self.lines is not None:
            return f"{self.origin}, line {self.lines[row][step or 0]}"
        where = f"{name}, {split} split, example {self.ids[row]}"
        return where if step is None else f"{where}, token {step + 1} ({self.tokens[row][step]!r})"


TaggedSource: TypeAlias = Source[Loaded[TaggedTable]]


@dataclass(frozen=True)
class TaggedColumns(NameColumns, Reading[Loaded[TaggedTable]], Cut):
    """Reads tagged sentences; a split that is cut from train has its share of each intent.

    tokens_column, tag_column: lists, or strings with spaces between the tokens; tags are words, or numbers of named
        classes.
    intent_column: of the whole sentence, or None.
    """

    tokens_column: str = "tokens"
    tag_column: str = "tags"
    intent_column: str | None = None

    def to_plain(self) -> Plain:
        return {
            "tokens": self.tokens_column,
            "tag": self.tag_column,
            "intent": self.intent_column,
            "splits": self.own_splits,
            "cut": self.shares(),
            **self.names_to_plain(),
        }

    def read(self, sets: Sets, name: str, revision: str | None) -> Loaded[TaggedTable]:
        """Leaves out rows without a token, with a note.

        Raises UserError for a missing split or column, for tokens and tags of unequal number, and for a tag missing or
        out of range.
        """
        tables, classes, notes = {}, None, []
        for split, rows, place in self.chosen(sets, name):
            table, classes = self._table(rows, place)
            if empty := len(rows) - len(table):
                notes.append(f"{split}: {number_of(empty, 'row')} without a token left out")
            tables[split] = table
        return self.loaded(tables, classes, revision, notes)

    def _table(self, rows: ColumnRows, name: str) -> tuple[TaggedTable, tuple[str, ...] | None]:
        wanted = {"tokens_column": self.tokens_column, "tag_column": self.tag_column}
        check_columns(rows, wanted | ({"intent_column": self.intent_column} if self.intent_column else {}), name)
        names = _names(rows.features[self.tag_column])
        intent_names = _names(rows.features[self.intent_column]) if self.intent_column else None
        intents = list(rows[self.intent_column]) if self.intent_column else None
        table = TaggedTable([], [], [], [] if intents is not None else None)
        for row, (words, tags) in enumerate(zip(rows[self.tokens_column], rows[self.tag_column], strict=True)):
            words, tags = (_listed(cell, f"{name}, row {row}") for cell in (words, tags))
            if len(words) != len(tags):
                raise UserError(
                    f"{name}, row {row}: {len(words)} tokens and {len(tags)} tags: expected a tag for every token; "
                    f"check data.tokens_column={self.tokens_column} and data.tag_column={self.tag_column}"
                )
            if not words:
                continue
            table.tokens.append([_token(word, name, row) for word in words])
            table.tags.append([_named(tag, names, "tag", name, row) for tag in tags])
            table.ids.append(row)
            if intents is not None and table.intents is not None:
                table.intents.append(_named(intents[row], intent_names, "intent", name, row))
        keys, groups = names_of(rows, self, name, table.ids)
        return replace(table, keys=keys, groups=groups), names


def _names(feature: object) -> tuple[str, ...] | None:
    """The names of the classes of a column, or of the lists in it."""
    names = getattr(getattr(feature, "feature", feature), "names", None)
    return tuple(names) if names else None


def _listed(value: object, place: str) -> Sequence[object]:
    if isinstance(value, str):
        return fields(value)
    if isinstance(value, list):
        return value
    raise UserError(
        f"{place}: {type(value).__name__} where a list was expected, or a string with spaces between the tokens; "
        "check data.tokens_column and data.tag_column"
    )


def _token(word: object, name: str, row: int) -> str:
    if isinstance(word, str) and word.strip():
        return word
    raise UserError(f"{name}, row {row}: a token is {word!r}, expected text; check data.tokens_column")


def _named(value: object, names: Sequence[str] | None, kind: str, name: str, row: int) -> str:
    if names:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
            return names[value]
    elif isinstance(value, str | int) and str(value).strip():
        return str(value)
    expected = f"0 to {len(names) - 1} ({', '.join(names[:12])})" if names else "a word or a number"
    raise UserError(
        f"{name}, row {row}: {kind} missing or out of range, it is {value!r} and should be {expected}: "
        f"choose another split with data.splits, or another column with data.{kind}_column"
    )
