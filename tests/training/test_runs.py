"""The commands a user types, in a temporary directory, offline."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pyarrow import parquet

import lightning_seq
from lightning_seq.cli.main import main
from lightning_seq.errors import UserError
from lightning_seq.records.record import read, write
from lightning_seq.training.directory import run_lock
from lightning_seq.training.run import execute
from tests.conftest import fastest
from tests.runs import INLINE, TINY, environment, record_of, sentences, write_csv


@pytest.mark.dashboard
def test_a_run_leaves_everything_that_was_promised(own: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["train", "model=gru", *own, *TINY, "logger=wandb", "embedding=word2vec", "word2vec.vector_size=8"]) == 0
    )
    directory = Path(own[2].removeprefix("runs=")) / "csv"
    run = directory / "gru-seed1"
    for name in (
        "record.json",
        "config.yaml",
        "metrics.csv",
        "predictions.parquet",
        "log.txt",
        "checkpoints/best.ckpt",
    ):
        assert (run / name).is_file(), name
    assert list((run / "wandb").glob("offline-run-*/*.wandb"))
    for name in ("table.md", "table.csv", "dashboard.html"):
        assert (directory / name).stat().st_size
    record = read(run)
    assert (record.status, record.model, record.cell, record.engine) == ("done", "gru", "gru", fastest())
    assert record.metrics["test/accuracy"] > 0.9
    assert {"val/loss", "val/accuracy", "val/macro_f1", "test/loss", "test/macro_f1"} <= set(record.metrics)
    assert [point[:2] for point in record.curves["val/accuracy"]] == [[8, 1], [16, 2]]
    seconds = [point[2] for point in record.curves["train/loss"]]
    assert seconds == sorted(seconds)
    assert record.baseline == pytest.approx({"test/accuracy": 1 / 2, "test/macro_f1": 1 / 3})
    assert record.baseline_name == "majority class"
    assert "majority class (not trained)" in (directory / "table.md").read_text()
    assert record.throughput["tokens_per_second"] > 0
    assert record.peak_memory_bytes > 1e7
    assert set(record.fingerprints) == {"config", "data", "split", "batches", "epochs", "embedding"}
    assert record.embedding["type_coverage"] is not None
    assert record.parameters["total"] == sum(record.parameters[p] for p in ("embedding", "recurrent", "head"))
    rows = parquet.read_table(run / "predictions.parquet").to_pylist()
    assert len(rows) == 16
    assert [row["row"] for row in rows] == list(range(16))
    assert [row["target"] for row in rows] == [sentences(160)[row["id"] - 2][1] for row in rows]
    right = sum(row["target"] == row["prediction"] for row in rows)
    assert right / 16 == pytest.approx(record.metrics["test/accuracy"])
    assert sum(row["loss"] for row in rows) / 16 == pytest.approx(record.metrics["test/loss"], rel=1e-5)
    assert all(4 <= row["length"] <= 10 and row["unknown"] == 0 and row["rarity"] > 0 for row in rows)
    assert "dashboard" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_run_and_another_seed_another(own: list[str]) -> None:
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        assert main(["train", "model=lstm", *own, *TINY, f"name={name}", f"seed={seed}"]) == 0
    one, two, three = (record_of(own, f"lstm-seed{s}", n) for n, s in (("one", 1), ("two", 1), ("three", 2)))
    values = [[point[3] for point in record.curves["train/loss"]] for record in (one, two, three)]
    assert values[0] == values[1] != values[2]
    assert one.fingerprints == two.fingerprints
    assert one.fingerprints["split"] == three.fingerprints["split"]
    assert one.fingerprints["batches"] != three.fingerprints["batches"]


@pytest.mark.dashboard
def test_a_comparison_is_paired_and_goes_on_where_it_was(own: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "model=rnn,bag_of_embeddings", "seeds=2", INLINE, *own, *(w for w in TINY if "hidden" not in w)]
    assert main(words) == 0
    records = {label: record_of(own, label) for label in ("rnn-seed1", "rnn-seed2", "bag_of_embeddings-seed1")}
    first, second, bag = records.values()
    assert first.fingerprints["batches"] == bag.fingerprints["batches"] != second.fingerprints["batches"]
    assert bag.cell is None
    assert bag.engine is None
    finished = first.finished
    write(Path(own[2].removeprefix("runs=")) / "csv" / "rnn-seed2", second.with_(status="failed", error="by hand"))
    capsys.readouterr()
    assert main(words) == 0
    assert "3 of 4 runs are done already" in capsys.readouterr().out
    assert record_of(own, "rnn-seed1").finished == finished
    assert record_of(own, "rnn-seed2").status == "done"


def test_another_configuration_under_the_same_label_is_refused(own: list[str], refused: Callable[..., str]) -> None:
    assert main(["train", "model=rnn", *own, *TINY]) == 0
    before = record_of(own, "rnn-seed1")
    said = refused("train", "model=rnn", *own, *TINY, "optimizer.lr=0.5")
    assert "optimizer.lr=0.03" in said
    assert "name=NAME" in said
    assert record_of(own, "rnn-seed1") == before
    assert main(["train", "model=rnn", *own, *TINY, "trainer.timeout=50", "logger=none"]) == 0


def test_a_run_goes_on_with_other_workers(own: list[str]) -> None:
    assert main(["train", "model=rnn", *own, *TINY]) == 0
    directory = Path(own[2].removeprefix("runs=")) / "csv/rnn-seed1"
    done = read(directory)
    write(directory, done.with_(status="interrupted", metrics={}))
    assert main(["train", "model=rnn", *own, *TINY, "data.num_workers=1", "resume=must"]) == 0
    assert read(directory).metrics == done.metrics


def test_a_dry_run_shows_the_grid_and_writes_nothing(own: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "model=rnn,lstm", "seeds=2", "dry_run=true", *own, *TINY]) == 0
    said = capsys.readouterr().out
    assert "4 of 4 runs to do" in said
    assert "minutes" in said
    assert not Path(own[2].removeprefix("runs=")).exists()


def test_predict_reads_a_text_a_file_and_standard_input(
    own: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["train", "model=bilstm", *own, *TINY, "trainer.max_epochs=4"]) == 0
    checkpoint = Path(own[2].removeprefix("runs=")) / "csv/bilstm-seed1/checkpoints/best.ckpt"
    capsys.readouterr()
    assert main(["predict", f"checkpoint={checkpoint}", "text=the old ship, a wave = salt"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert said["text"] == "the old ship, a wave = salt"
    assert said["predictions"][0]["label"] == "sea"
    assert sum(entry["probability"] for entry in said["predictions"]) == pytest.approx(1, abs=1e-4)
    texts = tmp_path / "texts.txt"
    texts.write_text("a wave and salt\nroad barn corn hill\n")
    assert main(["predict", f"checkpoint={checkpoint}", f"file={texts}", "top_k=1"]) == 0
    from_file = capsys.readouterr().out
    assert [json.loads(line)["predictions"][0]["label"] for line in from_file.splitlines()] == ["sea", "land"]
    with texts.open() as lines:
        monkeypatch.setattr(sys, "stdin", lines)
        assert main(["predict", f"checkpoint={checkpoint}", "top_k=1"]) == 0
    assert capsys.readouterr().out == from_file
    loaded = lightning_seq.load(checkpoint)
    alone = loaded.probabilities(["a wave and salt"])
    torch.testing.assert_close(loaded.probabilities(["the road", "a wave and salt", "hill hill hill hill"])[1:2], alone)


@pytest.mark.parametrize("embedding", ["onehot", "random", "file"])
def test_every_kind_of_embedding_trains_and_loads(
    embedding: str, own: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = []
    if embedding == "file":
        content = b"4 4\nwave 1 0 0 0.5\nhill 0 1 0 0.5\nelsewhere 0 0 1 0.5\n\xe4\xb8 0 0 0 1\n"
        (tmp_path / "vectors.vec").write_bytes(content)
        given = [f"embedding.path={tmp_path / 'vectors.vec'}", "embedding.frozen=1"]
    tiny = [word for word in TINY if not word.startswith("embedding")]
    assert main(["train", "model=rnn", *own, *tiny, f"embedding={embedding}", *given]) == 0
    record = record_of(own, "rnn-seed1")
    assert record.embedding["kind"] == embedding
    if embedding == "file":
        assert record.embedding["size"] == 4
        assert 0 < record.embedding["type_coverage"] < 1
        captured = capfd.readouterr()
        assert "vectors.vec: 1 words that are not UTF-8 left out" in captured.out + captured.err
    if embedding == "onehot":
        assert record.parameters["embedding"] == 0
        assert record.engine == ("fused" if fastest() == "fused" else "aten" if record.model != "lstm" else "loop")
    checkpoint = Path(own[2].removeprefix("runs=")) / "csv/rnn-seed1/checkpoints/best.ckpt"
    assert lightning_seq.load(checkpoint).probabilities(["wave"]).shape == (1, 2)


def test_frozen_vectors_stand_still_and_thaw_on_time(own: list[str], tmp_path: Path) -> None:
    (tmp_path / "v.vec").write_text("2 4\nwave 1 0 0 0.5\nhill 0 1 0 0.5\n")
    tiny = [word for word in TINY if not word.startswith("embedding")]
    given = ["embedding=file", f"embedding.path={tmp_path / 'v.vec'}", "callbacks=none"]
    moved = {}
    for frozen in ("true", "1", "2", "false"):
        assert main(["train", "model=rnn", *own, *tiny, *given, f"embedding.frozen={frozen}", f"name=f{frozen}"]) == 0
        loaded = lightning_seq.load(Path(own[2].removeprefix("runs=")) / f"f{frozen}/rnn-seed1/checkpoints/last.ckpt")
        row = loaded.model.embedding.weight[loaded.spec.inputs.words.index("wave")]
        moved[frozen] = not torch.equal(row, torch.tensor([1, 0, 0, 0.5]))
    assert moved == {"true": False, "1": True, "2": False, "false": True}


@pytest.mark.parametrize("steps", [3, 11])
def test_the_last_step_is_validated_within_an_epoch(steps: int, own: list[str]) -> None:
    """Of 8 steps: the weights that are tested were selected, and are kept."""
    assert main(["train", "model=rnn", *own, *TINY, f"trainer.max_steps={steps}"]) == 0
    record = record_of(own, "rnn-seed1")
    assert record.status == "done"
    assert {"val/accuracy", "test/accuracy"} <= set(record.metrics)
    points = record.curves["val/accuracy"]
    assert [point[0] for point in points] == ([3] if steps == 3 else [8, 11])
    assert record.metrics["val/accuracy"] == max(point[3] for point in points)
    directory = Path(own[2].removeprefix("runs=")) / "csv" / "rnn-seed1"
    assert (directory / record.artifacts["best"]["path"]).is_file()
    assert "HINT" not in (directory / "log.txt").read_text()


def test_weights_that_no_step_has_changed_are_kept(own: list[str]) -> None:
    assert main(["train", "model=rnn", *own, *TINY, "trainer.max_steps=0"]) == 0
    record = record_of(own, "rnn-seed1")
    assert {"val/accuracy", "test/accuracy"} <= set(record.metrics)
    directory = Path(own[2].removeprefix("runs=")) / "csv" / "rnn-seed1"
    assert lightning_seq.load(directory / "checkpoints/best.ckpt").config["seed"] == 1


@pytest.mark.parametrize(
    "words",
    [
        ["task.class_weights=balanced", "task.label_smoothing=0.1", "task.pooling=attention"],
        ["task.class_weights=[1,3]", "optimizer=sgd", "task.schedule.kind=plateau"],
        ["task.schedule.kind=linear", "task.schedule.warmup_steps=4", "optimizer=adam", "task.head_sizes=[6]"],
        ["trainer.accumulate_grad_batches=2", "init=orthogonal", "task.pooling=max"],
    ],
)
def test_the_options_of_the_task_train(words: list[str], own: list[str]) -> None:
    assert main(["train", "model=gru", *own, *TINY, *words]) == 0
    assert record_of(own, "gru-seed1").metrics["test/accuracy"] >= 0.5


def test_a_loss_curve_has_one_point_a_step(own: list[str]) -> None:
    words = ["trainer.accumulate_grad_batches=3", "trainer.log_every_n_steps=2"]
    assert main(["train", "model=gru", *own, *TINY, *words]) == 0
    assert [point[0] for point in record_of(own, "gru-seed1").curves["train/loss"]] == [2, 3, 4, 6]


@pytest.mark.parametrize("model", ["gru", "lstm"])
def test_mixed_precision_trains(model: str, own: list[str]) -> None:
    assert main(["train", f"model={model}", *own, *TINY, "trainer.precision=bf16-mixed"]) == 0
    record = record_of(own, f"{model}-seed1")
    assert (record.status, record.engine) == ("done", "loop")  # no other engine takes autocast on a CPU
    assert record.environment["precision"] == "bf16-mixed"


def test_half_precision_is_refused_on_a_cpu(own: list[str], refused: Callable[..., str]) -> None:
    said = refused("train", "model=gru", *own, *TINY, "trainer.precision=16-mixed")
    assert said == "trainer.precision=16-mixed needs a GPU: on a CPU give trainer.precision=bf16-mixed"


def test_a_run_that_another_process_holds_is_left_alone(own: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "model=gru", *own, *TINY]) == 0
    directory = Path(own[2].removeprefix("runs=")) / "csv" / "gru-seed1"
    before = read(directory)
    write(directory, before.with_(status="running"))
    with run_lock(directory):
        with pytest.raises(UserError, match="another process"):
            execute(directory, "gru", [])
        assert main(["compare", "model=gru,rnn", INLINE, "seeds=1", *own, *TINY]) == 1
    assert read(directory).curves == before.curves
    assert "another process" in capsys.readouterr().out
    assert record_of(own, "rnn-seed1").status == "done"


def test_a_checkpoint_without_its_callback_is_not_written(own: list[str]) -> None:
    assert main(["train", "model=gru", *own, *TINY, "callbacks.checkpoint=false"]) == 0
    directory = Path(own[2].removeprefix("runs=")) / "csv" / "gru-seed1"
    assert read(directory).status == "done"
    assert not list(directory.rglob("*.ckpt"))


def test_a_cell_of_the_users_own_trains_and_predicts(
    own: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_cells.py").write_text(
        "from lightning_seq import ElmanCell\nclass MyCell(ElmanCell):\n    pass\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    mine = ["model=recurrent", "cell._target_=my_cells.MyCell", "allow=[my_cells]", "cell.bias=false"]
    assert main(["train", *mine, *own, *TINY]) == 0
    record = record_of(own, "recurrent-MyCell-seed1")
    assert (record.status, record.cell, record.engine) == ("done", "MyCell", "loop")
    assert record.config["cell"] == {"_target_": "my_cells.MyCell", "bias": False}
    capsys.readouterr()
    best = Path(own[2].removeprefix("runs=")) / "csv" / "recurrent-MyCell-seed1" / "checkpoints" / "best.ckpt"
    assert main(["predict", f"checkpoint={best}", "text=the old wave", "allow=[my_cells]"]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"]


def test_a_checkpoint_holds_plain_values_and_tensors_alone(own: list[str]) -> None:
    assert main(["train", "model=rnn", *own, *TINY]) == 0
    for name in ("best", "last"):
        path = Path(own[2].removeprefix("runs=")) / f"csv/rnn-seed1/checkpoints/{name}.ckpt"
        checkpoint = torch.load(path, weights_only=True)
        assert checkpoint["lightning_seq"]["config"]["choices"]["model"] == "rnn"
        assert checkpoint["lightning_seq"]["data"]["labels"] == ["land", "sea"]
    (path.parent / f"{path.name}.sha256").unlink()
    checkpoint["lightning_seq"]["version"] = 99
    torch.save(checkpoint, path)
    with pytest.raises(UserError, match="version 99"):
        lightning_seq.load(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="not a checkpoint"):
        lightning_seq.load(path)
    path.write_text("no checkpoint")
    with pytest.raises(UserError, match="not a checkpoint"):
        lightning_seq.load(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(UserError, match="not a checkpoint of lightning_seq"):
        lightning_seq.load(path)


def test_two_ranks_give_the_losses_of_one(own: list[str], tmp_path: Path) -> None:
    file = write_csv(
        tmp_path / "train.csv", sentences(163)
    )  # 131 for training: the last batch of 16 is 3, then a share of 1 and 2
    tiny = [*TINY, "task.dropout=0", "optimizer=sgd", "data.batch_size=13"]
    words = ["data=csv", f"data.train={file}", *own[2:], *tiny]
    assert main(["train", "model=lstm", *words, "name=one"]) == 0
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "name=two"]
    done = subprocess.run(
        [sys.executable, "-m", "lightning_seq", "train", "model=lstm", *words, *ddp],
        env=environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = record_of(own, "lstm-seed1", "one"), record_of(own, "lstm-seed1", "two")
    for name in ("train/loss", "val/loss", "val/accuracy", "val/macro_f1"):
        mine, theirs = ([point[3] for point in record.curves[name]] for record in (one, two))
        assert mine == pytest.approx(theirs, abs=1e-6), name
    for name in one.metrics:
        assert one.metrics[name] == pytest.approx(two.metrics[name], abs=1e-6), name
    assert one.fingerprints["batches"] == two.fingerprints["batches"]
    log = (Path(own[2].removeprefix("runs=")) / "two/lstm-seed1/log.txt").read_text()
    seen = [int(line.split(" samples")[0].rsplit(" ", 1)[1]) for line in log.splitlines() if "was trained on" in line]
    assert len(seen) == 2
    assert log.count(" samples in 2 epochs\n") == 2
    assert sum(seen) == 131 * 2  # every sample once in each of two epochs
    runs = list((Path(own[2].removeprefix("runs=")) / "two").glob("*/record.json"))
    assert len(runs) == 1
