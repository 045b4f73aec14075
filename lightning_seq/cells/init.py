"""Initialisation: an axis of its own, the same for every architecture, each parameter from a generator of its own."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from lightning_seq.cells.cell import Cell
from lightning_seq.errors import UserError, near

RECURRENT = ("uniform", "orthogonal", "identity")


class Initialisation:
    """Fill every parameter of a model.

    recurrent: what the recurrent matrices start from, gate by gate: `uniform` in ±1/√H as torch has it, `orthogonal`
               (Saxe et al. 2014), or `identity` (Le et al. 2015).
    scale:     multiplies the recurrent matrices of `orthogonal` and `identity`.

    A parameter's generator is keyed by the seed and the parameter's own name, so that parts which two architectures
    share start equal in both, and nothing depends on the order in which modules were made.
    """

    def __init__(self, recurrent: str = "uniform", scale: float = 1.0) -> None:
        if recurrent not in RECURRENT:
            raise UserError(f"init.recurrent is {recurrent!r}: {near(recurrent, RECURRENT)}")
        self.recurrent, self.scale = recurrent, scale

    @torch.no_grad()
    def __call__(self, model: nn.Module, seed: int) -> None:
        for name, module in model.named_modules():
            own = dict(module.named_parameters(recurse=False))
            if not own:
                continue
            reset = getattr(module, "reset_parameters", None)
            if not callable(reset):
                raise TypeError(f"{name} ({type(module).__name__}) has parameters and no reset_parameters")
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(parameter_seed(seed, name))
                reset()
            if isinstance(module, Cell) and self.recurrent != "uniform":
                self._recurrent(name, module, seed)

    def _recurrent(self, name: str, cell: Cell, seed: int) -> None:
        for key, weight in cell.recurrent_weights().items():
            H = weight.shape[-1]
            generator = torch.Generator().manual_seed(parameter_seed(seed, f"{name}.{key}"))
            for block in weight.split(H) if weight.shape[0] % H == 0 else (weight,):
                if self.recurrent == "identity":
                    nn.init.eye_(block)
                else:
                    nn.init.orthogonal_(block, generator=generator)
                block.mul_(self.scale)


def parameter_seed(seed: int, name: str) -> int:
    """63 bits that depend on the run's seed and the parameter's name alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big") >> 1
