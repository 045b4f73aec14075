"""`lightning-seq status`: the progress of a comparison."""

from __future__ import annotations

from lightning_seq.cli.verbs import Status
from lightning_seq.comparison.status import status
from lightning_seq.terminal import command_console


def run(arguments: Status) -> int:
    status(arguments.directory, command_console())
    return 0
