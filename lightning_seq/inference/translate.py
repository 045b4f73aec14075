"""Translations of new text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TypeAlias

from lightning_seq.builders.kinds import check_verb
from lightning_seq.builders.sequence_to_sequence import TranslatedText, translated
from lightning_seq.builders.task_kind import Loaded
from lightning_seq.errors import UserError
from lightning_seq.inference.predict import noted
from lightning_seq.models.search import BeamSearchConfig

Answer: TypeAlias = tuple[str, list[TranslatedText] | None, str | None]
"""A text, its translations (None for a text that cannot be read), and the note on it."""


def translations(
    loaded: Loaded,
    texts: Iterable[str],
    search: BeamSearchConfig,
    batch_size: int = 32,
    attention: bool = False,
    target_language: str | None = None,
) -> Iterator[Answer]:
    """Each text with its `search.n_best` translations and a note; `batch_size` texts are translated at a time.

    attention:       whether translations have tokens and weights.
    target_language: the language that the model must write; None for any.

    Raises UserError for another kind of model or language, for attention of a model without it, and without any text.
    """
    check_verb("translate", loaded.kind)
    if attention and loaded.model.decoder.attention is None:
        raise UserError("attention_out=FILE: this model has no attention; train model=encoder_decoder_attention")
    loaded.reader.check_target_language(target_language)
    return noted(loaded.reader, texts, batch_size, partial(translated, loaded, search=search, attention=attention))
