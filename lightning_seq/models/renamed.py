"""Checkpoints with old names of modules."""

from __future__ import annotations

from torch import Tensor, nn

from lightning_seq.cells.init import SEED_NAMES


class ReadsOldNames(nn.Module):
    """A model whose `load_state_dict` also reads the old names of its modules (`SEED_NAMES`)."""

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: object) -> None:
        for new, old in SEED_NAMES.items():
            for key in [key for key in state_dict if key.startswith(f"{prefix}{old}.")]:
                state_dict[f"{prefix}{new}{key.removeprefix(prefix + old)}"] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *rest)
