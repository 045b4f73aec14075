"""Questions about pictures as a user asks them: a run, its files, answers for new pictures, and wrong input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from lightning_seq.builders.build import build_model
from lightning_seq.builders.match import measure
from lightning_seq.builders.shown_examples import shown_examples
from lightning_seq.callbacks.questions import QuestionWriter
from lightning_seq.cli.main import main
from lightning_seq.config.compose import compose
from lightning_seq.config.match import resized
from lightning_seq.data.sources.scene_questions import KINDS, SceneQuestions
from lightning_seq.data.visual_questions import VisualQuestionData
from lightning_seq.inference.load import load
from lightning_seq.records.attention import weight_of
from lightning_seq.records.questions import AskedQuestions, WatchedQuestions
from lightning_seq.records.record import read
from lightning_seq.spec import Answer, DataSpec, Question
from lightning_seq.tasks.visual_questions import VisualQuestions
from tests.runs import INLINE, TINY

Refused = Callable[..., str]
Capture = pytest.CaptureFixture[str]
QUESTIONS = ("data=scene_questions", "data.examples=100", "data.canvas=24", "data.size=24", "task.width=8")
GRID = [3, 3]
"""Of four blocks, of which three pool, over 24 pixels."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each fusion; that with attention also with all diagnostics."""
    place = tmp_path_factory.mktemp("answerers")
    for fusion, more in (("stacked_attention", ["callbacks=inside", "task.hops=3"]), ("multiply", [])):
        words = [*TINY, *QUESTIONS, f"task.fusion={fusion}", f"runs={place}", f"cache={place / 'cache'}", *more]
        assert main(["train", *words, "model=gru", f"name={fusion}"]) == 0
    return {name: place / name / "gru-seed1" for name in ("stacked_attention", "multiply")}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)).save(path)
    return path


def test_a_run_and_what_it_leaves(trained: dict[str, Path]) -> None:
    record = read(trained["multiply"])
    assert (record.task, record.status) == ("visual_questions", "done")
    rows = parquet.read_table(trained["multiply"] / "predictions.parquet").to_pylist()
    source = SceneQuestions(examples=100, canvas=24).load().tables["test"]
    assert [(row["question"], row["target"], row["kind"]) for row in rows] == list(
        zip(source.questions, source.answers, source.kinds or [], strict=True)
    )
    right = {kind: [row["prediction"] == row["target"] for row in rows if row["kind"] == kind] for kind in KINDS}
    for kind, answers in right.items():
        assert record.metrics[f"test/accuracy_{kind}"] == pytest.approx(np.mean(answers))
    assert record.metrics["test/accuracy"] == pytest.approx(
        np.mean([answer for answers in right.values() for answer in answers])
    )
    assert record.metrics["test/loss"] == pytest.approx(np.mean([row["loss"] for row in rows]), rel=1e-5)
    assert 0 <= record.metrics["test/accuracy_shuffled"] <= 1
    assert not any(name.startswith("val/accuracy_") for name in record.metrics)
    table = (trained["multiply"].parent / "table.md").read_text()
    places = [table.index(f"test/accuracy{kind} (") for kind in ("", "_shuffled", "_colour")]
    assert places == sorted(places)
    assert "words in a random order" in table


