"""`lightning-seq train`: one run."""

from __future__ import annotations

from lightning_seq.cli.finish import finish
from lightning_seq.comparison.compare import train
from lightning_seq.comparison.grid import entries
from lightning_seq.config.words import split_words
from lightning_seq.errors import UserError
from lightning_seq.terminal import command_console
from lightning_seq.training.devices import adopt
from lightning_seq.training.run_record import rank

OF_COMPARE = {
    "seeds": "seed=N",
    "max_seeds": "seed=N",
    "rope": "it to report",
    "dry_run": "show=config to see what would run",
    "jobs": "trainer.devices=N for one run of several processes",
}
"""Keys without a meaning for one run, with the key to give instead."""


def run(words: list[str]) -> int:
    adopt()
    for word in split_words(words):
        if word.key in OF_COMPARE:
            raise UserError(
                f"{word.text}: train makes one run and takes no {word.key}: give {OF_COMPARE[word.key]}, or use compare"
            )
    trained, console = entries(words), command_console()
    outcome = train(words, trained, console)
    return 0 if outcome is None or rank() != 0 else finish(outcome, trained[0].config["logger"], console)
