from __future__ import annotations

import io
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import chisquare

from lightning_seq.data.pictures import PictureFile
from lightning_seq.data.sources.scene_questions import ANSWERS, KINDS, SceneQuestions, chance
from lightning_seq.data.sources.scenes import Thing
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.visual_questions import QuestionTable
from lightning_seq.data.visual_questions import VisualQuestionData
from lightning_seq.errors import UserError

Tables = dict[str, QuestionTable]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return SceneQuestions(examples=10_000).load().tables


def answered(question: str, things: tuple[Thing, ...]) -> str:
    """The answer that a reader of the question's words finds in the scene."""
    words = question.removesuffix(" there").split()
    at = {(thing.row, thing.column): thing for thing in things}
    colours = [thing.colour for thing in things]
    if words[:3] == ["is", "there", "a"]:
        return "yes" if words[3:] in [[thing.colour, thing.kind] for thing in things] else "no"
    if words[:2] == ["how", "many"]:
        return str(colours.count(words[2]))
    if words[:2] == ["are", "there"]:
        return "yes" if colours.count(words[3]) > colours.count(words[6]) else "no"
    if words[:2] == ["what", "colour"]:
        (only,) = [thing for thing in things if thing.kind == words[-1]]
        return only.colour
    (only,) = [thing for thing in things if [thing.colour, thing.kind] == words[-2:]]
    row, column = only.row, only.column
    neighbours = {"left": (row, column - 1), "right": (row, column + 1), "above": (row - 1, column),
              "below": (row + 1, column)}  # fmt: skip
    return at[neighbours[words[2]]].kind


def test_every_answer_is_right(tables: Tables) -> None:
    for table in tables.values():
        for picture, question, answer in zip(table.pictures, table.questions, table.answers, strict=True):
            assert answered(question, picture.things) == answer, (question, picture)  # type: ignore[union-attr]


def test_as_many_questions_of_each_kind(tables: Tables) -> None:
    assert Counter(tables["train"].kinds) == dict.fromkeys(KINDS, 2000)
    assert {split: len(table) for split, table in tables.items()} == {"train": 10_000, "validation": 1000, "test": 1000}


def test_a_question_does_not_tell_its_answer(tables: Tables) -> None:
    table, of_kinds, of_texts = tables["train"], defaultdict(list), defaultdict(list)
    for kind, question, answer in zip(table.kinds or [], table.questions, table.answers, strict=True):
        of_kinds[kind].append(answer)
        of_texts[question].append(answer)
    possible = {kind: sorted(set(answers)) for kind, answers in of_kinds.items()}
    assert {kind: len(answers) for kind, answers in possible.items()} == {
        "existence": 2, "count": 4, "colour": 6, "relation": 13, "comparison": 2
    }  # fmt: skip
    of_kind = dict(zip(table.questions, table.kinds or [], strict=True))
    values = []
    for question, answers in of_texts.items():
        choices = possible[of_kind[question]]
        if len(answers) >= 5 * len(choices):
            values.append(chisquare([answers.count(choice) for choice in choices]).pvalue)
    assert len(values) > 50
    assert min(values) > 0.01 / len(values)


def test_the_best_guess_without_the_picture_is_chance(tables: Tables) -> None:
    seen = defaultdict(Counter)
    for question, answer in zip(tables["train"].questions, tables["train"].answers, strict=True):
        seen[question][answer] += 1
    test = tables["test"]
    right = [
        seen[question].most_common(1)[0][0] == answer if seen[question] else False
        for question, answer in zip(test.questions, test.answers, strict=True)
    ]
    assert chance() == pytest.approx((1 / 2 + 1 / 4 + 1 / 6 + 1 / 13 + 1 / 2) / 5)
    assert np.mean(right) == pytest.approx(chance(), abs=0.04)


def test_splits_share_no_digit(tables: Tables) -> None:
    drawings = {
        split: {thing.drawing for picture in table.pictures for thing in picture.things} - {-1}  # type: ignore[union-attr]
        for split, table in tables.items()
    }
    assert all(len(found) > 100 for found in drawings.values())
    assert not drawings["train"] & drawings["validation"]
    assert not drawings["train"] & drawings["test"]
    assert not drawings["validation"] & drawings["test"]


def test_answers_take_turns(tables: Tables) -> None:
    for split, least in (("train", 65), ("test", 100)):
        table = SceneQuestions(examples=10 * least if split == "test" else least).load().tables[split]
        assert len(set(table.answers)) == 2 + 4 + 6 + 13
    counts = Counter(zip(tables["test"].kinds or [], tables["test"].answers, strict=True))
    assert {kind: {counts[kind, answer] for answer in answers} for kind, answers in ANSWERS.items()} == {
        "existence": {100}, "count": {50}, "colour": {33, 34}, "relation": {15, 16}, "comparison": {100}
    }  # fmt: skip
    with pytest.raises(UserError, match=r"data.examples is 64"):
        SceneQuestions(examples=64)


@pytest.mark.parametrize("most", [3, 9])
def test_every_size_of_a_scene_has_every_answer(most: int) -> None:
    table = SceneQuestions(examples=600, most=most).load().tables["train"]
    assert max(len(picture.things) for picture in table.pictures) == most  # type: ignore[union-attr]


def test_a_seed_of_its_own(tables: Tables) -> None:
    again = SceneQuestions(examples=10_000).load().tables["test"]
    assert again == tables["test"]
    assert SceneQuestions(examples=10_000, split_seed=2).load().tables["test"].questions != again.questions


