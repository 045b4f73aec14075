"""How good translations are, as sacreBLEU reckons it, and at which lengths of the source they are good."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from lightning_seq.errors import UserError, near

BLEU_ORDER = 4
"""Tokens that a sentence must have to count in BLEU."""
TOKENIZERS = ("auto", "13a", "intl", "zh", "ja-mecab", "char", "flores200", "none")
"""auto: none for text that is tokens joined by spaces, 13a for any other. The others are sacreBLEU's."""
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
    hypotheses: list[str], references: list[str], tokenize: str = "13a", lower: bool = False
) -> TranslationScores:
    """BLEU (Papineni et al. 2002; Post 2018), chrF2 (Popović 2015) and exact matches of a corpus, one reference each.

    tokenize: one of sacreBLEU's tokenisers; `none` takes the texts as tokens joined by spaces.
    lower:    nothing is made of upper and lower case.

    BLEU is 0 where the corpus has no sentence of four tokens. White space at the ends does not count as a mismatch.
    Raises ValueError for no sentence, or for lists of different lengths.
    """
    _check(hypotheses, references)
    from sacrebleu.metrics import CHRF

    bleu, chrf = _bleu(tokenize, lower), CHRF(lowercase=lower)
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
    tokenize: str = "13a",
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
        score = _bleu(tokenize, lower).corpus_score(
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


def bleu_tokenizer(name: str, tokenized: bool) -> str:
    """sacreBLEU's name of the tokeniser that `task.bleu_tokenize` asks for.

    tokenized: the texts are tokens joined by spaces.

    Raises UserError for another name, and for a tokeniser that is not installed or whose model is not on this machine.
    """
    if name not in TOKENIZERS:
        raise UserError(f"task.bleu_tokenize is {name!r}: {near(str(name), TOKENIZERS)}")
    if name == "auto":
        return "none" if tokenized else "13a"
    if name == "flores200":
        from sacrebleu.tokenizers import tokenizer_spm

        # sacreBLEU would download it.
        model = Path(tokenizer_spm.SACREBLEU_DIR, "models", Path(tokenizer_spm.SPM_MODELS[name]["url"]).name)
        if not model.is_file():
            raise UserError(
                f"task.bleu_tokenize=flores200 needs the model {model}, which is not there: "
                f"get it from {tokenizer_spm.SPM_MODELS[name]['url']}, or use another tokeniser"
            )
    try:
        _bleu(name, lower=False)
    except (ImportError, RuntimeError) as error:
        package = "'sacrebleu[ja]'" if name == "ja-mecab" else "sentencepiece"
        raise UserError(f"task.bleu_tokenize={name} needs another package: pip install {package}") from error
    return name


def counts_in_bleu(texts: Iterable[str], tokenize: str) -> bool:
    """Whether the tokeniser finds four tokens in one of the texts: where it does not, BLEU is 0 whatever is written."""
    split = _bleu(tokenize, lower=False).tokenizer
    return any(len(split(text).split()) >= BLEU_ORDER for text in texts)


def _bleu(tokenize: str, lower: bool) -> Any:
    """force: tokens joined by spaces are what was asked for, sacreBLEU need not warn of them."""
    from sacrebleu.metrics import BLEU

    return BLEU(lowercase=lower, tokenize=tokenize, force=True)


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
