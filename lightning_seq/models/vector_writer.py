"""From a vector to a sequence."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell
from lightning_seq.errors import UserError
from lightning_seq.layers.dropout import Dropout
from lightning_seq.models.captioner import Starts
from lightning_seq.models.decoder import Decoder, Source
from lightning_seq.models.sequence_writer import SequenceWriter


class VectorWriter(SequenceWriter):
    """A decoder whose first state is made from a vector, s_0 = tanh(W v + b), for each tensor of its state.

    target:      the embedding of words, from ids `[B, T]` to vectors.
    size:        V.
    cell:        makes a cell from (input_size, hidden_size).
    width:       of the vectors; hidden_size: of the decoder.
    dropout:     on the embeddings and on the inputs of the softmax.
    """

    def __init__(
        self,
        target: nn.Module,
        size: int,
        cell: Callable[[int, int], Cell],
        width: int,
        hidden_size: int,
        dropout: float = 0.0,
        engine: str = "auto",
    ) -> None:
        super().__init__()
        if getattr(target, "is_lookup", False):
            raise UserError("task.answers=written reads words as vectors: use embedding=random or embedding=word2vec")
        E = int(target.width)  # type: ignore[arg-type]
        self.target, self.size = target, size
        self.decoder = Decoder([cell(E, hidden_size)], E, engine=engine)
        self.starts = Starts(width, self.decoder.cells)
        self.dropout, self.output_dropout = Dropout(float(dropout)), Dropout(float(dropout))
        self.set_output(size, None, E)

    def encode(self, inputs: Float[Tensor, "B D"], mask: Bool[Tensor, "B 1"]) -> Source:
        """Vectors to the decoder's source. mask: of the vectors, which have one step each."""
        return Source(self.decoder.start(self.starts(inputs), mask), mask)

    def parts(self) -> dict[str, nn.Module]:
        return {
            "embedding": self.target,
            "recurrent": nn.ModuleList([self.starts, self.decoder]),
            "head": nn.ModuleList([self.output_projection, self.softmax]),
        }

    def engines(self) -> list[str]:
        return self.decoder.engines()


def one_step(vectors: Tensor) -> Bool[Tensor, "B 1"]:
    """The mask of vectors `[B, D]`."""
    return torch.ones(len(vectors), 1, dtype=torch.bool, device=vectors.device)
