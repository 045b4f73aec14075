"""Training word vectors (Mikolov et al. 2013), through gensim's path for corpus files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress

from lightning_seq.embeddings.vectors import Vectors
from lightning_seq.errors import UserError
from lightning_seq.field_checks import check_fields
from lightning_seq.temporary import temporary_directory
from lightning_seq.terminal import PrintableConsole
from lightning_seq.value_types import Fraction, OneOf, Range, Size, SmallSeed

if TYPE_CHECKING:
    from gensim.models import Word2Vec

ARCHITECTURES = ("skipgram", "cbow")
FINAL_LEARNING_RATE = 1e-4

# gensim sums the loss in float32, one small term at a time: beyond 2^23 a term below 0.5 changes nothing.
SATURATED = 2.0**23
# The loss of a part of the corpus stays below 2^22 at worst (each term at most about ln 2), ...
_PART_LOSS = 2.0**22
_SHORTEST_PART, _LONGEST_PART = 10_000, 200_000
# ... but a part has at least this many words for each different word: gensim copies the vocabulary for each part.
_WORDS_PER_TYPE = 4
# The last batch of each worker is filled up to 10,000 words: a longer part wastes less.
_WORDS_PER_WORKER = 200_000
_HUFFMAN_CODE = 20
# gensim reads lines until a batch has more than 10,000 words and trains on the first 10,000: the rest of a sentence
# across that edge would be lost. So a line of words outside the vocabulary fills each batch up.
_BATCH = 10_000
_FILLER = "-"


@dataclass(frozen=True)
class Word2VecParameters:
    """How word vectors are trained.

    vector_size:          E.
    window:               words on either side, at most.
    max_vocabulary:       of words with a vector: the most frequent, then by alphabet; None: all.
    min_count:            rarer words are left out.
    negative:             negative samples for each word.
    hierarchical_softmax: instead of negative samples.
    subsampling:          words with a larger share of the text are thinned out; 0: none.
    learning_rate:        at the start; it falls linearly to 0.0001.
    workers:              1 gives the same bits each time; more are faster and do not.

    Raises UserError for a value out of its range.
    """

    vector_size: Annotated[int, Range(1, 100_000)] = 100
    window: Annotated[int, Range(1, 10_000)] = 5
    architecture: Annotated[str, OneOf(ARCHITECTURES)] = "skipgram"
    max_vocabulary: Size | None = None
    min_count: Size = 1
    negative: Annotated[int, Range(0, 1000)] = 5
    hierarchical_softmax: bool = False
    subsampling: Fraction = 1e-3
    epochs: Annotated[int, Range(1, 100_000)] = 5
    learning_rate: Fraction = 0.025
    seed: SmallSeed = 1
    workers: Annotated[int, Range(1, 1024)] = 1

    def __post_init__(self) -> None:
        check_fields(self, "word2vec")
        if self.subsampling == 1:
            raise UserError("word2vec.subsampling is 1, expected less than 1")
        if self.learning_rate == 0:
            raise UserError("word2vec.learning_rate is 0, expected more than 0")
        if self.negative == 0 and not self.hierarchical_softmax:
            raise UserError(
                "word2vec.negative is 0 without hierarchical softmax, so nothing would be learned: "
                "give word2vec.negative=5, or word2vec.hierarchical_softmax=true"
            )


def train(sentences: Iterable[Sequence[str]], parameters: Word2VecParameters, progress: bool = True) -> Vectors:
    """Train vectors on tokenised sentences, which are read once; a sentence is cut after 10,000 words.

    The text is kept on disk, in the temporary directory. Memory is for the different words alone: about 400 bytes for
    each, and 8 bytes for each number of a vector.

    Prints to standard error: with `progress` a bar and a line for each epoch, and a warning about several workers.
    `meta` of the result holds parameters, counts, versions and, for each epoch, the loss per trained word (None where
    gensim's loss is wrong: of several workers it is that of one, and beyond 2^23 it does not change).

    Raises UserError for a corpus without words, or in which no word reaches `min_count`.
    """
    console = PrintableConsole(stderr=True)
    if parameters.workers > 1:
        console.print(
            f"word2vec.workers={parameters.workers}: faster, but the vectors differ from run to run, "
            "and the loss of an epoch is not known",
            highlight=False,
            soft_wrap=True,
        )
    with temporary_directory("word2vec-") as directory:
        try:
            corpus = _write_corpus(sentences, directory, parameters)
        except OSError as error:
            raise UserError(
                f"the corpus cannot be written to {directory} ({error.strerror}): set TMPDIR to a directory with space"
            ) from error
        words = choose_words(corpus.counts, parameters)
        return _train(corpus, words, parameters, console, progress)


def choose_words(counts: Counter[str], parameters: Word2VecParameters) -> list[str]:
    """The words that get a vector, the most frequent first, then by alphabet.

    Raises UserError where there are none.
    """
    if not counts:
        raise UserError("the corpus for word2vec is empty: expected at least one word in the train split")
    enough = [word for word, count in counts.items() if count >= parameters.min_count]
    if not enough:
        word, count = max(counts.items(), key=lambda item: item[1])
        raise UserError(
            f"no word occurs {parameters.min_count} times (the most frequent, {word!r}, {count} times): "
            f"lower word2vec.min_count"
        )
    return sorted(enough, key=lambda word: (-counts[word], word))[: parameters.max_vocabulary]


class _Numbers(dict[str, str]):
    """A number for each word, as text: a word may hold white space, which gensim would split at."""

    def __missing__(self, word: str) -> str:
        self[word] = number = str(len(self))
        return number


class _Part(NamedTuple):
    """A file of one sentence a line. tokens: its words and fillers, as gensim counts them."""

    path: Path
    words: int
    tokens: int


class _Line(NamedTuple):
    """A sentence, or up to 10,000 words of one."""

    text: str
    words: int


@dataclass
class _Corpus:
    """The text in the form that gensim reads, and the count of each word."""

    parts: list[_Part] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    numbers: _Numbers = field(default_factory=_Numbers)

    @property
    def size(self) -> int:
        return sum(part.words for part in self.parts)


def _write_corpus(sentences: Iterable[Sequence[str]], place: Path, parameters: Word2VecParameters) -> _Corpus:
    corpus, size, shortest = _Corpus(), 0, part_size(parameters)
    number, count = corpus.numbers.__getitem__, corpus.counts.update
    lines: list[_Line] = []

    def close() -> None:
        path = place / f"part-{len(corpus.parts)}.txt"
        text, tokens = _one_stream(lines) if parameters.workers == 1 else _streams(lines, parameters.workers)
        path.write_text(text, encoding="ascii")
        corpus.parts.append(_Part(path, size, tokens))

    for sentence in sentences:
        for start in range(0, len(sentence), _BATCH):
            line = sentence[start : start + _BATCH]
            lines.append(_Line(" ".join(map(number, line)), len(line)))
        count(sentence)
        size += len(sentence)
        if size >= max(shortest, _WORDS_PER_TYPE * len(corpus.numbers)):
            close()
            lines, size = [], 0
    if lines:
        close()
    return corpus


def _batches(lines: Sequence[_Line]) -> list[list[_Line]]:
    """The lines of each of gensim's batches."""
    batches: list[list[_Line]] = []
    words = _BATCH + 1
    for line in lines:
        # gensim has room for 10,000 sentences, the filler among them.
        if words + line.words > _BATCH or len(batches[-1]) == _BATCH - 1:
            batches.append([])
            words = 0
        batches[-1].append(line)
        words += line.words
    return batches


def _filler(batch: Sequence[_Line]) -> _Line:
    """The line that ends a batch."""
    words = _BATCH + 1 - sum(line.words for line in batch)
    return _Line(" ".join([_FILLER] * words), words)


def _one_stream(lines: Sequence[_Line]) -> tuple[str, int]:
    """The text for one worker, and its words as gensim counts them."""
    batches = _batches(lines)
    stream = [line for batch in batches[:-1] for line in (*batch, _filler(batch))] + batches[-1]
    return "".join(f"{line.text}\n" for line in stream), sum(line.words for line in stream)


def _streams(lines: Sequence[_Line], workers: int) -> tuple[str, int]:
    """The text for several workers, and its words as gensim counts them.

    In gensim worker i begins at byte i/workers of the file and reads whole batches until it has more than its share of
    the words. So all sections have the same number of bytes and batches. gensim counts 10,001 words in a batch, or
    10,000 where the text alone fills it: with a share of one word less than all batches of 10,000, each worker reads
    its own section once.
    """
    size = sum(line.words for line in lines)
    sections: list[list[_Line]] = [[] for _ in range(workers)]
    done = 0
    for line in lines:
        sections[done * workers // size].append(line)
        done += line.words
    batched = [_batches(section) for section in sections]
    most = max(map(len, batched))
    texts = []
    for batches in batched:
        full = [[*batch, _filler(batch)] for batch in (*batches, *[[]] * (most - len(batches)))]
        texts.append("\n".join(line.text for batch in full for line in batch))
    longest = max(map(len, texts))
    return "".join(f"{text:{longest}}\n" for text in texts), workers * (most * _BATCH - 1)


def part_size(parameters: Word2VecParameters) -> int:
    """The words of one call of gensim: few enough for its float32 sum, and for a bar that moves."""
    if parameters.workers > 1:
        return parameters.workers * _WORDS_PER_WORKER
    terms = _HUFFMAN_CODE if parameters.hierarchical_softmax else parameters.negative + 1
    pairs = parameters.window + 1 if parameters.architecture == "skipgram" else 1
    words = int(_PART_LOSS / (np.log(2) * terms * pairs))
    return min(max(words, _SHORTEST_PART), _LONGEST_PART)


def _train(
    corpus: _Corpus, words: list[str], parameters: Word2VecParameters, console: Console, progress: bool
) -> Vectors:
    model = _model(corpus, words, parameters)
    total, done, trained_words, losses = corpus.size * parameters.epochs, 0, 0, []
    first = parameters.learning_rate
    last = min(first, FINAL_LEARNING_RATE)
    started = time.perf_counter()
    with Progress(console=console, transient=True, disable=not progress) as bar:
        task = bar.add_task("word2vec", total=total)
        for epoch in range(parameters.epochs):
            loss, trained, begun = 0.0, 0, time.perf_counter()
            for part in corpus.parts:
                begin, end = (first + (last - first) * words / total for words in (done, done + part.words))
                part_trained, _ = model.train(
                    corpus_file=str(part.path),
                    total_words=part.tokens,
                    epochs=1,
                    start_alpha=begin,
                    # A worker's rate falls with its own words as a share of those of all workers.
                    end_alpha=end if parameters.workers == 1 else begin + parameters.workers * (end - begin),
                    compute_loss=parameters.workers == 1,
                )
                done += part.words
                trained += part_trained
                # Each call of `train` starts the sum again: this is the loss of the part.
                part_loss = float(model.get_latest_training_loss())
                loss = loss + part_loss if part_loss < SATURATED else float("nan")
                bar.update(task, completed=done, description=f"word2vec epoch {epoch + 1}/{parameters.epochs}")
            is_known = parameters.workers == 1 and trained > 0 and np.isfinite(loss)
            losses.append(loss / trained if is_known else None)
            trained_words += trained
            if progress:
                shown = f"{losses[-1]:.4f} per word" if losses[-1] is not None else "not known"
                speed = corpus.size / (time.perf_counter() - begun)
                bar.console.print(
                    f"word2vec epoch {epoch + 1}/{parameters.epochs}  loss {shown}  {speed:,.0f} words/s",
                    highlight=False,
                )
    known = [loss for loss in losses if loss is not None]
    if progress and any(later > earlier for earlier, later in pairwise(known)):
        console.print(
            "word2vec: the loss may rise while the vectors learn: gensim sums it over words, contexts and negative "
            "samples that it draws anew in each epoch",
            highlight=False,
            soft_wrap=True,
        )
    if not np.isfinite(model.wv.vectors).all():
        raise UserError(f"word2vec diverged: lower word2vec.learning_rate (it is {parameters.learning_rate})")
    return Vectors(
        tuple(words),
        np.ascontiguousarray(model.wv.vectors, dtype=np.float32),
        np.array([corpus.counts[word] for word in words], dtype=np.int64),
        {
            "parameters": asdict(parameters),
            "words": corpus.size,
            "types": len(corpus.counts),
            "words_trained": int(trained_words),
            "losses": losses,
            "seconds": round(time.perf_counter() - started, 3),
            "versions": {name: version(name) for name in ("gensim", "numpy")},
        },
    )


def _model(corpus: _Corpus, words: list[str], parameters: Word2VecParameters) -> Word2Vec:
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=parameters.vector_size,
        window=parameters.window,
        sg=int(parameters.architecture == "skipgram"),
        hs=int(parameters.hierarchical_softmax),
        negative=0 if parameters.hierarchical_softmax else parameters.negative,
        sample=parameters.subsampling,
        alpha=parameters.learning_rate,
        min_alpha=min(parameters.learning_rate, FINAL_LEARNING_RATE),
        seed=parameters.seed,
        workers=parameters.workers,
        min_count=1,
        # The words come sorted; gensim's own sort leaves ties in an order that depends on the processor.
        sorted_vocab=0,
    )
    model.lifecycle_events = None
    model.build_vocab_from_freq({corpus.numbers[word]: corpus.counts[word] for word in words})
    return model
