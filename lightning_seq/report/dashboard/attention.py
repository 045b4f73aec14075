"""Where translators look as they write: maps of attention side by side, as a section of the dashboard."""

from __future__ import annotations

from pathlib import Path

from lightning_seq.files import Plain
from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.attention import LEVELS, Attended, fitted, read_attention
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.samples import visible
from lightning_seq.report.dashboard.sections import grouped, named, note, section
from lightning_seq.report.escape import html, one_line
from lightning_seq.report.summary import Group, Summary

ABOUT = (
    "The source is along the top, what the model wrote down the side, colour is where it looked as it wrote that token "
    "(means over heads; the first seed of each label). Point at a square for its weight, or choose a map and move over "
    "it with the arrow keys."
)
_SCALE = (0.01, 0.1, 0.25, 0.5, 1.0)
_LONGEST_TITLE = 240

Run = tuple[Record, list[Attended]]


def attention(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> str:
    """The maps of the first seed of each label that attends."""
    found, wrong = first_maps(runs)
    parts = []
    for group in summary.groups:
        mine = sorted(
            (item for item in found if group.holds(item[0])), key=lambda item: group.labels.index(item[0].label)
        )
        parts.append((group, _group(page, group, mine) if mine else ""))
    body = grouped(parts, len(summary.groups) > 1) + "".join(note(text, warn=True) for text in wrong)
    return section("Attention", body, ABOUT, "attention") if body else ""


def first_maps(runs: list[tuple[Path, Record]]) -> tuple[list[Run], list[str]]:
    """What fits on a page of the maps of each label's first finished seed; notes on what had to be left out."""
    chosen: dict[tuple[str, str, str], tuple[Path, Record]] = {}
    for run in sorted(runs, key=lambda item: item[1].seed):
        if run[1].status == "done" and "attention" in run[1].artifacts:
            chosen.setdefault((run[1].task, run[1].data, run[1].label), run)
    held, wrong = read_artifacts(list(chosen.values()), "attention", read_attention)
    kept = fitted([sentences for _, sentences in held])
    return [(record, mine) for (record, _), mine in zip(held, kept, strict=True) if mine], wrong


def _group(page: Page, group: Group, found: list[Run]) -> str:
    sentences: dict[tuple[int, tuple[str, ...]], dict[str, Attended]] = {}
    for record, mine in found:
        for each in mine:
            sentences.setdefault((each.number, each.source), {})[record.label] = each
    epochs = sorted({step.epoch for _, mine in found for each in mine for step in each.steps})
    listed: list[Plain] = [
        {
            "source": [shown(token) for token in source],
            "maps": [_map(label, each) for label, each in by_label.items()],
        }
        for (_, source), by_label in sentences.items()
    ]
    name = page.map({"levels": LEVELS, "epochs": epochs, "sentences": listed})
    rest = [
        label for label in group.labels if label not in {record.label for record, _ in found} and _done(group, label)
    ]
    without = note(f"No maps were left by {', '.join(rest)}.") if rest else ""
    body = "".join(
        _sentence(group, name, place, source, by_label)
        for place, ((_, source), by_label) in enumerate(sentences.items())
    )
    return f'<div class="attending">{_controls(name, epochs)}{body}</div>{without}'


def _done(group: Group, label: str) -> bool:
    return any(row.label == label and row.done for row in group.rows)


def _map(label: str, each: Attended) -> Plain:
    steps: list[Plain] = [
        [step.epoch, [shown(token) for token in step.target], "".join(step.rows)] for step in each.steps
    ]
    return {"label": one_line(label), "steps": steps}


def _controls(name: str, epochs: list[int]) -> str:
    """The slider, where there is more than one epoch, and what the colours mean."""
    squares = "".join(
        f'<svg viewBox="0 0 12 12" aria-hidden="true"><rect class="ground" width="12" height="12"/>'
        f'<rect class="heat" width="12" height="12" fill-opacity="{weight**0.5:.2f}"/></svg>{100 * weight:.0f} %'
        for weight in _SCALE
    )
    last = len(epochs) - 1
    slider = (
        f'<label>After epoch <input type="range" min="0" max="{last}" value="{last}" step="1" autocomplete="off" '
        f'data-map="{name}" aria-valuetext="{epochs[-1]}"><output>{epochs[-1]}</output></label>'
        if last
        else f"<span>After epoch {epochs[-1]}</span>"
    )
    return f'<div class="epochs">{slider}<span class="scale">{squares}</span></div>'


def _sentence(group: Group, name: str, place: int, source: tuple[str, ...], by_label: dict[str, Attended]) -> str:
    text = " ".join(shown(token) for token in source)
    title = text if len(text) <= _LONGEST_TITLE else text[:_LONGEST_TITLE] + "…"
    figures = "".join(
        f'<figure class="map" data-map="{name}" data-sentence="{place}" data-index="{index}">'
        f"<figcaption>{named(group.labels.index(label), label)} <small></small></figcaption>"
        f'<div class="plot"></div></figure>'
        for index, label in enumerate(by_label)
    )
    cut = note("Tokens at the end are left out.") if any(each.cut for each in by_label.values()) else ""
    return (
        f'<details{" open" if place == 0 else ""}><summary dir="auto">{html(title)}</summary>'
        f'<div><div class="maps">{figures}</div>{cut}</div></details>'
    )


def shown(token: str) -> str:
    """White space can be seen."""
    return one_line(token) if token.strip() else visible(token)
