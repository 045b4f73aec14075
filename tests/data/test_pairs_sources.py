"""Pairs that are made by a rule or come with the package: symbols, a made-up language, dates, verses."""

from __future__ import annotations

import datetime
import re
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.data.sources import embedded, verses_modernise
from lightning_seq.data.sources.dates import LANGUAGES, Dates
from lightning_seq.data.sources.pairs import PairTable
from lightning_seq.data.sources.public import ParallelTexts
from lightning_seq.data.sources.reordering import PARTICLES, Reordering
from lightning_seq.data.sources.symbol_pairs import SymbolPairs
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.verses import verses
from lightning_seq.data.sources.verses_modernise import VersesModernise
from lightning_seq.data.sources.word_order import VERBS
from lightning_seq.errors import UserError


def texts(loaded: Loaded[PairTable]) -> list[str]:
    return [text for table in loaded.tables.values() for text in table.sources]


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["copy", "reverse"]), st.integers(3, 6), st.integers(0, 9), st.integers(6, 26), st.integers(0, 3)
)
def test_symbols_are_copied_or_told_backwards(order: str, shortest: int, more: int, symbols: int, seed: int) -> None:
    loaded = SymbolPairs(order, shortest, shortest + more, symbols, examples=50, split_seed=seed).load()
    assert [len(table) for table in loaded.tables.values()] == [50, 5, 5]
    assert len(set(texts(loaded))) == 60
    for table in loaded.tables.values():
        assert table.links is not None
        for source, target, links in zip(table.sources, table.targets, table.links, strict=True):
            letters = source.split(" ")
            assert shortest <= len(letters) <= shortest + more
            assert set(letters) <= set("abcdefghijklmnopqrstuvwxyz"[:symbols])
            assert target.split(" ") == (letters if order == "copy" else letters[::-1])
            where = {to // 2: begin // 2 for to, _, begin, _ in links}
            steps = list(range(len(letters)))
            assert [where[step] for step in steps] == (steps if order == "copy" else steps[::-1])
            assert all(target[to:till] == source[begin:end] for to, till, begin, end in links)


def test_symbols_are_drawn_from_their_seed() -> None:
    assert SymbolPairs(examples=90).load() == SymbolPairs(examples=90).load()
    assert SymbolPairs(examples=90).load() != SymbolPairs(examples=90, split_seed=2).load()
    assert SymbolPairs().identity() != SymbolPairs("copy").identity()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"order": "revers"}, r"data\.order is 'revers'; did you mean reverse"),
        ({"shortest": 0}, r"data\.shortest is 0, expected a whole number of at least 1"),
        ({"shortest": 9, "longest": 8}, r"data\.longest is 8, expected a whole number of at least 9"),
        ({"symbols": 27}, r"data\.symbols is 27, expected a whole number from 2 to 26"),
        (
            {"symbols": 2, "longest": 6, "examples": 100},
            r"examples is 100, 120 in all .* are 96 different seq",
        ),
    ],
)
def test_symbols_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        SymbolPairs(**options)


def test_a_made_up_language_has_the_order_and_the_links_it_says() -> None:
    loaded = Reordering(examples=400).load()
    assert [len(table) for table in loaded.tables.values()] == [400, 40, 40]
    assert len(set(texts(loaded))) == 480
    known: dict[tuple[str, ...], set[str]] = {}
    for table in loaded.tables.values():
        assert table.links is not None
        for source, target, links in zip(table.sources, table.targets, table.links, strict=True):
            words, found = source.split(), target.split()
            starts = {0, *(place.end() for place in re.finditer(" ", source))}
            begins = {0, *(place.end() for place in re.finditer(" ", target))}
            of: dict[str, list[str]] = {}
            for to, till, begin, end in links:
                assert to in begins
                assert begin in starts
                assert (target + " ")[till] == (source + " ")[end] == " "
                of.setdefault(target[to:till], []).append(source[begin:end])
            assert set(of) == set(found)
            verb = next(word for word in words if word in VERBS)
            assert [verb in of[found[-1]], next(of[word] for word in found if word in PARTICLES)] == [True, [verb]]
            assert sorted({word for origin in of.values() for word in origin} | {"the"}) == sorted(set(words))
            assert sum("the" in origin for origin in of.values()) == 1
            for word, origin in of.items():
                if word not in PARTICLES:
                    known.setdefault(tuple(sorted(origin)), set()).add(word)
    # one word for each, but for verbs' particles
    assert all(len(made) == 1 for made in known.values())
    crossing = [
        (one, two)
        for links in loaded.tables["train"].links or []
        for one, two in pairwise(links)
        if one[0] < two[0] and one[2] > two[2]
    ]
    assert len(crossing) > 400
    assert Reordering(examples=40).load() == Reordering(examples=40).load()
    assert Reordering(examples=40).load() != Reordering(examples=40, split_seed=2).load()


MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip


def test_english_dates_say_what_their_digits_say() -> None:
    """Read again by hand: the only number of four digits is the year, of fewer the day."""
    loaded = Dates(("en",), 1990, 2029, examples=300).load()
    weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    for table in loaded.tables.values():
        for text, iso in zip(table.sources, table.targets, strict=True):
            day = datetime.date.fromisoformat(iso)
            (year,), (number,) = re.findall(r"\b\d{4}\b", text), re.findall(r"\b\d{1,2}\b", text)
            (month,) = (place for place, name in enumerate(MONTHS, 1) if re.search(rf"\b({name}|{name[:3]})\b", text))
            assert (int(year), month, int(number)) == (day.year, day.month, day.day)
            for name in re.findall(r"\b(mon|tue|wed|thu|fri|sat|sun)", text):
                assert weekdays.index(name) == day.weekday()


def test_dates_of_all_languages_and_their_links() -> None:
    loaded = Dates(LANGUAGES, 1900, 2099, examples=1500).load()
    assert [len(table) for table in loaded.tables.values()] == [1500, 150, 150]
    assert len(set(texts(loaded))) == 1800
    days = [set(table.targets) for table in loaded.tables.values()]
    assert not days[0] & days[1] | days[0] & days[2] | days[1] & days[2]
    months: dict[str, set[str]] = {}
    for table in loaded.tables.values():
        assert table.links is not None
        for text, iso, links in zip(table.sources, table.targets, table.links, strict=True):
            assert text == text.lower() == " ".join(text.split())
            assert re.fullmatch(r"\d{4}-\d\d-\d\d", iso)
            spans = {iso[to:till]: text[begin:end] for to, till, begin, end in sorted(links)}
            assert len(links) == 3
            by_place = {to: (iso[to:till], text[begin:end]) for to, till, begin, end in links}
            assert by_place[0][0] == by_place[0][1]
            assert int(by_place[8][0]) == int(by_place[8][1])
            assert by_place[5][1][0].isalpha()
            months.setdefault(by_place[5][1], set()).add(by_place[5][0])
            assert spans
    assert {"märz", "mars", "marzo", "march"} <= set(months)
    assert all(len(numbers) == 1 for numbers in months.values())
    assert len(months) > 60


def test_dates_are_drawn_from_their_seed() -> None:
    assert Dates(examples=50).load() == Dates(examples=50).load()
    assert Dates(examples=50).load() != Dates(examples=50, split_seed=2).load()
    assert Dates(examples=50).identity() != Dates(("en",), examples=50).identity()
    assert "babel" in Dates().identity()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"languages": ("en", "dee")}, r"data\.languages has 'dee'; did you mean"),
        ({"languages": ()}, r"data\.languages is empty"),
        ({"languages": ("zh",)}, r"data\.languages has 'zh', which writes no date with the month in letters"),
        ({"first_year": 999}, r"data\.first_year is 999, expected a whole number from 1000 to 9999"),
        ({"first_year": 2000, "last_year": 1999}, r"data\.last_year is 1999"),
        ({"first_year": 2000, "last_year": 2000, "languages": ("en",)}, r"data\.examples is 10,000, and the train"),
    ],
)
def test_dates_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Dates(**options)


def test_a_verse_is_paired_with_itself_and_no_chapter_is_in_two_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    once = cache(verses)
    monkeypatch.setattr(embedded, "verses", once)
    monkeypatch.setattr(verses_modernise, "verses", once)
    loaded = VersesModernise().load()
    old, new = ({verse.id: verse.text for verse in once(version)} for version in ("kjv", "web"))
    chapters = []
    for table in loaded.tables.values():
        assert table.sources == [old[number] for number in table.ids]
        assert table.targets == [new[number] for number in table.ids]
        assert all(table.sources)
        assert all(table.targets)
        chapters.append({number // 1000 for number in table.ids})
    assert not chapters[0] & chapters[1] | chapters[0] & chapters[2] | chapters[1] & chapters[2]
    total = sum(map(len, loaded.tables.values()))
    left_out = len(old) - total
    assert total > 31000
    assert loaded.notes == ([f"{left_out:,} verses of kjv without one in web left out"] if left_out else [])
    other = VersesModernise("web", "kjv").load().tables["test"]
    assert set(other.ids) == set(loaded.tables["test"].ids)
    assert other.sources[0] == new[other.ids[0]]


def test_versions_that_there_are_not() -> None:
    with pytest.raises(UserError, match=r"data\.source_language is 'kjw'; did you mean kjv"):
        VersesModernise("kjw")
    with pytest.raises(UserError, match="are both web"):
        VersesModernise("web")


def test_sources_and_keys_that_there_are_not() -> None:
    for options, said in (
        ({}, r"data\.hub\.id is not given"),
        ({"hub": {"id": "a/b", "split": {}}}, r"data\.hub has no key 'split'; did you mean splits"),
        ({"hub": {"id": "a/b"}}, r"data\.source_language is not given"),
    ):
        with pytest.raises(UserError, match=said):
            ParallelTexts(**options)  # type: ignore[arg-type]