def test_the_questions_that_a_run_shows(trained: dict[str, Path]) -> None:
    """The answers are those of `predictions.parquet`; the shared questions are the same for all runs."""
    shown = {name: AskedQuestions.read(run / "test_questions.json") for name, run in trained.items()}
    tables = SceneQuestions(examples=100, canvas=24).load().tables
    test = tables["test"]
    for name, asked in shown.items():
        rows = parquet.read_table(trained[name] / "predictions.parquet").to_pylist()
        assert asked.n == len(rows) == len(test.answers)
        for one in asked.questions:
            row = rows[one.number]
            facts = (one.question, one.kind, one.target, one.answer, one.is_right)
            assert facts == (
                row["question"],
                row["kind"],
                row["target"],
                row["prediction"],
                one.answer == row["target"],
            )
            assert one.truth == pytest.approx(np.exp(-row["loss"]), abs=1e-4)
            assert one.truth == one.probability or not one.is_right
        truths = [one.truth for one in asked.questions]
        assert truths == sorted(truths)
        for kind in asked.kinds:
            usual, known = (
                [answer for answer, mine in zip(table.answers, table.kinds or [], strict=True) if mine == kind.name]
                for table in (tables["train"], test)
            )
            best = min(set(usual), key=lambda answer: (-usual.count(answer), answer))
            assert (kind.n, kind.chance) == (len(known), pytest.approx(known.count(best) / len(known)))
        assert asked.chance == pytest.approx(sum(kind.n * kind.chance for kind in asked.kinds) / asked.n)
    attended, joined = shown["stacked_attention"], shown["multiply"]
    assert (attended.grid, joined.grid) == ((3, 3), None)
    assert {len(one.weights) for one in attended.questions} == {3}
    assert {one.weights for one in joined.questions} == {()}
    sums = [sum(map(weight_of, row)) for one in attended.questions for row in one.weights]
    assert sums == pytest.approx([1] * len(sums), abs=0.05)
    assert {one.number for one in attended.questions if one.shared} == {
        one.number for one in joined.questions if one.shared
    }


def test_the_answers_of_each_epoch(trained: dict[str, Path], tmp_path: Path) -> None:
    data = VisualQuestionData(SceneQuestions(examples=100, canvas=24), tmp_path, size=24)
    split, texts = data.prepared.splits["validation"], data.prepared.texts("validation")
    for name, run in trained.items():
        watched = WatchedQuestions.read(run / "questions.json")
        numbers = [one.number for one in watched.questions]
        assert len({*numbers}) == 4
        assert len({int(split.kinds[number]) for number in numbers}) == 4
        writer = QuestionWriter(tmp_path, data)
        task = SimpleNamespace(model=load(run).model, device=torch.device("cpu"))
        writer.look(None, task, 1)  # type: ignore[arg-type]
        again = WatchedQuestions.read(tmp_path / "questions.json")
        assert again.grid == watched.grid == (None if name == "multiply" else (3, 3))
        assert [one.number for one in again.questions] == numbers
        for one, other in zip(watched.questions, again.questions, strict=True):
            assert one.question == texts[one.number]
            assert one.target == data.prepared.answers("validation")[one.number]
            assert [answer.epoch for answer in one.answers] == [1, 2]
            kept = [(answer.answer, answer.probability, answer.weights) for answer in one.answers]
            (of_checkpoint,) = other.answers
            assert (of_checkpoint.answer, of_checkpoint.probability, of_checkpoint.weights) in kept
            assert {len(answer.weights) for answer in one.answers} == {0 if name == "multiply" else 3}
        assert read(run).artifacts["questions"]["path"] == "questions.json"


