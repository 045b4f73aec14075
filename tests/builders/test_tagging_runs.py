"""Taggers as a user trains them: a file of tagged sentences, a run, its files, and new text."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pyarrow import parquet
from seqeval.metrics import f1_score

import lightning_seq
from lightning_seq.builders.build import build_data, build_model, build_task
from lightning_seq.builders.inputs import build_inputs
from lightning_seq.builders.tagging import overview
from lightning_seq.cli.main import main
from lightning_seq.config.compose import compose
from lightning_seq.metrics.tagging import TaggingMetrics
from lightning_seq.models.parameters import count_parameters
from lightning_seq.records.record import Record, read
from lightning_seq.report.predictions import span_counts
from lightning_seq.text.bio_tags import malformed
from tests.runs import TINY, environment
from tests.tagged import tagged_sentences, write_conll

Refused = Callable[..., str]


@pytest.fixture
def tags(tmp_path: Path) -> list[str]:
    """The words that choose an own file of tagged sentences, a place for runs and a cache."""
    file = write_conll(tmp_path / "train.conll", tagged_sentences(200))
    return ["data=conll", f"data.train={file}", f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}"]


@pytest.fixture
def with_intents(tmp_path: Path) -> list[str]:
    """A mirror with one set of slots and intents."""
    import datasets

    place = tmp_path / "mirror" / "someone" / "slots"
    place.mkdir(parents=True)
    for split, size in (("train", 120), ("validation", 20), ("test", 30)):
        found = tagged_sentences(size, len(split))
        rows = {
            "tokens": [words for words, _ in found],
            "slot_tags": [tags for _, tags in found],
            "intent": ["meet" if "met" in words or "saw" in words else "other" for words, _ in found],
        }
        datasets.Dataset.from_dict(rows).to_parquet(str(place / f"{split}.parquet"))
    (place / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        + "".join(f"  - split: {split}\n    path: {split}.parquet\n" for split in ("train", "validation", "test"))
        + "---\n"
    )
    return [
        "data=snips", f"data.mirror={tmp_path / 'mirror'}", "data.mirror_path=someone/slots",
        f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}",
    ]  # fmt: skip


def run_of(words: list[str], title: str, name: str) -> Path:
    place = next(word.removeprefix("runs=") for word in words if word.startswith("runs="))
    return Path(place) / name / title


def sentences_of(path: Path) -> list[list[list[str]]]:
    return [[line.split(" ") for line in part.split("\n")] for part in path.read_text().strip("\n").split("\n\n")]


def spans(tags: list[str]) -> set[tuple[int, int, str]]:
    """Of well-formed BIO."""
    found, begun = set(), None
    for step, tag in enumerate([*tags, "O"]):
        if begun is not None and not tag.startswith("I-"):
            found.add((begun, step, tags[begun][2:]))
            begun = None
        if tag.startswith("B-"):
            begun = step
    return found


@pytest.mark.dashboard
def test_a_tagger_leaves_everything_that_was_promised(tags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = [*tags, *TINY, "task.characters=cnn", "task.case=3", "task.crf=true", "trainer.max_epochs=4"]
    assert main(["train", "model=bigru", *words]) == 0
    run = run_of(tags, "bigru-seed1", "conll")
    record = read(run)
    assert record.status == "done"
    assert record.metrics["test/f1"] > 0.9
    named = ("loss", "accuracy", "macro_f1", "f1", "precision", "recall")
    assert set(record.metrics) == {f"{split}/{name}" for split in ("val", "test") for name in named}
    best = max(record.curves["val/f1"], key=lambda point: point[3])
    assert record.metrics["val/f1"] == best[3]
    assert {"predictions", "conll", "tagging", "best", "log"} <= set(record.artifacts)
    assert record.parameters["total"] == sum(record.parameters[part] for part in ("embedding", "recurrent", "head"))

    found = sentences_of(run / "predictions.conll")
    assert len(found) == 20
    pairs = [([row[1] for row in sentence], [row[2] for row in sentence]) for sentence in found]
    right = sum(len(spans(target) & spans(prediction)) for target, prediction in pairs)
    total = sum(len(spans(target)) + len(spans(prediction)) for target, prediction in pairs)
    assert 2 * right / total == pytest.approx(record.metrics["test/f1"])
    assert not any(
        tag.startswith("I-") and before[2:] != tag[2:]
        for _, prediction in pairs
        for before, tag in zip(["O", *prediction], prediction, strict=False)
    )

    rows = parquet.read_table(run / "predictions.parquet").to_pylist()
    assert [[row["token"], row["target"], row["prediction"]] for row in rows] == [row for one in found for row in one]
    assert [row["row"] for row in rows] == [number for number, one in enumerate(found) for _ in one]
    assert [row["position"] for row in rows] == [step for one in found for step in range(len(one))]
    assert [row["length"] for row in rows] == [len(one) for one in found for _ in one]
    assert sum(row["target"] == row["prediction"] for row in rows) / len(rows) == pytest.approx(
        record.metrics["test/accuracy"]
    )

    shown = json.loads((run / "tagging.json").read_text())
    assert shown["labels"] == ["O", "B-LOC", "B-PER", "I-PER"]
    confusion = Counter((row["target"], row["prediction"]) for row in rows)
    assert shown["confusion"] == [[confusion[one, other] for other in shown["labels"]] for one in shown["labels"]]
    of_tag = {row["label"]: row for row in shown["per_class"]}["B-LOC"]
    targets = [row for row in rows if row["target"] == "B-LOC"]
    assert of_tag["support"] == len(targets)
    assert of_tag["recall"] == pytest.approx(sum(row["prediction"] == "B-LOC" for row in targets) / len(targets))
    assert sum(row["spans"] for row in shown["spans"]) == sum(len(spans(target)) for target, _ in pairs)
    wrong = [one["target"] != one["prediction"] for one in shown["sentences"]]
    assert wrong == sorted(wrong, reverse=True)
    assert sum(wrong) == sum(target != prediction for target, prediction in pairs)
    for one in shown["sentences"]:
        columns = [list(row) for row in zip(one["tokens"], one["target"], one["prediction"], strict=True)]
        assert columns == found[one["id"]]
        assert one["loss"] == pytest.approx(sum(row["loss"] for row in rows if row["row"] == one["id"]), abs=1e-4)
    for kind in (True, False):
        losses = [one["loss"] for one, bad in zip(shown["sentences"], wrong, strict=True) if bad == kind]
        assert losses == sorted(losses, reverse=True)

    capsys.readouterr()
    texts = [" ".join(row[0] for row in one) for one in (found[0], found[3])]
    file = run / "new.txt"
    file.write_text("\n".join(texts))
    assert main(["predict", f"checkpoint={run / 'checkpoints/best.ckpt'}", f"file={file}"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line, text, one in zip(said, texts, (found[0], found[3]), strict=True):
        assert set(line) == {"text", "predictions"}
        assert line["text"] == text
        assert [[token["token"], token["tag"]] for token in line["predictions"]] == [[row[0], row[2]] for row in one]
        assert all(0 < token["probability"] <= 1 for token in line["predictions"])
    loaded = lightning_seq.load(run / "checkpoints/best.ckpt")
    assert loaded.spec.inputs.characters == loaded.reader.characters  # type: ignore[union-attr]


def test_the_worst_sentences_are_shown_the_wrong_ones_first() -> None:
    draw = random.Random(2)
    sentences, wrong, losses = [], [], []
    for number in range(90):
        rows = [[number, step, draw.randint(-1, 2), 0, draw.uniform(0, 9)] for step in range(3)]
        if number % 3:
            rows = [[*row[:3], max(row[2], 0), row[4]] for row in rows]
        sentences.append(np.array(rows))
        wrong.append(any(row[2] not in (-1, row[3]) for row in rows))
        losses.append(sum(row[4] for row in rows))
    assert 10 < sum(wrong) < 40
    task = SimpleNamespace(
        tables={"confusion": torch.tensor([[3, 1, 0], [0, 0, 2], [0, 0, 0]]), "span_counts": torch.tensor([[1, 2, 4]])},
        test_metrics=TaggingMetrics(("O", "B-X", "I-X")),
    )
    names = ("O", "B-X", "I-X")
    shown: Any = overview(names, task, [["a", "b", "c"]] * 90, sentences).to_plain()  # type: ignore[arg-type]
    order = [number for number in range(90) if wrong[number]], [number for number in range(90) if not wrong[number]]
    expected = [number for part in order for number in sorted(part, key=lambda number: -losses[number])][:60]
    assert [one["id"] for one in shown["sentences"]] == expected
    first = sentences[expected[0]]
    assert shown["sentences"][0]["target"] == [None if tag < 0 else names[int(tag)] for tag in first[:, 2]]
    assert shown["sentences"][0]["loss"] == pytest.approx(losses[expected[0]], abs=1e-6)
    tags = {row.pop("label"): row for row in shown["per_class"]}
    assert tags["O"] == pytest.approx({"precision": 1, "recall": 0.75, "f1": 6 / 7, "support": 4})
    assert tags["I-X"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    (spans,) = shown["spans"]
    assert spans.pop("kind") == "X"
    assert spans == pytest.approx({"precision": 0.5, "recall": 0.25, "f1": 1 / 3, "predicted": 2, "spans": 4})


def test_what_selects_the_best_checkpoint_follows_from_the_tags(tags: list[str]) -> None:
    for more, monitor in (([], "val/f1"), (["task.monitor=val/loss"], "val/loss")):
        assert monitor_of([*tags, *TINY, *more]) == monitor
    place = tags[2].removeprefix("runs=")
    words = ["data=look_ahead", "data.examples=60", f"cache={place}/cache", *TINY]
    assert monitor_of(words) == "val/accuracy"


def monitor_of(words: list[str]) -> str:
    config = compose([*words, "model=rnn"])
    data = build_data(config)
    return build_task(config, data, build_model(config, data.spec, build_inputs(config, data).width)).monitor


def test_tags_that_mark_no_spans_have_no_span_f1(tmp_path: Path) -> None:
    file = write_conll(
        tmp_path / "pos.conll",
        [(words, [tag.replace("B-", "").replace("I-", "") for tag in tags]) for words, tags in tagged_sentences(120)],
    )
    words = ["data=conll", f"data.train={file}", f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}"]
    assert main(["train", "model=rnn", *words, *TINY, "embedding=onehot", "task.crf=true"][:-1]) == 0
    record = read(run_of(words, "rnn-seed1", "conll"))
    names = ("loss", "accuracy", "macro_f1")
    assert set(record.metrics) == {f"{split}/{name}" for split in ("val", "test") for name in names}
    assert record.metrics["val/accuracy"] == max(point[3] for point in record.curves["val/accuracy"])
    assert set(record.baseline) == {"test/accuracy", "test/macro_f1"}
    targets = parquet.read_table(run_of(words, "rnn-seed1", "conll") / "predictions.parquet")["target"].to_pylist()
    assert record.baseline["test/accuracy"] == pytest.approx(targets.count("PER") / len(targets))


@pytest.mark.dashboard
def test_slots_and_intents_are_learnt_together(with_intents: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    given = [*with_intents, *TINY, "task.dropout=0", "task.monitor=val/loss", "trainer.max_epochs=15"]
    assert main(["train", "model=lstm", *given]) == 0
    run = run_of(with_intents, "lstm-seed1", "snips")
    record = read(run)
    assert record.metrics["test/intent_accuracy"] > 0.9
    assert record.metrics["test/f1"] > 0.8
    capsys.readouterr()
    said = []
    for top_k in (1, 2):
        asked = ["text=Ann Hill met Rome", f"top_k={top_k}"]
        assert main(["predict", f"checkpoint={run / 'checkpoints/last.ckpt'}", *asked]) == 0
        said.append(json.loads(capsys.readouterr().out))
    assert [len(line["intents"]) for line in said] == [1, 2]
    assert said[0]["intents"][0]["label"] == "meet"
    assert sum(intent["probability"] for intent in said[1]["intents"]) == pytest.approx(1, abs=1e-5)
    assert [token["tag"] for token in said[0]["predictions"]] == ["B-PER", "I-PER", "O", "B-LOC"]
    config = compose(["model=lstm", *given, "task.intent_weight=0"])
    data = build_data(config)
    alone = build_model(config, data.spec, 8)
    assert record.parameters["head"] - count_parameters(alone)["head"] == 2 * (8 + 1)
    assert build_task(config, data, alone).val_intents is None


@pytest.mark.slow
def test_two_ranks_tag_as_one(with_intents: list[str]) -> None:
    words = [*with_intents, *TINY, "task.dropout=0", "optimizer=sgd", "data.batch_size=17", "data.eval_batch_size=7"]
    words += ["task.crf=true", "task.characters=cnn", "trainer.max_epochs=1", "task.predictions=full"]
    assert main(["train", "model=gru", *words, "name=one"]) == 0
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "name=two"]
    done = subprocess.run(
        [sys.executable, "-m", "lightning_seq", "train", "model=gru", *words, *ddp],
        env=environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = (run_of(words, "gru-seed1", name) for name in ("one", "two"))
    records: tuple[Record, Record] = (read(one), read(two))
    assert set(records[0].metrics) == set(records[1].metrics)
    for name, value in records[0].metrics.items():
        assert records[1].metrics[name] == pytest.approx(value, abs=1e-5), name
    assert (one / "predictions.conll").read_text() == (two / "predictions.conll").read_text()
    first, second = (parquet.read_table(run / "predictions.parquet").to_pylist() for run in (one, two))
    assert [row["id"] for row in first] == [row["id"] for row in second]
    for row, other in zip(first, second, strict=True):
        numbers = {name: value for name, value in row.items() if isinstance(value, float)}
        assert sum(name.startswith("probability_") for name in numbers) > 2
        assert {name: other[name] for name in numbers} == pytest.approx(numbers, abs=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task.characters=cnn", "embedding=onehot"], "use embedding=word2vec or embedding=random"),
        (["task.monitor=val/f2"], "did you mean val/f1"),
        (["task.intent_weight=0.5"], "these data have no classes of whole sentences"),
    ],
)
def test_a_mistake_about_a_tagger(words: list[str], message: str, tags: list[str], refused: Refused) -> None:
    tiny = [word for word in TINY if not word.startswith("embedding") or "embedding=onehot" not in words]
    assert message in refused("train", "model=rnn", *tags, *tiny, *words)
    assert not run_of(tags, "rnn-seed1", "conll").exists()


def test_tags_that_training_lacks_stand_in_no_count(mirror: Path, tmp_path: Path) -> None:
    words = ["data=atis", f"data.mirror={mirror}", f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}"]
    given = [word for word in TINY if "batch_size" not in word]
    assert (
        main(["train", "model=gru", *words, *given, "task.crf=true", "data.batch_size=128", "trainer.max_epochs=1"])
        == 0
    )
    run = run_of(words, "gru-seed1", "atis")
    record = read(run)
    assert record.metrics["test/accuracy"] > 0.5
    rows = [row for sentence in sentences_of(run / "predictions.conll") for row in sentence]
    counted = [row for row in rows if row[1] != "_"]
    assert 0 < len(rows) - len(counted) < 50
    assert parquet.read_table(run / "predictions.parquet").num_rows == len(counted)
    right = sum(target == prediction for _, target, prediction in counted)
    assert right / len(counted) == pytest.approx(record.metrics["test/accuracy"])
    shown = json.loads((run / "tagging.json").read_text())
    assert sum(map(sum, shown["confusion"])) == len(counted)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("ud_ewt", "tagging"),
        ("conll2000", "tagging"),
        ("snips", "tagging"),
        ("verses_punctuation", "tagging"),
        ("semeval2010_task8", "classification"),
    ],
)
def test_an_experiment_names_its_architectures(name: str, task: str) -> None:
    config = compose([f"experiment={name}"])
    assert {"rnn", "birnn", "bilstm"} <= {entry["label"] for entry in config["entries"]}
    assert (config["choices"]["task"], config["choices"]["data"]) == (task, name)
    assert config["task"]["schedule"]["kind"] == "linear"
    assert config["task"]["monitor"] == ("val/relation_f1" if task == "classification" else "auto")


@pytest.mark.parametrize("scheme", ["iobes", "iob1"])
def test_a_run_on_another_scheme_scores_its_spans_and_writes_its_tags(
    scheme: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = ["{0} B-P\nroad I-P\nhill E-P\nsea O\nhill S-Q\n", "wave O\n{0} S-P\nroad S-P\n"]
    if scheme == "iob1":
        rows = ["{0} I-P\nroad I-P\nhill I-P\nsea O\nhill I-Q\n", "wave O\n{0} I-P\nroad B-P\n"]
    (tmp_path / "own.txt").write_text("\n".join(rows[number % 2].format("abcd"[number % 4]) for number in range(60)))
    words = [f"data.train={tmp_path / 'own.txt'}", f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}"]
    given = [*TINY, "data=conll", "model=bilstm", "task.crf=true", "task.constraints=training", "trainer.max_epochs=2"]
    assert main(["train", *given, *words]) == 0
    captured = capfd.readouterr()
    assert f"tags are {scheme.upper()}: spans are scored by F1" in captured.out + captured.err
    directory = next((tmp_path / "runs").glob("*/*-seed1"))
    metrics = read(directory).metrics
    gold, predicted = [], []
    for block in (directory / "predictions.conll").read_text().strip().split("\n\n"):
        columns = [line.split(" ") for line in block.split("\n")]
        gold.append([column[1] for column in columns])
        predicted.append([column[2] for column in columns])
    letters = {tag[0] for tags in gold for tag in tags}
    assert letters == ({"O", "B", "I", "E", "S"} if scheme == "iobes" else {"O", "I", "B"})
    assert metrics["test/f1"] == pytest.approx(f1_score(gold, predicted), abs=1e-6)
    assert all(malformed(tags, scheme) is None for tags in predicted)
    counts = all_spans(directory)
    assert 2 * counts[0] / (counts[1] + counts[2]) == pytest.approx(metrics["test/f1"], abs=1e-6)


def all_spans(directory: Path) -> list[int]:
    """What the report reads of the spans of a run."""
    table = parquet.read_table(directory / "predictions.parquet")
    names = ["target_bio", "prediction_bio"] if "target_bio" in table.column_names else ["target", "prediction"]
    ids, positions = (table[name].to_numpy() for name in ("id", "position"))
    _, counts = span_counts(ids, positions, *(table[name].combine_chunks() for name in names))
    return counts.sum(1).tolist()
