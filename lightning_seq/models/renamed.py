"""Modules that were renamed: checkpoints with their old names are read, and their initial weights stay."""

from __future__ import annotations

from typing import Any

from torch import nn

from lightning_seq.cells.init import SEED_NAMES


class ReadsOldNames(nn.Module):
    """A model whose `load_state_dict` also reads the names that its parts had before (`SEED_NAMES`)."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for new, old in SEED_NAMES.items():
            for key in [key for key in state_dict if key.startswith(f"{prefix}{old}.")]:
                state_dict[f"{prefix}{new}{key.removeprefix(prefix + old)}"] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *rest)
