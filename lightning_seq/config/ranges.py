"""What the value of a key may be: finite numbers in a stated range, bounded names, null only where it means something.

`compose` asks here for every key that is typed, whatever will read it.
"""

from __future__ import annotations

import math
import re
from fnmatch import fnmatchcase
from typing import Any

from lightning_seq.config.words import Word
from lightning_seq.errors import UserError

SHARE = (0, 1)
RANGES: dict[str, tuple[float, float]] = {
    "*dropout": SHARE, "*zoneout": SHARE, "*weight_drop": SHARE, "task.label_smoothing": SHARE,
    "data.*_fraction": SHARE,
    "task.teacher_forcing.ratio": SHARE, "task.teacher_forcing.least": SHARE, "model.between": SHARE,
    "optimizer.momentum": SHARE, "task.schedule.factor": SHARE, "word2vec.subsampling": SHARE,
    "seed": (0, 2**63 - 1), "word2vec.seed": (0, 2**32 - 1), "data.split_seed": (0, 2**63 - 1),
    "tune.seed": (0, 2**32 - 1), "seeds": (0, 2**63 - 1),
    "word2vec.vector_size": (1, 100_000), "embedding.size": (1, 100_000), "word2vec.window": (1, 10_000),
    "word2vec.min_count": (1, 2**31 - 1), "word2vec.negative": (0, 1000), "word2vec.epochs": (1, 100_000),
    "word2vec.learning_rate": (0, 1000), "word2vec.workers": (1, 1024), "jobs": (1, 4096),
    "data.num_workers": (0, 1024), "trainer.threads": (1, 4096), "trainer.devices": (-1, 4096),
    "match.target": (-1e18, 1e18),
    "trainer.timeout": (1, 10**8), "trainer.max_epochs": (-1, 10**9), "trainer.max_steps": (-1, 2**53),
    "tune.trials": (0, 100_000), "model.num_layers": (1, 1000), "model.decoder_layers": (1, 1000),
    "model.heads": (1, 100_000), "attention.heads": (1, 100_000), "attention.max_length": (1, 1_000_000),
    "attention.temperature": (1e-6, 1e6), "task.sample.temperature": (0, 1000), "task.sample.length": (1, 1_000_000),
    "task.beam": (1, 1000), "task.length_penalty": (0, 100), "task.length_factor": (0, 1000),
    "task.length_extra": (0, 1_000_000), "init.scale": (0, 1e6), "embedding.scale": (0, 1e6),
    "init.chrono": (1, 10**9), "callbacks.probe_rows": (0, 100_000), "launcher.minutes": (1, 10**7),
    "callbacks.checkpoint_every_minutes": (1e-3, 1e7), "optimizer.lr": (0, 3e38),
    "optimizer.weight_decay": (0, 1e6), "trainer.gradient_clip_val": (0, 1e9),
    "callbacks.early_stopping.patience": (0, 2**31 - 1), "callbacks.early_stopping.min_delta": (0, 1e9),
    "trainer.accumulate_grad_batches": (1, 2**31 - 1),
}  # fmt: skip
"""The least and the most of a number; the first pattern that fits a key decides."""

WHOLE, REAL = 2**31 - 1, 1e9
"""The most of any other number, in size."""

NUMBER_OR_NULL = (
    "callbacks.checkpoint_every_minutes", "cell.forget_bias", "init.forget_bias", "launcher.cpus", "launcher.gpus",
)  # fmt: skip
"""Keys whose default is null, or may be, and whose value is a number."""

SEVERAL = (
    "trainer.precision", "trainer.devices", "task.tied", "*activation", "seeds", "data.variant", "logger.project",
)  # fmt: skip
"""Keys that hold words, and values of other kinds too."""

LONGEST = 1000
"""Characters of a word: of a name, a choice, a class."""
DIGITS = re.compile(r"\d{309,}")
"""More digits than any number of a computer has."""


def check_digits(pair: Word) -> None:
    """Raises UserError for a value with a number that is too long to be read."""
    if DIGITS.search(pair.value):
        raise UserError(f"{pair.key}={pair.value[:40]}…: expected a number of at most 308 digits")


def check_range(pair: Word, default: Any, value: Any) -> None:
    """Raises UserError for a number that is not finite or out of its range, and for words that are none."""
    said = f"{pair.key}={pair.value[:80]}"
    several = any(fnmatchcase(pair.key, pattern) for pattern in SEVERAL)
    if isinstance(default, str) and (value is None or not (isinstance(value, str) or several)):
        raise UserError(f"{said}: expected a word for {pair.key} (now {default}), {value!r} came")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if pair.key in NUMBER_OR_NULL and value is not None and not number:
        raise UserError(f"{said}: expected a number or null for {pair.key}")
    bounds = next((bounds for pattern, bounds in RANGES.items() if fnmatchcase(pair.key, pattern)), None)
    for one in _leaves(value):
        if isinstance(one, str) and len(one) > LONGEST:
            raise UserError(f"{said[:80]}…: expected at most {LONGEST} characters, {len(one)} came")
        if isinstance(one, bool) or not isinstance(one, int | float):
            continue
        largest = WHOLE if isinstance(one, int) else REAL
        low, top = bounds or (-largest, largest)
        if not (math.isfinite(one) and low <= one <= top):
            raise UserError(f"{said}: expected at least {low} and at most {top} for {pair.key}, {one!r:.40} came")


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for pair in value.items() for part in pair for leaf in _leaves(part)]
    return [leaf for part in value for leaf in _leaves(part)] if isinstance(value, list) else [value]
