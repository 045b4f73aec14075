from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from lightning_seq.data.bucket_sampler import PADDING_SAMPLE, BatchShard, BucketSampler
from lightning_seq.data.loader import TrainLoader
from lightning_seq.data.tagging.module import TaggedSentenceDataset, TaggingData, TagReader
from lightning_seq.data.tagging.prepare import prepare_tags
from lightning_seq.data.tagging.prepared import PreparedTags
from lightning_seq.data.tagging.settings import TagSettings
from lightning_seq.data.tagging.spelling import Spellings, WordForm
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, Tags, Tokens
from lightning_seq.text.vocabulary import Vocabulary
from lightning_seq.text.word_case import CASES

from .counting import calls
from .from_keys import made
from .test_prepare_tags import Given

WORDS = ["cat", "Cat", "CAT", "3rd", "mcCoy", ",", "é", "extraordinarily", "New York".replace(" ", "_"), "1984", "IN"]


def sentences(size: int, seed: int, unknown: bool = False) -> list[tuple[str, str]]:
    generator = np.random.default_rng(seed)
    found = []
    for row in range(size):
        steps = 1 + row % 11
        tags = generator.choice(["X", "Y", "Z", "?"] if unknown else ["X", "Y", "Z"], steps)
        tags[0] = "XYZ"[row % 3]
        found.append((" ".join(generator.choice(WORDS, steps)), " ".join(tags)))
    return found


