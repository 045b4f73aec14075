"""The official score of SemEval-2010 task 8, against what the official scorer printed and against its rules."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.metrics.relation_f1 import RelationF1

RELATIONS = (
    "Cause-Effect", "Component-Whole", "Content-Container", "Entity-Destination", "Entity-Origin", "Instrument-Agency",
    "Member-Collection", "Message-Topic", "Product-Producer",
)  # fmt: skip
NAMES = (*(f"{relation}({direction})" for relation in RELATIONS for direction in ("e1,e2", "e2,e1")), "Other")

# Printed by the official scorer, version 1.2, for one system's 2,717 answers: the (2*9+1)-way confusion matrix, a row
# for each class of the key.
PRINTED = """
101  14   0   1   0   0   1   0   0   0   1   2   0   1   2   0   0   0  11
  7 162   0   0   0   0   0   0  11   0   0   0   0   2   0   0   0   3   9
  0   1 102  17   4   4   3   1   2   1   0   2   3   6   3   0   0   2  11
  0   1  24  85   0   1   2   0   0   1   0   5   0   2   2   2   0   2  23
  0   0   1   1 130   7   6   1   3   0   0   0   0   1   0   0   0   1   2
  0   0   0   4   1  26   1   0   2   1   0   0   0   1   0   0   0   0   3
  0   0   1   0  13   3 255   3   1   1   0   1   0   0   2   0   0   3   8
  0   0   0   0   0   0   0   1   0   0   0   0   0   0   0   0   0   0   0
  2   1   0   0   0   0   7   0 163   6   0   1   0   4   2   0   6   0  19
  1   0   1   0   1   1   0   0   7  27   0   1   0   0   0   0   0   1   7
  0   0   1   0   0   1   0   0   0   0   4   3   1   0   1   0   0   1  10
  1   1   3   8   0   0   1   0   2   1   4  76   0   1   3   2   0   6  25
  0   0   2   0   0   0   1   0   2   0   0   1  15   3   0   1   1   0   6
  0   0   6   3   1   0   0   0   1   0   1   0   9 161   2   1   0   5  11
  0   0   1   6   0   1   3   0   0   0   0   2   0   2 148  17   2   7  21
  0   0   0   0   0   0   0   0   0   0   0   1   0   0   8  31   2   3   6
  1   6   1   2   0   0   1   1   5   0   0   0   0   3   1   2  61  13  11
  0   0   1   4   0   0   3   0   2   2   0   8   0   2   2   3   8  71  17
  3  12  15  34  22   3  28   2  36   7   2  18   4  37  31   7  10  20 163
"""
# ... and, for each relation, right answers, answers (of the wrong direction too) and how many there are.
COUNTS = (
    (263, 293 + 21, 328), (187, 283 + 41, 312), (156, 211 + 8, 192), (256, 318 + 3, 292), (190, 271 + 13, 258),
    (80, 126 + 7, 156), (176, 246 + 12, 233), (179, 248 + 25, 261), (132, 207 + 21, 231),
)  # fmt: skip


def metric_of(predictions: list[int] | Tensor, targets: list[int] | Tensor) -> dict[str, Tensor]:
    metric = RelationF1(NAMES)
    metric.update(torch.as_tensor(predictions, dtype=torch.int64), torch.as_tensor(targets, dtype=torch.int64))
    return metric.compute()


def test_what_the_official_scorer_printed() -> None:
    confusion = torch.tensor([[int(number) for number in line.split()] for line in PRINTED.strip().splitlines()])
    assert int(confusion.sum()) == 2717
    targets, predictions = confusion.nonzero().repeat_interleave(confusion[confusion > 0], 0).unbind(1)
    found = metric_of(predictions, targets)
    printed = [f"{100 * float(found[f'relation_{name}']):.2f}" for name in ("precision", "recall", "f1")]
    assert printed == ["67.91", "70.58", "69.10"]
    assert [tuple(row) for row in found["relation_counts"].tolist()] == list(COUNTS)


def by_the_rules(predictions: list[int], targets: list[int]) -> list[float]:
    """Example by example, as the scorer's description says it; percent."""
    right, answered, wrong_direction, there = (dict.fromkeys((*RELATIONS, "Other"), 0) for _ in range(4))
    for prediction, target in zip(predictions, targets, strict=True):
        proposed, answer = NAMES[prediction].split("(")[0], NAMES[target].split("(")[0]
        there[answer] += 1
        if prediction != target and proposed == answer:
            wrong_direction[answer] += 1
        else:
            answered[proposed] += 1
            right[answer] += prediction == target
    sums, labels = [0.0, 0.0, 0.0], [name for name in RELATIONS if there[name]]
    for name in labels:
        P = 100 * right[name] / (answered[name] + wrong_direction[name]) if answered[name] else 0.0
        R = 100 * right[name] / there[name]
        F1 = 2 * P * R / (P + R) if P + R else 0.0
        sums = [total + value for total, value in zip(sums, (P, R, F1), strict=True)]
    return [total / len(labels) if labels else 0.0 for total in sums]


CLASSES = st.sampled_from(range(len(NAMES)))


@given(st.lists(st.tuples(CLASSES, CLASSES, st.booleans(), st.booleans()), max_size=60))
@settings(max_examples=200, deadline=None)
def test_the_scorers_rules(drawn: list[tuple[int, int, bool, bool]]) -> None:
    targets = [target for target, *_ in drawn]
    predictions = [
        (target if turned or target == 18 else target ^ 1) if near else other for target, other, near, turned in drawn
    ]
    found = metric_of(predictions, targets)
    values = [100 * float(found[f"relation_{name}"]) for name in ("precision", "recall", "f1")]
    assert values == pytest.approx(by_the_rules(predictions, targets), abs=1e-4)


def test_the_wrong_direction_is_wrong_and_other_only_costs() -> None:
    right = metric_of([0, 1, 2, 18], [0, 1, 2, 18])
    assert float(right["relation_f1"]) == 1
    turned = metric_of([1, 1, 2, 18], [0, 1, 2, 18])
    assert float(turned["relation_f1"]) == pytest.approx((0.5 + 1) / 2)
    taken_for_other = metric_of([18, 1, 2, 18], [0, 1, 2, 18])
    assert float(taken_for_other["relation_f1"]) == pytest.approx((2 / 3 + 1) / 2)
    other_taken_for = metric_of([0, 1, 2, 0], [0, 1, 2, 18])
    assert float(other_taken_for["relation_f1"]) == pytest.approx((4 / 5 + 1) / 2)
    assert float(metric_of([18, 18], [18, 18])["relation_f1"]) == 0


def test_scores_stand_for_their_highest_and_shares_add_up() -> None:
    torch.manual_seed(0)
    scores, targets = torch.randn(200, 19), torch.randint(19, (200,))
    whole, *shares = (RelationF1(NAMES) for _ in range(4))
    whole.update(scores, targets)
    for rank, share in enumerate(shares):
        share.update(scores[rank::3].argmax(-1), targets[rank::3])
    reduce = whole._reductions["confusion"]
    assert torch.equal(reduce(torch.stack([share.confusion for share in shares])), whole.confusion)
    assert float(whole.compute()["relation_f1"]) > 0


@pytest.mark.parametrize("name", ["Cause-Effect", "Cause-Effect(e1,e1)", "other"])
def test_a_class_without_a_direction_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="names no directed relation"):
        RelationF1(["Other", name])
