"""Which test pictures are shown: those on which labels differ most, and the worst and best of each label."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from lightning_seq.report.dashboard.tested_pictures import different, extremes


class Picture(NamedTuple):
    number: int
    shared: bool
    text: str
    score: float


def test_at_most_six_pictures_differ_and_equal_distances_come_by_number() -> None:
    tested = {label: [Picture(number, True, label, order) for number in range(9)] for order, label in enumerate("ab")}
    found = different(tested, lambda one: one.text, lambda one: one.score)
    assert [mine["b"].number for mine in found] == list(range(6))


@pytest.mark.parametrize(("labels", "worst", "best"), [("abcd", [0, 1, 2], [8, 7, 6]), ("abcde", [0], [8])])
def test_more_than_four_labels_show_one_worst_and_one_best(labels: str, worst: list[int], best: list[int]) -> None:
    found = extremes(
        {label: [Picture(n, False, "", n) for n in range(9)] for label in labels}, lambda one: (one.score,)
    )
    assert [label for label, _ in found] == list(labels)
    for _, kinds in found:
        assert [[one.number for one in mine] for mine in kinds.values()] == [worst, best]
