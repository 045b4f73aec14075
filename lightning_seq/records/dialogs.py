"""test_dialogs.json: dialogs about test pictures, with the answers of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Self

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord, Key
from lightning_seq.records.pictures import LONGEST_TEXT, checked_png

MOST_DIALOGS, MOST_TURNS = 8, 20


@dataclass(frozen=True)
class AnsweredTurn(JsonRecord):
    """A question after the turns before it with their true answers.

    kind:   empty where it is unknown.
    target: the true answer; answer: that of the model.
    rank:   of the true answer among the candidates; None without candidates.
    """

    question: str
    kind: str
    target: str
    answer: str
    rank: int | None = None

    @property
    def is_right(self) -> bool:
        return self.answer == self.target

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Raises one of `files.DAMAGE` for another form."""
        read = super().from_plain(plain)
        texts = {name: getattr(read, name)[:LONGEST_TEXT] for name in ("question", "kind", "target", "answer")}
        return replace(read, **texts)


@dataclass(frozen=True)
class AnsweredDialog(JsonRecord):
    """number: of the dialog in the split; png: the picture as PNG in base64; caption: empty without one."""

    number: Annotated[int, Key("id")]
    png: str
    caption: str
    turns: tuple[AnsweredTurn, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Raises one of `files.DAMAGE` for another form."""
        read = super().from_plain(plain)
        caption, turns = read.caption[:LONGEST_TEXT], read.turns[:MOST_TURNS]
        return replace(read, png=checked_png(read.png), caption=caption, turns=turns)


@dataclass(frozen=True)
class AnsweredDialogs(JsonRecord):
    """A `test_dialogs.json`. n: dialogs of the test split; candidates: the most of a turn, 0 without.

    The data alone choose the dialogs, so all runs on a data set have the same.
    """

    n: int
    candidates: int
    dialogs: tuple[AnsweredDialog, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Of many dialogs the first `MOST_DIALOGS` are kept. Raises one of `files.DAMAGE` for another form."""
        return super().from_plain({**plain, "dialogs": plain["dialogs"][:MOST_DIALOGS]})
