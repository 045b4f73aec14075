from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lightning_seq.metrics.captions import caption_scores, cider
from lightning_seq.metrics.pointing import Pointing, in_boxes

NAN = math.nan
CAPTIONS = ["a red three", "a blue circle", "a red three"]
REFERENCES = [["a red three", "the red three here"], ["a green circle"], ["a black nine above a red two"]]


def test_cider_agrees_with_the_definition_for_one_gram() -> None:
    """One reference word each: the only n-gram has idf ln 2, the similarity is 1 for n = 1 and 0 for the rest."""
    assert cider(["x", "y"], [["x"], ["y"]]) == pytest.approx([10 / 4, 10 / 4])
    assert cider(["x", "x"], [["x"], ["y"]]) == pytest.approx([10 / 4, 0])


def test_cider_clips_repeated_words_and_penalises_length() -> None:
    """`x x`: count 2 against 1, clipped: 1 · 1 / (2 · 1) of the 1-grams; the length differs by 1: exp(-1 / 72)."""
    assert cider(["x x", "y"], [["x"], ["y"]])[0] == pytest.approx(10 / 4 * 0.5 * math.exp(-1 / 72))


def test_scores_equal_the_published_scripts() -> None:
    """Values of pycocoevalcap 1.2: `Cider`, `Rouge` and `Bleu(4)` on the same tokens."""
    hypotheses = ["a man rides a red bike", "a dog on the grass", "two people at a table"]
    references = [
        ["a man rides a bike", "a person on a red bike"],
        ["a dog lies on the green grass", "the dog is on grass"],
        ["two people sit at a table", "people at a table with food"],
    ]
    found = cider(hypotheses, references)
    assert found == pytest.approx(np.array([4.62790732, 2.49517269, 5.15436473]), abs=1e-8)
    scores, _ = caption_scores(hypotheses, references, "none")
    assert scores["rouge_l"] == pytest.approx(0.8758963814581167)
    bleus = [scores[name] / 100 for name in ("bleu_1", "bleu_2", "bleu_3", "bleu")]
    assert bleus == pytest.approx([0.9394130627, 0.8641343345, 0.7052282603, 0.5539166479], abs=1e-9)


def test_scores_of_a_corpus() -> None:
    scores, signatures = caption_scores(CAPTIONS, REFERENCES, "none")
    assert scores["exact_match"] == pytest.approx(1 / 3)
    assert scores["distinct"] == pytest.approx(2 / 3)
    assert scores["commonest"] == pytest.approx(2 / 3)
    # 1-grams: 3 of 3, 2 of 3 ("a", "circle"), 2 of 3 ("a", "red"); the third reference is longer: brevity 9 and 13
    assert scores["bleu_1"] == pytest.approx(100 * 7 / 9 * math.exp(1 - 13 / 9), rel=1e-6)
    assert signatures["cider"].startswith("CIDEr-D|tokens:ours")
    assert scores["rouge_l"] == pytest.approx((1 + 2 / 3 + _f(2 / 3, 2 / 7)) / 3)


def _f(precision: float, recall: float) -> float:
    return (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)


def test_a_caption_needs_a_reference() -> None:
    with pytest.raises(ValueError, match="expected as many"):
        caption_scores(["a"], [[]], "none")


def test_places_of_a_box() -> None:
    inside, covered = in_boxes(torch.tensor([[0.0, 0.0, 0.5, 0.25], [0.4, 0.4, 0.6, 0.6]]), (2, 2))
    assert inside.tolist() == [[False, False, False, False], [False, False, False, False]]
    torch.testing.assert_close(covered, torch.tensor([[0.5, 0, 0, 0], [0.04, 0.04, 0.04, 0.04]]))
    inside, _ = in_boxes(torch.tensor([[0.0, 0.0, 0.5, 0.3]]), (2, 2))
    assert inside.tolist() == [[True, False, False, False]]


def test_pointing() -> None:
    metric = Pointing()
    boxes = torch.tensor([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [NAN] * 4, [0, 0, 1, 1]]])
    weights = torch.tensor([[[0.7, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], [0, 0, 0, 1.0], [1.0, 0, 0, 0]]])
    metric.update(weights, boxes, torch.tensor([[True, True, True, False]]), (2, 2))
    values = metric.compute()
    assert values["pointing"] == 0.5
    assert values["on_target"] == pytest.approx((0.7 + 0.1) / 2)
    assert values["uniform"] == 0.25
    metric.reset()
    assert metric.compute()["pointing"].isnan()
