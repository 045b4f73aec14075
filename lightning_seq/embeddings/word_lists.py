"""Lists of words to evaluate word vectors with: analogies, pairs with people's judgements of similarity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from lightning_seq.errors import UserError
from lightning_seq.text.conll import fields
from lightning_seq.text.lines import read_lines

QUESTIONS = "questions-words.txt"
PAIR_SETS = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}


def folded(words: Iterable[str]) -> dict[str, int]:
    """The first index of each word in capitals."""
    ids: dict[str, int] = {}
    for index, word in enumerate(words):
        ids.setdefault(word.upper(), index)
    return ids


def shipped(name: str) -> Path:
    """A file among gensim's test data, found without importing gensim."""
    spec = find_spec("gensim")
    for directory in (spec and spec.submodule_search_locations) or ():
        path = Path(directory, "test", "test_data", name)
        if path.is_file():
            return path
    raise UserError(f"{name} is not among the installed gensim's test data: give a file of your own")


def sections(path: Path) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Names of sections with their questions, in capitals."""
    name, questions = "", list[tuple[str, ...]]()
    for number, line in enumerate(read_lines(path), start=1):
        parts = fields(line)
        if line.startswith(":"):
            if questions:
                yield name, questions
            name, questions = line[1:].strip(), []
        elif len(parts) == 4:
            questions.append(tuple(part.upper() for part in parts))
        elif parts:
            raise UserError(f"{path}, line {number}: expected four words, or `: section`")
    if questions:
        yield name, questions


def judged_pairs(path: Path) -> list[tuple[str, str, float]]:
    """Two words, in capitals, and their similarity according to people. Raises UserError for another line."""
    pairs = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            one, other, score = line.split("\t")
            pairs.append((one.upper(), other.upper(), float(score)))
        except ValueError:
            raise UserError(f"{path}, line {number}: expected two words and a number, with tabs between") from None
    return pairs


def question_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """The different pairs in sections of gensim's `questions-words.txt`, small letters, in its order."""
    pairs: dict[tuple[str, str], None] = {}
    for name, questions in sections(shipped(QUESTIONS)):
        if name in names:
            for one, other, *_ in questions:
                pairs[one.lower(), other.lower()] = None
    return list(pairs)
