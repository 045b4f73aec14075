"""The Hub: the real loading code against a local server, and what is said without a network."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightning_seq.data.sources.columns import Columns
from lightning_seq.data.sources.hub import Hub, reachable
from lightning_seq.errors import UserError

from .hub_server import COMMIT, hub_server

README = b"""---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train.parquet
  - split: test
    path: data/test.parquet
---
"""

SCRIPT = """
import os, sys, time
from lightning_seq.data.sources.columns import Columns
from lightning_seq.data.sources.hub import Hub
from lightning_seq.errors import UserError

columns = Columns(splits={"train": "train", "validation": None, "test": "test"})
loaded = Hub("someone/tiny", columns=columns).load()
print("revision", loaded.revision)
print("classes", loaded.classes)
print("sizes", [len(table) for table in loaded.tables.values()])
print("first", loaded.tables["test"].texts[0], loaded.tables["test"].labels[0])
for case in (Hub("someone/missing", columns=columns), Hub("someone/plain", columns=columns),
             Hub("someone/tiny", config="other", columns=columns),
             Hub("someone/tiny", columns=Columns(label_column="stars")),
             Hub("someone/tiny", columns=Columns(splits={"train": "trian"})),
             Hub("someone/hidden", columns=columns), Hub("someone/script", columns=columns)):
    try:
        case.load()
        print("ERROR none")
    except UserError as error:
        print("ERROR", error)
os.environ["HF_HUB_OFFLINE"] = "1"
loaded = Hub("someone/tiny", columns=columns).load()
print("again", loaded.revision, loaded.notes[-1])
start = time.monotonic()
try:
    Hub("someone/never", columns=columns).load()
except UserError as error:
    print("ERROR", error)
print("seconds", time.monotonic() - start)
"""


def parquet(labels: list[int | None], names: list[str]) -> bytes:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)})
    buffer = io.BytesIO()
    rows = {"text": [f"sentence number {row}" for row in range(len(labels))], "label": labels}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(buffer)
    return buffer.getvalue()


def test_sets_are_loaded_from_a_hub_and_each_mistake_is_named(tmp_path: Path) -> None:
    train, test = parquet([0, 1] * 20, ["bad", "good"]), parquet([1, 0] * 5, ["bad", "good"])
    sets = {
        "someone/tiny": {"README.md": README, "data/train.parquet": train, "data/test.parquet": test},
        "someone/hidden": {
            "README.md": README,
            "data/train.parquet": train,
            "data/test.parquet": parquet([-1] * 4, ["bad", "good"]),
        },
        "someone/plain": {"train.csv": b"text,label\na,b\n"},
        "someone/script": {"README.md": b"", "script.py": b"raise SystemExit"},
    }
    with hub_server(sets) as server:
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={
                **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
                "HF_ENDPOINT": server.endpoint,
                "HF_HOME": str(tmp_path),
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        asked = list(server.asked)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[0] == f"revision {COMMIT}"
    assert lines[1] == "classes ('bad', 'good')"
    assert lines[2] == "sizes [36, 4, 10]"
    assert lines[3] == "first sentence number 0 good"
    missing, plain, config, column, split, hidden, script, never = [line for line in lines if line.startswith("ERROR")]
    assert "someone/missing" in missing
    assert "is not parquet" in plain
    assert "other" in config
    assert "'stars'" in column
    assert "text, label" in column
    assert "did you mean train?" in split
    assert "label missing or out of range" in hidden
    assert "row 0" in hidden
    assert "script" in script
    assert "refs/convert/parquet" in script
    again = next(line for line in lines if line.startswith("again"))
    assert COMMIT in again
    assert "datasets cache" in again
    assert "no network" in never
    assert "data.mirror=DIR" in never
    assert "data=verses_genre" in never
    assert float(lines[-1].split()[1]) < 3
    assert any("/resolve/" in line and line.endswith("train.parquet") for line in asked)


def test_without_a_network_it_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(UserError, match=r"no network .*LIGHTNING_SEQ_MIRROR.*verses_genre"):
        Hub("nobody/has-this-in-a-cache", columns=Columns()).load()
    assert time.monotonic() - start < 8  # most of it the import of `datasets`


def test_an_address_that_is_silent_is_given_up_in_time() -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        assert not reachable(f"http://127.0.0.1:{silent.getsockname()[1]}", patience=0.3)
        assert time.monotonic() - start < 1
