"""A vector for each spelling, from its characters."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.cells.cell import Cell
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.layers.bidirectional import Bidirectional
from lightning_seq.layers.dropout import Dropout, check_rate


class CharacterCNN(nn.Module):
    """A convolution over a word's characters, and its maximum (Ma & Hovy 2016, sec. 2.1).

        y_i = W [e_{i-l} ; … ; e_{i+r}] + b,  f = max_i y_i over the word's positions, with zeros around the word

    vocabulary_size: the number of characters, with the padding (id 0).
    embedding_size:  width of e.
    channels:        F, filters; output_size.
    width:           l + 1 + r, the characters in a filter's window; l = ⌊width/2⌋.
    dropout:         on e.

    Raises UserError for sizes below 1 and a dropout outside [0, 1).
    """

    def __init__(
        self, vocabulary_size: int, embedding_size: int = 30, channels: int = 50, width: int = 3, dropout: float = 0.0
    ) -> None:
        super().__init__()
        _check(vocabulary_size=vocabulary_size, embedding_size=embedding_size, channels=channels, width=width)
        self.embedding = Embedding(vocabulary_size, embedding_size)
        self.dropout = Dropout(check_rate("the dropout of characters", dropout))
        self.filters = nn.Linear(width * embedding_size, channels)
        self.width, self.output_size = width, channels

    def forward(self, characters: Int[Tensor, "U C"]) -> Float[Tensor, "U F"]:
        """Of spellings, padded with 0; zeros for an empty one."""
        left = self.width // 2
        real = characters != 0
        # Only windows of real characters: half of a batch is padding.
        windows = functional.pad(characters, (left, self.width - 1 - left)).unfold(1, self.width, 1)[real]
        y = self.filters(self.dropout(self.embedding(windows)).flatten(1))
        highest = torch.segment_reduce(y, "max", lengths=real.sum(1), unsafe=True)
        return torch.where(real.any(1, keepdim=True), highest, torch.zeros_like(highest))


class CharacterRecurrent(nn.Module):
    """A recurrent network over a word's characters, in both directions (Lample et al. 2016, sec. 4.1).

        f = [h→ after the last character ; h← after the first]

    vocabulary_size: the number of characters, with the padding (id 0).
    cell:            makes a cell from (input_size, hidden_size).
    embedding_size:  width of a character's vector.
    hidden_size:     H of each direction; F = output_size is twice the cell's output size.
    dropout:         on the characters' vectors.
    engine:          `auto`, `fused`, `aten`, `native` or `loop`.

    Raises UserError for sizes below 1 and a dropout outside [0, 1).
    """

    def __init__(
        self,
        vocabulary_size: int,
        cell: Callable[[int, int], Cell],
        embedding_size: int = 30,
        hidden_size: int = 25,
        dropout: float = 0.0,
        engine: str = "auto",
    ) -> None:
        super().__init__()
        _check(vocabulary_size=vocabulary_size, embedding_size=embedding_size, hidden_size=hidden_size)
        self.embedding = Embedding(vocabulary_size, embedding_size)
        self.dropout = Dropout(check_rate("the dropout of characters", dropout))
        cells = [cell(embedding_size, hidden_size) for _ in range(2)]
        self.recurrent = Bidirectional(cells[0], cells[1], engine=engine)
        self.output_size = self.recurrent.output_size

    def forward(self, characters: Int[Tensor, "U C"]) -> Float[Tensor, "U F"]:
        """Of spellings, padded with 0; zeros for an empty one."""
        _, runs = self.recurrent.directions(self.dropout(self.embedding(characters)), characters != 0)
        return torch.cat([run.last for run in runs], 1)


def _check(**sizes: int) -> None:
    for name, size in sizes.items():
        if type(size) is not int or size < 1:
            raise UserError(f"{name} of characters is {size}, expected a whole number of at least 1")
