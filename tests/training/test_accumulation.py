"""Batches whose gradients are accumulated give the step of one larger batch, whatever their lengths."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lightning_seq.cli.main import main
from lightning_seq.training.checkpoints import read_checkpoint
from tests.runs import environment
from torture.killed import Runner, Scene, differences, struck

WORDS = ["ka", "ke", "ki", "ko", "la", "le", "li", "lo", "ma", "me", "mi", "mo"]
DATA = {
    "classification": "data=csv",
    "tagging": "data=conll",
    "language_modelling": "data=text_words",
    "sequence_to_sequence": "data=pairs",
}
CASES = {
    "classification": ("classification", "model=gru", "task.class_weights=[1,4]", "task.label_smoothing=0.1"),
    "tagging": ("tagging", "model=gru"),
    "crf": ("tagging", "model=gru", "task.crf=true"),
    "language_modelling": ("language_modelling", "model=gru", "data.layout=sequences"),
    "sequence_to_sequence": (
        "sequence_to_sequence", "model=encoder_decoder_attention", "cell=gru", "task.coverage_penalty=0.5",
    ),
    "regression": ("data=adding", "model=gru", "data.examples=60", "data.length=7"),
    "bits": ("data=bits_2", "model=gru", "data.examples=60", "data.variable=true"),
    "sets": ("data=jsb_chorales", "model=gru"),
}  # fmt: skip
"""Every kind of task; lengths of 1 to 20, so that a mean over batches is far from that over their targets."""
EXACT = (
    "optimizer=sgd", "optimizer.lr=0.5", "trainer.gradient_clip_val=null", "trainer.max_epochs=1",
    "task.dropout=0", "model.hidden_size=6", "callbacks=none", "callbacks.checkpoint=true", "logger=none",
    "trainer.progress=false", "trainer.threads=1", "launcher=inline",
)  # fmt: skip


def data_of(kind: str, directory: Path) -> list[str]:
    """Small files of random sentences, a fifth of them long."""
    draw = random.Random(3)
    sentences = [[draw.choice(WORDS) for _ in range(20 if n % 5 == 0 else draw.randint(1, 3))] for n in range(40)]
    lines = [" ".join(sentence) for sentence in sentences]
    files = {
        "classification": "text,label\n" + "".join(f"{line},{line[0] < 'l'}\n" for line in lines),
        "tagging": "".join("".join(f"{word} {word[1]}\n" for word in each) + "\n" for each in sentences),
        "language_modelling": "".join(f"{line}\n" for line in lines),
        "sequence_to_sequence": "".join(f"{line}\t{line.upper()}\n" for line in lines),
    }
    if kind not in files:
        return [kind]
    file = directory / ("pairs.tsv" if kind == "sequence_to_sequence" else f"{kind}.csv")
    file.write_text(files[kind], encoding="utf-8")
    return [DATA[kind], f"data.train={file}", "embedding=random", "embedding.size=6"]


def weights(directory: Path) -> dict[str, torch.Tensor]:
    (path,) = directory.rglob("last.ckpt")
    return read_checkpoint(path)["state_dict"]


def words_of(case: str, directory: Path) -> list[str]:
    kind, *words = CASES[case]
    if case == "sets" and "LIGHTNING_SEQ_MIRROR" not in os.environ:
        pytest.skip("set LIGHTNING_SEQ_MIRROR to a directory in Hub layout that has jsb_chorales")
    places = [f"runs={directory / 'runs'}", f"cache={directory / 'cache'}"]
    return ["train", *data_of(kind, directory), *words, *EXACT, *places]


def differ(one: Path, other: Path) -> float:
    left, right = weights(one), weights(other)
    return max(float((left[name] - right[name]).abs().max()) for name in left if left[name].is_floating_point())


@pytest.mark.parametrize("case", CASES)
def test_accumulated_batches_give_the_step_of_one(case: str, tmp_path: Path) -> None:
    """A whole epoch at once, and in one step of small batches that lacks most of those asked for."""
    words = words_of(case, tmp_path)
    assert main([*words, "name=whole", "data.batch_size=400"]) == 0
    assert main([*words, "name=parts", "data.batch_size=7", "trainer.accumulate_grad_batches=90"]) == 0
    before = torch.cat([value.flatten() for value in weights(tmp_path / "runs/whole").values()])
    assert bool(before.isfinite().all())
    assert differ(tmp_path / "runs/whole", tmp_path / "runs/parts") < 2e-6


@pytest.mark.slow
@pytest.mark.parametrize("case", ["tagging", "sequence_to_sequence"])
def test_two_ranks_accumulate_as_one(case: str, tmp_path: Path) -> None:
    words = [*words_of(case, tmp_path), "data.batch_size=7", "trainer.accumulate_grad_batches=3"]
    assert main([*words, "name=one"]) == 0
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "launcher=local", "name=two"]
    ended = subprocess.run(
        [sys.executable, "-m", "lightning_seq", *words, *ddp],
        env=environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert differ(tmp_path / "runs/one", tmp_path / "runs/two") < 2e-6


@pytest.mark.slow
def test_a_run_killed_inside_a_window_ends_as_one_that_was_not(runner: Runner, tmp_path: Path) -> None:
    """Tagging, three batches to a step; the last step of an epoch has two."""
    scene = Scene.of("tagging", tmp_path, ("trainer.accumulate_grad_batches=3", "trainer.max_steps=9"))
    straight = scene.run("straight")
    runner.finish(straight)
    code, directory = struck(runner, scene, "struck", "batch", 17, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not any(differences(straight.directory, directory).values())
