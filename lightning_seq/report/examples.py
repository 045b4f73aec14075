"""The score of each test example, from the predictions of the runs.

The scores of a run's examples have the metric as their mean: shares are counted, and metrics of a whole corpus (F1 of
spans, BLEU) are taken apart by the jackknife's pseudo-values, N θ - (N - 1) θ_without_i (Quenouille 1956; as Dorfman,
Berbaum & Metz 1992 do), moved so that their mean is the metric. An example has a number (`row`): for a tagger it is a
sentence, for a language model a window of the text. Of a perplexity the logarithm is taken apart, as the verdict
compares logarithms. Scores are used only where their mean is the metric in the record; without them, as for metrics
that cannot be computed from predictions, the verdict rests on the seeds alone.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.compute as compute

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.numbers import number
from lightning_seq.records.record import Record
from lightning_seq.report.predictions import EXAMPLE, read_columns, read_groups, span_counts

Scored = tuple[np.ndarray, np.ndarray]
"""Ids `[N]`, each once and rising, and scores `[N]`."""

_TOLERANCE = 1e-4
_BLEU_ORDER = 4


def example_scores(
    runs: list[tuple[Path, Record]], metric: str | None
) -> tuple[dict[tuple[str, int], np.ndarray], np.ndarray | None, list[str]]:
    """The scores `[N]` of the same test examples by label and seed, the numbers of their groups `[N]` (None where no
    run has groups), and notes on runs without usable scores.

    Where runs were tested on different examples, only the runs with the most frequent set have scores.
    """
    if metric is None or not metric.startswith("test/"):
        return {}, None, []
    name = metric.removeprefix("test/")
    scores: dict[tuple[str, int], Scored] = {}
    notes, differing = [], []
    for directory, record in runs:
        read = _reader(name, record) if record.status == "done" else None
        readable = read_artifacts([(directory, record)], "predictions", read)[0] if read is not None else []
        for _, scored in readable:
            recorded = record.metrics.get(metric)
            if scored is None or recorded is None:
                continue
            mean = float(scored[1].mean())
            mean = math.exp(min(mean, 700.0)) if name == "perplexity" else mean
            if abs(mean - recorded) > _TOLERANCE * max(1.0, abs(recorded)):
                differing.append(f"{record.label}, seed {record.seed}")
                continue
            scores[record.label, record.seed] = scored
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        notes.append(f"Predictions that do not add up to {metric} are not used: {'; '.join(differing[:3])}{more}.")
    kinds = Counter(ids.tobytes() for ids, _ in scores.values())
    if len(kinds) > 1:
        notes.append("The runs were tested on different examples: those that most runs have are compared one by one.")
    usual = max(kinds, key=lambda kind: (kinds[kind], kind)) if kinds else b""
    kept = {run: values for run, (ids, values) in scores.items() if ids.tobytes() == usual}
    return kept, _groups([run for run in runs if (run[1].label, run[1].seed) in kept]), notes


def _groups(runs: list[tuple[Path, Record]]) -> np.ndarray | None:
    """Of the test examples, which are the same in all runs, from the first run that has groups."""
    for run in runs:
        for _, found in read_artifacts([run], "predictions", read_groups)[0]:
            if found is not None:
                return found[1]
    return None


def _reader(name: str, record: Record) -> Callable[[Path], Scored | None] | None:
    if name in ("accuracy", "loss", "perplexity", "bits_per_character") and record.task == "language_modelling":
        nats, bits = (number(record.metrics.get(f"test/{metric}")) for metric in ("loss", "bits_per_character"))
        factor = bits / nats if name == "bits_per_character" and bits and nats else 1.0
        return lambda path: _of_text(path, "right" if name == "accuracy" else "loss", factor)
    if name in ("wer", "cer"):
        errors, sizes = ("word_errors", "words") if name == "wer" else ("character_errors", "characters")
        return lambda path: _rate(path, errors, sizes)
    if record.task == "captioning":
        return (lambda path: _column(path, name)) if name in ("cider", "exact_match", "loss") else None
    if record.task == "visual_dialog":
        return _of_ranks(name)
    if record.task == "forecasting":
        return (lambda path: _column(path, name)) if name in ("mase", "smape", "crps") else None
    if name in ("accuracy", "exact_match") and not (name == "accuracy" and record.task == "sequence_to_sequence"):
        lower = name == "exact_match" and "case:lc" in _signature(record)
        return lambda path: _right(path, strip=name == "exact_match", lower=lower)
    if record.task == "next_frame":
        return lambda path: _column(path, name)
    if (name == "loss" and record.task in ("classification", "bits", "regression")) or name == "mse":
        return lambda path: _column(path, "loss")
    if name == "rmse":
        return _rmse
    if name == "vqa_accuracy":
        return lambda path: _column(path, name)
    if name == "success":
        setting = record.setting("task", "tolerance")
        tolerance = float(setting) if isinstance(setting, int | float) else 0.0
        return lambda path: _within(path, tolerance)
    if name == "f1" and record.task == "tagging":
        return _spans
    if name == "bleu":
        return lambda path: _bleu(path, _signature(record))
    return None


def _rate(path: Path, errors: str, sizes: str) -> Scored | None:
    """Each example's part of the errors of all over the sizes of all, so that their mean is this rate."""
    table = read_columns(path, EXAMPLE, errors, sizes)
    if table is None:
        return None
    made, of = (table[column].to_numpy().astype(float) for column in (errors, sizes))
    return _by_id(table[EXAMPLE].to_numpy(), made * len(made) / max(of.sum(), 1))


