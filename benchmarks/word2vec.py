"""word2vec on the verses: our path through corpus files against gensim on a Python list, in turn.

    python benchmarks/word2vec.py [rounds] [workers]

Both make 100 numbers a word in two epochs, from tokens in memory to vectors, counting included.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from statistics import median

from gensim.models import Word2Vec

from lightning_seq.data.sources.verses import verses
from lightning_seq.embeddings.word2vec import Word2VecParameters, train
from lightning_seq.text.tokenise import Tokeniser

PARAMETERS = Word2VecParameters(vector_size=100, epochs=2, min_count=2)


def ours(sentences: list[list[str]], workers: int) -> int:
    return len(train(sentences, replace(PARAMETERS, workers=workers), progress=False).words)


def listed(sentences: list[list[str]], workers: int) -> int:
    model = Word2Vec(
        sentences,
        vector_size=PARAMETERS.vector_size,
        window=PARAMETERS.window,
        sg=1,
        negative=PARAMETERS.negative,
        sample=PARAMETERS.subsampling,
        min_count=PARAMETERS.min_count,
        epochs=PARAMETERS.epochs,
        seed=PARAMETERS.seed,
        workers=workers,
        compute_loss=True,
    )
    return len(model.wv)


def main(rounds: int, workers: int) -> None:
    tokenise = Tokeniser()
    sentences = [tokenise(verse.text) for verse in verses()]
    words = sum(map(len, sentences)) * PARAMETERS.epochs
    speeds: dict[str, list[float]] = {"corpus file": [], "Python list": []}
    for _ in range(rounds):
        for name, run in (("corpus file", ours), ("Python list", listed)):
            begun = time.perf_counter()
            kept = run(sentences, workers)
            speeds[name].append(words / (time.perf_counter() - begun))
            print(f"{name}  {speeds[name][-1]:>9,.0f} words/s  {kept:,} vectors", flush=True)
    medians = {name: median(values) for name, values in speeds.items()}
    print(f"\n{words:,} words ({PARAMETERS.epochs} epochs), workers={workers}, medians of {rounds}:")
    for name, value in medians.items():
        print(f"{name}  {value:>9,.0f} words/s")
    rounds_apart = [ours / theirs for ours, theirs in zip(*speeds.values(), strict=True)]
    print(f"ratio  {medians['corpus file'] / medians['Python list']:.2f} (single rounds ", end="")
    print(f"{min(rounds_apart):.2f} to {max(rounds_apart):.2f}; far apart, the machine was busy)")


if __name__ == "__main__":
    main(rounds=int(sys.argv[1]) if len(sys.argv) > 1 else 3, workers=int(sys.argv[2]) if len(sys.argv) > 2 else 1)
