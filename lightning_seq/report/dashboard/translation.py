"""How good translators are by length and by place, and what they wrote, as a section of the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from pathlib import Path

from lightning_seq.files import Plain
from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.records.translation import BUCKETS, LONGEST_TEXT, Bucket, Example, Translation, read_translation
from lightning_seq.report import tables
from lightning_seq.report.dashboard import charts
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.sections import cell, grouped, named, note, section, sorting
from lightning_seq.report.escape import html
from lightning_seq.report.example_names import ABOUT as EXAMPLE_IDS
from lightning_seq.report.example_names import Names, example_names, name_of
from lightning_seq.report.summary import Group, Statistic, Summary

MOST_EXAMPLES, FIRST_EXAMPLES = 20, 4
LEAST_TOKENS = 20

ABOUT = (
    "BLEU of the third of the test split with the shortest sources, the middle one and the longest; and how often the "
    "right token is predicted at each place of the target, after the reference's tokens. Means over seeds. Places with "
    f"fewer than {LEAST_TOKENS} tokens are left out."
)
EXAMPLES = (
    "The same sentences by each label, of its first seed; those with the highest loss come first. Words that have no "
    "place in the reference are underlined. " + EXAMPLE_IDS
)

Found = list[tuple[Record, Translation]]


def translation(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> str:
    """Charts, a table and examples for each data set that was translated."""
    done = [run for run in runs if run[1].status == "done"]
    held, wrong = read_artifacts(done, "translation", read_translation)
    names = example_names([run for run in done if "translation" in run[1].artifacts])
    parts = []
    for group in summary.groups:
        mine = [item for item in held if group.holds(item[0])]
        texts = _charts(page, group, mine), _table(group, mine), _facts(mine), _examples(group, mine, names)
        parts.append((group, "".join(texts)))
    body = grouped(parts, len(summary.groups) > 1) + "".join(note(text, warn=True) for text in wrong)
    return section("Translation", body, ABOUT, "translation") if body else ""


def _charts(page: Page, group: Group, found: Found) -> str:
    cards = []
    if lengths := _length_rows(group, found):
        names = _bucket_names(found)
        columns = ["label", "length", "bleu", "sd", "seeds", "n"]
        table = page.table("length", columns, lengths, {"label": group.labels, "length": names})
        chart = page.chart(charts.length_chart(table, group.labels, names), table=table)
        cards.append(f'<div class="card"><h4>BLEU by length of the source</h4>{chart}</div>')
    if rows := _position_rows(group, found):
        columns = ["label", "position", "place", "accuracy", "sd", "seeds", "n"]
        table = page.table("position", columns, [list(row) for row in rows], {"label": group.labels})
        span = (min(row[1] for row in rows), max(row[1] for row in rows))
        chart = page.chart(charts.position_chart(table, group.labels, span), table=table)
        cards.append(f'<div class="card"><h4>Token accuracy by place in the target</h4>{chart}</div>')
    return f'{page.legend(group.labels)}<div class="pair">{"".join(cards)}</div>' if cards else ""


def _buckets(group: Group, found: Found) -> dict[tuple[str, str], tuple[Statistic, Bucket]]:
    """By label and name of the bucket: BLEU over seeds, and the bucket of one of them."""
    result = {}
    for label in group.labels:
        for name in BUCKETS:
            mine = {
                record.seed: bucket
                for record, held in found
                if record.label == label
                for bucket in held.buckets
                if bucket.name == name
            }
            if mine:
                statistic = Statistic({seed: bucket.bleu for seed, bucket in sorted(mine.items())})
                result[label, name] = statistic, next(iter(mine.values()))
    return result


def _bucket_names(found: Found) -> list[str]:
    """With the lengths that each stands for, where those are the same in all runs."""
    spans: dict[str, set[tuple[int, int]]] = {}
    for _, held in found:
        for bucket in held.buckets:
            spans.setdefault(bucket.name, set()).add((bucket.first, bucket.last))
    names = []
    for name in BUCKETS:
        if name in spans:
            first, last = min(spans[name])
            lengths = f"{first}" if first == last else f"{first}–{last}"
            names.append(f"{name} ({lengths})" if len(spans[name]) == 1 else name)
    return names


def _length_rows(group: Group, found: Found) -> list[Plain]:
    buckets = _buckets(group, found)
    there = [name for name in BUCKETS if any(name == each for _, each in buckets)]
    return [
        [
            group.labels.index(label),
            there.index(name),
            round(statistic.mean, 3),
            None if statistic.std is None else round(statistic.std, 3),
            statistic.n,
            bucket.n,
        ]
        for (label, name), (statistic, bucket) in buckets.items()
        if statistic.mean is not None
    ]


def _position_rows(group: Group, found: Found) -> list[tuple[int, int, str, float, float | None, int, int]]:
    """Rows `(label, position from 1, its name, accuracy, sd, seeds, tokens of a seed)`."""
    least = min(LEAST_TOKENS, max((n for _, held in found for _, n in held.positions), default=0))
    rows = []
    for index, label in enumerate(group.labels):
        mine = [(record.seed, held) for record, held in found if record.label == label]
        for place in range(max((len(held.positions) for _, held in mine), default=0)):
            at = {seed: held.positions[place] for seed, held in mine if place < len(held.positions)}
            statistic = Statistic({seed: accuracy for seed, (accuracy, n) in at.items() if n >= least})
            if statistic.mean is None:
                continue
            later = any(held.and_later and place == len(held.positions) - 1 for _, held in mine)
            name = f"{place + 1} and later" if later else str(place + 1)
            spread = None if statistic.std is None else round(statistic.std, 4)
            n = max(n for _, n in at.values())
            rows.append((index, place + 1, name, round(statistic.mean, 4), spread, statistic.n, n))
    return rows


def _table(group: Group, found: Found) -> str:
    """BLEU by length, and where attention looks, where that is known."""
    buckets, names = _buckets(group, found), _bucket_names(found)
    there = [name for name in BUCKETS if any(name == each for _, each in buckets)]
    parts: list[tuple[str, Callable[[Translation], float | None]]] = [
        ("alignment error rate", lambda held: held.alignment_error_rate),
        ("attention entropy", lambda held: held.attention_entropy),
    ]
    others = [(name, read) for name, read in parts if any(read(held) is not None for _, held in found)]
    if not buckets and not others:
        return ""
    columns = [("label", "text", "up"), *((f"BLEU {name}", "number", "down") for name in names)]
    columns += [(name, "number", "up") for name, _ in others]
    head = "".join(sorting(index, *column) for index, column in enumerate(columns))
    rows = []
    for index, label in enumerate(group.labels):
        mine = [(record.seed, held) for record, held in found if record.label == label]
        if not mine:
            continue
        cells = []
        for name in there:
            statistic = buckets[label, name][0] if (label, name) in buckets else Statistic()
            cells.append(cell(tables.mean_and_std(statistic, "bleu"), statistic.mean))
        for _, read in others:
            statistic = Statistic({seed: read(held) for seed, held in mine})
            cells.append(cell(tables.mean_and_std(statistic), statistic.mean))
        rows.append(f'<tr><th scope="row" data-value="{html(label)}">{named(index, label)}</th>{"".join(cells)}</tr>')
    about = "Attention entropy is in nats for each target token: 0 looks at one source token." if others else ""
    return (
        f'<div class="scroll"><table class="compare"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>{note(about) if about else ''}"
    )


def _facts(found: Found) -> str:
    """How it was scored and searched; what differs is said with the labels that it is true of."""
    lines = []
    for title, read in (
        ("BLEU", lambda held: held.signatures.get("bleu")),
        ("chrF", lambda held: held.signatures.get("chrf")),
        ("Beam", lambda held: None if held.beam is None else str(held.beam)),
    ):
        said: dict[str, list[str]] = {}
        for record, held in found:
            value = read(held)
            if value:
                said.setdefault(value, []).append(record.label)
        texts = [
            value if len(said) == 1 else f"{value} ({', '.join(dict.fromkeys(labels))})"
            for value, labels in said.items()
        ]
        if texts:
            lines.append(f"{title}: {'; '.join(texts)}")
    return note(". ".join(lines) + ".") if lines else ""


def _examples(group: Group, found: Found, names: Mapping[tuple[str, int], Names]) -> str:
    runs: dict[str, Translation] = {}
    known: Names = {}
    for record, held in sorted(found, key=lambda item: item[0].seed):
        if held.examples:
            runs.setdefault(record.label, held)
            known = known or names.get((record.label, record.seed), {})
    sentences: dict[tuple[int, str, str], dict[str, Example]] = {}
    for label in group.labels:
        for example in runs[label].examples if label in runs else ():
            sentences.setdefault((example.number, example.source, example.reference), {})[label] = example
    if not sentences:
        return ""
    chosen = sorted(sentences.values(), key=_order)[:MOST_EXAMPLES]
    items = [f"<li>{_example(group, by_label, known)}</li>" for by_label in chosen]
    rest = "".join(items[FIRST_EXAMPLES:])
    more = (
        f'<details><summary>{len(items) - FIRST_EXAMPLES} more</summary><div><ol class="sentences" '
        f'start="{FIRST_EXAMPLES + 1}">{rest}</ol></div></details>'
        if rest
        else ""
    )
    first = "".join(items[:FIRST_EXAMPLES])
    return (
        f'<h4 class="apart">Examples</h4><p class="about">{html(EXAMPLES)}</p><ol class="sentences">{first}</ol>{more}'
    )


def _order(by_label: dict[str, Example]) -> tuple[int, bool, float]:
    """What most labels translated first; what all translated rightly last; of the others the highest loss first."""
    losses = [example.loss for example in by_label.values() if example.loss is not None]
    mean = sum(losses) / len(losses) if losses else 0.0
    return -len(by_label), all(example.exact for example in by_label.values()), -mean


def _example(group: Group, by_label: dict[str, Example], names: Names) -> str:
    any_of = next(iter(by_label.values()))
    lines = [("source", "", html(_cut(any_of.source))), ("reference", "", html(_cut(any_of.reference)))]
    for label, example in by_label.items():
        facts = ["exact"] if example.exact else []
        facts += [f"loss {tables.decimal(example.loss)}"] if example.loss is not None else []
        small = f" <small>{html(' · '.join(facts))}</small>" if facts else ""
        lines.append((named(group.labels.index(label), label), " class=said", _compared(example) + small))
    versions = "".join(f'<dt>{name}</dt><dd{css} dir="auto">{text}</dd>' for name, css, text in lines)
    return f'{note(name_of(names, any_of.number))}<dl class="versions">{versions}</dl>'


def _compared(example: Example) -> str:
    """The hypothesis; words that are not in the reference, or elsewhere in it, are underlined."""
    words, reference = _cut(example.hypothesis).split(), _cut(example.reference).split()
    if not words:
        return "<i>nothing</i>"
    parts = []
    for kind, _, _, first, last in SequenceMatcher(None, reference, words, autojunk=False).get_opcodes():
        if first < last:
            text = html(" ".join(words[first:last]))
            parts.append(text if kind == "equal" else f'<span class="other">{text}</span>')
    return " ".join(parts)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