def _signature(record: Record) -> str:
    return record.signatures.get("bleu", "")


def _by_id(ids: np.ndarray, values: np.ndarray) -> Scored:
    """The mean of the values, taken apart by id: an id's sum, times ids per row."""
    known, places = np.unique(ids, return_inverse=True)
    return known, np.bincount(places, weights=values, minlength=len(known)) * (len(known) / len(ids))


def _right(path: Path, strip: bool, lower: bool) -> Scored | None:
    table = read_columns(path, EXAMPLE, "target", "prediction")
    if table is None:
        return None
    texts = [table["target"], table["prediction"]]
    if strip:
        texts = [compute.utf8_trim_whitespace(text) for text in texts]
    if lower:
        texts = [compute.utf8_lower(text) for text in texts]
    right = compute.fill_null(compute.equal(*texts), False)
    return _by_id(table[EXAMPLE].to_numpy(), right.to_numpy().astype(float))


def _column(path: Path, name: str) -> Scored | None:
    """The scores in a column of the file."""
    table = read_columns(path, EXAMPLE, name)
    return None if table is None else _by_id(table[EXAMPLE].to_numpy(), table[name].to_numpy())


def _known(scored: Scored | None) -> Scored | None:
    """Without examples that have no score (NaN)."""
    return None if scored is None else (scored[0][known := np.isfinite(scored[1])], scored[1][known])


def _rmse(path: Path) -> Scored | None:
    """The root of a mean, whose parts by id are pseudo-values."""
    scored = _column(path, "loss")
    if scored is None or len(scored[0]) < 2:
        return None
    ids, squares = scored
    without = np.sqrt(np.maximum(squares.sum() - squares, 0) / (len(ids) - 1))
    return ids, _pseudo_values(float(np.sqrt(squares.mean())), without)


def _of_ranks(name: str) -> Callable[[Path], Scored | None] | None:
    """A metric of the ranks of right answers, or of written answers."""
    if name == "loss":
        return lambda path: _column(path, name)
    if name == "exact_match":
        return lambda path: _right(path, strip=False, lower=False)
    if name == "ndcg":
        return lambda path: _known(_column(path, name))
    most = name.removeprefix("recall_at_")
    if name not in ("mrr", "mean_rank") and not (most != name and most.isdecimal()):
        return None

    def read(path: Path) -> Scored | None:
        scored = _column(path, "rank")
        if scored is None:
            return None
        ids, rank = scored
        return ids, 1 / rank if name == "mrr" else rank if name == "mean_rank" else (rank <= int(most)).astype(float)

    return read


