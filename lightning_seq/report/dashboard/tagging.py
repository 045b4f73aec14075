"""How good taggers are at each class, and their worst sentences as coloured text, as sections of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lightning_seq.records.record import Record
from lightning_seq.records.tagging import ClassScore, Sentence, Tagged, Token
from lightning_seq.report import tables
from lightning_seq.report.dashboard.charts import PALETTE
from lightning_seq.report.dashboard.sections import cell, grouped, named, note, section, sorting
from lightning_seq.report.escape import html
from lightning_seq.report.example_names import ABOUT as EXAMPLE_IDS
from lightning_seq.report.example_names import Names, name_of
from lightning_seq.report.summary import Group, Statistic

MOST_ROWS, MOST_SENTENCES, MOST_TOKENS = 80, 20, 80

PER_CLASS = (
    "F1 of each class that the test split has, mean ± sample standard deviation over seeds, and below it precision and "
    "recall. A span is right where begin, end and kind are; tags are counted token by token."
)
WORST = (
    "The sentences of the test split with the highest loss, those with errors first. An error is framed and says what "
    "the tag should be → what was predicted; a line under a token is the colour of its tag. " + EXAMPLE_IDS
)

Found = list[tuple[Record, Tagged]]
Scores = dict[str, ClassScore]


def per_class(found: list[tuple[Group, Found]], several: bool) -> str:
    """A table for each data set: classes, the most frequent first, against labels."""
    parts = []
    for group, tagged in found:
        spans = _class_table(group, [(record, held.spans) for record, held in tagged], "kind of span")
        tags = _class_table(group, [(record, held.scores) for record, held in tagged], "tag")
        if spans and tags:
            tags = f"<details><summary>Tag by tag</summary><div>{tags}</div></details>"
        parts.append((group, spans + tags))
    body = grouped(parts, several)
    return section("Classes", body, PER_CLASS, "classes") if body else ""


def _class_table(group: Group, found: list[tuple[Record, Scores]], what: str) -> str:
    support: dict[str, int] = {}
    for _, scores in found:
        for name, score in scores.items():
            if score.support:
                support[name] = max(support.get(name, 0), score.support)
    if not support:
        return ""
    classes = sorted(support, key=lambda name: -support[name])
    labels = [label for label in group.labels if any(record.label == label and scores for record, scores in found)]
    columns = [(what, "text", "up"), ("support", "number", "down"), *((label, "number", "down") for label in labels)]
    head = "".join(sorting(index, *column) for index, column in enumerate(columns))
    rows = []
    for name in classes[:MOST_ROWS]:
        cells = [cell(tables.whole(support[name]), support[name])]
        for label in labels:
            mine = {record.seed: held[name] for record, held in found if record.label == label and name in held}
            cells.append(_score_cell(mine))
        rows.append(f'<tr><th scope="row" data-value="{html(name)}">{html(name)}</th>{"".join(cells)}</tr>')
    left_out = len(classes) - len(rows)
    more = note(f"{left_out} rarer ones are left out.") if left_out else ""
    return (
        f'<div class="scroll"><table class="compare"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>{more}"
    )


def _score_cell(scores: dict[int, ClassScore]) -> str:
    precision, recall, f1 = (
        Statistic({seed: getattr(score, part) for seed, score in scores.items()})
        for part in ("precision", "recall", "f1")
    )
    below = f"P {tables.decimal(precision.mean)}, R {tables.decimal(recall.mean)}" if scores else ""
    return cell(tables.mean_and_std(f1), f1.mean, below)


def worst_sentences(
    found: list[tuple[Group, Found]], several: bool, names: Mapping[tuple[str, int], Names] = MappingProxyType({})
) -> str:
    """The sentences of one seed of each label, folded away but for the first label of a data set.

    names: by label and seed, what the source calls the examples.
    """
    parts = []
    for group, tagged in found:
        runs: dict[str, tuple[Record, Tagged]] = {}
        for record, held in sorted(tagged, key=lambda item: item[0].seed):
            if held.sentences:
                runs.setdefault(record.label, (record, held))
        shown = [label for label in group.labels if label in runs]
        body = ""
        for label in shown:
            record, held = runs[label]
            known = names.get((label, record.seed), {})
            body += _run(record, held, group.labels.index(label), known, is_open=label == shown[0])
        parts.append((group, body))
    body = grouped(parts, several)
    return section("Worst sentences", body, WORST, "sentences") if body else ""


def _run(record: Record, tagged: Tagged, index: int, names: Names, is_open: bool) -> str:
    kinds = list(dict.fromkeys(_kind(tag) for tag in tagged.labels if tag != tagged.usual))
    shown = tagged.sentences[:MOST_SENTENCES]
    sentences = "".join(_sentence(sentence, tagged.usual, kinds, names) for sentence in shown)
    usual = note(f"Tokens that are rightly {tagged.usual} have no tag below them.") if tagged.usual else ""
    return (
        f"<details{' open' if is_open else ''}>"
        f"<summary>{named(index, f'{record.label}, seed {record.seed}')}</summary><div>{usual}"
        f'<ol class="sentences">{sentences}</ol></div></details>'
    )


def _sentence(sentence: Sentence, usual: str | None, kinds: list[str], names: Names) -> str:
    facts = [name_of(names, sentence.number)] if sentence.number else []
    counting = sum(token.target is not None for token in sentence.tokens)
    facts.append(f"{sentence.errors} of {counting} wrong")
    if sentence.loss is not None:
        facts.append(f"loss {tables.decimal(sentence.loss)}")
    tokens = " ".join(_token(token, usual, kinds) for token in sentence.tokens[:MOST_TOKENS])
    cut = len(sentence.tokens) - MOST_TOKENS
    more = f' <span class="token">… {cut} more tokens</span>' if cut > 0 else ""
    return f'<li>{note(" · ".join(facts))}<p class="tokens">{tokens}{more}</p></li>'


def _token(token: Token, usual: str | None, kinds: list[str]) -> str:
    if token.wrong:
        said = f"{token.target} → {token.prediction}"
        return (
            f'<mark class="token" title="{html(said)} (should be → predicted)">{html(token.text)}'
            f"<small>{html(said)}</small></mark>"
        )
    if token.target is None:
        said = f"{token.prediction}, does not count"
        return f'<span class="token" title="{html(said)}">{html(token.text)}<small>–</small></span>'
    if token.target == usual:
        return f'<span class="token" title="{html(token.target)}">{html(token.text)}</span>'
    kind = _kind(token.target)
    colour = f' style="--c:var(--c{kinds.index(kind) % PALETTE})"' if kind in kinds else ""
    tag = html(token.target)
    return f'<span class="token tagged" title="{tag}"{colour}>{html(token.text)}<small>{tag}</small></span>'


def _kind(tag: str) -> str:
    """What colour a tag has: that of its kind of span, where it marks one."""
    return tag[2:] if tag[1:2] == "-" and tag[0] in "BIESLU" else tag
