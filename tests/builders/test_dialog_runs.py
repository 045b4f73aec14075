"""Dialogs about pictures as a user trains them: runs, their files, answers for new turns, and wrong input."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from lightning_seq.builders.build import build_data, build_model, build_task
from lightning_seq.builders.match import measure
from lightning_seq.cli.main import main
from lightning_seq.config.compose import compose
from lightning_seq.config.match import resized
from lightning_seq.data.sources.scene_dialog import ANSWERS, PLAUSIBLE, SceneDialog
from lightning_seq.records.dialogs import AnsweredDialogs
from lightning_seq.records.pictures import picture_size
from lightning_seq.records.record import read
from lightning_seq.report.examples import example_scores
from lightning_seq.spec import ANSWERS as TABLE
from lightning_seq.spec import DataSpec, Question, Reply
from tests.data.given_dialogs import visdial
from tests.runs import INLINE, TINY

Refused = Callable[..., str]
Capture = pytest.CaptureFixture[str]
PICTURES = ("data.canvas=24", "data.size=24", "task.width=8")
DIALOGS = ("data=scene_dialog", "data.examples=30", "data.turns=4", *PICTURES)
KINDS = {
    "ranked": ["task.history=hierarchical", "callbacks=inside"],
    "written": ["task.history=memory", "task.answers=written", "task.predictions=full"],
    "late": ["task.history=late", "task.fusion=film", "task.predictions=full"],
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("dialogs")
    for name, more in KINDS.items():
        words = [*TINY, *DIALOGS, *more, f"runs={place}", f"cache={place / 'cache'}", "model=gru", f"name={name}"]
        assert main(["train", *words]) == 0
    return {name: place / name / "gru-seed1" for name in KINDS}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)).save(path)
    return path


@pytest.mark.parametrize("name", KINDS)
def test_a_run_and_what_it_leaves(name: str, trained: dict[str, Path]) -> None:
    record = read(trained[name])
    assert (record.task, record.status, record.selected_by) == ("visual_dialog", "done", "val/mrr")
    rows = parquet.read_table(trained[name] / "predictions.parquet").to_pylist()
    source = SceneDialog(examples=30, turns=4, canvas=24).load().tables["test"]
    turns = [turn for turns in source.dialogs for turn in turns]
    asked = [(turn.question, ANSWERS[turn.answer], turn.kind) for turn in turns]
    assert [(row["question"], row["target"], row["kind"]) for row in rows] == asked
    assert [(row["id"], row["group"], row["turn"]) for row in rows] == [
        (f"{dialog}-{turn}", dialog, turn)
        for dialog, turns_of in enumerate(source.dialogs)
        for turn in range(1, len(turns_of) + 1)
    ]
    rank, number = (np.array([row[name] for row in rows]) for name in ("rank", "turn"))
    test = record.metrics
    expected = {
        "mrr": np.mean(1 / rank), "recall_at_1": np.mean(rank <= 1), "recall_at_5": np.mean(rank <= 5),
        "recall_at_10": np.mean(rank <= 10), "mean_rank": np.mean(rank), "loss": np.mean([row["loss"] for row in rows]),
        **{f"mrr_turn_{turn}": np.mean(1 / rank[number == turn]) for turn in (1, 2, 3, 4)},
    }  # fmt: skip
    right = [row["prediction"] == row["target"] for row in rows]
    if name == "written":
        expected["exact_match"] = np.mean(right)
    else:
        assert right == (rank == 1).tolist()
    for kind in PLAUSIBLE:
        own = [value for value, row in zip(right, rows, strict=True) if row["kind"] == kind]
        if own:
            expected[f"accuracy_{kind}"] = np.mean(own)
    assert {metric: test[f"test/{metric}"] for metric in expected} == pytest.approx(expected, rel=1e-5)
    assert not any(metric.startswith(("val/mrr_turn", "val/accuracy")) for metric in test)
    assert ("test/exact_match" in test) is (name == "written")
    if name == "ranked":
        assert "ranking" not in rows[0]
        return
    for row, turn in zip(rows, turns, strict=True):
        ranking = [part.rpartition(" ") for part in row["ranking"].split("; ")]
        assert {answer for answer, _, _ in ranking} == {ANSWERS[number] for number in turn.candidates}
        own = next(float(score) for answer, _, score in ranking if answer == row["target"])
        assert sum(float(score) >= own for *_, score in ranking) == pytest.approx(row["rank"], abs=1)
        if name == "written":
            assert -own == pytest.approx(row["loss"], abs=1e-3)


def test_the_dialogs_of_the_dashboard_are_those_of_the_predictions(trained: dict[str, Path]) -> None:
    for place in trained.values():
        rows = parquet.read_table(place / "predictions.parquet").to_pylist()
        kept = AnsweredDialogs.read(place / "test_dialogs.json")
        assert (kept.n, kept.candidates, [one.number for one in kept.dialogs]) == (3, 20, [0, 1, 2])
        assert [
            (one.number, turn.question, turn.kind, turn.target, turn.answer, turn.rank)
            for one in kept.dialogs
            for turn in one.turns
        ] == [
            tuple(row[name] for name in ("group", "question", "kind", "target", "prediction", "rank")) for row in rows
        ]
        assert [picture_size(one.png) for one in kept.dialogs] == [(24, 24)] * 3


def test_the_report_reads_a_runs_ranks(trained: dict[str, Path]) -> None:
    run = (trained["written"], read(trained["written"]))
    for metric in ("mrr", "recall_at_1", "recall_at_5", "mean_rank", "exact_match", "loss"):
        scores, groups, notes = example_scores([run], f"test/{metric}")
        assert not notes
        ((values,)) = scores.values()
        assert values.mean() == pytest.approx(run[1].metrics[f"test/{metric}"], abs=1e-5)
        assert groups is not None
        assert sorted(set(groups.tolist())) == [0, 1, 2]
    assert example_scores([run], "test/accuracy_check")[0] == {}
    table = (run[0].parent / "table.md").read_text()
    assert "mean reciprocal rank" in table
    assert "most frequent answer" in table


def test_the_baseline_is_the_most_frequent_answer(trained: dict[str, Path]) -> None:
    tables = SceneDialog(examples=30, turns=4, canvas=24).load().tables
    counts = np.bincount([turn.answer for turns in tables["train"].dialogs for turn in turns], minlength=len(ANSWERS))
    turns = [turn for turns in tables["test"].dialogs for turn in turns]
    rank = np.array([sum(counts[other] >= counts[turn.answer] for other in turn.candidates) for turn in turns])
    found = {name.removeprefix("test/"): value for name, value in read(trained["written"]).baseline.items()}
    assert found["mrr"] == pytest.approx(np.mean(1 / rank))
    assert found["mean_rank"] == pytest.approx(np.mean(rank))
    assert found["exact_match"] == pytest.approx(np.mean([turn.answer == counts.argmax() for turn in turns]))


def test_all_diagnostics_look_at_the_encoder_of_questions(trained: dict[str, Path]) -> None:
    for name in ("gates", "states", "gradient_flow"):
        assert json.loads((trained["ranked"] / f"{name}.json").read_text())


def answers_of_training() -> set[int]:
    dialogs = SceneDialog(examples=30, turns=4, canvas=24).load().tables["train"].dialogs
    return {turn.answer for turns in dialogs for turn in turns}


def predicted(run: Path, lines: list[str], tmp_path: Path, capsys: Capture, *words: str) -> list[dict[str, object]]:
    file = tmp_path / "lines.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines))
    capsys.readouterr()
    assert main(["predict", f"checkpoint={run}", f"file={file}", *words]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_predict_answers_turns(trained: dict[str, Path], photo: Path, tmp_path: Path, capsys: Capture) -> None:
    asked = {"image": str(photo), "turns": [["is there a red thing", "yes"]], "question": "what is it"}
    lines = [f"{photo}\tis there a red thing\tyes\twhat is it", json.dumps(asked),
             json.dumps(asked | {"candidates": ["a two", "a six"]}), f"{photo}\tis there\tno", "{"]  # fmt: skip
    for name, value in (("late", "probability"), ("written", "log_probability")):
        tabs, same, chosen, *wrong = predicted(trained[name], lines, tmp_path, capsys, "top_k=20")
        assert tabs["predictions"] == same["predictions"]
        known = answers_of_training() if name == "late" else range(20)
        assert len(tabs["predictions"]) == len(known)  # type: ignore[arg-type]
        assert {row["answer"] for row in chosen["predictions"]} == {"a two", "a six"}  # type: ignore[attr-defined]
        for row in (tabs, chosen):
            values = [one[value] for one in row["predictions"]]  # type: ignore[attr-defined]
            assert values == sorted(values, reverse=True)
        if name == "late":
            assert sum(one["probability"] for one in chosen["predictions"]) == pytest.approx(1, abs=1e-5)  # type: ignore[attr-defined]
        assert [row["predictions"] for row in wrong] == [[], []]
        assert "2 tabs" in str(wrong[0]["note"])
        assert "not JSON" in str(wrong[1]["note"])


def test_the_answers_to_turns_are_the_history_of_later_ones(
    trained: dict[str, Path], photo: Path, tmp_path: Path, capsys: Capture
) -> None:
    questions, before = ["is there a red thing", "what is it", "and left of it"], [["how many things are there", "3"]]
    file = tmp_path / "turns.json"
    file.write_text(json.dumps(before))
    for name in ("ranked", "late"):
        lines, turns = [], [*before]
        for question in questions:
            asked = {"image": str(photo), "caption": "a scene", "turns": turns, "question": question}
            (row,) = predicted(trained[name], [json.dumps(asked)], tmp_path, capsys, "top_k=2")
            best = [[*one.values()] for one in row["predictions"]]  # type: ignore[attr-defined]
            lines += [[question, f"{value:.6f}", answer] for answer, value in best]
            turns.append([question, best[0][0]])
        words = [f"checkpoint={trained[name]}", f"image={photo}", f"turns={file}", "caption=a scene", "top_k=2"]
        assert main(["answer", *words, f"question={' | '.join(questions)}", "scores=true"]) == 0
        assert [line.split("\t") for line in capsys.readouterr().out.splitlines()] == lines
        assert main(["answer", *words[:2], "question=what is it", "choices=a two|a six"]) == 0
        assert capsys.readouterr().out.strip() in ("a two", "a six"), "one question: the answer alone"
    assert main(["answer", f"checkpoint={trained['written']}", *words[1:3], f"question={'|'.join(questions)}"]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == questions, "an answer may be empty"
    looks = tmp_path / "looks.json"
    words = [f"checkpoint={trained['ranked']}", f"image={photo}", "question=a|b", f"attention_out={looks}"]
    assert main(["answer", *words]) == 0
    assert [(row["question"], row["words"]) for row in json.loads(looks.read_text())] == [
        ("a", ["look 1", "look 2"]),
        ("b", ["look 1", "look 2"]),
    ]


@pytest.mark.parametrize(("words", "message"), [
    (["question=a||b"], 'question="a||b" has an empty turn'),
    (["question=a", "choices=x"], "choices=x is one answer"),
    (["question=a", "turns=FILE"], "is no list of [QUESTION, ANSWER]"),
    (["question=a", "turns=none.json"], "turns=none.json is not there"),
    (["question=a", "attention_out=maps.png"], "task.fusion=film has no attention"),
])  # fmt: skip
def test_wrong_turns_are_one_line(
    words: list[str], message: str, trained: dict[str, Path], photo: Path, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "turns.json").write_text('[["a"]]')
    words = [word.replace("FILE", str(tmp_path / "turns.json")) for word in words]
    assert message in refused("answer", f"checkpoint={trained['late']}", f"image={photo}", *words)


def test_one_question_can_be_answered_word_by_word(tmp_path: Path, photo: Path, capsys: Capture) -> None:
    words = ["data=scene_questions", "data.examples=70", "task=visual_dialog", "task.answers=written", *PICTURES]
    places = [f"runs={tmp_path}", f"cache={tmp_path / 'cache'}", "name=words", "model=gru"]
    assert main(["train", *TINY, *words, *places]) == 0
    record = read(tmp_path / "words" / "gru-seed1")
    assert record.task == "visual_dialog"
    assert {"test/exact_match", "test/mrr", "test/accuracy_colour"} <= record.metrics.keys()
    (row,) = predicted(tmp_path / "words" / "gru-seed1", [f"{photo}\tis there a red thing"], tmp_path, capsys)
    assert len(row["predictions"]) == 3  # type: ignore[arg-type]


def test_visdials_files_are_trained_on(tmp_path: Path, refused: Refused) -> None:
    path = visdial(tmp_path / "data")
    words = [*TINY, "data=dialogs", f"data.train={path}", f"data.validation={path}", f"data.test={path}", *PICTURES[1:]]
    places = [f"runs={tmp_path}", f"cache={tmp_path / 'cache'}", "model=gru", "name=visdial"]
    assert main(["train", *words, *places]) == 0
    assert read(tmp_path / "visdial" / "gru-seed1").metrics["test/mean_rank"] <= 3
    assert "test/ndcg" not in read(tmp_path / "visdial" / "gru-seed1").metrics
    dense = tmp_path / "dense.json"
    dense.write_text('[{"image_id": 11, "round_id": 2, "gt_relevance": [0, 0.5]}]')
    assert main(["train", *words, *places[:-1], "name=dense", f"data.relevances={dense}", "task.predictions=full"]) == 0
    place = tmp_path / "dense" / "gru-seed1"
    rows = parquet.read_table(place / "predictions.parquet").to_pylist()
    first = rows[1]["ranking"].partition(" ")[0]
    assert [row["ndcg"] for row in rows] == pytest.approx([np.nan, float(first == "red"), np.nan], nan_ok=True)
    assert read(place).metrics["test/ndcg"] == rows[1]["ndcg"]
    ((scores,),) = [example_scores([(place, read(place))], "test/ndcg")[0].values()]
    assert scores.tolist() == [rows[1]["ndcg"]]
    content = json.loads(path.read_text())
    for dialog in content["data"]["dialogs"]:
        for turn in dialog["dialog"]:
            turn.pop("answer_options")
            turn.pop("gt_index", None)
    content["data"]["answers"][0] = "No it is not"
    path.write_text(json.dumps(content))
    line = refused("train", *words, *places, "name=none")
    assert line.startswith(
        "task.answers=ranked ranks candidate answers, and these data have none: give task.answers=wr"
    )
    line = refused("train", *words, *places, "name=other", "task.answers=written", "task.monitor=val/mrr")
    assert line.startswith("task.monitor=val/mrr ranks candidate answers, and these data have none")
    assert main(["train", *words, *places, "name=written", "task.answers=written", "data.max_length=2"]) == 0
    record = read(tmp_path / "written" / "gru-seed1")
    rows = parquet.read_table(tmp_path / "written" / "gru-seed1" / "predictions.parquet").to_pylist()
    assert {row["target"] for row in rows} == {"no it", "red", "blue"}, "cut, and in small letters"
    assert "test/mrr" not in record.metrics
    assert record.selected_by == "val/exact_match"
    (dialog, *_) = AnsweredDialogs.read(tmp_path / "written" / "gru-seed1" / "test_dialogs.json").dialogs
    assert (dialog.caption, dialog.turns[0].question, dialog.turns[0].rank) == ("a dog", "is it big", None)


@pytest.mark.parametrize(("words", "message"), [
    (["task.history=before"], "task.history=before"),
    (["task.answers=spoken"], "task.answers=spoken"),
    (["task.answer_length=0"], "task.answer_length=0"),
    (["data.candidates=1"], "data.candidates=1"),
    (["task.monitor=val/exact_match"], "task.monitor=val/exact_match is of written answers"),
    (["model=captioner"], "model=captioner writes a sequence"),
    (["data=scenes", "task=visual_dialog"], "task=visual_dialog does not fit data=scenes"),
    (["task=visual_questions"], "task=visual_questions does not fit data=scene_dialog"),
    (["data=dialogs"], "data.train is not given"),
    (["data=dialogs", "data.train=none.json"], "data.train=none.json is not there"),
])  # fmt: skip
def test_wrong_input_is_one_line(words: list[str], message: str, tmp_path: Path, refused: Refused) -> None:
    own = [*TINY, *DIALOGS] if not any(word.startswith("data=") for word in words) else [*TINY]
    line = refused("train", *own, "model=gru", f"runs={tmp_path}", f"cache={tmp_path / 'cache'}", *words)
    assert line.startswith(message)


def spec() -> DataSpec:
    return DataSpec(Question(tuple("abcdefgh"), (), 3, 24, 24), Reply(tuple("abcdefgh"), 4, 3))


@pytest.mark.parametrize("history", ["none", "late", "hierarchical", "memory"])
def test_matched_sizes_are_of_all_recurrences(history: str) -> None:
    E, H = 5, 12
    gru = lambda width: 3 * H * (width + H) + 4 * H  # noqa: E731
    of_history = {"none": 0, "late": gru(E), "hierarchical": gru(E) + gru(H), "memory": gru(E) + H * H + 64 * H}
    layers = {"none": 2, "late": 3, "hierarchical": 4, "memory": 3}
    sizes = {
        "parameters": gru(E) * 2 + of_history[history], "state": 4 * H * layers[history], "flops": 2 * 3 * H * (E + H)
    }  # fmt: skip
    for kind, size in sizes.items():
        words = ["model=gru", "data=scene_dialog", f"task.history={history}", f"match={kind}"]
        config = compose([*words, "embedding=random", f"embedding.size={E}"])
        assert measure(resized(config, H), spec(), E) == size
    for answers in ("ranked", "written"):
        words = ["model=gru", "data=scene_dialog", f"task.answers={answers}", "match=flops", "match.count=all"]
        assert measure(compose([*words, "embedding=random", "embedding.size=5"]), spec(), E) > sizes["flops"]


def test_architectures_of_one_size(tmp_path: Path) -> None:
    places = [f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}", "name=matched", INLINE]
    words = ["model=rnn,lstm", "match=parameters", "match.target=5k", "seeds=1", "trainer.max_epochs=1"]
    tiny = [word for word in TINY if not word.startswith("model.")]
    assert main(["compare", *tiny, *DIALOGS, *words, *places]) == 0
    for run in ("rnn-seed1", "lstm-seed1"):
        match = read(tmp_path / "runs" / "matched" / run).match
        assert abs(match["mismatch"]) < 0.05
        assert match["found"] == read(tmp_path / "runs" / "matched" / run).parameters["recurrent"]


@pytest.mark.parametrize("answers", ["ranked", "written"])
def test_two_ranks_have_the_loss_and_the_gradient_of_one(answers: str, tmp_path: Path) -> None:
    words = [*DIALOGS, "model=gru", "embedding=random", "embedding.size=5", "task.dropout=0", "data.batch_size=9"]
    config = compose([*words, f"task.answers={answers}", f"cache={tmp_path}", f"runs={tmp_path}"])
    data = build_data(config)
    torch.manual_seed(1)
    task = build_task(config, data, build_model(config, data.spec, 5))
    dataset, sampler = data.batches("train")
    shard = next(iter(sampler))
    parts = [replace(shard, indices=shard.indices[rank::2]) for rank in (0, 1)]

    def gradient(shards: list[object]) -> tuple[float, torch.Tensor]:
        task.zero_grad()
        total = torch.stack([task.training_step(dataset[part], 0) for part in shards]).sum()
        total.backward()
        return float(total.detach()), torch.cat(
            [weight.grad.flatten() for weight in task.parameters() if weight.grad is not None]
        )

    (one, of_one), (two, of_two) = gradient([shard]), gradient([*parts])
    assert one == pytest.approx(two, rel=1e-5)
    torch.testing.assert_close(of_one, of_two, rtol=1e-3, atol=1e-6)
    nothing = dataset[replace(shard, indices=[-1])]
    assert float(task.training_step(nothing, 0).detach()) == 0
    table = dataset[shard].extra[TABLE]
    assert table.shape[0] == 1


@pytest.mark.slow
@pytest.mark.parametrize("answers", ["ranked", "written"])
def test_a_run_on_two_processes_ends_as_on_one(answers: str, tmp_path: Path) -> None:
    words = [*TINY, *DIALOGS, "model=gru", "task.history=memory", f"task.answers={answers}", "task.dropout=0"]
    places = [f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}"]
    assert main(["train", *words, *places, "name=one"]) == 0
    two = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "name=two"]
    assert main(["train", *words, *places, *two]) == 0
    one, other = (read(tmp_path / "runs" / name / "gru-seed1") for name in ("one", "two"))
    known = {name: value for name, value in one.metrics.items() if value is not None}
    assert {name: other.metrics[name] for name in known} == pytest.approx(known, rel=5e-3)
    assert other.baseline == pytest.approx(one.baseline)
