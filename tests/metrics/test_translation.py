"""BLEU, chrF and exact matches against sacreBLEU and by hand, and BLEU by length of the source."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.errors import UserError
from lightning_seq.metrics.translation import TOKENIZERS, bleu_by_length, bleu_tokenizer, corpus_scores, counts_in_bleu

HYPOTHESES = ["The cat sat on the mat.", "He reads a book, slowly", "good morning to all of you"]
REFERENCES = ["the cat sat on a mat.", "He reads a long book slowly.", "good morning to all of you"]
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=12).map(" ".join)


def bleu(hypotheses: list[str], references: list[str]) -> float:
    """Papineni et al. 2002, of tokens between spaces, for corpora in which every order of n-grams matches somewhere."""
    right, given = Counter(), Counter()
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        for n in range(1, 5):
            found, wanted = (
                Counter(tuple(text.split()[i : i + n]) for i in range(len(text.split()) - n + 1))
                for text in (hypothesis, reference)
            )
            right[n] += sum(min(count, wanted[gram]) for gram, count in found.items())
            given[n] += sum(found.values())
    if not all(right[n] for n in range(1, 5)):
        return math.nan
    sizes = [sum(len(text.split()) for text in texts) for texts in (hypotheses, references)]
    brevity = min(1.0, math.exp(1 - sizes[1] / sizes[0]))
    return 100 * brevity * math.exp(sum(math.log(right[n] / given[n]) for n in range(1, 5)) / 4)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=8))
@settings(max_examples=80, deadline=None)
def test_bleu_of_tokens_is_the_papers(pairs: list[tuple[str, str]]) -> None:
    hypotheses, references = [left for left, _ in pairs], [right for _, right in pairs]
    expected = bleu(hypotheses, references)
    if not math.isnan(expected):
        assert corpus_scores(hypotheses, references, tokenize="none").bleu == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("lower", [False, True])
def test_raw_text_is_tokenised_as_sacrebleu_does(lower: bool) -> None:
    scores = corpus_scores(HYPOTHESES, REFERENCES, lower=lower)
    assert scores.bleu == pytest.approx(sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES], lowercase=lower).score)
    chrf = sacrebleu.metrics.CHRF(lowercase=lower)
    assert scores.chrf == pytest.approx(chrf.corpus_score(HYPOTHESES, [REFERENCES]).score)
    assert scores.exact_match == pytest.approx(1 / 3)
    assert 0 < scores.bleu < 100


def test_signatures_say_what_was_reckoned() -> None:
    raw = corpus_scores(HYPOTHESES, REFERENCES).signatures
    tokens = corpus_scores(HYPOTHESES, REFERENCES, tokenize="none", lower=True).signatures
    version = f"version:{sacrebleu.__version__}"
    assert raw["bleu"] == f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|{version}"
    assert tokens["bleu"] == f"nrefs:1|case:lc|eff:no|tok:none|smooth:exp|{version}"
    assert tokens["chrf"] == f"nrefs:1|case:lc|eff:yes|nc:6|nw:0|space:no|{version}"


def test_tokens_and_case_make_a_difference() -> None:
    one = corpus_scores(["Stop , he said . Stop now"], ["Stop, he said. Stop now"])
    assert one.bleu == pytest.approx(100)
    assert corpus_scores(["Stop , he said . Stop now"], ["Stop, he said. Stop now"], tokenize="none").bleu < 60
    assert corpus_scores(["A b C d e"], ["a B c D e"]).exact_match == 0
    lower = corpus_scores(["A b C d e "], ["a B c D e"], lower=True)
    assert (lower.exact_match, lower.bleu, lower.chrf) == (1, pytest.approx(100), pytest.approx(100))


def test_nothing_translated_scores_nothing() -> None:
    scores = corpus_scores(["", ""], ["a b c d", "e f g h"])
    assert (scores.bleu, scores.chrf, scores.exact_match) == (0, 0, 0)


@pytest.mark.parametrize(("hypotheses", "references"), [([], []), (["a"], []), (["a"], ["a", "b"])])
def test_no_or_unequal_texts_are_refused(hypotheses: list[str], references: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no translations|differ in number"):
        corpus_scores(hypotheses, references)


def test_lengths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in number: 1, 1, 2"):
        bleu_by_length(["a"], ["a"], [1, 2])


def test_thirds_of_the_sources_have_the_bleu_of_their_sentences() -> None:
    references = [f"a b c d e {word}" for word in "uvwxyz"]
    hypotheses = [*references[:2], "a b c d e q", references[3], "q", "r"]
    lengths = [5, 4, 9, 11, 30, 20]
    rows = bleu_by_length(hypotheses, references, lengths, tokenize="none")
    assert [(row["bucket"], row["from"], row["to"], row["n"]) for row in rows] == [
        ("short", 4, 5, 2),
        ("middle", 9, 11, 2),
        ("long", 20, 30, 2),
    ]
    middle = corpus_scores(hypotheses[2:4], references[2:4], tokenize="none").bleu
    assert [row["bleu"] for row in rows] == pytest.approx([100, middle, 0], abs=1e-6)
    assert 0 < middle < 100


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_sources_of_one_length_stay_together_and_none_is_lost(lengths: list[int]) -> None:
    texts = ["a b c d"] * len(lengths)
    rows = bleu_by_length(texts, texts, lengths, tokenize="none")
    assert sum(row["n"] for row in rows) == len(lengths)
    for row in rows:
        assert row["n"] == sum(row["from"] <= length <= row["to"] for length in lengths) > 0
    assert all(first["to"] < second["from"] for first, second in pairwise(rows))
    commonest = Counter(lengths).most_common(1)[0][1]
    assert all(abs(row["n"] - len(lengths) / 3) <= commonest for row in rows)


def test_the_order_of_the_sentences_does_not_matter() -> None:
    order = [2, 0, 1]
    first = bleu_by_length(HYPOTHESES, REFERENCES, [6, 5, 7])
    other = bleu_by_length(
        [HYPOTHESES[i] for i in order], [REFERENCES[i] for i in order], [[6, 5, 7][i] for i in order]
    )
    assert first == other


CHINESE = "你好，我是学生，今天天气好。"


@pytest.mark.parametrize(
    ("tokenize", "counting"),
    [("13a", [False, False, True]), ("intl", [False, True, True]), ("zh", [False, True, True]),
     ("char", [True, True, True]), ("none", [False, False, True])],
)  # fmt: skip
def test_what_counts_in_bleu_is_what_the_tokeniser_sees(tokenize: str, counting: list[bool]) -> None:
    """A perfect copy of a text that does not count has BLEU 0."""
    texts = ["12.03.2024", CHINESE, "a man walks home"]
    assert [counts_in_bleu([text], tokenize) for text in texts] == counting
    copies = [corpus_scores([text] * 5, [text] * 5, tokenize).bleu for text in texts]
    assert [score > 0 for score in copies] == counting
    assert counts_in_bleu(texts, tokenize)


def test_a_tokeniser_is_named_in_the_signature_and_reckons_by_length_too() -> None:
    scores = corpus_scores([CHINESE], [CHINESE], bleu_tokenizer("zh", False))
    assert scores.bleu == pytest.approx(100)
    assert "|tok:zh|" in scores.signatures["bleu"]
    assert bleu_by_length([CHINESE], [CHINESE], [3], "zh")[0]["bleu"] == pytest.approx(100)


def test_a_tokeniser_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert (bleu_tokenizer("auto", True), bleu_tokenizer("auto", False)) == ("none", "13a")
    assert bleu_tokenizer("char", True) == "char"
    with pytest.raises(UserError, match=r"task\.bleu_tokenize is 'jp'.*ja-mecab"):
        bleu_tokenizer("jp", False)
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_ja_mecab.MeCab", None)
    with pytest.raises(UserError, match=r"ja-mecab needs another package: pip install 'sacrebleu\[ja\]'"):
        bleu_tokenizer("ja-mecab", False)
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_spm.SACREBLEU_DIR", str(tmp_path))
    with pytest.raises(UserError, match=r"flores200 needs the model .*flores200sacrebleuspm, which is not there"):
        bleu_tokenizer("flores200", False)
    assert list(tmp_path.iterdir()) == []
    assert set(TOKENIZERS) - {"auto"} <= set(sacrebleu.metrics.bleu._TOKENIZERS)
