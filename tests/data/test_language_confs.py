"""The conf files of language modelling and sequences of sets, and the real sets behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lightning_seq.builders.build import build_data
from lightning_seq.config.compose import compose
from lightning_seq.config.groups import groups, task_of
from lightning_seq.config.targets import factory
from lightning_seq.errors import UserError

TASKS = {
    "language_modelling": {
        "hello": "onehot", "ptb": "random", "python_docs": "word2vec", "text8": "random", "text_chars": "random",
        "text_words": "word2vec", "tiny_shakespeare": "random", "verses_chars": "random", "verses_words": "word2vec",
        "wikitext103": "random", "wikitext2": "random",
    },
    "sequences_of_sets": dict.fromkeys(("jsb_chorales", "musedata", "nottingham", "piano_midi"), "none"),
}  # fmt: skip
NAMES = [(task, name, embedding) for task, names in TASKS.items() for name, embedding in names.items()]


@pytest.mark.parametrize(("task", "name", "embedding"), NAMES)
def test_a_set_chooses_its_task_and_its_embedding(
    task: str, name: str, embedding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIGHTNING_SEQ_MIRROR", raising=False)
    config = compose([f"data={name}", "data.batch_size=3"])
    assert (config["choices"]["task"], config["choices"]["embedding"]) == (task, embedding)
    made = factory(config["data"], "data")
    assert made.keywords["batch_size"] == 3  # type: ignore[attr-defined]
    assert (config["data"]["licence"] is None) == (name in ("text_words", "text_chars"))


def test_another_embedding_can_be_asked_for() -> None:
    assert compose(["data=verses_words", "embedding=random"])["choices"]["embedding"] == "random"


def test_every_set_of_these_tasks_is_known_here() -> None:
    found = {name for name in groups()["data"] if task_of(name) in TASKS}
    assert found == {name for _, name, _ in NAMES}


def data(name: str, cache: Path, *words: str) -> Any:
    return build_data(compose([f"data={name}", f"cache={cache}", *words]))


def test_what_is_missing_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIGHTNING_SEQ_MIRROR", raising=False)
    for name, said in (
        ("text_words", r"data\.train=FILE"),
        ("ptb", r"LDC.*data\.train=ptb\.train\.txt"),
        ("jsb_chorales", r"jsb_chorales is not on the Hub.*boulanger-lewandowski/jsb_chorales.*data\.train=FILE"),
    ):
        with pytest.raises(UserError, match=said):
            data(name, tmp_path)


def test_tiny_shakespeare_is_its_65_characters(mirror: Path, tmp_path: Path) -> None:
    found = data("tiny_shakespeare", tmp_path, f"data.mirror={mirror}")
    assert found.tokens == found.characters == {"train": 1_003_854, "validation": 55_770, "test": 55_770}
    assert len(found.vocabulary) == 4 + 65


def test_wikitext_has_the_published_number_of_tokens(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no split 'train' to train on, only test, validation"):
        data("wikitext2", tmp_path, f"data.mirror={mirror}")
    swapped = ("data.splits.train=validation", "data.splits.validation=test")
    found = data("wikitext2", tmp_path, f"data.mirror={mirror}", *swapped)
    assert (found.tokens["train"], found.tokens["test"]) == (217_646, 245_569)
    assert all(found.train_sentences())
