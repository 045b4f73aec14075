"""Training: the same bits, the words asked for, and one line for each mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_seq.embeddings import word2vec
from lightning_seq.embeddings.word2vec import SATURATED, Word2VecParameters, part_size, train
from lightning_seq.errors import UserError

SMALL = {"vector_size": 8, "epochs": 2}
REPOSITORY = Path(__file__).parents[2]


def test_two_trainings_give_the_same_bytes_whatever_the_hash_seed(sentences: list[list[str]]) -> None:
    script = (
        "import json, sys, hashlib\n"
        "from lightning_seq.embeddings.word2vec import Word2VecParameters, train\n"
        "v = train(json.load(sys.stdin), Word2VecParameters(vector_size=8, epochs=2), progress=False)\n"
        "print(hashlib.sha256(v.matrix.tobytes() + ' '.join(v.words).encode()).hexdigest())"
    )
    import hashlib
    import json

    def elsewhere(hash_seed: str) -> str:
        path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
        return subprocess.run(
            [sys.executable, "-c", script],
            input=json.dumps(sentences),
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path},
        ).stdout.strip()

    here = [train(iter(sentences), Word2VecParameters(**SMALL), progress=False) for _ in range(2)]
    assert here[0].matrix.tobytes() == here[1].matrix.tobytes()
    mark = hashlib.sha256(here[0].matrix.tobytes() + " ".join(here[0].words).encode()).hexdigest()
    assert elsewhere("123") == mark
    other = train(sentences, Word2VecParameters(**SMALL, seed=2), progress=False)
    assert other.matrix.tobytes() != here[0].matrix.tobytes()


@pytest.mark.parametrize("size", [1, 7, 59, 60, 100])
def test_the_vocabulary_has_exactly_the_size_asked_for_and_ties_go_by_alphabet(size: int) -> None:
    text = [["b", "a", "b", "c"], ["d", "a"], [f"x{index:02}" for index in range(60)]]
    vectors = train(text, Word2VecParameters(**SMALL, max_vocabulary=size), progress=False)
    expected = sorted((word for sentence in text for word in sentence), key=lambda word: (word not in "ab", word))
    assert vectors.words == tuple(dict.fromkeys(expected))[:size]
    assert vectors.counts is not None
    assert vectors.counts.tolist() == [2, 2, *[1] * 62][:size]


def test_counts_and_min_count(sentences: list[list[str]]) -> None:
    counted = Counter(word for sentence in sentences for word in sentence)
    vectors = train(sentences, Word2VecParameters(**SMALL, min_count=20), progress=False)
    assert vectors.counts is not None
    assert dict(zip(vectors.words, vectors.counts.tolist(), strict=True)) == {
        word: count for word, count in counted.items() if count >= 20
    }
    assert list(vectors.counts) == sorted(vectors.counts, reverse=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "cbow"},
        {"hierarchical_softmax": True},
        {"negative": 2},
        {"window": 1},
        {"subsampling": 0.0},
        {"learning_rate": 0.1},
        {"epochs": 11},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_each_setting_changes_the_vectors_and_the_loss_falls(
    sentences: list[list[str]], changes: dict[str, Any]
) -> None:
    settings: dict[str, Any] = {"vector_size": 8, "epochs": 10, "learning_rate": 0.05}
    plain = train(sentences, Word2VecParameters(**settings), progress=False)
    changed = train(sentences, Word2VecParameters(**settings | changes), progress=False)
    assert changed.matrix.tobytes() != plain.matrix.tobytes()
    losses = changed.meta["losses"]
    assert len(losses) == (settings | changes)["epochs"]
    assert losses[-1] < losses[0]


def test_one_part_equals_gensim_on_the_same_file(tmp_path: Path, sentences: list[list[str]]) -> None:
    """Where the corpus is one part and the epoch one, nothing but gensim's own training is left."""
    from gensim.models import Word2Vec

    ours = train(sentences, Word2VecParameters(vector_size=8, epochs=1), progress=False)
    model = Word2Vec(vector_size=8, sg=1, seed=1, workers=1, min_count=1, sorted_vocab=0)
    counts = Counter(word for sentence in sentences for word in sentence)
    model.build_vocab_from_freq({word: counts[word] for word in ours.words})
    path = tmp_path / "corpus.txt"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in sentences))
    trained, _ = model.train(
        corpus_file=str(path),
        total_words=counts.total(),
        epochs=1,
        start_alpha=0.025,
        end_alpha=1e-4,
        compute_loss=True,
    )
    np.testing.assert_array_equal(ours.matrix, model.wv.vectors)
    assert ours.meta["words_trained"] == trained
    assert ours.meta["losses"] == [model.get_latest_training_loss() / trained]


