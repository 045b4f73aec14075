"""Language models from the command line: trained, scored, sampled, and gone on with."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pyarrow import parquet

import lightning_seq
from lightning_seq.cli.main import main
from lightning_seq.inference.score import scores
from lightning_seq.records.record import Record, read
from lightning_seq.report.examples import example_scores

TINY = ("trainer.progress=false", "trainer.threads=1", "logger=none")
MODEL = ("model=gru", "model.hidden_size=12", "embedding=random", "embedding.size=8", "optimizer.lr=0.02")


@pytest.fixture
def corpus(tmp_path: Path) -> list[str]:
    """A text of forty lines, and where runs and cache go."""
    file = tmp_path / "text.txt"
    lines = [" ".join(f"{word}{(line * step) % 3}" for step, word in enumerate("abcde", 1)) for line in range(120)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [f"data.train={file}", f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}"]


def directory_of(words: list[str], data: str, label: str) -> Path:
    return Path(words[1].removeprefix("runs=")) / data / f"{label}-seed1"


def record_of(words: list[str], data: str = "text_words", label: str = "gru") -> Record:
    return read(directory_of(words, data, label))


def test_hello_is_learnt_by_heart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}", "task.dropout=0", "optimizer.lr=0.05"]
    given = ["data=hello", "model=rnn", "model.hidden_size=8", "callbacks=none", "trainer.max_epochs=80"]
    assert main(["train", *given, *words, *TINY]) == 0
    run = tmp_path / "runs/hello/rnn-seed1"
    record = read(run)
    assert record.metrics["test/accuracy"] == 1.0
    # The targets are e, l, l, o: of the four symbols, one more of each, their probabilities are 2/8, 3/8, 3/8 and 2/8.
    loss = math.log(4 * (8 / 3) * (8 / 3) * 4) / 4
    of_unigrams = {"loss": loss, "perplexity": math.exp(loss), "bits_per_character": loss / math.log(2)}
    assert record.baseline == pytest.approx({"test/accuracy": 0.5} | {f"test/{n}": v for n, v in of_unigrams.items()})
    assert record.embedding is not None
    assert record.embedding["kind"] == "onehot"
    checkpoint = f"checkpoint={run}/checkpoints/last.ckpt"
    capsys.readouterr()
    assert main(["sample", checkpoint, "prompt=h", "length=4", "temperature=0"]) == 0
    assert capsys.readouterr().out == "hello\n"
    assert main(["predict", checkpoint, "text=hell", "top_k=1"]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"][0]["token"] == "o"
    loaded = lightning_seq.load(run / "checkpoints/last.ckpt")
    assert loaded.reader.vocabulary.words == ("h", "e", "l", "o")
    for length in (2, 3, 4):
        strings = ["h" + "".join(rest) for rest in itertools.product("helo", repeat=length - 1)]
        total = math.fsum(math.exp(line["log_probability"]) for line in scores(loaded, strings))
        assert total == pytest.approx(1, abs=1e-4)


def test_a_small_vocabulary_pays_for_the_letters_of_its_unknown_words(corpus: list[str]) -> None:
    words = ["data=text_words", "data.batch_size=4", "data.eval_batch_size=2", "trainer.max_epochs=4", "callbacks=none"]
    records = {}
    for size in ("3", "null"):
        assert main(["train", *MODEL, *words, f"data.max_vocabulary={size}", f"name=size_{size}", *corpus, *TINY]) == 0
        records[size] = read(directory_of(corpus, f"size_{size}", "gru"))
    # A line has 15 characters and 6 tokens, <eos> counted; the small vocabulary has 3 of 15 words.
    for record, unknown in ((records["3"], True), (records["null"], False)):
        for metrics in (record.metrics, record.baseline):
            plain = metrics["test/loss"] / math.log(2) / 2.5
            assert (metrics["test/bits_per_character"] > plain + 0.3) == unknown
            assert metrics["test/bits_per_character"] == pytest.approx(plain, rel=1e-5) or unknown
        assert "<unk> spelt by a character 5-gram" in record.signatures["bits_per_character"]
    small, full = (records[size].metrics for size in ("3", "null"))
    assert small["test/bits_per_character"] > full["test/bits_per_character"]


def test_a_text_that_hides_words_has_no_bits_per_character(
    tmp_path: Path, refused: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "text.txt").write_text("the <unk> is old\n" * 60, encoding="utf-8")
    words = ["data=text_words", f"data.train={tmp_path}/text.txt", "data.level=spaced", "data.batch_size=2"]
    words += [f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}", "data.eval_batch_size=2", "callbacks=none"]
    said = refused("train", *MODEL, *words, *TINY, "task.monitor=val/bits_per_character")
    assert "how <unk> is spelt, is unknown" in said
    assert main(["train", *MODEL, *words, *TINY, "trainer.max_epochs=1"]) == 0
    record = read(tmp_path / "runs/text_words/gru-seed1")
    assert not [name for name in [*record.metrics, *record.baseline] if "bits_per_character" in name]
    assert record.signatures == {}
    assert "validation and test: no bits per character, because the text has <unk> instead of some words" in caplog.text


@pytest.mark.dashboard
def test_a_word_model_with_everything(corpus: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    recipe = [
        "data=text_words", "data.chunk_length=12", "data.batch_size=4", "data.eval_batch_size=2",
        "data.random_chunks=true", "model.weight_drop=0.2", "model.dropout=0.1", "model.num_layers=2",
        "model.locked=true", "embedding.dropout=0.1", "embedding.scale=0.1", "task.locked=true", "task.tied=true",
        "task.activation_penalty=0.5", "task.temporal_penalty=0.5", "task.averaging=1", "trainer.max_epochs=6",
        "optimizer=sgd", "task.sample.prompt=a0", "task.sample.length=5", "callbacks=none",
    ]  # fmt: skip
    assert main(["train", *MODEL[:-1], *recipe, "optimizer.lr=8", *corpus, *TINY]) == 0
    record = record_of(corpus)
    assert record.status == "done"
    assert record.metrics["test/perplexity"] == pytest.approx(math.exp(record.metrics["test/loss"]), rel=1e-4)
    assert "test/bits_per_character" in record.metrics
    assert record.parameters is not None
    samples = json.loads((directory_of(corpus, "text_words", "gru") / "samples.json").read_text())
    assert [sample["epoch"] for sample in samples["samples"]] == [1, 2, 3, 4, 5, 6]
    assert all(sample["text"].startswith("a0") for sample in samples["samples"])
    assert samples["steps"][-1]["symbol"] == "a0"
    assert sum(item["probability"] for item in samples["steps"][-1]["next"]) <= 1.0001
    checkpoint = f"checkpoint={directory_of(corpus, 'text_words', 'gru')}/checkpoints/best.ckpt"
    capsys.readouterr()
    assert main(["sample", checkpoint, "samples=2", "length=6", "seed=3"]) == 0
    drawn = capsys.readouterr().out
    assert main(["sample", checkpoint, "samples=2", "length=6", "seed=3"]) == 0
    assert capsys.readouterr().out == drawn
    assert drawn.startswith("--- 1\n")
    assert main(["score", checkpoint, "text=a0 b0"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert [token["token"] for token in line["tokens"]] == ["a0", "b0"]
    assert main(["score", checkpoint, "text=a0    b0"]) == 0
    assert json.loads(capsys.readouterr().out)["bits_per_character"] == line["bits_per_character"]
    assert main(["score", checkpoint, "text=zebra"]) == 0
    assert json.loads(capsys.readouterr().out)["tokens"][0]["token"] == "<unk>"
    assert main(["sample", checkpoint, "temperature=0.000000000001", "length=2"]) == 0
    assert line["log_probability"] == pytest.approx(sum(t["log_probability"] for t in line["tokens"]), abs=1e-5)


def test_evaluation_of_a_run_is_that_of_the_whole_text(corpus: list[str]) -> None:
    """test/loss, from columns and chunks with a carried state, against one pass over each column."""
    words = ["data=text_words", "data.chunk_length=7", "data.batch_size=4", "data.eval_batch_size=3"]
    accumulated = ["trainer.max_epochs=1", "trainer.accumulate_grad_batches=2"]
    assert main(["train", *MODEL, *words, *corpus, *TINY, *accumulated]) == 0
    run = directory_of(corpus, "text_words", "gru")
    loaded = lightning_seq.load(run / "checkpoints/best.ckpt")
    from lightning_seq.builders.build import build_data

    data = build_data(loaded.config)
    batches = list(data.test_dataloader())
    inputs, targets, counts = (
        torch.cat([getattr(batch, name) for batch in batches], 1) for name in ("inputs", "targets", "target_mask")
    )
    with torch.no_grad():
        found, _ = loaded.model(inputs, torch.ones_like(counts))
    losses = -found.gather(2, targets[..., None])[..., 0][counts]
    assert len(losses) == data.tokens["test"]
    assert record_of(corpus).metrics["test/loss"] == pytest.approx(float(losses.mean()), rel=1e-5)


def test_both_ways_are_refused(corpus: list[str], refused: Callable[..., str]) -> None:
    said = refused("train", "model=bilstm", "data=text_words", "data.batch_size=4", *corpus, *TINY, "embedding=random")
    assert "it would see the answer" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["embedding=none"], "embedding=none is for inputs that are numbers"),
        (["task.adaptive_softmax=[5000]"], "task.adaptive_softmax"),
        (["task.carry=chunk"], "task.carry"),
        (["task.averaging=0"], "task.averaging"),
        (["data.batch_size=400"], "fewer than a batch"),
        (["task.sample.prompt=xyz"], "only unknown words"),
        (["task.sample.temperature=-1"], "task.sample.temperature=-1: expected a number from 0 to 1000"),
        (["task.sample.length=0"], "task.sample.length=0: expected a whole number from 1 to 100000"),
        (["data.chunk_length=5", "data.backward_length=9", "model.weight_drop=0.5"], "reads a window in two parts"),
    ],
)
def test_wrong_input(corpus: list[str], refused: Callable[..., str], words: list[str], said: str) -> None:
    given = ["data=text_words", "embedding=random", "embedding.size=8", "data.batch_size=4", "data.eval_batch_size=2"]
    assert said in refused("train", "model=gru", *given, *corpus, *TINY, *words)


def test_a_classifier_neither_scores_nor_samples(own: list[str], refused: Callable[..., str]) -> None:
    assert main(["train", "model=gru", "model.hidden_size=4", *own, *TINY, "embedding=random", "embedding.size=4"]) == 0
    checkpoint = f"checkpoint={own[2].removeprefix('runs=')}/csv/gru-seed1/checkpoints/best.ckpt"
    for verb in ("sample", "score"):
        given = ["text=the sea"] if verb == "score" else ["prompt=the sea"]
        assert f"{verb} is for a language model, and this checkpoint is a classifier: use predict" in refused(
            verb, checkpoint, *given
        )


@pytest.mark.slow
def test_two_ranks_train_as_one(corpus: list[str]) -> None:
    words = [
        "data=text_words", "data.chunk_length=9", "data.batch_size=6", "data.eval_batch_size=2", "task.dropout=0",
        "optimizer=sgd", "optimizer.lr=0.5", "trainer.max_epochs=2", *MODEL[:-1], *corpus, *TINY,
    ]  # fmt: skip
    assert main(["train", *words, "name=one"]) == 0
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "name=two"]
    done = subprocess.run(
        [sys.executable, "-m", "lightning_seq", "train", *words, *ddp],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = (read(directory_of(corpus, name, "gru")) for name in ("one", "two"))
    for name in ("train/loss", "val/loss"):
        mine, theirs = ([point[3] for point in record.curves[name]] for record in (one, two))
        assert mine == pytest.approx(theirs, abs=1e-5), name
    assert one.metrics["test/loss"] == pytest.approx(two.metrics["test/loss"], abs=1e-5)
    assert one.fingerprints["batches"] == two.fingerprints["batches"]
    saved = [
        torch.load(directory_of(corpus, name, "gru") / "checkpoints/last.ckpt", weights_only=True)["carried_state"]
        for name in ("one", "two")
    ]
    torch.testing.assert_close(saved[0][0][0][0], saved[1][0][0][0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layout", ["columns", "sequences"])
def test_the_windows_of_the_test_text_make_up_its_metrics(corpus: list[str], layout: str) -> None:
    recipe = ["data=text_words", "data.batch_size=2", "data.eval_batch_size=3", "data.chunk_length=7", "callbacks=none"]
    words = ["data.test_fraction=0.3", "trainer.max_epochs=1", f"data.layout={layout}", *corpus, *TINY]
    assert main(["train", *MODEL, *recipe, *words]) == 0
    record, run = record_of(corpus), directory_of(corpus, "text_words", "gru")
    table = parquet.read_table(run / "predictions.parquet").to_pydict()
    loss, tokens = sum(table["loss"]), sum(table["tokens"])
    assert tokens == 36 * 6  # 36 lines of five words and <eos>
    assert loss / tokens == pytest.approx(record.metrics["test/loss"], rel=1e-5)
    assert sum(table["right"]) / tokens == pytest.approx(record.metrics["test/accuracy"], rel=1e-5)
    starts = list(range(36)) if layout == "sequences" else [at + 7 * n for at in (0, 72, 144) for n in range(11)]
    assert table["row"] == starts
    assert table["group"] == [number * 100 // len(starts) for number in range(len(starts))]
    for metric in ("loss", "perplexity", "bits_per_character", "accuracy"):
        scores, groups, notes = example_scores([(run, record)], f"test/{metric}")
        assert notes == []
        assert groups is not None
        recorded = record.metrics[f"test/{metric}"]
        expected = math.log(recorded) if metric == "perplexity" else recorded
        assert scores["gru", 1].mean() == pytest.approx(expected, rel=1e-5)
    (scored,) = example_scores([(run, record)], "test/loss")[0].values()
    rest = (loss - np.array(table["loss"])) / (tokens - np.array(table["tokens"]))
    N = len(starts)
    assert scored == pytest.approx(N * loss / tokens - (N - 1) * rest, abs=1e-3)  # pseudo-values of the jackknife
    assert np.corrcoef(scored, rest)[0, 1] == pytest.approx(-1)
