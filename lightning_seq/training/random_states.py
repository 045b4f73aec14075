"""The state of every random generator of a process, as plain tensors and numbers."""

from __future__ import annotations

import random

import numpy as np
import torch

from lightning_seq.files import Plain


def seed_process(seed: int) -> None:
    """Seed torch, Python and NumPy."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % (1 << 32))


def random_states() -> dict[str, Plain]:
    """The states of torch, each accelerator in use, NumPy and Python, readable without pickle."""
    numbers = np.random.get_state(legacy=False)
    version, words, half = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "numpy": {
            "keys": torch.from_numpy(numbers["state"]["key"].astype(np.int64)),
            "position": int(numbers["state"]["pos"]),
            "has_gauss": int(numbers["has_gauss"]),
            "gauss": float(numbers["gauss"]),
        },
        "python": {"version": version, "words": torch.tensor(words, dtype=torch.int64), "gauss": half},
    }


def restore_random_states(states: dict[str, Plain]) -> None:
    """Restore what `random_states` returned."""
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] and torch.cuda.is_initialized():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
    numbers = states["numpy"]
    keys = numbers["keys"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, numbers["position"], numbers["has_gauss"], numbers["gauss"]))
    python = states["python"]
    random.setstate((python["version"], tuple(python["words"].tolist()), python["gauss"]))
