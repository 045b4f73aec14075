"""Tagged sentences that a small tagger learns in seconds, and a CoNLL file of them."""

from __future__ import annotations

import random
from pathlib import Path

FIRST, LAST = ("Ann", "Bob", "Eve"), ("Hill", "Wood", "Lake")
PLACES = ("Rome", "Oslo", "Kiel")
VERBS = ("saw", "met", "left", "found")


def tagged_sentences(count: int, seed: int = 0) -> list[tuple[list[str], list[str]]]:
    """Names of people and places; a few tokens that only their spelling tells."""
    draw = random.Random(seed)
    made = []
    for number in range(count):
        name = f"{draw.choice('KLMNPRST')}{''.join(draw.choices('aeiou', k=3))}x"
        words = [draw.choice(FIRST), draw.choice(LAST), draw.choice(VERBS), draw.choice(PLACES)]
        tags = ["B-PER", "I-PER", "O", "B-LOC"]
        if number % 3 == 0:
            words, tags = [name, *words[2:]], ["B-PER", *tags[2:]]
        if number % 4 == 0:
            words, tags = [*words, "and", draw.choice(PLACES), "."], [*tags, "O", "B-LOC", "O"]
        made.append((words, tags))
    return made


def write_conll(path: Path, sentences: list[tuple[list[str], list[str]]]) -> Path:
    path.write_text(
        "".join("".join(f"{word} {tag}\n" for word, tag in zip(*pair, strict=True)) + "\n" for pair in sentences),
        encoding="utf-8",
    )
    return path