def test_shown_examples_are_spread_and_at_both_ends() -> None:
    assert shown_examples([2, 0, 1]) == [(2, True), (0, True), (1, True)]
    shown = shown_examples([*range(99, -1, -1)])
    assert sorted(place for place, shared in shown if shared) == [place * 100 // 40 for place in range(40)]
    numbers = [place for place, _ in shown]
    assert numbers == sorted(numbers, reverse=True)
    assert {place for place, shared in shown if not shared} == {99, 98, 96, 94, 1, 3, 4}


def test_all_diagnostics_look_at_the_encoder_of_questions(trained: dict[str, Path]) -> None:
    run = trained["stacked_attention"]
    for name in ("gates", "states", "gradient_flow"):
        assert json.loads((run / f"{name}.json").read_text())
    assert not (run / "deciding_words.json").exists()


def test_diagnostics_that_do_not_fit_are_left_out(trained: dict[str, Path], tmp_path: Path) -> None:
    """Of a captioner all, since none reads pictures; of an answerer that of classifiers, with one line each."""
    words = [*TINY, "data=scenes", "data.examples=20", f"runs={tmp_path}", f"cache={tmp_path / 'cache'}"]
    assert main(["train", *words, "model=captioner", "callbacks=inside", "name=none"]) == 0
    run = tmp_path / "none" / "captioner-seed1"
    of_inputs = "gradient_flow (for a recurrence that reads the inputs)"
    words_left_out = "deciding_words (for a classifier of texts)"
    for directory, left_out in (
        (run, f"{of_inputs}; gates, states (for a recurrence with a step for each input); {words_left_out}"),
        (trained["stacked_attention"], words_left_out),
    ):
        lines = [line for line in (directory / "log.txt").read_text().splitlines() if "left out" in line]
        assert [line.partition(" ")[2] for line in lines] == [f"callbacks left out: {left_out}"]
    assert read(run).instruments == {}
    assert set(read(trained["stacked_attention"]).instruments) == {"gradient_flow", "gates", "states"}


def test_predict_reads_lines_of_a_file_and_a_question(
    trained: dict[str, Path], photo: Path, tmp_path: Path, capsys: Capture
) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text(f"{photo}\tis there a red three\n{photo} is there\nnone.png\twhat colour is the two\n{photo}\t \n")
    capsys.readouterr()
    assert main(["predict", f"checkpoint={trained['multiply']}", f"file={lines}", "top_k=2"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(row["predictions"]) for row in rows] == [2, 0, 0, 0]
    first, second = rows[0]["predictions"]
    assert 1 >= first["probability"] >= second["probability"] > 0
    assert "has no tab" in rows[1]["note"]
    assert "none.png" in rows[2]["note"]
    assert rows[3]["note"]


def test_the_answer_is_that_of_predict(trained: dict[str, Path], photo: Path, capsys: Capture) -> None:
    words = [f"checkpoint={trained['multiply']}", "top_k=3"]
    capsys.readouterr()
    assert main(["predict", *words, f"text={photo}\tis there a red three"]) == 0
    expected = json.loads(capsys.readouterr().out)["predictions"]
    assert main(["answer", *words, f"image={photo}", "question=Is there a red three", "scores=true"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(answer, pytest.approx(float(score), abs=2e-6)) for score, answer in lines] == [
        (row["answer"], row["probability"]) for row in expected
    ]
    assert main(["answer", words[0], f"image={photo}", "question=is there a red three"]) == 0
    assert capsys.readouterr().out == f"{lines[0][1]}\n"


def test_the_attention_of_each_look(trained: dict[str, Path], photo: Path, tmp_path: Path) -> None:
    words = [f"checkpoint={trained['stacked_attention']}", f"image={photo}", "question=what is above the red three"]
    assert main(["answer", *words, f"attention_out={tmp_path / 'maps.png'}"]) == 0
    assert main(["answer", *words, f"attention_out={tmp_path / 'maps.json'}"]) == 0
    (held,) = json.loads((tmp_path / "maps.json").read_text())
    assert (held["image"], held["question"], held["grid"]) == (str(photo), "what is above the red three", GRID)
    assert held["words"] == ["look 1", "look 2", "look 3"]
    assert len(held["weights"]) == 3
    assert all(len(row) == 9 and sum(row) == pytest.approx(1, abs=0.001) for row in held["weights"])
    image = Image.open(tmp_path / "maps.png")
    assert (image.format, image.width) == ("PNG", 4 * (168 + 8) + 8)


def test_notes_on_an_answer(
    trained: dict[str, Path], tmp_path: Path, capsys: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    Image.new("CMYK", (20, 20)).save(tmp_path / "ink.jpg")
    words = ["answer", f"checkpoint={trained['multiply']}", f"image={tmp_path / 'ink.jpg'}"]
    assert main([*words, "question=is there a red three"]) == 0
    assert "the picture is of mode CMYK" in caplog.text
    assert main([*words, "question=wo ist"]) == 0
    assert "only unknown words" in caplog.text


def test_wrong_questions_are_one_line(
    trained: dict[str, Path], photo: Path, tmp_path: Path, refused: Refused, capsys: Capture
) -> None:
    words = ["answer", f"checkpoint={trained['multiply']}"]
    asked, image, out = "question=is there a red three", f"image={photo}", tmp_path / "maps.png"
    (tmp_path / "half.png").write_bytes(photo.read_bytes()[:5000])
    (tmp_path / "words.png").write_text("a red three")
    assert "is not there; did you mean photo.png" in refused(*words, asked, f"image={tmp_path / 'foto.png'}")
    assert "half.png is damaged" in refused(*words, asked, f"image={tmp_path / 'half.png'}")
    assert "words.png is no picture that can be read" in refused(*words, asked, f"image={tmp_path / 'words.png'}")
    assert "directory" in refused(*words, asked, f"image={tmp_path}")
    assert 'question="" is empty' in refused(*words, image, "question= ")
    for word in ("turns=none.json", "caption=a scene"):
        assert "is for models of dialogs, and this checkpoint is an answerer" in refused(*words, image, asked, word)
    assert "answer needs question=" in refused(*words, image)
    assert "answer needs image=FILE" in refused(*words, asked)
    assert "there is no key 'quest' for answer; did you mean question" in refused(*words, image, "quest=x")
    assert "top_k is 99: expected 1 to 25" in refused(*words, image, asked, "top_k=99")
    assert "task.fusion=multiply has no attention" in refused(*words, image, asked, f"attention_out={out}")
    assert "ends in .png or .json" in refused(*words, image, asked, "attention_out=maps.jpg")
    assert "is the picture that is read" in refused(*words, image, asked, f"attention_out={photo}")
    assert not out.exists()
    assert "is for a captioner, and this checkpoint is an answerer: use predict or answer" in refused(
        "caption", words[1], image
    )
    assert capsys.readouterr().out == ""


def spec() -> DataSpec:
    return DataSpec(Question(tuple("abcdefgh"), (), 3, 24, 24), Answer(("yes", "no", "red")))


@pytest.mark.parametrize("fusion", ["question", "multiply", "stacked_attention", "film"])
def test_matched_sizes_are_of_the_encoder_of_questions_alone(fusion: str) -> None:
    E, H = 5, 12
    for kind, size in (("flops", 2 * 3 * H * (E + H)), ("parameters", 3 * H * (E + H) + 4 * H), ("state", 4 * H)):
        words = ["model=gru", "data=scene_questions", f"task.fusion={fusion}", f"match={kind}"]
        config = compose([*words, "embedding=random", f"embedding.size={E}"])
        assert measure(resized(config, H), spec(), E) == size


def test_architectures_of_one_size(tmp_path: Path) -> None:
    places = [f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}", "name=matched", INLINE]
    words = ["model=rnn,lstm", "match=parameters", "match.target=2k", "seeds=1", "trainer.max_epochs=1"]
    tiny = [word for word in TINY if not word.startswith("model.")]
    assert main(["compare", *tiny, *QUESTIONS, *words, *places]) == 0
    for run in ("rnn-seed1", "lstm-seed1"):
        match = read(tmp_path / "runs" / "matched" / run).match
        assert abs(match["mismatch"]) < 0.05
        assert match["found"] == read(tmp_path / "runs" / "matched" / run).parameters["recurrent"]


def test_the_task_alone_gives_log_probabilities() -> None:
    config = compose(["model=gru", "data=scene_questions", "embedding=random", "embedding.size=5"])
    model = build_model(config, spec(), 5).eval()
    task = VisualQuestions(model, 3, torch.optim.Adam)  # type: ignore[arg-type]
    inputs, pictures = torch.tensor([[4, 5, 6]]), torch.zeros(1, 3, 24, 24, dtype=torch.uint8)
    scores = task(inputs, inputs > 0, pictures)
    torch.testing.assert_close(scores.exp().sum(-1), torch.ones(1))
