"""Problems of memory as a user runs them: compared, tested, their answers on disk, and new sequences."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from pyarrow import parquet

import lightning_seq
from lightning_seq.builders import bits, regression
from lightning_seq.builders.build import build_data
from lightning_seq.builders.kinds import kind_of
from lightning_seq.cli.main import main
from lightning_seq.config.compose import compose
from lightning_seq.config.groups import conf_directory
from lightning_seq.records.record import Record, read
from lightning_seq.spec import Bits, DataSpec, Features, Values

Refused = Callable[..., str]
TINY = (
    "model.hidden_size=8", "trainer.max_epochs=2", "trainer.progress=false", "trainer.threads=1", "logger=none",
    "data.examples=80", "data.batch_size=16", "launcher=inline",
)  # fmt: skip
CHOICES = {
    "bits_1": ("bits", "none"), "bits_2": ("bits", "none"), "bits_3": ("bits", "none"), "bits_4": ("bits", "none"),
    "bits_parity": ("bits", "none"), "adding": ("regression", "none"), "copy_memory": ("tagging", "onehot"),
    "agreement": ("classification", "random"),
}  # fmt: skip


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    return [f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}"]


def run_of(places: list[str], name: str, label: str) -> Path:
    return Path(places[0].removeprefix("runs=")) / name / f"{label}-seed1"


def done(places: list[str], name: str, label: str) -> Record:
    record = read(run_of(places, name, label))
    assert record.status == "done", record.error
    return record


@pytest.mark.parametrize("name", CHOICES)
def test_a_problem_chooses_its_task_and_its_embedding(name: str) -> None:
    config = compose([f"data={name}"])
    assert (config["choices"]["task"], config["choices"]["embedding"]) == CHOICES[name]
    assert config["data"]["licence"] == "none needed (synthetic)"


def test_a_maximum_over_time_does_not_remember_in_the_place_of_the_state() -> None:
    for name in ("adding", "agreement"):
        assert compose([f"data={name}"])["task"]["pooling"] == "last"


def test_given_bits_are_another_kind_than_music() -> None:
    assert kind_of(DataSpec(Features(1), Bits(1, shifted=False))) is bits.KIND
    assert kind_of(DataSpec(Features(1), Values(1))) is regression.KIND
    assert kind_of(DataSpec(Features(1), Bits(1))) is not bits.KIND
    plain = DataSpec(Features(1), Bits(1, ("x",), shifted=False)).to_plain()
    assert DataSpec.from_plain(plain) == DataSpec(Features(1), Bits(1, ("x",), shifted=False))
    del plain["targets"]["shifted"]  # of a checkpoint from before there were others
    assert DataSpec.from_plain(plain).targets == Bits(1, ("x",))


@pytest.mark.dashboard
def test_architectures_are_compared_on_bits(places: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    given = ["data=bits_3", "model=rnn,lstm,gru", "seeds=1", "optimizer.lr=0.05", "trainer.max_epochs=6"]
    tiny = [word for word in TINY if not word.startswith("trainer.max_epochs")]
    assert main(["compare", *given, *places, *tiny]) == 0
    records = [done(places, "bits_3", label) for label in ("rnn", "lstm", "gru")]
    assert {record.task for record in records} == {"bits"}
    assert len({record.fingerprints["batches"] for record in records}) == 1
    assert len({record.fingerprints["split"] for record in records}) == 1
    for record in records:
        assert set(record.metrics) == {
            f"{split}/{name}" for split in ("val", "test") for name in ("loss", "bits_correct", "exact_match")
        }
        assert record.metrics["test/bits_correct"] > 0.9
        assert record.parameters is not None
        assert record.parameters["embedding"] == 0
        assert record.parameters["head"] == 9
    rows = parquet.read_table(run_of(places, "bits_3", "gru") / "predictions.parquet").to_pydict()
    assert rows["id"] == list(range(8))
    data = build_data(compose(["data=bits_3", *TINY, *places]))
    bit = int(data.splits["train"].targets.mean() > 0.5)
    answered = data.splits["test"].targets == bit
    expected = {"test/bits_correct": answered.mean(), "test/exact_match": answered.all((1, 2)).mean()}
    assert records[0].baseline == records[2].baseline == pytest.approx(expected)
    inverse = ["".join(str(1 - int(bit)) for bit in row.flatten()) for row in data.splits["test"].inputs]
    assert rows["target"] == inverse
    answers = list(zip(rows["target"], rows["prediction"], strict=True))
    right = [one == other for target, said in answers for one, other in zip(target, said, strict=True)]
    assert np.mean(right) == pytest.approx(records[2].metrics["test/bits_correct"])
    whole = np.mean([target == said for target, said in answers])
    assert whole == pytest.approx(records[2].metrics["test/exact_match"])
    assert np.mean(rows["loss"]) == pytest.approx(records[2].metrics["test/loss"], rel=1e-4)
    capsys.readouterr()
    checkpoint = f"checkpoint={run_of(places, 'bits_3', 'gru')}/checkpoints/best.ckpt"
    assert main(["predict", checkpoint, "text=[1,0,0,1]"]) == 0
    steps = json.loads(capsys.readouterr().out)["predictions"]
    assert [step["step"] for step in steps] == [1, 2, 3, 4]
    assert [step["bits"] for step in steps] == [[0], [1], [1], [0]]


def test_strings_of_any_length_in_one_step_and_both_ways(places: list[str]) -> None:
    given = ["data=bits_2", "data.variable=true", "model=bilstm", "optimizer.lr=0.05"]
    assert main(["train", *given, *places, *TINY]) == 0
    done(places, "bits_2", "bilstm")
    run = run_of(places, "bits_2", "bilstm")
    data = build_data(compose([*given, *TINY, *places]))
    rows = parquet.read_table(run / "predictions.parquet").to_pydict()
    test = data.splits["test"]
    for text, answer, given_bits in zip(rows["target"], rows["prediction"], test.inputs[:, 0].tolist(), strict=True):
        assert text == "".join("-" if bit < 0 else str(1 - int(bit)) for bit in given_bits)
        assert [place == "-" for place in answer] == [bit < 0 for bit in given_bits]


@pytest.mark.dashboard
def test_the_adding_problem(places: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "data=adding", "data.length=12", "model=gru,irnn", "seeds=1", *places, *TINY]) == 0
    assert "always saying the mean of training has a squared error of" in capsys.readouterr().out
    for label in ("gru", "irnn"):
        record = done(places, "adding", label)
        assert record.task == "regression"
        assert set(record.metrics) == {
            f"{split}/{name}" for split in ("val", "test") for name in ("loss", "mse", "rmse", "mae", "success")
        }
    rows = parquet.read_table(run_of(places, "adding", "gru") / "predictions.parquet").to_pydict()
    assert set(rows["value"]) == {"sum"}
    assert rows["id"] == list(range(8))
    metrics = done(places, "adding", "gru").metrics
    errors = np.array(rows["target"]) - np.array(rows["prediction"])
    assert np.mean(errors**2) == pytest.approx(metrics["test/mse"], rel=1e-4)
    assert np.mean(np.abs(errors) < 0.04) == pytest.approx(metrics["test/success"])
    checkpoint = run_of(places, "adding", "gru") / "checkpoints/best.ckpt"
    assert main(["predict", f"checkpoint={checkpoint}", "text=[[0.5,1],[0.1,0],[0.25,1]]"]) == 0
    (said,) = json.loads(capsys.readouterr().out)["predictions"]
    assert said["value"] == "sum"
    loaded = lightning_seq.load(checkpoint)
    assert loaded.spec.targets == Values(1, ("sum",))
    data = build_data(loaded.config)
    assert data.spec == loaded.spec
    record = done(places, "adding", "gru")
    assert data.fingerprints["data"] == record.fingerprints["data"]
    errors = np.abs(data.splits["test"].targets - data.splits["train"].targets.mean())
    expected = {"loss": np.mean(errors**2), "mse": np.mean(errors**2), "mae": errors.mean()}
    expected["rmse"] = np.sqrt(np.mean(errors**2))
    expected["success"] = (errors < 0.04).mean()
    assert record.baseline == pytest.approx({f"test/{name}": value for name, value in expected.items()})


def test_symbols_are_held_and_a_subject_is(places: list[str]) -> None:
    given = ["data=copy_memory", "data.length=6", "data.distance=5", "model=gru"]
    assert main(["train", *given, *places, *TINY]) == 0
    record = done(places, "copy_memory", "gru")
    assert record.task == "tagging"
    rows = parquet.read_table(run_of(places, "copy_memory", "gru") / "predictions.parquet").to_pydict()
    assert len(rows["id"]) == 8 * 6
    assert set(rows["position"]) == set(range(11, 17))
    assert main(["train", "data=agreement", "data.distance=6", "embedding.size=6", "model=lstm", *places, *TINY]) == 0
    record = done(places, "agreement", "lstm")
    assert record.task == "classification"
    assert record.metrics["test/accuracy"] >= 0.25


def test_how_far_back_in_one_comparison() -> None:
    file = conf_directory() / "experiment" / "memory_horizon.yaml"
    given = yaml.safe_load(file.read_text(encoding="utf-8"))["entries"]
    models = {"rnn": "rnn", "irnn": "irnn", "lstm": "lstm", "gru": "gru", "peephole": "peephole_lstm"}
    labels = [f"{name}-{distance}" for distance in (20, 50, 100, 200) for name in models]
    assert [entry["label"] for entry in given] == labels
    for entry in given:
        name, _, distance = entry["label"].partition("-")
        assert entry["overrides"] == [f"model={models[name]}", f"data.length={distance}"]
    for entry in given[::6]:  # each distance once, and four of the models
        config = compose(["experiment=memory_horizon", *entry["overrides"]])
        assert config["choices"]["data"] == "adding"
        assert f"data.length={config['data']['source']['length']}" in entry["overrides"]
        assert config["model"]["hidden_size"] == 64
        assert config["callbacks"]["early_stopping"] is None
        assert config["init"]["recurrent"] == ("identity" if entry["label"].startswith("irnn") else "uniform")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data=bits_3", "data.length=0"], "data.length=0: expected a whole number of at least 1"),
        (["data=bits_3", "data.length=ten"], "data.length=ten: expected a whole number of at least 1, ten came"),
        (["data=bits_1", "data.length=3"], "bits_1 has one bit"),
        (["data=bits_3", "data.variable=true"], "there is no key 'variable' in data"),
        (["data=bits_5"], "did you mean bits_"),
        (["data=bits_3", "embedding=random"], "embedding=random is for words, these inputs are numbers"),
        (["data=bits_3", "task.monitor=val/accuracy"], "task.monitor is 'val/accuracy'"),
        (["data=adding", "data.variant=1997"], "data.variant=1997: expected arjovsky2016 or hochreiter1997"),
        (["data=adding", "data.variant=hochreiter"], "did you mean hochreiter1997"),
        (["data=adding", "task.tolerance=0"], "task.tolerance is 0"),
        (["data=adding", "task.tolerance=small"], "task.tolerance=small: expected a number"),
        (["data=adding", "model=window_mlp"], "has no final state: use task.pooling=mean, max or attention"),
        (["data=copy_memory", "data.distance=0"], "data.distance=0: expected a whole number of at least 1"),
        (["data=copy_memory", "data.length=2"], "there are 64 different sentences"),
        (["data=agreement", "data.distance=4"], "data.distance=4: expected a whole number of at least 6"),
        (
            ["data=agreement", "data.split_seed=-1"],
            "data.split_seed=-1: expected a whole number of at least 0",
        ),
    ],
)
def test_wrong_input(places: list[str], refused: Refused, words: list[str], said: str) -> None:
    model = [] if any(word.startswith("model=") for word in words) else ["model=gru"]
    assert said in refused("train", *model, *places, *TINY[2:], *words)


def test_what_is_no_sequence(places: list[str], refused: Refused) -> None:
    assert main(["train", "data=adding", "data.length=6", "model=rnn", *places, *TINY]) == 0
    checkpoint = f"checkpoint={run_of(places, 'adding', 'rnn')}/checkpoints/best.ckpt"
    assert "the sea came, expected numbers in JSON" in refused("predict", checkpoint, "text=the sea")


@pytest.mark.slow
@pytest.mark.parametrize("data", [["data=adding", "data.length=7"], ["data=bits_2", "data.variable=true"]])
def test_two_ranks_train_as_one(places: list[str], data: list[str]) -> None:
    words = [*data, "model=gru", "optimizer=sgd", "optimizer.lr=0.05", *places, *TINY, "data.batch_size=7"]
    name = data[0].removeprefix("data=")
    assert main(["train", *words, "name=one"]) == 0
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "name=two"]
    ended = subprocess.run(
        [sys.executable, "-m", "lightning_seq", "train", *words, *ddp],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    one, two = (done(places, run, "gru") for run in ("one", "two"))
    assert one.data == two.data == name
    assert one.metrics == pytest.approx(two.metrics, abs=1e-5)
    assert one.fingerprints["batches"] == two.fingerprints["batches"]
    tables = [
        parquet.read_table(run_of(places, run, "gru") / "predictions.parquet").to_pydict() for run in ("one", "two")
    ]
    assert tables[0]["id"] == tables[1]["id"]
    assert tables[0]["target"] == tables[1]["target"]
