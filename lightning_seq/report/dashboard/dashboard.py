"""The dashboard: one self-contained HTML file that makes no request."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.records.tagging import Tagged
from lightning_seq.records.word_map import WordMap
from lightning_seq.report.dashboard import sections
from lightning_seq.report.dashboard.attention import attention
from lightning_seq.report.dashboard.captions import captions
from lightning_seq.report.dashboard.chart_library import javascript
from lightning_seq.report.dashboard.configurations import addresses, configurations
from lightning_seq.report.dashboard.confusion_matrices import confusion_matrices
from lightning_seq.report.dashboard.deciding_words import deciding_words
from lightning_seq.report.dashboard.dialogs import dialogs
from lightning_seq.report.dashboard.disagreements import disagreements
from lightning_seq.report.dashboard.early_decision import early_decision
from lightning_seq.report.dashboard.forecasts import forecasts
from lightning_seq.report.dashboard.gates import gates
from lightning_seq.report.dashboard.gradient_flow import gradient_flow
from lightning_seq.report.dashboard.learning_curves import learning_curves
from lightning_seq.report.dashboard.memory_horizon import memory_horizon
from lightning_seq.report.dashboard.next_frames import next_frames
from lightning_seq.report.dashboard.over_data_sets import over_data_sets
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.predicted_values import predicted_values
from lightning_seq.report.dashboard.quality_against_cost import quality_against_cost
from lightning_seq.report.dashboard.questions import questions
from lightning_seq.report.dashboard.result import result
from lightning_seq.report.dashboard.samples import samples
from lightning_seq.report.dashboard.slices import slices
from lightning_seq.report.dashboard.speech import speech
from lightning_seq.report.dashboard.states import states
from lightning_seq.report.dashboard.tagging import classes, worst_sentences
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.dashboard.timeline import timeline
from lightning_seq.report.dashboard.translation import translation
from lightning_seq.report.dashboard.tuning import tuning
from lightning_seq.report.dashboard.word_map import map_section, word_vectors
from lightning_seq.report.predictions import example_names
from lightning_seq.report.stamp import stamp
from lightning_seq.report.summary import Summary, runs_of, summarise_runs


def dashboard(directory: Path) -> str:
    """The dashboard of the comparison in `<runs>/<name>/`, as HTML.

    It makes no request, works from `file://` and escapes every string that came from data; a policy in its head lets
    only its own scripts run. Empty sections are left out. A note names each recorded file that is missing or has
    changed.

    Raises UserError when the directory is missing or holds no record.
    """
    runs = runs_of(directory)
    return render(directory, runs, summarise_runs(directory, runs))


def render(directory: Path, runs: list[tuple[Path, Record]], summary: Summary) -> str:
    """As `dashboard`, from records that are already read and their summary."""
    records = [record for _, record in runs]
    page = Page((label for group in summary.groups for label in group.labels), summary.name)
    hidden = {(group.task, group.data, label) for group in summary.groups for label in group.unchosen}
    tested = [run for run in runs if (run[1].task, run[1].data, run[1].label) not in hidden]
    done = [run for run in tested if run[1].status == "done"]
    tagged, unreadable = read_artifacts(done, "tagging", Tagged.read)
    names = example_names([run for run in done if "tagging" in run[1].artifacts])
    return _html(
        page,
        summary.name,
        [
            result(page, summary),
            sections.verdict(page, summary),
            sections.comparison(page, summary, addresses(runs)),
            over_data_sets(page, summary),
            quality_against_cost(page, summary),
            learning_curves(page, records, summary),
            gradient_flow(page, runs, summary),
            memory_horizon(page, runs, summary),
            tuning(page, runs, summary),
            classes(page, tagged, summary),
            confusion_matrices(page, tested, tagged, summary),
            early_decision(page, tested, summary),
            timeline(page, tested, summary),
            next_frames(page, tested, summary),
            predicted_values(page, tested, summary),
            worst_sentences(page, tagged, summary, names),
            draw("notes", wrong=unreadable),
            disagreements(page, tested, summary),
            slices(page, tested, summary),
            samples(page, runs, summary),
            translation(page, tested, summary),
            attention(page, runs, summary),
            captions(page, runs, tested, summary),
            speech(page, tested, summary),
            questions(page, runs, tested, summary),
            dialogs(page, tested, summary),
            forecasts(page, tested, summary),
            gates(page, runs, summary),
            states(page, runs, summary),
            deciding_words(page, runs, summary),
            word_vectors(page, runs),
            sections.problems(page, summary),
            sections.conditions(page, summary, records),
            configurations(page, directory, runs, summary),
        ],
        heading=sections.heading(summary),
        contents=page.contents,
        records=len(records),
        made_of=stamp(runs),
    )


def map_page(word_map: Path, title: str) -> str:
    """A page with nothing but the map in a `word_map.json`, as self-contained as the dashboard."""
    page = Page()
    return _html(page, title, [map_section(page, [(title, WordMap.read(word_map))], [])], records=0, made_of="")


SCRIPTS = (
    "data", "word_map", "lines", "charts", "controls", "saving", "tables", "attention", "pictures", "trials",
    "sections", "start",
)  # fmt: skip
"""The page's own script: these of `scripts/`, in this order, as one function."""


def _script() -> str:
    parts = [files("lightning_seq.report.dashboard").joinpath("scripts", f"{name}.js") for name in SCRIPTS]
    return "\n".join(["(() => {", '"use strict";', *(part.read_text(encoding="utf-8") for part in parts), "})();"])


def _html(page: Page, title: str, parts: list[Markup], **values: object) -> str:
    """values: of the template `page`."""
    source = files("lightning_seq.report.dashboard")
    bundle, script = javascript(), _script()
    return draw(
        "page",
        policy=_policy(bundle, script),
        title=f"{title} · lightning_seq",
        style=Markup(source.joinpath("style.css").read_text(encoding="utf-8")),
        sections=parts,
        data=Markup(page.json()),
        bundle=Markup(bundle),
        script=Markup(script),
        **values,
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
