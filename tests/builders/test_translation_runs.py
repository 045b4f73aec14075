"""Encoder-decoders as a user trains them: pairs of files, a run, its files, translations of new text."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pyarrow import parquet

from lightning_seq.builders.build import build_data, build_model, build_task
from lightning_seq.builders.inputs import build_inputs, initialise
from lightning_seq.cli.main import main
from lightning_seq.config.compose import compose
from lightning_seq.config.groups import groups
from lightning_seq.inference.load import load
from lightning_seq.models.parameters import count_parameters
from lightning_seq.records.record import read
from tests.runs import TINY, crossed, environment

Refused = Callable[..., str]
WORDS = {"ein": "a", "der": "the", "hund": "dog", "mann": "man", "baum": "tree", "rot": "red", "alt": "old"}
MODELS = ("encoder_decoder", "encoder_decoder_context", "encoder_decoder_attention")


def write_pairs(directory: Path, count: int, seed: int = 0) -> list[str]:
    """Two files, line by line; the target has its words in the order of the source."""
    draw, lines = random.Random(seed), []
    for _ in range(count):
        lines.append([draw.choice(list(WORDS)) for _ in range(draw.randint(2, 6))])
    (directory / "de.txt").write_text("\n".join(" ".join(line) for line in lines) + "\n", encoding="utf-8")
    translated = "\n".join(" ".join(WORDS[word] for word in line) for line in lines) + "\n"
    (directory / "en.txt").write_text(translated, encoding="utf-8")
    return ["data=pairs", f"data.train={directory / 'de.txt'}", f"data.train_target={directory / 'en.txt'}"]


@pytest.fixture
def pairs(tmp_path: Path) -> list[str]:
    """The words that choose two own files, a place for runs and a cache."""
    return [*write_pairs(tmp_path, 480), f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for the module: its tests read it alone."""
    place = tmp_path_factory.mktemp("trained")
    pairs = [*write_pairs(place, 480), f"runs={place / 'runs'}", f"cache={place / 'cache'}"]
    words = ["model=encoder_decoder_attention", "cell=gru", "trainer.max_epochs=15", "model.hidden_size=32"]
    words += ["task.dropout=0", "task.schedule.kind=linear", "data.target_language=en"]
    assert main(["train", *TINY, *pairs, *words]) == 0
    return place / "runs" / "pairs" / "encoder_decoder_attention-seed1"


