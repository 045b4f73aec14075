from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from lightning_seq.data.bucket_sampler import PADDING_SAMPLE, BatchShard, BucketSampler
from lightning_seq.data.loader import TrainLoader
from lightning_seq.data.sequence_to_sequence.module import PairDataset, SequenceToSequenceData
from lightning_seq.data.sequence_to_sequence.prepare import prepare_pairs
from lightning_seq.data.sequence_to_sequence.prepared import PreparedPairs
from lightning_seq.data.sequence_to_sequence.settings import PairSettings
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, Tokens
from lightning_seq.text.vocabulary import EOS

from .counting import calls
from .from_keys import made
from .given_pairs import Given, words


def test_a_batch_has_the_pairs_and_every_target_an_end(data: SequenceToSequenceData, source: Given) -> None:
    seen = 0
    for batch in data.train_dataloader():
        rows = [source.train[row] for row in batch.ids.tolist()]
        sources, targets = [words(first) for first, _ in rows], [[*words(second), "<eos>"] for _, second in rows]
        for tensor, mask, texts, vocabulary in (
            (batch.inputs, batch.mask, sources, data.vocabulary),
            (batch.targets, batch.target_mask, targets, data.target_vocabulary),
        ):
            assert tensor.dtype == torch.int64
            assert tensor.shape == mask.shape == (len(rows), max(map(len, texts)))
            for ids, real, tokens in zip(tensor, mask, texts, strict=True):
                assert vocabulary.decode(ids[real].tolist()) == tokens
                assert real.tolist() == [step < len(tokens) for step in range(len(real))]
                assert not ids[~real].any()
        assert batch.count == int(batch.target_mask.sum()) == sum(map(len, targets))
        assert batch.extra == {}
        seen += len(rows)
    assert seen == 230


def test_pairs_of_like_length_stand_together(data: SequenceToSequenceData) -> None:
    """One pool: batches of the validation split are in order of source, then target."""
    found = [
        (int(source), int(target))
        for batch in data.test_dataloader()
        for source, target in zip(batch.mask.sum(1), batch.target_mask.sum(1), strict=True)
    ]
    assert found == sorted(found)
    assert len(set(found)) > 20


def test_the_target_side_stands_for_data_of_its_own(data: SequenceToSequenceData) -> None:
    side = data.target_side
    assert side.vocabulary is data.target_vocabulary
    assert side.spec.inputs == Tokens(data.target_vocabulary.words)
    assert side.fingerprints["data"] != data.fingerprints["data"]
    assert list(side.train_sentences()) == [words(data.target_text("train", row)) for row in range(230)]
    assert list(data.train_sentences()) == [words(data.source_text("train", row)) for row in range(230)]


def test_texts_are_as_the_source_has_them(data: SequenceToSequenceData, source: Given) -> None:
    assert [(data.source_text("test", row), data.target_text("test", row)) for row in range(38)] == source.test
    assert data.lengths("test").tolist() == [len(words(first)) for first, _ in source.test]
    assert data.prepared.splits["test"].target.lengths.tolist() == [len(words(second)) + 1 for _, second in source.test]
    assert data.prepared.splits["test"].ids.tolist() == list(range(100, 138))


@pytest.mark.parametrize("split", ["train", "test"])
def test_two_ranks_together_are_one(prepared: PreparedPairs, split: str) -> None:
    found = prepared.splits[split]

    def batches(rank: int, world: int) -> list[Batch]:
        sampler = BucketSampler(found.source.lengths, 5, targets=found.target.lengths, seed=3, rank=rank, world=world)
        sampler.set_epoch(2)
        return [PairDataset(found)[share] for share in sampler]

    one, first, second = batches(0, 1), batches(0, 2), batches(1, 2)
    assert len(one) == len(first) == len(second)
    for global_batch, even, odd in zip(one, first, second, strict=True):
        assert global_batch.count == even.count == odd.count == int(global_batch.target_mask.sum())
        assert int(even.target_mask.sum() + odd.target_mask.sum()) == global_batch.count
        for part, ids in ((even, global_batch.ids[::2]), (odd, global_batch.ids[1::2])):
            assert part.ids[: len(ids)].tolist() == ids.tolist()


def test_a_rank_without_a_share_gets_a_pair_that_does_not_count(prepared: PreparedPairs) -> None:
    batch = PairDataset(prepared.splits["train"])[BatchShard([PADDING_SAMPLE], 7)]
    assert batch.inputs.shape[0] == 1
    assert batch.mask.any()
    assert not batch.target_mask.any()
    assert batch.targets[0, -1] == EOS
    assert batch.count == 7


