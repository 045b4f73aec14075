"""How early classifiers know the class: accuracy against the share of the steps that they have read."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from markupsafe import Markup

from lightning_seq.records.early import EarlyDecision
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.chart_style import channel, line_chart
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.summary import Group, Summary


def early_decision(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """A line for each label, the mean over its seeds."""
    return page.of_artifacts("Early decision", "early", EarlyDecision.read, runs, summary, _group)


def _group(page: Page, group: Group, curves: list[tuple[Record, EarlyDecision]]) -> Markup:
    labels = [label for label in group.labels if any(record.label == label for record, _ in curves)]
    rows = []
    for place, label in enumerate(labels):
        by_share: dict[float, list[float]] = {}
        for record, curve in curves:
            if record.label == label:
                for share, accuracy in zip(curve.shares, curve.accuracy, strict=True):
                    by_share.setdefault(share, []).append(accuracy)
        rows += [[place, share, round(fmean(values), 5)] for share, values in sorted(by_share.items())]
    title = "test/accuracy against the share of the steps"
    spec = line_chart(
        labels,
        channel("share:Q", title="share of the steps", axis={"grid": False, "format": "%"}),
        channel("accuracy:Q", title=None, scale={"zero": True, "nice": True}, axis={"tickCount": 5}),
        [channel("share:Q", format=".0%"), channel("accuracy:Q", format=".3f")],
        title,
        height=260,
        size=44,
    )
    names = {"label": labels}
    card = page.card(title, spec, "early", ["label", "share", "accuracy"], rows, names, title=title)
    return draw("cards", cards=[card])
