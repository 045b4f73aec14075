"""Examples that are too long for a batch of the usual size."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_seq.builders.build import build_data
from lightning_seq.cli.main import main
from lightning_seq.config.compose import compose
from lightning_seq.errors import UserError
from lightning_seq.identity import config_identity, differing
from lightning_seq.inference.predict import noted
from lightning_seq.records.record import read
from tests.runs import TINY


@pytest.fixture
def long(tmp_path: Path) -> list[str]:
    """A document of 20,000 words among short ones."""
    file = tmp_path / "long.csv"
    rows = [f"a short text {number},{'xy'[number % 2]}\n" for number in range(200)]
    file.write_text("text,label\n" + f"{'a b ' * 10_000},x\n" + "".join(rows), encoding="utf-8")
    return ["data=csv", f"data.train={file}", f"cache={tmp_path / 'cache'}", f"runs={tmp_path / 'runs'}"]


def test_a_long_document_is_alone_in_its_batch(
    long: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = build_data(compose([*long, "embedding=random", "data.max_tokens=24000"]))
    batches = [batch for loader in (data.train_dataloader(), data.test_dataloader()) for batch in loader]
    assert max(batch.mask.numel() for batch in batches) == 20_000
    assert sum(int(batch.target_mask.sum()) for batch in batches) == 201 - 20
    assert main(["train", "model=lstm", *long, *TINY, "trainer.max_epochs=1", "data.max_tokens=24000"]) == 0
    said = "".join(capsys.readouterr())
    assert "train: 1 long example in smaller batches, of at most 24,000 tokens with their padding" in said
    assert "data.max_length=N cuts it" in said
    (directory,) = (tmp_path / "runs").glob("*/*-seed1")
    assert read(directory).status == "done"


def test_a_document_longer_than_the_limit_is_refused(long: list[str]) -> None:
    data = build_data(compose([*long, "embedding=random", "data.max_tokens=5000"]))
    with pytest.raises(UserError, match=r"20,000 tokens, more than data.max_tokens=5000: data.max_length=N cuts"):
        data.summary()


def test_the_usual_limit_is_not_part_of_the_identity_of_a_run() -> None:
    usual, other = compose([]), compose(["data.max_tokens=5000"])
    before = {**usual, "data": {key: value for key, value in usual["data"].items() if key != "max_tokens"}}
    assert config_identity(usual) == config_identity(before)
    assert config_identity(other) != config_identity(before)
    assert "data.max_tokens" not in differing([usual, before])
    assert "data.max_tokens" in differing([usual, other])


class Reads:
    def note(self, text: str) -> None:
        return None


def test_new_texts_that_are_long_are_read_in_small_batches() -> None:
    texts = ["a" * size for size in (3, 300_000, 200_000, 600_000, 5, 5)]
    sizes: list[list[int]] = []

    def answer(batch: list[str]) -> list[int]:
        sizes.append([len(text) for text in batch])
        return sizes[-1]

    answers = [found for _, found, _ in noted(Reads(), texts, 64, answer)]  # type: ignore[arg-type]
    assert answers == [len(text) for text in texts]
    assert sizes == [[3], [300_000], [200_000], [600_000], [5, 5]]
