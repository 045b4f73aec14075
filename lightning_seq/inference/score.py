"""The probability of a text in a language model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

import torch

from lightning_seq.builders.kinds import check_verb
from lightning_seq.builders.task_kind import Loaded, Row
from lightning_seq.data.language_modelling.reader import LanguageReader
from lightning_seq.inference.predict import noted, with_note
from lightning_seq.models.softmax import token_scores
from lightning_seq.text.vocabulary import UNK

LARGEST = 700.0
"""Nats per token above which a perplexity is too large for float64."""


def scores(loaded: Loaded, texts: Iterable[str], batch_size: int = 16) -> Iterator[Row]:
    """For each text `{"text", "log_probability", "perplexity", "bits_per_character", "tokens": [{"token",
    "log_probability"}, …]}`; logarithms are natural.

    The chain rule: the log-probability of a text is the sum over its tokens, each given the tokens before it. The first
    token is given the end of a line (`<eos>`, or a line feed); in a vocabulary without it, the first is not counted.

    A text with an unknown word has no bits per character: the checkpoint has no model of spellings. Unlike in
    `test/bits_per_character`, spaces next to marks cost nothing.

    A row has a "note" if its text has only unknown words or is empty; a text that cannot be read has no numbers.
    Raises UserError for another kind of model and without any text.
    """
    check_verb("score", loaded.kind)
    reader: LanguageReader = loaded.reader
    for text, row, note in noted(reader, texts, batch_size, lambda batch: _scored(loaded, reader, batch)):
        yield with_note(row or _row(text), note)


@torch.inference_mode()
def _scored(loaded: Loaded, reader: LanguageReader, texts: Sequence[str]) -> list[Row]:
    batch = reader.encode(texts, unknown=True)
    hidden = loaded.model.read(batch.inputs, batch.mask).hidden[batch.target_mask]
    targets, counts = batch.targets[batch.target_mask], batch.target_mask.sum(1).tolist()
    losses, _ = token_scores(loaded.model.softmax, hidden, targets, len(reader.vocabulary))
    rows = []
    for text, first, ids, values in zip(
        texts, batch.inputs[:, 0].tolist(), targets.split(counts), (-losses.double()).split(counts), strict=True
    ):
        total = float(values.sum())
        # One space is between words, and a first symbol that is not predicted does not count.
        typed = text if reader.reading.by_character else "\n".join(" ".join(line.split()) for line in text.split("\n"))
        characters = len(typed) - (len(reader.vocabulary.words[first]) if reader.line_end is None else 0)
        mean = -total / len(ids) if len(ids) else math.inf
        tokens = [
            {"token": reader.vocabulary.words[index], "log_probability": round(value, 6)}
            for index, value in zip(ids.tolist(), values.tolist(), strict=True)
        ]
        perplexity = round(math.exp(mean), 6) if mean < LARGEST else None
        spelt = characters and not (reader.vocabulary.has_specials and UNK in (first, *ids.tolist()))
        bits = round(-total / math.log(2) / characters, 6) if spelt else None
        rows.append(_row(text, round(total, 6), perplexity, bits, tokens=tokens))
    return rows


def _row(text: str, *numbers: float | None, tokens: Sequence[Row] = ()) -> Row:
    names = ("log_probability", "perplexity", "bits_per_character")
    return {"text": text, **dict(zip_longest(names, numbers)), "tokens": [*tokens]}
