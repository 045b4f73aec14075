"""`python -m torture.load`: large inputs in little memory.

Word vectors of 1 GB of text under 500 MB resident; sequences of 100,000 steps under 1 GB, trained by truncated
backpropagation and evaluated in chunks. Each is a process of its own, whose peak is read when it ends.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

WORDS = 20_000
GIGABYTE = 1_000_000_000

VECTORS = """
import resource, sys
from pathlib import Path
from lightning_seq.embeddings.word2vec import Word2VecParameters, train

def sentences():
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            yield line.split()

vectors = train(sentences(), Word2VecParameters(vector_size=16, window=1, negative=1, epochs=1, workers=1), False)
assert vectors.matrix.shape[1] == 16
"""


def write_text(path: Path, size: int) -> None:
    """Words drawn by Zipf's law, in lines of 40, up to the size of the file."""
    import numpy as np

    draw = np.random.default_rng(1)
    names = np.array([f"w{number}" for number in range(WORDS)])
    weights = 1 / np.arange(1, WORDS + 1)
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < size:
            block = names[draw.choice(WORDS, (5_000, 40), p=weights / weights.sum())]
            file.write("\n".join(map(" ".join, block)) + "\n")


def peak(command: list[str], place: Path) -> tuple[int, int, float]:
    """Exit code, peak of resident bytes, seconds."""
    begun = time.monotonic()
    with (place / "log.txt").open("ab") as log:
        code = subprocess.run(command, cwd=place, stdout=log, stderr=log, check=False).returncode
    if code:
        print((place / "log.txt").read_text(encoding="utf-8")[-2000:])
    return code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, time.monotonic() - begun


def long_sequences(place: Path) -> list[str]:
    """A language model over lines of 100,000 characters, one column each."""
    line = "".join("abcdefgh"[(number * number) % 8] for number in range(100_000))
    for split, lines in {"train": 4, "validation": 1, "test": 1}.items():
        (place / f"{split}.txt").write_text((line + "\n") * lines, encoding="utf-8")
    return [
        sys.executable, "-m", "lightning_seq", "train", "model=lstm", "data=text_chars", "embedding=onehot",
        f"data.train={place / 'train.txt'}", f"data.validation={place / 'validation.txt'}",
        f"data.test={place / 'test.txt'}", f"cache={place / 'cache'}", f"runs={place / 'runs'}", "name=long",
        "data.batch_size=4", "data.chunk_length=100", "trainer.max_epochs=1", "trainer.threads=1", "logger=none",
        "model.hidden_size=64",
    ]  # fmt: skip


def main(size: int) -> int:
    table, wrong = Table("what", "peak", "at most", "seconds"), False
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        rows = [("4 sequences of 100,000 steps", long_sequences(place), GIGABYTE)]
        write_text(place / "corpus.txt", size)
        given = [sys.executable, "-c", VECTORS, str(place / "corpus.txt")]
        rows.insert(0, (f"word vectors of {size / GIGABYTE:.2f} GB", given, GIGABYTE // 2))
        for what, command, limit in rows:  # the smaller limit first: the peak is that of all children so far
            code, most, seconds = peak(command, place)
            table.add_row(what, f"{most / 1e6:.0f} MB", f"{limit / 1e6:.0f} MB", f"{seconds:.0f}")
            wrong |= bool(code) or most > limit
    Console().print(table)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(int(float(sys.argv[1]) * GIGABYTE) if len(sys.argv) > 1 else GIGABYTE))
