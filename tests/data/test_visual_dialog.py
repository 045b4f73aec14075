from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_seq.data.bucket_sampler import BucketSampler
from lightning_seq.data.sources.dialogs import DialogTable, Turn, dialogs_of
from lightning_seq.data.sources.scene_dialog import ANSWERS, SceneDialog
from lightning_seq.data.sources.scene_questions import SceneQuestions
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.visual_questions import QuestionTable
from lightning_seq.data.visual_dialog import VisualDialogData
from lightning_seq.errors import UserError
from tests.data.test_visual_questions import png

Tables = dict[str, DialogTable]


def text(data: VisualDialogData, ids: torch.Tensor) -> str:
    return " ".join(data.vocabulary.words[number] for number in ids.tolist() if number)


def test_batches(tmp_path: Path) -> None:
    data = VisualDialogData(SceneDialog(examples=200, turns=4), tmp_path, batch_size=5)
    tables = SceneDialog(examples=200, turns=4).load().tables
    source = tables["train"]
    rows = [(dialog, number) for dialog, turns in enumerate(source.dialogs) for number in range(len(turns))]
    batches = list(data.train_dataloader())
    assert sorted(number for batch in batches for number in batch.ids.tolist()) == list(range(len(rows)))
    for batch in batches:
        assert batch.count == len(batch.ids)
        table = [text(data, row).removesuffix(" <eos>") for row in batch.extra["answers"][0]]
        assert len(set(table)) == len(table)
        for place, row in enumerate(batch.ids.tolist()):
            dialog, number = rows[row]
            turns = source.dialogs[dialog]
            assert text(data, batch.inputs[place]) == turns[number].question
            assert table[int(batch.targets[place])] == ANSWERS[turns[number].answer]
            facts = [text(data, fact) for fact in batch.extra["history"][place] if fact.any()]
            assert facts == ["<bos>"] + [
                f"{turn.question} <eos> {ANSWERS[turn.answer]} <eos>" for turn in turns[:number]
            ]
            candidates = [table[one] for one in batch.extra["candidates"][place].tolist()]
            assert candidates == [ANSWERS[one] for one in turns[number].candidates]
            assert int(batch.extra["turns"][place]) == number
            assert data.prepared.kinds[int(batch.extra["kinds"][place])] == turns[number].kind
            drawn = source.pictures[dialog].read().values
            assert (batch.extra["pictures"][place].numpy() == drawn.transpose(2, 0, 1)).all()
    assert data.prepared.splits["train"].pictures.shape[0] == 200
    lengths = [len(turns) for turns in tables["test"].dialogs]
    ids = data.example_ids("test")
    assert list(ids.values) == [
        f"{dialog}-{turn + 1}" for dialog, length in enumerate(lengths) for turn in range(length)
    ]
    assert list(ids.groups or []) == [dialog for dialog, length in enumerate(lengths) for _ in range(length)]
    assert f"train {len(rows)}, validation" in data.headline()
    assert "turns of 240 dialogs" in data.headline()


def test_training_pictures_are_changed_and_features_are_made_once(tmp_path: Path) -> None:
    plain = VisualDialogData(SceneDialog(examples=20, turns=3), tmp_path, batch_size=5)
    changed = VisualDialogData(prepared=plain.prepared, batch_size=5, augment={"brightness": 0.2})
    for split, same in (("train", False), ("validation", True)):
        (one, sampler), (other, _) = plain.batches(split), changed.batches(split)
        shard = next(iter(sampler))
        pictures = [dataset[shard].extra["pictures"] for dataset in (one, other, other)]
        assert torch.equal(pictures[0], pictures[1]) is same
        assert torch.equal(pictures[1], pictures[2])
    made = Made()
    data = VisualDialogData(prepared=plain.prepared, batch_size=5, features=lambda channels, size: made)
    for batch in data.test_dataloader():
        rows = plain.prepared.splits["test"].picture[batch.ids.numpy()]
        means = plain.prepared.splits["test"].pictures[rows].reshape(len(rows), -1).mean(1)
        torch.testing.assert_close(batch.extra["pictures"][:, 0, 0], torch.tensor(means).float())
    assert made.pictures == sum(len(split.pictures) for split in plain.prepared.splits.values())


class Made:
    """The mean of each picture as its feature."""

    name, fingerprint, shape, pictures = "mean", "one", (1, 1), 0

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        self.pictures += len(pictures)
        return pictures.reshape(len(pictures), 1, -1).mean(2, keepdims=True).astype(np.float32)


