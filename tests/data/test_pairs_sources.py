from __future__ import annotations

import datetime
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.data.sources import embedded, verses_modernise
from lightning_seq.data.sources.choose_pairs import choose_pairs
from lightning_seq.data.sources.dates import LANGUAGES, Dates
from lightning_seq.data.sources.hub_stream import HubStream
from lightning_seq.data.sources.pairs import PairColumns, PairTable
from lightning_seq.data.sources.parallel_files import ParallelFiles
from lightning_seq.data.sources.reordering import PARTICLES, Reordering
from lightning_seq.data.sources.symbol_pairs import SymbolPairs
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.verses_modernise import VersesModernise
from lightning_seq.data.sources.word_order import VERBS
from lightning_seq.data.verses import verses
from lightning_seq.errors import UserError


def texts(loaded: Loaded[PairTable]) -> list[str]:
    return [text for table in loaded.tables.values() for text in table.sources]


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["copy", "reverse"]), st.integers(3, 6), st.integers(0, 9), st.integers(6, 26), st.integers(0, 3)
)
def test_symbols_are_copied_or_told_backwards(order: str, shortest: int, more: int, symbols: int, seed: int) -> None:
    loaded = SymbolPairs(order, shortest, shortest + more, symbols, 50, seed).load()
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
        ({"symbols": 2, "longest": 6, "examples": 100}, r"there are 96 such sequences, expected at least 240 for 120"),
    ],
)
def test_symbols_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        SymbolPairs(**options)


def test_a_made_up_language_has_the_order_and_the_links_it_says() -> None:
    loaded = Reordering(400).load()
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
    assert Reordering(40).load() == Reordering(40).load()
    assert Reordering(40).load() != Reordering(40, 2).load()


MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip


def test_english_dates_say_what_their_digits_say() -> None:
    """Read again by hand: the only number of four digits is the year, of fewer the day."""
    loaded = Dates(("en",), 1990, 2029, 300).load()
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
    loaded = Dates(LANGUAGES, 1900, 2099, 1500).load()
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


def write(path: Path, *lines: str) -> str:
    path.write_bytes(("\n".join(lines) + "\n").encode())
    return str(path)


def test_two_files_line_by_line(tmp_path: Path) -> None:
    first = write(tmp_path / "a.en", *(f"one {row}" for row in range(20)), "", "last\r")
    second = write(tmp_path / "a.de", *(f"eins {row}" for row in range(20)), " ", "letzte")
    loaded = ParallelFiles(first, train_target=second, test=first, test_target=second).load()
    table = loaded.tables["test"]
    assert (table.sources[3], table.targets[3], table.ids[3]) == ("one 3", "eins 3", 4)
    assert (table.sources[-1], table.targets[-1], table.ids[-1]) == ("last", "letzte", 22)
    assert [len(table) for table in loaded.tables.values()] == [19, 2, 21]
    assert loaded.notes[0] == "train: 1 line blank on both sides left out"
    assert "validation: 10% of train" in loaded.notes[2]
    assert ParallelFiles(first, train_target=second).identity() != ParallelFiles(second, train_target=first).identity()


