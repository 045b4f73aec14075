"""A cell from another package: a module with torch's convention, `(x_t, state) -> state`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell, Noise, State, Step
from lightning_seq.errors import UserError, at_least_one


class ExternalCell(Cell):
    """A cell from another package, for every layer, task and comparison, on the engine `loop`.

        s_t = module(x_t, s_{t-1})
        h_t = the first tensor of s_t, or the output that the module returns with it

    The module is made as `path(input_size, hidden_size, **arguments)` and called as torch's `nn.GRUCell` (the state is
    one tensor) or `nn.LSTMCell` (a tuple); it may also return (output, state). A first call shows the sizes of its
    state.

    State: as the module returns it.

    path:      the module's class.
    arguments: further arguments of its constructor.

    Raises UserError if the module cannot be made or called that way.
    """

    resets_submodules = True
    splits_input = False
    takes_ids = False

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        path: type[nn.Module] | None = None,
        arguments: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(path, type):
            raise UserError("cell=external needs a class: give cell.path=my_package.MyCell, or torchrecurrent.LEMCell")
        sizes = at_least_one("input_size", input_size), at_least_one("hidden_size", hidden_size)
        self._make = lambda: path(*sizes, **(arguments or {}))
        self._name = path.__name__
        try:
            self.module = self._make()
            self._paired, self._single, (output, carried) = self._convention(input_size)
        # A class of another package may raise any of these for arguments that it does not take.
        except (TypeError, ValueError, RuntimeError, AttributeError, LookupError, AssertionError) as error:
            raise UserError(
                f"{path.__name__} cannot be used as a cell ({error}): expected {path.__name__}(input_size, "
                "hidden_size) called as cell(x_t, state) -> state, as torch.nn.GRUCell and LSTMCell are"
            ) from error
        self.input_shape = self.projected_shape = (input_size,)
        self.output_shape = tuple(output.shape[1:])
        self.state_shapes = tuple(tuple(tensor.shape[1:]) for tensor in carried)
        self._types = {index: t.dtype for index, t in enumerate(carried) if not t.is_floating_point()}

    @torch.no_grad()
    def _convention(self, input_size: int) -> tuple[bool, bool, tuple[Tensor, State]]:
        """Whether the module returns (output, state) pairs, whether its state is a single tensor, and the output and
        state of a second step, which starts from the state of the first."""
        like = next(self.module.parameters(), torch.empty(0))
        x = torch.zeros(2, input_size, dtype=like.dtype)
        returned = self.module(x)
        candidates = [(False, returned)]
        if isinstance(returned, tuple) and len(returned) == 2:
            candidates.append((True, returned[1]))
        failure: Exception = TypeError(f"it returned {type(returned).__name__}, not a tensor [B, H] or a tuple of them")
        for paired, state in candidates:
            tensors = (state,) if isinstance(state, Tensor) else state
            if not isinstance(tensors, tuple) or not all(isinstance(t, Tensor) and len(t) == 2 for t in tensors):
                continue
            try:
                second = self.module(x, state)
            except (TypeError, ValueError, RuntimeError, AttributeError) as error:
                failure = error
            else:
                return paired, isinstance(state, Tensor), _output_and_state(second, paired)
        raise failure

    def initial_state(self, x: Tensor) -> State:
        """Zeros; an integer or boolean tensor of the module's state keeps its type."""
        state = super().initial_state(x)
        return tuple(tensor.to(self._types.get(index, tensor.dtype)) for index, tensor in enumerate(state))

    def reset_parameters(self) -> None:
        """As the module's own constructor does."""
        self.module.load_state_dict(self._make().state_dict())

    def recurrent_weights(self) -> dict[str, Tensor]:
        """Empty: initialisation and weight drop do not change the module."""
        return {}

    def project(self, x: Tensor, start: int = 0) -> Tensor:
        return x

    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        if noise is not None and (noise.recurrent is not None or noise.weights):
            raise UserError(f"{self._name} takes no dropout inside the recurrence: use zoneout, or dropout around it")
        returned = self.module(projected_t, state[0] if self._single else state)
        return Step(*_output_and_state(returned, self._paired), {})

    def extra_repr(self) -> str:
        return self._name


def _output_and_state(returned: Any, paired: bool) -> tuple[Tensor, State]:
    state = returned[1] if paired else returned
    carried = (state,) if isinstance(state, Tensor) else tuple(state)
    return returned[0] if paired else carried[0], carried
