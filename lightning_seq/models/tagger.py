"""A tag for every position of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.layers.dropout import Dropout, check_rate
from lightning_seq.layers.dropout import dropout as make_dropout
from lightning_seq.losses.cross_entropy import cross_entropy_sum
from lightning_seq.models.characters import CharacterCNN, CharacterRecurrent
from lightning_seq.models.crf import FORBIDDEN, LinearChainCRF
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.pooling import Pooling, pooling
from lightning_seq.text.word_case import CASES


class Tagger(nn.Module):
    """Embedding, encoder, a score for each tag at each position; a softmax or a CRF over the scores.

        x_t = [word vector ; character vector ; case vector],  P_t = W h_t + b

    embedding:  from ids `[B, T]` to vectors `[B, T, E]` (or the ids themselves, for one-hot inputs).
    encoder:    makes the encoder for inputs of a width.
    width:      E.
    tags:       C.
    crf:        over C tags, or None for a softmax at each position (Huang et al. 2015; Lample et al. 2016).
    characters: from spellings `[U, characters]` to vectors `[U, F]`, or None.
    case:       width of a vector for each of `CASES`; 0 for none.
    intents:    classes of whole sentences, from the pooled outputs of the encoder; 0 for none.
    dropout:    on x and on h; `locked` draws one mask for all positions of a sentence (Gal & Ghahramani 2016).

    Raises UserError for one-hot inputs with characters or case.
    """

    def __init__(
        self,
        embedding: nn.Module,
        encoder: Callable[[int], Encoder],
        width: int,
        tags: int,
        crf: LinearChainCRF | None = None,
        characters: CharacterCNN | CharacterRecurrent | None = None,
        case: int = 0,
        intents: int = 0,
        dropout: float = 0.0,
        locked: bool = False,
    ) -> None:
        super().__init__()
        if type(case) is not int or case < 0:
            raise UserError(f"task.case is {case}, expected the width of a vector, or 0 for none")
        if getattr(embedding, "is_lookup", False) and (case or characters is not None):
            key = "task.characters" if characters is not None else "task.case"
            raise UserError(
                f"{key} adds to the vectors of words, and one-hot inputs have none: use embedding=word2vec or "
                "embedding=random, or task.characters=none task.case=0"
            )
        dropout = check_rate("task.dropout", dropout)
        self.embedding, self.characters, self.crf = embedding, characters, crf
        self.case = Embedding(len(CASES), case, padding=None) if case else None
        self.width = width + case + (characters.output_size if characters is not None else 0)
        self.embedding_dropout, self.output_dropout = make_dropout(dropout, locked), make_dropout(dropout, locked)
        self.encoder = encoder(self.width)
        self.head = nn.Linear(self.encoder.output_size, tags)
        self.pooling: Pooling | None = None
        self.intents: nn.Module | None = None
        if intents:
            self.pooling = pooling("auto", self.encoder)
            self.intents = nn.Sequential(Dropout(dropout), nn.Linear(self.pooling.width, intents))

    def forward(self, inputs: Tensor, mask: Tensor, extra: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Ids `[B, T]`, mask `[B, T]` and a batch's `extra` to scores of tags `[B, T, C]` and of intents `[B, I]`.

        Scores before the softmax, or P of the CRF; without intents the second is None.
        """
        x = self.embedding(inputs)
        if x.is_floating_point():
            vectors = [x]
            if self.characters is not None:
                vectors.append(functional.embedding(extra["spelling"], self.characters(extra["characters"])))
            if self.case is not None:
                vectors.append(self.case(extra["case"]))
            x = self.embedding_dropout(torch.cat(vectors, -1) if len(vectors) > 1 else x)
        encoded = self.encoder(x, mask)
        scores = self.head(self.output_dropout(encoded.outputs))
        if self.pooling is None or self.intents is None:
            return scores, None
        return scores, self.intents(self.pooling(encoded))

    def loss_sum(self, scores: Tensor, targets: Tensor, mask: Tensor, counts: Tensor) -> Tensor:
        """Negative log-likelihood of the tags that count, in nats, a sum over the batch.

        counts: `[B, T]`, within the mask. The CRF's value is -log p of all counted tags of a sentence together, summed
                over all tags at the other positions.
        """
        if self.crf is None:
            return cross_entropy_sum(scores.flatten(0, 1), targets.flatten(), counts.flatten())
        if bool((counts == mask).all()):
            return self.crf.negative_log_likelihood(scores, targets, mask).sum()
        scores = scores.float()
        tags = torch.arange(scores.shape[-1], device=scores.device)
        possible = (tags == targets[..., None]) | ~counts[..., None]
        agreeing = self.crf.log_partition(scores.masked_fill(~possible, FORBIDDEN), mask)
        return (self.crf.log_partition(scores, mask) - agreeing).sum()

    def decode(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The tags `[B, T]`: the likeliest at each position, or the CRF's best path; 0 where the mask is False."""
        if self.crf is not None:
            return self.crf.viterbi(scores, mask)[0]
        return scores.argmax(-1).masked_fill(~mask, 0)

    def best_paths(self, scores: Tensor, mask: Tensor, n_best: int) -> tuple[Tensor, Tensor]:
        """The CRF's K best paths `[B, K, T]`, as `LinearChainCRF.decode` returns them, and the log-probability of each
        `[B, K]` among all allowed paths, in nats. Raises TypeError without a CRF."""
        if self.crf is None:
            raise TypeError("this tagger has no CRF: it chooses each tag independently, and ranks no paths")
        paths, values = self.crf.decode(scores, mask, n_best)
        return paths, values - self.crf.log_partition(scores, mask, constrained=True)[:, None]

    def probabilities(self, scores: Tensor, mask: Tensor) -> Tensor:
        """`[B, T, C]`: the marginal of each tag at each position; zero where the mask is False."""
        if self.crf is not None:
            return self.crf.marginals(scores, mask)
        return torch.softmax(scores, -1) * mask[..., None]

    def parts(self) -> dict[str, nn.Module]:
        """As `models/parameters.py` counts them; characters and case are part of the embedding."""
        inputs = (self.embedding, self.characters, self.case)
        outputs = (self.head, self.crf, self.pooling, self.intents)
        return {
            "embedding": nn.ModuleList(part for part in inputs if part is not None),
            "recurrent": self.encoder,
            "head": nn.ModuleList(part for part in outputs if part is not None),
        }

    def engines(self) -> list[str]:
        ids = torch.zeros(1, 1, dtype=torch.int64)
        one_hot = getattr(self.embedding, "is_lookup", False)
        return self.encoder.engines(ids if one_hot else torch.zeros(1, 1, self.width))