def test_files_of_pairs_are_read_by_the_rule_for_lines_and_in_their_encoding(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes("ça\rva\r\nété\r\n".encode("utf-16"))
    (tmp_path / "target").write_bytes("how is it\nsummer".encode("utf-16"))
    paths = [str(tmp_path / name) for name in ("source", "target")]
    files = ParallelFiles(*[paths[0]] * 3, *[paths[1]] * 3, encoding="utf-16")
    assert files.load().tables["train"].sources == ["ça\rva", "été"]
    assert files.load().tables["train"].targets == ["how is it", "summer"]
    with pytest.raises(UserError, match=r"utf-16 by its byte order mark, expected utf-8.*give data.encoding=utf-16$"):
        ParallelFiles(*[paths[0]] * 3, *[paths[1]] * 3).load()


def test_one_file_with_tabs(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.tsv", *(f"Go {row}.\tVa {row} !\tCC-BY" for row in range(20)))
    table = ParallelFiles(plain, test=plain).load().tables["test"]
    assert (table.sources[1], table.targets[1], table.ids[1]) == ("Go 1.", "Va 1 !", 2)
    named = write(tmp_path / "b.tsv", "id\tfr\ten", *(f"{row}\tva {row}\tgo {row}" for row in range(20)))
    table = ParallelFiles(named, test=named, source_column="en", target_column="fr").load().tables["test"]
    assert (table.sources[1], table.targets[1], table.ids[1]) == ("go 1", "va 1", 3)


def test_what_is_wrong_in_files_is_named(tmp_path: Path) -> None:
    five = write(tmp_path / "five.en", "a", "b", "c", "d", "e")
    three = write(tmp_path / "three.de", "a", "b", "c")
    gap = write(tmp_path / "gap.en", "a", " ", "c")
    tabs = write(tmp_path / "x.tsv", "a\tb", "c")
    named = write(tmp_path / "y.tsv", "en\tfr", "a\tb")
    for options, said in (
        ({"train": None}, r"data\.train=FILE and data\.train_target=FILE"),
        (
            {"train": five, "train_target": three},
            r"five\.en has 5 lines and .*three\.de has 3.*line 4 of .*five\.en \('d'",
        ),
        ({"train": three, "train_target": five}, r"three\.de has 3 lines and .*five\.en has 5.*line 4 of .*five\.en"),
        ({"train": gap, "train_target": three}, r"gap\.en, line 2: the source is empty"),
        ({"train": three, "train_target": gap}, r"gap\.en, line 2: the target is empty"),
        ({"train": five, "train_target": str(tmp_path / "no")}, r"data\.train_target=.* is not there"),
        ({"train": str(tmp_path / "fivee.en")}, r"data\.train=.* is not there; did you mean five\.en"),
        ({"train": five, "test_target": three}, r"data\.test_target=.* has no sources: give data\.test=FILE"),
        ({"train": tabs}, r"x\.tsv, line 2: 0 tabs, expected a source, a tab and its target"),
        ({"train": named, "source_column": "en"}, r"expected both, or neither"),
        ({"train": named, "source_column": "en", "target_column": "de"}, r"no column 'de' .*its columns are en, fr"),
    ):
        with pytest.raises(UserError, match=said):
            ParallelFiles(**options).load()  # type: ignore[arg-type]


ONE = {"train": "train", "validation": None, "test": None}


def sets(rows: dict[str, Any]) -> Any:
    import datasets

    return {"train": datasets.Dataset.from_dict(rows)}


def every(loaded: Loaded[PairTable]) -> list[tuple[int, str, str]]:
    return sorted(
        row for table in loaded.tables.values() for row in zip(table.ids, table.sources, table.targets, strict=True)
    )


def test_columns_of_public_sets() -> None:
    inside = sets({"id": ["x"] * 20, "translation": [{"en": f"e{row}", "fr": f"f{row}"} for row in range(20)]})
    plain = sets({"en": [f"e{row}" for row in range(20)], "fr": [f"f{row}" for row in range(20)]})
    expected = [(row, f"e{row}", f"f{row}") for row in range(20)]
    for given_sets in (inside, plain):
        loaded = PairColumns("en", "fr", splits=ONE).read(given_sets, "set", "abc")
        assert every(loaded) == expected
        assert loaded.revision == "abc"
        assert [len(table) for table in loaded.tables.values()] == [16, 2, 2]
    assert every(PairColumns("fr", "en", splits=ONE).read(inside, "set", None))[3] == (3, "f3", "e3")
    named = sets({"english": ["a"] * 20, "other": ["b"] * 20})
    assert every(PairColumns("en", "fr", "english", "other", splits=ONE).read(named, "set", None))[0] == (0, "a", "b")


def test_rows_without_a_text_are_left_out_and_rows_not_asked_for() -> None:
    rows = sets({"en": ["a", "", None, "d"] * 10, "fr": ["b", "c", "d", " "] * 10})
    loaded = PairColumns("en", "fr", rows=20, splits=ONE).read(rows, "set", None)
    assert [number for number, _, _ in every(loaded)] == [0, 4, 8, 12, 16]
    assert loaded.notes[:2] == [
        "train: the first 20 rows of 40 (data.rows)",
        "train: 15 rows without a text on one side left out",
    ]


def test_rows_are_of_the_train_split_alone() -> None:
    import datasets

    def of(prefix: str) -> Any:
        texts = {"en": [f"{prefix}{row}" for row in range(6)], "fr": [f"{prefix.upper()}{row}" for row in range(6)]}
        return datasets.Dataset.from_dict(texts)

    loaded = PairColumns("en", "fr", rows=2).read({"train": of("a"), "validation": of("b"), "test": of("c")}, "set", "")
    assert {split: table.sources for split, table in loaded.tables.items()} == {
        "train": ["a0", "a1"],
        "validation": [f"b{row}" for row in range(6)],
        "test": [f"c{row}" for row in range(6)],
    }
    assert loaded.notes == ["train: the first 2 rows of 6 (data.rows)"]


def test_what_a_public_set_does_not_have_is_named() -> None:
    inside = sets({"translation": [{"en": "a", "fr": "b"}] * 9})
    for columns, rows, said in (
        (PairColumns("en", "fra", splits=ONE), inside, r"set, split train has no language 'fra' .*did you mean fr\?"),
        (
            PairColumns("de", "fr", splits=ONE),
            inside,
            r"no language 'de' \(data\.source_language\); choose from: en, fr",
        ),
        (PairColumns("en", "fr", "e", splits=ONE), inside, r"no column 'e' \(data\.source_column\): its columns are"),
        (PairColumns("en", "n", splits=ONE), sets({"en": ["a"], "n": [1]}), r"row 0: 'n' is int, expected text"),
    ):
        with pytest.raises(UserError, match=said):
            columns.read(rows, "set", None)
    with pytest.raises(UserError, match=r"data\.target_language is not given"):
        PairColumns("en")
    with pytest.raises(UserError, match=r"data\.rows is 0"):
        PairColumns("en", "fr", rows=0)
    with pytest.raises(UserError, match=r"data\.splits has 'tests'"):
        PairColumns("en", "fr", splits={"train": "train", "tests": "x"})


def test_a_stream_needs_a_number_of_rows_and_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"without data\.rows"):
        HubStream("a/b", None, None, PairColumns("en", "fr"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    source = HubStream("a/b", None, None, PairColumns("en", "fr", rows=5))
    with pytest.raises(UserError, match=r"no network to stream the Hub set a/b \(HF_HUB_OFFLINE is set\)"):
        source.load()


def test_a_stream_is_read_no_further_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a builder of our own: rows that come one by one, more of them than anybody could read."""
    import datasets

    from lightning_seq.data.sources import hub_stream

    read = {"train": 0, "test": 0}

    def rows(split: str, size: int) -> Any:
        for row in range(size):
            read[split] += 1
            yield {"translation": {"en": f"e{row}", "fr": f"f{row}"}}

    class Builder:
        hash = "abc"

        class config:  # noqa: N801
            data_files = None

        def as_streaming_dataset(self) -> Any:
            features = datasets.Features({"translation": datasets.Translation(["en", "fr"])})
            sizes = {"train": 10**9, "test": 4}
            return {
                split: datasets.IterableDataset.from_generator(
                    rows, features=features, gen_kwargs={"split": split, "size": size}
                )
                for split, size in sizes.items()
            }

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(hub_stream, "reachable", lambda address: True)
    monkeypatch.setattr(hub_stream, "offline_by_choice", lambda: False)
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: Builder())
    splits = {"train": "train", "validation": None, "test": "test"}
    loaded = HubStream("a/b", None, None, PairColumns("en", "fr", rows=20, splits=splits)).load()
    assert [len(table) for table in loaded.tables.values()] == [18, 2, 4]
    assert read["train"] <= 21
    assert loaded.revision == "abc"
    assert any("the first 20 rows of the stream" in note for note in loaded.notes)


def test_sources_and_keys_that_there_are_not() -> None:
    for options, said in (
        ({"source": "verses_modernize"}, r"data\.source is 'verses_modernize'; did you mean verses_modernise"),
        ({"source": "hub"}, r"data\.hub\.id is not given"),
        ({"source": "hub", "hub": {"id": "a/b", "split": {}}}, r"data\.hub has no key 'split'; did you mean splits"),
        ({"source": "hub", "hub": {"id": "a/b"}}, r"data\.source_language is not given"),
    ):
        with pytest.raises(UserError, match=said):
            choose_pairs(**options)  # type: ignore[arg-type]
