"""What each test example adds to a run's metric, from the predictions that runs left behind.

The scores of a run's examples have the metric as their mean: shares are counted, and metrics of a whole corpus (F1 of
spans, BLEU) are taken apart by the jackknife's pseudo-values, N θ - (N - 1) θ_without_i (Quenouille 1956; as Dorfman,
Berbaum & Metz 1992 do), moved so that their mean is the metric. An example is what has a number (`row`): of a tagger, a
sentence. Scores are used only where they add up to what the record holds; else, and for metrics that predictions do not
tell (perplexity of language models), there are none, and the verdict rests on the seeds alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lightning_seq.records.artifacts import example_column, read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.report.spans import span_counts

Scored = tuple[np.ndarray, np.ndarray]
"""Ids `[N]`, each once and rising, and scores `[N]`."""

_TOLERANCE = 1e-4
_BLEU_ORDER = 4


def example_scores(
    runs: list[tuple[Path, Record]], metric: str | None
) -> tuple[dict[tuple[str, int], np.ndarray], list[str]]:
    """By label and seed, the scores of the same test examples, and notes on runs that have none to be used.

    Where runs have different examples, those that most runs have are used, and the others' runs have none.
    """
    if metric is None or not metric.startswith("test/"):
        return {}, []
    name = metric.removeprefix("test/")
    done = [(directory, record) for directory, record in runs if record.status == "done"]
    found: dict[tuple[str, int], Scored] = {}
    notes, astray = [], []
    for directory, record in done:
        read = _reader(name, record)
        held = read_artifacts([(directory, record)], "predictions", read)[0] if read is not None else []
        for _, scored in held:
            recorded = record.metrics.get(metric)
            if scored is None or recorded is None:
                continue
            if abs(float(scored[1].mean()) - recorded) > _TOLERANCE * max(1.0, abs(recorded)):
                astray.append(f"{record.label}, seed {record.seed}")
                continue
            found[record.label, record.seed] = scored
    if astray:
        more = f" and {len(astray) - 3} more" if len(astray) > 3 else ""
        notes.append(f"Predictions that do not add up to {metric} are not used: {'; '.join(astray[:3])}{more}.")
    kinds = Counter(ids.tobytes() for ids, _ in found.values())
    if len(kinds) > 1:
        notes.append("The runs were tested on different examples: those that most runs have are compared one by one.")
    usual = max(kinds, key=lambda kind: (kinds[kind], kind)) if kinds else b""
    return {run: scores for run, (ids, scores) in found.items() if ids.tobytes() == usual}, notes


def _reader(name: str, record: Record) -> Callable[[Path], Scored | None] | None:
    if name in ("accuracy", "exact_match") and not (name == "accuracy" and record.task == "sequence_to_sequence"):
        lower = name == "exact_match" and "case:lc" in _signature(record)
        return lambda path: _right(path, strip=name == "exact_match", lower=lower)
    if (name == "loss" and record.task in ("classification", "bits", "regression")) or name == "mse":
        return _loss
    if name == "success":
        said = record.setting("task", "tolerance")
        tolerance = float(said) if isinstance(said, int | float) else 0.0
        return lambda path: _within(path, tolerance)
    if name == "f1" and record.task == "tagging":
        return _spans
    if name == "bleu":
        return lambda path: _bleu(path, _signature(record))
    return None


def _signature(record: Record) -> str:
    return record.signatures.get("bleu", "")


def _columns(path: Path, *names: str) -> dict[str, Any] | None:
    """pyarrow columns, or None where the file does not have them all. `id` is the number of the example."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(path)
        column = {"id": example_column(file.schema_arrow.names)}
        places = {name: column.get(name, name) for name in names}
        if not set(places.values()) <= set(file.schema_arrow.names):
            return None
        table = file.read(columns=list(places.values()))
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
    return {name: table[place].combine_chunks() for name, place in places.items()} if table.num_rows else None


def _by_id(ids: np.ndarray, values: np.ndarray) -> Scored:
    """The mean of the values, taken apart by id: an id's sum, times ids per row."""
    known, places = np.unique(ids, return_inverse=True)
    return known, np.bincount(places, weights=values, minlength=len(known)) * (len(known) / len(ids))


def _right(path: Path, strip: bool, lower: bool) -> Scored | None:
    import pyarrow.compute as compute

    held = _columns(path, "id", "target", "prediction")
    if held is None:
        return None
    texts = [held["target"], held["prediction"]]
    if strip:
        texts = [compute.utf8_trim_whitespace(text) for text in texts]
    if lower:
        texts = [compute.utf8_lower(text) for text in texts]
    right = compute.fill_null(compute.equal(*texts), False)
    return _by_id(held["id"].to_numpy(zero_copy_only=False), right.to_numpy(zero_copy_only=False).astype(float))


def _loss(path: Path) -> Scored | None:
    held = _columns(path, "id", "loss")
    if held is None:
        return None
    return _by_id(*(held[name].to_numpy(zero_copy_only=False) for name in ("id", "loss")))


def _within(path: Path, tolerance: float) -> Scored | None:
    held = _columns(path, "id", "target", "prediction")
    if held is None:
        return None
    ids, target, prediction = (held[name].to_numpy(zero_copy_only=False) for name in ("id", "target", "prediction"))
    return _by_id(ids, (np.abs(target - prediction) < tolerance).astype(float))


def _spans(path: Path) -> Scored | None:
    """F1 = 2 right / (found + given) over spans, read off BIO tags as the metric does."""
    held = _columns(path, "id", "position", "target_bio", "prediction_bio") or _columns(
        path, "id", "position", "target", "prediction"
    )
    if held is None:
        return None
    ids, positions = (held[name].to_numpy(zero_copy_only=False) for name in ("id", "position"))
    known, counts = span_counts(ids, positions, *(held[name] for name in list(held)[2:]))
    whole = counts.sum(1, keepdims=True)

    def f1(sums: np.ndarray) -> np.ndarray:
        both = sums[1] + sums[2]
        return np.where(both > 0, 2 * sums[0] / np.where(both > 0, both, 1), 0.0)

    return known, _pseudo_values(f1(whole)[0], f1(whole - counts))


def _bleu(path: Path, signature: str) -> Scored | None:
    """Corpus BLEU (Papineni et al. 2002), the sentences' counts by sacreBLEU under the run's signature."""
    held = _columns(path, "id", "target", "prediction")
    if held is None:
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
    pairs = zip(held["prediction"].to_pylist(), held["target"].to_pylist(), strict=True)
    scored = [metric.sentence_score(prediction, [target]) for prediction, target in pairs]
    rows = np.array([[*each.counts, *each.totals, each.sys_len, each.ref_len] for each in scored], float)
    ids = held["id"].to_numpy(zero_copy_only=False)
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
