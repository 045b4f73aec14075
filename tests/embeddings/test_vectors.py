"""Vectors on disk, and found again by fingerprint."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightning_seq.embeddings import artifact
from lightning_seq.embeddings.artifact import vectors_fingerprint, word_vectors
from lightning_seq.embeddings.formats import read_vectors
from lightning_seq.embeddings.vectors import Vectors, load, save
from lightning_seq.embeddings.word2vec import Word2VecParameters
from lightning_seq.errors import UserError
from tests.damage import damage as damage_file

PARAMETERS = Word2VecParameters(vector_size=4, epochs=1)


def test_what_is_saved_is_loaded(tmp_path: Path, vectors: Vectors) -> None:
    save(vectors, tmp_path)
    for found in (load(tmp_path), read_vectors(tmp_path, width=4)):
        assert found.words == vectors.words
        assert found.matrix.tobytes() == vectors.matrix.tobytes()
        assert found.counts is not None
        assert found.counts.dtype == np.int64
        assert found.counts.tolist() == [50, 20, 9, 5, 1]
        assert found.meta == {"from": "hand"}
    save(replace(vectors, counts=None), tmp_path)
    assert load(tmp_path).counts is None


def test_a_directory_can_be_read_in_part_and_not_with_another_width(tmp_path: Path, vectors: Vectors) -> None:
    save(vectors, tmp_path)
    some = read_vectors(tmp_path, keep={"dog", "the", "unheard"})
    assert some.words == ("the", "dog")
    np.testing.assert_array_equal(some.matrix, vectors.matrix[[0, 4]])
    assert some.counts is not None
    assert some.counts.tolist() == [50, 1]
    with pytest.raises(UserError, match="width 4, expected 5"):
        read_vectors(tmp_path, width=5)


@pytest.mark.parametrize(
    "damage",
    [
        lambda place: (place / "vocabulary.json").write_text('{"words": ["a"], "counts": null}'),
        lambda place: (place / "vocabulary.json").write_text('{"words": ["a", "a", "b", "c", "d"], "counts": null}'),
        lambda place: (place / "vocabulary.json").write_text("[]"),
        lambda place: (place / "meta.json").write_text("{"),
        lambda place: (place / "vectors.safetensors").write_bytes(b"x" * 100),
        lambda place: (place / "vectors.safetensors").write_bytes((place / "vectors.safetensors").read_bytes()[:-4]),
        lambda place: (place / "vectors.safetensors").unlink(),
        lambda place: (place / "meta.json").unlink(),
        lambda place: damage_file(place / "vocabulary.json", "deep"),
        lambda place: damage_file(place / "meta.json", "a pipe"),
        lambda place: damage_file(place / "vectors.safetensors", "a pipe"),
        lambda place: damage_file(place / "vectors.safetensors", "a dangling link"),
        lambda place: (place / "vocabulary.json").write_text('{"words": ["a"], "counts": [NaN]}'),
        lambda place: (place / "vocabulary.json").write_text(f'{{"words": ["a"], "counts": [{10**30}]}}'),
    ],
)
def test_a_damaged_directory_is_one_clear_line(tmp_path: Path, vectors: Vectors, damage: object) -> None:
    save(vectors, tmp_path)
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises(UserError, match=r"damaged|holds no word vectors"):
        load(tmp_path)


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected float32 \[2, E\]"):
        Vectors(("a", "b"), np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match="of the same word"):
        Vectors(("a", "a"), np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match="NaN"):
        Vectors(("a",), np.full((1, 2), np.nan, np.float32))


def test_vectors_are_trained_once_and_found_again(tmp_path: Path, sentences: list[list[str]]) -> None:
    asked = []

    def reading() -> object:
        asked.append(1)
        yield from sentences

    first = word_vectors(reading(), PARAMETERS, "corpus-a", tmp_path, progress=False)  # type: ignore[arg-type]
    again = word_vectors(reading(), PARAMETERS, "corpus-a", tmp_path, progress=False)  # type: ignore[arg-type]
    assert len(asked) == 1
    assert first.matrix.tobytes() == again.matrix.tobytes()
    mark = vectors_fingerprint(PARAMETERS, "corpus-a")
    place = tmp_path / "word2vec" / mark
    assert {path.name for path in place.iterdir()} >= {"vectors.safetensors", "vocabulary.json", "meta.json"}
    meta = json.loads((place / "meta.json").read_text())
    assert meta["fingerprint"] == mark
    assert meta["corpus_fingerprint"] == "corpus-a"
    assert meta["parameters"]["vector_size"] == 4
    assert meta["words"] == sum(map(len, sentences))
    assert set(meta) >= {"losses", "words_trained", "versions"}


def test_damaged_vectors_are_trained_again(tmp_path: Path, sentences: list[list[str]]) -> None:
    first = word_vectors(sentences, PARAMETERS, "corpus", tmp_path, progress=False)
    path = tmp_path / "word2vec" / vectors_fingerprint(PARAMETERS, "corpus") / "vectors.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    again = word_vectors(sentences, PARAMETERS, "corpus", tmp_path, progress=False)
    assert again.matrix.tobytes() == first.matrix.tobytes()


def test_a_failed_training_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="empty"):
        word_vectors([], PARAMETERS, "corpus", tmp_path, progress=False)
    assert [path for path in (tmp_path / "word2vec").iterdir() if path.suffix != ".lock"] == []


def test_the_fingerprint_tells_each_setting_and_the_corpus_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = [replace(PARAMETERS, **change) for change in ({"seed": 2}, {"workers": 2}, {"window": 3})]  # type: ignore[arg-type]
    marks = {vectors_fingerprint(each, "a") for each in (PARAMETERS, *changed)} | {vectors_fingerprint(PARAMETERS, "b")}
    monkeypatch.setattr(artifact, "PROCEDURE", 2)
    assert len(marks | {vectors_fingerprint(PARAMETERS, "a")}) == 6
