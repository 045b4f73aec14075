"""The scores of captions against one or more references each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import chain, zip_longest

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

ORDER = 4
SIGMA = 6.0
BETA = 1.2

Grams = tuple[Counter[tuple[str, ...]], ...]


def caption_scores(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], tokenize: str
) -> tuple[dict[str, float], dict[str, str]]:
    """The scores of a corpus, and by metric its signature. references: of each hypothesis, at least one.

    bleu_1 … bleu_3, bleu (of 4 words): Papineni et al. 2002 by sacreBLEU, 0 to 100, as chrf (Popović 2015).
    cider:       CIDEr-D (Vedantam et al. 2015, eq. 4 to 7), 0 to 10; n-grams are of tokens as the texts have them, and
                 their document frequencies are of the references here.
    rouge_l:     of the best reference, with β = 1.2 (Lin 2004, as captions are evaluated), 0 to 1.
    exact_match: share of captions that are equal to a reference.
    distinct:    share of different captions.
    commonest:   share of the pictures that have the most frequent caption.

    tokenize: how sacreBLEU splits the texts.
    Raises ValueError for no caption, for a caption without a reference, and for lists of different lengths.
    """
    if len(hypotheses) != len(references) or not hypotheses or not all(references):
        raise ValueError(f"{len(hypotheses)} captions and {len(references)} lists of references, expected as many")
    columns = [list(column) for column in zip_longest(*references)]
    metrics = {f"bleu_{n}" if n < ORDER else "bleu": BLEU(max_ngram_order=n, tokenize=tokenize, force=True)
               for n in range(1, ORDER + 1)} | {"chrf": CHRF()}  # fmt: skip
    scores = {name: float(metric.corpus_score(list(hypotheses), columns).score) for name, metric in metrics.items()}
    counts = Counter(hypotheses)
    scores |= {
        "cider": float(np.mean(cider(hypotheses, references))),
        "rouge_l": float(np.mean([_rouge_l(text, own) for text, own in zip(hypotheses, references, strict=True)])),
        "exact_match": float(exact_matches(hypotheses, references).mean()),
        "distinct": len(counts) / len(hypotheses),
        "commonest": counts.most_common(1)[0][1] / len(hypotheses),
    }
    signatures = {name: str(metric.get_signature()) for name, metric in metrics.items()}
    return scores, signatures | {"cider": f"CIDEr-D|tokens:ours|df:test references|n:{ORDER}|sigma:{SIGMA:g}"}


def exact_matches(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Whether each caption is equal to one of its references, `[N]` bool."""
    pairs = zip(hypotheses, references, strict=True)
    return np.array([text.strip() in {one.strip() for one in own} for text, own in pairs])


def cider(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """CIDEr-D of each caption `[N]`, 0 to 10 (Vedantam et al. 2015, eq. 4 to 7)."""
    grams = [_grams(text) for text in hypotheses]
    known = [[_grams(text) for text in own] for own in references]
    documents: Counter[tuple[str, ...]] = Counter(
        chain.from_iterable({gram for one in own for counts in one for gram in counts} for own in known)
    )
    size = math.log(len(references))

    def weighted(counts: Counter[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
        return {gram: count * (size - math.log(max(1, documents[gram]))) for gram, count in counts.items()}

    def similarity(one: Grams, other: Grams) -> float:
        gap = sum(one[0].values()) - sum(other[0].values())
        total = 0.0
        for counts, right in zip(one, other, strict=True):
            ours, theirs = weighted(counts), weighted(right)
            norm = math.sqrt(sum(v * v for v in ours.values()) * sum(v * v for v in theirs.values()))
            if norm:
                total += sum(min(v, theirs[gram]) * theirs[gram] for gram, v in ours.items() if gram in theirs) / norm
        return total / ORDER * math.exp(-(gap**2) / (2 * SIGMA**2))

    return np.array([
        10 * sum(similarity(one, other) for other in own) / len(own) for one, own in zip(grams, known, strict=True)
    ])  # fmt: skip


def _grams(text: str) -> Grams:
    tokens = text.split()
    return tuple(Counter(zip(*(tokens[start:] for start in range(n)), strict=False)) for n in range(1, ORDER + 1))


def _rouge_l(hypothesis: str, references: Sequence[str]) -> float:
    """The longest common subsequence as an F-measure, with the best precision and recall of any reference."""
    tokens, pairs = hypothesis.split(), []
    for reference in references:
        right = reference.split()
        common = _common(tokens, right)
        pairs.append((common / len(tokens) if tokens else 0.0, common / len(right) if right else 0.0))
    precision, recall = max(p for p, _ in pairs), max(r for _, r in pairs)
    if not precision or not recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    lengths = [0] * (len(right) + 1)
    for token in left:
        before = 0
        for place, other in enumerate(right, 1):
            here = lengths[place]
            lengths[place] = before + 1 if token == other else max(here, lengths[place - 1])
            before = here
    return lengths[-1]
