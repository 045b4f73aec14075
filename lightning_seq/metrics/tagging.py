"""The metrics of tagging, exact over any number of ranks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lightning_seq.metrics.classification import classification_metrics
from lightning_seq.metrics.span_f1 import SpanF1
from lightning_seq.text.bio_tags import scheme_of


class TaggingMetrics(nn.Module):
    """Of each token that counts: accuracy, macro-F1 and confusion; of spans `SpanF1`, if the tags mark spans.

    names:  the tags by id.
    scheme: of the spans, `none` without spans; None: BIO if the names fit it.
    """

    def __init__(self, names: Sequence[str], scheme: str | None = None) -> None:
        super().__init__()
        self.tokens = classification_metrics(len(names))
        scheme = scheme_of(names, scheme)
        self.spans = SpanF1(names, scheme) if scheme != "none" else None

    def update(self, predictions: Tensor, targets: Tensor, mask: Tensor) -> None:
        """Tag ids `[B, T]` and which of them count (possibly none)."""
        if not bool(mask.any()):
            return
        self.tokens.update(predictions[mask], targets[mask])
        if self.spans is not None:
            self.spans.update(predictions, targets, mask)

    def compute(self) -> dict[str, Tensor]:
        """`accuracy macro_f1 confusion [C, C]`, and the values of `SpanF1`."""
        return {**self.tokens.compute(), **({} if self.spans is None else self.spans.compute())}

    def reset(self) -> None:
        self.tokens.reset()
        if self.spans is not None:
            self.spans.reset()