def test_two_ranks_see_every_turn_once(tmp_path: Path) -> None:
    data = VisualDialogData(SceneDialog(examples=11, turns=3), tmp_path, batch_size=4)
    dataset, _ = data.batches("train")
    turns = data.prepared.splits["train"]
    first, known = turns.known
    lengths = turns.lengths + turns.facts.offsets[first + known] - turns.facts.offsets[first]
    two = len(SceneDialog(examples=11, turns=3).load().tables["train"].dialogs[0])
    assert first[: two + 1].tolist() == [0] * two + [two + 1]
    assert known[: two + 1].tolist() == [*range(1, two + 1), 1]
    parts = [BucketSampler(lengths, 4, rank=rank, world=2) for rank in range(2)]
    seen = Counter[int]()
    for shards in zip(*parts, strict=True):
        for batch in map(dataset.__getitem__, shards):
            seen.update(batch.ids[batch.target_mask].tolist())
    assert seen == dict.fromkeys(range(len(turns)), 1)


def test_questions_are_dialogs_of_one_turn(tmp_path: Path) -> None:
    data = VisualDialogData(SceneQuestions(examples=70), tmp_path)
    source = SceneQuestions(examples=70).load().tables["test"]
    (batch,) = list(data.test_dataloader())
    assert batch.extra["history"].tolist() == [[[2]]] * 7
    table = [text(data, row).removesuffix(" <eos>") for row in batch.extra["answers"][0]]
    assert [table[place] for place in batch.targets.tolist()] == [source.answers[row] for row in batch.ids.tolist()]
    assert set(table) == {*ANSWERS[:11], *(one.split()[1] for one in ANSWERS[11:]), "3"}
    assert list(data.example_ids("test").values) == list(range(7))
    assert data.example_ids("test").groups is None


@pytest.mark.parametrize(("answers", "candidates"), [(1, 0), (2, 2), (100, 100), (101, 0)])
def test_the_candidates_of_questions_are_the_answers_of_training(answers: int, candidates: int) -> None:
    texts = [f"answer {number}" for number in range(answers)]
    train = QuestionTable([png("red")] * answers, ["what"] * answers, texts, [*range(answers)], ["kind"] * answers)
    made = dialogs_of(Loaded({"train": train, "test": replace(train, kinds=None)}, notes=["a note"]))
    assert [[*turn.candidates] for (turn,) in made.tables["test"].dialogs] == [[*range(candidates)]] * answers
    assert [{turn.kind for (turn,) in table.dialogs} for table in made.tables.values()] == [{"kind"}, {""}]
    assert made.notes == ["a note"]


def test_questions_without_candidates_have_the_most_frequent_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = [[Turn("what", 2), Turn("what", 1)], [Turn("what", 2)]]
    source = Given({"train": table(dialogs=turns), "validation": table(), "test": table()})
    for most, answers in ((100, ("yes, it is", "blue")), (1, ("yes, it is",))):
        monkeypatch.setattr("lightning_seq.data.visual_dialog.module.MOST_CANDIDATES", most)
        assert VisualDialogData(source, tmp_path, size=6).reader.answers == answers


