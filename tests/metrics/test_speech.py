from __future__ import annotations

import random

import pytest
from torchmetrics.functional.text import char_error_rate, word_error_rate

from lightning_seq.metrics.speech import Edits, TranscriptScores, alignment, confusions, edits


def test_edits_are_counted_by_kind() -> None:
    assert edits(["a", "b", "c", "d"], ["a", "x", "c", "d", "e"]) == Edits(1, 0, 1, 4)
    assert edits(["a", "b", "c"], []) == Edits(0, 3, 0, 3)
    assert edits([], ["a"]) == Edits(0, 0, 1, 0)
    assert alignment("abc", "ac") == [("a", "a"), ("b", None), ("c", "c")]


@pytest.mark.parametrize("seed", range(20))
def test_rates_are_those_of_torchmetrics(seed: int) -> None:
    drawn = random.Random(seed)
    texts = [
        [" ".join(drawn.choices(["ab", "cd", "e", "fg"], k=drawn.randint(1, 7))) for _ in range(5)] for _ in range(2)
    ]
    scores = TranscriptScores.of(*texts).logged()
    assert scores["wer"] == pytest.approx(float(word_error_rate(*texts)))
    assert scores["cer"] == pytest.approx(float(char_error_rate(*texts)))
    assert scores["wer"] == pytest.approx(scores["substitutions"] + scores["deletions"] + scores["insertions"])


def test_sentences_and_confusions() -> None:
    written, references = ["go on", "stop"], ["go on", "top up"]
    assert TranscriptScores.of(written, references).logged()["sentence_error_rate"] == 0.5
    counts = confusions(written, references, by_words=True)
    assert counts == {("go", "go"): 1, ("on", "on"): 1, ("top", ""): 1, ("up", "stop"): 1}
    assert confusions(["ab"], ["b"], by_words=False) == {("", "a"): 1, ("b", "b"): 1}