def _of_text(path: Path, column: str, factor: float) -> Scored | None:
    """A sum over all tokens of the text over their number, times a factor."""
    table = read_columns(path, EXAMPLE, "tokens", column)
    if table is None:
        return None
    ids, tokens, sums = (part.to_numpy().astype(float) for part in table.columns)
    order = np.argsort(ids, kind="stable")
    tokens, sums = tokens[order], sums[order] * factor
    if len(ids) < 2:
        return None
    without = (sums.sum() - sums) / np.maximum(tokens.sum() - tokens, 1)
    return ids[order].astype(np.int64), _pseudo_values(float(sums.sum() / tokens.sum()), without)


def _within(path: Path, tolerance: float) -> Scored | None:
    table = read_columns(path, EXAMPLE, "target", "prediction")
    if table is None:
        return None
    ids, target, prediction = (column.to_numpy() for column in table.columns)
    return _by_id(ids, (np.abs(target - prediction) < tolerance).astype(float))


def _spans(path: Path) -> Scored | None:
    """F1 = 2 right / (predicted + true) over spans, read off BIO tags as the metric does."""
    table = read_columns(path, EXAMPLE, "position", "target_bio", "prediction_bio")
    if table is None:
        table = read_columns(path, EXAMPLE, "position", "target", "prediction")
    if table is None:
        return None
    ids, positions, *tags = table.columns
    known, counts = span_counts(ids.to_numpy(), positions.to_numpy(), *(tag.combine_chunks() for tag in tags))
    whole = counts.sum(1, keepdims=True)

    def f1(sums: np.ndarray) -> np.ndarray:
        both = sums[1] + sums[2]
        return np.where(both > 0, 2 * sums[0] / np.where(both > 0, both, 1), 0.0)

    return known, _pseudo_values(f1(whole)[0], f1(whole - counts))


def _bleu(path: Path, signature: str) -> Scored | None:
    """Corpus BLEU (Papineni et al. 2002), the sentences' counts by sacreBLEU under the run's signature."""
    table = read_columns(path, EXAMPLE, "target", "prediction")
    if table is None:
        return None
    from sacrebleu.metrics import BLEU

    # The signature of a tokeniser with a dictionary has the dictionary behind its name.
    tokenize = re.search(r"tok:(ja-mecab|ko-mecab|[\w-]+)", signature)
    # effective_order matters to the score of a sentence alone, which is not used: the counts are.
    metric = BLEU(
        lowercase="case:lc" in signature,
        tokenize=tokenize.group(1) if tokenize else "13a",
        force=True,
        effective_order=True,
    )
    pairs = zip(table["prediction"].to_pylist(), table["target"].to_pylist(), strict=True)
    scores = [metric.sentence_score(prediction, [target]) for prediction, target in pairs]
    rows = np.array([[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores], float)
    ids = table[EXAMPLE].to_numpy()
    order = np.argsort(ids, kind="stable")
    rows, whole = rows[order], rows.sum(0)
    if len(np.unique(ids)) < len(ids) or not whole[:_BLEU_ORDER].all():
        return None
    return ids[order], _pseudo_values(_corpus_bleu(whole[None])[0], _corpus_bleu(whole - rows))


def _corpus_bleu(sums: np.ndarray) -> np.ndarray:
    """Rows of counts, totals, and the lengths of system and reference; 0 without a match of every order."""
    counts, totals = sums[:, :_BLEU_ORDER], sums[:, _BLEU_ORDER : 2 * _BLEU_ORDER]
    system, reference = sums[:, -2], sums[:, -1]
    known = (counts > 0).all(1) & (system > 0)
    precision = np.log(np.where(known[:, None], counts, 1) / np.where(known[:, None], totals, 1)).mean(1)
    brevity = np.minimum(0.0, 1 - reference / np.where(known, system, 1))
    return np.where(known, 100 * np.exp(precision + brevity), 0.0)


def _pseudo_values(whole: float, without: np.ndarray) -> np.ndarray:
    return whole + (len(without) - 1) * (without.mean() - without)
