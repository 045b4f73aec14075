"""BLEU by length, accuracy by place, and examples of translations, as a section of the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.record import Record
from lightning_seq.records.translation import BUCKETS, LONGEST_TEXT, Example, Translation
from lightning_seq.report.dashboard.chart_style import Spec, channel, line_chart, single_value_domain, ticks, value_axis
from lightning_seq.report.dashboard.compared_words import compared
from lightning_seq.report.dashboard.page import Cell, Heading, Page
from lightning_seq.report.dashboard.templates import draw, shortened
from lightning_seq.report.formats import mean_and_std
from lightning_seq.report.headline import with_labels
from lightning_seq.report.predictions import Names, example_names, name_of
from lightning_seq.report.summary import Group, Statistic, Summary

MOST_EXAMPLES, FIRST_EXAMPLES = 20, 4
LEAST_TOKENS = 20
_ATTENTION: dict[str, Callable[[Translation], float | None]] = {
    "alignment error rate": lambda result: result.alignment_error_rate,
    "attention entropy": lambda result: result.attention_entropy,
}

Translations = list[tuple[Record, Translation]]
BySeed = list[tuple[int, Translation]]
"""The seeds of a label."""


def translation(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """Charts, a table and examples for each data set that was translated."""
    done = [run for run in runs if run[1].status == "done"]
    names = example_names([run for run in done if "translation" in run[1].artifacts])
    part = partial(_group, names)
    return page.of_artifacts("Translation", "translation", Translation.read, done, summary, part, least=LEAST_TOKENS)


def _group(names: Mapping[tuple[str, str, int], Names], page: Page, group: Group, translations: Translations) -> Markup:
    by_label = {
        label: [(record.seed, result) for record, result in translations if record.label == label]
        for label in group.labels
    }
    by_label = {label: mine for label, mine in by_label.items() if mine}
    buckets = _bucket_names(translations)
    bleu = {(label, bucket): _bleu(mine, bucket) for label, mine in by_label.items() for bucket in buckets}
    cards = []
    if rows := _length_rows(group, by_label, bleu, list(buckets)):
        title, columns = "BLEU by length of the source", ["label", "length", "bleu", "sd", "seeds", "n"]
        values = list(buckets.values())
        spec = length_chart(group.labels, values)
        cards.append(page.card(title, spec, "length", columns, rows, {"label": group.labels, "length": values}))
    if places := _position_rows(group, by_label):
        columns = ["label", "position", "place", "accuracy", "sd", "seeds", "n"]
        spec = position_chart(group.labels, min(row[1] for row in places), max(row[1] for row in places))
        title = "Token accuracy by place in the target"
        cards.append(page.card(title, spec, "position", columns, places, {"label": group.labels}))
    known = {
        name: read for name, read in _ATTENTION.items() if any(read(result) is not None for _, result in translations)
    }
    head = [Heading(f"BLEU {name}", first="down") for name in buckets.values()] + [*map(Heading, known)]
    return draw(
        "translation",
        labels=group.labels,
        legend=page.legend(group.labels),
        cards=cards,
        head=[Heading("label", "text"), *head] if head else [],
        rows=[
            (label, "", [
                *(_cell(bleu[label, bucket], "bleu") for bucket in buckets),
                *(_cell(Statistic({seed: read(result) for seed, result in mine})) for read in known.values()),
            ])
            for label, mine in by_label.items()
        ],
        with_attention=bool(known),
        facts=_facts(translations),
        examples=_examples(group, translations, names),
        first=FIRST_EXAMPLES,
    )  # fmt: skip


def length_chart(labels: list[str], buckets: list[str]) -> Spec:
    """BLEU of short, middle and long sources: a line for each label, its mean over seeds."""
    scale = {"domain": buckets, "type": "point", "padding": 0.35}
    axis = {"grid": False, "labelAngle": 0}
    return line_chart(
        labels,
        channel("length:N", sort=None, title="length of the source in tokens", axis=axis, scale=scale),
        value_axis("bleu:Q"),
        [
            channel("length:N", title="source tokens"),
            channel("bleu:Q", title="BLEU", format=".1f"),
            channel("sd:Q", format=".2f"),
            channel("seeds:Q"),
            channel("n:Q", title="sentences", format=","),
        ],
        "BLEU by length of the source",
        size=44,
    )


def position_chart(labels: list[str], first: int, last: int) -> Spec:
    """Token accuracy at each target place, from the first to the last: a line for each label, its mean over seeds."""
    scale = {"nice": False, "zero": False, "padding": 8, **single_value_domain((first, last))}
    axis = {"grid": False, "format": "d", **ticks((first, last))}
    return line_chart(
        labels,
        channel("position:Q", title="place in the target", axis=axis, scale=scale),
        value_axis("accuracy:Q"),
        [
            channel("place:N", title="target place"),
            channel("accuracy:Q", format=".3f"),
            channel("sd:Q", format=".3f"),
            channel("seeds:Q"),
            channel("n:Q", title="tokens", format=","),
        ],
        "Token accuracy by place in the target",
        size=22,
    )


def _bleu(translations: BySeed, bucket: str) -> Statistic:
    found = {seed: mine.bleu for seed, result in translations for mine in result.buckets if mine.name == bucket}
    return Statistic(dict(sorted(found.items())))


def _bucket_names(translations: Translations) -> dict[str, str]:
    """The buckets that a run has, each with its lengths, if these are the same in all runs."""
    spans: dict[str, set[tuple[int, int]]] = {}
    for _, result in translations:
        for bucket in result.buckets:
            spans.setdefault(bucket.name, set()).add((bucket.first, bucket.last))
    names = {}
    for name in (name for name in BUCKETS if name in spans):
        first, last = min(spans[name])
        lengths = f"{first}" if first == last else f"{first}–{last}"
        names[name] = f"{name} ({lengths})" if len(spans[name]) == 1 else name
    return names


def _length_rows(
    group: Group, by_label: Mapping[str, BySeed], bleu: Mapping[tuple[str, str], Statistic], buckets: list[str]
) -> list[list[float | int | None]]:
    rows = []
    for (label, name), statistic in bleu.items():
        sizes = [bucket.n for _, result in by_label[label] for bucket in result.buckets if bucket.name == name]
        if statistic.mean is not None:
            spread = None if statistic.std is None else round(statistic.std, 3)
            place = [group.labels.index(label), buckets.index(name)]
            rows.append([*place, round(statistic.mean, 3), spread, statistic.n, sizes[0]])
    return rows


def _position_rows(
    group: Group, by_label: Mapping[str, BySeed]
) -> list[tuple[int, int, str, float, float | None, int, int]]:
    """Rows `(label, position from 1, its name, accuracy, sd, seeds, tokens of a seed)`."""
    counts = [n for mine in by_label.values() for _, result in mine for _, n in result.positions]
    least = min(LEAST_TOKENS, max(counts, default=0))
    rows = []
    for label, mine in by_label.items():
        for place in range(max((len(result.positions) for _, result in mine), default=0)):
            at = {seed: result.positions[place] for seed, result in mine if place < len(result.positions)}
            statistic = Statistic({seed: accuracy for seed, (accuracy, n) in at.items() if n >= least})
            if statistic.mean is None:
                continue
            later = any(result.and_later and place == len(result.positions) - 1 for _, result in mine)
            name = f"{place + 1} and later" if later else str(place + 1)
            spread = None if statistic.std is None else round(statistic.std, 4)
            n = max(n for _, n in at.values())
            rows.append((group.labels.index(label), place + 1, name, round(statistic.mean, 4), spread, statistic.n, n))
    return rows


def _cell(statistic: Statistic, metric: str | None = None) -> Cell:
    return Cell(mean_and_std(statistic, metric), statistic.mean)


def _facts(translations: Translations) -> str:
    """How it was scored and searched; where runs differ, each value is followed by its labels."""
    readers: dict[str, Callable[[Translation], str | None]] = {
        "BLEU": lambda result: result.signatures.get("bleu"),
        "chrF": lambda result: result.signatures.get("chrf"),
        "Beam": lambda result: None if result.beam is None else str(result.beam),
    }
    values = {
        title: [(record.label, value) for record, result in translations if (value := read(result))]
        for title, read in readers.items()
    }
    return " ".join(f"{title}: {with_labels(pairs)}." for title, pairs in values.items() if pairs)


def _examples(
    group: Group, translations: Translations, names: Mapping[tuple[str, str, int], Names]
) -> list[dict[str, object]]:
    runs: dict[str, Translation] = {}
    known: Names = {}
    for record, result in sorted(translations, key=lambda item: item[0].seed):
        if result.examples:
            runs.setdefault(record.label, result)
            known = known or names.get((record.data, record.label, record.seed), {})
    sentences: dict[tuple[int, str, str], dict[str, Example]] = {}
    for label in group.labels:
        for example in runs[label].examples if label in runs else ():
            sentences.setdefault((example.number, example.source, example.reference), {})[label] = example
    ordered = sorted(sentences.items(), key=lambda item: _order(item[1]))[:MOST_EXAMPLES]
    examples: list[dict[str, object]] = []
    for (number, source, reference), by_label in ordered:
        versions = [
            (label, example, compared(example.hypothesis, [example.reference])) for label, example in by_label.items()
        ]
        texts = {"source": shortened(source, LONGEST_TEXT), "reference": shortened(reference, LONGEST_TEXT)}
        examples.append({"name": name_of(known, number), **texts, "versions": versions})
    return examples


def _order(by_label: dict[str, Example]) -> tuple[int, bool, float]:
    """A key that sorts by the number of labels, then sentences that all translated rightly last, then by loss."""
    losses = [example.loss for example in by_label.values() if example.loss is not None]
    mean = sum(losses) / len(losses) if losses else 0.0
    return -len(by_label), all(example.exact for example in by_label.values()), -mean
