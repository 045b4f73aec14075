"""The examples on which labels disagree, pair by pair, as a section of the dashboard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.records.tagging import OUTSIDE, Token
from lightning_seq.report.dashboard.compared_words import Pieces, compared
from lightning_seq.report.dashboard.page import Heading, Page
from lightning_seq.report.dashboard.tagging import MOST_TOKENS, colours_of
from lightning_seq.report.dashboard.templates import draw, shortened
from lightning_seq.report.disagreements import TASKS, Answered, answers, disagreement
from lightning_seq.report.predictions import Names, name_of, read_groups, read_names
from lightning_seq.report.summary import Group, Summary
from lightning_seq.report.test_sets import by_test_set
from lightning_seq.report.verdict import probability

MOST_LABELS, MOST_EXAMPLES, LONGEST_TEXT = 8, 5, 400

Example = dict[str, object]


def disagreements(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """For each data set a table of pairs, and the examples of each pair."""
    parts = []
    for group in summary.groups:
        if group.task not in TASKS:
            continue
        mine = [run for run in runs if group.holds(run[1])]
        for name, of_set in by_test_set(mine).items():
            titles = [group.title if len(summary.groups) > 1 else "", name]
            if body := _part(group, of_set):
                parts.append((", ".join(filter(None, titles)), body))
    return page.section("Disagreements", "disagreements", parts)


def _part(group: Group, runs: list[tuple[Path, Record]]) -> Markup:
    tested = {record.label for _, record in runs if record.status == "done"}
    labels = [label for label in group.labels if label in tested]
    answered, seed, notes = answers(runs, group.task, labels[:MOST_LABELS])
    if len(answered) < 2:
        return Markup()
    if len(labels) > MOST_LABELS:
        notes.append(f"{len(labels) - MOST_LABELS} more labels are left out.")
    grouped = _grouped(runs)
    if grouped:
        notes.append("Examples form groups and are not independent: p is left out.")
    names = _names(runs)
    pairs = []
    for first, second in combinations(answered, 2):
        pair = disagreement(first, second, answered)
        sides = [
            {
                "better": better,
                "worse": worse,
                "count": len(places),
                "examples": [
                    _example(group.task, answered, (better, worse), place, names)
                    for place in places[:MOST_EXAMPLES].tolist()
                ],
            }
            for (better, worse), places in zip([(first, second), (second, first)], pair.better, strict=True)
        ]
        counts = [*map(len, pair.better), pair.both, pair.neither]
        pairs.append((first, second, counts, None if grouped else pair.p, sides))
    head = [Heading(name, "text") for name in ("A", "B")]
    head += [Heading(name, first="down") for name in _COUNTS[group.task]] + ([] if grouped else [Heading("p")])
    seeds = {label: len(found.runs) for label, found in answered.items()}
    return draw(
        "disagreements",
        labels=group.labels,
        task=group.task,
        head=head,
        pairs=pairs,
        probability=probability,
        seed=seed,
        seeds=sorted(set(seeds.values())),
        n=len(next(iter(answered.values())).scores),
        most_tokens=MOST_TOKENS,
        notes=notes,
    )


_COUNTS = {
    "classification": ("A right, B wrong", "B right, A wrong", "both right", "both wrong"),
    "tagging": ("A has fewer errors", "B has fewer errors", "both without errors", "equally many errors"),
    "sequence_to_sequence": ("A is nearer", "B is nearer", "both as the reference", "equally near"),
}
"""The headings of the counts, by task."""


def _grouped(runs: list[tuple[Path, Record]]) -> bool:
    """Whether the examples of a run have groups, as the verdict counts them (`examples.py`)."""
    for run in runs:
        for _, found in read_artifacts([run], "predictions", read_groups)[0]:
            if found is not None:
                return True
    return False


def _names(runs: list[tuple[Path, Record]]) -> Names:
    for run in runs:
        for _, found in read_artifacts([run], "predictions", read_names)[0]:
            return found
    return {}


def _example(task: str, answered: Mapping[str, Answered], pair: tuple[str, str], place: int, names: Names) -> Example:
    """The example at a place of `[N]`, with the answers of two labels."""
    first = next(iter(answered[pair[0]].runs.values()))
    rows = first.of(place)
    example: Example = {"name": name_of(names, int(first.ids[place]))}
    if task == "tagging":
        return example | {"versions": [(label, *_tagged(answered[label], place)) for label in pair]}
    if task == "sequence_to_sequence":
        source, reference = str(rows["source"][0]), str(rows["target"][0])
        versions = [(label, *_translated(answered[label], place, reference)) for label in pair]
        return example | {
            "source": shortened(source, LONGEST_TEXT),
            "reference": shortened(reference, LONGEST_TEXT),
            "versions": versions,
        }
    text = (rows.get("text") or rows.get("beginning") or [None])[0]
    said = [(label, _classified(answered[label], place)) for label in pair]
    return example | {
        "text": text and shortened(str(text), LONGEST_TEXT),
        "target": str(rows["target"][0]),
        "versions": said,
    }


def _classified(answered: Answered, place: int) -> list[tuple[str, int, bool]]:
    """The predictions of the seeds, the most frequent first: each with the number of seeds, and whether it is right."""
    said = Counter(str(found.of(place)["prediction"][0]) for found in answered.runs.values())
    target = str(next(iter(answered.runs.values())).of(place)["target"][0])
    return [(prediction, count, prediction == target) for prediction, count in said.most_common()]


def _tagged(answered: Answered, place: int) -> tuple[list[Token], str, dict[str, int]]:
    (found,) = answered.runs.values()
    rows = found.of(place)
    columns = (rows[name] for name in ("token", "target", "prediction"))
    tokens = [Token(str(text), target, str(said)) for text, target, said in zip(*columns, strict=True)]
    tags = list(dict.fromkeys(str(tag) for name in ("target", "prediction") for tag in rows[name]))
    usual = OUTSIDE if OUTSIDE in tags else ""
    return tokens, usual, colours_of(tags, usual)


def _translated(answered: Answered, place: int, reference: str) -> tuple[Pieces, float]:
    (found,) = answered.runs.values()
    return compared(str(found.of(place)["prediction"][0]), [reference]), 100 * float(found.scores[place])
