"""Checkpoints that do not fit their own configuration: one line, before memory is taken for them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_seq.cli.main import main
from lightning_seq.errors import UserError
from lightning_seq.inference.load import load
from lightning_seq.training.checkpoints import write_checkpoint
from tests.runs import TINY, sentences, write_csv

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """The words of a run, and its checkpoints."""
    place = tmp_path_factory.mktemp("unfitting")
    file = write_csv(place / "train.csv", sentences(160))
    words = ["train", "model=lstm", "data=csv", f"data.train={file}", f"cache={place / 'cache'}", *TINY]
    assert main([*words, f"runs={place / 'runs'}"]) == 0
    (checkpoints,) = place.glob("runs/csv/*/checkpoints")
    return words, checkpoints


def of_config(group: str, **values: Any) -> Change:
    return lambda content: content["lightning_seq"]["config"][group].update(values)


def of_weights(change: Callable[[torch.Tensor], object]) -> Change:
    """A change of the first weight of the head."""

    def changed(content: dict[str, Any]) -> None:
        name = next(name for name in content["state_dict"] if "head" in name and name.endswith("weight"))
        content["state_dict"][name] = change(content["state_dict"][name])

    return changed


def grow(content: dict[str, Any]) -> None:
    """The weights of a model of another width, none of them stored in full."""
    of_config("embedding", size=100_000)(content)
    for name, value in content["state_dict"].items():
        if "embedding" in name and value.dim() == 2:
            content["state_dict"][name] = torch.zeros(1).expand(len(value), 100_000)
        if "cell.W" in name:
            content["state_dict"][name] = torch.zeros(1).expand(len(value), 100_000)


def share(content: dict[str, Any]) -> None:
    """All weights are parts of the numbers of the largest one."""
    numbers = torch.zeros(max(value.numel() for value in content["state_dict"].values()))
    content["state_dict"] = {
        name: numbers[: value.numel()].view(value.shape) for name, value in content["state_dict"].items()
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.pop("state_dict"), "does not fit its own configuration"),
        (lambda content: content["lightning_seq"].pop("data"), "does not fit its own configuration"),
        (lambda content: content["lightning_seq"]["data"].update(spec=7), "does not fit its own configuration"),
        (lambda content: content["lightning_seq"]["data"].update(vocabulary=[]), "does not fit its own configuration"),
        (
            of_config("model", hidden_size=9),
            r"does not fit its own configuration .*has the shape \[\d+, \d+\], expected",
        ),
        (of_config("model", hidden_size=10**9), "does not fit into the memory of this machine"),
        (of_config("model", num_layers=10**6), "model.num_layers=1000000: expected a whole number from 1 to 1000"),
        (of_config("model", hidden_size=-1), "model.hidden_size=-1: expected"),
        (of_config("embedding", size="8"), "embedding.size=8: expected"),
        (of_weights(lambda weight: weight[:-1]), r"has the shape \["),
        (of_weights(lambda weight: weight.to_sparse()), "is no tensor"),
        (of_weights(lambda weight: None), "is missing"),
        (of_weights(lambda weight: torch.zeros(1).expand(weight.shape)), "is not stored in full"),
        (grow, "is not stored in full"),
        (share, "is not stored in full"),
    ],
)
def test_a_part_that_does_not_fit_the_others(
    change: Change, said: str, run: tuple[list[str], Path], tmp_path: Path
) -> None:
    content, path = torch.load(run[1] / "best.ckpt", weights_only=True), tmp_path / "changed.ckpt"
    change(content)
    torch.save(content, path)
    with pytest.raises(UserError, match=rf"changed\.ckpt.*{said}"):
        load(path)


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_an_archive_that_is_larger_than_its_file(kind: int, run: tuple[list[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "packed.ckpt"
    with zipfile.ZipFile(run[1] / "best.ckpt") as good, zipfile.ZipFile(path, "w", kind) as packed:
        for name in good.namelist():
            packed.writestr(name, good.read(name))
    if kind == zipfile.ZIP_STORED:
        assert load(path).model is not None
        return
    with pytest.raises(UserError, match=r"packed\.ckpt is not a checkpoint that can be read safely"):
        load(path)


@pytest.mark.parametrize("change", [
    lambda content: content["state_dict"].popitem(),
    lambda content: content.update(optimizer_states=[{"a": 1}]),
    lambda content: content["resume"].pop("ranks"),
    lambda content: content.update(loops=5),
])  # fmt: skip
def test_a_run_does_not_resume_from_one_that_does_not_fit(
    change: Change, run: tuple[list[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*run[0], f"runs={tmp_path}", "trainer.max_epochs=3", "callbacks.checkpoint=true", "name=again"]
    assert main(words) == 0
    (directory,) = tmp_path.glob("again/*-seed1")
    last = directory / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    if "state_dict" not in content:
        content["state_dict"] = torch.load(last.with_name("best.ckpt"), weights_only=True)["state_dict"]
        del content["weights_of_best"]
    change(content)
    write_checkpoint(last, content)
    (directory / "record.json").unlink()
    capsys.readouterr()
    with pytest.raises(SystemExit, match="2"):
        main(words)
    said = "".join(capsys.readouterr())
    assert "last.ckpt does not fit this run" in said
    assert "give resume=never to start again" in said
    assert "Traceback" not in said
