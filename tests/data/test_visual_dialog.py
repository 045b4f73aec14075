from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from PIL import Image

from lightning_seq.data.sources.dialog_files import DialogFiles
from lightning_seq.data.sources.dialogs import DialogColumns, DialogTable, Turn
from lightning_seq.data.sources.scene_dialog import ANSWERS, PLAUSIBLE, SceneDialog
from lightning_seq.data.sources.scene_questions import SceneQuestions
from lightning_seq.data.sources.scenes import Thing
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.visual_dialog import VisualDialogData
from lightning_seq.errors import UserError
from tests.data.test_visual_questions import png

Tables = dict[str, DialogTable]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return SceneDialog(examples=1500).load().tables


def replies(questions: list[str], things: tuple[Thing, ...]) -> Iterator[str]:
    """The answers of someone who hears the questions and looks at the scene."""
    at = {(thing.row, thing.column): thing for thing in things}
    single: list[Thing] = []
    it: Thing | None = None
    asked_for = ""
    for question in questions:
        words = question.split()
        if words[0] in ("is", "how", "and") and words[1] != "it":
            asked_for = {"is": "whether", "how": "number"}.get(words[0], asked_for)
            colour = {"is": words[-2], "how": words[2], "and": words[1]}[words[0]]
            matching = [thing for thing in things if thing.colour == colour]
            it = matching[0] if len(matching) == 1 else None
            single += [it] if it else []
            yield str(len(matching)) if asked_for == "number" else "yes" if matching else "no"
        elif words[:4] == ["what", "colour", "is", "the"]:
            thing = single[0] if question.endswith("the first one") else it
            assert thing is not None
            row, column = thing.row, thing.column
            side = {"left": (row, column - 1), "right": (row, column + 1), "above": (row - 1, column),
                    "below": (row + 1, column)}[words[5]]  # fmt: skip
            it = at[side]
            single.append(it)
            yield it.colour
        else:
            assert it is not None
            name = f"{'an' if it.kind == 'eight' else 'a'} {it.kind}"
            yield name if question == "what is it" else "yes" if question == f"is it {name}" else "no"


def test_every_answer_is_right(tables: Tables) -> None:
    for table in tables.values():
        for picture, turns in zip(table.pictures, table.dialogs, strict=True):
            expected = [*replies([turn.question for turn in turns], picture.things)]  # type: ignore[union-attr]
            assert [table.answers[turn.answer] for turn in turns] == expected
            assert len({thing.kind for thing in picture.things}) == len(picture.things)  # type: ignore[union-attr]


def test_one_of_the_candidates_is_right_and_all_answers_of_its_kind_are_among_them(tables: Tables) -> None:
    places = Counter[int]()
    assert len(ANSWERS) == 24
    for turn in (turn for turns in tables["train"].dialogs for turn in turns):
        texts = [ANSWERS[number] for number in turn.candidates]
        assert len(set(texts)) == len(texts) == 20
        assert set(PLAUSIBLE[turn.kind]) <= set(texts)
        places[turn.candidates.index(turn.answer)] += 1
    assert max(places.values()) / min(places.values()) < 1.4
    few = SceneDialog(examples=100, candidates=5).load().tables["train"]
    for turn in (turn for turns in few.dialogs for turn in turns):
        texts = {ANSWERS[number] for number in turn.candidates}
        assert turn.answer in turn.candidates
        assert len(texts & set(PLAUSIBLE[turn.kind])) == min(5, len(PLAUSIBLE[turn.kind]))


def guessable(table: DialogTable) -> Iterator[tuple[str, str, str]]:
    """What a reader without the picture knows of each turn (the kind of its question, and what was asked before an
    ellipsis), the question, and the answer."""
    for turns in table.dialogs:
        before = ""
        for turn in turns:
            before = before if turn.kind == "ellipsis" else turn.kind
            yield before if turn.kind == "ellipsis" else turn.kind, turn.question, ANSWERS[turn.answer]


def test_without_the_picture_answers_are_known_by_chance(tables: Tables) -> None:
    of_kinds, of_questions = defaultdict(Counter), defaultdict(Counter)
    for kind, question, answer in guessable(tables["train"]):
        of_kinds[kind][answer] += 1
        of_questions[question][answer] += 1
    assert {kind: set(counts) for kind, counts in of_kinds.items()} == {
        kind: set(answers) for kind, answers in PLAUSIBLE.items() if kind != "ellipsis"
    }
    for kind, counts in of_kinds.items():
        best = counts.most_common(1)[0][1] / counts.total()
        assert best == pytest.approx(1 / len(PLAUSIBLE[kind]), abs=0.04), kind
    right, total = Counter[str](), Counter[str]()
    for kind, question, answer in guessable(tables["test"]):
        right[kind] += (of_questions[question].most_common(1) or [("", 0)])[0][0] == answer
        total[kind] += 1
    for kind in total:
        assert right[kind] / total[kind] < 1 / len(PLAUSIBLE[kind]) + 0.12, kind


