"""The sections of the dashboard that are words and tables; every string from data goes through `escape.html`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lightning_seq.records.record import Record
from lightning_seq.report import tables
from lightning_seq.report.agreement import Agreement, environment, fingerprints
from lightning_seq.report.dashboard.charts import PALETTE
from lightning_seq.report.escape import html, link
from lightning_seq.report.headline import lower_is_better
from lightning_seq.report.summary import PARAMETER_KINDS, Group, Row, Statistic, Summary

Addresses = dict[tuple[str, str, str, int | None], str]
"""Where on the page the entry of a run is, by task, data, label and seed; without a seed that of a label's runs."""

Places = dict[int | None, str]
"""The addresses of one label's runs, by seed."""


def swatch(index: int) -> str:
    broken = " broken" if index >= PALETTE else ""
    return f'<span class="swatch{broken}" style="--c:var(--c{index % PALETTE})"></span>'


def named(index: int, text: str) -> str:
    """A label's colour and `text` beside it, which a narrow column may break behind its commas."""
    shown = re.sub(r",(?=\S)", ",<wbr>", html(text))
    return f'<span class="name">{swatch(index)}<span>{shown}</span></span>'


def section(title: str, body: str, about: str = "", anchor: str = "") -> str:
    """A section; `title` and `about` are text, `body` is HTML."""
    lead = f'<p class="about">{html(about)}</p>' if about else ""
    return f'<section id="{html(anchor)}"><h2>{html(title)}</h2>{lead}{body}</section>'


def breakable(name: str) -> str:
    """A metric's name that a narrow column may break behind its slashes and underscores."""
    return re.sub("([/_])", r"\1<wbr>", html(name)) if len(name) > 16 else html(name)


def note(text: str, warn: bool = False) -> str:
    return f'<p class="note{" warn" if warn else ""}">{html(text)}</p>'


def grouped(parts: Sequence[tuple[Group, str]], several: bool) -> str:
    """What there is for each data set, one below the other; under its name, where there are several."""
    return "".join(
        f'<div class="group">{f"<h3>{html(group.title)}</h3>" if several else ""}{body}</div>'
        for group, body in parts
        if body
    )


def heading(summary: Summary) -> str:
    """The title, what was compared, and for each data set a line, which names a best mean and claims no more."""
    several = len(summary.groups) > 1
    labels = len({label for group in summary.groups for label in group.labels})
    parts = [f"{len(summary.groups)} data sets"] if several else []
    if not several:
        parts = [text for group in summary.groups for text in (group.task, group.data and f"data {group.data}")]
    parts += [
        f"{labels} {'label' if labels == 1 else 'labels'}",
        f"{summary.runs} {'run' if summary.runs == 1 else 'runs'}",
    ]
    kicker = " · ".join(part for part in parts if part)
    leads = "".join(
        f'<p class="lead">{f"<b>{html(group.title)}.</b> " if several else ""}{html(lead(group))}</p>'
        for group in summary.groups
    )
    gathered = note(summary.sources) if summary.sources else ""
    return f'<h1>{html(summary.name)}</h1><p class="kicker">{html(kicker)}</p>{leads}{gathered}'


def lead(group: Group) -> str:
    best = group.best()
    if not best or group.headline is None:
        return "No run is done yet, so there is no result to show."
    statistic = best[0].metric(group.headline)
    shown, labels = tables.mean_and_std(statistic, group.headline), ", ".join(row.label for row in best)
    others = sum(row.metric(group.headline).n > 0 for row in group.rows) > 1
    mean = f"mean {group.headline}" if len(best) > 1 or statistic.n > 1 else group.headline
    extreme = "Lowest" if lower_is_better(group.headline) else "Highest"
    head = f"{extreme} {mean}" if others else mean.replace("mean ", "Mean ", 1)
    if len(best) > 1:
        return f"{head}: {labels} with {tables.decimal(statistic.mean, group.headline)} each."
    if statistic.n == 1:
        return f"{head}: {labels} with {shown}, from one seed."
    return f"{head}: {labels} with {shown} over {statistic.n} seeds."


def verdict(summary: Summary) -> str:
    """What may be concluded, in words, and every pair of labels, folded away."""
    body = grouped([(group, _verdict(group)) for group in summary.groups], len(summary.groups) > 1)
    return section("Verdict", body, anchor="verdict") if body else ""


def _verdict(group: Group) -> str:
    said = "".join(f'<p class="lead">{html(text)}</p>' for text in group.verdict.sentences)
    said += "".join(note(text) for text in group.verdict.how)
    head, rows = tables.pair_table(group)
    if not rows:
        return said
    titles = "".join(
        f'<th{" class=left" if place < 2 else ""} scope="col">{html(name)}</th>' for place, name in enumerate(head)
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td class="left">{named(group.labels.index(label), label)}</td>' for label in row[:2])
        + "".join(f"<td>{html(text)}</td>" for text in row[2:])
        + "</tr>"
        for row in rows
    )
    return (
        f"{said}<details><summary>Every pair of labels, by {html(group.headline)}</summary><div>"
        f'<div class="scroll"><table class="pairs"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'
        "</div></details>"
    )


