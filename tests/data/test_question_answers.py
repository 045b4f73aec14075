"""Which answers a model can give, what annotators agree on, and choices."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.visual_questions import VisualQuestionData
from lightning_seq.data.visual_questions.answers import NOTHING, agreement, agreements, choice_ids, choose_answers
from lightning_seq.data.visual_questions.settings import QuestionSettings
from lightning_seq.errors import UserError
from tests.data.test_visual_questions import Given, Tables, table


@pytest.mark.parametrize("annotators", [2, 3, 10])
def test_agreement_is_the_mean_over_all_annotators_but_one(annotators: int) -> None:
    for count in range(annotators + 1):
        answers = [True] * count + [False] * (annotators - count)
        left = combinations(answers, annotators - 1)
        assert agreement(count, annotators) == pytest.approx(np.mean([min(sum(one) / 3, 1) for one in left]))


def test_agreement_of_ten() -> None:
    assert [agreement(count, 10) for count in range(6)] == pytest.approx([0, 0.3, 0.6, 0.9, 1, 1])


def test_agreements_with_what_a_model_can_give() -> None:
    ids, values = agreements([["a"] * 9 + ["x"], ["b", "b", *"cccccccc"], ["x"] * 10], {"a": 0, "b": 1, "c": 2})
    assert ids.tolist() == [[0, NOTHING], [1, 2], [NOTHING, NOTHING]]
    np.testing.assert_allclose(values, [[1, 0], [0.6, 1], [0, 0]], rtol=1e-6)
    assert [one.shape for one in agreements(None, {})] == [(0, 0), (0, 0)]


def test_choices_that_a_model_cannot_give_have_the_next_number() -> None:
    assert choice_ids([["b", "x", "b"], [], ["y", "x", "a"]], {"a": 0, "b": 1}).tolist() == [
        [1, 2, NOTHING], [NOTHING] * 3, [2, 2, 0]
    ]  # fmt: skip


def chosen(tables: Tables, **keys: object) -> tuple[Tables, list[str], list[str]]:
    report: list[str] = []
    return *choose_answers("set", Loaded(tables), QuestionSettings(**keys), report), report  # type: ignore[arg-type]


def test_the_most_frequent_answers_of_training() -> None:
    tables = {
        "train": table(answers=["red", "no", "red", "blue"]),
        "validation": table(answers=["no", "red", "no", "red"]),
        "test": table(answers=["red", "green", "no", "yes"]),
    }
    kept, answers, report = chosen(tables, top_answers=2)
    assert answers == ["blue", "red"]  # blue and no are as frequent: the first of the alphabet
    assert kept["train"].ids == [0, 2, 3]
    assert (len(kept["validation"]), len(kept["test"])) == (4, 4)
    assert report == [
        "train: 1 question (25.0%) without one of the 2 most frequent answers left out",
        "validation: 2 questions (50.0%) with an answer that the model cannot give: counted as wrong",
        "test: 3 questions (75.0%) with an answer that the model cannot give: counted as wrong",
    ]
    assert chosen(tables)[1] == ["blue", "no", "red"]


def test_answers_annotators_and_choices_are_normalised_alike() -> None:
    one = table(
        answers=["The red.", "Two", "red", "2"],
        annotators=[["A red", "red"], ["two", "2"], ["red", "the red"], ["2", "2"]],
        choices=[["RED", "blue"], [], [], ["two", "three"]],
    )
    kept, answers, report = chosen({"train": one, "validation": one, "test": one}, normalise_answers="vqa")
    assert answers == ["2", "red"]
    assert kept["test"].annotators == [["red", "red"], ["2", "2"], ["red", "red"], ["2", "2"]]
    assert kept["test"].choices == [["red", "blue"], [], [], ["2", "3"]]
    assert report == []
    with pytest.raises(UserError, match="the choices RED, blue lack the answer 'The red"):
        chosen({"train": one})


def test_the_most_frequent_answer_is_counted_after_normalising() -> None:
    """ "A red", "red" and "the red" are one answer, more frequent than "blue", which is the most frequent text."""
    annotators = [["A red", "red", "the red", "blue", "blue"], ["no", "yes"], ["no", "no"], ["a", "b", "b"]]
    one = table(answers=["blue", "yes", "no", "other"], annotators=annotators)
    tables = {"train": one, "validation": one, "test": one}
    assert chosen(tables, normalise_answers="vqa")[0]["test"].answers == ["red", "yes", "no", "other"]
    assert chosen(tables)[0]["test"].answers == ["blue", "yes", "no", "other"]


def test_an_answer_that_training_does_not_have_is_in_the_batches(tmp_path: Path) -> None:
    test = table(answers=["red", "yes", "green", "no"], annotators=[["red", "blue", "green"]] * 4,
                 choices=[["red", "mauve"], [], ["green", "blue"], []])  # fmt: skip
    source = Given({"train": table(), "validation": table(), "test": test})
    data = VisualQuestionData(source, tmp_path, size=6, batch_size=4)  # type: ignore[arg-type]
    names = data.spec.targets.names  # type: ignore[attr-defined]
    assert names == ("blue", "no", "red", "yes")
    (batch,) = data.test_dataloader()
    order = batch.ids.argsort()
    assert batch.targets[order].tolist() == [2, 3, 4, 1]
    assert batch.extra["annotated"][order].tolist() == [[2, 0]] * 4
    assert batch.extra["agreement"][order].tolist() == pytest.approx(np.full((4, 2), 2 / 9))
    assert batch.extra["choices"][order].tolist() == [[2, 4], [-1, -1], [4, 0], [-1, -1]]
    assert not {"annotated", "agreement", "choices"} & set(next(iter(data.train_dataloader())).extra)
    assert list(data.prepared.answers("test")) == ["red", "yes", "green", "no"]
    assert "test: 1 question (25.0%) with an answer that the model cannot give" in data.summary()
    assert (data.train_labels < 4).all()


@pytest.mark.parametrize(
    ("keys", "settings", "message"),
    [
        ({"answers": ["red"] * 4}, {}, "the train split has one answer, 'red': expected at least two"),
        ({}, {"top_answers": 1}, "data.top_answers is 1: expected at least 2"),
        ({}, {"normalise_answers": "vq"}, "data.normalise_answers is 'vq'; did you mean vqa|normalise_answers is 'vq'"),
        (
            {"choices": [["blue", "green"], [], [], []]},
            {},
            "train split, example 0: the choices blue, green lack the answer 'red'",
        ),
        ({"choices": [["red", "red"], [], [], []]}, {}, "example 0: 'red' is the only choice"),
        ({"pictures": [], "questions": [], "answers": [], "ids": []}, {}, "the train split is empty"),
    ],
)
def test_wrong_answers_are_one_line(keys: dict[str, object], settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        chosen({"train": table(**keys)}, **settings)
    assert "\n" not in str(refused.value)
