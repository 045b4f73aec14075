"""Links between the tokens of a target and of its source, from the known links between their characters."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from lightning_seq.data.sources.pairs import Link, PairTable
from lightning_seq.data.token_arrays import as_ids
from lightning_seq.text.segmenter import Segmenter


def token_links(
    table: PairTable, segmenters: Mapping[str, Segmenter], limits: Mapping[str, int | None]
) -> tuple[np.ndarray, np.ndarray]:
    """The tokens whose characters are linked: `[L, 2]` int32 (target, source), and offsets `[N + 1]`.

    segmenters, limits: of the sides `source` and `target`: from text to tokens, and how many tokens are kept.

    Raises ValueError for a table without links.
    """
    if table.links is None:
        raise ValueError("the pairs have no links between characters: expected a table with links")
    flat, offsets = array("i"), np.zeros(len(table) + 1, dtype=np.int64)
    for row, links in enumerate(table.links):
        source = owners(segmenters["source"], table.sources[row], limits["source"])
        target = owners(segmenters["target"], table.targets[row], limits["target"])
        pairs = sorted(linked(links, target, source))
        flat.extend(chain.from_iterable(pairs))
        offsets[row + 1] = offsets[row] + len(pairs)
    return as_ids(flat).reshape(-1, 2), offsets


def linked(links: Sequence[Link], target: Sequence[int], source: Sequence[int]) -> set[tuple[int, int]]:
    """The linked pairs of tokens (target, source). target, source: the `owners` of the characters of both texts."""
    pairs = set()
    for first, last, begin, end in links:
        targets, sources = set(target[first:last]) - {-1}, set(source[begin:end]) - {-1}
        pairs |= {(to, origin) for to in targets for origin in sources}
    return pairs


def owners(segmenter: Segmenter, text: str, limit: int | None) -> list[int]:
    """For each character of a text the number of its token; -1 for space between tokens, and for tokens cut off.

    Aligned texts have single spaces, and as many small letters as letters, so that every token is a part of its text.
    """
    plain, place = text.lower() if segmenter.lower else text, 0
    numbers = [-1] * len(text)
    for number, token in enumerate(segmenter(text)[:limit]):
        token = segmenter.join([token]) if segmenter.level == "subword" else token
        start = plain.find(token, place)
        if start < 0:
            continue
        place = start + len(token)
        numbers[start:place] = [number] * len(token)
    return numbers
