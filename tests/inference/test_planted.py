"""Files with something planted in them are read, and nothing in them is run; secrets of the environment stay there."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_seq.cli.main import main
from lightning_seq.embeddings.formats import read_vectors
from lightning_seq.errors import UserError
from lightning_seq.inference.load import load
from lightning_seq.sealed import SEAL
from tests.damage import seal
from tests.runs import TINY


class Planted:
    """What creates a file when it is unpickled."""

    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> Any:
        return Path.touch, (self.touched,)


@pytest.fixture
def touched(tmp_path: Path) -> Path:
    place = tmp_path / "touched"
    pickle.loads(pickle.dumps(Planted(place)))  # noqa: S301  (the payload works)
    place.unlink()
    return place


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.runs import sentences, write_csv

    place = tmp_path_factory.mktemp("trained")
    file = write_csv(place / "train.csv", sentences(160))
    words = ["data=csv", f"data.train={file}", f"runs={place / 'runs'}", f"cache={place / 'cache'}"]
    assert main(["train", "model=recurrent", "cell=elman", *words, *TINY, "trainer.max_epochs=1"]) == 0
    (checkpoint,) = place.glob("runs/csv/*/checkpoints/best.ckpt")
    return checkpoint


def changed(trained: Path, place: Path, change: Any) -> Path:
    """The checkpoint after `change(its content)`."""
    content = torch.load(trained, weights_only=True)
    change(content)
    torch.save(content, place)
    return place


@pytest.mark.parametrize("key", [None, "state_dict", "lightning_seq", "callbacks", "anything"])
def test_a_pickle_in_a_checkpoint(key: str | None, trained: Path, touched: Path, tmp_path: Path) -> None:
    place = tmp_path / "planted.ckpt"
    if key is None:
        place.write_bytes(pickle.dumps(Planted(touched)))
    else:
        changed(trained, place, lambda content: content.update({key: Planted(touched)}))
    with pytest.raises(UserError, match="can be read safely"):
        load(place)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("group", "target"),
    [
        ("cell", "planted_cells.PlantedCell"),
        ("cell", "os.system"),
        ("model", "lightning_seq.data.classification.ClassificationData"),
        ("model", "lightning_seq.launch.fork_server.ForkServer"),
    ],
)
def test_a_checkpoint_cannot_choose_what_is_run(
    group: str, target: str, trained: Path, touched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own `allow` is not believed."""
    (tmp_path / "planted_cells.py").write_text(f"open({str(touched)!r}, 'w').close()\nclass PlantedCell: pass\n")
    monkeypatch.syspath_prepend(tmp_path)

    def choose(content: dict[str, Any]) -> None:
        config = content["lightning_seq"]["config"]
        config[group]["_target_"] = target
        config["allow"] = ["planted_cells", "os"]

    with pytest.raises(UserError, match=rf"{group}\._target_={target} is not admitted"):
        load(changed(trained, tmp_path / "planted.ckpt", choose))
    assert not touched.exists()


def test_a_pickle_in_the_cache_is_never_opened(own: list[str], touched: Path, tmp_path: Path) -> None:
    """Not even where its checksum is right."""
    words = ["train", "model=rnn", *own, *TINY]
    assert main(words) == 0
    (cache,) = (path.parent for path in (tmp_path / "cache" / "data").glob(f"*/{SEAL}"))
    planted = np.array([Planted(touched)], dtype=object)
    for path in cache.glob("*.npy"):
        np.save(path, planted, allow_pickle=True)
    seal(cache)
    assert main([*words, "name=again"]) == 0  # it is made again
    assert not touched.exists()
    for path in cache.glob("*.npy"):
        assert np.load(path, allow_pickle=False).dtype.kind in "iu"


def test_a_damaged_cache_is_made_again(own: list[str], tmp_path: Path) -> None:
    words = ["train", "model=rnn", *own, *TINY]
    assert main(words) == 0
    (flat,) = (tmp_path / "cache" / "data").glob("*/train_flat.npy")
    before = flat.read_bytes()
    for damage in (before[:-3], before[:-1] + bytes([before[-1] ^ 1]), b""):
        flat.write_bytes(damage)
        assert main([*words, f"name=after{len(damage)}{damage[-1:].hex()}"]) == 0
        assert flat.read_bytes() == before


@pytest.mark.parametrize("suffix", [".kv", ".npy", ".bin", ".txt"])
def test_a_pickle_in_the_place_of_word_vectors(suffix: str, touched: Path, tmp_path: Path) -> None:
    place = tmp_path / f"vectors{suffix}"
    place.write_bytes(pickle.dumps(Planted(touched)))
    with pytest.raises(UserError, match="pickle"):
        read_vectors(place)
    np.save(tmp_path / "array.npy", np.array([Planted(touched)], dtype=object), allow_pickle=True)
    with pytest.raises(UserError):
        read_vectors(tmp_path / "array.npy")
    assert not touched.exists()


SECRETS = {
    name: f"canary-{number}-{'k' * 40}"
    for number, name in enumerate(
        ("WANDB_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "MY_PASSWORD")
    )
}


ELSEWHERE = ("compare", "seeds=1", "logger=wandb", "optimizer.lr=0.03,1e30")
"""Runs in processes of their own, one of which fails, with W&B."""


@pytest.mark.dashboard
@pytest.mark.parametrize("given", [("train",), pytest.param(ELSEWHERE, marks=pytest.mark.slow)])
def test_no_secret_is_written_anywhere(
    given: tuple[str, ...],
    own: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nor printed."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    verb, *more = given
    swept = {word.partition("=")[0] for word in more}
    main([verb, "model=rnn", *own, *(word for word in TINY if word.partition("=")[0] not in swept), *more])
    said = capsys.readouterr()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in written) == (given == ELSEWHERE)
    assert any(path.suffix == ".ckpt" for path in written)
    assert any(path.name == "dashboard.html" for path in written)
    for value in SECRETS.values():
        assert value not in said.out + said.err
        for path in written:
            assert value.encode() not in path.read_bytes(), path


def test_a_link_out_of_the_run_root(own: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "csv").symlink_to(outside)
    with pytest.raises(SystemExit) as ended:
        main(["train", "model=rnn", *own, *TINY])
    assert ended.value.code == 2
    assert "outside" in capsys.readouterr().err
    assert not list(outside.iterdir())