def comparison(summary: Summary, addresses: Addresses) -> str:
    """The comparison as a table for each data set that can be sorted; the number of a seed links to its run."""
    spread = "Mean ± sample standard deviation over seeds, the single seeds below it, with links to their runs."
    one_seed = all(group.single_seed for group in summary.groups)
    about = "Click a heading to sort." if one_seed else f"{spread} Click a heading to sort."
    parts = [(group, _comparison_table(group, addresses)) for group in summary.groups]
    body = grouped(parts, len(summary.groups) > 1)
    return section("Comparison", body, about, "comparison")


def _comparison_table(group: Group, addresses: Addresses) -> str:
    others = [name for name in group.shown if name != group.headline]
    before: list[tuple[str, str, str]] = [("label", "text", "up")]
    if group.headline:
        first = "up" if lower_is_better(group.headline) else "down"
        before += [(group.headline, "number", first), ("by seed", "", "")]
    before += [(name, "number", "up" if lower_is_better(name) else "down") for name in others]
    kinds = [(kind, "number", "up") for kind in PARAMETER_KINDS]
    mismatch = [("mismatch", "number", "up")] * group.matched
    after = [*mismatch, ("tokens/s", "number", "down"), ("training s", "number", "up"), ("engine", "text", "up")]
    head = "<tr>" + "".join(sorting(index, *column, rows=2) for index, column in enumerate(before))
    head += f'<th class="group" colspan="{len(kinds)}">parameters</th>'
    head += "".join(sorting(len(before) + len(kinds) + index, *column, rows=2) for index, column in enumerate(after))
    head += "</tr><tr>" + "".join(sorting(len(before) + index, *column) for index, column in enumerate(kinds)) + "</tr>"
    span = _span(group)
    rows = []
    for index, row in enumerate(group.rows):
        runs = {seed: addresses[group.task, group.data, row.label, seed] for seed in (*row.seeds, None)}
        rows.append(_table_row(group, row, index, others, span, runs))
    table = (
        f'<div class="scroll"><table class="compare"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'
    )
    return table + "".join(note(text) for text in tables.notes(group))


def problems(summary: Summary) -> str:
    """What failed, was interrupted or still runs."""
    if not summary.problems:
        return ""
    rows = "".join(
        f'<tr><th class="left">{html(problem.label)}</th><td>{problem.seed}</td>'
        f'<td class="left">{html(problem.status)}</td>'
        f'<td class="wrap error">{html(problem.error or tables.NOTHING)}</td>'
        f'<td class="left">{anchor(problem.log, "log") if problem.log else tables.NOTHING}</td></tr>'
        for problem in summary.problems
    )
    names = ("label", "seed", "status", "error", "log")
    head = "".join(f'<th class="left">{name}</th>' if name != "seed" else "<th>seed</th>" for name in names)
    body = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    return section("What did not finish", body, "These runs are in no mean above.", "problems")


def conditions(summary: Summary, records: list[Record]) -> str:
    """Fingerprints of each data set's runs, and environment: were they compared under equal conditions?"""
    several = len(summary.groups) > 1
    shared = [_agreement_row(item, is_fingerprint=False) for item in environment(records)]
    parts = []
    for group in summary.groups:
        mine = [record for record in records if group.holds(record)]
        facts = [_agreement_row(item, is_fingerprint=True) for item in fingerprints(mine)]
        body = _agreement_table(facts if several else facts + shared)
        embeddings = dict.fromkeys(_embedding(record) for record in mine if record.embedding)
        parts.append((group, body + "".join(note(f"Inputs: {text}") for text in embeddings if text)))
    body = grouped(parts, several)
    if several and shared:
        body += f'<div class="group"><h3>All runs</h3>{_agreement_table(shared)}</div>'
    about = "Equal fingerprints mean equal contents. Batches are compared between the runs of one seed."
    return section("Equal conditions", body, about, "conditions")


def _agreement_table(rows: list[str]) -> str:
    head = '<th class="left">what</th><th class="left">same in all runs?</th><th class="left">value</th>'
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def sorting(index: int, name: str, kind: str, first: str, rows: int = 1) -> str:
    """A heading of a table; with a `kind` (`text`, `number`) one that sorts, `first` up or down."""
    tall = f' rowspan="{rows}"' if rows > 1 else ""
    if not kind:
        return f'<th class="left"{tall}>{html(name)}</th>'
    left = " left" if kind == "text" else ""
    return (
        f'<th class="sort{left}"{tall} scope="col" data-column="{index}" data-kind="{kind}" data-first="{first}">'
        f'<button type="button">{breakable(name)}</button></th>'
    )


