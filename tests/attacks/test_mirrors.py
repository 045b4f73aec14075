"""Sets of a mirror that name files elsewhere, or on the network."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from lightning_seq.data.sources.columns import Columns
from lightning_seq.data.sources.mirror import Mirror
from lightning_seq.errors import UserError
from lightning_seq.files import write_parquet
from lightning_seq.training.data_files import data_files


def set_of_a_mirror(tmp_path: Path) -> Mirror:
    """A mirror with the set `someone/tiny`, whose README.md names its files."""
    place = tmp_path / "mirror" / "someone" / "tiny"
    place.mkdir(parents=True)
    rows = {"text": [f"row {row}" for row in range(20)], "label": ["a", "b"] * 10}
    for split in ("train", "test"):
        write_parquet(place / f"{split}.parquet", rows)
    write_card(place / "README.md", "train.parquet")
    return Mirror(str(tmp_path / "mirror"), "someone/tiny", columns=Columns(splits={"train": "train", "test": "test"}))


def write_card(path: Path, train: str, more: str = "") -> None:
    marks = "---\n" if path.suffix == ".md" else ""
    files = f"  data_files:\n  - split: train\n    path: {train}\n  - split: test\n    path: test.parquet\n"
    path.write_text(f"{marks}configs:\n- config_name: default\n{files}{more}{marks}")


@pytest.mark.parametrize("card", ["README.md", ".huggingface.yaml"])
@pytest.mark.parametrize(
    "train",
    [
        "{outside}/secret.parquet", "../../../secret.parquet", "file:{outside}/secret.parquet",
        "'file://{outside}/secret.parquet'", "'[train.parquet, ../../../secret.parquet]'", "'~/secret.parquet'",
        "'http://127.0.0.1:{port}/secret.parquet'", "'zip://*.parquet::http://127.0.0.1:{port}/x.zip'",
        "'hf://datasets/someone/else/x.parquet'", "[test.parquet, /etc/passwd]",
    ],
)  # fmt: skip
def test_a_mirror_cannot_name_files_elsewhere(train: str, card: str, tmp_path: Path) -> None:
    """Nor fetch them: a server hears of no request."""
    source = set_of_a_mirror(tmp_path)
    write_parquet(tmp_path / "secret.parquet", {"text": ["secret"] * 20, "label": ["a", "b"] * 10})
    with socket.create_server(("127.0.0.1", 0)) as server:
        named = train.format(outside=tmp_path, port=server.getsockname()[1])
        write_card(tmp_path / "mirror" / "someone" / "tiny" / card, named)
        with pytest.raises(UserError, match="expected parquet files inside that directory"):
            source.load()
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_directory_of_data_elsewhere_is_refused(tmp_path: Path) -> None:
    source = set_of_a_mirror(tmp_path)
    card = tmp_path / "mirror" / "someone" / "tiny" / "README.md"
    card.write_text("---\nconfigs:\n- config_name: default\n  data_dir: ../../..\n---\n")
    with pytest.raises(UserError, match="expected parquet files inside that directory"):
        source.load()


def test_a_link_of_a_mirror_to_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    source = set_of_a_mirror(tmp_path)
    train = tmp_path / "mirror" / "someone" / "tiny" / "train.parquet"
    train.rename(tmp_path / "mirror" / "blob")
    train.symlink_to("../../blob")
    assert source.load().tables["train"].texts[0] == "row 0"  # inside the mirror, as in the cache of the Hub
    train.unlink()
    (tmp_path / "mirror" / "blob").rename(tmp_path / "secret.parquet")
    train.symlink_to(tmp_path / "secret.parquet")
    with pytest.raises(UserError, match=r"secret\.parquet.*expected parquet files inside"):
        source.load()


@pytest.mark.parametrize("name", ["train.csv", "train.json", "train.txt"])
def test_a_mirror_has_parquet_alone(name: str, tmp_path: Path) -> None:
    source = set_of_a_mirror(tmp_path)
    place = tmp_path / "mirror" / "someone" / "tiny"
    (place / name).write_text('{"text": "x", "label": "a"}\n')
    write_card(place / "README.md", name)
    with pytest.raises(UserError, match=r"not parquet|cannot be loaded|names the file"):
        source.load()


def test_broken_yaml_of_a_mirror_is_one_line(tmp_path: Path) -> None:
    source = set_of_a_mirror(tmp_path)
    (tmp_path / "mirror" / "someone" / "tiny" / "README.md").write_text("---\nconfigs: [}\n---\n")
    with pytest.raises(UserError, match="cannot be loaded"):
        source.load()


@pytest.mark.parametrize("name", ["README.md", ".huggingface.yaml", "dataset_infos.json", "train.parquet"])
def test_the_fingerprint_of_a_mirror_covers_every_file_that_is_read(name: str, tmp_path: Path) -> None:
    source = set_of_a_mirror(tmp_path)
    place = tmp_path / "mirror" / "someone" / "tiny"
    config = {"data": {"mirror": str(tmp_path / "mirror"), "mirror_path": "someone/tiny"}}
    before = source.identity(), data_files(config)
    if name.endswith(".parquet"):
        write_parquet(place / name, {"text": ["other"] * 3, "label": ["x"] * 3})
    else:
        (place / name).write_bytes(b"changed")
    assert source.identity() != before[0]
    assert data_files(config) != before[1]


@pytest.mark.parametrize("name", ["README.md", "more.parquet"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_refused(name: str, make: Callable[[Path], None], tmp_path: Path) -> None:
    """A pipe would be waited for, without an end."""
    mirror = set_of_a_mirror(tmp_path)
    path = tmp_path / "mirror" / "someone" / "tiny" / name
    path.unlink(missing_ok=True)
    make(path)
    with pytest.raises(UserError, match="is not a file: expected no directory, pipe or broken link"):
        mirror.identity()


def test_aliases_of_a_card_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    mirror = set_of_a_mirror(tmp_path)
    names = "abcdefghijklmnop"
    levels = [f"{one}: &{one} [{', '.join([f'*{before}'] * 10)}]" for before, one in pairwise(names)]
    card = "\n".join(["---", "a: &a [1]", *levels, "configs: *p", "---", ""])
    (tmp_path / "mirror" / "someone" / "tiny" / "README.md").write_text(card)
    with pytest.raises(UserError, match="its aliases repeat too many parts"):
        mirror.load()