def test_batches(tmp_path: Path) -> None:
    data = VisualQuestionData(SceneQuestions(examples=70), tmp_path, batch_size=8)
    source = SceneQuestions(examples=70).load().tables["train"]
    names = data.spec.targets.names  # type: ignore[attr-defined]
    batches = list(data.train_dataloader())
    assert sorted(number for batch in batches for number in batch.ids.tolist()) == list(range(70))
    for batch in batches:
        assert batch.extra["pictures"].dtype == torch.uint8
        for place, row in enumerate(batch.ids.tolist()):
            length = int(batch.mask[place].sum())
            words = [data.vocabulary.words[number] for number in batch.inputs[place, :length].tolist()]
            assert " ".join(words) == source.questions[row]
            assert names[int(batch.targets[place])] == source.answers[row]
            assert data.prepared.kinds[int(batch.extra["kinds"][place])] == (source.kinds or [])[row]
            drawn = source.pictures[row].read().values
            assert (batch.extra["pictures"][place].numpy() == drawn.transpose(2, 0, 1)).all()
    assert str(len(names)) in data.headline()


class Given:
    """A source that holds its tables."""

    name = "given"

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def describe(self) -> str:
        return self.name

    def identity(self) -> str:
        return repr(self.tables)

    def load(self) -> Loaded[QuestionTable]:
        return Loaded(self.tables)


def png(colour: str) -> PictureFile:
    stream = io.BytesIO()
    Image.new("RGB", (6, 6), colour).save(stream, "PNG")
    return PictureFile(f"the {colour} picture", stream.getvalue())


def table(**keys: object) -> QuestionTable:
    red, blue, again = png("red"), png("blue"), replace(png("red"), name="the same picture")
    pictures = [red, red, blue, again]
    questions = ["what colour is it", "is it red", "what colour is it", "is it blue"]
    made = QuestionTable(pictures, questions, ["red", "yes", "blue", "no"], [0, 1, 2, 3])  # type: ignore[arg-type]
    return replace(made, **keys)  # type: ignore[arg-type]


def prepared(cache: Path, **keys: object) -> VisualQuestionData:
    source = Given({"train": table(), "validation": table(), "test": table(**keys)})
    return VisualQuestionData(source, cache, size=6, batch_size=2)  # type: ignore[arg-type]


def test_a_picture_of_several_questions_is_stored_once(tmp_path: Path) -> None:
    data = prepared(tmp_path)
    split = data.prepared.splits["train"]
    assert split.pictures.shape == (2, 3, 6, 6)
    assert split.picture.tolist() == [0, 0, 1, 0]
    assert (split.kinds == 0).all()
    assert data.prepared.kinds == ()
    assert "questions about 6 pictures of 6 x 6" in data.headline()
    for batch in data.train_dataloader():
        for row, values in zip(batch.ids.tolist(), batch.extra["pictures"], strict=True):
            assert values[:, 0, 0].tolist() == ([0, 0, 255] if row == 2 else [255, 0, 0])


def test_the_fingerprint_knows_which_picture_a_question_has_and_its_kind(tmp_path: Path) -> None:
    red, blue = png("red"), png("blue")
    prints = [
        prepared(tmp_path, **keys).fingerprints["data"]
        for keys in ({}, {"pictures": [red, red, blue, blue]}, {"kinds": ["a", "b", "a", "b"]})
    ]
    assert len(set(prints)) == 3


def test_long_questions_are_sentences_of_a_thousand_words(tmp_path: Path) -> None:
    source = Given({"train": table(questions=["what " * 1001, *["is it red"] * 3]), "validation": table(),
                    "test": table()})  # fmt: skip
    data = VisualQuestionData(source, tmp_path, size=6)
    assert [len(words) for words in data.train_sentences()] == [1000, 1, 3, 3, 3]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"questions": ["what", " ", "what", "what"]}, "test split, example 1: the question is empty"),
        ({"pictures": [PictureFile("bad.png", b"\x89PNG nothing")] * 4}, "bad.png is no picture"),
        ({"pictures": [], "questions": [], "answers": [], "ids": []}, "the test split"),
    ],
)
def test_wrong_tables_are_one_line(keys: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as refused:
        prepared(tmp_path, **keys)
    assert "\n" not in str(refused.value)


def test_lines_of_new_questions(tmp_path: Path) -> None:
    reader = prepared(tmp_path / "cache").reader
    (tmp_path / "red.png").write_bytes(png("red").content)  # type: ignore[arg-type]
    batch = reader.encode([f"{tmp_path / 'red.png'}\tIs it red", f"{tmp_path / 'red.png'}\twhat"])
    assert batch.mask.tolist() == [[True, True, True], [True, False, False]]
    assert batch.extra["pictures"][:, :, 0, 0].tolist() == [[255, 0, 0]] * 2
    notes = {
        "red.png is it red": "has no tab",
        " \tis it red": "names no picture: expected its file",
        "~nobody-of-here/a.png\tis it red": "there is no such user",
        f"{tmp_path / 'red.png'}\t ": "empty",
        f"{tmp_path / 'none.png'}\tis it red": "none.png",
        f"{tmp_path / 'none.png'}\t ": "empty",
        f"{tmp_path / 'red.png'}\tzzz": "only unknown words",
    }
    for text, expected in notes.items():
        assert expected in reader.note(text).text  # type: ignore[union-attr]
    assert reader.note(f"{tmp_path / 'red.png'}\tis it red") is None
