"""Text drawn from a language model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from lightning_seq.builders.kinds import check_verb
from lightning_seq.builders.task_kind import Loaded
from lightning_seq.data.language_modelling.reader import LanguageReader
from lightning_seq.errors import UserError
from lightning_seq.models.sampling import sample


@dataclass(frozen=True)
class Drawing:
    """How to draw. length: symbols after the prompt; samples: drawn side by side; the rest as `sampling.restricted`."""

    length: int = 200
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    samples: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise UserError(f"seed is {self.seed}, expected at least 0 and less than 2^63")
        for name in ("length", "samples"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}, expected at least 1")


@torch.inference_mode()
def pieces(loaded: Loaded, prompt: str, drawing: Drawing) -> Iterator[list[str]]:
    """What each sample's text grows by, step by step, the prompt first; put together they are the texts.

    Raises UserError for another kind of model, for a prompt of unknown words alone, and for none where one is needed.
    """
    check_verb("sample", loaded.kind)
    reader: LanguageReader = loaded.reader
    if drawing.top_k is not None and drawing.top_k > len(reader.vocabulary):
        raise UserError(f"top_k is {drawing.top_k}: expected 1 to {len(reader.vocabulary)}, the size of the vocabulary")
    if not prompt and reader.line_end is None:
        raise UserError('nothing stands before a text of this model: give prompt="…" with at least one symbol')
    ids = reader.encode([prompt]).inputs
    beside = ids.expand(drawing.samples, -1)
    before = 0 if reader.line_end is None else 1
    rows = [row[before:] for row in beside.tolist()]
    shown = [reader.decode(row) for row in rows]
    yield list(shown)
    generator = torch.Generator().manual_seed(drawing.seed)
    for drawn in sample(
        loaded.model,
        beside,
        drawing.length,
        drawing.temperature,
        drawing.top_k,
        drawing.top_p,
        generator,
        reader.suppressed_tokens,
    ):
        grown = []
        for place, index in enumerate(drawn.tolist()):
            rows[place].append(index)
            text = reader.decode(rows[place])
            grown.append(text[len(shown[place]) :])
            shown[place] = text
        yield grown
