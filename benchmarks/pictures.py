"""Pictures per second of training, the share of time for input, memory, and captions per second of a beam of 5:
`python benchmarks/pictures.py [PICTURES] [STEPS] [WORDS …]`.

Scenes of 96 pixels (20,000 by default) and `model=captioner_attention`, as `train` runs them: two epochs of 100 steps,
of which the second is measured, with all that lies between two batches; words such as `data.augment.shift=4`,
`data.features=cnn` or `data.num_workers=1` change the run. Memory is the peak of the process in training. The
captions are those of a model that hardly learned: they have up to 60 words.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from timing import machine, write_results

from lightning_seq.config.compose import compose
from lightning_seq.data.loader import TrainLoader
from lightning_seq.models.search import BeamSearchConfig, beam_search
from lightning_seq.models.translator import Translator
from lightning_seq.training.assemble import assemble
from lightning_seq.training.environment import peak_memory_bytes, prepare_process
from lightning_seq.training.trainer import build_trainer

WORDS = (
    "data=scenes", "data.canvas=96", "data.size=96", "model=captioner_attention", "trainer=cpu", "trainer.max_epochs=2",
    "trainer.progress=false", "callbacks=none", "callbacks.checkpoint=false", "logger=none", "name=pictures",
)  # fmt: skip
SHOWN = 64


class Timed(TrainLoader):
    """A loader that adds up the seconds until each batch is there."""

    waited = 0.0

    def __iter__(self) -> Iterator[Any]:
        batches = super().__iter__()
        while True:
            begun = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            finally:
                self.waited += time.perf_counter() - begun
            yield batch


class Second(Callback):
    """The seconds of the second epoch, its pictures, and its wait for input."""

    seconds = pictures = waited = 0.0

    def on_train_epoch_start(self, trainer: Trainer, task: LightningModule) -> None:
        self.begun, self.before, self.pictures = time.perf_counter(), self.loader(trainer).waited, 0

    def on_train_batch_end(self, trainer: Trainer, task: LightningModule, outputs: Any, batch: Any, index: int) -> None:
        self.pictures += len(batch.ids)

    def on_train_epoch_end(self, trainer: Trainer, task: LightningModule) -> None:
        self.seconds = time.perf_counter() - self.begun
        self.waited = self.loader(trainer).waited - self.before

    def loader(self, trainer: Trainer) -> Timed:
        loader = trainer.train_dataloader
        assert isinstance(loader, Timed)
        return loader


def main(arguments: list[str]) -> None:
    numbers = [int(word) for word in arguments if word.isdigit()]
    pictures, steps = [*numbers, *(20_000, 100)[len(numbers) :]]
    words = [word for word in arguments if "=" in word]
    config = compose([*WORDS, f"data.examples={pictures}", *words])
    prepare_process(config)
    begun = time.perf_counter()
    run = assemble(config)
    prepared, second = time.perf_counter() - begun, Second()
    prepare_process(config)  # the peak of preparation is another one
    data: Any = run.data
    data.train_dataloader = lambda: Timed(*data.batches("train"), data.num_workers)
    with tempfile.TemporaryDirectory() as directory:
        trainer = build_trainer(run.config, Path(directory), run.task, [], [second])
        trainer.limit_val_batches, trainer.limit_train_batches = 0, steps
        trainer.fit(run.task, datamodule=data)
    memory = peak_memory_bytes()
    model: Any = run.task.model
    model.eval()
    batch = data.reader.batch([data.picture("test", row) for row in range(min(SHOWN, len(data.lengths("test"))))])
    with torch.inference_mode():
        begun = time.perf_counter()
        limits = torch.full((len(batch.ids),), 60)
        beam_search(Translator.of(model, batch.inputs, batch.mask), limits, BeamSearchConfig(5))
    found = {
        "machine": machine(),
        "words": words,
        "pictures": pictures,
        "prepared_s": prepared,
        "pictures_per_second": second.pictures / second.seconds,
        "input_share": second.waited / second.seconds,
        "peak_memory_mb": memory / 1e6,
        "captions_per_second_beam_5": len(batch.ids) / (time.perf_counter() - begun),
    }
    console = Console(width=110)
    console.print({key: round(value, 4) if isinstance(value, float) else value for key, value in found.items()})
    console.print(f"written to {write_results('pictures', found)}")


if __name__ == "__main__":
    main(sys.argv[1:])
