"""From the ids of target sentences to text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Detokenizer:
    """From ids to texts that can be compared.

    decode:    target ids, up to `<eos>`, to text.
    reference: (split, row) to the right text.
    tokenize:  how sacreBLEU splits the texts for BLEU.
    lower:     the texts are in small letters.
    """

    decode: Callable[[Sequence[int]], str]
    reference: Callable[[str, int], str]
    tokenize: str
    lower: bool


@dataclass(frozen=True)
class CaptionTexts(Detokenizer):
    """references: (split, row) to all right captions; trained: whether a caption is one of the train split."""

    references: Callable[[str, int], list[str]]
    trained: Callable[[str], bool]
