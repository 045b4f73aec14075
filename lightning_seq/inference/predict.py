"""The predictions of a trained model for new text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TypeVar

from lightning_seq.builders.task_kind import Loaded, Row
from lightning_seq.data.reader import Reader
from lightning_seq.errors import UserError
from lightning_seq.spec import Tags, TokenSequence
from lightning_seq.value_types import MAX_TOKENS

TOP_K = 3
T = TypeVar("T")


def predictions(
    loaded: Loaded, texts: Iterable[str], top_k: int | None = None, batch_size: int = 64, n_best: int | None = None
) -> Iterator[Row]:
    """For each text one row, `{"text", "predictions": […]}`, the likeliest first; `builders/` makes the predictions.

    top_k:  entries of a ranking; None for 3, or all if they are fewer.
    n_best: of a tagger with a CRF, also the n likeliest ways to tag each text: see `builders/tagging.py`.

    A row has a "note" if its text has only unknown words, was cut or cannot be read; a text that cannot be read (an
    empty line) has no predictions. Raises UserError without any text, and for a `top_k` or an `n_best` that does not
    fit.
    """
    most = choices(loaded, top_k)
    answer = partial(loaded.kind.predictions, loaded, top_k=most)
    if n_best is not None:
        check_paths(loaded, n_best)
        answer = partial(answer, n_best=n_best)
    for text, row, note in noted(loaded.reader, texts, batch_size, answer):
        yield with_note(row or {"text": text, "predictions": []}, note)


def check_paths(loaded: Loaded, n_best: int) -> None:
    """Raises UserError unless the model is a tagger with a CRF, which ranks paths of tags."""
    if not isinstance(loaded.spec.targets, Tags):
        instead = "use top_k=N, or translate" if isinstance(loaded.spec.targets, TokenSequence) else "leave it out"
        raise UserError(
            f"n_best={n_best} is for a tagger with a CRF, and this checkpoint is {loaded.kind.name}: {instead}"
        )
    if loaded.model.crf is None:
        raise UserError(
            f"n_best={n_best}: this tagger chooses each tag by itself, and only a CRF ranks the tags of a sentence "
            "together: leave n_best out, or train with task.crf=true"
        )


def choices(loaded: Loaded, top_k: int | None) -> int:
    """The entries of each ranking. Raises UserError for too many, and for a model without a ranking."""
    most = loaded.kind.choices(loaded)
    if top_k is None:
        return min(TOP_K, most or TOP_K)
    if most is None:
        raise UserError(f"top_k={top_k}: {loaded.kind.name} ranks nothing; leave top_k out")
    if not 1 <= top_k <= most:
        raise UserError(f"top_k is {top_k}: expected 1 to {most}, as this model has {most:,} to choose from")
    return top_k


def noted(
    reader: Reader, texts: Iterable[str], batch_size: int, answer: Callable[[list[str]], Iterable[T]]
) -> Iterator[tuple[str, T | None, str | None]]:
    """Each text, its answer (None for a text that cannot be read), and the note on it (None for no note).

    answer: a function from at most `batch_size` texts that can be read to an answer for each; a batch of long texts
            has fewer: it has at most `MAX_TOKENS` characters with its padding, or one text.

    Raises UserError without any text.
    """
    source, batch = iter(texts), None
    while lines := list(islice(source, batch_size)):
        batch = [(line, reader.note(line)) for line in lines]
        readable = [line for line, note in batch if note is None or note.readable]
        answers = (one for part in _parts(readable) for one in answer(part))
        for line, note in batch:
            yield line, next(answers) if note is None or note.readable else None, note.text if note else None
    if batch is None:
        raise UserError('there is no text: give text="…", file=FILE, or lines on standard input')


def _parts(texts: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    longest = 0
    for text in texts:
        longest = max(longest, len(text))
        if part and (len(part) + 1) * longest > MAX_TOKENS:
            yield part
            part, longest = [], len(text)
        part.append(text)
    if part:
        yield part


def with_note(row: Row, note: str | None) -> Row:
    return row if note is None else row | {"note": note}
