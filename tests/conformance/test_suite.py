"""Every cell through the suite; and the suite against broken cells."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext

import pytest

from lightning_seq.conformance import suite
from lightning_seq.conformance.suite import CHECKS, SLOW, Subject, engines_of
from tests.shapes import unchecked

from .cells import CELLS, WITHOUT_ORACLE
from .mutants import MUTANTS, caught_by

EVERY = [
    pytest.param(name, engine, reverse, id=f"{name}-{engine}-{'reverse' if reverse else 'forward'}")
    for name, make in CELLS.items()
    for engine in engines_of(make)
    for reverse in (False, True)
]

REFUSALS = "refuses what does not fit"
"""This check is of the package's own refusals: jaxtyping, which refuses first under test, is off."""


@pytest.mark.parametrize(("name", "engine", "reverse"), EVERY)
def test_every_cell_conforms(name: str, engine: str, reverse: bool) -> None:
    subject = Subject(CELLS[name], engine, reverse)
    ran = [check for check in CHECKS if check.applies(subject)]
    assert len(ran) >= 13
    for check in ran:
        try:
            with unchecked() if check.name == REFUSALS else nullcontext():
                check.run(subject)
        except AssertionError as error:
            raise AssertionError(f"{check.name}: {error}") from error


@pytest.mark.parametrize("name", [name for name in CELLS if name not in WITHOUT_ORACLE])
def test_every_cell_of_ours_has_an_oracle(name: str) -> None:
    assert CHECKS[0].name == "oracle"
    assert CHECKS[0].applies(Subject(CELLS[name]))


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_is_caught(name: str) -> None:
    subject, expected = MUTANTS[name]
    assert caught_by(subject, expected) == [expected]


def test_wrong_cells_and_scorers_fail_without_assert_statements() -> None:
    """`python -O` strips those of the whole package."""
    code = """if True:
        from tests.conformance import mutants, scorer_mutants

        caught = [
            mutants.caught_by(*mutants.MUTANTS[name])
            for name in ("LSTM: c is not carried", "readout: the output is wider than it says")
        ]
        subject, check = scorer_mutants.MUTANTS["coverage: ignored"]
        print(*caught, scorer_mutants.caught_by(subject, check))
    """
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "['everything counts'] ['shapes'] ['coverage']"


@pytest.mark.parametrize("steps", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "engine"), [("elman", "loop"), ("lstm", "native"), ("gru", "native")])
def test_long_sequences_need_no_recursion(name: str, engine: str, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python refuses a recursion of a thousand calls; torch's own ends the process at some more."""
    monkeypatch.setattr(suite, "LONG", steps)
    for check in SLOW:
        check.run(Subject(CELLS[name], engine))


def test_every_check_applies_to_something_and_says_what_it_proves() -> None:
    subjects = [Subject(make, engine) for make in CELLS.values() for engine in engines_of(make)]
    for check in CHECKS:
        assert check.says.endswith("."), check.name
        assert sum(check.applies(subject) for subject in subjects) > 10, check.name
