"""Runs that are killed and resumed, and their differences from an uninterrupted run."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pyarrow import parquet

from lightning_seq.comparison.grid import entries
from lightning_seq.launch.fork_server import Child, ForkServer
from lightning_seq.launch.local import MODULES, environment_of
from lightning_seq.records.record import read
from lightning_seq.training.checkpoints import read_checkpoint
from lightning_seq.training.directory import is_running, prepare_directory
from lightning_seq.training.planned import Planned

SHARED = (
    "embedding=random", "embedding.size=8", "model.hidden_size=8", "trainer.max_epochs=4", "trainer.progress=false",
    "logger=none", "trainer.threads=1",
)  # fmt: skip

TASKS = {
    "classification": (
        "data=csv", "model=bilstm", "data.batch_size=12", "data.eval_batch_size=8", "embedding.dropout=0.2",
        "trainer.accumulate_grad_batches=2", "task.schedule.kind=plateau", "task.schedule.patience=0",
        "callbacks.checkpoint_every_n_steps=2", "trainer.log_every_n_steps=3",
        "callbacks.early_stopping.patience=2", "optimizer.lr=0.02",
    ),
    "language_modelling": (
        "data=text_words", "model=lstm", "model.weight_drop=0.2", "task.locked=true", "task.carry=epochs",
        "task.averaging=1", "data.layout=columns", "data.chunk_length=12", "data.random_chunks=true",
        "data.batch_size=4", "data.eval_batch_size=2", "optimizer=sgd", "optimizer.lr=20", "data.num_workers=1",
        "callbacks.early_stopping=null", "callbacks.checkpoint_every_n_steps=4",
    ),
    "sequence_to_sequence": (
        "data=pairs", "model=encoder_decoder_attention", "data.batch_size=16", "data.eval_batch_size=8",
        "task.teacher_forcing.kind=linear", "task.teacher_forcing.steps=20", "task.schedule.kind=linear",
        "task.schedule.warmup_steps=4", "optimizer.lr=0.02", "task.beam=2", "task.length_extra=4", "data.num_workers=2",
    ),
    "tagging": (
        "data=conll", "model=bigru", "task.characters=cnn", "task.crf=true", "data.batch_size=12",
        "data.eval_batch_size=8", "embedding.frozen=1", "trainer.max_steps=38", "data.num_workers=0",
        "callbacks.checkpoint_every_n_steps=5", "optimizer.lr=0.02",
    ),
    "visual_questions": (
        "data=scene_questions", "model=gru", "data.examples=80", "data.canvas=24", "data.size=24", "task.width=8",
        "data.batch_size=16", "data.eval_batch_size=8", "data.num_workers=1", "callbacks.checkpoint_every_n_steps=2",
        "optimizer.lr=0.02",
    ),
    "visual_dialog": (
        "data=scene_dialog", "model=gru", "data.examples=20", "data.canvas=24", "data.size=24", "task.width=8",
        "task.answers=written", "task.history=memory", "data.batch_size=24", "data.eval_batch_size=8",
        "callbacks.checkpoint_every_n_steps=2", "optimizer.lr=0.02",
    ),
}  # fmt: skip
"""Between them: buckets, windows of drawn lengths, 0 to 2 workers, accumulation, dropout of every kind, carried states,
averaged weights, every schedule, early stopping, frozen vectors, samples and attention maps."""


def write_data(directory: Path) -> dict[str, list[str]]:
    """Small files of random sentences for each task that reads files; the words that choose them."""
    draw = random.Random(7)
    words = [f"{a}{b}" for a in "klmnprst" for b in "aeiou"]
    sentences = [[draw.choice(words) for _ in range(draw.randint(2, 9))] for _ in range(160)]
    lines = [" ".join(sentence) for sentence in sentences]
    directory.mkdir(parents=True, exist_ok=True)
    texts = {
        "train.csv": "text,label\n" + "".join(f"{line},{line[0] < 'n'}\n" for line in lines),
        "text.txt": "".join(f"{line}\n" for line in lines),
        "pairs.tsv": "".join(f"{line}\t{' '.join(reversed(line.upper().split()))}\n" for line in lines),
        "tags.conll": "".join("".join(f"{word} {word[1]}\n" for word in each) + "\n" for each in sentences),
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    return {task: [f"data.train={directory / name}"] for task, name in zip(TASKS, texts, strict=False)}


PATIENCE = 300.0
"""Seconds after which a run that has not ended counts as hanging."""


@dataclass(frozen=True)
class Scene:
    """The directories of the runs of one task.

    words: all that is the same for them.
    """

    task: str
    words: tuple[str, ...]

    @classmethod
    def of(cls, task: str, root: Path, more: Sequence[str] = ()) -> Scene:
        data = write_data(root / "data").get(task, [])
        places = [f"runs={root / 'runs'}", f"cache={root / 'cache'}"]
        return cls(task, (*SHARED, *TASKS[task], *data, *places, *more))

    def run(self, name: str) -> Planned:
        (entry,) = entries([*self.words, f"name={self.task}-{name}"])
        return Planned(entry, 1)


class Runner:
    """Starts runs as the launcher does; each is a copy of a process that has imported everything."""

    def __init__(self) -> None:
        kinds = ("classification", "language_modelling", "sequence_to_sequence", "tagging")
        own = [f"lightning_seq.{room}.{kind}" for room in ("data", "tasks", "builders") for kind in kinds]
        self._server = ForkServer([*MODULES, *own, "torture.strike"])

    def start(self, run: Planned, strike: str = "") -> Child:
        """strike: see `torture.strike`."""
        wait_for_its_lock(run.directory)
        prepare_directory(run.directory, run.config)
        paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**environment_of(run, 1), "STRIKE": strike, "PYTHONPATH": os.pathsep.join(paths)}
        return self._server.start([str(run.directory)], environment, run.directory / "log.txt")

    def finish(self, run: Planned) -> None:
        """Raises RuntimeError for another end than success."""
        code = self.start(run).wait(PATIENCE)
        if code != 0:
            raise RuntimeError(f"{run.directory} ended with {code}: {(run.directory / 'log.txt').read_text()[-2000:]}")

    def close(self) -> None:
        self._server.close()


def wait_for_its_lock(directory: Path, seconds: float = 10.0) -> None:
    """Workers of a killed run may outlive it for a moment."""
    begun = time.monotonic()
    while is_running(directory) and time.monotonic() - begun < seconds:
        time.sleep(0.02)


def differences(one: Path, other: Path) -> dict[str, list[str]]:
    """The differences of two runs that should be the same: under `losses`, `samples`, `weights` and `files`."""
    first, second = read(one), read(other)
    found: dict[str, list[str]] = {"losses": [], "samples": [], "weights": [], "files": []}
    if first.status != "done" or second.status != "done":
        found["losses"].append(f"{first.status} and {second.status}: {first.error} {second.error}")
    for name in sorted({*first.curves, *second.curves}):
        curves = [[[p[0], p[1], p[3]] for p in record.curves.get(name, [])] for record in (first, second)]
        if curves[0] != curves[1]:
            at = next((i for i, (a, b) in enumerate(zip(*curves, strict=False)) if a != b), min(map(len, curves)))
            found["losses"].append(f"{name}: {curves[0][at : at + 1]} {curves[1][at : at + 1]}")
    if first.metrics != second.metrics:
        found["losses"].append(f"metrics: {first.metrics} {second.metrics}")
    for name in ("data", "batches", "epochs"):
        if first.fingerprints.get(name) != second.fingerprints.get(name):
            found["samples"].append(f"{name}: {first.fingerprints.get(name)} {second.fingerprints.get(name)}")
    for name in ("best.ckpt", "last.ckpt"):
        states = [read_checkpoint(place / "checkpoints" / name) for place in (one, other)]
        states = [{key: value for key, value in state.items() if key != "lightning_seq"} for state in states]
        found["weights"] += [
            f"{name} {line}"
            for line in unlike(*states)
            if not line.startswith(("callbacks.TrainingClock", "resume.mark", "resume.curves", "resume.resumed"))
            and "seconds" not in line and "path" not in line and "best_k_models" not in line
        ]  # fmt: skip
    for name in ("samples.json", "attention.json"):
        texts = [(place / name).read_bytes() if (place / name).is_file() else b"" for place in (one, other)]
        found["files"] += [name] if texts[0] != texts[1] else []
    tables = [parquet.read_table(place / "predictions.parquet") for place in (one, other) if has_predictions(place)]
    if len({table.num_rows for table in tables}) > 1 or (len(tables) == 2 and not tables[0].equals(tables[1])):
        found["files"].append("predictions.parquet")
    return found


def has_predictions(directory: Path) -> bool:
    return (directory / "predictions.parquet").is_file()


def unlike(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """The paths at which two states differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            yield from unlike(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for place, pair in enumerate(zip(one, other, strict=True)):
            yield from unlike(*pair, f"{path}.{place}")
    elif isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        same = one.shape == other.shape and one.dtype == other.dtype
        if not same or not torch.equal(one.nan_to_num(), other.nan_to_num()):
            yield f"{path}: tensors"
    elif one != other:
        yield f"{path}: {one} {other}"


def struck(runner: Runner, scene: Scene, name: str, place: str, count: int, number: signal.Signals) -> tuple[int, Path]:
    """A run that is struck at a place and resumed until it is done: its first exit code, and its directory."""
    run = scene.run(name)
    shutil.rmtree(run.directory, ignore_errors=True)
    code = runner.start(run, f"{place}:{count}:{int(number)}").wait(PATIENCE)
    if code != 0:
        runner.finish(run)
    return code, run.directory


def struck_in_time(
    runner: Runner, scene: Scene, name: str, seconds: Sequence[float], number: signal.Signals
) -> tuple[list[int], Path]:
    """A run that is killed some seconds after each of its starts: exit codes, and its directory."""
    run = scene.run(name)
    shutil.rmtree(run.directory, ignore_errors=True)
    codes = []
    for wait in seconds:
        child = runner.start(run)
        begun = time.monotonic()
        while child.poll() is None and time.monotonic() - begun < wait:
            time.sleep(0.002)
        if child.poll() is None:
            os.kill(child.pid, number)
        codes.append(child.wait(PATIENCE))
        if codes[-1] == 0:
            return codes, run.directory
    runner.finish(run)
    return codes, run.directory
