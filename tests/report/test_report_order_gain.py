"""The gain from order: the sentence about twins that differ in the order of their steps alone."""

from __future__ import annotations

from typing import Any

from lightning_seq.records.record import Record
from lightning_seq.report.order_gain import order_gains
from lightning_seq.report.scale import scale
from lightning_seq.report.verdict import Verdict
from lightning_seq.significance.compare import Decision, Pair


def record(label: str, order: str | None, **data: Any) -> Record:
    order_of = {} if order is None else {"order": order}
    return Record(
        status="done", name="x", label=label, seed=1, config={"model": {"hidden_size": 8}, "data": {**order_of, **data}}
    )


def pair(better: str, other: str, difference: float, low: float, high: float) -> Pair:
    return Pair(better, other, (3, 3), difference, low, high, 0.5, 0.0, Decision.OPEN)


PAIRS = (
    pair("gru", "gru-shuffled", 0.031, -0.01, 0.072),
    pair("gru-mean", "gru", 0.02, -0.03, 0.07),
    pair("gru-shuffled", "gru-mean", 0.01, 0.0, 0.02),
    pair("wide", "gru", 0.5, 0.4, 0.6),
)


def test_the_gain_has_the_sign_and_the_interval_of_the_ordered_twin() -> None:
    records = [record("gru", "as_is"), record("gru-shuffled", "shuffled"), record("gru-mean", "mean"),
               record("wide", "mean", stride=2)]  # fmt: skip
    (sentence,) = order_gains(records, Verdict(pairs=PAIRS, scale=scale("test/accuracy")))
    assert sentence == (
        "Gain from order, in points: gru 3.1 over gru-shuffled (95 % CI -1.0 to 7.2); "
        "gru -2.0 over gru-mean (95 % CI -7.0 to 3.0)."
    )


def test_nothing_is_said_of_labels_without_orders() -> None:
    verdict = Verdict(pairs=PAIRS, scale=scale("test/accuracy"))
    assert order_gains([record("gru", None), record("gru-mean", None)], verdict) == ()
    assert order_gains([record("gru", "as_is"), record("wide", "as_is")], verdict) == ()
    assert order_gains([record("gru", "as_is"), record("gru-mean", "mean")], Verdict()) == ()
