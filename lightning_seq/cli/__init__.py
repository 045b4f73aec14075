"""The command line: a file per verb."""

from lightning_seq.cli.main import entry, main

__all__ = ["entry", "main"]
