"""What can be known before any data are read is refused before any are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_seq.builders import build
from lightning_seq.cli.main import main
from lightning_seq.comparison import preflight, prepare
from lightning_seq.comparison.grid import entries
from lightning_seq.config.compose import check_task
from lightning_seq.config.groups import groups, task_of
from lightning_seq.errors import UserError
from tests.runs import TINY

Refused = Callable[..., str]
NO_GPU = not torch.cuda.is_available()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trainer=gpu"], "use trainer=cpu without a GPU"),
        (["trainer.accelerator=tpuu"], "trainer.accelerator=tpuu"),
        (["launcher=submitit"], "launcher=submitit needs submitit"),
        (["launcher=ray"], "launcher=ray needs ray"),
        (["logger=tensorboard"], "pip install"),
        (["model.engine=nativ"], "did you mean native"),
        (["embedding=file", "embedding.path=nowhere.vec"], "embedding.path=nowhere.vec"),
        (["embedding=file"], "embedding.path=FILE"),
        (["task.schedule.kind=linear", "trainer.max_epochs=-1"], "give trainer.max_epochs=N or trainer.max_steps=N"),
        (["task.schedule.factor=2"], "task.schedule"),
        (["optimizer.lr=-1"], "expected a number from 0 to"),
        (["optimizer._target_=torch.optim.Adamm"], "did you mean Adam"),
        (["model=recurrent", "cell=external", "cell.path=nowhere.Cell"], "there is no module 'nowhere'"),
        (["data=dates", "model=encoder_decoder", "task.teacher_forcing.kind=linaer"], "did you mean linear"),
        (["cache=/dev/null/nowhere"], "cache=DIR"),
    ],
)
def test_what_is_known_is_refused_before_data(
    words: list[str], message: str, own: list[str], refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No reader of data is made, and no directory of a run."""

    def reads(*_: Any, **__: Any) -> Any:
        raise AssertionError("data were read")

    monkeypatch.setattr(prepare, "build_data", reads)
    monkeypatch.setattr(preflight, "find_spec", lambda name: None)
    for package in ("ray", "submitit"):
        monkeypatch.setitem(__import__("sys").modules, package, None)
    if words == ["trainer=gpu"] and not NO_GPU:
        words = ["trainer=gpu", "trainer.devices=[97]"]
        message = "trainer.devices=[97]"
    keys = {word.partition("=")[0] for word in words}
    others = [word for word in [*own, *TINY] if word.partition("=")[0] not in keys]
    others = [word for word in others if "embedding=file" not in words or not word.startswith("embedding")]
    others = [word for word in others if "data=dates" not in words or not word.startswith("data.train")]
    assert message in refused("train", "model=rnn" if "model" not in keys else "seed=1", *others, *words)
    assert not list(Path(own[2].removeprefix("runs=")).glob("*/*/record.json"))


@pytest.mark.parametrize("words", [["trainer.max_steps=5"], ["trainer.max_epochs=3"]])
def test_a_fall_to_zero_has_an_end_where_epochs_or_steps_are_limited(words: list[str]) -> None:
    config = entries(["task.schedule.kind=linear", "trainer.max_epochs=-1", *words])[0].config
    build.build_schedule(config)


def test_every_task_and_every_data_set_fit_or_are_told_apart() -> None:
    """Of each pair: the task fits the data, or one line names those that fit."""
    for task in groups()["task"]:
        for data in groups()["data"]:
            config = {"choices": {"task": task, "data": data}}
            if task == task_of(data) or (task, task_of(data)) == ("visual_dialog", "visual_questions"):
                check_task(config)
                continue
            with pytest.raises(UserError, match=f"task={task} does not fit data={data}, which are for") as error:
                check_task(config)
            first = str(error.value).partition(f"for {task}: ")[2].split(", ")[0]
            assert task_of(first) == task


@pytest.mark.parametrize("data", ["csv", "conll", "text_words", "pairs", "bits_2", "adding", "jsb_chorales"])
def test_the_task_that_is_said_is_the_one_that_is_composed(data: str) -> None:
    (entry,) = entries([f"data={data}"])
    assert entry.config["choices"]["task"] == task_of(data)


def test_a_task_that_does_not_fit_is_one_line(own: list[str], refused: Refused) -> None:
    said = refused("train", "model=lstm", "task=tagging", *own)
    assert said.startswith("task=tagging does not fit data=csv, which are for task=classification: leave task= out")


def test_show_config_prints_what_would_run_and_starts_nothing(
    own: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "model=rnn,lstm", "optimizer.lr=0.5", "show=config", *own]) == 0
    out = capsys.readouterr().out
    first, second = yaml.safe_load_all(out)
    assert (first["choices"]["model"], second["choices"]["model"]) == ("rnn", "lstm")
    assert first["optimizer"]["lr"] == second["optimizer"]["lr"] == 0.5
    assert second["cell"]["_target_"].endswith("LSTMCell")
    assert out.startswith("# rnn  (model=rnn)")
    assert main(["train", "model=gru", "show=config", *own]) == 0
    (shown,) = yaml.safe_load_all(capsys.readouterr().out)
    assert json.loads(json.dumps(shown)) == entries(["model=gru", *own])[0].config
    assert not Path(own[2].removeprefix("runs=")).exists()
    with pytest.raises(SystemExit):
        main(["train", "show=confg", *own])
    assert "did you mean config" in capsys.readouterr().err
