"""Text drawn from a language model."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from lightning_seq.builders.kinds import check_verb
from lightning_seq.builders.task_kind import Loaded
from lightning_seq.data.language_modelling.reader import LanguageReader
from lightning_seq.errors import UserError, at_least_one
from lightning_seq.models.sampling import sample


@torch.inference_mode()
def pieces(
    loaded: Loaded,
    prompt: str,
    length: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    samples: int = 1,
    seed: int = 1,
) -> Iterator[list[str]]:
    """The next piece of each sample's text, step by step, the prompt first; joined, they are the texts.

    length: symbols after the prompt; samples: texts; the other settings as in `sampling.restricted`.

    Raises UserError for another kind of model, for a prompt of unknown words alone, and for a missing prompt if the
    model needs one.
    """
    at_least_one("length", length)
    at_least_one("samples", samples)
    check_verb("sample", loaded.kind)
    reader: LanguageReader = loaded.reader
    if top_k is not None and top_k > len(reader.vocabulary):
        raise UserError(f"top_k is {top_k}: expected 1 to {len(reader.vocabulary)}, the size of the vocabulary")
    if not prompt and reader.line_end is None:
        raise UserError('this model cannot begin a text: give prompt="…" with at least one symbol')
    ids = reader.encode([prompt]).inputs
    prompts = ids.expand(samples, -1)
    before = 0 if reader.line_end is None else 1
    rows = [row[before:] for row in prompts.tolist()]
    shown = [reader.decode(row) for row in rows]
    yield shown
    generator = torch.Generator().manual_seed(seed)
    for drawn in sample(
        loaded.model,
        prompts,
        length,
        temperature,
        top_k,
        top_p,
        generator,
        reader.suppressed_tokens,
    ):
        for row, index in zip(rows, drawn.tolist(), strict=True):
            row.append(index)
        texts = [reader.decode(row) for row in rows]
        yield [text[len(old) :] for text, old in zip(texts, shown, strict=True)]
        shown = texts
