"""`lightning-seq check`: the conformance suite over a cell, over all cells of a package, or over a scorer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from lightning_seq.cli.find_cell import MakeCell, find, passed_over
from lightning_seq.cli.find_scorer import MakeScorer, find_scorer, known_scorers
from lightning_seq.conformance import scorers, suite
from lightning_seq.conformance.check import Check
from lightning_seq.errors import UserError

CELL_KEYS = {"input_size": 3, "hidden_size": 4}
_SHOWN = 12
"""Classes that a line names."""
SCORER_KEYS = {"query_size": 8, "value_size": 6}


@dataclass(frozen=True)
class Finding:
    """What one check found in one place (an engine and direction, or widths): an error, or None where it passed."""

    check: str
    place: str
    error: str | None


@dataclass(frozen=True)
class Examined:
    """What was found in a cell or scorer, or why it cannot be examined at all.

    says: what each check proves, by its name.
    """

    name: str
    findings: list[Finding]
    says: Mapping[str, str]
    refused: str | None = None

    @property
    def failures(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.error is not None]

    @property
    def passed(self) -> bool:
        return self.refused is None and not self.failures


def check(words: Sequence[str], console: Console) -> bool:
    """Examine what is named, print what was found; return whether all of it conforms.

    Raises UserError for an unknown cell, scorer or key.
    """
    names = [word for word in words if "=" not in word]
    if len(names) != 1:
        raise UserError(
            f"check takes one cell or scorer, {' '.join(names) or 'nothing'} came: "
            "lightning-seq check lstm, or my_package.MyCell"
        )
    options = [word for word in words if "=" in word]
    scorer = find_scorer(names[0])
    if scorer is not None:
        sizes, _ = _options(options, SCORER_KEYS)
        examined = _examine_scorer(names[0], scorer, sizes["query_size"], sizes["value_size"])
        _table(examined, console)
        return examined.passed
    sizes, slow = _options(options, CELL_KEYS, "slow")
    found = find(names[0], known_scorers())
    all_examined = []
    for name, make in found.items():
        all_examined.append(_examine_cell(name, make, (sizes["input_size"], sizes["hidden_size"]), slow))
        if len(found) > 1:
            console.print(_line(all_examined[-1]), markup=False, highlight=False, soft_wrap=True)
    of_module = names[0] not in found
    if len(found) == 1:
        if of_module:
            console.print(all_examined[0].name, markup=False, highlight=False)
        _table(all_examined[0], console)
    else:
        good = sum(examined.passed for examined in all_examined)
        console.print(f"{good} of {len(all_examined)} cells conform", highlight=False)
    if of_module and (others := passed_over(names[0])):
        shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        line = f"not examined, as the name does not end in Cell: {shown} (lightning-seq check {names[0]}.{others[0]})"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return all(examined.passed for examined in all_examined)


def _options(words: Sequence[str], keys: Mapping[str, int], flag: str | None = None) -> tuple[dict[str, int], bool]:
    """Sizes, and whether the flag is set."""
    given = dict(word.split("=", 1) for word in words)
    flagged = given.pop(flag, "false") if flag else "false"
    for key, value in given.items():
        if key not in keys:
            known = ", ".join([*([flag] if flag else []), *keys])
            raise UserError(f"{key}={value}: there is no key {key!r} for check; expected {known}")
        if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
            raise UserError(f"{key}={value}: expected a whole number of at least 1")
    if flagged not in ("true", "false"):
        raise UserError(f"{flag}={flagged}: expected true or false")
    return {**keys, **{key: int(value) for key, value in given.items()}}, flagged == "true"


def _says(checks: Iterable[Check[Any]]) -> dict[str, str]:
    return {known.name: known.says for known in checks}


def _refusal(make: Callable[[], object]) -> str | None:
    """Why it cannot be made, in one line; None where it can."""
    try:
        make()
    except (UserError, TypeError, ValueError, RuntimeError) as error:
        return " ".join(str(error).split())
    return None


def _examine_cell(name: str, make: MakeCell, sizes: tuple[int, int], slow: bool) -> Examined:
    """Some cells want inputs as wide as their state: where the sizes asked for are refused, those are tried too."""
    says = _says((*suite.CHECKS, *suite.SLOW))
    refused = []
    for D, H in dict.fromkeys((sizes, (sizes[1], sizes[1]))):

        def made(D: int = D, H: int = H):  # type: ignore[no-untyped-def]
            return make(D, H)

        refusal = _refusal(lambda made=made: suite.engines_of(made))  # type: ignore[misc]
        if refusal is None:
            findings = [
                Finding(result.check, f"{result.engine} {'reverse' if result.reverse else 'forward'}", result.error)
                for result in suite.examine(made, slow)
            ]
            return Examined(name, findings, says)
        refused.append(refusal)
    return Examined(name, [], says, refused[0])


def _examine_scorer(name: str, make: MakeScorer, query_size: int, value_size: int) -> Examined:
    """With both widths as asked for, and with values as wide as queries; a scorer may refuse one of them."""
    says = _says(scorers.CHECKS)
    findings, refused = [], []
    for Q, D in dict.fromkeys(((query_size, value_size), (query_size, query_size))):
        subject = scorers.Subject(lambda Q=Q, D=D: make(Q, D))  # type: ignore[misc]
        refusal = _refusal(subject.made)
        if refusal is None:
            place = f"widths {Q}, {D}"
            findings += [Finding(result.check, place, result.error) for result in scorers.examine(subject)]
        else:
            refused.append(refusal)
    return Examined(name, findings, says, None if findings else refused[0])


def _line(examined: Examined) -> str:
    name = examined.name.rpartition(".")[2]
    if examined.refused is not None:
        return f"{name:24} cannot be used: {examined.refused}"
    if examined.passed:
        return f"{name:24} {len(examined.findings)} checks passed"
    seen: dict[str, str] = {}
    for finding in examined.failures:
        seen.setdefault(finding.check, finding.error or "")
    said = "; ".join(f"{check}: {error[:160]}" for check, error in seen.items())
    return f"{name:24} {len(examined.failures)} of {len(examined.findings)} checks failed: {said}"


def _table(examined: Examined, console: Console) -> None:
    if examined.refused is not None:
        raise UserError(f"{examined.name} cannot be used: {examined.refused}")
    places = list(dict.fromkeys(finding.place for finding in examined.findings))
    table = Table(box=None, pad_edge=False)
    table.add_column("check")
    for place in places:
        table.add_column(place)
    by_place = {(finding.check, finding.place): finding for finding in examined.findings}
    table.add_column("what it says")
    for name, says in examined.says.items():
        marks = []
        for place in places:
            finding = by_place.get((name, place))
            marks.append("-" if finding is None else "[green]passed" if finding.error is None else "[red]FAILED")
        if any(mark != "-" for mark in marks):
            table.add_row(name, *marks, says)
    console.print(table)
    for finding in examined.failures:
        line = f"{finding.check} ({finding.place}): {finding.error}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    passed = len(examined.findings) - len(examined.failures)
    console.print(f"{passed} of {len(examined.findings)} checks passed", highlight=False)
