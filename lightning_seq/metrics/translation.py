"""How good translations are, as sacreBLEU reckons it, and at which lengths of the source they are good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

BUCKETS = ("short", "middle", "long")


@dataclass(frozen=True)
class TranslationScores:
    """bleu, chrf: of the corpus, 0 to 100. exact_match: share of hypotheses that are their reference, 0 to 1.

    signatures: under `bleu` and `chrf`, what exactly was reckoned, as sacreBLEU says it.
    """

    bleu: float
    chrf: float
    exact_match: float
    signatures: dict[str, str]


def corpus_scores(
    hypotheses: list[str], references: list[str], tokenized: bool = False, lower: bool = False
) -> TranslationScores:
    """BLEU (Papineni et al. 2002; Post 2018), chrF2 (Popović 2015) and exact matches of a corpus, one reference each.

    tokenized: the texts are tokens joined by spaces, taken as they are; otherwise BLEU tokenises as `13a` does.
    lower:     nothing is made of upper and lower case.

    BLEU is 0 where the corpus has no sentence of four tokens. White space at the ends does not count as a mismatch.
    Raises ValueError for no sentence, or for lists of different lengths.
    """
    _check(hypotheses, references)
    from sacrebleu.metrics import CHRF

    bleu, chrf = _bleu(tokenized, lower), CHRF(lowercase=lower)
    found = {name: metric.corpus_score(hypotheses, [references]) for name, metric in (("bleu", bleu), ("chrf", chrf))}
    return TranslationScores(
        bleu=float(found["bleu"].score),
        chrf=float(found["chrf"].score),
        exact_match=sum(map(same_text, hypotheses, references, [lower] * len(references))) / len(references),
        signatures={"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())},
    )


def bleu_by_length(
    hypotheses: list[str],
    references: list[str],
    source_lengths: Sequence[int],
    tokenized: bool = False,
    lower: bool = False,
) -> list[dict[str, Any]]:
    """Corpus BLEU of the third with the shortest sources, of the middle one, and of the longest.

    source_lengths: in source tokens.

    Returns rows `{"bucket", "from", "to", "n", "bleu"}`, `from` and `to` the least and the greatest length in it.
    Sources of one length stay together, so thirds are as equal as that allows, and one that would be empty is left out.
    Raises ValueError as `corpus_scores` does.
    """
    _check(hypotheses, references, source_lengths)
    order = sorted(range(len(references)), key=lambda row: source_lengths[row])
    lengths = [source_lengths[row] for row in order]
    ends = [0, *(place for place in range(1, len(lengths)) if lengths[place - 1] != lengths[place]), len(lengths)]
    cuts = [min(ends, key=lambda place: abs(3 * place - third * len(lengths))) for third in range(4)]
    rows = []
    for bucket, (first, last) in zip(BUCKETS, pairwise(cuts), strict=True):
        if first == last:
            continue
        mine = order[first:last]
        score = _bleu(tokenized, lower).corpus_score(
            [hypotheses[row] for row in mine], [[references[row] for row in mine]]
        )
        rows.append(
            {
                "bucket": bucket,
                "from": int(lengths[first]),
                "to": int(lengths[last - 1]),
                "n": last - first,
                "bleu": float(score.score),
            }
        )
    return rows


def _bleu(tokenized: bool, lower: bool) -> Any:
    """force: tokens joined by spaces are what was asked for, sacreBLEU need not warn of them."""
    from sacrebleu.metrics import BLEU

    return BLEU(lowercase=lower, tokenize="none" if tokenized else "13a", force=True)


def same_text(hypothesis: str, reference: str, lower: bool) -> bool:
    """White space at the ends does not count; with `lower` nor do capitals."""
    if lower:
        hypothesis, reference = hypothesis.lower(), reference.lower()
    return hypothesis.strip() == reference.strip()


def _check(hypotheses: Sequence[Any], *others: Sequence[Any]) -> None:
    sizes = [len(hypotheses), *map(len, others)]
    if len(set(sizes)) > 1:
        raise ValueError(f"hypotheses, references and lengths differ in number: {', '.join(map(str, sizes))}")
    if not hypotheses:
        raise ValueError("no translations came, expected at least one")
