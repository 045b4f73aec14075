"""Initialisation of parameters, the same for every architecture: each parameter has its own random generator."""

from __future__ import annotations

import hashlib
from typing import Annotated

import torch
from torch import nn

from lightning_seq.cells.cell import Cell
from lightning_seq.errors import UserError, one_of
from lightning_seq.value_types import OneOf, Range

RECURRENT = ("uniform", "orthogonal", "identity")


class Initialisation:
    """The initial value of every parameter of a model.

    recurrent:   initial recurrent matrices, gate by gate: `uniform` in ±1/√H as torch has it, `orthogonal`
                 (Saxe et al. 2014), or `identity` (Le et al. 2015).
    scale:       multiplies the recurrent matrices of `orthogonal` and `identity`.
    forget_bias: initial bias of the gate that keeps the old state (f of an LSTM, z of a GRU; its negative
                 if an open gate forgets); None: the cell's own value.
    chrono:      T_max, the longest dependency expected (Tallec & Ollivier 2018, eq. 16): that bias is drawn as
                 log(U[1, T_max - 1]), and the input gate's bias is its negative; None: off.

    The seed and the parameter's name key its generator: parts that two architectures share start equal in both, and
    nothing depends on the order in which modules were made.
    """

    def __init__(
        self,
        recurrent: Annotated[str, OneOf(RECURRENT)] = "uniform",
        scale: Annotated[float, Range(0, 1e6)] = 1.0,
        forget_bias: float | None = None,
        chrono: Annotated[int, Range(2, 1_000_000_000)] | None = None,
    ) -> None:
        one_of("init.recurrent", recurrent, RECURRENT)
        if chrono is not None and chrono < 3:
            raise UserError(f"init.chrono is {chrono}, expected the longest dependency, at least 3 steps")
        if chrono is not None and forget_bias is not None:
            raise UserError("init.chrono and init.forget_bias fill the same bias: give one of them")
        self.recurrent, self.scale, self.forget_bias, self.chrono = recurrent, scale, forget_bias, chrono

    @torch.no_grad()
    def __call__(self, model: nn.Module, seed: int) -> None:
        done: str | None = None  # the prefix of a module that resets its submodules too
        for name, module in model.named_modules():
            if done is not None and name.startswith(done):
                continue
            resets_all = getattr(module, "resets_submodules", False)
            done = (f"{name}." if name else "") if resets_all else None
            if not resets_all and not dict(module.named_parameters(recurse=False)) and not isinstance(module, Cell):
                continue
            reset = getattr(module, "reset_parameters", None)
            if not callable(reset):
                raise TypeError(f"{name} ({type(module).__name__}) has parameters and no reset_parameters")
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(parameter_seed(seed, name))
                reset()
            if isinstance(module, Cell):
                if self.recurrent != "uniform":
                    self._recurrent(name, module, seed)
                self._keeping(name, module, seed)

    def _recurrent(self, name: str, cell: Cell, seed: int) -> None:
        for key, weight in cell.recurrent_weights().items():
            generator = torch.Generator().manual_seed(parameter_seed(seed, f"{name}.{key}"))
            matrices = weight.flatten(2).unbind(-1) if weight.dim() > 2 else (weight,)
            if weight.dim() > 2:  # a convolution: its centre tap acts on the position itself
                weight.zero_()
                matrices = (matrices[len(matrices) // 2],)
            for matrix in matrices:
                size = matrix.shape[1]
                for block in matrix.split(size) if matrix.shape[0] % size == 0 else (matrix,):
                    filled = torch.empty(block.shape, dtype=block.dtype)
                    if self.recurrent == "identity":
                        nn.init.eye_(filled)
                    else:
                        nn.init.orthogonal_(filled, generator=generator)
                    block.copy_(filled * self.scale)

    def _keeping(self, name: str, cell: Cell, seed: int) -> None:
        """The bias of the gate that keeps the old state."""
        if cell.keeps is None or (self.forget_bias is None and self.chrono is None):
            return
        gate, sign = cell.keeps
        keeping = cell.gate_bias(gate)
        if keeping is None:
            return
        if self.forget_bias is not None:
            keeping.fill_(sign * self.forget_bias)
        elif self.chrono is not None:
            generator = torch.Generator().manual_seed(parameter_seed(seed, f"{name}.chrono"))
            length = 1 + (self.chrono - 2) * torch.rand(keeping.shape, generator=generator, dtype=keeping.dtype)
            keeping.copy_(sign * length.log())
            admitting = cell.gate_bias("i") if gate != "i" else None
            if admitting is not None:
                admitting.copy_(-length.log())


SEED_NAMES = {"output_projection": "bring"}
"""New and old names of renamed modules. The old name keys the generator, so that initial weights stay the same."""


def parameter_seed(seed: int, name: str) -> int:
    """63 bits that depend only on the run's seed and the parameter's name."""
    name = ".".join(SEED_NAMES.get(part, part) for part in name.split("."))
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big") >> 1
