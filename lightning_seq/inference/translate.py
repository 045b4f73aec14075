"""Translations of new text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from lightning_seq.builders.kinds import check_verb
from lightning_seq.builders.sequence_to_sequence import TranslatedText, translated
from lightning_seq.builders.task_kind import Loaded
from lightning_seq.errors import UserError
from lightning_seq.models.search import BeamSearchConfig


def translations(
    loaded: Loaded,
    texts: Iterable[str],
    search: BeamSearchConfig,
    batch_size: int = 32,
    attention: bool = False,
    target_language: str | None = None,
) -> Iterator[list[TranslatedText]]:
    """For each text its `search.n_best` translations, in the order of the texts; `batch_size` texts at a time.

    attention:       whether to return tokens and weights.
    target_language: the language that the model must write; None for any.

    Raises UserError for another kind of model or language, for an empty text and one longer than the model's limit
    (with its number), without any text, and for attention of a model without it.
    """
    check_verb("translate", loaded.kind)
    if attention and loaded.model.decoder.attention is None:
        raise UserError("attention_out=FILE: this model has no attention; train model=encoder_decoder_attention")
    loaded.reader.check_target_language(target_language)
    source, number = iter(texts), 0
    while batch := list(islice(source, batch_size)):
        yield from translated(loaded, batch, search, attention, 1 + number)
        number += len(batch)
    if not number:
        raise UserError('there is no text: give text="…", file=FILE, or lines on standard input')
