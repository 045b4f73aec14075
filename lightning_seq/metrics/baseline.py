"""Predictors that are not trained: of the targets of the train split alone, and the most similar training example."""

from __future__ import annotations

import numpy as np


def majority(train: np.ndarray, test: np.ndarray, classes: int) -> tuple[int, dict[str, float]]:
    """The most frequent class of `train` (the first of equals), and `accuracy macro_f1` of always answering with it.

    train, test: class ids `[N]`.

    As in `classification_metrics`, the mean of macro-F1 leaves out classes that are neither in `test` nor the answer.
    """
    answer = int(np.bincount(train, minlength=classes).argmax())
    accuracy = float((test == answer).mean())
    counted = len({answer, *np.unique(test).tolist()})
    return answer, {"accuracy": accuracy, "macro_f1": 2 * accuracy / (1 + accuracy) / counted}


def unigram(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """`loss`, nats per token, of add-one smoothed frequencies, and `accuracy` of the most frequent token.

    train, test: how often each token of the vocabulary is a target, `[V]`.
    """
    losses = -np.log((train + 1) / (train.sum() + len(train)))
    return {"loss": float(test @ losses / test.sum()), "accuracy": float(test[train.argmax()] / test.sum())}


def mean_errors(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """`[N, W]`, the errors of the mean of `train` in `test`; both are `[N, W]`."""
    errors: np.ndarray = train.mean(0, dtype=float) - test.astype(float)
    return errors


def frequent_bits(
    train: np.ndarray, train_counts: np.ndarray, test: np.ndarray, test_counts: np.ndarray
) -> dict[str, float]:
    """`bits_correct exact_match` of the most frequent value of each bit of a step, 0 if both are as frequent.

    train, test: bits `[N, T, W]`; `…_counts`: whether each bit counts.
    """
    ones = ((train > 0) & train_counts).sum((0, 1))
    right = (test > 0) == (2 * ones > train_counts.sum((0, 1)))
    return {
        "bits_correct": float(right[test_counts].mean()),
        "exact_match": float((right | ~test_counts).all((1, 2)).mean()),
    }


def bit_frequencies(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """`loss`, nats per step, of the add-one smoothed frequency of each bit; both are steps of bits `[steps, W]`."""
    shares = (train.sum(0, dtype=np.int64) + 1) / (len(train) + 2)
    ones = test.mean(0, dtype=float)
    return {"loss": float(-(ones * np.log(shares) + (1 - ones) * np.log(1 - shares)).sum())}


def nearest(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """`[M]`, the row of `train` `[N, D]` with the largest cosine to each row of `test` `[M, D]`, the first of equals;
    the mean of `train` is taken from both."""
    mean = train.mean(0, dtype=np.float64)
    one, other = (_unit(rows - mean) for rows in (train, test))
    return np.concatenate([(part @ one.T).argmax(1) for part in np.array_split(other, -(-len(other) // 256))])


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
