"""The verdict on the runs of a data set: on each test set by itself, over the seeds that its plan allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lightning_seq.files import Plain
from lightning_seq.records.numbers import number
from lightning_seq.report.reading import Reading
from lightning_seq.report.seed_draws import drawn
from lightning_seq.report.test_sets import Run, by_test_set
from lightning_seq.report.verdict import Evaluation, Verdict, judge


def verdict_on(
    runs: Sequence[Run],
    headline: str | None,
    reading: Reading,
    parameters: Mapping[str, Mapping[str, int]],
    matches: Mapping[str, Mapping[str, Plain]],
) -> Verdict:
    """The verdicts on all test sets, one after the other; only one on a single test set names a best label.

    parameters, matches: by label, see `judge`.
    """
    from lightning_seq.report.examples import example_scores  # imports pyarrow

    verdicts = []
    for name, members in by_test_set(runs).items():
        every = {(record.label, record.seed) for _, record in members}
        members, level, notes = reading.at_look(members)
        later = every - {(record.label, record.seed) for _, record in members} if members else set()
        scores, failed = _scores(members, headline), _failed(members)
        draws = drawn(record for _, record in members)  # examples of different splits are not the same
        several = not draws and sum(len(by_seed) > 1 for by_seed in scores.values()) > 1
        examples, clusters, problems = example_scores(members, headline) if several else ({}, None, [])
        test_set, notes = Evaluation(scores, name, failed, examples, clusters, draws), [*notes, *problems]
        order, rope = reading.stochastic_order, reading.rope
        planned = reading.looks is not None
        verdict = judge(headline, test_set, parameters, matches, notes, order, rope, level, planned)
        verdicts.append(replace(verdict, test_set=name, left_out=verdict.left_out | later))
    if len(verdicts) == 1:
        return verdicts[0]
    scales = [verdict.scale for verdict in verdicts if verdict.scale is not None]
    level = scales[0].level if len({scale.level for scale in scales}) == 1 else math.nan
    return Verdict(
        sentences=tuple(dict.fromkeys(sentence for verdict in verdicts for sentence in verdict.sentences)),
        how=tuple(dict.fromkeys(line for verdict in verdicts for line in verdict.how)),
        pairs=tuple(pair for verdict in verdicts for pair in verdict.pairs),
        scale=replace(scales[0], level=level) if scales else None,
        parts=tuple(verdicts),
        left_out=frozenset[tuple[str, int]]().union(*(verdict.left_out for verdict in verdicts)),
    )


def _scores(runs: Sequence[Run], metric: str | None) -> dict[str, dict[int, float]]:
    """By label and seed, the metric of finished runs that gave a finite number; empty for a label without one.

    Labels whose finished runs are without the metric, since they are not chosen, are left out.
    """
    scores: dict[str, dict[int, float]] = {}
    for _, record in runs:
        if record.status == "done" and metric not in record.metrics:
            continue
        value = number(record.metrics.get(metric)) if metric is not None and record.status == "done" else None
        of_label = scores.setdefault(record.label, {})
        if value is not None:
            of_label[record.seed] = value
    return scores


def _failed(runs: Sequence[Run]) -> dict[str, frozenset[int]]:
    """By label, the seeds whose runs failed."""
    failed = {record.label: frozenset[int]() for _, record in runs}
    for _, record in runs:
        if record.status == "failed":
            failed[record.label] |= {record.seed}
    return failed
