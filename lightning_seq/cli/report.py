"""`lightning-seq report`: the tables and the dashboard of a comparison, or of several as one."""

from __future__ import annotations

from lightning_seq.cli.verbs import Report
from lightning_seq.comparison.status import comparisons_in, list_comparisons
from lightning_seq.errors import UserError
from lightning_seq.report.merge import write_merged
from lightning_seq.report.summary import runs_of
from lightning_seq.report.terminal_chart import learning_curves
from lightning_seq.report.terminal_table import terminal
from lightning_seq.report.write import write_report
from lightning_seq.terminal import command_console, say


def run(arguments: Report) -> int:
    directories, console = arguments.directories, command_console()
    if len(directories) > 1 and not arguments.output:
        raise UserError(
            f"{len(directories)} directories came, without output=DIR for their report: lightning-seq report "
            f"{' '.join(map(str, directories))} output=DIR"
        )
    several = comparisons_in(directories[0]) if len(directories) == 1 else []
    if several:
        list_comparisons(several, "report", console)
        return 0
    if arguments.output:
        summary = write_merged(directories, arguments.output, arguments.stochastic_order, arguments.rope)
    else:
        summary = write_report(directories[0], arguments.stochastic_order, arguments.rope)
    console.print(terminal(summary))
    if summary.sources:
        say(console, summary.sources)
    runs = [run for directory in directories for run in runs_of(directory)]
    for line in learning_curves(runs, summary, console.width, console.encoding.startswith("utf")):
        say(console, line)
    say(console, f"\ndashboard  {(arguments.output or directories[0]) / 'dashboard.html'}")
    return 0
