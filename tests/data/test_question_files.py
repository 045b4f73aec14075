"""Questions about pictures in files of the user, in every form, and wrong files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lightning_seq.data.sources.question_files import QuestionFiles
from lightning_seq.data.sources.visual_questions import QuestionTable
from lightning_seq.data.visual_questions import VisualQuestionData
from lightning_seq.errors import UserError
from tests.data.given_questions import COCO, COLOURS, clevr_questions, csv_lines, vqa_files, write_pictures


@pytest.fixture
def album(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "pictures")
    return tmp_path


def source(album: Path, name: str, text: str, **keys: Any) -> QuestionFiles:
    (album / name).write_text(text, encoding="utf-8")
    return QuestionFiles(str(album / name), pictures=str(album / "pictures"), **keys)


def whole(files: QuestionFiles) -> QuestionTable:
    """The table of the file before anything is cut from it."""
    return files._tables[0]["train"]


def test_csv(album: Path) -> None:
    found = whole(source(album, "a.csv", csv_lines()))
    assert len(found) == 24
    assert found.questions[:2] == ["what colour is it", "is it red, or not"]
    assert found.answers[:4] == ["red", "yes", "green", "no"]
    assert found.kinds is not None
    assert Counter(found.kinds) == {"colour": 12, "yes/no": 12}
    assert found.choices is not None
    assert found.choices[:2] == [list(COLOURS), []]
    assert found.ids[:2] == [2, 3]
    assert found.groups == [f"{number}.png" for number in range(12) for _ in range(2)]
    assert (found.annotators, found.keys) == (None, None)


@pytest.mark.parametrize(("name", "between"), [("a.tsv", "\t"), ("a.csv", ";")])
def test_other_separators_and_names_of_columns(album: Path, name: str, between: str) -> None:
    lines = [between.join(("bild", "frage", "antwort", "nr", "wer"))]
    lines += [between.join((f"{number}.png", "farbe?", COLOURS[number % 4], f"q{number}", "x")) for number in range(12)]
    keys = {"picture_column": "bild", "question_column": "frage", "answer_column": "antwort", "id_column": "nr",
            "group_column": "wer"}  # fmt: skip
    found = whole(source(album, name, "\n".join(lines), **keys))
    assert found.questions == ["farbe?"] * 12
    assert found.keys == [f"q{number}" for number in range(12)]
    assert found.groups == ["x"] * 12
    assert (found.kinds, found.choices) == (None, None)


def test_json_lines_with_several_annotators_and_numbers(album: Path) -> None:
    rows = [{"image": f"{number}.png", "question": "how many", "answer": [number % 2, 7, 7]} for number in range(12)]
    rows[3]["choices"] = [7, 8.5]
    found = whole(source(album, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))
    assert found.answers == ["7"] * 12
    assert found.annotators is not None
    assert found.annotators[1] == ["1", "7", "7"]
    assert found.choices is not None
    assert found.choices[2:4] == [[], ["7", "8.5"]]


def test_splits_are_cut_by_picture(album: Path) -> None:
    tables = source(album, "a.csv", csv_lines(), validation_fraction=0.25, test_fraction=0.25).load().tables
    pictures = {split: {picture.name for picture in table.pictures} for split, table in tables.items()}
    assert {split: len(names) for split, names in pictures.items()} == {"train": 6, "validation": 3, "test": 3}
    assert len(set.union(*pictures.values())) == 12
    assert all(len(table) == 2 * len(pictures[split]) for split, table in tables.items())


def test_a_file_for_each_split(album: Path) -> None:
    (album / "test.csv").write_text("image,question,answer\n1.png,is it mauve,perhaps\n")
    loaded = source(album, "a.csv", csv_lines(), test=str(album / "test.csv")).load()
    assert loaded.tables["test"].answers == ["perhaps"]
    assert loaded.tables["test"].kinds is None
    data = VisualQuestionData(QuestionFiles(
        str(album / "a.csv"), test=str(album / "test.csv"), pictures=str(album / "pictures")), album / "cache", size=8
    )  # fmt: skip
    assert "test: 1 question (100.0%) with an answer that the model cannot give" in data.summary()
    assert data.example_ids("test").values == [2]
    assert data.example_ids("test").groups == ["1.png"]


def test_vqas_files(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos" / "val2014", name=COCO)
    file = vqa_files(tmp_path / "vqa")
    found = whole(QuestionFiles(str(file), pictures=str(tmp_path / "photos")))
    assert found.pictures[5].name == "COCO_val2014_000000000005.jpg"
    assert found.answers == [COLOURS[number % 4] for number in range(12)]
    assert found.annotators is not None
    assert found.annotators[2] == ["blue"] * 7 + ["The Dark."] * 2 + ["none"]
    assert found.keys == list(range(100, 112))
    assert found.kinds == ["yes/no", "other"] * 6
    other = QuestionFiles(str(file), pictures=str(tmp_path / "photos" / "val2014"), kind_column="question_type")
    assert whole(other).kinds == ["what colour"] * 12
    vqa_files(tmp_path / "vqa", multiple_choice_answer=None)
    assert whole(QuestionFiles(str(file), pictures=str(tmp_path / "photos"))).answers == found.answers


def test_clevrs_files(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images" / "val")
    (tmp_path / "CLEVR_val_questions.json").write_text(json.dumps(clevr_questions()))
    files = QuestionFiles(str(tmp_path / "CLEVR_val_questions.json"), pictures=str(tmp_path / "images"))
    found = whole(files)
    assert found.answers == [COLOURS[number % 4] for number in range(12)]
    assert found.kinds == ["query_color", "exist"] * 6
    assert found.keys == list(range(12))
    assert sum(map(len, files.load().tables.values())) == 12


def test_another_content_is_prepared_again(album: Path) -> None:
    first = source(album, "a.csv", csv_lines()).identity()
    assert source(album, "a.csv", csv_lines()).identity() == first
    assert source(album, "a.csv", csv_lines().replace("yes/no", "other")).identity() != first
    assert source(album, "a.csv", csv_lines().replace("|black", "|mauve|black")).identity() != first
    Image.new("RGB", (10, 7), "blue").save(album / "pictures" / "3.png")
    assert source(album, "a.csv", csv_lines()).identity() != first


HEAD = "image,question,answer\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", f"{HEAD}1.png,what,red\n99.png,what,red\n",
         r"a.csv, line 3: the picture 99.png is not in .* \(1 of 2 are missing\); give their directory as data.pictur"),
        ("a.csv", f"{HEAD}1.png, ,red\n", r"a.csv, line 2: the question is empty: expected at least one word"),
        ("a.csv", f"{HEAD}1.png,what,\n", r"a.csv, line 2: the answer is empty: expected a text"),
        ("a.csv", "image,question\n1.png,what\n",
         r"no column 'answer' or 'answers' or 'multiple_choice_answer' or 'label': its columns are image, question"),
        ("a.csv", f"{HEAD}1.png,what,red,blue\n", r"a.csv, line 2: 4 values where the header has 3"),
        ("a.csv", HEAD, r"a.csv has no questions"),
        ("a.csv", "image,question,question,answer\n1.png,a,b,c\n", r"has 2 columns called 'question': expected one"),
        ("a.csv", "image,question,answer,kind\n1.png,a,b,k\n2.png,a,c,\n",
         r"line 3: the kind is missing: expected one for every question, or for none"),
        ("a.csv", f"{HEAD}../a.csv,what,red\n", r"names the picture '../a.csv': expected a file in"),
        ("a.csv", f"{HEAD}1.png,wh\x00at,red\n", r"a.csv"),
        ("a.jsonl", '{"image": 1, "question": "a", "answer": "b"}\n', r"line 1: expected the name of a picture"),
        ("a.jsonl", '{"image": "1.png", "question": "a", "answer": {"b": 1}}\n', r"line 1: the answer is {'b': 1}"),
        ("a.jsonl", '{"image": "1.png", "question": "a", "answer": [true]}\n', r"line 1: the answer is True"),
        ("a.jsonl", '{"image": "1.png", "question": "a", "answer": []}\n', r"line 1: the answer is empty"),
        ("a.jsonl", '{"image": "1.png", "question": "a"}\n', r"line 1 has no column 'answer' or"),
        ("a.jsonl", '{"image": "1.png", "question": \n', r"line 1: not JSON"),
        ("a.jsonl", '{"image": "1.png", "question": "a", "answer": NaN}\n', r"line 1: the answer is nan: expected"),
        ("a.jsonl", '{"image": "1.png", "question": "a", "answer": "b", "kind": ["c"]}\n', r"the kind is \['c'\]"),
        ("a.jsonl", '{"image": "1.png", "question": "a", "answer": "b", "kind": NaN}\n', r"line 1: the kind is nan"),
        ("a.jsonl", '{"image": "1.png", "question": "a", "answer": "b", "choices": false}\n', r"a choice is False"),
        ("a.json", '{"questions": [{"image_filename": "1.png", "question": null, "answer": "b"}]}',
         r"a.json, question 0: the question is None: expected a text"),
        ("a.json", '{"questions": [{"image_filename": "1.png", "question": "a", "answer": {"b": 1}}]}',
         r"a.json, question 0: the answer is {'b': 1}"),
        ("a.json", '{"questions": [', r"a.json cannot be read \(it is not JSON"),
        ("a.json", "[]", r"a.json cannot be read"),
        ("a.json", '{"questions": [{"text": 1}]}', r"is in neither VQA's nor CLEVR's form"),
        ("a.json", '{"questions": [{"image_filename": "1.png", "question": "a"}]}',
         r"a.json, question 0 has no answer: expected one for every question \(CLEVR's test questions"),
        ("a.json", '{"questions": [{"image_filename": "1.png", "answer": "a"}]}',
         r"a.json, question 0 is not in CLEVR's form \(KeyError: 'question'\)"),
        ("a.json", '{"questions": [{"image_filename": "1.png", "question": "a", "answer": " "}]}',
         r"a.json, question 0: the answer is empty"),
        ("a.json", '{"questions": [{"image_filename": "1.png"}, 7]}', r"a.json"),
        ("a.json", '{"questions": [{"image_filename": "1.png", "question": "a", "answer": "b", "split": "../../x"}]}',
         r"names the picture '../../x/1.png': expected a file in"),
        ("a.jsonl", '{"image": "1\\u0000.png", "question": "a", "answer": "b"}\n', r"names the picture '1\\x00.png'"),
        ("a.jsonl", f'{{"image": "{"1" * 999}.png", "question": "a", "answer": "b"}}\n', r"line 1: the picture 11"),
        ("a.jsonl", '{"image": "\\ud800.png", "question": "a", "answer": "b"}\n', r"line 1: .ud800 alone is half"),
        ("a.tsv", "image\tanswer\n1.png\ta\n", r"no column .* its columns are image, answer; give"),
        ("a.txt", "x", r"ends in .txt: expected csv, tsv"),
    ],
)  # fmt: skip
def test_wrong_files_are_one_line(album: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        source(album, name, text).load()
    assert "\n" not in str(refused.value)


def test_a_column_of_ids_that_is_given_and_empty_is_refused(album: Path) -> None:
    lines = "".join(f'{{"image": "{n}.png", "question": "a", "answer": "{n % 2}", "own": null}}\n' for n in range(4))
    (album / "a.jsonl").write_text(lines)
    with pytest.raises(UserError, match=r"line 1: 'own' is None, expected text or a whole number"):
        QuestionFiles(str(album / "a.jsonl"), pictures=str(album / "pictures"), id_column="own").load()


def without(name: str) -> Callable[[Path], None]:
    return lambda place: (place / name).unlink()


def changed(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def write(place: Path) -> None:
        plain = json.loads((place / name).read_text())
        change(plain)
        (place / name).write_text(json.dumps(plain))

    return write


QUESTIONS, ANNOTATIONS = "v2_OpenEnded_mscoco_val2014_questions.json", "v2_mscoco_val2014_annotations.json"


@pytest.mark.parametrize(
    ("damage", "keys", "message"),
    [
        (without(ANNOTATIONS), {}, f"has no answers, and {ANNOTATIONS} is not next to it: give data.train_"),
        (changed(ANNOTATIONS, lambda plain: plain["annotations"].pop(3)), {},
         r"question 3: question_id 103 has no annotation in .*: expected one for every question"),
        (changed(QUESTIONS, lambda plain: plain["questions"].append(plain["questions"][1])), {},
         "question 12: question_id 101 is there twice: expected it once"),
        (changed(QUESTIONS, lambda plain: plain.update(data_subtype="")), {},
         "data_type 'mscoco' and data_subtype '' name no picture: expected mscoco or abstract_v002, and a subset"),
        (changed(QUESTIONS, lambda plain: plain["questions"][2].pop("question")), {},
         r"question 2 is not in VQA's form \(KeyError: 'question'\)"),
        (changed(QUESTIONS, lambda plain: plain["questions"][2].update(question=" ")), {},
         "question 2: the question is empty"),
        (changed(QUESTIONS, lambda plain: plain["questions"][2].update(image_id=77)), {},
         "question 2: the picture COCO_val2014_000000000077.jpg is not in"),
        (changed(QUESTIONS, lambda plain: plain["questions"][2].update(question=None)), {},
         "question 2: the question is None: expected a text"),
        (changed(QUESTIONS, lambda plain: plain["questions"][2].update(image_id=2.5)), {},
         "image_id is 2.5: expected a whole number"),
        (changed(ANNOTATIONS, lambda plain: plain["annotations"][3].update(answers=[{"answer": None}])), {},
         "question_id 103: the answer is None: expected a text"),
        (changed(ANNOTATIONS, lambda plain: plain["annotations"][3].update(multiple_choice_answer={"a": 1})), {},
         "question_id 103: the answer is {'a': 1}: expected a text"),
        (changed(ANNOTATIONS, lambda plain: plain["annotations"].append(plain["annotations"][3])), {},
         "^[^ ]*annotations.json: question_id 103 has two annotations: expected one"),
        (changed(ANNOTATIONS, lambda plain: plain.update(annotations=3)), {}, "not in VQA's form"),
        (lambda place: (place / ANNOTATIONS).write_text("{"), {}, "annotations.json cannot be read"),
        (without("none.txt"), {"train_annotations": "nowhere.json"}, "_annotations=nowhere.json is not there"),
        (without("none.txt"), {"kind_column": "kind"}, "data.kind_column is 'kind'"),
        (without("none.txt"), {"id_column": "question_id"}, "questions.json is JSON, which has no columns"),
    ],
)  # fmt: skip
def test_wrong_files_of_vqa_are_one_line(
    damage: Callable[[Path], None], keys: dict[str, str], message: str, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "photos" / "val2014", name=COCO)
    file = vqa_files(tmp_path / "vqa")
    (tmp_path / "vqa" / "none.txt").write_text("")
    damage(tmp_path / "vqa")
    with pytest.raises(UserError, match=message) as refused:
        QuestionFiles(str(file), pictures=str(tmp_path / "photos"), **keys).load()
    assert "\n" not in str(refused.value)


def test_spare_annotations_are_told(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", name=COCO)
    file = vqa_files(tmp_path / "vqa")
    changed(QUESTIONS, lambda plain: plain["questions"].pop())(tmp_path / "vqa")
    notes = QuestionFiles(str(file), pictures=str(tmp_path / "photos")).load().notes
    assert notes[0] == f"{ANNOTATIONS}: 1 annotation without a question left out"


def test_annotations_of_other_files_are_refused(album: Path) -> None:
    with pytest.raises(UserError, match=r"data.test_annotations is given without data.test"):
        source(album, "a.csv", csv_lines(), test_annotations="x.json")
    with pytest.raises(UserError, match=r"a.csv is no file of VQA's; leave it out"):
        source(album, "a.csv", csv_lines(), train_annotations="x.json").load()
