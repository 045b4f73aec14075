"""How far open the gates stand, and what is kept from word to word, as a section of the dashboard."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from lightning_seq.records.gates import Opened, Opening, read_gates
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.charts import Spec
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.sections import note, section
from lightning_seq.report.dashboard.sentences import (
    Found,
    along_epochs,
    by_group,
    by_sentence,
    heat_table,
    label_cell,
    line_chart,
)
from lightning_seq.report.escape import html
from lightning_seq.report.summary import Group, Summary

_HEIGHT = 34

ABOUT = (
    "How often each gate stands how far open, over all units and all tokens of some validation sentences, 0 on the "
    "left, 1 on the right, after the last epoch; below it the share that is shut (under 0.1) and open (over 0.9) "
    "(Karpathy et al. 2015). The first column is the share of the old state that is kept, whatever its gate is called. "
    "The first seed of each label."
)
STRIPS = "What is kept of the old state at each word, in percent: a mean over the units."


def gates(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> str:
    """Histograms of the gates, how they change with the epochs, and strips of the share that is kept."""
    body = by_group(runs, summary, "gates", read_gates, partial(_group, page))
    return section("Gates", body, ABOUT, "gates") if body else ""


def _group(page: Page, group: Group, found: Found[Opened]) -> str:
    have = {record.label for record, _ in found}
    rest = [row.label for row in group.rows if row.done and row.label not in have]
    without = note(f"No gates were recorded of {', '.join(rest)}.") if rest else ""
    return _histograms(group, found) + without + _epochs(page, group, found) + _strips(group, found)


def _histograms(group: Group, found: Found[Opened]) -> str:
    last = [(record.label, place, gates) for record, held in found for place, gates in held.epochs[-1][1]]
    names = sorted({each.gate for _, _, gates in last for each in gates if not each.keeps})
    head = "".join(f'<th class="left" scope="col">{html(name)}</th>' for name in ("kept", *names))
    rows = []
    for label, place, gates in last:
        keeping = next((each for each in gates if each.keeps), None)
        others = {each.gate: each for each in gates if not each.keeps}
        cells = [_cell(keeping, named=True), *(_cell(others.get(name)) for name in names)]
        rows.append(f"<tr>{label_cell(group, label, str(place))}{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table class="compare"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(opening: Opening | None, named: bool = False) -> str:
    if opening is None:
        return '<td class="left">–</td>'
    said = f"{100 * opening.shut:.0f} % shut · {100 * opening.open:.0f} % open"
    name = f"{html(opening.gate)}: " if named else ""
    return f'<td class="left">{_bars(opening.counts, said)}<small>{name}{said}</small></td>'


def _bars(counts: tuple[float, ...], said: str) -> str:
    """A histogram as one path, its highest bar as high as the picture."""
    highest = max(counts) or 1.0
    path = "".join(
        f"M{6 * place} {_HEIGHT}V{_HEIGHT * (1 - count / highest):.1f}h5V{_HEIGHT}"
        for place, count in enumerate(counts)
        if count
    )
    return (
        f'<svg width="119" height="{_HEIGHT + 1}" viewBox="0 0 119 {_HEIGHT + 1}" role="img" aria-label="{html(said)}">'
        f'<path d="{path}" style="fill:var(--heat-high)"/>'
        f'<path d="M0 {_HEIGHT + 0.5}H119" style="stroke:var(--line)"/></svg>'
    )


def _epochs(page: Page, group: Group, found: Found[Opened]) -> str:
    """How much of what is kept is shut or open, by epoch: a mean over the recurrences of a label."""
    if not any(len(held.epochs) > 1 for _, held in found):
        return ""
    rows: list[Any] = []
    for record, held in found:
        for epoch, places in held.epochs:
            keeping = [each for _, gates in places for each in gates if each.keeps]
            if keeping:
                means = [round(sum(getattr(each, end) for each in keeping) / len(keeping), 4) for end in _ENDS]
                rows.append([group.labels.index(record.label), epoch, *means])
    if not rows:
        return ""
    x = along_epochs(row[1] for row in rows)
    table = page.table("gates", ["label", "epoch", *_ENDS], rows, {"label": group.labels})
    cards = "".join(
        f'<div class="card"><h4>{html(title)}</h4>{page.chart(_chart(table, group.labels, end, x), table=table)}</div>'
        for end, title in _ENDS.items()
    )
    return f'<div style="margin-top:24px">{page.legend(group.labels)}<div class="pair">{cards}</div></div>'


_ENDS = {"open": "Kept nearly all (over 0.9), share", "shut": "Kept nearly nothing (under 0.1), share"}


def _chart(table: str, labels: list[str], end: str, x: Spec) -> Spec:
    return line_chart(
        table,
        labels,
        160,
        f"{_ENDS[end]}, against epochs",
        x,
        {"field": end, "type": "quantitative", "title": None, "axis": {"format": ".0%", "tickCount": 4}},
        [{"field": "epoch", "type": "quantitative"}, {"field": end, "type": "quantitative", "format": ".1%"}],
    )


def _strips(group: Group, found: Found[Opened]) -> str:
    held = {record.label: each for record, each in found}
    parts: list[str] = []
    for sentence, places in by_sentence(found, lambda each: each.sentences).items():
        rows = []
        for label, index in places.items():
            for place, kept in held[label].kept:
                texts = [f"{100 * value:.0f}" for value in kept[index]]
                rows.append((label_cell(group, label, str(place)), kept[index], texts))
        if rows:
            is_open = " open" if not parts else ""
            parts.append(
                f'<details{is_open}><summary dir="auto">{html(sentence.text)}</summary>'
                f"<div>{heat_table(sentence.words, rows)}</div></details>"
            )
    return f'<div style="margin-top:24px"><p class="about">{html(STRIPS)}</p>{"".join(parts)}</div>' if parts else ""