def test_an_ellipsis_cannot_be_answered_without_the_turns_before(tables: Tables) -> None:
    """The same words ask whether there is something, and how much."""
    of_texts = defaultdict(set)
    for turns in tables["train"].dialogs:
        for turn in turns:
            if turn.kind == "ellipsis":
                of_texts[turn.question].add(ANSWERS[turn.answer])
    assert of_texts == {f"and {colour} ones": {"yes", "no", "0", "1", "2"} for colour in PLAUSIBLE["relation"]}


def test_the_turns_before_tell_no_answer(tables: Tables) -> None:
    """No colour is asked for twice, or after it was told, and no kind of a thing."""
    for turns in tables["train"].dialogs:
        colours, told = set[str](), False
        for turn in turns:
            answer = ANSWERS[turn.answer]
            if turn.kind in ("existence", "count", "ellipsis"):
                (colour,) = set(turn.question.split()) & set(PLAUSIBLE["relation"])
                assert colour not in colours
                colours.add(colour)
            elif turn.kind in ("relation", "first"):
                colours.add(answer)
            else:
                assert not told
            told = turn.kind in ("name", "check")


def test_splits_share_no_digit_and_a_seed_of_its_own(tables: Tables) -> None:
    drawings = {
        split: {thing.drawing for picture in table.pictures for thing in picture.things} - {-1}  # type: ignore[union-attr]
        for split, table in tables.items()
    }
    assert not drawings["train"] & drawings["test"]
    assert not drawings["validation"] & (drawings["train"] | drawings["test"])
    assert SceneDialog(examples=1500).load().tables["test"] == tables["test"]
    assert SceneDialog(examples=1500, split_seed=2).load().tables["test"].dialogs != tables["test"].dialogs


@pytest.mark.parametrize(("words", "message"), [
    ({"examples": 5}, "data.examples is 5"), ({"turns": 0}, "data.turns is 0"), ({"most": 2}, "data.most is 2"),
    ({"candidates": 25}, "data.candidates is 25"), ({"canvas": 8}, "data.canvas is 8"),
])  # fmt: skip
def test_settings_out_of_range_are_refused(words: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SceneDialog(**words)


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


def test_two_ranks_see_every_turn_once(tmp_path: Path) -> None:
    data = VisualDialogData(SceneDialog(examples=11, turns=3), tmp_path, batch_size=4)
    dataset, _ = data.batches("train")
    turns = data.prepared.splits["train"]
    first, known = turns.known
    lengths = turns.lengths + turns.facts.offsets[first + known] - turns.facts.offsets[first]
    two = len(SceneDialog(examples=11, turns=3).load().tables["train"].dialogs[0])
    assert first[: two + 1].tolist() == [0] * two + [two + 1]
    assert known[: two + 1].tolist() == [*range(1, two + 1), 1]
    from lightning_seq.data.bucket_sampler import BucketSampler

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
             json.dumps(asked | {"candidates": ["no", "yes, it is"]})]  # fmt: skip
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


def visdial(place: Path, **changes: object) -> Path:
    """A file of VisDial v1.0 with two dialogs, and its pictures; `changes` of the first turn."""
    (place / "train2014").mkdir(parents=True, exist_ok=True)
    for name in ("train2014/COCO_train2014_000000000011.jpg", "12.png", "VisualDialog_val2018_000000000012.jpg"):
        Image.new("RGB", (8, 8), "red").save(place / name)
    options = {"answer_options": [1, 0, 2], "gt_index": 1}
    first = {"question": 0, "answer": 0, **options, **changes}
    second = {"question": 1, "answer": 2, "answer_options": [2, 1], "gt_index": 0}
    third = {"question": 1, "answer": 1, **options, "gt_index": 0}
    unanswered = {"question": 0, "answer_options": [1, 0, 2]}
    dialogs = [
        {"image_id": 11, "caption": "a dog", "dialog": [first, second]},
        {"image_id": 12, "caption": "two cats", "dialog": [third, unanswered]},
    ]
    data = {"questions": ["is it big", "what colour"], "answers": ["no", "red", "blue"], "dialogs": dialogs}
    path = place / "visdial_1.0_train.json"
    path.write_text(json.dumps({"version": "1.0", "split": "val2018", "data": data}))
    return path


def test_files_of_visdial(tmp_path: Path) -> None:
    path = visdial(tmp_path)
    source = DialogFiles(str(path), validation=str(path), test=str(path))
    loaded = source.load()
    train = loaded.tables["train"]
    assert train.captions == ["a dog", "two cats"]
    assert train.keys == [11, 12]
    assert train.dialogs == [[Turn("is it big", 0, [1, 0, 2]), Turn("what colour", 2, [2, 1])],
                             [Turn("what colour", 1, [1, 0, 2])]]  # fmt: skip
    assert [picture.name for picture in train.pictures] == [
        "train2014/COCO_train2014_000000000011.jpg", "VisualDialog_val2018_000000000012.jpg"
    ]  # fmt: skip
    assert loaded.notes == [f"{split}: 1 turn without an answer left out" for split in ("train", "validation", "test")]
    data = VisualDialogData(source, tmp_path / "cache", size=8)
    assert list(data.example_ids("test").values) == ["11-1", "11-2", "12-1"]
    before = source.identity()
    Image.new("RGB", (9, 9), "blue").save(tmp_path / "VisualDialog_val2018_000000000012.jpg")
    assert DialogFiles(str(path), validation=str(path), test=str(path)).identity() != before


