"""The user's own questions about pictures: runs, what they log of annotators and choices, and wrong input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pyarrow import parquet
from sklearn.metrics import f1_score

from lightning_seq.cli.main import main
from lightning_seq.records.questions import AskedQuestions
from lightning_seq.records.record import Record, read
from lightning_seq.tasks.visual_questions import _among
from tests.data.given_questions import COCO, COLOURS, csv_lines, vqa_files, write_pictures
from tests.runs import TINY

Refused = Callable[..., str]
SMALL = (*TINY, "model=gru", "data=questions", "data.size=12", "data.validation_fraction=0.25",
         "data.test_fraction=0.25", "task.width=8")  # fmt: skip


def csv_words(place: Path) -> list[str]:
    """With a test question whose answer training does not have."""
    pictures, file = write_pictures(place / "pictures"), place / "own.csv"
    file.write_text(csv_lines())
    (place / "test.csv").write_text(
        csv_lines(4) + "1.png,what is it,a forest,thing,a forest|green\n2.png,is it mauve,perhaps,yes/no,\n"
    )
    return [f"data.train={file}", f"data.test={place / 'test.csv'}", f"data.pictures={pictures}"]


def vqa_words(place: Path) -> list[str]:
    write_pictures(place / "photos" / "val2014", 24, name=COCO)
    return [f"data.train={vqa_files(place / 'vqa', 24)}", f"data.pictures={place / 'photos'}",
            "data.normalise_answers=vqa", "data.top_answers=4"]  # fmt: skip


def train(place: Path, words: list[str], *more: str) -> tuple[Record, list[dict[str, Any]]]:
    assert main(["train", *SMALL, *words, f"runs={place / 'runs'}", f"cache={place / 'cache'}", "name=own", *more]) == 0
    run = next((place / "runs" / "own").glob("gru*-seed1"))
    return read(run), parquet.read_table(run / "predictions.parquet").to_pylist()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def trained(own: Path) -> tuple[Record, list[dict[str, Any]]]:
    return train(own, csv_words(own), "task.predictions=full")


def test_answers_that_training_does_not_have_count_as_wrong(
    trained: tuple[Record, list[dict[str, Any]]], own: Path
) -> None:
    record, rows = trained
    assert [row["target"] for row in rows[-2:]] == ["a forest", "perhaps"]
    assert all(np.isnan(row["loss"]) for row in rows[-2:])
    right = [row["target"] == row["prediction"] for row in rows]
    assert record.metrics["test/accuracy"] == pytest.approx(np.mean(right))
    assert record.metrics["test/unknown_answers"] == pytest.approx(2 / 10)
    assert record.metrics["test/loss"] == pytest.approx(np.mean([row["loss"] for row in rows[:-2]]), rel=1e-5)
    of_kind = [row["target"] == row["prediction"] for row in rows if row["kind"] == "yes/no"]
    assert record.metrics["test/accuracy_yes_no"] == pytest.approx(np.mean(of_kind))
    targets = [*(row["target"] for row in rows[:-2]), "?", "?"]
    f1 = f1_score(targets, [row["prediction"] for row in rows], average="macro", zero_division=0)
    assert record.metrics["test/macro_f1"] == pytest.approx(f1, abs=1e-6)
    assert "vqa_accuracy" not in rows[0]
    shown = AskedQuestions.read(next((own / "runs" / "own").glob("gru*-seed1")) / "test_questions.json").questions
    assert [(one.target, one.truth) for one in shown[:2]] == [("a forest", 0.0), ("perhaps", 0.0)]


def test_answers_without_a_score_are_shown_first(trained: tuple[Record, list[dict[str, Any]]], own: Path) -> None:
    shown = AskedQuestions.read(own / "runs" / "own" / "gru-seed1" / "test_questions.json").questions
    assert [(one.target, one.truth) for one in shown[:2]] == [("a forest", 0.0), ("perhaps", 0.0)]


def test_the_best_of_the_choices_and_the_rank_of_the_answer(trained: tuple[Record, list[dict[str, Any]]]) -> None:
    record, rows = trained
    ranks = []
    for row in rows[:8:2]:
        scores = {colour: row[f"probability_{colour}"] for colour in COLOURS}
        assert row["choice"] == max(scores, key=scores.__getitem__)
        ranks.append(1 + sum(score > scores[row["target"]] for score in scores.values()))
        assert row["rank"] == ranks[-1]
    forest = rows[8]
    assert (forest["choice"], forest["rank"]) == ("green", 2)
    assert all(row["choice"] is None and np.isnan(row["rank"]) for row in [*rows[1:8:2], rows[9]])
    assert record.metrics["test/accuracy_choices"] == pytest.approx(np.mean([rank == 1 for rank in [*ranks, 2]]))
    assert record.metrics["test/mrr"] == pytest.approx(np.mean([1 / rank for rank in [*ranks, 2]]))


def test_ties_are_lost_and_unknown_choices_come_last() -> None:
    scores = torch.tensor([[1.0, 1.0, 0.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [torch.nan] * 3, [0.0, 0.0, 1.0]])
    choices = torch.tensor([[0, 1, -1], [2, 3, 1], [3, 3, -1], [0, 1, -1], [-1, -1, -1]])
    choice, rank = _among(scores, torch.tensor([0, 2, 3, 0, 1]), choices)
    assert choice[:4].tolist() == [0, 1, 3, 0]
    assert rank[:4].tolist() == [2, 2, 2, 2]  # without scores the answer is last
    assert choice[4].isnan()
    assert rank[4].isnan()


def test_tables_define_what_they_show(trained: tuple[Record, list[dict[str, Any]]], own: Path) -> None:
    table = (own / "runs" / "own" / "table.md").read_text()
    names = ("accuracy", "accuracy_choices", "mrr", "unknown_answers", "accuracy_shuffled")
    places = [table.index(f"test/{name} (") for name in names]
    assert places == sorted(places)
    assert "mean of 1 / rank of the answer among the choices" in table
    assert "whose answer the model cannot give" in table


def test_lines_in_a_tsv_file_are_refused(
    trained: tuple[Record, list[dict[str, Any]]], own: Path, refused: Refused
) -> None:
    lines = own / "lines.tsv"
    lines.write_text(f"{own / 'pictures' / '0.png'}\twhat colour is it\n")
    line = refused("predict", f"checkpoint={own / 'runs' / 'own' / 'gru-seed1'}", f"file={lines}")
    assert "lines FILE<TAB>QUESTION without one: give them as .txt, or give column=NAME" in line


def test_predict_and_answer(
    trained: tuple[Record, list[dict[str, Any]]], own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, photo, run = own / "lines.txt", own / "pictures" / "0.png", own / "runs" / "own" / "gru-seed1"
    lines.write_text(f"{photo}\twhat colour is it\n{photo}\twhat colour is it\tred| mauve |black\n")
    capsys.readouterr()
    assert main(["predict", f"checkpoint={run}", f"file={lines}", "top_k=6"]) == 0
    free, among = (json.loads(line)["predictions"] for line in capsys.readouterr().out.splitlines())
    of_all = {row["answer"]: row["probability"] for row in free}
    assert sum(of_all.values()) == pytest.approx(1, abs=1e-5)
    assert {row["answer"]: row["probability"] for row in among} == {
        "red": of_all["red"], "black": of_all["black"], "mauve": 0.0
    }  # fmt: skip
    assert [row["probability"] for row in among] == sorted((row["probability"] for row in among), reverse=True)
    assert main(["answer", f"checkpoint={run}", f"image={photo}", "question=what colour is it"]) == 0
    assert capsys.readouterr().out.strip() == free[0]["answer"]
    words = [f"checkpoint={run}", f"image={photo}", "question=what colour is it", "choices=red| mauve |black"]
    assert main(["answer", *words, "top_k=3"]) == 0
    assert capsys.readouterr().out.splitlines() == [row["answer"] for row in among]


def test_several_annotators(tmp_path: Path) -> None:
    record, rows = train(tmp_path, vqa_words(tmp_path))
    said = {"dark": 0.6, "0": 0.3}
    expected = [1.0 if row["prediction"] == row["target"] else said.get(row["prediction"], 0) for row in rows]
    assert len(rows) == 6
    assert [row["vqa_accuracy"] for row in rows] == pytest.approx(expected)
    assert record.metrics["test/vqa_accuracy"] == pytest.approx(np.mean(expected))
    assert record.baseline["test/vqa_accuracy"] == pytest.approx(record.baseline["test/accuracy"])
    assert {row["id"] for row in rows} <= set(range(100, 124))
    assert all(row["group"].startswith("COCO_val2014_") for row in rows)


def test_annotators_agree_with_an_answer_that_is_not_theirs(tmp_path: Path) -> None:
    """Training knows `dark` alone, which two of ten said."""
    words = vqa_words(tmp_path)
    rows = [f'{{"image": "val2014/{COCO.format(n)}", "question": "x", "answer": "{"dark" if n else "red"}"}}'
            for n in range(24)]  # fmt: skip
    (tmp_path / "train.jsonl").write_text("\n".join(rows))
    test = [f"data.train={tmp_path / 'train.jsonl'}", words[0].replace("data.train=", "data.test="), *words[1:3]]
    record, rows = train(tmp_path, test, "optimizer.lr=0.1", "trainer.max_epochs=8")
    assert {row["prediction"] for row in rows} == {"dark"}
    assert record.metrics["test/accuracy"] == 0
    assert record.metrics["test/vqa_accuracy"] == pytest.approx(0.6)
    assert record.metrics["test/unknown_answers"] == pytest.approx(0.75)


@pytest.mark.slow
def test_two_ranks_are_one(tmp_path: Path) -> None:
    words = [*csv_words(tmp_path), "trainer.accelerator=cpu", "task.dropout=0"]
    alone = train(tmp_path / "one", words)
    both = train(tmp_path / "two", words, "trainer=ddp", "trainer.devices=2")
    assert [(row["row"], row["rank"]) for row in both[1]][:8:2] == [(row["row"], row["rank"]) for row in alone[1]][:8:2]
    for name in ("accuracy", "unknown_answers", "mrr", "accuracy_choices", "accuracy_yes_no"):
        assert both[0].metrics[f"test/{name}"] == pytest.approx(alone[0].metrics[f"test/{name}"]), name


def test_wrong_input_is_one_line_and_leaves_nothing(tmp_path: Path, refused: Refused) -> None:
    words = [*SMALL, *csv_words(tmp_path), f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}"]
    assert "data.answer_column=NAME" in refused("train", *words, "data.answer_column=reply")
    assert "is not a directory" in refused("train", *words, "data.pictures=nowhere")
    assert "data.top_answers" in refused("train", *words, "data.top_answers=1")
    assert "normalise_answers" in refused("train", *words, "data.normalise_answers=all")
    assert "did you mean own.csv" in refused("train", *words, f"data.train={tmp_path / 'owm.csv'}")
    (tmp_path / "pictures" / "3.png").write_bytes(b"nothing")
    assert "3.png is no picture that can be read" in refused("train", *words)
    assert not list((tmp_path / "runs").rglob("record.json"))
    assert not list((tmp_path / "cache").rglob("meta.json"))
    assert "give data.train=FILE" in refused("train", *SMALL, f"runs={tmp_path / 'runs'}")
