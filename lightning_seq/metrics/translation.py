"""The scores of translations by sacreBLEU, over all of them and by source length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.tokenizers import tokenizer_spm

from lightning_seq.errors import UserError, near

BLEU_ORDER = 4
"""The least number of tokens of a sentence that counts in BLEU."""
TOKENIZERS = ("auto", "13a", "intl", "zh", "ja-mecab", "char", "flores200", "none")
"""auto: none for text of tokens joined by spaces, 13a for other text. The others are sacreBLEU's."""
BUCKETS = ("short", "middle", "long")


@dataclass(frozen=True)
class TranslationScores:
    """bleu, chrf: of the corpus, 0 to 100. exact_match: share of hypotheses equal to their reference, 0 to 1.

    signatures: sacreBLEU's, of `bleu` and `chrf`.
    """

    bleu: float
    chrf: float
    exact_match: float
    signatures: dict[str, str]


def corpus_scores(
    hypotheses: list[str], references: list[str], tokenize: str = "13a", lower: bool = False
) -> TranslationScores:
    """BLEU (Papineni et al. 2002; Post 2018), chrF2 (Popović 2015) and exact matches of a corpus, one reference each.

    tokenize: one of sacreBLEU's tokenisers; `none` splits the texts at spaces.
    lower:    case is ignored.

    BLEU is 0 if no sentence has four tokens. White space at the ends does not count as a mismatch.
    Raises ValueError for no sentence, or for lists of different lengths.
    """
    _check(hypotheses, references)
    bleu, chrf = _bleu(tokenize, lower), CHRF(lowercase=lower)
    return TranslationScores(
        bleu=float(bleu.corpus_score(hypotheses, [references]).score),
        chrf=float(chrf.corpus_score(hypotheses, [references]).score),
        exact_match=sum(map(same_text, hypotheses, references, [lower] * len(references))) / len(references),
        signatures={"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())},
    )


def bleu_by_length(
    hypotheses: list[str],
    references: list[str],
    source_lengths: Sequence[int],
    tokenize: str = "13a",
    lower: bool = False,
) -> list[dict[str, str | float]]:
    """Corpus BLEU of the third with the shortest sources, of the middle third, and of the longest.

    source_lengths: in source tokens.

    Returns rows `{"bucket", "from", "to", "n", "bleu"}`, `from` and `to` the least and the greatest length in it.
    Sources of one length stay together, so thirds are as equal as that allows; an empty one is left out.
    Raises ValueError as `corpus_scores` does.
    """
    _check(hypotheses, references, source_lengths)
    order = sorted(range(len(references)), key=lambda row: source_lengths[row])
    lengths = [source_lengths[row] for row in order]
    ends = [0, *(place for place in range(1, len(lengths)) if lengths[place - 1] != lengths[place]), len(lengths)]
    cuts = [min(ends, key=lambda place: abs(3 * place - third * len(lengths))) for third in range(4)]
    rows: list[dict[str, str | float]] = []
    for bucket, (first, last) in zip(BUCKETS, pairwise(cuts), strict=True):
        if first == last:
            continue
        texts, right = ([side[row] for row in order[first:last]] for side in (hypotheses, references))
        bleu = float(_bleu(tokenize, lower).corpus_score(texts, [right]).score)
        ends_of_bucket = {"from": int(lengths[first]), "to": int(lengths[last - 1])}
        rows.append({"bucket": bucket, **ends_of_bucket, "n": last - first, "bleu": bleu})
    return rows


def bleu_tokenizer(name: str, tokenized: bool) -> str:
    """sacreBLEU's name of the tokeniser of `task.bleu_tokenize`.

    tokenized: the texts are tokens joined by spaces.

    Raises UserError for an unknown name, and for a tokeniser whose package or model is not on this machine.
    """
    if name not in TOKENIZERS:
        raise UserError(f"task.bleu_tokenize is {name!r}: {near(str(name), TOKENIZERS)}")
    if name == "auto":
        return "none" if tokenized else "13a"
    if name == "flores200":
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
    """Whether one of the texts has four tokens: otherwise BLEU is always 0."""
    split = _bleu(tokenize, lower=False).tokenizer
    return any(len(split(text).split()) >= BLEU_ORDER for text in texts)


def _bleu(tokenize: str, lower: bool) -> BLEU:
    return BLEU(lowercase=lower, tokenize=tokenize, force=True)  # force: without a warning of tokenised text


def same_text(hypothesis: str, reference: str, lower: bool) -> bool:
    """Whether the texts are equal without white space at the ends, and with `lower` without case."""
    if lower:
        hypothesis, reference = hypothesis.lower(), reference.lower()
    return hypothesis.strip() == reference.strip()


def _check(hypotheses: Sized, *others: Sized) -> None:
    sizes = [len(hypotheses), *map(len, others)]
    if len(set(sizes)) > 1:
        raise ValueError(f"hypotheses, references and lengths differ in number: {', '.join(map(str, sizes))}")
    if not sizes[0]:
        raise ValueError("no translations came, expected at least one")
