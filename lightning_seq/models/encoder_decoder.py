"""From one sequence to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lightning_seq.attention.attention import LOCAL, Attention
from lightning_seq.attention.scorer import Scorer
from lightning_seq.cells.cell import Cell
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.engines.choice import EngineName
from lightning_seq.errors import UserError, one_of
from lightning_seq.layers.bidirectional import Merge
from lightning_seq.layers.dropout import Dropout
from lightning_seq.layers.mask import lengths_of, reverse
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.models.bridge import BRIDGES, Bridge
from lightning_seq.models.decoder import STYLES, Decoder, Source
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.sequence_writer import SequenceWriter
from lightning_seq.models.softmax import shared_weight
from lightning_seq.spec import Encoded
from lightning_seq.value_types import Fraction, Layers, OneOf, Size

CONTEXTS = ("none", "final", "mean", "both")
TIED = ("none", "decoder", "all")


class EncoderDecoder(SequenceWriter):
    """Encode, bridge, decode (Sutskever et al. 2014; Cho et al. 2014), with attention: encode, attend, decode
    (Bahdanau et al. 2015; Luong et al. 2015).

        P(y_t | y_1 … y_{t-1}, x) = softmax(W r_t + b),  r_t as in `Decoder`

    source, target: embeddings of both sides, from ids `[B, T]` to vectors.
    size:           V, of the target.
    cell:           makes a cell of the encoder from (input_size, hidden_size).
    decoder_cell:   of the decoder; None: the same.
    attention:      makes a scorer from (query_size, value_size); None: without attention.
    hidden_size, num_layers, bidirectional, merge: of the encoder, see `RecurrentEncoder`.
    decoder_hidden_size, decoder_layers: None: as the encoder (of several sizes its top layer's), with one direction.
    context:        static context of every decoder step: `none`; `final`, the output of the encoder's last step; `mean`
                    of its outputs; `both`.
    style, input_feeding: see `Decoder`.
    local, window, coverage: see `Attention`.
    bridge:         see `Bridge`.
    reverse_source: the encoder reads each sentence from its end (Sutskever et al. 2014, sec. 3.3); attention keeps the
                    original positions.
    between:        dropout between layers.
    dropout:        on the embeddings, and on the inputs of the softmax.
    tied:           `decoder`: the softmax shares the target embedding's matrix; `all`: the source embedding too.
    pyramid:        of the encoder, see `RecurrentEncoder`.
    engine:         of encoder and decoder.

    Raises UserError for values out of their range, for a decoder without any input from the source, and for tied
    matrices that cannot be shared.
    """

    def __init__(
        self,
        source: nn.Module,
        target: nn.Module,
        size: int,
        cell: Callable[[int, int], Cell],
        attention: Callable[[int, int], Scorer] | None = None,
        decoder_cell: Callable[[int, int], Cell] | None = None,
        hidden_size: Size | Sequence[Size] = 256,
        num_layers: Layers | None = None,
        bidirectional: bool = True,
        merge: Merge = "concat",
        decoder_hidden_size: Size | None = None,
        decoder_layers: Layers | None = None,
        context: Annotated[str, OneOf(CONTEXTS)] = "none",
        style: Annotated[str, OneOf(STYLES)] = "bahdanau",
        input_feeding: bool = False,
        local: Annotated[str, OneOf(LOCAL)] = "none",
        window: Size = 10,
        coverage: bool = False,
        bridge: Annotated[str, OneOf(BRIDGES)] = "linear",
        reverse_source: bool = False,
        between: Fraction = 0.0,
        dropout: float = 0.0,
        tied: str = "none",
        pyramid: bool = False,
        engine: EngineName = "auto",
    ) -> None:
        super().__init__()
        one_of("model.context", context, CONTEXTS)
        one_of("task.tied", tied, TIED)
        if attention is None and context == "none" and bridge == "zeros":
            raise UserError(
                "model.bridge=zeros without context and attention gives the decoder no input from the source"
            )
        if attention is None and (coverage or local != "none"):
            raise UserError("model.coverage and model.local need attention: use model=encoder_decoder_attention")
        for name, module in (("source", source), ("target", target)):
            if getattr(module, "is_lookup", False):
                raise UserError(f"one-hot inputs on the {name} side: use embedding=random or embedding=word2vec")
        make = decoder_cell or cell
        last = hidden_size if isinstance(hidden_size, int) else list(hidden_size)[-1]
        H, layers = decoder_hidden_size or last, decoder_layers
        if layers is None:
            layers = (1 if isinstance(hidden_size, int) else len(hidden_size)) if num_layers is None else num_layers
        if layers < 1:
            raise UserError(f"model.decoder_layers is {layers}, expected at least 1")
        like = make(1, H)
        R = like.output_shape[0]
        Q = like.state_shapes[0][0] if style == "bahdanau" else R
        self.source, self.target = source, target
        self.encoder = RecurrentEncoder(
            _width(source), cell, hidden_size, num_layers, bidirectional, merge=merge, dropout=between, pyramid=pyramid,
            engine=engine,
        )  # fmt: skip
        D, final = self.encoder.output_size, int(self.encoder.final_size or 0)
        C = {"none": 0, "final": final, "mean": D, "both": final + D}[context]
        attends = Attention(attention(Q, D), local, window, coverage, Q) if attention is not None else None
        E = _width(target)
        fed_in = R if input_feeding else attends.context_size if attends and style == "bahdanau" else 0
        cells = [make(R if index else E + C + fed_in, H) for index in range(layers)]
        self.decoder = Decoder(cells, E, C, attends, style, input_feeding, between, engine)
        self.bridge = Bridge(bridge, self._directions(), cells)
        self.context, self.reverse_source = context, reverse_source
        self.dropout, self.output_dropout = Dropout(float(dropout)), Dropout(float(dropout))
        self.set_output(size, self._shared(tied) if tied != "none" else None, E)
        self.size, self.tied = size, tied

    def _directions(self) -> list[list[Cell]]:
        return [
            [part.cell for part in layer.modules() if isinstance(part, Recurrent)]
            for layer in self.encoder.stack.layers
        ]

    def _shared(self, tied: str) -> nn.Parameter:
        source, target = self.source, self.target
        weight = shared_weight(target, f"task.tied={tied}", "target embedding")
        if tied == "all":
            if not isinstance(source, Embedding) or source.weight.shape != weight.shape:
                raise UserError(
                    "task.tied=all needs one vocabulary for both sides: give data.joint_vocabulary=true, or use "
                    "task.tied=decoder"
                )
            source.weight = weight
        return weight

    def encode(self, inputs: Int[Tensor, "B S"], mask: Bool[Tensor, "B S"]) -> Source:
        """Sentences to the decoder's source."""
        return self.source_of(self.encoded(self.source(inputs), mask))

    def encoded(self, inputs: Float[Tensor, "B S E"], mask: Bool[Tensor, "B S"]) -> Encoded:
        """Embedded inputs to the outputs and the state of the encoder."""
        lengths = lengths_of(inputs, mask) if self.reverse_source else None
        inputs = reverse(inputs, lengths) if self.reverse_source else inputs
        encoded = self.encoder(self.dropout(inputs), mask)
        if not self.reverse_source:
            return encoded
        return replace(encoded, outputs=reverse(encoded.outputs, lengths_of(encoded.outputs, encoded.mask)))

    def source_of(self, encoded: Encoded) -> Source:
        """The decoder's source."""
        outputs, mask = encoded.outputs, encoded.mask
        contexts = list[Tensor]()
        if self.context in ("final", "both") and encoded.last is not None:
            contexts.append(encoded.last)
        if self.context in ("mean", "both"):
            contexts.append(outputs.sum(1) / mask.sum(1, keepdim=True).clamp(min=1))
        attention = self.decoder.attention
        return Source(
            self.decoder.start(self.bridge(encoded.state), mask),
            mask,
            torch.cat(contexts, 1) if contexts else None,
            None if attention is None else attention.prepare(outputs, mask),
        )

    def parts(self) -> dict[str, nn.Module]:
        """Bridge, attention and readout are part of the recurrence."""
        return {
            "embedding": nn.ModuleList([self.source, self.target]),
            "recurrent": nn.ModuleList([self.encoder, self.bridge, self.decoder]),
            "head": nn.ModuleList([self.output_projection, self.softmax]),
        }

    def engines(self) -> list[str]:
        return self.encoder.engines(torch.empty(1, 1, _width(self.source))) + self.decoder.engines()


def _width(embedding: nn.Module) -> int:
    return int(embedding.width)  # type: ignore[arg-type]


def coverage_penalty(weights: Float[Tensor, "B T S"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, ""]:
    """Σ_t Σ_s min(a_{t,s}, Σ_{t'<t} a_{t',s}): repeated attention (See et al. 2017, eq. 12).

    mask: the counted targets.
    """
    before = weights.cumsum(1) - weights
    return torch.minimum(weights, before).sum(2)[mask].sum()
