"""One seed, several streams: initialisation, batch order and dropout do not disturb one another."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    INITIALISATION = 0
    BATCHES = 1
    DROPOUT = 2


def stream_seed(seed: int, stream: Stream, rank: int = 0) -> int:
    """63 bits for one stream of a run, and one rank of it."""
    words = np.random.SeedSequence([seed, int(stream), rank]).generate_state(2, np.uint32)
    return int(words[0]) << 31 | int(words[1]) >> 1
