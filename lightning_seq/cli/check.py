"""`lightning-seq check`: the conformance suite over a cell, over all cells of a module, or a scorer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from rich.console import Console
from rich.table import Table

from lightning_seq.cli.find_cell import MakeCell, find, passed_over
from lightning_seq.cli.find_scorer import MakeScorer, find_scorer, known_scorers
from lightning_seq.cli.verbs import Check
from lightning_seq.conformance import scorers, suite
from lightning_seq.errors import SHOWN, UserError
from lightning_seq.terminal import command_console, say

CELL_SIZES = {"input_size": 3, "hidden_size": 4}
SCORER_SIZES = {"query_size": 8, "value_size": 6}
_SAYS_OF_CELLS = {check.name: check.says for check in (*suite.CHECKS, *suite.SLOW)}
_SAYS_OF_SCORERS = {check.name: check.says for check in scorers.CHECKS}


@dataclass(frozen=True)
class Finding:
    """The result of one check in one place (an engine and direction, or widths): an error, or None if it passed."""

    check: str
    place: str
    error: str | None


@dataclass(frozen=True)
class Examined:
    """The findings on a cell or scorer, or the reason why it cannot be examined.

    says: the property that each check proves, by the name of the check.
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
    """Examine the cells or the scorer of a name and print the results; 0 if all of them conform, else 1.

    Raises UserError for an unknown cell or scorer, and for a key of the other one.
    """
    console, name = command_console(), arguments.name
    scorer = find_scorer(name)
    if scorer is not None:
        size = arguments.sizes(SCORER_SIZES)
        if arguments.slow:
            raise UserError(f"slow=true is for cells, and {name} is a scorer: leave it out")
        return _print(_examine_scorer(name, scorer, size["query_size"], size["value_size"]), console)
    size = arguments.sizes(CELL_SIZES)
    cells = find(name, known_scorers())
    is_module = name not in cells
    all_examined = []
    for key, make in cells.items():
        examined = _examine_cell(key, make, size["input_size"], size["hidden_size"], arguments.slow)
        all_examined.append(examined)
        if len(cells) > 1:
            say(console, _line(examined))
        else:
            if is_module:
                say(console, key)
            _print(examined, console)
    good = sum(examined.passed for examined in all_examined)
    if len(cells) > 1:
        say(console, f"{good} of {len(cells)} cells conform")
    if is_module and (others := passed_over(name)):
        shown = ", ".join(others[:SHOWN]) + (", …" if len(others) > SHOWN else "")
        line = f"not examined, as the name does not end in Cell: {shown} (lightning-seq check {name}.{others[0]})"
        say(console, line)
    return 0 if good == len(cells) else 1


def _refusal(make: Callable[[], object]) -> str | None:
    """The reason why `make` fails, in one line; None if it does not."""
    try:
        make()
    except (UserError, TypeError, ValueError, RuntimeError) as error:
        return " ".join(str(error).split())
    return None


def _examine_cell(name: str, make: MakeCell, input_size: int, hidden_size: int, slow: bool) -> Examined:
    """A cell that refuses these sizes is made with D = H: some want inputs as wide as their state."""
    refused = []
    for D, H in dict.fromkeys(((input_size, hidden_size), (hidden_size, hidden_size))):
        sized = partial(make, D, H)
        refusal = _refusal(partial(suite.engines_of, sized))
        if refusal is None:
            findings = [
                Finding(result.check, f"{result.engine} {'reverse' if result.reverse else 'forward'}", result.error)
                for result in suite.examine(sized, slow)
            ]
            return Examined(name, findings, _SAYS_OF_CELLS)
        refused.append(refusal)
    return Examined(name, [], _SAYS_OF_CELLS, refused[0])


def _examine_scorer(name: str, make: MakeScorer, query_size: int, value_size: int) -> Examined:
    """With both widths as given, and with values as wide as queries; a scorer may refuse one of them."""
    findings, refused = [], []
    for Q, D in dict.fromkeys(((query_size, value_size), (query_size, query_size))):
        subject = scorers.Subject(partial(make, Q, D))
        refusal = _refusal(subject.made)
        if refusal is None:
            findings += [Finding(result.check, f"widths {Q}, {D}", result.error) for result in scorers.examine(subject)]
        else:
            refused.append(refusal)
    return Examined(name, findings, _SAYS_OF_SCORERS, None if findings else refused[0])


def _line(examined: Examined) -> str:
    name = f"{examined.name.rpartition('.')[2]:24}"
    if examined.refused is not None:
        return f"{name} cannot be used: {examined.refused}"
    if examined.passed:
        return f"{name} {len(examined.findings)} checks passed"
    first: dict[str, str] = {}
    for finding in examined.failures:
        first.setdefault(finding.check, finding.error or "")
    errors = "; ".join(f"{check}: {error[:160]}" for check, error in first.items())
    return f"{name} {len(examined.failures)} of {len(examined.findings)} checks failed: {errors}"


def _print(examined: Examined, console: Console) -> int:
    """Print a table of the checks; return the exit code."""
    if examined.refused is not None:
        raise UserError(f"{examined.name} cannot be used: {examined.refused}")
    places = list(dict.fromkeys(finding.place for finding in examined.findings))
    table = Table("check", *places, "what it says", box=None, pad_edge=False)
    marks = {
        (finding.check, finding.place): "[green]passed" if finding.error is None else "[red]FAILED"
        for finding in examined.findings
    }
    for name, says in examined.says.items():
        row = [marks.get((name, place), "-") for place in places]
        if any(mark != "-" for mark in row):
            table.add_row(name, *row, says)
    console.print(table)
    for finding in examined.failures:
        say(console, f"{finding.check} ({finding.place}): {finding.error}")
    passed = len(examined.findings) - len(examined.failures)
    console.print(f"{passed} of {len(examined.findings)} checks passed", highlight=False)
    return 0 if examined.passed else 1
