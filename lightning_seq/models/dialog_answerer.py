"""From a picture, a question and the turns before it to an answer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell
from lightning_seq.errors import UserError, one_of
from lightning_seq.layers.dropout import Dropout, check_rate
from lightning_seq.models.answerer import FUSIONS, Fusion
from lightning_seq.models.dialog_history import HISTORIES, MakeEncoder, Sentences, history
from lightning_seq.models.encoder import EncoderModel
from lightning_seq.models.head import head
from lightning_seq.models.picture.encoder import PictureEncoder
from lightning_seq.models.pooling import pooling as choose_pooling
from lightning_seq.models.softmax import token_scores
from lightning_seq.models.vector_writer import VectorWriter, one_step
from lightning_seq.text.vocabulary import PAD

ANSWERS = ("ranked", "written")
POSITIONS = 2**16
"""Positions of answers that are scored at once."""


class DialogAnswerer(EncoderModel):
    """Scores of answers, or written answers (Das et al. 2017).

    q is the pooled question and h the vector of the turns before, see `models.dialog_history`. With a history
    e = tanh(W [q ; h]), else e = q. `Fusion` joins e with the picture, as in `Answerer`; `question` leaves out the
    picture (the blind baseline) and `picture` all else. c is the output of the head:

        ranked   the score of an answer is c · a, a its words pooled after an encoder of their own (discriminative)
        written  c makes the first state of a decoder; the score of an answer is its log-likelihood (generative)

    embedding: of all words; make: of the encoders of questions, facts, turns and answers, from the width of their
               inputs; word_width: of the word vectors.
    size, cell: V, and the cell of the decoder.
    history:    one of `HISTORIES`; answers: one of `ANSWERS`.
    fusion, width, hops, pooling, head_sizes, dropout: see `Answerer`; width: also of e and of the decoder.

    Raises UserError for values out of their range.
    """

    head_modules = ("pooling", "joint", "fusion", "head")

    def __init__(
        self,
        embedding: nn.Module,
        make: MakeEncoder,
        word_width: int,
        size: int,
        cell: Callable[[int, int], Cell],
        picture: PictureEncoder,
        history_kind: str = "hierarchical",
        answers: str = "ranked",
        fusion: str = "stacked_attention",
        width: int = 128,
        hops: int = 2,
        pooling: str = "auto",
        head_sizes: tuple[int, ...] = (),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        one_of("task.history", history_kind, HISTORIES)
        one_of("task.answers", answers, ANSWERS)
        one_of("task.fusion", fusion, FUSIONS)
        if width < 1 or hops < 1:
            raise UserError(f"task.width is {width} and task.hops {hops}: expected at least 1 each")
        dropout = check_rate("task.dropout", dropout)
        self.embedding, self.encoder, self.kind = embedding, make(word_width), fusion
        self.picture = None if fusion == "question" else picture
        self.pooling = choose_pooling(pooling, self.encoder)
        Q = self.pooling.width
        self.history = None if fusion == "picture" else history(history_kind, make, word_width, pooling, Q)
        self.joint = nn.Identity() if self.history is None else nn.Linear(Q + self.history.width, width)
        self.fusion = Fusion(fusion, Q if self.history is None else width, picture, width, hops)
        self.dropout = Dropout(dropout)
        self.answers = Sentences(make(word_width), pooling) if answers == "ranked" else None
        D = width if self.answers is None else self.answers.width
        self.head = head(self.fusion.output_size, head_sizes, D, dropout)
        self.writer = VectorWriter(embedding, size, cell, D, width, dropout) if answers == "written" else None

    def forward(
        self,
        inputs: Int[Tensor, "B T"],
        mask: Bool[Tensor, "B T"],
        pictures: UInt8[Tensor, "B C H W"] | Float[Tensor, "B P F"],
        history: Int[Tensor, "B K S"],
        answers: Int[Tensor, "A U"],
    ) -> Float[Tensor, "B A"]:
        """The score of every answer for every row: before the softmax over answers, or its log-likelihood."""
        return self.scores(self.context(inputs, mask, pictures, history)[0], answers)

    def context(
        self, inputs: Tensor, mask: Tensor, pictures: Tensor, history: Tensor
    ) -> tuple[Float[Tensor, "B D"], Tensor | None, Tensor | None]:
        """c, the attention to the places of the picture `[B, hops, S]`, and that to the facts `[B, K]`, or None."""
        e, looks = self.read(inputs, mask), None
        if self.history is not None:
            h, looks = self.history(history, e, self._embed)
            e = torch.tanh(self.joint(torch.cat([e, h], 1)))
        joined, weights = self.fusion(e, None if self.picture is None else self.picture(pictures))
        return self.head(joined), weights, looks

    def read(self, inputs: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B Q"]:
        """The pooled questions."""
        return self.pooling(self.encoder(self._embed(inputs), mask))

    def _embed(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        return self.dropout(x) if x.is_floating_point() else x

    def scores(self, context: Float[Tensor, "B D"], answers: Int[Tensor, "A U"]) -> Float[Tensor, "B A"]:
        """Of every answer for every row."""
        if self.answers is not None:
            return context @ self.answers(self._embed(answers), answers != PAD).T
        rows = torch.arange(len(context), device=context.device).repeat_interleave(len(answers))
        places = torch.arange(len(answers), device=context.device).repeat(len(context))
        return self.likelihoods(context, answers, rows, places).view(len(context), len(answers))

    @property
    def written(self) -> VectorWriter:
        """Raises TypeError for a model that ranks answers."""
        if self.writer is None:
            raise TypeError("a model of task.answers=ranked writes no answers")
        return self.writer

    @torch.no_grad()
    def likelihoods(
        self, context: Tensor, answers: Tensor, rows: Int[Tensor, "N"], places: Int[Tensor, "N"]
    ) -> Float[Tensor, "N"]:
        """log p of the answers at these places for these rows, in nats; without a gradient."""
        found, step = [context.new_zeros(0)], max(1, POSITIONS // answers.shape[1])
        for row, place in zip(rows.split(step), places.split(step), strict=True):
            targets, vectors = answers[place], context[row]
            mask = targets != PAD
            hidden = self.written(vectors, one_step(vectors), targets, mask).hidden
            of_words, _ = token_scores(self.written.softmax, hidden[mask], targets[mask], self.written.size)
            losses = of_words.new_zeros(targets.shape)
            losses[mask] = of_words
            found.append(-losses.sum(1))
        return torch.cat(found)

    def parts(self) -> dict[str, nn.Module]:
        """The encoder of pictures counts as part of the embedding: it is the same for every recurrence."""
        writer = {} if self.writer is None else self.writer.parts()
        recurrent = (self.encoder, self.history, self.answers, writer.get("recurrent"))
        head = (*(getattr(self, name) for name in self.head_modules), writer.get("head"))
        parts = {"embedding": (self.embedding, self.picture), "recurrent": recurrent, "head": head}
        return {name: nn.ModuleList(one for one in part if one is not None) for name, part in parts.items()}
