"""Spans that BIO tags mark, counted by sentence."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def span_counts(
    ids: np.ndarray, positions: np.ndarray, target: pa.Array, prediction: pa.Array
) -> tuple[np.ndarray, np.ndarray]:
    """The sentences' ids, each once and rising, and `[3, N]`: the counts of right, predicted and true spans.

    A span is right where begin, end and kind are, as `metrics/span_f1.py` has it.

    ids, positions: `[tokens]`, in any order.
    target, prediction: pyarrow columns of tags.
    """
    order = np.lexsort((positions, ids))
    known, places = np.unique(ids[order], return_inverse=True)
    first = np.diff(places, prepend=-1) != 0
    true, predicted = (_marked(tags, order, first) for tags in (target, prediction))
    right = true[0] & predicted[0] & (true[1] == predicted[1]) & (true[2] == predicted[2])
    counts = [np.bincount(places[mask], minlength=len(known)) for mask in (right, predicted[0], true[0])]
    return known, np.stack(counts)


def _marked(tags: pa.Array, order: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By token: whether a span begins, the last token of the span or gap, and its kind (empty for a gap)."""
    coded = tags.dictionary_encode()
    places = coded.indices.to_numpy(zero_copy_only=False)[order]
    names = [str(tag) for tag in coded.dictionary.to_pylist()]
    # A letter alone is of the kind `_`.
    marks = [name[:1] in ("B", "I") and name[1:2] in ("", "-") for name in names]
    kind = np.array([(name[2:] or "_") if mark else "" for name, mark in zip(names, marks, strict=True)])[places]
    begins = np.array([mark and name[0] == "B" for name, mark in zip(names, marks, strict=True)])[places]
    new = first | begins
    new[1:] |= kind[1:] != kind[:-1]
    starts = np.flatnonzero(new)
    following = np.append(starts[1:], len(kind))
    return new & (kind != ""), np.repeat(following - 1, following - starts), kind
