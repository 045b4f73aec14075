"""From a picture to a caption."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from lightning_seq.attention.attention import Attention
from lightning_seq.attention.hard import HardAttention
from lightning_seq.attention.scorer import Scorer
from lightning_seq.cells.cell import Cell
from lightning_seq.engines.choice import EngineName
from lightning_seq.errors import UserError, one_of
from lightning_seq.layers.dropout import Dropout
from lightning_seq.layers.recurrent import LayerState
from lightning_seq.models.decoder import STYLES, Decoder, Source
from lightning_seq.models.frames import FrameEncoder
from lightning_seq.models.picture.encoder import PictureEncoder
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.sequence_writer import SequenceWriter
from lightning_seq.models.softmax import shared_weight
from lightning_seq.value_types import Fraction, Layers, OneOf, Size

INJECT = ("init", "pre", "par", "merge", "none")


class Captioner(SequenceWriter):
    """An encoder of pictures and a decoder of words. v_1 … v_S are the vectors of the places, v̄ is their mean.

    The picture enters by `inject` (the names are those of Tanti et al. 2018):

        init   s_0 = tanh(W v̄ + b), for each tensor of each layer's state (Xu et al. 2015, sec. 3.1.2)
        pre    s_0 = f(W v̄ + b, 0): the picture is the first word (Vinyals et al. 2015, eq. 10)
        par    s_t = f([y_{t-1} ; v̄], s_{t-1}): it is an input of every step (Mao et al. 2015 call it so)
        merge  r_t = tanh(W_r [h_t ; v̄]): the recurrence sees words alone (Tanti et al. 2018)
        none   a language model that sees no picture, the blind baseline; with attention, s_0 = 0

    and, with `attention`, by the context of every step, c_t = Σ_s a_ts v_s (Xu et al. 2015).

    target:        the embedding of words, from ids `[B, T]` to vectors.
    size:          V.
    cell:          makes a cell from (input_size, hidden_size).
    picture:       the encoder of pictures; of clips, whose places are their frames.
    attention:     makes a scorer from (query_size, value_size); None: without attention.
    hidden_size, num_layers: of the decoder.
    read_places:   a recurrence in both directions over the places, row by row, gives the vectors that the rest reads;
                   its size is half of `hidden_size` in each direction.
    style, input_feeding, gated: see `Decoder`.
    hard:          see `HardAttention`; coverage: see `Attention`.
    between:       dropout between layers.
    dropout:       on the embeddings, on the places, and on the inputs of the softmax.
    tied:          `decoder`: the softmax shares the embedding's matrix; or `none`.
    engine:        of the recurrences.

    Raises UserError for values out of their range.
    """

    def __init__(
        self,
        target: nn.Module,
        size: int,
        cell: Callable[[int, int], Cell],
        picture: PictureEncoder | FrameEncoder,
        attention: Callable[[int, int], Scorer] | None = None,
        inject: Annotated[str, OneOf(INJECT)] = "init",
        hidden_size: Size = 256,
        num_layers: Layers = 1,
        read_places: bool = False,
        style: Annotated[str, OneOf(STYLES)] = "bahdanau",
        input_feeding: bool = False,
        gated: bool = False,
        hard: bool = False,
        coverage: bool = False,
        between: Fraction = 0.0,
        dropout: float = 0.0,
        tied: str = "none",
        engine: EngineName = "auto",
    ) -> None:
        super().__init__()
        one_of("model.inject", inject, INJECT)
        one_of("task.tied", tied, ("none", "decoder"))
        if getattr(target, "is_lookup", False):
            raise UserError("one-hot words: use embedding=random or embedding=word2vec")
        if attention is None and (coverage or gated or hard):
            raise UserError("model.coverage, gated and hard are of attention: use model=captioner_attention")
        self.target, self.picture, self.inject, self.size, self.tied = target, picture, inject, size, tied
        D, E, H = picture.output_size, int(target.width), hidden_size  # type: ignore[arg-type]
        self.reader = None
        if read_places:
            self.reader = RecurrentEncoder(D, cell, max(1, H // 2), bidirectional=True, engine=engine)
            D = self.reader.output_size
        like = cell(1, H)
        R = like.output_shape[0]
        Q = like.state_shapes[0][0] if style == "bahdanau" else R
        attends = None
        if attention is not None:
            kind = HardAttention if hard else Attention
            attends = kind(attention(Q, D), coverage=coverage, query_size=Q)
        C = D if inject in ("par", "merge") else 0
        fed_in = R if input_feeding else attends.context_size if attends and style == "bahdanau" else 0
        merge = inject == "merge"
        cells = [cell(R if index else E + (0 if merge else C) + fed_in, H) for index in range(num_layers)]
        self.decoder = Decoder(cells, E, C, attends, style, input_feeding, between, engine, merge, gated)
        self.starts = Starts(D, cells) if inject == "init" else None
        self.first_word = nn.Linear(D, E) if inject == "pre" else None
        self.dropout, self.output_dropout = Dropout(float(dropout)), Dropout(float(dropout))
        self.set_output(size, shared_weight(target, "task.tied=decoder", "embedding") if tied == "decoder" else None, E)

    def encode(self, inputs: UInt8[Tensor, "B C H W"] | Float[Tensor, "B S F"], mask: Bool[Tensor, "B 1"]) -> Source:
        """Pictures, or the features of their places, to the decoder's source.

        mask: of the pictures, which have one step each.
        """
        places = self.dropout(self.picture(inputs))
        mask = mask.expand(places.shape[:2])
        if self.reader is not None:
            places = self.reader(places, mask).outputs
        mean, attention = places.mean(1), self.decoder.attention
        layers: LayerState = tuple(cell.initial_state(mean) for cell in self.decoder.cells)
        if self.starts is not None:
            layers = self.starts(mean)
        source = Source(
            self.decoder.start(layers, mask),
            mask,
            mean if self.inject in ("par", "merge") else None,
            None if attention is None else attention.prepare(places, mask),
        )
        if self.first_word is None:
            return source
        state = self.decoder(self.first_word(mean)[:, None], source, None).state
        fresh = self.decoder.start(state.layers, mask)  # attention to the picture itself does not count
        return Source(fresh, mask, source.static_context, source.memory)

    @property
    def sees_pictures(self) -> bool:
        return self.inject != "none" or self.decoder.attention is not None

    def parts(self) -> dict[str, nn.Module]:
        """The encoder of pictures counts as part of the embedding: it is the same for every recurrence."""
        recurrent = (self.reader, self.starts, self.first_word, self.decoder)
        return {
            "embedding": nn.ModuleList([self.target, self.picture]),
            "recurrent": nn.ModuleList(part for part in recurrent if part is not None),
            "head": nn.ModuleList([self.output_projection, self.softmax]),
        }

    def engines(self) -> list[str]:
        places = torch.empty(1, 1, self.picture.output_size)
        return (self.reader.engines(places) if self.reader is not None else []) + self.decoder.engines()


class Starts(nn.Module):
    """The first state of each layer from a vector, s_0 = tanh(W v + b), for each of its tensors but counters."""

    def __init__(self, width: int, cells: list[Cell]) -> None:
        super().__init__()
        self.cells = tuple(cells)
        self.products = nn.ModuleList(
            nn.ModuleDict(
                {str(index): nn.Linear(width, torch.Size(shape).numel()) for index, shape in _real(cell).items()}
            )
            for cell in cells
        )

    def forward(self, v: Float[Tensor, "B D"]) -> LayerState:
        layers = []
        for cell, products in zip(self.cells, self.products, strict=True):
            state = list(cell.initial_state(v))
            for index, product in products.items():  # type: ignore[operator]
                state[int(index)] = torch.tanh(product(v)).reshape(state[int(index)].shape)
            layers.append(tuple(state))
        return tuple(layers)


def _real(cell: Cell) -> dict[int, tuple[int, ...]]:
    return {index: shape for index, shape in enumerate(cell.state_shapes) if index not in cell.counters()}


def doubly_stochastic(weights: Float[Tensor, "B T S"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, ""]:
    """Σ_s (1 - Σ_t a_ts)², summed over the batch: each place is to be looked at once (Xu et al. 2015, eq. 14).

    mask: the counted words.
    """
    attended = (weights * mask[..., None]).sum(1)
    return ((1 - attended) ** 2).sum(1)[mask.any(1)].sum()
