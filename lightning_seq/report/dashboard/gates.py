"""Gates: how far they are open, and the share of the state kept from word to word, as a section of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.gates import Opened
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.chart_style import channel, epochs_axis, line_chart
from lightning_seq.report.dashboard.page import Card, Page
from lightning_seq.report.dashboard.sentences import HeatRow, HeatTable, by_sentence, diagnostic_section
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.summary import Group, Summary

_ENDS = {"open": "Kept nearly all (over 0.9), share", "shut": "Kept nearly nothing (under 0.1), share"}


def gates(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """Histograms of the gates, how they change with the epochs, and strips of the share that is kept."""
    return diagnostic_section(page, runs, summary, "gates", Opened.read, _group, "Gates")


def _group(page: Page, group: Group, opened: dict[str, Opened]) -> Markup:
    last = [(label, place, gates) for label, result in opened.items() for place, gates in result.epochs[-1][1]]
    rows = []
    for label, place, gates in last:
        kept = next((gate for gate in gates if gate.keeps), None)
        rows.append((label, str(place), kept, {gate.gate: gate for gate in gates if not gate.keeps}))
    return draw(
        "gates",
        group=group,
        missing=[row.label for row in group.rows if row.done and row.label not in opened],
        names=sorted({gate.gate for _, _, gates in last for gate in gates if not gate.keeps}),
        rows=rows,
        legend=page.legend(group.labels),
        cards=_over_epochs(page, group, opened),
        strips=_strips(opened),
    )


def _over_epochs(page: Page, group: Group, opened: Mapping[str, Opened]) -> list[Card]:
    """How far the keeping gates are shut or open, by epoch: a mean over the recurrences of a label."""
    if not any(len(result.epochs) > 1 for result in opened.values()):
        return []
    rows = []
    for label, result in opened.items():
        for epoch, places in result.epochs:
            keeping = [gate for _, gates in places for gate in gates if gate.keeps]
            if keeping:
                means = [round(sum(getattr(gate, end) for gate in keeping) / len(keeping), 4) for end in _ENDS]
                rows.append([group.labels.index(label), epoch, *means])
    if not rows:
        return []
    table = page.table("gates", ["label", "epoch", *_ENDS], rows, {"label": group.labels})
    x = epochs_axis(row[1] for row in rows)
    cards = []
    for end, title in _ENDS.items():
        y = channel(f"{end}:Q", title=None, axis={"format": ".0%", "tickCount": 4})
        tooltip = [channel("epoch:Q"), channel(f"{end}:Q", format=".1%")]
        spec = line_chart(group.labels, x, y, tooltip, f"{title}, against epochs", height=160)
        cards.append(Card(title, page.chart(spec, table=table)))
    return cards


def _strips(opened: Mapping[str, Opened]) -> list[tuple[str, HeatTable]]:
    """For each sentence, the share of the old state that each label keeps at each word."""
    strips = []
    for sentence, places in by_sentence(opened).items():
        rows = [
            HeatRow(label, str(place), kept[index], [f"{100 * value:.0f}" for value in kept[index]])
            for label, index in places.items()
            for place, kept in opened[label].kept
        ]
        if rows:
            strips.append((sentence.text, HeatTable(sentence.words, rows)))
    return strips
