"""Span F1 against seqeval, and what tagging reports."""

from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import accuracy_score, classification_report
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support
from sklearn.metrics import confusion_matrix, f1_score
from torch import Tensor
from torchmetrics.utilities.data import dim_zero_sum

from lightning_seq.errors import UserError
from lightning_seq.metrics.precision_recall_f1 import span_table
from lightning_seq.metrics.span_f1 import SpanF1
from lightning_seq.metrics.tagging import TaggingMetrics
from lightning_seq.text.bio_tags import READ, spans_of

NAMES = ("I-per", "O", "B-loc.city", "B-per", "I-loc.city", "I-a-b", "B-a-b")
TAGS = st.sampled_from(range(len(NAMES)))


@st.composite
def tagged(draw: st.DrawFn) -> tuple[list[list[int]], list[list[int]]]:
    """Targets and predictions of some sentences; a prediction mostly repeats its target."""
    targets = draw(st.lists(st.lists(TAGS, max_size=9), min_size=1, max_size=5))
    return targets, [[draw(TAGS) if draw(st.integers(0, 3)) == 0 else tag for tag in row] for row in targets]


def padded(rows: list[list[int]], padding: int) -> tuple[Tensor, Tensor]:
    T = max(1, *map(len, rows))
    mask = torch.arange(T) < torch.tensor([len(row) for row in rows])[:, None]
    return torch.tensor([row + [padding] * (T - len(row)) for row in rows]), mask


def words(rows: list[list[int]]) -> list[list[str]]:
    return [[NAMES[tag] for tag in row] for row in rows]


@given(tagged(), TAGS)
@settings(max_examples=300, deadline=None)
def test_it_is_seqevals(rows: tuple[list, list], padding: int) -> None:
    targets, predictions = rows
    metric = SpanF1(NAMES)
    metric.update(padded(predictions, padding)[0], *padded(targets, -100))
    found = metric.compute()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = precision_recall_fscore_support(words(targets), words(predictions), average="micro")
        report = classification_report(words(targets), words(predictions), output_dict=True)
    values = [float(found[f"span_{name}"]) for name in ("precision", "recall", "f1")]
    assert values == pytest.approx([float(value) for value in expected[:3]], abs=1e-6)
    for row in span_table(metric.kinds, found["span_counts"]):
        if row["predicted"] or row["spans"]:
            own = report[row["kind"]]
            numbers = [own["precision"], own["recall"], own["f1-score"], own["support"]]
            assert [row["precision"], row["recall"], row["f1"], row["spans"]] == pytest.approx(numbers, abs=1e-6)
        else:
            assert row["kind"] not in report
            assert row["f1"] == 0
    assert metric.kinds == ("a-b", "loc.city", "per")


def test_spans_by_hand() -> None:
    """An I- that begins a span, one of another kind behind it, two that touch, and the end of the sentence."""
    metric = SpanF1(["O", "B-X", "I-X", "B-Y", "I-Y"])
    targets = torch.tensor([[2, 2, 4, 0, 1, 1, 2]])
    predictions = torch.tensor([[1, 2, 4, 4, 1, 2, 2]])  # X 0-1 right; Y 2-3 too long; X 4-6 for 4-4 and 5-6
    mask = torch.ones_like(targets, dtype=torch.bool)
    metric.update(predictions, targets, mask)
    assert metric.compute()["span_counts"].tolist() == [[1, 2, 3], [0, 1, 1]]
    metric.reset()
    metric.update(predictions, targets, mask & (torch.arange(7) != 3))
    assert metric.compute()["span_counts"].tolist() == [[1, 2, 3], [1, 1, 1]]


@given(tagged(), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_shares_of_ranks_add_up(rows: tuple[list, list], ranks: int) -> None:
    (targets, mask), (predictions, _) = padded(rows[0], -100), padded(rows[1], 0)
    whole = SpanF1(NAMES)
    whole.update(predictions, targets, mask)
    shares = [SpanF1(NAMES) for _ in range(ranks)]
    for rank, share in enumerate(shares):
        share.update(predictions[rank::ranks], targets[rank::ranks], mask[rank::ranks])
    reduce = whole._reductions["counts"]
    assert reduce is dim_zero_sum
    assert torch.equal(reduce(torch.stack([share.counts for share in shares])), whole.counts)


def test_tags_that_mark_no_spans_are_refused() -> None:
    with pytest.raises(UserError, match="'NOUN' came: these tags mark no spans"):
        SpanF1(["O", "NOUN"])


@given(tagged())
@settings(max_examples=50, deadline=None)
def test_tokens_that_count(rows: tuple[list, list]) -> None:
    (targets, mask), (predictions, _) = padded(rows[0], -100), padded(rows[1], 3)
    metrics = TaggingMetrics(NAMES)
    metrics.update(predictions, targets, mask & False)
    metrics.update(predictions, targets, mask)
    if not mask.any():
        return
    found = metrics.compute()
    flat = [[NAMES[tag] for row in part for tag in row] for part in rows]
    assert float(found["accuracy"]) == pytest.approx(accuracy_score([flat[0]], [flat[1]]))
    assert found["confusion"].tolist() == confusion_matrix(*flat, labels=NAMES).tolist()
    assert float(found["macro_f1"]) == pytest.approx(f1_score(*flat, average="macro"), abs=1e-6)
    spans = SpanF1(NAMES)
    spans.update(predictions, targets, mask)
    assert float(found["span_f1"]) == float(spans.compute()["span_f1"])
    metrics.reset()
    metrics.update(targets.clamp(min=0), targets, mask)
    again = metrics.compute()
    assert again["accuracy"] == 1
    assert again["span_f1"] == bool(again["span_counts"].any())


def test_tags_without_spans_have_no_span_f1() -> None:
    metrics = TaggingMetrics(["NOUN", "VERB"])
    metrics.update(torch.tensor([[0, 1]]), torch.tensor([[0, 0]]), torch.tensor([[True, True]]))
    assert sorted(metrics.compute()) == ["accuracy", "confusion", "macro_f1"]


@pytest.mark.parametrize("scheme", ["bio", "ioe1", "ioe2", "iobes", "bilou"])
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_every_scheme_counts_the_spans_that_seqeval_finds(scheme: str, data: st.DataObject) -> None:
    """`spans_of` is held against seqeval in tests/data/test_spans.py."""
    names = ["O", *(f"{letter}-{kind}" for letter in READ[scheme].letters for kind in ("a", "b-c"))]
    tag = st.integers(0, len(names) - 1)
    targets = data.draw(st.lists(st.lists(tag, max_size=7), min_size=1, max_size=4))
    predictions = [[data.draw(tag) if data.draw(st.booleans()) else old for old in row] for row in targets]
    metric = SpanF1(names, scheme)
    metric.update(padded(predictions, 1)[0], *padded(targets, -100))
    counts = [0, 0, 0]
    for one, other in zip(targets, predictions, strict=True):
        given, found = (set(spans_of([names[number] for number in row], scheme)) for row in (one, other))
        counts = [total + len(part) for total, part in zip(counts, (given & found, found, given), strict=True)]
    assert metric.compute()["span_counts"].sum(0).tolist() == counts


def test_letters_alone_are_spans_of_one_kind() -> None:
    metric = TaggingMetrics(["O", "B", "I"], "bio")
    tags = torch.tensor([[1, 2, 0, 1, 1]])
    metric.update(tags, tags, torch.ones_like(tags, dtype=torch.bool))
    assert metric.compute()["span_counts"].tolist() == [[3, 3, 3]]
    assert metric.spans is not None
    assert metric.spans.kinds == ("_",)