def test_dialogs_about_one_picture_are_a_group_and_have_ids_of_their_own(tmp_path: Path) -> None:
    path = visdial(tmp_path)
    content = json.loads(path.read_text())
    one, other = content["data"]["dialogs"]
    silent = {"image_id": 11, "dialog": []}
    content["data"]["dialogs"] = [one, other, silent, *[one, other] * 4]
    path.write_text(json.dumps(content))
    source = DialogFiles(str(path), validation=str(path), test_fraction=0.5)
    tables = source.load().tables
    groups = [{*(tables[split].groups or ())} for split in ("train", "test")]
    assert sorted(map(sorted, groups)) == [[11], [12]]
    assert "train: 1 dialog without turns left out" in source.load().notes
    ids = VisualDialogData(source, tmp_path / "cache", size=8).example_ids("test")
    assert len({*ids.values}) == len(ids.values)
    assert len({*ids.groups}) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": 9}, "turn 1: expected a question, as its place in data.questions"),
        ({"answer": 7}, "turn 1: answer is 7"),
        ({"answer_options": [1, 5]}, "answer_options are not places in data.answers"),
        ({"gt_index": 3}, "gt_index is 3"),
        ({"answer_options": None}, "gt_index is 1, and there are no answer_options: give both, or answer alone"),
        ({"gt_index": 0}, "the answer 'no' is not the one"),
        ({"answer_options": [1, 2], "gt_index": None}, "the answer 'no' is not the one"),
    ],
)
def test_wrong_turns_of_a_file_are_one_line(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as refused:
        DialogFiles(str(visdial(tmp_path, **changes))).load()
    assert "\n" not in str(refused.value)
    assert "dialog 0 (image_id 11)" in str(refused.value)


def test_wrong_files_are_one_line(tmp_path: Path) -> None:
    path = visdial(tmp_path)
    content = json.loads(path.read_text())
    for change, message in (
        ({"data": {}}, "is not in VisDial's form"),
        ({"data": content["data"] | {"answers": "no"}}, "data.answers is no list of texts"),
        ({"data": content["data"] | {"dialogs": [{"image_id": 99, "dialog": []}]}}, None),
        ({"data": content["data"] | {"dialogs": [{"image_id": 99, "dialog": [{"question": 0, "answer": 0}]}]}},
         "no picture in .* ends with 99"),
        ({"split": "train"}, "both end with 12"),
    ):  # fmt: skip
        path.write_text(json.dumps(content | change))
        if message is None:
            assert len(DialogFiles(str(path)).given()) == 1
            continue
        with pytest.raises(UserError, match=message):
            DialogFiles(str(path)).load()
    path.write_text("{")
    with pytest.raises(UserError, match=r"cannot be read"):
        DialogFiles(str(path)).load()
    with pytest.raises(UserError, match=r"data.pictures=nowhere is not a directory"):
        DialogFiles(str(visdial(tmp_path)), pictures="nowhere").load()
    with pytest.raises(UserError, match=r"data.train is not given"):
        DialogFiles(None)


def test_a_public_set_without_candidates(tmp_path: Path) -> None:
    (tmp_path / "coco").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "coco" / "1.jpg")
    columns = {"image": ["coco/1.jpg"] * 2, "caption": ["a dog", "a cat"],
               "dialog": [[["is it big", "no"], ["what colour", "red"]], [["what colour", "no"]]]}  # fmt: skip
    rows = Dataset.from_dict(columns)
    sets = DatasetDict(dict.fromkeys(("train", "validation", "test"), rows))
    reading = DialogColumns(pictures=str(tmp_path))
    made = reading.read(sets, "set", None).tables["train"]
    assert made.answers == ("no", "red")
    assert made.dialogs == [[Turn("is it big", 0), Turn("what colour", 1)], [Turn("what colour", 0)]]
    assert made.captions == ["a dog", "a cat"]
    assert made.pictures[0].read().values.shape == (8, 8, 3)
    with pytest.raises(UserError, match=r"give the directory of the pictures as data.pictures=DIR"):
        DialogColumns().read(sets, "set", None)
    wrong = rows.remove_columns("dialog").add_column("dialog", [[["a"]], [["a"]]])
    with pytest.raises(UserError, match=r"row 0: 'dialog' is no dialog"):
        reading.read(DatasetDict(dict.fromkeys(sets, wrong)), "set", None)
    outside = rows.remove_columns("image").add_column("image", ["../secret.jpg"] * 2)
    with pytest.raises(UserError, match=r"expected a file in"):
        reading.read(DatasetDict(dict.fromkeys(sets, outside)), "set", None)