def _table_row(
    group: Group, row: Row, index: int, others: list[str], span: tuple[float, float] | None, runs: Places
) -> str:
    name = f"{named(index, row.label)}<small>{html(tables.run_counts(row))}</small>"
    cells = [f'<th scope="row" data-value="{html(row.label)}">{name}</th>']
    if group.headline:
        bold, best = row is group.significant(), row in group.marked()
        cells.append(_metric_cell(row.metric(group.headline), group.headline, runs, bold, best))
        cells.append(f"<td>{_strip(row.metric(group.headline), group.headline, index, span)}</td>")
    cells += [_metric_cell(row.metric(name), name, runs) for name in others]
    cells += [cell(tables.whole(row.parameters.get(kind)), row.parameters.get(kind)) for kind in PARAMETER_KINDS]
    cells += [cell(tables.signed_percentage(row.mismatch), row.mismatch)] * group.matched
    for text, mean in (
        (tables.speed(row), row.tokens_per_second.mean),
        (tables.duration(row.seconds.mean), row.seconds.mean),
    ):
        said = html(text) if mean is None else f'<a href="#{runs[None]}">{html(text)}</a>'
        cells.append(f'<td data-value="{"" if mean is None else mean}">{said}</td>')
    cells.append(f'<td class="left" data-value="{html(row.engine)}">{html(row.engine or tables.NOTHING)}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def cell(text: str, value: float | None, below: str = "") -> str:
    """A number in a table that can be sorted; `below` is text in small letters."""
    small = f"<small>{html(below)}</small>" if below else ""
    return f'<td data-value="{"" if value is None else value}">{html(text)}{small}</td>'


def _metric_cell(statistic: Statistic, metric: str, runs: Places, bold: bool = False, best: bool = False) -> str:
    shown = html(tables.mean_and_std(statistic, metric))
    links = " ".join(
        f'<a href="#{runs[seed]}" title="seed {seed}">{html(tables.decimal(value, metric))}</a>'
        for seed, value in statistic.values.items()
    )
    single = f"<small class=seeds>{links}</small>"
    if len(statistic.values) < 2:
        shown, single = links or shown, ""
    mark = "<small class=best>best mean</small>" if best else ""
    value = "" if statistic.mean is None else statistic.mean
    return f'<td data-value="{value}">{f"<span class=significant>{shown}</span>" if bold else shown}{mark}{single}</td>'


def _span(group: Group) -> tuple[float, float] | None:
    values = [value for row in group.rows for value in row.metric(group.headline).known]
    if not values:
        return None
    return min(values), max(values)


def _strip(statistic: Statistic, metric: str, index: int, span: tuple[float, float] | None) -> str:
    """The seeds as dots and their mean as a stroke, on the scale that all rows share."""
    if span is None or statistic.mean is None:
        return ""

    low, high = span

    def place(value: float) -> str:
        share = (value - low) / (high - low) if high - low > 1e-300 else 0.5  # a smaller one may be flushed to 0
        return f"{7 + 136 * share:.1f}"

    dots = "".join(f'<circle cx="{place(value)}" cy="11" r="4.5"/>' for value in statistic.known)
    mean = place(statistic.mean)
    heard = tables.seed_values(statistic, metric)
    return (
        f'<svg class="strip" viewBox="0 0 150 22" role="img" aria-label="{html(heard)}" '
        f'style="--c:var(--c{index % PALETTE})"><line x1="2" y1="11" x2="148" y2="11"/>{dots}'
        f'<path d="M{mean} 3V19"/></svg>'
    )


def _agreement_row(item: Agreement, is_fingerprint: bool) -> str:
    meaning = f"<small>{html(item.meaning)}</small>" if item.meaning else ""
    if not item.values:
        verdict, css = "not recorded", ""
    elif item.equal is None:
        verdict, css = "one run: nothing to compare", ""
    elif item.equal:
        verdict, css = "yes", "equal"
    else:
        verdict, css = "no", "differs"
    if item.missing and item.values:
        verdict += f" (not recorded: {', '.join(item.missing)})"
    if not item.equal or (is_fingerprint and len(item.values) > 1):
        value = "<br>".join(
            f"{_value(value)} <small>{html(', '.join(runs))}</small>" for value, runs in item.values.items()
        )
    else:
        value = ", ".join(_value(value) for value in item.values)
    said = f'<span class="{css}">{html(verdict)}</span>'
    cells = f'<td class="wrap">{said}</td><td class="wrap">{value or tables.NOTHING}</td>'
    return f'<tr><th class="left">{html(item.name)}{meaning}</th>{cells}</tr>'


def _value(value: str) -> str:
    return f"<code>{html(value)}</code>"


def _embedding(record: Record) -> str:
    held = record.embedding
    text = str(held.get("kind", ""))
    if held.get("size"):
        text += f", {held['size']} wide"
    for key, name in (("type_coverage", "types"), ("token_coverage", "tokens")):
        if isinstance(held.get(key), int | float):
            text += f", {100 * held[key]:.1f} % of {name} found"
    return text


def anchor(path: Path, text: str) -> str:
    """A link to a file, from the page."""
    return f'<a href="{html(link(*path.parts))}">{html(text)}</a>'
