"""word2vec (Mikolov et al. 2013) through gensim's fast path."""

from __future__ import annotations

import logging
import tempfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lightning_seq.embeddings.vectors import Vectors
from lightning_seq.errors import UserError, near

ARCHITECTURES = ("skipgram", "cbow")
log = logging.getLogger("lightning_seq")


@dataclass(frozen=True)
class Word2VecParameters:
    """How word vectors are trained.

    vector_size:          E.
    window:               words to each side, at most.
    architecture:         `skipgram` (a word predicts its neighbours) or `cbow` (the neighbours predict the word).
    max_vocabulary:       exactly that many words, the most frequent (ties by alphabet); None for all.
    min_count:            how often a word must occur.
    negative:             negative samples for each positive, unless `hierarchical_softmax`.
    subsampling:          threshold above which frequent words are dropped at random; 0 drops none.
    epochs, learning_rate: the rate falls linearly to nearly zero.
    seed, workers:        one worker gives the same vectors bit for bit; more are faster and give others each time.
    """

    vector_size: int = 100
    window: int = 5
    architecture: str = "skipgram"
    max_vocabulary: int | None = None
    min_count: int = 2
    negative: int = 5
    hierarchical_softmax: bool = False
    subsampling: float = 1e-3
    epochs: int = 5
    learning_rate: float = 0.025
    seed: int = 1
    workers: int = 1

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise UserError(f"word2vec.architecture is {self.architecture!r}: {near(self.architecture, ARCHITECTURES)}")
        for key in ("vector_size", "window", "min_count", "epochs", "workers"):
            if getattr(self, key) < 1:
                raise UserError(f"word2vec.{key} is {getattr(self, key)}, expected at least 1")
        for key in ("subsampling", "seed", "negative"):
            if getattr(self, key) < 0:
                raise UserError(f"word2vec.{key} is {getattr(self, key)}, expected at least 0")
        if self.learning_rate <= 0:
            raise UserError(f"word2vec.learning_rate is {self.learning_rate}, expected more than 0")
        if self.max_vocabulary is not None and self.max_vocabulary < 1:
            raise UserError(f"word2vec.max_vocabulary is {self.max_vocabulary}, expected null or at least 1")
        if not self.negative and not self.hierarchical_softmax:
            raise UserError("word2vec.negative is 0: set it to at least 1, or word2vec.hierarchical_softmax=true")


def _stable_hash(text: str) -> int:
    """gensim seeds each vector with the hash of its word; Python's own differs from process to process."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def train(sentences: Iterable[Sequence[str]], parameters: Word2VecParameters, progress: bool = True) -> Vectors:
    """Train on sentences of tokens.

    Raises UserError where no word occurs `min_count` times.
    """
    from gensim.models import Word2Vec

    if parameters.workers > 1:
        log.info(
            "word2vec: %d workers: faster, but other vectors each time (workers=1 gives the same bit for bit)",
            parameters.workers,
        )
    with tempfile.TemporaryDirectory(prefix="lightning_seq-") as folder:
        corpus = Path(folder) / "corpus.txt"
        counts = _write_corpus(sentences, corpus)
        kept = _kept(counts, parameters)
        model = Word2Vec(
            vector_size=parameters.vector_size,
            window=parameters.window,
            sg=int(parameters.architecture == "skipgram"),
            hs=int(parameters.hierarchical_softmax),
            negative=0 if parameters.hierarchical_softmax else parameters.negative,
            sample=parameters.subsampling,
            alpha=parameters.learning_rate,
            min_count=1,
            seed=parameters.seed,
            workers=parameters.workers,
            hashfxn=_stable_hash,
        )
        model.build_vocab_from_freq(kept, corpus_count=counts["sentences"])
        losses = _fit(model, corpus, counts, parameters, progress)
    words = tuple(model.wv.index_to_key)
    meta = {
        "parameters": asdict(parameters),
        "losses": losses,
        "corpus_words": counts["words"],
        "versions": {"gensim": version("gensim"), "numpy": version("numpy")},
    }
    return Vectors(words, np.array(model.wv.vectors, np.float32), np.array([kept[word] for word in words]), meta)


def _write_corpus(sentences: Iterable[Sequence[str]], path: Path) -> dict[str, Any]:
    """One sentence a line, as gensim's compiled reader wants it; counted on the way."""
    from collections import Counter

    found: Counter[str] = Counter()
    lines = 0
    with path.open("w", encoding="utf-8") as file:
        for sentence in sentences:
            if sentence:
                found.update(sentence)
                file.write(" ".join(sentence) + "\n")
                lines += 1
    return {"found": found, "sentences": lines, "words": found.total()}


def _kept(counts: dict[str, Any], parameters: Word2VecParameters) -> dict[str, int]:
    """The vocabulary in its final order: frequent first, ties by alphabet."""
    ranked = sorted(
        (item for item in counts["found"].items() if item[1] >= parameters.min_count),
        key=lambda item: (-item[1], item[0]),
    )[: parameters.max_vocabulary]
    if not ranked:
        raise UserError(
            f"word2vec: no word occurs {parameters.min_count} times in {counts['words']} words of training text: "
            "give more text, or lower word2vec.min_count"
        )
    return dict(ranked)


def _fit(
    model: Any, corpus: Path, counts: dict[str, Any], parameters: Word2VecParameters, progress: bool
) -> list[float]:
    """Train with a progress bar; return the loss per epoch, which gensim adds up (in single precision)."""
    from gensim.models.callbacks import CallbackAny2Vec
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    losses: list[float] = []
    bar = Progress(
        TextColumn("word2vec"), BarColumn(), TextColumn("epoch {task.completed}/{task.total}"),
        TextColumn("{task.fields[loss]}"), TimeRemainingColumn(),
        console=Console(stderr=True), disable=not progress, transient=True,
    )  # fmt: skip
    task = bar.add_task("word2vec", total=parameters.epochs, loss="")

    class PerEpoch(CallbackAny2Vec):  # type: ignore[misc]
        """gensim's figure is cumulative and saturates in float32: it is read and set back after each epoch."""

        def on_epoch_end(self, model: Any) -> None:
            losses.append(float(model.get_latest_training_loss()))
            model.running_training_loss = 0.0
            bar.update(task, completed=len(losses), loss=f"loss {losses[-1]:,.0f}")

    with bar:
        model.train(
            corpus_file=str(corpus),
            total_words=counts["words"],
            total_examples=counts["sentences"],
            epochs=parameters.epochs,
            compute_loss=True,
            callbacks=[PerEpoch()],
        )
    return losses
