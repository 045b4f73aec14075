"""Relations between two entities as a user trains them: a file of sentences, a run, its files, and new text."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from pyarrow import parquet

from lightning_seq.cli.main import main
from lightning_seq.errors import UserError
from lightning_seq.records.record import read
from lightning_seq.tasks.classification import SequenceClassification
from tests.runs import TINY, write_csv

VERBS = ("saw", "met", "left", "found")
PLACES = ("Rome", "Oslo", "Kiel")
RELATIONS = ("Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Other", "Product-Producer(e1,e2)")


def relation_sentences(count: int) -> list[tuple[str, str]]:
    draw = random.Random(1)
    said = ("causes", "is caused by", "near", "makes")
    made = []
    for number in range(count):
        kind = number % 4
        middle = said[kind] if kind != 2 else draw.choice(("near", "with", "of"))
        made.append((f"the {draw.choice(VERBS)} entity1 {middle} the entity2 {draw.choice(PLACES)}", RELATIONS[kind]))
    return made


@pytest.mark.parametrize("loss", ["ranking", "cross_entropy"])
@pytest.mark.dashboard
def test_relations_are_ranked_or_told_apart(tmp_path: Path, loss: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_csv(tmp_path / "train.csv", [(text, f'"{label}"') for text, label in relation_sentences(200)])
    own = ["data=csv", f"data.train={file}", f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}"]
    given = [*own, *TINY, f"task.loss={loss}", "task.monitor=val/relation_f1", "trainer.max_epochs=3"]
    assert main(["train", "model=gru", *given]) == 0
    run = tmp_path / "runs/csv/gru-seed1"
    record = read(run)
    assert record.metrics["test/relation_f1"] > 0.9
    rows = parquet.read_table(run / "predictions.parquet").to_pylist()
    assert {row["target"] for row in rows} == set(RELATIONS)
    assert sum(row["loss"] for row in rows) / len(rows) == pytest.approx(record.metrics["test/loss"], rel=1e-4)
    assert record.parameters["head"] == (8 + 1) * (3 if loss == "ranking" else 4)
    capsys.readouterr()
    checkpoint = f"checkpoint={run / 'checkpoints/best.ckpt'}"
    assert main(["predict", checkpoint, "text=the saw entity1 makes the entity2 Rome", "top_k=4"]) == 0
    said: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["predictions"]
    assert said[0]["label"] == "Product-Producer(e1,e2)"
    if loss == "cross_entropy":
        assert sum(line["probability"] for line in said) == pytest.approx(1, abs=1e-5)
    else:
        assert {line["label"]: line["score"] for line in said}["Other"] == 0
        assert said[0]["score"] > 0
    assert torch.load(run / "checkpoints/best.ckpt", weights_only=True)["lightning_seq"]["data"]["labels"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loss": "rankin"}, "did you mean ranking"),
        ({"monitor": "val/relation_f1"}, "no directed relations"),
        ({"loss": "ranking", "label_smoothing": 0.1}, "act on cross-entropy"),
        ({"loss": "ranking", "class_weights": torch.ones(3)}, "act on cross-entropy"),
    ],
)
def test_a_mistake_about_relations(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SequenceClassification(torch.nn.Identity(), 3, torch.optim.SGD, **given)  # type: ignore[arg-type]
