"""`python -m torture.load [SHARE [WORD]]`: large inputs in little memory.

SHARE: of the whole sizes, such as 0.1 (default 1); the limits fall with it, but not below what the imports take.
WORD:  run only the rows that hold it.

Each row is a process of its own, whose peak is read when it ends. The script ends with 1 if a row fails or takes more
than its limit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

GIGABYTE = 1_000_000_000
IMPORTS = 420_000_000
"""Bytes of a process that has imported torch and Lightning."""
SMALL = (
    "embedding=random", "embedding.size=8", "model.hidden_size=8", "trainer.max_steps=20", "trainer.threads=1",
    "trainer.progress=false", "logger=none", "launcher=inline",
)  # fmt: skip

VECTORS = """
import sys
from lightning_seq.embeddings.word2vec import Word2VecParameters, train

def sentences():
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            yield line.split()

vectors = train(sentences(), Word2VecParameters(vector_size=16, window=1, negative=1, epochs=1, min_count=5), False)
assert vectors.matrix.shape[1] == 16
"""


def write_zipf(path: Path, size: int, types: int) -> None:
    """Words drawn by Zipf's law, in lines of 40, up to the size of the file."""
    draw = np.random.default_rng(1)
    names = np.array([f"w{number}" for number in range(types)])
    cumulated = np.cumsum(1 / np.arange(1, types + 1))
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < size:
            block = names[np.searchsorted(cumulated, draw.random((5_000, 40)) * cumulated[-1])]
            file.write("\n".join(map(" ".join, block)) + "\n")


def words(place: Path, size: int) -> list[str]:
    write_zipf(place / "corpus.txt", size, 200_000)
    return [*train(place, "text_words", "corpus.txt"), "data.batch_size=8", "data.eval_batch_size=8",
            "data.validation_fraction=0.001", "data.test_fraction=0.001", "data.max_vocabulary=20000"]  # fmt: skip


def types(place: Path, size: int) -> list[str]:
    """Each word twice."""
    with (place / "types.csv").open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        for start in [*range(0, size, 20)] * 2:
            words = " ".join(f"w{number}" for number in range(start, start + 20))
            file.write(f"{words},{'ab'[start // 20 % 2]}\n")
    return [*train(place, "csv", "types.csv"), "data.validation_fraction=0.01", "data.test_fraction=0.01"]


def rows(place: Path, size: int) -> list[str]:
    draw = np.random.default_rng(1)
    with (place / "rows.csv").open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        for number in range(size):
            file.write(" ".join(f"w{word}" for word in draw.integers(0, 20_000, 20)) + f",{'ab'[number % 2]}\n")
    return [*train(place, "csv", "rows.csv"), "data.validation_fraction=0.01", "data.test_fraction=0.01"]


def vectors(place: Path, size: int, different: int) -> list[str]:
    write_zipf(place / "vectors.txt", size, different)
    return [sys.executable, "-c", VECTORS, str(place / "vectors.txt")]


def document(place: Path, size: int) -> list[str]:
    """One long document among short ones."""
    with (place / "long.csv").open("w", encoding="utf-8") as file:
        file.write("text,label\n" + f"{'a b ' * (size // 2)},x\n")
        file.writelines(f"a short text {number},{'xy'[number % 2]}\n" for number in range(1000))
    return [*train(place, "csv", "long.csv"), "trainer.max_steps=-1", "trainer.max_epochs=1"]


def sequences(place: Path, size: int) -> list[str]:
    """A language model over lines of many characters, one column each."""
    line = "".join("abcdefgh"[(number * number) % 8] for number in range(size))
    for split, lines in {"train": 4, "validation": 1, "test": 1}.items():
        (place / f"{split}.txt").write_text((line + "\n") * lines, encoding="utf-8")
    others = [f"data.{name}={place / name}.txt" for name in ("validation", "test")]
    return [*train(place, "text_chars", "train.txt"), *others, "embedding=onehot", "data.batch_size=4",
            "data.chunk_length=100", "trainer.max_steps=-1", "trainer.max_epochs=1",
            "model.hidden_size=64"]  # fmt: skip


def train(place: Path, data: str, file: str) -> list[str]:
    return [
        sys.executable, "-m", "lightning_seq", "train", f"data={data}", f"data.train={place / file}",
        *(SMALL if data != "text_chars" else SMALL[3:]), f"cache={place / 'cache'}", f"runs={place / 'runs'}",
    ]  # fmt: skip


@dataclass(frozen=True)
class Row:
    """make: writes the input of a size into a directory and returns the command. limit: bytes at the whole size."""

    what: str
    make: Callable[[Path, int], list[str]]
    size: int
    limit: int


ROWS = (
    Row("bytes for word vectors, 20,000 types", lambda place, size: vectors(place, size, 20_000), GIGABYTE // 2,
        500_000_000),
    Row("bytes for word vectors, 1,000,000 types", lambda place, size: vectors(place, size, 1_000_000), GIGABYTE // 2,
        1_000_000_000),
    Row("bytes for text_words", words, 2 * GIGABYTE, 1_500_000_000),
    Row("types in a vocabulary", types, 2_000_000, 1_500_000_000),
    Row("rows of a csv file", rows, 1_000_000, 750_000_000),
    Row("tokens in one document", document, 200_000, 1_500_000_000),
    Row("steps in each of 4 sequences", sequences, 100_000, GIGABYTE),
)  # fmt: skip


def peak(command: list[str], log: Path) -> tuple[int, int, float]:
    """Exit code, peak of resident bytes, seconds."""
    begun = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=log.parent)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = code = os.waitstatus_to_exitcode(status)
    if code:
        print(log.read_text(encoding="utf-8", errors="replace")[-2000:])
    return code, used.ru_maxrss * 1024, time.monotonic() - begun


def main(share: float, word: str) -> int:
    table, wrong = Table("what", "peak", "at most", "seconds"), False
    for row in (row for row in ROWS if word in row.what):
        with tempfile.TemporaryDirectory() as place:
            command = row.make(Path(place), int(share * row.size))
            code, most, seconds = peak(command, Path(place) / "log.txt")
        limit = row.limit if share == 1 else max(IMPORTS, share * row.limit)
        cells = (
            f"{int(share * row.size):,} {row.what}",
            f"{most / 1e6:.0f} MB",
            f"{limit / 1e6:.0f} MB",
            f"{seconds:.0f}",
        )
        table.add_row(*cells)
        print(*cells, sep="  ", flush=True)
        wrong |= bool(code) or most > limit
    Console().print(table)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0, " ".join(sys.argv[2:])))
