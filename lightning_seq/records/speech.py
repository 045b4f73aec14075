"""speech.json: test utterances with a recogniser's transcripts, and its errors by speaker and by unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Self

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord, Key
from lightning_seq.records.pictures import LONGEST_TEXT, checked_png

MOST_UTTERANCES, MOST_UNITS, MOST_CONFUSIONS, MOST_SPEAKERS = 6, 120, 200, 100
WIDEST, HIGHEST = 480, 96
"""Pixels of a picture of an utterance, and of its attention."""


@dataclass(frozen=True)
class Utterance(JsonRecord):
    """A test utterance. number: its row in the split.

    png:        its features over time as PNG in base64, low frequencies below.
    spans:      of each unit of the reference: the unit, the second it begins and the second it ends; empty where they
                are unknown.
    spikes:     of CTC: the units on the transcript's likeliest path, each with its second.
    units:      of the transcript. attention: a picture with a row for each of them, or None.
    """

    number: Annotated[int, Key("id")]
    png: str
    seconds: float
    reference: str
    transcript: str
    spans: tuple[tuple[str, float, float], ...] = ()
    spikes: tuple[tuple[str, float], ...] = ()
    units: tuple[str, ...] = ()
    attention: str | None = None

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Long texts and lists are cut. Raises one of `files.DAMAGE` for another form."""
        found = super().from_plain(plain)
        if found.seconds <= 0:
            raise ValueError(f"expected an utterance of some seconds, {found.seconds} came")
        attention = found.attention
        return replace(
            found,
            png=checked_png(found.png, (WIDEST, HIGHEST)),
            attention=None if attention is None else checked_png(attention, (WIDEST, HIGHEST)),
            reference=found.reference[:LONGEST_TEXT],
            transcript=found.transcript[:LONGEST_TEXT],
            spans=found.spans[:MOST_UNITS],
            spikes=found.spikes[:MOST_UNITS],
            units=found.units[:HIGHEST],
        )


@dataclass(frozen=True)
class Speech(JsonRecord):
    """A `speech.json`.

    utterances: that the data alone choose.
    confusions: a unit of the references, the unit that was written instead, and how often; an empty text is nothing.
    speakers:   name, errors and words of the references.
    """

    utterances: tuple[Utterance, ...]
    confusions: tuple[tuple[str, str, int], ...] = ()
    speakers: tuple[tuple[str, int, int], ...] = ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Long lists are cut. Raises one of `files.DAMAGE` for another form."""
        found = super().from_plain({**plain, "utterances": plain["utterances"][:MOST_UTTERANCES]})
        return replace(found, confusions=found.confusions[:MOST_CONFUSIONS], speakers=found.speakers[:MOST_SPEAKERS])
