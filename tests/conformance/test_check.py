"""What a check found, as it is told."""

from __future__ import annotations

from lightning_seq.conformance.check import Check, failure


def even(number: int) -> None:
    """It divides by two,
    whatever it is."""
    if number < 0:
        raise RuntimeError("no\nroom")
    assert number % 2 == 0, f"{number}\nis odd"


def mute(number: int) -> None:
    raise AssertionError


def test_a_check_says_what_it_proves() -> None:
    assert Check("even", even).says == "It divides by two, whatever it is."
    assert Check("even", even).applies(7)


def test_what_it_found_is_told_in_one_line() -> None:
    assert failure(Check("even", even), 2) is None
    assert failure(Check("even", even), 3).startswith("3 is odd")  # type: ignore[union-attr]
    assert failure(Check("even", even), -1) == "RuntimeError: no room"
    assert failure(Check("mute", mute), 1) == "not so"
