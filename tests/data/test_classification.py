from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from lightning_seq.data.bucket_sampler import PADDING_SAMPLE, BatchShard, BucketSampler
from lightning_seq.data.classification.module import ClassificationData, SentenceDataset, TextReader
from lightning_seq.data.classification.prepare import EncodedSplit
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, Class, Tokens

from .counting import calls
from .from_keys import made


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("own") / "train.txt"
    words = [f"word{number}" for number in range(30)]
    path.write_text(
        "".join(f"{'ab'[row % 2]}\t{' '.join(generator.choice(words, 1 + row % 13))}\n" for row in range(230))
    )
    return path


@pytest.fixture
def data(file: Path) -> ClassificationData:
    return made(ClassificationData, "text", file.parent, train=str(file), batch_size=16)


class Recorder(LightningModule):
    """Learns nothing to speak of, and writes down which samples it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.epochs: list[list[list[int]]] = []
        self.evaluated: list[int] = []
        self.predicted = 0

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        while len(self.epochs) <= self.current_epoch:
            self.epochs.append([])
        self.epochs[-1].append(batch.ids.tolist())
        return self.weight * batch.mask.sum()

    def validation_step(self, batch: Batch, _: int) -> None:
        self.evaluated += batch.ids[batch.target_mask].tolist()

    test_step = validation_step

    def predict_step(self, batch: Batch, _: int) -> None:
        self.predicted += len(batch.ids)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


class StoppedError(Exception):
    pass


class StopAt(Callback):
    """Saves a checkpoint after so many batches, and breaks the run off."""

    def __init__(self, batches: int, path: Path) -> None:
        self.batches, self.path = batches, path

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.batches:
            trainer.save_checkpoint(self.path)
            raise StoppedError


def trainer(directory: Path, **options: Any) -> Trainer:
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=directory,
        **{"enable_checkpointing": False, **options},
    )


def test_lightning_shuffles_anew_each_epoch_and_shows_every_sample_once(
    data: ClassificationData, tmp_path: Path
) -> None:
    module, runs = Recorder(), trainer(tmp_path, max_epochs=2)
    runs.fit(module, datamodule=data)
    size = len(data.prepared.splits["train"])
    for epoch in module.epochs:
        assert sorted(index for batch in epoch for index in batch) == list(range(size))
    assert module.epochs[0] != module.epochs[1]
    assert sorted(module.evaluated) == sorted(list(range(len(data.prepared.splits["validation"]))) * 2)
    module.evaluated.clear()
    runs.test(module, datamodule=data, verbose=False)
    assert sorted(module.evaluated) == list(range(len(data.prepared.splits["test"])))
    runs.predict(module, datamodule=data)
    assert module.predicted == len(data.prepared.splits["test"])


@pytest.mark.parametrize("batches", [1, 11, 12, 13, 17])
def test_a_run_that_was_broken_off_goes_on_where_it_was(data: ClassificationData, tmp_path: Path, batches: int) -> None:
    straight = Recorder()
    trainer(tmp_path, max_epochs=3, limit_val_batches=0).fit(straight, datamodule=data)
    first, rest = Recorder(), Recorder()
    stop = StopAt(batches, tmp_path / "broken.ckpt")
    with pytest.raises(StoppedError):
        trainer(tmp_path, max_epochs=3, limit_val_batches=0, callbacks=[stop]).fit(first, datamodule=data)
    trainer(tmp_path, max_epochs=3, limit_val_batches=0).fit(rest, datamodule=data, ckpt_path=tmp_path / "broken.ckpt")
    seen = [batch for module in (first, rest) for epoch in module.epochs for batch in epoch]
    assert seen == [batch for epoch in straight.epochs for batch in epoch]


def test_the_order_follows_the_seed_alone(file: Path) -> None:
    def order(seed: int) -> list[list[int]]:
        torch.manual_seed(np.random.default_rng().integers(1 << 30))
        loader = made(ClassificationData, "text", file.parent, train=str(file), seed=seed).train_dataloader()
        return [batch.ids.tolist() for batch in loader]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_a_pass_over_the_data_leaves_torchs_random_stream_alone(data: ClassificationData) -> None:
    before = torch.get_rng_state()
    for _ in data.train_dataloader():
        pass
    assert torch.equal(before, torch.get_rng_state())


def test_a_batch_holds_its_sentences(data: ClassificationData) -> None:
    split = data.prepared.splits["train"]
    for batch in data.train_dataloader():
        assert batch.inputs.dtype == batch.ids.dtype == batch.targets.dtype == torch.int64
        assert batch.count == len(batch.ids)
        assert batch.target_mask.all()
        for index, row, keep, target in zip(batch.ids.tolist(), batch.inputs, batch.mask, batch.targets, strict=True):
            assert row[keep].tolist() == split.flat[split.offsets[index] : split.offsets[index + 1]].tolist()
            assert target == split.labels[index]


def test_a_rank_without_a_share_gets_a_sample_that_does_not_count(data: ClassificationData) -> None:
    batch = SentenceDataset(data.prepared.splits["train"])[BatchShard([PADDING_SAMPLE], 3)]
    assert batch.inputs.shape[0] == 1
    assert batch.target_mask.tolist() == [False]
    assert batch.count == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_it_works_with_workers(data: ClassificationData, workers: int) -> None:
    split = data.prepared.splits["train"]
    loader = DataLoader(
        SentenceDataset(split), sampler=BucketSampler(split.lengths, 16), batch_size=None, num_workers=workers
    )
    assert [batch.ids.tolist() for batch in loader] == [batch.ids.tolist() for batch in data.train_dataloader()]


def test_a_batch_is_made_of_arrays_not_sentence_by_sentence() -> None:
    split = EncodedSplit(np.ones(500, np.int32), np.arange(0, 501, 50), np.zeros(10, np.int64), np.arange(10))
    sentences = SentenceDataset(split)
    assert 5 < calls(sentences, BatchShard([3, 1], 2)) == calls(sentences, BatchShard([3, 1, 9, 5, 7, 4, 2, 8], 8))


def test_new_text_is_read_as_in_training(data: ClassificationData) -> None:
    batch = data.encode(["Word1 word2 unheard-of", "word3"])
    ids = data.vocabulary.encode(["word1", "word2"])
    assert batch.inputs[0].tolist() == [*ids, 1, 1, 1]
    assert batch.mask.tolist() == [[True] * 5, [True] + [False] * 4]
    assert not batch.target_mask.any()
    with pytest.raises(UserError, match="text 2 is empty"):
        data.encode(["word1", "  "])
    with pytest.raises(UserError, match="text 41 is empty"):
        data.reader.encode(["word1", " "], first=40)
    assert data.encode(["never heard"]).inputs.tolist() == [[1, 1]]
    assert data.reader.note("never heard") == ("only unknown words", True)
    assert data.reader.note(" ") == ("empty line", False)
    assert data.reader.note("word1 never") is None


def test_a_checkpoint_can_hold_it_and_brings_it_back(data: ClassificationData, tmp_path: Path) -> None:
    torch.save(data.to_plain(), tmp_path / "plain")
    reader = TextReader.from_plain(torch.load(tmp_path / "plain", weights_only=True))
    assert reader == data.reader
    assert reader.spec == data.spec
    assert isinstance(data.spec.inputs, Tokens)
    assert isinstance(data.spec.targets, Class)
    assert data.spec.inputs.words == data.vocabulary.words
    assert data.spec.targets.names == ("a", "b")
    assert torch.equal(reader.encode(["word1 word9"]).inputs, data.encode(["word1 word9"]).inputs)


def test_what_it_says_of_itself(data: ClassificationData) -> None:
    first, *rest = data.summary().splitlines()
    assert "train 182, validation 24, test 24" in first
    assert "2 classes" in first
    assert any("validation: 10% of train" in line for line in rest)
    assert data.train_labels.sum() == 91
    assert len(list(data.train_sentences())) == 182


def test_settings_that_cannot_be(file: Path) -> None:
    for options, said in (
        ({"source": "hub"}, r"data\.hub\.id is not given"),
        ({"source": "hub", "hub": {"id": "a/b", "revison": "x"}}, "did you mean revision"),
        ({"source": "text", "train": str(file), "batch_size": 0}, r"data\.batch_size is 0"),
        ({"source": "text", "train": str(file), "eval_batch_size": -1}, r"data\.eval_batch_size is -1"),
        ({"source": "text", "train": str(file), "split_seed": -1}, r"data\.split_seed is -1"),
        ({"source": "text", "train": None}, r"data\.train=FILE"),
    ):
        with pytest.raises(UserError, match=said):
            made(ClassificationData, options.pop("source"), file.parent, **options)  # type: ignore[arg-type]
