"""The list of mutants: a text is once in the package, a test is there. `python -m torture.mutants` runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from torture.mutants import Mutant, main, place_of, problems_of, read_mutants

ROOT = Path(__file__).parents[1]


def test_every_mutant_has_its_text_and_its_tests() -> None:
    mutants = read_mutants()
    assert problems_of(mutants, ROOT) == []
    assert len(mutants) >= 100
    assert len({mutant.name for mutant in mutants}) == len(mutants)
    assert all(mutant.text != mutant.replacement for mutant in mutants)


def test_a_text_that_is_not_there_once_and_a_test_that_is_missing_are_told() -> None:
    twice = {Path("a.py"): "x = 1\nx = 1\n"}
    mutant = Mutant("room", "fault", "x = 1", "x = 2", ("test_nothing.py", "test_mutants.py::test_none"))
    assert place_of(mutant, {Path("a.py"): "x = 1\n"}) == Path("a.py")
    assert place_of(mutant, twice) == "room fault: 'x = 1' is 2 times in the package, expected once"
    assert problems_of([mutant], ROOT)[1] == "room fault: there is no test test_nothing.py below tests/"


def test_an_unknown_mutant_is_refused() -> None:
    with pytest.raises(SystemExit, match="there is no mutant or room nowhere"):
        main(["--room", "nowhere"])
