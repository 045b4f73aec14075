"""The true frames of test clips, and under them those that each label predicted."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.next_frames import PredictedClip, PredictedFrames
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.summary import Group, Summary

MOST = 6
"""Clips that are shown."""


def next_frames(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """A strip of the true frames for each clip, and one of the predicted frames of the first seed of each label."""
    return page.of_artifacts("Next frames", "next_frames", PredictedFrames.read, runs, summary, _group)


def _group(page: Page, group: Group, predicted: list[tuple[Record, PredictedFrames]]) -> Markup:
    first: dict[str, dict[str, PredictedClip]] = {}
    for record, content in sorted(predicted, key=lambda item: item[0].seed):
        first.setdefault(record.label, {clip.id: clip for clip in content.clips})
    labels = [label for label in group.labels if label in first]
    clips = [
        (clip, [(label, mine) for label in labels if (mine := first[label].get(clip.id))])
        for clip in list(first[labels[0]].values())[:MOST]
    ]
    return draw("next_frames", clips=clips)
