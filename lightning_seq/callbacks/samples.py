"""Texts that a language model samples as it learns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer

from lightning_seq.callbacks.diagnostic import ModelWriter
from lightning_seq.callbacks.probe import looking
from lightning_seq.errors import UserError
from lightning_seq.files import write_json
from lightning_seq.models.language_model import LanguageModel
from lightning_seq.models.sampling import sample
from lightning_seq.records.samples import Samples as SamplesFile
from lightning_seq.records.samples import Step

FILE = "samples.json"
NEXT, SEED = 8, 1
"""The number of likeliest symbols for each step of the prompt; the seed of the generator for the text."""


class Samples(ModelWriter):
    """Writes `samples.json` (see `records/samples.py`) after each validation: a text sampled after a prompt, and the
    likeliest symbols after each symbol of the prompt.

    prompt:  ids, at least one.
    decode:  ids to text.
    symbols: `symbols[i]` is the symbol with id i.

    It must come before a callback that averages weights, which restores the others at the validation's end. Raises
    UserError for a length below 1 and a temperature below 0.
    """

    STATE = "texts"

    def __init__(
        self,
        directory: Path,
        prompt: Sequence[int],
        decode: Callable[[Sequence[int]], str],
        symbols: Sequence[str],
        length: int,
        temperature: float,
        suppressed_tokens: tuple[int, ...],
    ) -> None:
        if length < 1 or not 0 <= temperature < math.inf:
            raise UserError(
                f"task.sample.length is {length} and task.sample.temperature {temperature}, "
                "expected at least 1 and at least 0"
            )
        super().__init__(directory)
        self.prompt, self.decode, self.symbols = list(prompt), decode, symbols
        self.length, self.temperature, self.suppressed_tokens = length, temperature, suppressed_tokens
        self.results = []

    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        model = task.model
        if isinstance(model, LanguageModel):
            with looking(model), torch.no_grad():
                self._sample(model, epoch, task.device)

    def _sample(self, model: LanguageModel, epoch: int, device: torch.device) -> None:
        prompt = torch.tensor([self.prompt], device=device)
        generator = torch.Generator(device).manual_seed(SEED)
        ids = sample(
            model, prompt, self.length, self.temperature, generator=generator, suppressed_tokens=self.suppressed_tokens
        )
        text = self.decode([*self.prompt, *(int(one[0]) for one in ids)])
        self.results = [*self.results, {"epoch": epoch, "text": text}]
        probabilities = model(prompt, torch.ones_like(prompt, dtype=torch.bool))[0][0].exp()
        values, indices = probabilities.topk(min(NEXT, probabilities.shape[-1]))
        steps = tuple(
            Step(
                self.symbols[symbol],
                tuple((self.symbols[index], round(value, 6)) for index, value in zip(row, likely, strict=True)),
            )
            for symbol, row, likely in zip(self.prompt, indices.tolist(), values.tolist(), strict=True)
        )
        texts = tuple((text["epoch"], text["text"]) for text in self.results)
        write_json(self.directory / FILE, SamplesFile(self.decode(self.prompt), texts, steps).to_plain())
