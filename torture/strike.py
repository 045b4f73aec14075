"""A run that kills itself at a known place: `STRIKE=place:count:signal` in its environment.

Places are `batch`, `epoch`, `validation`, `end` and `writing`; it strikes when it comes there for the count-th time.
To be imported before `lightning_seq.training.run.main` is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from lightning_seq.training import checkpoints, run
from lightning_seq.training.resume import ResumePoints

HOOKS = {
    "batch": (ResumePoints, "on_train_batch_start"),
    "epoch": (ResumePoints, "on_train_epoch_end"),
    "validation": (ResumePoints, "on_validation_batch_end"),
    "end": (ResumePoints, "on_train_end"),
    "test": (ResumePoints, "on_test_batch_end"),
    "writing": (checkpoints, "_set_aside"),
}
"""The function of each place; at `writing` the checkpoint before is set aside, and the last one is missing."""


def arm(text: str) -> None:
    place, count, number = text.split(":")
    where, name = HOOKS[place]
    original: Callable[..., Any] = getattr(where, name)
    calls = 0

    def struck(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if place == "writing":
            original(*given, **named)
        if calls == int(count):
            os.kill(os.getpid(), int(number))
        if place != "writing":
            original(*given, **named)

    setattr(where, name, struck)


_main = run.main


def main(arguments: list[str]) -> int:
    if os.environ.get("STRIKE"):
        arm(os.environ["STRIKE"])
    return _main(arguments)


run.main = main
