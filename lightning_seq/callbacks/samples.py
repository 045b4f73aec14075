"""Texts that a language model samples as it learns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_seq.errors import UserError
from lightning_seq.files import write_json
from lightning_seq.models.language_model import LanguageModel
from lightning_seq.models.sampling import sample
from lightning_seq.records.samples import Samples as SamplesFile
from lightning_seq.records.samples import Step

FILE = "samples.json"
NEXT = 8
"""Likeliest symbols kept for each step of the prompt."""


class Samples(Callback):
    """After each validation, a text sampled after a prompt, and the likeliest symbols after each symbol of the prompt.

    directory: where `samples.json` is written (see `records/samples.py`), with the steps of the last validation.
    prompt:    ids, at least one.
    decode:    ids to text.
    symbols:   `symbols[i]` is the symbol with id i.

    It has its own random generator, so that training is the same with it and without. It must come before a callback
    that averages weights. Raises UserError for a length below 1 and a temperature below 0.
    """

    def __init__(
        self,
        directory: Path,
        prompt: Sequence[int],
        decode: Callable[[Sequence[int]], str],
        symbols: Sequence[str],
        length: int = 60,
        temperature: float = 0.8,
        never: tuple[int, ...] = (),
        seed: int = 1,
    ) -> None:
        if length < 1 or not 0 <= temperature < math.inf:
            raise UserError(
                f"task.sample.length is {length} and task.sample.temperature {temperature}, "
                "expected at least 1 and at least 0"
            )
        self.directory, self.prompt, self.decode, self.symbols = directory, list(prompt), decode, symbols
        self.length, self.temperature, self.never, self.seed = length, temperature, never, seed
        self.texts: list[dict[str, Any]] = []

    # Not at the validation's end: averaged weights, where there are any, are gone by then.
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        model = pl_module.model
        if trainer.state.fn != "fit" or not trainer.is_global_zero or not isinstance(model, LanguageModel):
            return
        was_training = model.training
        model.eval()
        try:
            self._write(model, trainer.current_epoch + 1, pl_module.device)
        finally:
            model.train(was_training)

    @torch.no_grad()
    def _write(self, model: LanguageModel, epoch: int, device: torch.device) -> None:
        prompt = torch.tensor([self.prompt], device=device)
        generator = torch.Generator(device).manual_seed(self.seed)
        drawn = sample(model, prompt, self.length, self.temperature, generator=generator, never=self.never)
        written = [int(ids[0]) for ids in drawn]
        self.texts.append({"epoch": epoch, "text": self.decode([*self.prompt, *written])})
        probabilities = model(prompt, torch.ones_like(prompt, dtype=torch.bool))[0][0].exp()
        values, indices = probabilities.topk(min(NEXT, probabilities.shape[-1]))
        steps = tuple(
            Step(
                self.symbols[symbol],
                tuple((self.symbols[index], round(value, 6)) for index, value in zip(row, likely, strict=True)),
            )
            for symbol, row, likely in zip(self.prompt, indices.tolist(), values.tolist(), strict=True)
        )
        texts = tuple((each["epoch"], each["text"]) for each in self.texts)
        write_json(self.directory / FILE, SamplesFile(self.decode(self.prompt), texts, steps).to_plain())

    def state_dict(self) -> dict[str, Any]:
        return {"texts": self.texts}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.texts = list(state_dict["texts"])
