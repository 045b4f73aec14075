"""Public sets of questions about pictures, from a mirror and from a stand-in for the Hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, Features, Image, Value
from PIL import Image as Pillow

from lightning_seq.builders.build import build_data
from lightning_seq.config.compose import compose
from lightning_seq.data.sources.public import VisualQuestionSet
from lightning_seq.errors import UserError
from tests.data.given_questions import COLOURS
from tests.data.hub_server import COMMIT, hub_server

TEXT, NUMBER = Value("string"), Value("int64")
GIVEN = {"answer": TEXT, "answer_confidence": TEXT, "answer_id": NUMBER}


def vqa_set() -> Dataset:
    """Rows as lmms-lab/VQAv2 has them: two questions a picture."""
    rows = range(40)
    answers = [[COLOURS[row % 4]] * 8 + ["The Dark."] * 2 for row in rows]
    given = [[{"answer": text, "answer_confidence": "yes", "answer_id": number}
              for number, text in enumerate(one, 1)] for one in answers]  # fmt: skip
    columns = {
        "question_type": ["what colour"] * 40, "multiple_choice_answer": [COLOURS[row % 4] for row in rows],
        "answers": given, "image_id": [row // 2 for row in rows], "answer_type": ["other", "yes/no"] * 20,
        "question_id": [1000 + row for row in rows], "question": ["What colour is it?"] * 40,
        "image": [Pillow.new("RGB", (9, 9), COLOURS[row // 2 % 4]) for row in rows],
    }  # fmt: skip
    kinds: dict[str, Any] = dict.fromkeys(("question_type", "multiple_choice_answer", "answer_type", "question"), TEXT)
    return Dataset.from_dict(
        columns, Features({**kinds, "answers": [GIVEN], "image_id": NUMBER, "question_id": NUMBER, "image": Image()})
    )


def clevr_set(split: str) -> Dataset:
    columns = {
        "question": ["What color is it?"] * 16, "answer": [COLOURS[row % 4] for row in range(16)],
        "image_filename": [f"CLEVR_{split}_{row // 4:06}.png" for row in range(16)],
        "image": [Pillow.new("RGB", (9, 9), (5 * row, 0, 0)) for row in range(16)],
    }  # fmt: skip
    return Dataset.from_dict(
        columns, Features({**dict.fromkeys(("question", "answer", "image_filename"), TEXT), "image": Image()})
    )


def write(place: Path, **sets: Dataset) -> None:
    (place / "data").mkdir(parents=True)
    (place / "README.md").write_text("")
    for split, rows in sets.items():
        rows.to_parquet(place / "data" / f"{split}-00000-of-00001.parquet")


def test_vqa_v2(tmp_path: Path) -> None:
    write(tmp_path / "mirror" / "lmms-lab" / "VQAv2", validation=vqa_set())
    words = ["data=vqa_v2", f"data.mirror={tmp_path / 'mirror'}", "data.size=9", f"cache={tmp_path}"]
    data = build_data(compose(words))
    assert data.prepared.kinds == ("other", "yes/no")
    assert data.spec.targets.names == tuple(sorted(COLOURS))  # type: ignore[attr-defined]
    numbers = np.array([*data.example_ids("test").values], dtype=int)
    assert (numbers >= 1000).all()
    pictures = {split: {*data.example_ids(split).groups} for split in ("train", "validation", "test")}
    assert len(set.union(*pictures.values())) == sum(map(len, pictures.values())) == 20
    batch = next(iter(data.train_dataloader()))
    assert batch.extra["annotated"].shape[1] == 1  # nobody's most frequent answer is dark
    assert (batch.extra["annotated"][:, 0] == batch.targets).all()
    assert batch.extra["agreement"].unique().tolist() == [1]


def test_clevr(tmp_path: Path) -> None:
    write(tmp_path / "mirror" / "HuggingFaceM4" / "clevr", train=clevr_set("train"), validation=clevr_set("val"))
    words = ["data=clevr", f"data.mirror={tmp_path / 'mirror'}", "data.size=9", f"cache={tmp_path}"]
    data = build_data(compose(words))
    assert len(data.prepared.splits["test"]) == 16
    assert {*data.example_ids("validation").groups} & {*data.example_ids("train").groups} == set()


SCRIPT = """
from lightning_seq.builders.build import build_data
from lightning_seq.config.compose import compose

data = build_data(compose(["data=vqa_v2", "data.mirror=null", "data.size=9", "cache=cache"]))
print(data.prepared.revision, data.prepared.name, sum(map(len, data.prepared.splits.values())))
"""


def test_vqa_v2_from_the_hub(tmp_path: Path) -> None:
    write(tmp_path / "set", validation=vqa_set())
    name = "data/validation-00000-of-00001.parquet"
    with hub_server({"lmms-lab/VQAv2": {"README.md": b"", name: (tmp_path / "set" / name).read_bytes()}}) as server:
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=tmp_path,
            env={
                **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
                "HF_ENDPOINT": server.endpoint,
                "HF_HOME": str(tmp_path / "hub"),
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == f"{COMMIT} lmms-lab/VQAv2 (Hub) 40"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"annotators_column": "question"}, "row 0: 'question' is no list of texts: give data.annotators_column"),
        ({"choices_column": "options"}, r"no column 'options' \(data.choices_column\)"),
        ({"answer_column": "nothing"}, r"no column 'nothing' \(data.answer_column\)"),
        ({"picture_column": "question"}, r"holds no pictures \(data.picture_column\)"),
    ],
)
def test_wrong_columns_are_one_line(keys: dict[str, str], message: str, tmp_path: Path) -> None:
    write(tmp_path / "own" / "set", validation=vqa_set())
    columns = {"answer_column": "multiple_choice_answer", "splits": {"train": "validation"}, **keys}
    with pytest.raises(UserError, match=message) as refused:
        VisualQuestionSet({"id": "own/set"}, str(tmp_path), **columns).load()
    assert "\n" not in str(refused.value)


def test_choices_of_a_public_set(tmp_path: Path) -> None:
    rows = clevr_set("train").add_column("options", [[*COLOURS]] * 15 + [None])
    write(tmp_path / "own" / "set", train=rows)
    columns = {"choices_column": "options", "splits": {"train": "train"}}
    table = VisualQuestionSet({"id": "own/set"}, str(tmp_path), **columns).load().tables["train"]
    assert table.choices is not None
    assert all(one in ([*COLOURS], []) for one in table.choices)