def test_a_run_and_what_it_leaves(trained: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    record = read(trained)
    names = ("loss", "perplexity", "accuracy", "bleu", "chrf", "exact_match")
    assert {f"test/{name}" for name in (*names, "attention_entropy")} <= set(record.metrics)
    assert {f"val/{name}" for name in names} <= set(record.metrics)
    assert record.metrics["test/bleu"] > 80  # type: ignore[operator]
    assert "test/alignment_error_rate" not in record.metrics  # not known of files
    rows = parquet.read_table(trained / "predictions.parquet").to_pylist()
    found = json.loads((trained / "translation.json").read_text())
    assert found["n"] == len(rows) == 48
    assert record.metrics["test/exact_match"] == pytest.approx(sum(r["target"] == r["prediction"] for r in rows) / 48)
    assert sum(found["by_position"]["n"]) == sum(len(row["target"].split()) + 1 for row in rows)
    assert "nrefs:1" in found["signatures"]["bleu"]
    assert [row["n"] for row in found["by_length"]]
    wrong = [row["reference"] != row["hypothesis"] for row in found["examples"]]
    assert wrong == sorted(wrong, reverse=True)

    maps = json.loads((trained / "attention.json").read_text())["sentences"]
    assert [each["epoch"] for each in maps[0]["maps"]] == list(range(1, len(record.curves["val/bleu"]) + 1))
    last = maps[0]["maps"][-1]
    assert len(last["weights"]) == len(last["target"])
    assert all(len(row) == len(maps[0]["source"]) for row in last["weights"])
    assert all(sum(row) == pytest.approx(1, abs=0.01) for row in last["weights"])
    assert "test/bleu" in (trained.parent / "table.md").read_text()
    assert (trained.parent / "dashboard.html").is_file()

    checkpoint = f"checkpoint={trained / 'checkpoints' / 'best.ckpt'}"
    capsys.readouterr()
    assert main(["translate", checkpoint, "text=der alt hund"]) == 0
    assert capsys.readouterr().out.strip() == "the old dog"
    out = tmp_path / "out.json"
    file = tmp_path / "new.txt"
    file.write_text("der alt hund\nein baum\n")
    assert main(["translate", checkpoint, f"file={file}", "n_best=3", "scores=true", f"attention_out={out}"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.strip().split("\n")]
    assert [line[0] for line in lines] == ["1"] * 3 + ["2"] * 3
    assert float(lines[0][1]) >= float(lines[1][1]) >= float(lines[2][1])
    assert lines[0][2] == "the old dog"
    looks = json.loads(out.read_text())
    assert looks[0]["source"] == ["der", "alt", "hund"]
    assert len(looks[0]["weights"]) == len(looks[0]["target"]) == 4
    assert main(["predict", checkpoint, "text=ein baum", "top_k=2"]) == 0
    predicted = json.loads(capsys.readouterr().out)["predictions"]
    assert predicted[0]["translation"] == "a tree"
    assert len(predicted) == 2


def test_loaded_as_it_was_saved(trained: Path) -> None:
    """A test batch gives the same scores; greedy translations do not depend on what stands beside them."""
    loaded = load(trained / "checkpoints" / "best.ckpt")
    data = build_data(loaded.config)
    batch = next(iter(data.test_dataloader()))
    with torch.no_grad():
        written = loaded.model(batch.inputs, batch.mask, batch.targets, batch.target_mask)
        losses = -loaded.model.softmax.log_probabilities(written.hidden[batch.target_mask]).gather(
            1, batch.targets[batch.target_mask][:, None]
        )
    assert float(losses.mean()) == pytest.approx(read(trained).metrics["test/loss"], abs=1e-5)


@pytest.mark.parametrize(("model", "data"), crossed(MODELS[::-1], ["reverse", "copy", "reordering"]))
def test_every_decoder_on_synthetic_pairs(model: str, data: str, tmp_path: Path) -> None:
    words = [f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}", "data.examples=200", f"data={data}"]
    assert main(["train", *TINY, *words, f"model={model}", "trainer.max_epochs=1"]) == 0
    record = read(tmp_path / "runs" / data / f"{model}-seed1")
    assert record.status == "done"
    assert ("test/alignment_error_rate" in record.metrics) == (model == MODELS[2])
    assert record.parameters["total"] > record.parameters["recurrent"] > 0


@pytest.mark.parametrize("attention", groups()["attention"])
def test_every_scorer_is_a_choice(attention: str, pairs: list[str]) -> None:
    config = compose([*TINY, *pairs, "model=encoder_decoder_attention", f"attention={attention}", "name=x"])
    data = build_data(config)
    model = build_model(config, data.spec, 8)
    initialise(model, config, build_inputs(config, data))
    build_task(config, data, model)
    assert count_parameters(model)["total"] > 0
    assert type(model.decoder.attention.scorer).__name__.lower().startswith(attention.replace("_", "")[:5])


def test_vectors_of_both_sides(pairs: list[str]) -> None:
    """Each side's matrix starts from vectors of its own train text; with one vocabulary they are shared."""
    words = [*pairs, "embedding=word2vec", "word2vec.vector_size=8", "word2vec.min_count=1", "word2vec.epochs=2"]
    config = compose([*words, "model=encoder_decoder", "model.hidden_size=8", "name=x"])
    data = build_data(config)
    inputs = build_inputs(config, data)
    assert inputs.target is not None
    assert inputs.fingerprint != inputs.target.fingerprint
    model = build_model(config, data.spec, inputs.width)
    initialise(model, config, inputs)
    torch.testing.assert_close(model.source.weight.detach(), torch.from_numpy(inputs.matrix))
    torch.testing.assert_close(model.target.weight.detach(), torch.from_numpy(inputs.target.matrix))
    dog = data.target_vocabulary.words.index("dog")
    assert dict(zip(inputs.target.vectors.words, range(99), strict=False)).get("dog") is not None  # type: ignore[union-attr]
    assert float(model.target.weight[dog].abs().sum()) > 0
    config = compose([*words, "model=encoder_decoder", "name=x", "data.joint_vocabulary=true", "task.tied=all"])
    data = build_data(config)
    model = build_model(config, data.spec, 8)
    assert model.source.weight is model.target.weight is model.softmax.weight


@pytest.mark.slow
def test_two_ranks_are_one(tmp_path: Path) -> None:
    """Losses, BLEU of all that both ranks wrote, and the batches; the last batch of an epoch is uneven."""
    words = [*write_pairs(tmp_path, 150), f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}", *TINY]
    words += ["model=encoder_decoder_attention", "cell=gru", "task.dropout=0", "optimizer=sgd", "optimizer.lr=0.1"]
    assert main(["train", *words, "name=one"]) == 0
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "name=two"]
    done = subprocess.run(
        [sys.executable, "-m", "lightning_seq", "train", *words, *ddp],
        env=environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = (read(tmp_path / "runs" / name / "encoder_decoder_attention-seed1") for name in ("one", "two"))
    assert one.metrics.keys() == two.metrics.keys()
    for name in one.metrics:
        assert one.metrics[name] == pytest.approx(two.metrics[name], abs=1e-5), name
    assert one.fingerprints["batches"] == two.fingerprints["batches"]
    rows = [
        parquet.read_table(tmp_path / "runs" / name / "encoder_decoder_attention-seed1" / "predictions.parquet")
        for name in ("one", "two")
    ]
    assert rows[0].column("prediction").to_pylist() == rows[1].column("prediction").to_pylist()


def test_a_decoder_cell_of_its_own(pairs: list[str], refused: Refused) -> None:
    config = compose([*TINY, *pairs, "model=encoder_decoder", "cell=gru", "model.decoder_cell=lstm", "name=x"])
    model = build_model(config, build_data(config).spec, 8)
    assert type(model.decoder.cells[0]).__name__ == "LSTMCell"
    assert "did you mean" in refused("train", *pairs, "model=encoder_decoder", "model.decoder_cell=lstn").lower()


WRONG: list[tuple[list[str], str]] = [
    (["model=lstm"], "use model=encoder_decoder"),
    (["model=encoder_decoder", "attention=dot"], "use model=encoder_decoder_attention"),
    (["model=encoder_decoder_attention", "attention=dto"], "there is no such attention"),
    (["model=encoder_decoder", "model.bridge=zeros"], "no input from the source"),
    (["model=encoder_decoder", "model.bridge=cpy"], "model.bridge=cpy is unknown"),
    (["model=encoder_decoder", "task.tied=all", "embedding.size=8"], "data.joint_vocabulary=true"),
    (["model=encoder_decoder", "task.beam=0"], "task.beam=0: expected a whole number from 1 to 1000"),
    (["model=encoder_decoder", "task.label_smoothing=1.5"], "task.label_smoothing"),
    (["model=encoder_decoder", "task.teacher_forcing.kind=lin"], "task.teacher_forcing.kind"),
    (["model=encoder_decoder", "task.coverage_penalty=1.0"], "encoder_decoder_attention"),
    (["model=encoder_decoder_attention", "model.input_feeding=true"], "model.style=luong"),
    (["model=encoder_decoder", "task.monitor=val/blue"], "val/bleu"),
    (["model=encoder_decoder", "embedding=onehot"], "one-hot"),
]


@pytest.mark.parametrize(("words", "says"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_wrong_configurations(words: list[str], says: str, pairs: list[str], refused: Refused) -> None:
    given = [word for word in TINY if not word.startswith("embedding.size") or "embedding=onehot" not in words]
    assert says in refused("train", *given, *pairs, *words)


def test_wrong_texts(trained: Path, tmp_path: Path, refused: Refused) -> None:
    checkpoint = f"checkpoint={trained / 'checkpoints' / 'best.ckpt'}"
    assert "empty" in refused("translate", checkpoint, "text= ")
    assert "writes only 'en'" in refused("translate", checkpoint, "text=ein hund", "target_language=fr")
    assert "n_best is 9 with beam=3" in refused("translate", checkpoint, "text=ein hund", "n_best=9", "beam=3")
    assert "scores is 'yes'" in refused("translate", checkpoint, "text=ein hund", "scores=yes")
    assert "did you mean" in refused("translate", checkpoint, "text=ein hund", "nbest=2").lower()


def test_a_classifier_does_not_translate(own: list[str], tmp_path: Path, refused: Refused) -> None:
    assert main(["train", *TINY, *own, "model=gru", "trainer.max_epochs=1"]) == 0
    checkpoint = f"checkpoint={tmp_path / 'runs' / 'csv' / 'gru-seed1' / 'checkpoints' / 'best.ckpt'}"
    assert "translate is for a translator, and this checkpoint is a classifier: use predict" in refused(
        "translate", checkpoint, "text=a ship"
    )
    assert "encoder_decoder" in refused("train", *TINY, *own, "model=encoder_decoder")


def test_unequal_files(tmp_path: Path, refused: Refused) -> None:
    words = write_pairs(tmp_path, 50)
    target = tmp_path / "en.txt"
    target.write_text("".join(target.read_text().splitlines(keepends=True)[:47]))
    said = refused("train", *TINY, *words, "model=encoder_decoder", f"cache={tmp_path / 'c'}", f"runs={tmp_path / 'r'}")
    assert "50" in said
    assert "47" in said
    assert "48" in said  # the first line without a partner


@pytest.mark.parametrize(
    ("given", "monitor", "tokenize"),
    [([], "val/chrf", "13a"), (["task.bleu_tokenize=char"], "val/bleu", "char")],
)
def test_the_monitor_is_chosen_by_what_the_tokeniser_sees(
    given: list[str], monitor: str, tokenize: str, tmp_path: Path
) -> None:
    rows = [f"day {number}\t{number % 28 + 1:02}.{number % 12 + 1:02}.{1990 + number}" for number in range(60)]
    (tmp_path / "dates.tsv").write_text("\n".join(rows) + "\n")
    words = [
        "data=pairs",
        f"data.train={tmp_path / 'dates.tsv'}",
        "data.level=character",
        f"cache={tmp_path / 'cache'}",
    ]
    config = compose(["model=encoder_decoder", "embedding=random", *words, *given])
    data = build_data(config)
    inputs = build_inputs(config, data)
    task = build_task(config, data, build_model(config, data.spec, inputs.width))
    assert (task.monitor, task.text.tokenize) == (monitor, tokenize)
