"""The cost of Lightning and our callbacks per step, over a plain loop: `python benchmarks/overhead.py [seconds]`.

A trivial model (one linear layer on the maximum of an embedding) with our data, task, callbacks and curve logger in a
Trainer as `train` builds it, against a loop of the same forward, backward, clipping and optimiser step on the same
batches. In turn, epochs of each; the difference per step in milliseconds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from timing import machine, tenth, write_results

from lightning_seq.builders.build import build_data, build_model, build_task
from lightning_seq.builders.inputs import build_inputs, initialise
from lightning_seq.callbacks.batch_fingerprint import BatchFingerprint
from lightning_seq.callbacks.clock import TrainingClock
from lightning_seq.config.compose import compose
from lightning_seq.losses.cross_entropy import cross_entropy_sum
from lightning_seq.training.environment import prepare_process
from lightning_seq.training.loggers.curve_logger import CurveLogger
from lightning_seq.training.trainer import build_trainer

WORDS = (
    "model=bag_of_embeddings", "data=verses_genre", "embedding=random", "embedding.size=8", "data.batch_size=8",
    "data.max_length=8", "trainer.max_epochs=1", "trainer.progress=false", "callbacks=none", "logger=none",
    "optimizer=sgd", "optimizer.lr=0.01",
)  # fmt: skip


def prepared() -> tuple[dict[str, Any], Any, Any]:
    config = compose(list(WORDS))
    prepare_process(config)
    data = build_data(config)
    inputs = build_inputs(config, data)
    config = {**config, "embedding": {**config["embedding"], "size": inputs.width}}
    model = build_model(config, data.spec, inputs.width)
    initialise(model, config, inputs)
    return config, data, build_task(config, data, model)


def with_lightning(directory: Path) -> float:
    """Seconds per step, of training alone."""
    config, data, task = prepared()
    clock = TrainingClock()
    curves = CurveLogger(directory, lambda: clock.seconds, lambda: None)
    trainer = build_trainer(config, directory, task, [curves], [clock, BatchFingerprint()])
    trainer.fit(task, datamodule=data)
    curves.close()
    return clock.seconds / trainer.global_step


def plain() -> float:
    config, data, task = prepared()
    optimizer = task.optimizer_of(task.model.parameters())
    batches = data.train_dataloader()
    task.model.train()
    steps, begun = 0, time.perf_counter()
    for batch in batches:
        optimizer.zero_grad()
        scores = task.model(batch.inputs, batch.mask)
        (cross_entropy_sum(scores, batch.targets, batch.target_mask) / batch.count).backward()
        torch.nn.utils.clip_grad_norm_(task.model.parameters(), config["trainer"]["gradient_clip_val"])
        optimizer.step()
        steps += 1
    return (time.perf_counter() - begun) / steps


def main(arguments: list[str]) -> None:
    budget = float(arguments[0]) if arguments else 60.0
    ours: list[float] = []
    theirs: list[float] = []
    end = time.perf_counter() + budget
    with tempfile.TemporaryDirectory() as directory:
        while len(ours) < 3 or time.perf_counter() < end:
            ours.append(with_lightning(Path(directory) / str(len(ours))))
            theirs.append(plain())
    found = {
        "machine": machine(),
        "lightning_ms": tenth(ours) * 1e3,
        "plain_ms": tenth(theirs) * 1e3,
        "cost_ms": (tenth(ours) - tenth(theirs)) * 1e3,
        "rounds": len(ours),
    }
    console = Console(width=110)
    console.print(
        f"a step with Lightning {found['lightning_ms']:.3f} ms, in a plain loop {found['plain_ms']:.3f} ms: "
        f"its own cost is {found['cost_ms']:.3f} ms ({found['rounds']} rounds)"
    )
    console.print(f"written to {write_results('lightning', found)}")


if __name__ == "__main__":
    main(sys.argv[1:])
