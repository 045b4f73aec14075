"""One seed, several streams: initialisation, batch order and dropout do not disturb one another. With `vary`, a seed
also draws the splits and the word vectors."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from enum import IntEnum

import numpy as np

from lightning_seq.config.tree import Config, put
from lightning_seq.errors import UserError
from lightning_seq.identity import DRAWN, INIT, drawn_keys, located, value_at, varied


class Stream(IntEnum):
    INITIALISATION = 0
    BATCHES = 1
    DROPOUT = 2


def stream_seed(seed: int, stream: Stream, rank: int = 0) -> int:
    """63 bits for one stream of a run, and one rank of it."""
    words = np.random.SeedSequence([seed, int(stream), rank]).generate_state(2, np.uint32)
    return int(words[0]) << 31 | int(words[1]) >> 1


def seeded(config: Config, seed: int) -> Config:
    """The configuration of the run with this seed, which also sets `identity.drawn_keys`."""
    config = {**config, "seed": seed}
    for key in drawn_keys(config):
        parent, _, name = located(config, key).rpartition(".")
        if name in (value_at(config, parent) or {}):
            config = deepcopy(config)
            put(config, f"{parent}.{name}", seed % (1 << 32))  # of gensim's range
    return config


def check_vary(config: Config, typed: Collection[str]) -> None:
    """Raises UserError for a `vary` that is not understood, and for a typed key that it sets."""
    vary = varied(config)
    if vary[:1] != INIT or len(set(vary)) < len(vary):
        raise UserError(
            f"vary={','.join(vary)} is not understood: a seed always draws the initialisation; expected init, or "
            f"init,{','.join(DRAWN)} (one of the two, or both)"
        )
    for key in drawn_keys(config):
        if key in typed:
            raise UserError(f"{key}=… is given, and vary={','.join(vary)} draws it from the seed: take one of them out")
