"""`lightning-seq check`: the conformance suite over a cell, or over all cells of a package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from lightning_seq.conformance.suite import CHECKS, SLOW, Result, engines_of, examine
from lightning_seq.errors import UserError
from lightning_seq.experiment.cells import MakeCell, find

KEYS = {"input_size": 3, "hidden_size": 4}


@dataclass(frozen=True)
class Examined:
    """A cell's results, or why it cannot be examined at all."""

    name: str
    results: list[Result]
    refused: str | None = None

    @property
    def failures(self) -> list[Result]:
        return [result for result in self.results if result.error is not None]

    @property
    def passed(self) -> bool:
        return self.refused is None and not self.failures


def check(words: Sequence[str], console: Console) -> bool:
    """Examine what is named, print what was found; return whether all of it conforms.

    Raises UserError for an unknown cell or key.
    """
    names = [word for word in words if "=" not in word]
    if len(names) != 1:
        raise UserError(
            f"check takes one cell, {' '.join(names) or 'nothing'} came: lightning-seq check lstm, or my_package.MyCell"
        )
    slow, sizes = _options([word for word in words if "=" in word])
    found = find(names[0])
    examined = []
    for name, make in found.items():
        result = _examine(name, make, sizes, slow)
        examined.append(result)
        if len(found) > 1:
            console.print(_line(result), markup=False, highlight=False, soft_wrap=True)
    if len(found) == 1:
        _table(examined[0], console)
    else:
        good = sum(result.passed for result in examined)
        console.print(f"{good} of {len(examined)} cells conform", highlight=False)
    return all(result.passed for result in examined)


def _options(words: Sequence[str]) -> tuple[bool, tuple[int, int]]:
    given = dict(word.split("=", 1) for word in words)
    slow = given.pop("slow", "false")
    for key, value in given.items():
        if key not in KEYS:
            raise UserError(f"{key}={value}: there is no key {key!r} for check; expected slow, {', '.join(KEYS)}")
        if not value.isdigit() or int(value) < 1:
            raise UserError(f"{key}={value}: expected a whole number of at least 1")
    if slow not in ("true", "false"):
        raise UserError(f"slow={slow}: expected true or false")
    sizes = {**KEYS, **{key: int(value) for key, value in given.items()}}
    return slow == "true", (sizes["input_size"], sizes["hidden_size"])


def _examine(name: str, make: MakeCell, sizes: tuple[int, int], slow: bool) -> Examined:
    """Some cells want inputs as wide as their state: where the sizes asked for are refused, those are tried too."""
    refused = None
    for D, H in dict.fromkeys((sizes, (sizes[1], sizes[1]))):
        try:
            engines_of(lambda D=D, H=H: make(D, H))  # type: ignore[misc]
        except (UserError, TypeError, ValueError, RuntimeError) as error:
            refused = refused or " ".join(str(error).split())
        else:
            return Examined(name, list(examine(lambda D=D, H=H: make(D, H), slow)))  # type: ignore[misc]
    return Examined(name, [], refused)


def _line(examined: Examined) -> str:
    name = examined.name.rpartition(".")[2]
    if examined.refused is not None:
        return f"{name:24} cannot be used: {examined.refused}"
    if examined.passed:
        return f"{name:24} {len(examined.results)} checks passed"
    seen: dict[str, str] = {}
    for result in examined.failures:
        seen.setdefault(result.check, result.error or "")
    said = "; ".join(f"{check}: {error[:160]}" for check, error in seen.items())
    return f"{name:24} {len(examined.failures)} of {len(examined.results)} checks failed: {said}"


def _table(examined: Examined, console: Console) -> None:
    if examined.refused is not None:
        raise UserError(f"{examined.name} cannot be used: {examined.refused}")
    columns = list(dict.fromkeys((result.engine, result.reverse) for result in examined.results))
    table = Table(box=None, pad_edge=False)
    table.add_column("check")
    for engine, reverse in columns:
        table.add_column(f"{engine} {'reverse' if reverse else 'forward'}")
    by_place = {(r.check, r.engine, r.reverse): r for r in examined.results}
    table.add_column("what it says")
    for known in (*CHECKS, *SLOW):
        marks = []
        for column in columns:
            result = by_place.get((known.name, *column))
            marks.append("-" if result is None else "[green]passed" if result.error is None else "[red]FAILED")
        if any(mark != "-" for mark in marks):
            table.add_row(known.name, *marks, known.says)
    console.print(table)
    for result in examined.failures:
        place = f"{result.check} ({result.engine} {'reverse' if result.reverse else 'forward'})"
        console.print(f"{place}: {result.error}", markup=False, highlight=False, soft_wrap=True)
    passed = len(examined.results) - len(examined.failures)
    console.print(f"{passed} of {len(examined.results)} checks passed", highlight=False)
