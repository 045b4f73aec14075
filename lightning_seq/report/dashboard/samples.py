"""What language models wrote as they learnt and what they expect next, as a section of the dashboard."""

from __future__ import annotations

from pathlib import Path

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.records.samples import Samples, Step, read_samples
from lightning_seq.report.dashboard.charts import PALETTE
from lightning_seq.report.dashboard.sections import grouped, named, note, section
from lightning_seq.report.escape import html
from lightning_seq.report.summary import Summary

ABOUT = (
    "For each run: what it expects after each symbol of the prompt, at its last validation (bars are probabilities, ▸ "
    "marks what does follow in the prompt), and what it wrote after each epoch. ␣ is a space, ⏎ a line end."
)
_VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}
_LONGEST_SYMBOL = 10
_WIDTH, _HEAD, _LINE, _BAR = 168, 26, 19, 62


def written(runs: list[tuple[Path, Record]], summary: Summary) -> str:
    """Samples of each run that has any, folded away but for the first of a data set."""
    parts, wrong = [], []
    for group in summary.groups:
        found, notes = read_artifacts(
            [(run, record) for run, record in runs if group.holds(record)], "samples", read_samples
        )
        wrong += notes
        shown = [(record, samples) for record, samples in found if samples.texts or samples.steps]
        body = "".join(
            _run(record, samples, group.labels.index(record.label), is_open=index == 0)
            for index, (record, samples) in enumerate(shown)
        )
        parts.append((group, body))
    body = grouped(parts, len(summary.groups) > 1) + "".join(note(text, warn=True) for text in wrong)
    return section("Samples", body, ABOUT, "samples") if body else ""


def _run(record: Record, samples: Samples, index: int, is_open: bool) -> str:
    following = [*(step.symbol for step in samples.steps[1:]), None]
    pictures = "".join(_picture(*pair, index) for pair in zip(samples.steps, following, strict=False))
    texts = "".join(
        f'<div class="written"><b>epoch {epoch}</b><div class="text">{_text(text, samples.prompt)}</div></div>'
        for epoch, text in reversed(samples.texts)
    )
    prompt = html(_begun(samples.prompt)) if samples.prompt else "the beginning of a line"
    return (
        f"<details{' open' if is_open else ''}>"
        f"<summary>{named(index, f'{record.label}, seed {record.seed}')}</summary><div>"
        f"<p class=note>Prompt: <code class=text>{prompt}</code></p>"
        f'{f"""<div class="steps">{pictures}</div>""" if pictures else ""}{texts}</div></details>'
    )


def visible(symbol: str) -> str:
    """A symbol with white space that can be seen, and other characters that cannot by their number."""
    return "".join(
        _VISIBLE.get(character, character if character.isprintable() else f"U+{ord(character):04X}")
        for character in symbol
    )


def _begun(prompt: str) -> str:
    """A prompt whose white space at the beginning can be seen: a line end there would be an empty line."""
    rest = prompt.lstrip()
    return visible(prompt[: len(prompt) - len(rest)]) + rest


def _text(text: str, prompt: str) -> str:
    """The prompt stands out."""
    if not prompt or not text.startswith(prompt):
        return html(text)
    return f"<b>{html(_begun(prompt))}</b>{html(text[len(prompt) :])}"


def _picture(step: Step, following: str | None, index: int) -> str:
    """The likeliest symbols after one, a bar for each. following: the one that does follow, where there is one."""
    lines, said = [], []
    for line, (symbol, probability) in enumerate(step.following):
        y, name, share = _HEAD + _LINE * line, _cut(visible(symbol)), f"{100 * probability:.1f}"
        given = symbol == following
        said.append(f"{visible(symbol)} {share} %")
        lines.append(
            f'<g{" class=given" if given else ""}><text x="70" y="{y + 13}" text-anchor="end">'
            f"{'▸ ' if given else ''}{html(name)}</text>"
            f'<rect class="back" x="76" y="{y + 4}" width="{_BAR}" height="11" rx="2"/>'
            f'<rect class="bar" x="76" y="{y + 4}" width="{_BAR * probability:.1f}" height="11" rx="2"/>'
            f'<text class="share" x="{_WIDTH - 2}" y="{y + 13}" text-anchor="end">{share}</text></g>'
        )
    after = f"after {visible(step.symbol)}"
    heard = f"{after}: {', '.join(said)}"
    return (
        f'<svg class="step" viewBox="0 0 {_WIDTH} {_HEAD + _LINE * len(lines) + 2}" role="img" '
        f'aria-label="{html(heard)}" style="--c:var(--c{index % PALETTE})">'
        f'<text class="symbol" x="2" y="16">{html(_cut(after, 20))}</text>'
        f'<path d="M2 22H{_WIDTH - 2}"/>{"".join(lines)}</svg>'
    )


def _cut(text: str, longest: int = _LONGEST_SYMBOL) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
