"""Scores of segments, by hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_seq.metrics.phm08 import phm08_score
from lightning_seq.metrics.segments import Segment, SegmentScores, edit_score, matches, segments_of
from lightning_seq.records.segments import Bands, Timeline, runs_of

TRUE = [0] * 4 + [1] * 4 + [0] * 2
OVER = [0, 0, 1, 0, 1, 1, 1, 1, 0, 0]
"""One segment too many: 0 1 0 1 0 instead of 0 1 0."""


def test_runs_of_equal_labels() -> None:
    assert segments_of([2, 2, 0, 1]) == [Segment(2, 0, 2), Segment(0, 2, 3), Segment(1, 3, 4)]
    assert segments_of([]) == []
    assert runs_of(np.array([2, 2, 0, 1])) == ((2, 2), (0, 1), (1, 1))


def test_the_edit_score() -> None:
    """Two insertions of five segments: 1 - 2/5."""
    assert edit_score(segments_of(OVER), segments_of(TRUE)) == pytest.approx(0.6)
    assert edit_score(segments_of(TRUE), segments_of(TRUE)) == 1
    assert edit_score(segments_of([1, 1]), segments_of([0, 1, 0])) == pytest.approx(1 / 3)
    assert edit_score(segments_of([1]), segments_of([0])) == 0


def test_matches_at_overlaps() -> None:
    """Overlaps of the predicted segments with their best true one: 0: 2/4, 1: 0, 0: 1/4 (the first is taken), 1: 4/4,
    0: 2/2."""
    predicted, true = segments_of(OVER), segments_of(TRUE)
    assert [matches(predicted, true, overlap) for overlap in (0.1, 0.25, 0.5, 0.6)] == [3, 3, 3, 2]
    shifted = segments_of([0] * 6 + [1] * 2 + [0] * 2)  # 4/6, 2/4, 2/2
    assert [matches(shifted, true, overlap) for overlap in (0.5, 0.51, 0.7)] == [3, 2, 1]


def test_scores_of_a_batch() -> None:
    """Sequence 1: edit 0.6, 3 of 5 and of 3 segments at all overlaps; sequence 2 is right: 1 segment; the padding and a
    sequence that does not count change nothing."""
    scores = SegmentScores()
    targets = torch.tensor([TRUE, [1] * 10, [0] * 10])
    predictions = torch.tensor([OVER, [1] * 5 + [0] * 5, [1] * 10])
    mask = torch.ones(3, 10, dtype=torch.bool)
    mask[1, 5:], mask[2] = False, False
    scores.update(predictions, targets, mask)
    values = {name: float(value) for name, value in scores.compute().items()}
    f1 = 2 * 4 / (6 + 4)
    assert values == pytest.approx({"edit": 0.8, "f1_10": f1, "f1_25": f1, "f1_50": f1})
    parts = [SegmentScores(), SegmentScores()]
    for row, part in enumerate(parts):
        part.update(predictions[row : row + 1], targets[row : row + 1], mask[row : row + 1])
    assert torch.equal(parts[0].counts + parts[1].counts, scores.counts)
    assert torch.equal(parts[0].sums + parts[1].sums, scores.sums)


def test_the_score_of_remaining_life() -> None:
    """exp(13/13) - 1 for 13 too few, exp(10/10) - 1 for 10 too many."""
    errors = torch.tensor([-13.0, 10.0, 0.0])
    assert phm08_score(errors).tolist() == pytest.approx([np.e - 1, np.e - 1, 0])


def test_bands_are_read_back() -> None:
    timeline = Timeline(("a", "b"), (Bands("s1", ((0, 2), (-1, 1)), ((1, 3),)),))
    assert Timeline.from_plain(timeline.to_plain()) == timeline
    for band in ([[2, 3]], [[0, 0]], [[0, 2]]):
        plain = timeline.to_plain()
        plain["sequences"][0]["prediction"] = band
        with pytest.raises(ValueError, match="expected"):
            Timeline.from_plain(plain)
