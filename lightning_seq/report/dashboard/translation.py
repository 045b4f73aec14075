"""BLEU by length, accuracy by place, and examples of translations, as a section of the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.records.translation import BUCKETS, LONGEST_TEXT, Bucket, Example, Translation, read_translation
from lightning_seq.report.dashboard.chart_style import Spec, channel, single_value_domain, ticks, value_axis
from lightning_seq.report.dashboard.line_chart import line_chart
from lightning_seq.report.dashboard.page import Card, Cell, Heading, Page, of_groups
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.example_names import ABOUT as EXAMPLE_IDS
from lightning_seq.report.example_names import Names, example_names, name_of
from lightning_seq.report.formats import decimal, mean_and_std
from lightning_seq.report.summary import Group, Statistic, Summary

MOST_EXAMPLES, FIRST_EXAMPLES = 20, 4
LEAST_TOKENS = 20

ABOUT = (
    "BLEU of the third of the test split with the shortest sources, the middle one and the longest; and how often the "
    "right token is predicted at each place of the target, after the reference's tokens. Means over seeds. Places with "
    f"fewer than {LEAST_TOKENS} tokens are left out."
)
EXAMPLES = (
    "The same sentences by each label, of its first seed; those with the highest loss come first. Words that the "
    "reference does not have there are underlined. " + EXAMPLE_IDS
)

Translations = list[tuple[Record, Translation]]


def translation(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """Charts, a table and examples for each data set that was translated."""
    done = [run for run in runs if run[1].status == "done"]
    readable, wrong = read_artifacts(done, "translation", read_translation)
    names = example_names([run for run in done if "translation" in run[1].artifacts])

    def part(group: Group) -> Markup:
        mine = [item for item in readable if group.holds(item[0])]
        return _group(page, group, mine, names) if mine else Markup()

    return page.section("Translation", "translation", ABOUT, of_groups(summary, part), wrong=wrong)


def _group(page: Page, group: Group, translations: Translations, names: Mapping[tuple[str, int], Names]) -> Markup:
    head, rows, with_attention = _table(group, translations)
    return draw(
        "translation",
        labels=group.labels,
        legend=page.legend(group.labels),
        cards=_cards(page, group, translations),
        head=head,
        rows=rows,
        with_attention=with_attention,
        facts=_facts(translations),
        about_examples=EXAMPLES,
        examples=_examples(group, translations, names),
        first=FIRST_EXAMPLES,
    )


def _cards(page: Page, group: Group, translations: Translations) -> list[Card]:
    cards = []
    if lengths := _length_rows(group, translations):
        names = _bucket_names(translations)
        title, columns = "BLEU by length of the source", ["label", "length", "bleu", "sd", "seeds", "n"]
        spec = length_chart(group.labels, names)
        cards.append(page.card(title, spec, "length", columns, lengths, {"label": group.labels, "length": names}))
    if rows := _position_rows(group, translations):
        columns = ["label", "position", "place", "accuracy", "sd", "seeds", "n"]
        spec = position_chart(group.labels, min(row[1] for row in rows), max(row[1] for row in rows))
        title = "Token accuracy by place in the target"
        cards.append(page.card(title, spec, "position", columns, rows, {"label": group.labels}))
    return cards


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


def _buckets(group: Group, translations: Translations) -> dict[tuple[str, str], tuple[Statistic, Bucket]]:
    """By label and name of the bucket: BLEU over seeds, and the bucket of one of them."""
    buckets = {}
    for label in group.labels:
        for name in BUCKETS:
            by_seed = {
                record.seed: bucket
                for record, result in translations
                if record.label == label
                for bucket in result.buckets
                if bucket.name == name
            }
            if by_seed:
                statistic = Statistic({seed: bucket.bleu for seed, bucket in sorted(by_seed.items())})
                buckets[label, name] = statistic, next(iter(by_seed.values()))
    return buckets


def _bucket_names(translations: Translations) -> list[str]:
    """The names with the lengths of the buckets, where these are the same in all runs."""
    spans: dict[str, set[tuple[int, int]]] = {}
    for _, result in translations:
        for bucket in result.buckets:
            spans.setdefault(bucket.name, set()).add((bucket.first, bucket.last))
    names = []
    for name in BUCKETS:
        if name in spans:
            first, last = min(spans[name])
            lengths = f"{first}" if first == last else f"{first}–{last}"
            names.append(f"{name} ({lengths})" if len(spans[name]) == 1 else name)
    return names


def _length_rows(group: Group, translations: Translations) -> list[list[float | int | None]]:
    buckets = _buckets(group, translations)
    names = [name for name in BUCKETS if any(name == bucket for _, bucket in buckets)]
    return [
        [
            group.labels.index(label),
            names.index(name),
            round(statistic.mean, 3),
            None if statistic.std is None else round(statistic.std, 3),
            statistic.n,
            bucket.n,
        ]
        for (label, name), (statistic, bucket) in buckets.items()
        if statistic.mean is not None
    ]


def _position_rows(
    group: Group, translations: Translations
) -> list[tuple[int, int, str, float, float | None, int, int]]:
    """Rows `(label, position from 1, its name, accuracy, sd, seeds, tokens of a seed)`."""
    least = min(LEAST_TOKENS, max((n for _, result in translations for _, n in result.positions), default=0))
    rows = []
    for index, label in enumerate(group.labels):
        mine = [(record.seed, result) for record, result in translations if record.label == label]
        for place in range(max((len(result.positions) for _, result in mine), default=0)):
            at = {seed: result.positions[place] for seed, result in mine if place < len(result.positions)}
            statistic = Statistic({seed: accuracy for seed, (accuracy, n) in at.items() if n >= least})
            if statistic.mean is None:
                continue
            later = any(result.and_later and place == len(result.positions) - 1 for _, result in mine)
            name = f"{place + 1} and later" if later else str(place + 1)
            spread = None if statistic.std is None else round(statistic.std, 4)
            n = max(n for _, n in at.values())
            rows.append((index, place + 1, name, round(statistic.mean, 4), spread, statistic.n, n))
    return rows


def _table(group: Group, translations: Translations) -> tuple[list[Heading], list[tuple[str, list[Cell]]], bool]:
    """BLEU by length and the attention metrics that are known: headings, cells by label, and whether there are any."""
    buckets = _buckets(group, translations)
    names = [name for name in BUCKETS if any(name == bucket for _, bucket in buckets)]
    readers: dict[str, Callable[[Translation], float | None]] = {
        "alignment error rate": lambda result: result.alignment_error_rate,
        "attention entropy": lambda result: result.attention_entropy,
    }
    known = {
        name: read for name, read in readers.items() if any(read(result) is not None for _, result in translations)
    }
    if not buckets and not known:
        return [], [], False
    head = [
        Heading("label", "text"),
        *(Heading(f"BLEU {name}", first="down") for name in _bucket_names(translations)),
        *map(Heading, known),
    ]
    rows = []
    for label in group.labels:
        mine = [(record.seed, result) for record, result in translations if record.label == label]
        bleu = [buckets[label, name][0] if (label, name) in buckets else Statistic() for name in names]
        others = [Statistic({seed: read(result) for seed, result in mine}) for read in known.values()]
        cells = [Cell(mean_and_std(statistic, "bleu"), statistic.mean) for statistic in bleu]
        cells += [Cell(mean_and_std(statistic), statistic.mean) for statistic in others]
        if mine:
            rows.append((label, cells))
    return head, rows, bool(known)


def _facts(translations: Translations) -> str:
    """How it was scored and searched; where runs differ, each value is followed by its labels."""
    readers: dict[str, Callable[[Translation], str | None]] = {
        "BLEU": lambda result: result.signatures.get("bleu"),
        "chrF": lambda result: result.signatures.get("chrf"),
        "Beam": lambda result: None if result.beam is None else str(result.beam),
    }
    lines = []
    for title, read in readers.items():
        labels: dict[str, list[str]] = {}
        for record, result in translations:
            if value := read(result):
                labels.setdefault(value, []).append(record.label)
        texts = [
            value if len(labels) == 1 else f"{value} ({', '.join(dict.fromkeys(names))})"
            for value, names in labels.items()
        ]
        if texts:
            lines.append(f"{title}: {'; '.join(texts)}")
    return ". ".join(lines) + "." if lines else ""


def _examples(
    group: Group, translations: Translations, names: Mapping[tuple[str, int], Names]
) -> list[dict[str, object]]:
    runs: dict[str, Translation] = {}
    known: Names = {}
    for record, result in sorted(translations, key=lambda item: item[0].seed):
        if result.examples:
            runs.setdefault(record.label, result)
            known = known or names.get((record.label, record.seed), {})
    sentences: dict[tuple[int, str, str], dict[str, Example]] = {}
    for label in group.labels:
        for example in runs[label].examples if label in runs else ():
            sentences.setdefault((example.number, example.source, example.reference), {})[label] = example
    ordered = sorted(sentences.items(), key=lambda item: _order(item[1]))[:MOST_EXAMPLES]
    examples: list[dict[str, object]] = []
    for (number, source, reference), by_label in ordered:
        versions = [_version(*item) for item in by_label.items()]
        texts = {"source": _cut(source), "reference": _cut(reference)}
        examples.append({"name": name_of(known, number), **texts, "versions": versions})
    return examples


def _order(by_label: dict[str, Example]) -> tuple[int, bool, float]:
    """A key that sorts by the number of labels, then sentences that all translated rightly last, then by loss."""
    losses = [example.loss for example in by_label.values() if example.loss is not None]
    mean = sum(losses) / len(losses) if losses else 0.0
    return -len(by_label), all(example.exact for example in by_label.values()), -mean


def _version(label: str, example: Example) -> dict[str, object]:
    facts = ["exact"] if example.exact else []
    facts += [f"loss {decimal(example.loss)}"] if example.loss is not None else []
    return {"label": label, "facts": " · ".join(facts), "pieces": list(_compared(example))}


def _compared(example: Example) -> Iterator[tuple[str, bool]]:
    """The words of the hypothesis in pieces, and whether the reference has them at the same place."""
    words, reference = _cut(example.hypothesis).split(), _cut(example.reference).split()
    for kind, _, _, first, last in SequenceMatcher(None, reference, words, autojunk=False).get_opcodes():
        if first < last:
            yield " ".join(words[first:last]), kind == "equal"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