class Given:
    """A source that holds its tables."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def describe(self) -> str:
        return "given"

    def identity(self) -> str:
        return repr(self.tables)

    def load(self) -> Loaded[DialogTable]:
        return Loaded(self.tables)


def table(**keys: object) -> DialogTable:
    turns = [[Turn("what colour", 0, (0, 1)), Turn("is it big", 2, [2, 3, 2])], [Turn("what", 1, (1, 0))]]
    words = {"captions": ["A square", ""], "dialogs": turns, "answers": ("red", "blue", "yes, it is", "no"), **keys}
    return DialogTable([png("red"), png("blue")], ids=[3, 7], **words)  # type: ignore[arg-type]


def given(cache: Path, **keys: object) -> VisualDialogData:
    source = Given({"train": table(), "validation": table(), "test": table(**keys)})
    return VisualDialogData(source, cache, size=6, batch_size=4)  # type: ignore[arg-type]


def test_a_caption_is_the_first_fact(tmp_path: Path) -> None:
    data = given(tmp_path)
    (batch,) = list(data.val_dataloader())
    order = batch.ids.argsort()
    facts = [[text(data, fact) for fact in row if fact.any()] for row in batch.extra["history"][order]]
    assert facts == [["a square <eos>"], ["a square <eos>", "what colour <eos> red <eos>"], ["<bos>"]]
    assert list(data.example_ids("test").values) == ["3-1", "3-2", "7-1"]
    assert list(data.example_ids("test").groups or []) == [3, 3, 7]
    assert data.prepared.splits["train"].candidates.tolist() == [[0, 1], [2, 3], [1, 0]]
    assert data.spec.targets.candidates == 2  # type: ignore[attr-defined]
    assert data.spec.targets.turns == 2  # type: ignore[attr-defined]
    assert data.reader.answers == ("red", "blue", "yes, it is")
    some = given(tmp_path / "some", dialogs=[[Turn("what", 1)], [Turn("what", 1)]])
    assert some.spec.targets.candidates == 0  # type: ignore[attr-defined]
    assert "answers are not ranked" in some.summary()
    cut = VisualDialogData(Given({split: table() for split in ("train", "validation", "test")}), tmp_path, size=6,
                           max_length=1)  # fmt: skip
    assert cut.prepared.splits["train"].flat.tolist() == [
        cut.vocabulary.encode([word])[0] for word in ("what", "is", "what")
    ]
    assert np.diff(cut.prepared.answers.offsets).tolist() == [2, 2, 2, 2]


def test_the_fingerprint_knows_all_that_a_turn_has(tmp_path: Path) -> None:
    prints = [
        given(tmp_path, **keys).fingerprints["data"]
        for keys in (
            {}, {"captions": ["a circle", ""]}, {"answers": ("red", "green", "yes, it is", "no")},
            {"dialogs": [[Turn("what colour", 0, (0, 1))], [Turn("is it big", 2, (2, 3)), Turn("what", 1, (1, 0))]]},
            {"dialogs": [[Turn("what colour", 0, (1, 0)), Turn("is it big", 2, (2, 3))], [Turn("what", 1, (1, 0))]]},
        )
    ]  # fmt: skip
    assert len(set(prints)) == len(prints)


def test_kinds_that_some_questions_lack_are_left_out(tmp_path: Path) -> None:
    kinds = [[Turn("what", 0, (0, 1), "colour")], [Turn("what", 1, (0, 1), "size")]]
    data = given(tmp_path, dialogs=kinds)
    assert data.prepared.kinds == ()
    assert "kinds of questions are left out: not every question has one" in data.summary()
    assert data.prepared.splits["test"].kinds.tolist() == [0, 0]
    assert "kinds" not in given(tmp_path).summary()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"answers": ("red", "blue", " ", "no")}, "test split, dialog 3: the answer is empty"),
        ({"dialogs": [[Turn("what", 0)], [Turn(" ", 0)]]}, "test split, dialog 7: the question is empty"),
        ({"dialogs": [[], []]}, "the test split is empty"),
    ],
)
def test_wrong_tables_are_one_line(keys: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as refused:
        given(tmp_path, **keys)
    assert "\n" not in str(refused.value)


def test_new_turns(tmp_path: Path) -> None:
    reader = given(tmp_path / "cache").reader
    photo = tmp_path / "red.png"
    photo.write_bytes(png("red").content)  # type: ignore[arg-type]
    asked = {"image": str(photo), "caption": "a square", "turns": [["what colour", "Red"]], "question": "is it big"}
    lines = [f"{photo}\tis it big", f"{photo}\twhat colour\tred\tis it big", json.dumps(asked),
             json.dumps(asked | {"candidates": ["no", "yes, it is", "no"]})]  # fmt: skip
    batch = reader.encode(lines)
    words = reader.vocabulary.words
    facts = [
        [" ".join(words[number] for number in fact.tolist() if number) for fact in row if fact.any()]
        for row in batch.extra["history"]
    ]
    told = "what colour <eos> red <eos>"
    assert facts == [["<bos>"], ["<bos>", told], ["a square <eos>", told], ["a square <eos>", told]]
    assert batch.extra["turns"].tolist() == [0, 1, 1, 1]
    assert batch.extra["candidates"].tolist() == [[0, 1, 2]] * 3 + [[3, 2, -1]]
    assert batch.extra["pictures"][:, :, 0, 0].tolist() == [[255, 0, 0]] * 4
    notes = {
        f"{photo} is it big": "0 tabs",
        f"{photo}\tis it big\tyes": "2 tabs",
        f"{photo}\t ": "the question is empty",
        f"{photo}\twhat\t \twhat": "a turn or a candidate is empty",
        f"{tmp_path / 'none.png'}\tis it big": "none.png",
        f"{photo}\tzzz": "only unknown words",
        '{"image": "a.png"': "not JSON",
        '{"image": "a.png"}': "'question' is no text",
        '{"image": "a.png", "question": 3}': "'question' is no text",
        '{"image": "a.png", "question": "what", "turn": []}': "there is no key 'turn'; did you mean turns",
        '{"image": "a.png", "question": "what", "turns": [["what"]]}': "no list of [QUESTION, ANSWER]",
        '{"image": "a.png", "question": "what", "candidates": ["red"]}': "at least two different answers",
        '{"image": "a.png", "question": "what", "candidates": ["red", "red"]}': "at least two different answers",
        '{"image": "", "question": "what"}': "names no picture: expected its file",
        '{"image": "~nobody-of-here/a.png", "question": "what"}': "there is no such user",
        '{"image": "a\\u0000.png", "question": "what"}': "expected a path",
        '{"image": "\\ud800.png", "question": "what"}': "the path is not UTF-8",
        " ": "empty line",
    }
    for line, expected in notes.items():
        note = reader.note(line)
        assert note is not None
        assert expected in note.text, line
        assert "\n" not in note.text
    assert reader.note(lines[2]) is None
