"""Parts of words: byte pair encoding and unigram models."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from lightning_seq.errors import UserError, first_line, near
from lightning_seq.files import LARGEST_CACHED, DamagedError, Plain, parse_json, read_text
from lightning_seq.text.vocabulary import SPECIALS, UNK

KINDS = ("bpe", "unigram")
MARK = "\u2581"
"""The space before a word in a piece, as in SentencePiece."""

_UNKNOWN = SPECIALS[UNK]
_PARALLEL = "TOKENIZERS_PARALLELISM"
_DIGITS, _STEP = 6, 1e-4
"""Of a score; and the library's difference between the scores of characters without a piece."""


@dataclass(frozen=True)
class Subwords:
    """Splits text into frequent pieces of a train text, and joins them.

    Pieces do not cross white space, and a mark (`,` `'`) is never in one piece with letters. Joined pieces give the
    same text, but a run of white space is one space, none is at an end, and the character `MARK` becomes a space. A
    character that the train text does not have is an unknown piece.

    model: the model of the library `tokenizers`, as JSON text.
    """

    model: str

    @classmethod
    def train(cls, texts: Iterable[str], kind: str = "bpe", size: int = 8000) -> Subwords:
        """The same texts in the same order give the same model.

        kind: `bpe` (Sennrich et al. 2016): joins the most frequent neighbours repeatedly; `unigram` (Kudo 2018): the
              pieces under which the text is likeliest.
        size: of the pieces, with every character of the text, without specials.

        Raises UserError for another kind, and for a size below the number of characters or above that of pieces.
        """
        if kind not in KINDS:
            raise UserError(f"data.subword.kind is {kind!r}; {near(str(kind), KINDS)}")
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise UserError(f"data.subword.size is {size}, expected a whole number of at least 1")
        plain = [" ".join(text.split()) for text in texts]
        alphabet = {character for text in plain for character in text} - {" "} | {MARK}
        if size < len(alphabet):
            raise UserError(
                f"data.subword.size is {size}, and the train text has {len(alphabet)} different characters: "
                "expected a piece for each of them and some more; give a larger data.subword.size"
            )
        options: Plain = {
            "vocab_size": size + 1,
            "special_tokens": [_UNKNOWN],
            "initial_alphabet": sorted(alphabet),
            "show_progress": False,
        }
        trainer: trainers.Trainer
        if kind == "bpe":
            tokenizer = Tokenizer(models.BPE(unk_token=_UNKNOWN))
            trainer = trainers.BpeTrainer(min_frequency=2, **options)
        else:
            tokenizer = Tokenizer(models.Unigram())
            trainer = trainers.UnigramTrainer(unk_token=_UNKNOWN, **options)
        splitters = [pre_tokenizers.Metaspace(MARK), pre_tokenizers.Punctuation()]
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splitters)
        with _one_thread():
            tokenizer.train_from_iterator(plain, trainer)
        pieces = tokenizer.get_vocab_size() - 1
        if pieces < size:
            raise UserError(
                f"data.subword.size is {size}, and the train text gives no more than {pieces} pieces: "
                f"expected at most data.subword.size={pieces}"
            )
        model = json.loads(tokenizer.to_str())
        if kind == "unigram":
            model["model"]["vocab"] = _settled(model["model"]["vocab"])
        return cls(json.dumps(model, ensure_ascii=False, indent=1, sort_keys=True) + "\n")

    @classmethod
    def read(cls, path: Path) -> Subwords:
        """The model in a file of the cache. Raises one of `files.DAMAGE` for another content."""
        text = read_text(path, LARGEST_CACHED)
        if "model" not in parse_json(text, dict):
            raise DamagedError("it holds no subword model")
        return cls(text)

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """All pieces, in the order of the model, without the unknown piece."""
        numbers = self._tokenizer.get_vocab(with_added_tokens=False)
        return tuple(piece for piece in sorted(numbers, key=numbers.__getitem__) if piece != _UNKNOWN)

    def __call__(self, text: str) -> list[str]:
        """The pieces of a text; an unknown piece is the text itself."""
        plain = " ".join(text.split())
        encoding = self._tokenizer.encode(plain, add_special_tokens=False)
        return [
            piece if piece != _UNKNOWN else plain[start:stop]
            for piece, (start, stop) in zip(encoding.tokens, encoding.offsets, strict=True)
        ]

    @staticmethod
    def join(pieces: Sequence[str]) -> str:
        """The text of these pieces."""
        return "".join(pieces).replace(MARK, " ").strip(" ")

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        try:
            return Tokenizer.from_str(self.model)
        except Exception as error:  # of a type that the library does not export
            raise UserError(
                f"the subword model cannot be read ({first_line(error)[:200]}): make the prepared data or the "
                "checkpoint that holds it again"
            ) from None


def _settled(scored: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Pieces and their scores without random differences.

    The library sums scores in no fixed order, so that their last digits differ; and it gives characters without a piece
    scores that rise from the lowest score in small steps, in no fixed order.
    """
    (unknown, score), *others = ((piece, round(score, _DIGITS)) for piece, score in scored)
    scores = dict(others)
    lowest = following = min(scores.values())
    for piece in sorted((piece for piece in scores if len(piece) == 1), key=scores.__getitem__):
        if abs(scores[piece] - following) > _STEP / 10:
            break
        scores[piece], following = lowest, following + _STEP
    return [(unknown, score), *sorted(scores.items(), key=lambda item: (-item[1], item[0]))]


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread: several would sum counts in no fixed order, and processes forked later would warn of them."""
    before = os.environ.get(_PARALLEL)
    os.environ[_PARALLEL] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PARALLEL]
        else:
            os.environ[_PARALLEL] = before
