"""Every scorer through its suite; and the suite against broken scorers."""

from __future__ import annotations

import pytest

from lightning_seq.conformance.scorers import CHECKS

from .scorer_mutants import MUTANTS, caught_by
from .scorers import AROUND, SCORERS

EVERY = {**SCORERS, **AROUND}


@pytest.mark.parametrize("name", EVERY)
def test_every_scorer_conforms(name: str) -> None:
    ran = [check for check in CHECKS if check.applies(EVERY[name])]
    assert len(ran) >= 13
    assert ran[0].name == "oracle"
    for check in ran:
        try:
            check.run(EVERY[name])
        except AssertionError as error:
            raise AssertionError(f"{check.name}: {error}") from error


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_is_caught(name: str) -> None:
    subject, expected = MUTANTS[name]
    assert caught_by(subject, expected) == [expected]


def test_every_check_applies_to_something_and_says_what_it_proves() -> None:
    for check in CHECKS:
        assert check.says.endswith("."), check.name
        assert sum(check.applies(subject) for subject in EVERY.values()) > 8, check.name