def test_an_epoch_goes_on_where_it_was_broken_off(data: SequenceToSequenceData) -> None:
    loader = data.train_dataloader()
    assert isinstance(loader, TrainLoader)
    whole_epoch = [batch.ids.tolist() for batch in loader]
    passing = iter(loader)
    for _ in range(4):
        next(passing)
    rest = data.train_dataloader()
    assert isinstance(rest, TrainLoader)
    rest.load_state_dict(loader.state_dict())
    passing = iter(rest)
    for _ in range(2):
        next(passing)
    again = data.train_dataloader()
    assert isinstance(again, TrainLoader)
    again.load_state_dict(rest.state_dict())
    assert [batch.ids.tolist() for batch in again] == whole_epoch[6:]
    assert [batch.ids.tolist() for batch in passing] == whole_epoch[6:]


def test_the_order_follows_seed_and_epoch(prepared: PreparedPairs) -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        loader = SequenceToSequenceData(prepared=prepared, batch_size=16, seed=seed).train_dataloader()
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        return [batch.ids.tolist() for batch in loader]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(2, 0)
    assert order(1, 0) != order(1, 1)


ALIGNED = {split: [[(0, 3, 4, 6), (4, 5, 0, 1)], [(0, 1, 0, 4)]] for split in ("train", "validation", "test")}
"""Of `("a b cd", "xyz w")`: `xyz` comes from `cd`, `w` from `a`; of `("ab f", "q r")`: `q` from both, `r` from none."""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"level": "spaced"}, [{(0, 2), (1, 0)}, {(0, 0), (0, 1)}]),
        (
            {"level": "character"},
            [{(t, s) for t in (0, 1, 2) for s in (4, 5)} | {(4, 0)}, {(0, s) for s in (0, 1, 2, 3)}],
        ),
        ({"level": "spaced", "max_length": 2, "max_target_length": 1}, [set(), {(0, 0), (0, 1)}]),
        (
            {"level": "word", "target_level": "character", "source_eos": True},
            [{(0, 2), (1, 2), (2, 2), (4, 0)}, {(0, 0), (0, 1)}],
        ),
    ],
)
def test_alignments_are_of_tokens_whatever_they_are(
    tmp_path: Path, options: dict[str, Any], expected: list[set[tuple[int, int]]]
) -> None:
    rows = [("a b cd", "xyz w"), ("ab f", "q r")]
    data = SequenceToSequenceData(
        prepared=prepare_pairs(Given(rows, rows, rows, ALIGNED), tmp_path, PairSettings(**options)), batch_size=2
    )
    assert data.prepared.aligned
    for batch in (*data.train_dataloader(), *data.test_dataloader()):
        alignments = batch.extra["alignments"]
        assert alignments.dtype == torch.bool
        assert alignments.shape == (*batch.targets.shape, batch.inputs.shape[1])
        for row, found in zip(batch.ids.tolist(), alignments, strict=True):
            assert {(t, s) for t, s in found.nonzero().tolist()} == expected[row]


@pytest.mark.parametrize("name", ["copy", "reverse", "reordering"])
def test_tokens_of_known_sources_are_linked(name: str, tmp_path: Path) -> None:
    data = made(SequenceToSequenceData, name, tmp_path, level="spaced", examples=60, batch_size=7)
    for batch in data.train_dataloader():
        alignments = batch.extra["alignments"]
        ends = batch.target_mask.sum(1) - 1
        for row in range(len(batch.ids)):
            real = alignments[row]
            assert not real[ends[row] :].any()
            assert not real[:, ~batch.mask[row]].any()
            assert real[: ends[row]].any(1).all()
            if name != "reordering":
                size = int(ends[row])
                straight = torch.eye(size, dtype=torch.bool)
                assert torch.equal(real[:size, :size], straight if name == "copy" else straight.flip(1))


def test_digits_of_a_date_are_linked_with_its_words(tmp_path: Path) -> None:
    data = made(
        SequenceToSequenceData,
        "dates",
        tmp_path,
        level="word",
        target_level="character",
        languages=["en"],
        examples=100,
        batch_size=9,
    )
    for batch in data.test_dataloader():
        for row, alignments in zip(batch.ids.tolist(), batch.extra["alignments"], strict=True):
            tokens, iso = data.reader.tokens(data.source_text("test", row)), data.target_text("test", row)
            origins = [[tokens[s] for s in step.nonzero().flatten().tolist()] for step in alignments]
            assert [origins[place] for place in (4, 7, 10)] == [[], [], []]
            assert all(origins[place] == [iso[:4]] for place in range(4))
            assert origins[5] == origins[6]
            assert origins[5][0][:3].isalpha()
            assert origins[8] == origins[9] == [str(int(iso[8:10]))]


