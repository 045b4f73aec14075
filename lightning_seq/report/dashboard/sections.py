"""The sections of the dashboard that are words and tables: title, verdict, comparison, unfinished runs, conditions."""

from __future__ import annotations

import math
from collections.abc import Mapping

from markupsafe import Markup

from lightning_seq.files import Plain
from lightning_seq.records.record import Record
from lightning_seq.report import columns, tables
from lightning_seq.report.agreement import environment, fingerprints
from lightning_seq.report.dashboard.page import Heading, Page, of_groups
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import link
from lightning_seq.report.formats import plural
from lightning_seq.report.summary import PARAMETER_KINDS, Group, Summary
from lightning_seq.significance.compare import Pair

Addresses = dict[tuple[str, str, str, int | None], str]
"""Where on the page the entry of a run is, by task, data, label and seed; without a seed that of a label's runs."""


def heading(summary: Summary) -> Markup:
    """The title and the size of the comparison."""
    several = len(summary.groups) > 1
    labels = len({label for group in summary.groups for label in group.labels})
    if several:
        facts = [f"{len(summary.groups)} data sets"]
    else:
        facts = [text for group in summary.groups for text in (group.task, group.data and f"data {group.data}")]
    facts += [plural(labels, "label"), plural(summary.runs, "run")]
    return draw(
        "heading",
        name=summary.name,
        facts=[text for text in facts if text],
        sources=summary.sources,
    )


def verdict(page: Page, summary: Summary) -> Markup:
    """The conclusion in words, and every pair of labels, folded away."""
    return page.section("Verdict", "verdict", parts=of_groups(summary, _verdict))


def _verdict(group: Group) -> Markup:
    names, texts = tables.pair_table(group)
    head = [Heading(name, "text" if name in ("better mean", "other", "decision") else "number") for name in names]
    rows = [(row, _sorted_by(pair)) for row, pair in zip(texts, group.verdict.pairs, strict=True)]
    return draw("verdict", group=group, head=head, rows=rows)


def _sorted_by(pair: Pair) -> list[Plain]:
    """What the columns behind the labels are sorted by: an interval by its lower end."""
    low = pair.low if math.isfinite(pair.low) else None
    known = [min(pair.seeds), pair.difference, low, pair.p, pair.effect, pair.decision.value]
    return [*known, pair.needed, pair.order]


def comparison(page: Page, summary: Summary, addresses: Addresses) -> Markup:
    """The comparison as a table for each data set that can be sorted; the number of a seed links to its run."""
    one_seed = all(group.single_seed for group in summary.groups)
    parts = of_groups(summary, lambda group: _comparison_table(group, addresses))
    return page.section("Comparison", "comparison", parts, one_seed=one_seed)


def _comparison_table(group: Group, addresses: Addresses) -> Markup:
    names = [name for name in group.shown if name != group.headline]
    leading = [columns.metric(group.headline), columns.by_seed(group.headline)] if group.headline else []
    known = [value for row in group.rows for value in row.metric(group.headline).known]
    return draw(
        "comparison",
        group=group,
        baseline=columns.rows(group)[len(group.rows) :],
        before=[columns.LABEL, *leading, *map(columns.metric, names)],
        sizes=[columns.parameters(kind, kind) for kind in PARAMETER_KINDS],
        mismatch=columns.mismatch(group.matched),
        timed=[columns.SPEED, columns.SECONDS],
        engine=columns.ENGINE,
        names=names,
        span=(min(known), max(known)) if known else None,
        address=lambda row, seed=None: addresses[group.task, group.data, row.label, seed],
        notes=tables.notes(group),
    )


def problems(page: Page, summary: Summary) -> Markup:
    """The runs that failed, were interrupted or still run."""
    rows = [(problem, link(*problem.log.parts) if problem.log else "") for problem in summary.problems]
    body = draw("problems", rows=rows) if rows else Markup()
    return page.section("Unfinished runs", "problems", body=body)


def conditions(page: Page, summary: Summary, records: list[Record]) -> Markup:
    """Fairness, fingerprints of each data set's runs, and environment: were conditions equal?"""
    several = len(summary.groups) > 1
    shared = environment(records)

    def part(group: Group) -> Markup:
        mine = [record for record in records if group.holds(record)]
        inputs = dict.fromkeys(_inputs(record.embedding) for record in mine if record.embedding)
        rows = [*group.fairness, *fingerprints(mine), *([] if several else shared)]
        return draw("conditions", title=group.title, rows=rows, inputs=inputs)

    parts = of_groups(summary, part)
    if several and shared:
        parts.append(("All runs", draw("conditions", title="all runs", rows=shared, inputs=[])))
    return page.section("Equal conditions", "conditions", parts)


def _inputs(embedding: Mapping[str, Plain]) -> str:
    """`word2vec, 100 wide, 93.4 % of types found`."""
    parts = [str(embedding.get("kind", "")), f"{embedding['size']} wide" if embedding.get("size") else ""]
    for key, name in (("type_coverage", "types"), ("token_coverage", "tokens")):
        if isinstance(embedding.get(key), int | float):
            parts.append(f"{100 * embedding[key]:.1f} % of {name} found")
    return ", ".join(filter(None, parts))
