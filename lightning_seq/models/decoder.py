"""Decoders: a recurrence over the target, with a static context, attention, or neither."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lightning_seq.attention.attention import Attention, Memory
from lightning_seq.cells.cell import Cell, State, unchecked
from lightning_seq.engines.choice import choose
from lightning_seq.errors import UserError, one_of
from lightning_seq.layers.dropout import Dropout
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.layers.stacked import check_heights
from lightning_seq.models.search import select
from lightning_seq.tensors import check_tensor

STYLES = ("bahdanau", "luong")


class DecoderState(NamedTuple):
    """The state of a decoder between two steps; every tensor has the batch first.

    layers:            the state of each layer's cell.
    attentional_state: `[B, R]`, the output of the last step for input feeding (Luong et al. 2015); else None.
    coverage:          `[B, S]`, the sum of the attention weights so far; None without attention.
    position:          `[B]` int64, the number of steps so far.
    """

    layers: tuple[State, ...]
    attentional_state: Tensor | None
    coverage: Tensor | None
    position: Tensor


@dataclass(frozen=True)
class Source:
    """A batch of encoded sentences.

    start:          the state before the first step.
    mask:           `[B, S]` bool.
    static_context: `[B, C]`, an input of every step; None: without.
    memory:         keys and values of the attention; None: without.
    """

    start: DecoderState
    mask: Tensor
    static_context: Tensor | None = None
    memory: Memory | None = None

    def select(self, rows: Int[Tensor, "N"]) -> Source:
        """Some of the sentences, in another order, or several times."""
        return Source(
            select(self.start, rows),
            self.mask[rows],
            None if self.static_context is None else self.static_context[rows],
            None if self.memory is None else self.memory.select(rows),
        )


class DecoderStepOutput(NamedTuple):
    """hidden: `[B, T, R]`, for the softmax; weights: `[B, T, S]`, the mean over heads, None without attention; state:
    after the last step; chosen: `[B, T]` see `attention.Drawn`."""

    hidden: Tensor
    weights: Tensor | None
    state: DecoderState
    chosen: Tensor | None = None


class Decoder(nn.Module):
    """A stack of cells over the target, and the readout r_t for the softmax.

    Without attention, with the static context c (Cho et al. 2014) or without (Sutskever et al. 2014):

        s_t = f([y_{t-1} ; c], s_{t-1}),   r_t = tanh(W_r [h_t ; c ; y_{t-1}]),  without c  r_t = h_t

    `bahdanau` (Bahdanau et al. 2015, sec. 3.1): the query is the state before the step (its first tensor in the top
    cell), the context is an input of the cell

        c_t = attend(h_{t-1}),  s_t = f([y_{t-1} ; c_t], s_{t-1}),  r_t = tanh(W_r [h_t ; c_t ; y_{t-1}])

    `luong` (Luong et al. 2015, eq. 5 and sec. 3.3): the query is the output; with input feeding r_{t-1} is an input

        s_t = f([y_{t-1} ; r_{t-1}], s_{t-1}),  c_t = attend(h_t),  r_t = tanh(W_r [h_t ; c_t])

    Parameters: those of the cells and the attention, and W_r.

    cells:          of each layer; the input of the lowest is [y ; c], with r or, for `bahdanau`, the context.
    width:          E of y.
    static_context: C; 0 for none.
    merge:          the static context is an input of the readout alone, r_t = tanh(W_r [h_t ; c]) (Tanti et al. 2018).
    gated:          the context is multiplied by β_t = σ(w · q_t + b), q_t the query (Xu et al. 2015, sec. 4.2.1).
    dropout:        between layers.
    engine:         for whole targets, if no step depends on the output of the one before.

    The published decoder of Bahdanau et al. has a maxout instead of the tanh.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        width: int,
        static_context: int = 0,
        attention: Attention | None = None,
        style: str = "bahdanau",
        input_feeding: bool = False,
        dropout: float = 0.0,
        engine: str = "auto",
        merge: bool = False,
        gated: bool = False,
    ) -> None:
        super().__init__()
        check_heights(cells)
        one_of("model.style", style, STYLES)
        if input_feeding and (attention is None or style != "luong"):
            raise UserError("model.input_feeding=true feeds in the output of attention: it needs model.style=luong")
        self.layers = nn.ModuleList(Recurrent(cell, engine=engine) for cell in cells)
        self.attention, self.style, self.input_feeding = attention, style, input_feeding
        self.width, self.static_context = width, static_context
        self.attends_before_step = attention is not None and style == "bahdanau"
        self.feeds_context = bool(static_context) and not merge
        self.reads_input = self.attends_before_step or self.feeds_context
        H = cells[-1].output_shape[0]
        read = H + static_context
        if attention is not None:
            read += attention.context_size
        if self.reads_input:
            read += width
        query = attention.scorer.query_size if attention is not None else 0
        self.gate = nn.Linear(query, 1) if gated else None
        self.readout = nn.Linear(read, H) if attention is not None or static_context else None
        self.output_size = H
        self.between = Dropout(float(dropout))

    @property
    def is_parallel(self) -> bool:
        """Whether an engine can run a whole target: no step depends on the output of the one before."""
        return not (
            self.attends_before_step or self.input_feeding or (self.attention and self.attention.needs_previous)
        )

    @property
    def cells(self) -> list[Cell]:
        return [layer.cell for layer in self.layers]  # type: ignore[misc]

    def start(self, layers: tuple[State, ...], mask: Bool[Tensor, "B S"]) -> DecoderState:
        """The state before the first step, from the output of a bridge."""
        like = layers[0][0]
        return DecoderState(
            layers,
            like.new_zeros(len(like), self.output_size) if self.input_feeding else None,
            like.new_zeros(mask.shape) if self.attention is not None else None,
            torch.zeros(len(like), dtype=torch.int64, device=like.device),
        )

    def forward(
        self,
        y: Float[Tensor, "B T E"],
        source: Source,
        mask: Bool[Tensor, "B T"] | None = None,
        state: DecoderState | None = None,
    ) -> DecoderStepOutput:
        """Embedded symbols, `<bos>` first, to the hidden states after each.

        mask: True for real symbols, a prefix of every row; outputs beyond it are undefined.
        """
        check_tensor("Decoder", "input", y, ("B", "T", self.width), self.cells[0].like(y))
        state = source.start if state is None else state
        return self._at_once(y, source, mask, state) if self.is_parallel else self._step_by_step(y, source, state)

    def _at_once(self, y: Tensor, source: Source, mask: Tensor | None, state: DecoderState) -> DecoderStepOutput:
        T, static_context = y.shape[1], _at_each_step(source, y.shape[1])
        x = torch.cat([y, *static_context], 2) if self.feeds_context else y
        final = []
        for index, layer in enumerate(self.layers):
            x, last = layer(self.between(x) if index else x, mask, state.layers[index])
            final.append(last)
        parts, weights, coverage, chosen = [x], None, state.coverage, None
        if self.attention is not None:
            attention, memory = self._attention_over(source)
            context, of_heads, chosen = attention.draw(x, memory, state.coverage, state.position)
            context, weights = self._gated(context, x), of_heads.mean(1)
            coverage = weights.detach().sum(1) if state.coverage is None else state.coverage + weights.detach().sum(1)
            parts.append(context)
        parts += [*static_context, y] if self.reads_input else static_context
        return DecoderStepOutput(
            self._read(parts), weights, DecoderState(tuple(final), None, coverage, state.position + T), chosen
        )

    def _read(self, parts: Sequence[Tensor]) -> Tensor:
        return parts[0] if self.readout is None else torch.tanh(self.readout(torch.cat(list(parts), -1)))

    def _step_by_step(self, y: Tensor, source: Source, state: DecoderState) -> DecoderStepOutput:
        """The symbols and the static context are projected before the loop."""
        first = self.cells[0]
        known, project_rest = y, None
        if first.splits_input:
            known, start = first.project(y), self.width
            if source.static_context is not None and self.feeds_context:
                known = known + first.project(source.static_context, self.width)[:, None]
                start += self.static_context
            project_rest = first.projection(start, first.input_shape[0] - start)
        outputs, contexts, weights, chosen = [], [], [], []
        for y_t, known_t in zip(y.unbind(1), known.unbind(1), strict=True):
            h_t, context, weights_t, chosen_t, state = self._move(y_t, known_t, project_rest, source, state)
            outputs.append(h_t)
            contexts.append(context)
            weights.append(weights_t)
            chosen += [] if chosen_t is None else [chosen_t]
        if self.input_feeding:
            hidden = torch.stack(outputs, 1)
        else:
            parts = [torch.stack(outputs, 1), torch.stack(contexts, 1), *_at_each_step(source, y.shape[1])]
            hidden = self._read([*parts, y] if self.reads_input else parts)
        return DecoderStepOutput(hidden, torch.stack(weights, 1), state, torch.stack(chosen, 1) if chosen else None)

    def _move(
        self,
        y_t: Tensor,
        known: Tensor,
        project_rest: Callable[[Tensor], Tensor] | None,
        source: Source,
        state: DecoderState,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None, DecoderState]:
        """One step with attention: its output (r_t with input feeding, else h_t), context `[B, C]`, weights `[B, S]`,
        `chosen` `[B]`, state.

        known:        the projection of y_t and the static context.
        project_rest: projects the other columns of the input; None if the cell does not split its input.
        """
        context = weights = chosen = None
        if self.attends_before_step:
            context, weights, chosen = self._attend(state.layers[-1][0], source, state)
        changing = state.attentional_state if self.input_feeding else context
        if project_rest is None:
            fed = source.static_context if self.feeds_context else None
            parts = [part for part in (y_t, fed, changing) if part is not None]
            projected = unchecked(self.cells[0].project)(torch.cat(parts, 1))
        else:
            projected = known if changing is None else known + project_rest(changing)
        layers, x = [], y_t
        for index, cell in enumerate(self.cells):
            if index:
                projected = unchecked(cell.project)(self.between(x))
            step = unchecked(cell.step)(projected, state.layers[index])
            x = step.output
            layers.append(step.state)
        if context is None or weights is None:
            context, weights, chosen = self._attend(x, source, state)
        attentional_state = None
        if self.input_feeding:
            static_context = [] if source.static_context is None else [source.static_context]
            parts = [x, context, *static_context]
            x = attentional_state = self._read([*parts, y_t] if self.reads_input else parts)
        coverage = weights if state.coverage is None else state.coverage + weights
        return x, context, weights, chosen, DecoderState(tuple(layers), attentional_state, coverage, state.position + 1)

    def _attention_over(self, source: Source) -> tuple[Attention, Memory]:
        if self.attention is None or source.memory is None:
            raise TypeError("this step needs an attention and its memory of the source")
        return self.attention, source.memory

    def _attend(self, query: Tensor, source: Source, state: DecoderState) -> tuple[Tensor, Tensor, Tensor | None]:
        attention, memory = self._attention_over(source)
        context, weights, chosen = attention.draw(query[:, None], memory, state.coverage, state.position)
        of_step = None if chosen is None else chosen[:, 0]
        return self._gated(context, query[:, None])[:, 0], weights.mean(1)[:, 0], of_step

    def _gated(self, context: Tensor, query: Tensor) -> Tensor:
        return context if self.gate is None else torch.sigmoid(self.gate(query)) * context

    def engines(self) -> list[str]:
        """The engine of each layer for whole targets, from the input up; `step` if it runs step by step."""
        if not self.is_parallel:
            return ["step"] * len(self.layers)
        return [
            choose(str(engine), cell, torch.empty(1, 1, cell.input_shape[0])).name
            for engine, cell in zip((layer.engine for layer in self.layers), self.cells, strict=True)
        ]

    def extra_repr(self) -> str:
        return f"style={self.style!r}, input_feeding={self.input_feeding}" if self.attention is not None else ""


def _at_each_step(source: Source, T: int) -> list[Tensor]:
    """The static context `[B, T, C]`, if there is one."""
    context = source.static_context
    return [] if context is None else [context[:, None].expand(-1, T, -1)]