def test_every_word_of_every_part_is_trained_on(monkeypatch: pytest.MonkeyPatch, sentences: list[list[str]]) -> None:
    monkeypatch.setattr(word2vec, "_SHORTEST_PART", 300)
    monkeypatch.setattr(word2vec, "_PART_LOSS", 1.0)
    from gensim.models import Word2Vec

    rates, original = [], Word2Vec.train

    def watched(self: Word2Vec, **arguments: Any) -> Any:
        rates.append((arguments["start_alpha"], arguments["end_alpha"]))
        return original(self, **arguments)

    monkeypatch.setattr(Word2Vec, "train", watched)
    vectors = train(sentences, Word2VecParameters(vector_size=8, epochs=3, subsampling=0.0), progress=False)
    assert vectors.meta["words_trained"] == 3 * sum(map(len, sentences))
    assert len(rates) > 10
    starts, ends = zip(*rates, strict=True)
    assert starts[1:] == ends[:-1]
    assert (starts[0], ends[-1]) == pytest.approx((0.025, 0.0001))
    assert list(starts) == sorted(starts, reverse=True)


@pytest.mark.parametrize("longest", [10, 10_000, 25_000])
def test_a_sentence_across_the_edge_of_gensims_batch_is_trained_on(longest: int) -> None:
    text = [["a", "b"] * 4_999, ["a", "b"] * (longest // 2)]
    vectors = train(text, Word2VecParameters(vector_size=2, epochs=1, subsampling=0.0), progress=False)
    assert vectors.meta["words_trained"] == 9_998 + longest


@pytest.mark.parametrize(
    ("words", "length"),
    [(7, 11), (8_000, 11), (40_003, 11), (40_000, 1), (40_000, 2), (40_000, 10), (40_000, 9_999), (40_000, 10_000),
     (40_000, 10_001), (100_000, 25_000), (200_000, 10)],
)  # fmt: skip
@pytest.mark.parametrize(
    "workers", [1, pytest.param(2, marks=pytest.mark.slow), 4, pytest.param(8, marks=pytest.mark.slow)]
)
def test_several_workers_train_each_word_once_an_epoch(workers: int, words: int, length: int) -> None:
    """Lines of a divisor of 10,000 words fill gensim's batches to the last word."""
    drawn = np.random.default_rng(0).integers(0, 300, words).astype(str).tolist()
    text = [drawn[start : start + length] for start in range(0, words, length)]
    vectors = train(text, Word2VecParameters(**SMALL, subsampling=0.0, workers=workers), progress=False)
    assert vectors.meta["words_trained"] == SMALL["epochs"] * words


def test_the_sections_of_several_workers_are_the_sentences_in_parts_of_one_size() -> None:
    lines = [word2vec._Line(" ".join(str(number) for _ in range(number % 90)), number % 90) for number in range(1, 900)]
    text, tokens = word2vec._streams(lines, 4)
    size, rest = divmod(len(text), 4)
    sections = [text[start : start + size] for start in range(0, len(text), size)]
    assert (rest, len(sections)) == (0, 4)
    (counted,) = {len(section.split()) for section in sections}
    batches = counted // 10_001
    assert (counted, tokens) == (10_001 * batches, 4 * (10_000 * batches - 1))
    assert all(section.endswith("\n") for section in sections)
    written = [line.strip() for line in text.splitlines() if line.strip("- ")]
    assert written == [line.text for line in lines if line.words]
    shares = [sum(word != "-" for word in section.split()) for section in sections]
    assert max(shares) - min(shares) < 200


def test_words_may_hold_white_space_or_anything_else() -> None:
    text = [["a", " ", "b", "\n", "", "ß"]] * 30
    vectors = train(text, Word2VecParameters(**SMALL, subsampling=0.0), progress=False)
    assert set(vectors.words) == {"a", " ", "b", "\n", "", "ß"}
    assert vectors.meta["words_trained"] == 2 * 180


@pytest.mark.parametrize(("losses", "told"), [([3.0, 2.0, 2.5], True), ([3.0, 2.0, 1.0], False)])
def test_a_loss_that_rises_is_explained(
    losses: list[float], told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gensim.models import Word2Vec

    told_losses = iter(losses)
    monkeypatch.setattr(Word2Vec, "get_latest_training_loss", lambda self: 100 * next(told_losses))
    monkeypatch.setattr(Word2Vec, "train", lambda self, **settings: (100, 100))
    train([["a", "b"]] * 50, Word2VecParameters(vector_size=4, epochs=3, min_count=1))
    assert ("the loss may rise while the vectors learn" in " ".join(capsys.readouterr().err.split())) is told


def test_a_part_stays_far_from_where_the_sum_of_losses_stands_still() -> None:
    for settings in ({}, {"window": 20, "negative": 20}, {"architecture": "cbow"}, {"hierarchical_softmax": True}):
        assert 10_000 <= part_size(Word2VecParameters(**settings)) <= 200_000
    assert np.float32(SATURATED) + np.float32(0.4) == np.float32(SATURATED)


def test_a_sum_of_losses_that_may_stand_still_is_not_told(
    monkeypatch: pytest.MonkeyPatch, sentences: list[list[str]]
) -> None:
    monkeypatch.setattr(word2vec, "SATURATED", 10.0)
    assert train(sentences, Word2VecParameters(**SMALL), progress=False).meta["losses"] == [None, None]


def test_several_workers_say_what_is_lost(sentences: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    vectors = train(sentences, Word2VecParameters(**SMALL, workers=2), progress=False)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "differ from run to run" in said.err
    assert vectors.meta["losses"] == [None, None]


def test_progress_is_on_standard_error_with_a_line_for_each_epoch(
    sentences: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = train(sentences, Word2VecParameters(**SMALL))
    said = capsys.readouterr()
    assert said.out == ""
    assert f"epoch 2/2  loss {vectors.meta['losses'][1]:.4f} per word" in said.err
    train(sentences, Word2VecParameters(**SMALL), progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("text", [[], [[]], [[], []]])
def test_an_empty_corpus_is_refused(text: list[list[str]]) -> None:
    with pytest.raises(UserError, match="corpus for word2vec is empty"):
        train(text, Word2VecParameters(), progress=False)


def test_a_corpus_of_rare_words_is_refused() -> None:
    with pytest.raises(UserError, match=r"no word occurs 3 times .*'b', 2 times.*word2vec.min_count"):
        train([["a", "b"], ["b"]], Word2VecParameters(min_count=3), progress=False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vector_size", 0),
        ("vector_size", 2.5),
        ("window", 0),
        ("architecture", "skip-gram"),
        ("max_vocabulary", 0),
        ("min_count", 0),
        ("negative", -1),
        ("negative", 0),
        ("hierarchical_softmax", 1),
        ("subsampling", 1.5),
        ("subsampling", float("nan")),
        ("epochs", True),
        ("learning_rate", 0),
        ("learning_rate", "fast"),
        ("seed", 2**32),
        ("seed", -1),
        ("workers", 0),
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_the_key(key: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"^word2vec\.{key} is ") as caught:
        Word2VecParameters(**{key: value})
    assert "\n" not in str(caught.value)
