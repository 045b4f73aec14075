"""Neighbours, analogies, correlations and the map, on planted vectors and against gensim."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lightning_seq.embeddings.evaluate import analogies, nearest, report, word_map, word_pairs
from lightning_seq.embeddings.vectors import Vectors
from lightning_seq.embeddings.word_lists import judged_pairs, shipped
from lightning_seq.errors import UserError


@pytest.fixture
def planted() -> Vectors:
    """Man to woman is one direction, and so is common to royal; other words lie about."""
    base = {"man": [1.0, 0, 0, 1], "woman": [1.0, 1, 0, 1], "king": [1.0, 0, 1, 1], "queen": [1.0, 1, 1, 1]}
    others = {"Athens": [-1.0, 0, 0, 2], "Greece": [-1.0, 0.1, -3, 2], "cat": [0.0, -1, 0, -1], "dog": [0.1, -1, 0, -1]}
    rows = base | others
    return Vectors(tuple(rows), np.array(list(rows.values()), np.float32), np.arange(80, 0, -10))


@pytest.fixture(scope="module")
def random_vectors() -> Vectors:
    """Random vectors for the words of WordSim, some analogies, and more; a few pairs lie in parallel."""
    generator = np.random.default_rng(0)
    words = [word.lower() for pair in judged_pairs(shipped("wordsim353.tsv")) for word in pair[:2]][:500]
    words += ["athens", "Athens", "greece", "baghdad", "iraq", "bangkok", "thailand", "beijing", "china", "he", "she"]
    words += [
        "father",
        "mother",
        "man",
        "woman",
        "king",
        "queen",
        "son",
        "daughter",
        "boy",
        "girl",
        "brother",
        "sister",
    ]
    unique = tuple(dict.fromkeys(words))
    matrix = generator.normal(size=(len(unique), 5)).astype(np.float32)
    for one, other in (("he", "she"), ("father", "mother"), ("man", "woman"), ("son", "daughter")):
        matrix[unique.index(other)] = matrix[unique.index(one)] + [0.5, -0.5, 0, 0.3, 0] + generator.normal(0, 0.1, 5)
    return Vectors(unique, matrix, np.arange(len(unique), 0, -1))


def keyed(vectors: Vectors) -> object:
    from gensim.models import KeyedVectors

    model = KeyedVectors(vectors.width)
    model.add_vectors(list(vectors.words), vectors.matrix)
    return model


def test_king_is_to_queen_as_man_is_to_woman(planted: Vectors, tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_text(
        ": royal\nman woman king queen\nMan King Woman Queen\nman woman king cat\nman woman boy girl\n"
        ": pets\ncat dog a b\n"
    )
    result = analogies(planted, path)
    royal, pets = result.sections
    assert (royal.name, royal.correct, royal.answerable, royal.total) == ("royal", 2, 3, 4)
    assert royal.accuracy == 2 / 3
    assert pets.accuracy is None
    assert (result.total.correct, result.total.answerable, result.total.total) == (2, 3, 5)
    assert analogies(planted, path, most_frequent=3).total.answerable == 0


def test_analogies_agree_with_gensim(random_vectors: Vectors) -> None:
    _, theirs = keyed(random_vectors).evaluate_word_analogies(str(shipped("questions-words.txt")))  # type: ignore[attr-defined]
    ours = analogies(random_vectors)
    expected = {
        each["section"]: (len(each["correct"]), len(each["correct"]) + len(each["incorrect"])) for each in theirs
    }
    assert {each.name: (each.correct, each.answerable) for each in ours.sections} == {
        name: value for name, value in expected.items() if name != "Total accuracy"
    }
    assert (ours.total.correct, ours.total.answerable) == expected["Total accuracy"]
    assert ours.total.correct > 0
    assert ours.total.total == 19544


@pytest.mark.parametrize(("name", "total"), [("wordsim353", 353), ("simlex999", 999)])
def test_correlations_agree_with_gensim(random_vectors: Vectors, name: str, total: int) -> None:
    file = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}[name]
    pearson, spearman, missing = keyed(random_vectors).evaluate_word_pairs(str(shipped(file)))  # type: ignore[attr-defined]
    ours = word_pairs(random_vectors, name)
    assert ours.total == total
    assert ours.covered > 20
    assert ours.pearson == pytest.approx(pearson[0], abs=1e-6)
    assert ours.spearman == pytest.approx(spearman[0], abs=1e-6)
    assert 100 * (1 - ours.covered / total) == pytest.approx(missing)


def test_too_few_pairs_have_no_correlation(planted: Vectors, tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text("man\twoman\t9\nking\tqueen\t8\nking\tunheard\t1\n")
    result = word_pairs(planted, path)
    assert (result.name, result.pearson, result.spearman, result.covered, result.total) == ("mine", None, None, 2, 3)
    path.write_text("man\twoman\t9\nking queen 8\n")
    with pytest.raises(UserError, match="line 2: expected two words and a number"):
        word_pairs(planted, path)
    with pytest.raises(UserError, match="did you mean simlex999"):
        word_pairs(planted, "simlex99")


def test_neighbours_by_cosine_and_by_distance(planted: Vectors) -> None:
    near = nearest(planted, "cat", n=2)
    assert near[0][0] == "dog"
    assert near[0][1] == pytest.approx(2 / np.sqrt(2 * 2.01), abs=1e-6)
    assert nearest(planted, "cat", n=1, metric="euclidean") == [("dog", pytest.approx(0.1))]
    assert len(nearest(planted, "cat", n=100)) == len(planted.words) - 1
    # A vector of the same direction and another length is nearest by cosine alone.
    long = Vectors(("a", "far", "beside"), np.array([[1, 0], [9, 0], [1, 0.5]], np.float32))
    assert nearest(long, "a", 1)[0][0] == "far"
    assert nearest(long, "a", 1, "euclidean")[0][0] == "beside"


def test_neighbours_of_an_unknown_word_or_by_an_unknown_metric(planted: Vectors) -> None:
    with pytest.raises(UserError, match="'kin' has no vector: did you mean king"):
        nearest(planted, "kin")
    with pytest.raises(UserError, match="did you mean cosine"):
        nearest(planted, "king", metric="cosin")


def test_the_map_is_the_same_each_time_and_arrows_lie_in_it(random_vectors: Vectors) -> None:
    plain = word_map(random_vectors, n=50)
    assert plain == word_map(random_vectors, n=50)
    assert plain["method"] == "PCA"
    assert len(plain["words"]) == 50
    names = [entry["word"] for entry in plain["words"]]
    assert len(set(names)) == 50
    counts = [entry["count"] for entry in plain["words"]]
    assert counts == sorted(counts, reverse=True)
    arrows = {(arrow["from"], arrow["to"]) for arrow in plain["arrows"]}
    assert arrows >= {("king", "queen"), ("father", "mother"), ("athens", "greece"), ("baghdad", "iraq")}
    assert {word for arrow in arrows for word in arrow} <= set(names)
    few = word_map(random_vectors, n=2, pairs=[("man", "woman"), ("king", "queen"), ("king", "unheard")])
    assert few["arrows"] == [{"from": "man", "to": "woman"}, {"from": "king", "to": "queen"}]
    assert {entry["word"] for entry in few["words"]} == {"man", "woman", "king", "queen"}


def test_the_map_does_not_turn_with_the_sign_of_a_component(random_vectors: Vectors) -> None:
    """Principal components of vectors and of the same vectors in columns of another order span the same plane."""
    order = [3, 1, 4, 0, 2]
    turned = Vectors(random_vectors.words, np.ascontiguousarray(random_vectors.matrix[:, order]), random_vectors.counts)
    for one, other in zip(word_map(random_vectors, 40)["words"], word_map(turned, 40)["words"], strict=True):
        assert (one["x"], one["y"]) == pytest.approx((other["x"], other["y"]), abs=2e-5)


def test_the_map_keeps_as_much_variance_as_two_dimensions_can(random_vectors: Vectors) -> None:
    from sklearn.decomposition import PCA

    plain = word_map(random_vectors, n=60)
    rows = [random_vectors.ids[entry["word"]] for entry in plain["words"]]
    theirs = PCA(2).fit_transform(random_vectors.unit[rows])
    ours = np.array([(entry["x"], entry["y"]) for entry in plain["words"]])
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=2e-5)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_map_of_hardly_any_words(count: int) -> None:
    vectors = Vectors(("a", "b")[:count], np.ones((count, 1), np.float32))
    plain = word_map(vectors)
    assert [entry["word"] for entry in plain["words"]] == ["a", "b"][:count]
    assert all(entry["y"] == 0 and entry["count"] is None for entry in plain["words"])


def test_the_report_shows_every_part_and_takes_words_as_they_are(planted: Vectors) -> None:
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    odd = Vectors(("[red]x", *planted.words[1:]), planted.matrix, planted.counts)
    console.print(report(odd))
    text = console.export_text()
    for part in ("Neighbours", "Analogies", "family", "wordsim353", "simlex999", "queen", "[red]x"):
        assert part in text
