from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lightning_seq.data.classification.module import ClassificationData
from lightning_seq.data.sources.look_ahead import TAGS, LookAhead
from lightning_seq.data.sources.word_order import WordOrder
from lightning_seq.data.tagging.module import TaggingData
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch

from .from_keys import made


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10), st.integers(1, 13), st.integers(10, 60), st.integers(0, 5))
def test_a_tag_is_decided_by_the_letter_that_is_later(
    distance: int, more: int, halves: int, examples: int, seed: int
) -> None:
    source = LookAhead(distance + 1 + more, distance, 2 * halves, examples=examples, split_seed=seed)
    loaded = source.load()
    assert len(loaded.tables["train"]) == examples
    letters = "abcdefghijklmnopqrstuvwxyz"[: 2 * halves]
    for table in loaded.tables.values():
        for words, tags in zip(table.tokens, table.tags, strict=True):
            assert distance < len(words) == len(tags) <= source.length
            assert set(words) <= set(letters)
            assert tags[-distance:] == [None] * distance
            for step, tag in enumerate(tags[:-distance]):
                assert tag == TAGS[letters.index(words[step + distance]) >= halves]


def test_look_ahead_is_drawn_from_its_seed() -> None:
    assert LookAhead().load() == LookAhead().load()
    assert LookAhead().load().tables["train"].tokens[:9] != LookAhead(split_seed=2).load().tables["train"].tokens[:9]
    tables = LookAhead().load().tables
    assert tables["train"].tokens[:400] != tables["test"].tokens


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"length": 3, "distance": 3}, r"data\.length is 3, expected a whole number of at least 4"),
        ({"distance": 0}, r"data\.distance is 0"),
        ({"symbols": 7}, r"data\.symbols is 7, expected an even"),
        ({"symbols": 28}, r"data\.symbols is 28, expected a whole number from 2 to 26"),
        ({"examples": 9}, r"data\.examples is 9"),
        ({"split_seed": -1}, r"data\.split_seed is -1"),
    ],
)
def test_look_ahead_that_cannot_be(options: dict[str, int], said: str) -> None:
    with pytest.raises(UserError, match=said):
        LookAhead(**options)


def test_every_sentence_has_its_partner_in_another_order_and_class() -> None:
    tables = WordOrder().load().tables
    seen: set[str] = set()
    for table in tables.values():
        pairs = list(zip(table.texts[::2], table.texts[1::2], strict=True))
        assert table.labels == ["person", "animal"] * len(pairs)
        for one, other in pairs:
            assert one != other
            assert Counter(one.split()) == Counter(other.split())
        assert not seen & set(table.texts)
        assert len(set(table.texts)) == len(table.texts)
        seen |= set(table.texts)
    assert WordOrder(2).load().tables["test"].texts != tables["test"].texts
    with pytest.raises(UserError, match=r"data\.split_seed is -1"):
        WordOrder(-1)


class Small(nn.Module):
    """An Elman network, or a mean of embeddings, in a few lines: enough to see whether a task can be learnt."""

    def __init__(self, words: int, classes: int, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.embedding = nn.Embedding(words, 32)
        self.rnn = nn.RNN(32, 48, batch_first=True, bidirectional=kind == "birnn")
        self.head = nn.Linear({"bag": 32, "rnn": 48, "birnn": 96}[kind], classes)

    def forward(self, batch: Batch) -> Tensor:
        x, lengths = self.embedding(batch.inputs), batch.mask.sum(dim=1)
        if self.kind == "bag":
            return self.head((x * batch.mask[..., None]).sum(dim=1) / lengths[:, None])
        h, _ = self.rnn(x)
        return self.head(h[torch.arange(len(h)), lengths - 1] if batch.targets.ndim == 1 else h)


def accuracy_of(kind: str, data: TaggingData | ClassificationData, epochs: int) -> float:
    torch.manual_seed(1)
    targets = data.spec.targets
    model = Small(len(data.vocabulary), targets.size, kind)  # type: ignore[union-attr]
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for epoch in range(epochs):
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        for batch in loader:
            losses = nn.functional.cross_entropy(model(batch).flatten(0, -2), batch.targets.flatten(), reduction="none")
            optimizer.zero_grad()
            ((losses * batch.target_mask.flatten()).sum() / batch.count).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    right = count = 0
    with torch.no_grad():
        for batch in data.test_dataloader():
            right += int(((model(batch).argmax(dim=-1) == batch.targets) & batch.target_mask).sum())
            count += batch.count
    return right / count


def test_only_what_looks_ahead_learns_look_ahead(tmp_path: Path) -> None:
    data = made(TaggingData, "look_ahead", tmp_path, batch_size=64)
    assert accuracy_of("birnn", data, 4) > 0.95
    assert accuracy_of("rnn", data, 3) < 0.53


def test_only_what_sees_the_order_learns_word_order(tmp_path: Path) -> None:
    data = made(ClassificationData, "word_order", tmp_path, batch_size=64)
    assert accuracy_of("bag", data, 2) == 0.5
    assert accuracy_of("rnn", data, 5) > 0.95