@pytest.fixture(scope="module")
def source() -> Given:
    intents = {split: ["i", "j"] * (size // 2) for split, size in (("train", 230), ("validation", 24), ("test", 38))}
    return Given(sentences(230, 0, unknown=True), sentences(24, 1), sentences(38, 2), intents=intents)


@pytest.fixture(scope="module")
def prepared(source: Given, tmp_path_factory: pytest.TempPathFactory) -> PreparedTags:
    settings = TagSettings(max_word_length=7, unseen_tags="ignore", min_count=2)
    return prepare_tags(source, tmp_path_factory.mktemp("tags"), settings)


@pytest.fixture
def data(prepared: PreparedTags) -> TaggingData:
    return TaggingData(prepared=prepared, batch_size=16)


def plain_case(token: str) -> str:
    if any(character.isdigit() for character in token):
        return "has digit"
    letters = [character for character in token if character.isalpha()]
    if not letters:
        return "other"
    word = "".join(letters)
    if word == word.lower():
        return "lower"
    if word == word[0].upper() + word[1:].lower():
        return "Capitalised"
    return "ALL CAPS" if word == word.upper() else "miXed"


@pytest.mark.parametrize("batch_size", [2, 16])
def test_a_batch_says_of_every_token_what_its_spelling_says(
    prepared: PreparedTags, source: Given, batch_size: int
) -> None:
    data, loaded = TaggingData(prepared=prepared, batch_size=batch_size), source.load().tables["train"]
    seen = 0
    for batch in data.train_dataloader():
        spelling, case, characters = (batch.extra[name] for name in ("spelling", "case", "characters"))
        for tensor in (batch.ids, batch.inputs, batch.targets, spelling, case, characters, batch.extra["intents"]):
            assert tensor.dtype == torch.int64
        tokens = [loaded.tokens[row] for row in batch.ids.tolist()]
        different = {token[:7] for words in tokens for token in words}
        assert len(characters) == len({token for words in tokens for token in words})
        assert characters.shape[1] == max(map(len, different))
        shape = (len(tokens), max(map(len, tokens)))
        assert batch.inputs.shape == batch.targets.shape == spelling.shape == case.shape == shape
        for place, (row, words) in enumerate(zip(batch.ids.tolist(), tokens, strict=True)):
            assert batch.mask[place].tolist() == [step < len(words) for step in range(shape[1])]
            for step, token in enumerate(words):
                spelt = [number for number in characters[spelling[place, step]].tolist() if number]
                assert "".join(data.prepared.characters[number] for number in spelt) == token[:7]
                assert CASES[case[place, step]] == plain_case(token)
                word = token.lower().translate(str.maketrans("123456789", "000000000"))
                assert data.vocabulary.words[batch.inputs[place, step]] in (word, "<unk>")
                tag = loaded.tags[row][step]
                assert bool(batch.target_mask[place, step]) == (tag is not None)
                assert tag is None or data.prepared.tags[batch.targets[place, step]] == tag
                seen += 1
            padding = ~batch.mask[place]
            for tensor in (batch.inputs, batch.targets, spelling, case, batch.target_mask):
                assert not tensor[place, padding].any()
            assert data.prepared.intents[batch.extra["intents"][place]] == loaded.intents[row]  # type: ignore[index]
        assert batch.count == int(batch.target_mask.sum())
    assert seen == sum(map(len, loaded.tokens))


def test_all_targets_count_where_all_tags_are_known(data: TaggingData) -> None:
    for batch in data.test_dataloader():
        assert torch.equal(batch.target_mask, batch.mask)


@pytest.mark.parametrize("split", ["train", "test"])
def test_two_ranks_together_are_one(prepared: PreparedTags, split: str) -> None:
    found = prepared.splits[split]
    sentences = TaggedSentenceDataset(found, prepared.spellings, intents=True)

    def batches(rank: int, world: int) -> list[Batch]:
        sampler = BucketSampler(found.lengths, 5, targets=found.counts, seed=3, rank=rank, world=world)
        sampler.set_epoch(2)
        return [sentences[share] for share in sampler]

    one, first, second = batches(0, 1), batches(0, 2), batches(1, 2)
    assert len(one) == len(first) == len(second)
    for global_batch, even, odd in zip(one, first, second, strict=True):
        assert global_batch.count == even.count == odd.count == int(global_batch.target_mask.sum())
        assert int(even.target_mask.sum() + odd.target_mask.sum()) == global_batch.count
        for part, ids in ((even, global_batch.ids[::2]), (odd, global_batch.ids[1::2])):
            assert part.ids[: len(ids)].tolist() == ids.tolist()
            for row, whole_row in enumerate(global_batch.ids.tolist().index(number) for number in ids.tolist()):
                steps = int(part.mask[row].sum())
                for name in ("inputs", "targets", "target_mask"):
                    mine, its = getattr(part, name)[row], getattr(global_batch, name)[whole_row]
                    assert torch.equal(mine[:steps], its[:steps])
                mine, its = (
                    b.extra["characters"][b.extra["spelling"][r]] for b, r in ((part, row), (global_batch, whole_row))
                )
                width = min(mine.shape[1], its.shape[1])
                assert torch.equal(mine[:steps, :width], its[:steps, :width])


def test_a_rank_without_a_share_gets_a_sentence_that_does_not_count(prepared: PreparedTags) -> None:
    batch = TaggedSentenceDataset(prepared.splits["train"], prepared.spellings, intents=True)[
        BatchShard([PADDING_SAMPLE], 7)
    ]
    assert batch.inputs.shape[0] == 1
    assert batch.mask.any()
    assert not batch.target_mask.any()
    assert batch.extra["intents"].tolist() == [-1]
    assert batch.count == 7


def test_an_epoch_goes_on_where_it_was_broken_off(data: TaggingData) -> None:
    loader = data.train_dataloader()
    assert isinstance(loader, TrainLoader)
    whole_epoch = [batch.ids.tolist() for batch in loader]
    passing = iter(loader)
    for _ in range(4):
        next(passing)
    rest = data.train_dataloader()
    assert isinstance(rest, TrainLoader)
    rest.load_state_dict(loader.state_dict())
    found = list(rest)
    assert [batch.ids.tolist() for batch in found] == whole_epoch[4:]
    assert [batch.count for batch in found] == [int(batch.target_mask.sum()) for batch in found]


def test_the_order_follows_seed_and_epoch(prepared: PreparedTags) -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        loader = TaggingData(prepared=prepared, batch_size=16, seed=seed).train_dataloader()
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        return [batch.ids.tolist() for batch in loader]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(2, 0)
    assert order(1, 0) != order(1, 1)


def test_it_works_with_workers(data: TaggingData) -> None:
    split = data.prepared.splits["train"]
    loader = DataLoader(
        TaggedSentenceDataset(split, data.prepared.spellings),
        sampler=BucketSampler(split.lengths, 16, targets=split.counts, seed=1),
        batch_size=None,
        num_workers=1,
    )
    for there, here in zip(loader, data.train_dataloader(), strict=True):
        assert torch.equal(there.extra["characters"], here.extra["characters"])
        assert "intents" not in there.extra


class Counting(LightningModule):
    """Writes down which sentences it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[int] = []

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        self.seen += batch.ids.tolist()
        return self.weight * batch.extra["characters"].sum()

    def validation_step(self, batch: Batch, _: int) -> None:
        self.seen += batch.ids.tolist()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def test_lightning_trains_on_it(data: TaggingData, tmp_path: Path) -> None:
    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, default_root_dir=tmp_path, num_sanity_val_steps=0,
        use_distributed_sampler=False, enable_model_summary=False, **options,
    )  # fmt: skip
    module = Counting()
    trainer.fit(module, datamodule=data)
    assert sorted(module.seen) == sorted([*range(230), *range(24)])


def test_a_batch_is_made_of_arrays_not_word_by_word(tmp_path: Path) -> None:
    rows = [(f"one two three four word{number}", "X Y Z V W") for number in range(64)]
    prepared = prepare_tags(Given(rows, rows[:2], rows[:2]), tmp_path)
    sentences = TaggedSentenceDataset(prepared.splits["train"], prepared.spellings)
    assert 5 < calls(sentences, BatchShard(list(range(8)), 40)) == calls(sentences, BatchShard(list(range(64)), 320))


def test_new_text_is_read_as_in_training(data: TaggingData) -> None:
    batch = data.encode(["Cat, 2999 Unheard", ["IN", "Cat"]])
    assert data.reader.tokens("Cat, 2999 Unheard") == ["Cat", ",", "2999", "Unheard"]
    words = [[data.vocabulary.words[number] for number in row] for row in batch.inputs.tolist()]
    assert words == [["cat", ",", "0000", "<unk>"], ["in", "cat", "<pad>", "<pad>"]]
    assert batch.mask.tolist() == [[True] * 4, [True, True, False, False]]
    assert [CASES[number] for number in batch.extra["case"][0]] == ["Capitalised", "other", "has digit", "Capitalised"]
    assert batch.extra["spelling"][0, 0] == batch.extra["spelling"][1, 1]
    assert not batch.target_mask.any()
    assert batch.targets.shape == batch.inputs.shape
    assert batch.extra["intents"].tolist() == [-1, -1]
    for texts, said in ((["cat", " \t"], "text 2 is empty"), ([["cat", " "]], "text 1 is empty"), ([], "no text")):
        with pytest.raises(UserError, match=said):
            data.encode(texts)


def test_new_text_gives_the_batch_that_training_gives(data: TaggingData) -> None:
    for batch in data.test_dataloader():
        again = data.encode([data.tokens("test", row) for row in batch.ids.tolist()])
        assert torch.equal(again.inputs, batch.inputs)
        assert torch.equal(again.mask, batch.mask)
        assert torch.equal(again.extra["case"], batch.extra["case"])
        spelt, expected = (one.extra["characters"][one.extra["spelling"]][batch.mask] for one in (again, batch))
        assert torch.equal(spelt, expected)


def test_bare_text_is_read_without_marks_and_capitals(prepared: PreparedTags) -> None:
    reader = TaggingData(prepared=prepared, bare=True).reader
    assert reader.tokens("In the beginning, God's Beth-el!") == ["in", "the", "beginning", "god's", "beth-el"]
    with pytest.raises(UserError, match="text 1 is empty"):
        reader.encode(["?!"])
    with pytest.raises(UserError, match="text 41 is empty"):
        reader.encode(["cat", "?!"], first=40)


def test_a_checkpoint_can_hold_it_and_brings_it_back(data: TaggingData, tmp_path: Path) -> None:
    torch.save(data.to_plain(), tmp_path / "plain")
    plain = torch.load(tmp_path / "plain", weights_only=True)
    assert plain["kind"] == "tagging"
    reader = TagReader.from_plain(plain)
    assert reader == data.reader
    assert isinstance(reader.spec.inputs, Tokens)
    assert isinstance(reader.spec.targets, Tags)
    assert reader.spec.inputs.words == data.vocabulary.words
    assert reader.spec.targets.names == data.prepared.tags
    there, here = reader.encode(["Cat 3rd"]), data.encode(["Cat 3rd"])
    assert torch.equal(there.extra["characters"], here.extra["characters"])


def test_what_it_says_of_itself(data: TaggingData) -> None:
    first = data.summary().splitlines()[0]
    assert first.startswith("given: train 230, validation 24, test 38 sentences, 3 tags, 2 intents, ")
    assert len(list(data.train_sentences())) == 230
    assert len(data.train_labels) == data.prepared.splits["train"].counts.sum()
    assert set(data.train_labels.tolist()) == {0, 1, 2}


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    for options, said in (
        ({"source": "hub"}, r"data\.hub\.id is not given"),
        ({"source": "hub", "hub": {"id": "a/b", "tokens": "x"}}, "did you mean tokens_column"),
        ({"source": "look_ahead", "batch_size": 0}, r"data\.batch_size is 0"),
        ({"source": "look_ahead", "eval_batch_size": 0}, r"data\.eval_batch_size is 0"),
        ({"source": "look_ahead", "num_workers": -1}, r"data\.num_workers is -1"),
        ({"source": "look_ahead", "unseen_tags": "keep"}, r"data\.unseen_tags is 'keep'"),
        ({"source": "conllu", "train": "x.conllu", "split_seed": -1}, r"data\.split_seed is -1"),
        ({"source": "conll", "train": "x.txt", "tag_column": "ner"}, r"data\.tag_column is 'ner'"),
        ({"source": "conll", "train": None}, r"data\.train=FILE"),
    ):
        with pytest.raises(UserError, match=said):
            made(TaggingData, options.pop("source"), tmp_path, **options)  # type: ignore[arg-type]


def test_files_of_the_users_own_become_batches(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("".join(f"Peter{row} NNP B-PER\nsat VBD O\n\n" for row in range(20)))
    data = made(TaggingData, "conll", tmp_path / "cache", train=str(path), batch_size=4)
    assert (data.prepared.scheme, data.prepared.tags) == ("bio", ("O", "B-PER"))
    assert sum(batch.count for batch in data.train_dataloader()) == 32
    assert data.tokens("test", 0)[1] == "sat"
    pos = made(TaggingData, "conll", tmp_path / "cache", train=str(path), tag_column=1)
    assert (pos.prepared.scheme, pos.prepared.tags) == ("none", ("NNP", "VBD"))


def test_only_spellings_that_occur_are_in_a_batch() -> None:
    vocabulary = Vocabulary.from_counts({"b": 2, "c": 1})
    spellings = Spellings.of(["long", "b", "c"], WordForm(), vocabulary, ("<pad>", "<unk>", "b", "c"), 9)
    inputs, mask, extra = spellings.look_up(np.array([1, 2, 2]), np.array([0, 1, 3]), np.array([0, 1]))
    assert inputs.tolist() == [[4, 0], [5, 5]]
    assert mask.tolist() == [[True, False], [True, True]]
    assert extra["characters"].tolist() == [[2], [3]]
    assert extra["spelling"].tolist() == [[0, 0], [1, 1]]
