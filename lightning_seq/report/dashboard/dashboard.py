"""The dashboard: one HTML file that holds all it needs and asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.records.tagging import read_tagged
from lightning_seq.records.word_map import WordMap, read_map, word_maps
from lightning_seq.report.dashboard import charts, sections
from lightning_seq.report.dashboard.attention import attention
from lightning_seq.report.dashboard.chart_library import javascript, unchecked
from lightning_seq.report.dashboard.configurations import addresses, configurations
from lightning_seq.report.dashboard.confusion_matrices import confusions
from lightning_seq.report.dashboard.deciding_words import deciding_words
from lightning_seq.report.dashboard.gates import gates
from lightning_seq.report.dashboard.gradient_flow import gradient_flow
from lightning_seq.report.dashboard.learning_curves import learning
from lightning_seq.report.dashboard.memory_horizon import horizon
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.quality_against_cost import pareto
from lightning_seq.report.dashboard.samples import written
from lightning_seq.report.dashboard.sections import grouped, named, note, section
from lightning_seq.report.dashboard.slices import slices
from lightning_seq.report.dashboard.states import states
from lightning_seq.report.dashboard.tagging import Found, per_class, worst_sentences
from lightning_seq.report.dashboard.translation import translation
from lightning_seq.report.dashboard.tuning import tuned
from lightning_seq.report.escape import html
from lightning_seq.report.example_names import example_names
from lightning_seq.report.stamp import stamp
from lightning_seq.report.summary import Group, Summary, runs_of, summarise_runs

UNFOLDED = 8
"""How many labels' confusion matrices are drawn at once; those of the others are folded away."""

UNNAMED = ("sequence_to_sequence", "regression", "bits", "language_modelling", "sequences_of_sets")
"""Tasks whose predictions are not names out of a list: sentences, numbers, bits, and sets have no confusion matrix."""

MAP = (
    "Where the vectors that the models started from lie, brought down to two dimensions: distances are "
    "approximate. Hover over a dot for its word; larger dots are more frequent words."
)


def dashboard(directory: Path) -> str:
    """The dashboard of the comparison in `<runs>/<name>/`, as HTML.

    It makes no request, works from `file://` and escapes every string that came from data; a policy in its head lets
    only its own scripts run. Sections for which there is nothing to show are left out, with a note where a file that
    a record names is missing or has changed.

    Raises UserError when the directory is missing or holds no record.
    """
    runs = runs_of(directory)
    return render(directory, runs, summarise_runs(directory, runs))


@unchecked()
def render(directory: Path, runs: list[tuple[Path, Record]], summary: Summary) -> str:
    """As `dashboard`, from records and a summary that are there already."""
    records = [record for _, record in runs]
    page = Page(list(dict.fromkeys(label for group in summary.groups for label in group.labels)), summary.name)
    several = len(summary.groups) > 1
    hidden = {(group.task, group.data, label) for group in summary.groups for label in group.unchosen}
    tested = [run for run in runs if (run[1].task, run[1].data, run[1].label) not in hidden]
    done = [run for run in tested if run[1].status == "done"]
    held, wrong = read_artifacts(done, "tagging", read_tagged)
    tagged = [(group, [item for item in held if group.holds(item[0])]) for group in summary.groups]
    body = [
        sections.heading(summary),
        sections.verdict(summary),
        sections.comparison(summary, addresses(runs)),
        pareto(page, tested, summary),
        learning(page, records, summary),
        gradient_flow(page, runs, summary),
        horizon(page, runs, summary),
        tuned(page, runs, summary),
        per_class(tagged, several),
        _confusions(page, tested, tagged),
        worst_sentences(tagged, several, example_names([run for run in done if "tagging" in run[1].artifacts])),
        "".join(note(text, warn=True) for text in wrong),
        slices(page, tested, summary),
        written(runs, summary),
        translation(page, tested, summary),
        attention(page, runs, summary),
        gates(page, runs, summary),
        states(page, runs, summary),
        deciding_words(page, runs, summary),
        _words(page, runs),
        sections.problems(summary),
        sections.conditions(summary, records),
        configurations(directory, runs, summary),
        f'<p class="foot">Made by lightning_seq from {len(records)} records. This file needs no network.</p>',
    ]
    body.insert(1, _contents(body))
    return _html(page, f"{summary.name} · lightning_seq", body, stamp(runs))