def test_it_works_with_workers(source: Given, tmp_path: Path) -> None:
    settings = PairSettings(level="subword", subword={"size": 26})
    data = SequenceToSequenceData(prepared=prepare_pairs(source, tmp_path, settings), batch_size=16)
    split = data.prepared.splits["test"]
    sampler = data.test_dataloader().sampler
    loader = DataLoader(PairDataset(split), sampler=sampler, batch_size=None, num_workers=1)
    for there, here in zip(loader, data.test_dataloader(), strict=True):
        assert torch.equal(there.inputs, here.inputs)
        assert torch.equal(there.targets, here.targets)


class Counting(LightningModule):
    """Writes down which pairs it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[int] = []

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        self.seen += batch.ids.tolist()
        return self.weight * batch.targets.sum()

    def validation_step(self, batch: Batch, _: int) -> None:
        self.seen += batch.ids.tolist()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def test_lightning_trains_on_it(data: SequenceToSequenceData, tmp_path: Path) -> None:
    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, default_root_dir=tmp_path, num_sanity_val_steps=0,
        use_distributed_sampler=False, enable_model_summary=False, **options,
    )  # fmt: skip
    module = Counting()
    trainer.fit(module, datamodule=data)
    assert sorted(module.seen) == sorted([*range(230), *range(24)])


@pytest.mark.parametrize("aligned", [False, True])
def test_a_batch_is_made_of_arrays_not_pair_by_pair(tmp_path: Path, aligned: bool) -> None:
    rows = [("a b c d e f", "f e d c b a")] * 64
    links = [[(2 * step, 2 * step + 1, 2 * step, 2 * step + 1) for step in range(6)]] * 64
    found = {"train": links, "validation": links[:2], "test": links[:2]} if aligned else None
    prepared = prepare_pairs(Given(rows, rows[:2], rows[:2], found), tmp_path, PairSettings(level="spaced"))
    split = PairDataset(prepared.splits["train"])

    assert 5 < calls(split, BatchShard(list(range(8)), 96)) == calls(split, BatchShard(list(range(64)), 768))


def test_what_it_says_of_itself(data: SequenceToSequenceData, tmp_path: Path) -> None:
    assert data.summary().splitlines() == [
        "given: train 230, validation 24, test 38 pairs, 12 source words (unknown in test: 0.0%), "
        "12 target words (unknown in test: 0.0%)",
        "  a note",
    ]
    dates = made(SequenceToSequenceData, "dates", tmp_path, level="character", languages=["en"], examples=50)
    assert dates.summary().startswith("dates (en): train 50, validation 5, test 5 pairs, ")
    assert dates.summary().endswith(", aligned")


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    for options, said in (
        ({"source": "reverse", "level": "subwrd"}, r"data\.level is 'subwrd'; did you mean subword"),
        ({"source": "reverse", "target_level": "letter"}, r"data\.target_level is 'letter'; choose from: character"),
        ({"source": "reverse", "subword": {"kin": 3}}, r"data\.subword has no key 'kin'; did you mean kind"),
        ({"source": "reverse", "max_length": 0}, r"data\.max_length is 0"),
        ({"source": "reverse", "max_target_length": 0}, r"data\.max_target_length is 0"),
        ({"source": "reverse", "batch_size": 0}, r"data\.batch_size is 0"),
        ({"source": "reverse", "eval_batch_size": 0}, r"data\.eval_batch_size is 0"),
        ({"source": "reverse", "num_workers": -1}, r"data\.num_workers is -1"),
        ({"source": "pairs", "train": None}, r"data\.train=FILE"),
        ({"source": "dates", "languages": ["xx"]}, r"data\.languages has 'xx'"),
    ):
        with pytest.raises(UserError, match=said):
            made(SequenceToSequenceData, options.pop("source"), tmp_path, **options)  # type: ignore[arg-type]


def test_files_of_the_users_own_become_batches(tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_text("".join(f"Go {row}.\tVa {row} !\n" for row in range(20)))
    data = made(SequenceToSequenceData, "pairs", tmp_path / "cache", train=str(path), batch_size=4)
    assert sum(batch.count for batch in data.train_dataloader()) == 16 * 4
    row = 0
    assert data.reference("test", row) == data.target_text("test", row).lower()
    assert data.prepared.name == "train.tsv"
