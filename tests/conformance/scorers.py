"""Every scorer joins the conformance suite by one line; so does every way of attending."""

from __future__ import annotations

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.attention.attention import Attention
from lightning_seq.attention.bilinear import BilinearScorer
from lightning_seq.attention.concat import ConcatScorer
from lightning_seq.attention.cosine import CosineScorer
from lightning_seq.attention.dot import DotScorer
from lightning_seq.attention.location import LocationScorer
from lightning_seq.attention.multihead import MultiHeadScorer
from lightning_seq.attention.scaled_dot import ScaledDotScorer
from lightning_seq.conformance.scorers import Subject

Q, D = 4, 3

SCORERS: dict[str, Subject] = {
    "dot": Subject(lambda: DotScorer(Q, D)),
    "dot_equal_widths": Subject(lambda: DotScorer(Q, Q)),
    "scaled_dot": Subject(lambda: ScaledDotScorer(Q, D)),
    "scaled_dot_equal_widths": Subject(lambda: ScaledDotScorer(Q, Q)),
    "bilinear": Subject(lambda: BilinearScorer(Q, D)),
    "additive": Subject(lambda: AdditiveScorer(Q, D)),
    "additive_narrow_with_bias": Subject(lambda: AdditiveScorer(Q, D, hidden_size=2, bias=True)),
    "concat": Subject(lambda: ConcatScorer(Q, D)),
    "concat_wide": Subject(lambda: ConcatScorer(Q, D, hidden_size=5)),
    "cosine": Subject(lambda: CosineScorer(Q, D)),
    "cosine_fixed_temperature": Subject(lambda: CosineScorer(Q, Q, temperature=0.5, learned=False)),
    "location": Subject(lambda: LocationScorer(Q, D, max_length=12)),
    "multihead": Subject(lambda: MultiHeadScorer(Q, D, heads=2)),
    "multihead_one_head": Subject(lambda: MultiHeadScorer(Q, Q, heads=1)),
    "multihead_head_size": Subject(lambda: MultiHeadScorer(Q, D, heads=3, head_size=2)),
}

AROUND: dict[str, Subject] = {
    f"{name}_{how}": Subject(SCORERS[name].make, attention)
    for name in ("dot", "additive", "cosine", "concat", "location", "multihead")
    for how, attention in {
        "monotonic": lambda scorer: Attention(scorer, "monotonic", window=1),
        "predictive": lambda scorer: Attention(scorer, "predictive", window=2),
        "coverage": lambda scorer: Attention(scorer, coverage=True),
        "monotonic_coverage": lambda scorer: Attention(scorer, "monotonic", window=2, coverage=True),
    }.items()
    if "coverage" not in how or name != "location"
}