def _contents(body: list[str]) -> str:
    """Links to the sections, whose addresses and titles are safe already."""
    found = re.findall('<section id="([^"]+)"><h2>(.*?)</h2>', "".join(body))
    links = "".join(f'<a href="#{anchor}">{title}</a>' for anchor, title in found)
    return f'<nav aria-label="Sections">{links}</nav>'


@unchecked()
def map_page(word_map: Path, title: str) -> str:
    """A page with nothing but the map in a `word_map.json`, as self-contained as the dashboard."""
    page = Page([])
    cards = [_map_card(page, read_map(word_map, ()), title)]
    return _html(page, f"{title} · lightning_seq", [section("Word vectors", "".join(cards), MAP, "words")])


def _html(page: Page, title: str, body: list[str], made_of: str = "") -> str:
    source = files("lightning_seq.report.dashboard")
    bundle, script = javascript(), source.joinpath("page.js").read_text(encoding="utf-8")
    return Template(source.joinpath("template.html").read_text(encoding="utf-8")).substitute(
        policy=_policy(bundle, script),
        title=html(title),
        made_of=html(made_of),
        style=source.joinpath("style.css").read_text(encoding="utf-8"),
        body="\n".join(part for part in body if part),
        data=page.json(),
        bundle=bundle,
        script=script,
    )


def _policy(*scripts: str) -> str:
    """Nothing is fetched, and only these scripts run. Vega compiles its expressions, hence unsafe-eval."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _confusions(page: Page, runs: list[tuple[Path, Record]], tagged: list[tuple[Group, Found]]) -> str:
    parts = [
        (group, _group_confusions(page, [run for run in runs if group.holds(run[1])], group, held))
        for group, held in tagged
        if group.task not in UNNAMED
    ]
    body = grouped(parts, len(tagged) > 1)
    about = "Counts on the test split, summed over seeds; colour is the share of the true class."
    return section("Confusion matrices", body, about, "confusion") if body else ""


def _group_confusions(page: Page, runs: list[tuple[Path, Record]], group: Group, tagged: Found) -> str:
    matrices, classes, notes = confusions(runs, group.labels, tagged)
    cards = []
    for matrix in matrices:
        columns = ["target", "prediction", "count", "share"]
        cells = [row for row in matrix.rows(classes) if row[2] or len(classes) <= charts.NUMBERED]
        table = page.table("confusion", columns, cells, {"target": classes, "prediction": classes})
        title = f"{matrix.label}, {matrix.seeds} {'seed' if matrix.seeds == 1 else 'seeds'}"
        cards.append(
            f'<div class="card"><h4>{named(group.labels.index(matrix.label), title)}</h4>'
            f"{page.chart(charts.confusion_chart(table, classes, matrix.label), table=table)}</div>"
        )
    least = 130 + (46 if len(classes) <= charts.NUMBERED else 18) * len(classes)
    body = _matrices(cards[:UNFOLDED], least)
    if len(cards) > UNFOLDED:
        more = f"{len(cards) - UNFOLDED} more labels"
        body += f"<details><summary>{more}</summary><div>{_matrices(cards[UNFOLDED:], least)}</div></details>"
    return body + "".join(note(text, warn=True) for text in notes)


def _matrices(cards: list[str], least: int) -> str:
    return f'<div class="matrices" style="--least:{least}px">{"".join(cards)}</div>' if cards else ""


def _words(page: Page, runs: list[tuple[Path, Record]]) -> str:
    maps, notes = word_maps(runs)
    if not maps and not notes:
        return ""
    cards = []
    for each in maps:
        title = f"{each.method}, {len(each.words):,} words"
        if len(maps) > 1:
            title += f" ({', '.join(each.labels)})"
        cards.append(_map_card(page, each, title))
    return section("Word vectors", "".join(cards) + "".join(note(text, warn=True) for text in notes), MAP, "words")


def _map_card(page: Page, each: WordMap, title: str) -> str:
    words = page.table("words", ["word", "count", "x", "y"], [list(word) for word in each.words])
    arrows = page.table("arrows", ["from", "to"], [list(arrow) for arrow in each.arrows])
    chart = page.chart(charts.word_chart(words, arrows, each.method), words=words, arrows=arrows)
    return f'<div class="card"><h4>{html(title)}</h4>{chart}</div>'
