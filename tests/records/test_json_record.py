"""Dataclasses are written and read by their annotations; a value of another form is damage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from lightning_seq.files import DAMAGE
from lightning_seq.records.json_record import JsonRecord, Key, checker


@dataclass(frozen=True)
class Inner(JsonRecord):
    number: Annotated[int, Key("id")]
    share: float | None = None


@dataclass(frozen=True)
class Outer(JsonRecord):
    words: tuple[str, ...]
    pair: tuple[float, int]
    parts: dict[str, tuple[Inner, ...]]
    score: float
    first: Inner | None = None


PLAIN: dict[str, Any] = {
    "words": ["a", "b"], "pair": [0.5, 3], "parts": {"x": [{"id": 1, "share": 0.25}]}, "score": 2.0,
    "first": {"id": 7, "share": None},
}  # fmt: skip


def test_keys_are_written_in_the_order_of_the_fields_and_read_back() -> None:
    record = Outer(("a", "b"), (0.5, 3), {"x": (Inner(1, 0.25),)}, 2.0, Inner(7))
    assert record.to_plain() == PLAIN
    assert list(record.to_plain()) == list(PLAIN)
    assert Outer.from_plain(PLAIN) == record


def test_absent_keys_have_the_default_of_their_field() -> None:
    assert Outer.from_plain({key: value for key, value in PLAIN.items() if key != "first"}).first is None
    assert Inner.from_plain({"id": "3", "share": "no number", "other": 1}) == Inner(3, None)


@pytest.mark.parametrize(
    "changes", [{"score": None}, {"score": "1"}, {"pair": [1.0]}, {"parts": []}, {"words": 3}, {"first": {"share": 1}}]
)
def test_a_value_of_another_form_is_damage(changes: dict[str, Any]) -> None:
    with pytest.raises(DAMAGE):
        Outer.from_plain(PLAIN | changes)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (int, [0, -3], [1.5, True, "1", None]),
        (float, [1, 0.5], [False, "1", None]),
        (str | None, ["", None], [1]),
        (dict[str, list[float | None]], [{}, {"a": [1, None]}], [[], {"a": [True]}, {"a": None}]),
    ],
)
def test_values_are_checked_by_their_annotation(kind: object, right: list[object], wrong: list[object]) -> None:
    assert all(map(checker(kind), right))
    assert not any(map(checker(kind), wrong))
