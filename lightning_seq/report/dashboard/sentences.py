"""What runs left of being looked into: one run of each label, the same sentences for all, words in colour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.numbers import thin
from lightning_seq.records.record import Record
from lightning_seq.records.sentences import MOST_LABELS, MOST_SENTENCES, Sentence
from lightning_seq.report.dashboard.charts import PALETTE, Spec
from lightning_seq.report.dashboard.samples import visible
from lightning_seq.report.dashboard.sections import grouped, named, note
from lightning_seq.report.escape import html
from lightning_seq.report.summary import Group, Summary

T = TypeVar("T")

TICKS = 8
"""Epochs that are written at an axis, at most."""
STRONGEST = 48
"""The share of the strongest colour that a cell may have, in percent: text over it can still be read."""

Found = list[tuple[Record, T]]


def by_group(
    runs: list[tuple[Path, Record]],
    summary: Summary,
    name: str,
    read: Callable[[Path], T],
    draw: Callable[[Group, Found[T]], str],
) -> str:
    """What is drawn of the artifacts `name` of each data set, and notes on what had to be left out; nothing without
    any."""
    found, wrong = _first_runs(runs, name, read)
    parts = []
    for group in summary.groups:
        mine, more = _of_group(group, found)
        parts.append((group, draw(group, mine) + more if mine else ""))
    return grouped(parts, len(summary.groups) > 1) + "".join(note(text, warn=True) for text in wrong)


def _first_runs(runs: list[tuple[Path, Record]], name: str, read: Callable[[Path], T]) -> tuple[Found[T], list[str]]:
    """What `read` makes of the artifact `name` of the first finished seed of each label on each data set that has one;
    notes on what had to be left out."""
    chosen: dict[tuple[str, str, str], tuple[Path, Record]] = {}
    for run in sorted(runs, key=lambda item: item[1].seed):
        if run[1].status == "done" and name in run[1].artifacts:
            chosen.setdefault((run[1].task, run[1].data, run[1].label), run)
    return read_artifacts(list(chosen.values()), name, read)


def _of_group(group: Group, found: Found[T]) -> tuple[Found[T], str]:
    """Those of a data set, in the order of its labels, and a note where there are too many labels for a page."""
    mine = [item for item in found if group.holds(item[0])]
    mine.sort(key=lambda item: group.labels.index(item[0].label))
    left_out = len(mine) - MOST_LABELS
    return mine[:MOST_LABELS], note(f"{left_out} more labels are left out.") if left_out > 0 else ""


def by_sentence(found: Found[T], sentences: Callable[[T], Sequence[Sentence]]) -> dict[Sentence, dict[str, int]]:
    """Each sentence, and at what place each label's run has it."""
    held: dict[Sentence, dict[str, int]] = {}
    for record, each in found:
        for place, sentence in enumerate(sentences(each)):
            held.setdefault(sentence, {})[record.label] = place
    return dict(list(held.items())[:MOST_SENTENCES])


def shown(word: str) -> str:
    """A word in which white space can be seen."""
    return word if word.strip() else visible(word)


def label_cell(group: Group, label: str, below: str = "") -> str:
    """The head of a row; `below` is text in small letters."""
    small = f"<small>{html(below)}</small>" if below else ""
    return f'<th scope="row">{named(group.labels.index(label), label)}{small}</th>'


def heat_table(words: Sequence[str], rows: Sequence[tuple[str, Sequence[float], Sequence[str]]]) -> str:
    """Words along the top, a row for each of `(head, weights, texts)`: `head` is HTML, a weight from -1 to 1 is how
    strong the colour of a word's cell is (another colour below zero), and the text stands in it."""
    top = "".join(f'<th scope="col">{html(shown(word))}</th>' for word in words)
    body = "".join(
        f"<tr>{head}{''.join(_heat(*cell) for cell in zip(weights, texts, strict=True))}</tr>"
        for head, weights, texts in rows
    )
    return (
        f'<div class="scroll"><table class="compare heats"><thead><tr><th></th>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _heat(weight: float, text: str) -> str:
    below = " class=below" if weight < 0 else ""
    return f'<td{below} style="--w:{round(STRONGEST * min(abs(weight), 1))}%">{html(text)}</td>'


def label_colours(labels: Sequence[str]) -> Spec:
    """Channels that give each label its colour, and those beyond the palette a broken line."""
    dashes = [[1, 0] if place < PALETTE else [4, 3] for place in range(len(labels))]
    return {
        "color": {"field": "label", "type": "nominal", "scale": {"domain": list(labels)}, "legend": None},
        "strokeDash": {
            "field": "label",
            "type": "nominal",
            "scale": {"domain": list(labels), "range": dashes},
            "legend": None,
        },
    }


def focused(strong: float, weak: float, usual: float | None = None) -> Spec:
    """An opacity: `strong` for the label that was chosen, `weak` for the others; `usual` (or strong) before that."""
    conditions = [{"test": "focus === datum.label", "value": strong}]
    conditions.append({"test": "focus === ''", "value": strong if usual is None else usual})
    return {"condition": conditions, "value": weak}


def line_chart(data: str, labels: Sequence[str], height: int, about: str, x: Spec, y: Spec, told: list[Spec]) -> Spec:
    """A line through points for each label.

    x, y: their channels.
    told: what is said of a point, below its label.
    """
    return {
        "data": {"name": data},
        "params": [{"name": "focus", "value": ""}],
        "width": "container",
        "height": height,
        "description": f"{about}, one colour per label",
        "mark": {"type": "line", "point": {"size": 24}, "strokeWidth": 2},
        "encoding": {
            "x": x,
            "y": y,
            "opacity": focused(1, 0.1),
            "tooltip": [{"field": "label", "type": "nominal"}, *told],
            **label_colours(labels),
        },
    }


def along_epochs(epochs: Iterable[int]) -> Spec:
    """The channel of a column `epoch`, in which these are."""
    ticks = thin(sorted(set(epochs)), TICKS)
    return {"field": "epoch", "type": "quantitative", "axis": {"grid": False, "values": ticks, "format": "d"}}


def numbered(words: Sequence[str]) -> list[str]:
    """Words with their places before them, so that each is another: what `WORD_LABEL` takes away again."""
    return [f"{place:02d} {shown(word)}" for place, word in enumerate(words, 1)]


WORD_LABEL = "slice(datum.label, 3)"
