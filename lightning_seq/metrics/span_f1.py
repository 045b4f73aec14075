"""Precision, recall and F1 of spans that tags mark."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_seq.errors import UserError
from lightning_seq.metrics.precision_recall_f1 import precision_recall_f1
from lightning_seq.text.bio_tags import OUTSIDE, READ, parted


class SpanF1(Metric):
    """Over whole spans: one is right if begin, end and kind are right (Tjong Kim Sang & Buchholz 2000, `conlleval`).

    BIO and IOE1 are read as seqeval's default does (a tag that continues no span begins one), IOE2, IOBES and BILOU as
    its `mode="strict"` does (malformed spans do not count). A position whose mask is False is outside of any span.

    names:  the tags by id: `O`, or a letter of the scheme and a kind, `B-X`, or the letter alone.
    scheme: `bio`, `ioe1`, `ioe2`, `iobes` or `bilou`.
    kinds:  each X, sorted.

    The state is three counts for each kind, so the result is the same for any number of ranks.

    Raises UserError for another name.
    """

    full_state_update = False
    higher_is_better = True
    counts: Tensor
    kind: Tensor
    begins: Tensor
    ends: Tensor
    joined: Tensor

    def __init__(self, names: Sequence[str], scheme: str = "bio") -> None:
        super().__init__()
        read = READ[scheme]
        strange = next((name for name in names if parted(name, read.letters) is None), None)
        if strange is not None:
            raise UserError(f"spans need tags {read}, {strange!r} came: these tags mark no spans")
        parts = [parted(name, read.letters) or (OUTSIDE, "") for name in names]
        self.kinds = tuple(sorted({kind for _, kind in parts if kind}))
        numbers = [self.kinds.index(kind) if kind else -1 for _, kind in parts]
        tables = {
            "begins": [letter != OUTSIDE and (not read.strict or letter in read.begins) for letter, _ in parts],
            "ends": [letter != OUTSIDE and (not read.strict or letter in read.ends) for letter, _ in parts],
            "joined": [
                [before[1] == after[1] and before[0] + after[0] in read.joined for after in parts] for before in parts
            ],
        }
        self.register_buffer("kind", torch.tensor(numbers), persistent=False)
        for name, table in tables.items():
            self.register_buffer(name, torch.tensor(table), persistent=False)
        zeros = torch.zeros(len(self.kinds), 3, dtype=torch.int64)
        self.add_state("counts", zeros, dist_reduce_fx="sum")

    def update(self, predictions: Tensor, targets: Tensor, mask: Tensor) -> None:
        """Tag ids `[B, T]` and which of them count."""
        predicted, predicted_ends, predicted_kinds = self._spans(predictions, mask)
        true, true_ends, true_kinds = self._spans(targets, mask)
        right = predicted & true & (predicted_ends == true_ends) & (predicted_kinds == true_kinds)
        columns = ((right, true_kinds), (predicted, predicted_kinds), (true, true_kinds))
        for column, (places, kinds) in enumerate(columns):
            self.counts[:, column] += torch.bincount(kinds[places], minlength=len(self.kinds))

    def compute(self) -> dict[str, Tensor]:
        """`span_precision span_recall span_f1` of all kinds together; `span_counts` `[K, 3]` (see `span_table`)."""
        values = precision_recall_f1(*self.counts.sum(0))
        return {
            **{f"span_{name}": value for name, value in zip(("precision", "recall", "f1"), values, strict=True)},
            "span_counts": self.counts.clone(),
        }

    def _spans(self, tags: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`[B, T]` each: whether a span begins here, the last position of the span here, and its kind."""
        tags = tags.masked_fill(~mask, 0)
        kinds = self.kind[tags].masked_fill(~mask, -1)
        new = torch.ones_like(mask)
        new[:, 1:] = ~(self.joined[tags[:, :-1], tags[:, 1:]] & mask[:, :-1] & mask[:, 1:])
        # The last position of a span comes before the next position that is new.
        T = tags.shape[1]
        places = torch.arange(T, device=tags.device).expand_as(tags)
        following = torch.full_like(places, T)
        following[:, :-1] = torch.where(new[:, 1:], places[:, 1:], T)
        ends = following.flip(1).cummin(1).values.flip(1) - 1
        marked = new & mask & self.begins[tags] & self.ends[tags.gather(1, ends)]
        return marked, ends, kinds
