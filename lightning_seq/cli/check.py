"""`lightning-seq check`: the conformance suite over a cell, over all cells of a package, or a scorer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from lightning_seq.cli.console import command_console, say
from lightning_seq.cli.find_cell import MakeCell, find, passed_over
from lightning_seq.cli.find_scorer import MakeScorer, find_scorer, known_scorers
from lightning_seq.cli.sizes import sizes
from lightning_seq.cli.verbs import Check
from lightning_seq.conformance import scorers, suite
from lightning_seq.conformance.check import Check as Property
from lightning_seq.errors import UserError

CELL_SIZES = {"input_size": 3, "hidden_size": 4}
SCORER_SIZES = {"query_size": 8, "value_size": 6}
_SHOWN = 12
"""Classes that a line names."""
S = TypeVar("S")


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


def run(arguments: Check) -> int:
    """Examine what is named and print the results; 0 if all of it conforms, else 1.

    Raises UserError for an unknown cell or scorer, and for a key of the other one.
    """
    console, name = command_console(), arguments.name
    scorer = find_scorer(name)
    if scorer is not None:
        made = sizes(arguments, SCORER_SIZES)
        if arguments.slow:
            raise UserError(f"slow=true is for cells, and {name} is a scorer: leave it out")
        return _shown(_examine_scorer(name, scorer, made["query_size"], made["value_size"]), console)
    made = sizes(arguments, CELL_SIZES)
    found = find(name, known_scorers())
    of_module = name not in found
    all_examined = []
    for key, make in found.items():
        all_examined.append(_examine_cell(key, make, (made["input_size"], made["hidden_size"]), arguments.slow))
        if len(found) > 1:
            say(console, _line(all_examined[-1]))
    if len(found) == 1:
        if of_module:
            say(console, all_examined[0].name)
        _shown(all_examined[0], console)
    else:
        good = sum(examined.passed for examined in all_examined)
        say(console, f"{good} of {len(all_examined)} cells conform")
    if of_module and (others := passed_over(name)):
        shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        line = f"not examined, as the name does not end in Cell: {shown} (lightning-seq check {name}.{others[0]})"
        say(console, line)
    return 0 if all(examined.passed for examined in all_examined) else 1


def _says(checks: Iterable[Property[S]]) -> dict[str, str]:
    return {known.name: known.says for known in checks}


def _refusal(make: Callable[[], object]) -> str | None:
    """Why it cannot be made, in one line; None where it can."""
    try:
        make()
    except (UserError, TypeError, ValueError, RuntimeError) as error:
        return " ".join(str(error).split())
    return None


def _examine_cell(name: str, make: MakeCell, given: tuple[int, int], slow: bool) -> Examined:
    """given: D and H; some cells want inputs as wide as their state, so that D = H is tried where they are refused."""
    says = _says((*suite.CHECKS, *suite.SLOW))
    refused = []
    for D, H in dict.fromkeys((given, (given[1], given[1]))):
        made = partial(make, D, H)
        refusal = _refusal(partial(suite.engines_of, made))
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
        subject = scorers.Subject(partial(make, Q, D))
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


def _shown(examined: Examined, console: Console) -> int:
    """Print a table of the checks; the exit code."""
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
    return 0 if examined.passed else 1
