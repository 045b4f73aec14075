from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.pytorch import LightningModule, Trainer

from lightning_seq.data.bucket_sampler import PADDING_SAMPLE, BatchShard
from lightning_seq.data.language_modelling.module import LanguageModellingData, LineDataset
from lightning_seq.data.language_modelling.reader import LanguageReader
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch
from lightning_seq.text.vocabulary import Vocabulary

from .from_keys import made

LINES = [f"w{number % 7} w{number % 5} w{number % 3}\n" for number in range(60)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "train.txt"
    path.write_text("".join(LINES))
    return path


def make(file: Path, **options: Any) -> LanguageModellingData:
    whole = {"train": str(file), "validation": str(file), "test": str(file)}
    return made(LanguageModellingData, "text", file.parent, **{**whole, "chunk_length": 7, "batch_size": 4, **options})


def text_of(batches: Iterable[Batch]) -> list[list[int]]:
    """The targets that count, by row, over all batches."""
    rows: dict[int, list[int]] = {}
    for batch in batches:
        for row, (targets, counts) in enumerate(zip(batch.targets, batch.target_mask, strict=True)):
            rows.setdefault(row, []).extend(targets[counts].tolist())
    return [rows[row] for row in sorted(rows)]


def test_the_first_batches_by_hand(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a b\nc d\na\n")
    data = make(tmp_path / "t.txt", chunk_length=2, batch_size=2)
    first, second = data.train_dataloader()
    words = data.vocabulary.words
    assert [[words[index] for index in row] for row in first.inputs] == [["<eos>", "a"], ["c", "d"]]
    assert [[words[index] for index in row] for row in first.targets] == [["a", "b"], ["d", "<eos>"]]
    assert [[words[index] for index in row] for row in second.inputs] == [["b", "<eos>"], ["<eos>", "a"]]
    assert [[words[index] for index in row] for row in second.targets] == [["<eos>", "c"], ["a", "<eos>"]]
    assert first.ids.tolist() == [0, 4]
    assert second.ids.tolist() == [2, 6]
    assert (first.count, second.count) == (4, 4)
    assert [batch.extra["fresh"].item() for batch in (first, second)] == [True, False]
    assert dict(zip(words, data.target_counts("test").tolist(), strict=True)) == {
        **dict.fromkeys(("<pad>", "<unk>", "<bos>"), 0), "<eos>": 3, "a": 2, "b": 1, "c": 1, "d": 1,
    }  # fmt: skip
    for layout, left in (("columns", [1, 1, 1, 1]), ("sequences", [0, 1, 0, 1])):
        unbroken = make(tmp_path / "t.txt", chunk_length=2, batch_size=2, eos=False, layout=layout)
        assert unbroken.vocabulary.words[4:] == ("a", "b", "c", "d")
        assert unbroken.target_counts("test").tolist() == [0, 0, 0, 0, *left]
    assert [batch.extra["advance"].item() for batch in (first, second)] == [2, 2]
    for batch in (first, second):
        assert (
            batch.inputs.dtype == batch.targets.dtype == batch.ids.dtype == batch.extra["advance"].dtype == torch.int64
        )
        assert batch.extra["fresh"].dtype == batch.mask.dtype == torch.bool
        assert batch.extra["fresh"].ndim == batch.extra["advance"].ndim == 0
        assert torch.equal(batch.mask, batch.target_mask)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(1, 12), st.integers(0, 20), st.booleans(), st.booleans(), st.integers(0, 3))
def test_every_token_is_a_target_exactly_once(
    file: Path, columns: int, chunk: int, more: int, random: bool, eos: bool, epoch: int
) -> None:
    chunk += 10 * random
    data = make(
        file, batch_size=columns, chunk_length=chunk, backward_length=chunk + more, random_chunks=random, eos=eos
    )
    flat = data.prepared.splits["train"].flat.tolist()
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    batches = list(loader)
    assert list(chain(*text_of(batches))) == flat[0 if eos else 1 :]
    assert sum(batch.count for batch in batches) == data.tokens["train"] == len(flat) - (not eos)
    assert len(batches) == len(loader)
    for batch in batches:
        assert batch.count == batch.target_mask.sum()
        assert not (batch.target_mask & ~batch.mask).any()
        assert torch.equal(batch.mask, batch.mask.int().sort(1, descending=True).values.bool())
        assert not batch.inputs[~batch.mask].any()
        for first, targets, keep in zip(batch.ids.tolist(), batch.targets, batch.mask, strict=True):
            first += not eos
            assert targets[keep].tolist() == flat[first : first + int(keep.sum())]


def test_the_ids_of_drawn_windows_are_those_of_their_draw(file: Path) -> None:
    drawn = [make(file, chunk_length=10, random_chunks=True, seed=seed).train_dataloader() for seed in (1, 1, 2)]
    one, again, other = ([batch.ids.tolist() for batch in loader] for loader in drawn)
    assert one == again != other


@pytest.mark.parametrize("columns", [1, 4, 7])
def test_validation_and_test_count_every_token_once(file: Path, columns: int) -> None:
    data = make(file, eval_batch_size=columns, eval_chunk_length=11, random_chunks=False)
    for split, loader in (("validation", data.val_dataloader()), ("test", data.test_dataloader())):
        assert list(chain(*text_of(loader))) == data.prepared.splits[split].flat.tolist()
        assert sum(batch.count for batch in loader) == data.tokens[split]
        assert [batch.extra["fresh"].item() for batch in loader] == [True] + [False] * (len(loader) - 1)


@pytest.mark.parametrize(("k2", "random"), [(None, False), (17, False), (None, True), (40, True)])
def test_columns_go_on_where_the_batch_before_ended(file: Path, k2: int | None, random: bool) -> None:
    data = make(file, chunk_length=12, backward_length=k2, random_chunks=random)
    stream: list[list[int]] = [[] for _ in range(4)]
    held = torch.empty(4, 0, dtype=torch.int64)  # inputs that the carried state has not seen yet
    for number, batch in enumerate(data.train_dataloader()):
        assert batch.extra["fresh"].item() == (number == 0)
        real = [row[keep].tolist() for row, keep in zip(batch.inputs, batch.mask, strict=True)]
        for row, (seen, rest) in enumerate(zip(held.tolist(), real, strict=True)):
            assert seen == rest[: len(seen)]
            stream[row] += rest[len(seen) :]
        held = batch.inputs[:, batch.extra["advance"] :]
    assert held.shape[1] == 0
    flat = [3, *data.prepared.splits["train"].flat.tolist()]
    assert list(chain(*stream)) == flat[:-1]


class Watcher(LightningModule):
    """Writes down what it saw; learns nothing to speak of."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[int, list[int], int]] = []
        self.stop_at: int | None = None

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        self.seen.append((self.current_epoch, batch.ids.tolist(), batch.inputs.shape[1]))
        return self.weight * batch.mask.sum()

    def on_train_batch_end(self, *_: Any) -> None:
        if self.global_step == self.stop_at:
            self.trainer.save_checkpoint(Path(self.trainer.default_root_dir) / "broken.ckpt")
            raise InterruptedError

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def fit(data: LanguageModellingData, directory: Path, stop_at: int | None = None, resume: bool = False) -> list[Any]:
    module, trainer = Watcher(), Trainer(
        accelerator="cpu", max_epochs=3, logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, limit_val_batches=0, use_distributed_sampler=False, default_root_dir=directory,
    )  # fmt: skip
    module.stop_at = stop_at
    with suppress(InterruptedError):
        trainer.fit(module, datamodule=data, ckpt_path=directory / "broken.ckpt" if resume else None)
    return module.seen


@pytest.mark.parametrize("options", [{"chunk_length": 10, "random_chunks": True}, {"layout": "sequences"}])
@pytest.mark.parametrize("steps", [2, 5, 6, 9])
def test_a_run_that_was_broken_off_goes_on_where_it_was(
    file: Path, tmp_path: Path, options: dict[str, Any], steps: int
) -> None:
    straight = fit(make(file, batch_size=12 if "layout" in options else 4, **options), tmp_path)
    data = make(file, batch_size=12 if "layout" in options else 4, **options)
    assert len(straight) == 3 * len(data.train_dataloader())
    first = fit(data, tmp_path, steps)
    assert len(first) == steps
    assert first + fit(data, tmp_path, resume=True) == straight


def test_a_pass_leaves_torchs_random_stream_alone(file: Path) -> None:
    before = torch.get_rng_state()
    list(make(file, chunk_length=10, random_chunks=True).train_dataloader())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("layout", ["columns", "sequences"])
def test_workers_change_nothing(file: Path, layout: str) -> None:
    plain, worked = (make(file, layout=layout, num_workers=workers).train_dataloader() for workers in (0, 1))
    assert [batch.targets.tolist() for batch in plain] == [batch.targets.tolist() for batch in worked]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.integers(1, 3), st.booleans())
def test_lines_by_themselves(file: Path, batch_size: int, world: int, eos: bool) -> None:
    data = make(file, layout="sequences", batch_size=batch_size, eos=eos)
    split, counted = data.prepared.splits["train"], 0
    found: dict[int, tuple[list[int], list[int]]] = {}
    for batch in data.train_dataloader():
        assert batch.extra == {}
        assert batch.count == batch.target_mask.sum()
        assert not batch.inputs[~batch.mask].any()
        counted += batch.count
        for index, row, targets, keep in zip(batch.ids.tolist(), batch.inputs, batch.targets, batch.mask, strict=True):
            found[index] = (row[keep].tolist(), targets[keep].tolist())
    assert counted == data.tokens["train"] == len(split.flat) - (0 if eos else 60)
    for index, start, stop in zip(range(60), split.offsets[:-1], split.offsets[1:], strict=True):
        line = split.flat[start:stop].tolist()
        assert found[index] == (([3, *line[:-1]], line) if eos else (line[:-1], line[1:]))


def test_a_stand_in_line_does_not_count(file: Path) -> None:
    data = make(file, layout="sequences")
    batch = LineDataset(data.prepared.splits["train"], 3)[BatchShard([PADDING_SAMPLE], 5)]
    assert batch.inputs.shape[0] == 1
    assert not batch.target_mask.any()
    assert batch.count == 5


def test_hello(tmp_path: Path) -> None:
    data = made(
        LanguageModellingData,
        "hello",
        tmp_path,
        level="character",
        lower=False,
        layout="sequences",
        batch_size=1,
        eval_batch_size=1,
    )
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        (batch,) = loader
        assert batch.inputs.tolist() == [[0, 1, 2, 2]]
        assert batch.targets.tolist() == [[1, 2, 2, 3]]
        assert batch.mask.all()
        assert batch.target_mask.all()
        assert batch.count == 4
    assert data.tokens["test"] == data.characters["test"] == 4
    batch = data.encode(["hell", "h"])
    assert batch.inputs.tolist() == [[0, 1, 2, 2], [0, 0, 0, 0]]
    assert batch.mask.tolist() == [[True] * 4, [True, False, False, False]]
    assert batch.targets[batch.target_mask].tolist() == [1, 2, 2]
    assert data.reader.decode([0, 1, 2, 2, 3]) == "hello"
    assert data.reader.suppressed_tokens == ()
    assert "4 characters" in data.summary()
    for prompt, said in (("hex", "'x' is not a symbol"), ("", "text 1 is empty")):
        with pytest.raises(UserError, match=said):
            data.encode([prompt])


def test_new_words_are_read_as_in_training(file: Path) -> None:
    reader = make(file).reader
    ids = reader.vocabulary.encode(["w1", "w2"])
    batch = reader.encode(["W1 w2", "w1\n\nw2 never\n", ""])
    assert [row[keep].tolist() for row, keep in zip(batch.inputs, batch.mask, strict=True)] == [
        [3, *ids], [3, ids[0], 3, ids[1], 1, 3], [3],
    ]  # fmt: skip
    assert [row[keep].tolist() for row, keep in zip(batch.targets, batch.target_mask, strict=True)] == [
        ids, [ids[0], 3, ids[1], 1, 3], [],
    ]  # fmt: skip
    assert batch.count == 7
    assert reader.suppressed_tokens == (0, 2)
    with pytest.raises(UserError, match=r"text 2 has only unknown words \(never heard\)"):
        reader.encode(["w1", "never heard\n"])
    with pytest.raises(UserError, match="there is no text"):
        reader.encode([])
    run_on = make(file, eos=False).reader
    assert run_on.ids("w1\nw2") == run_on.vocabulary.encode(["w1", "w2"])
    assert run_on.suppressed_tokens == (0, 2, 3)
    with pytest.raises(UserError, match="text 1 is empty"):
        run_on.encode([" "])
    with pytest.raises(UserError, match="text 41 is empty"):
        run_on.encode(["w1", " "], first=40)
    with pytest.raises(UserError, match="text 41 has only unknown words"):
        reader.encode(["w1", "never heard\n"], first=40)


def test_characters_are_read_and_written_as_they_are(file: Path) -> None:
    data = make(file, level="character", lower=False)
    text = "".join(LINES)
    assert data.reader.decode(data.prepared.splits["train"].flat.tolist()) == text
    assert data.tokens["train"] == data.characters["train"] == len(text)
    newline = data.vocabulary.words.index("\n")
    (first, *_) = data.train_dataloader()
    assert first.inputs[0, 0] == newline
    batch = data.encode(["w1  w"])
    assert data.reader.decode(batch.inputs[0].tolist()) == "\nw1  w"
    assert data.reader.suppressed_tokens == (0, 2, 3)


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(0, 20))
@settings(max_examples=50, deadline=None)
def test_what_is_decoded_only_grows(file: Path, ids: list[int], stop: int) -> None:
    reader = make(file).reader
    assert reader.decode(ids).startswith(reader.decode(ids[:stop]))


def test_decoded_words(file: Path) -> None:
    reader = make(file).reader
    one, two = reader.vocabulary.encode(["w1", "w2"])
    assert reader.decode([one, two, 3, two, 3, 3, 1]) == "w1 w2\nw2\n\n<unk>"


def test_characters_that_targets_stand_for(file: Path) -> None:
    whole, words = len("".join(LINES)), make(file)
    assert words.characters == {"train": whole, "validation": whole, "test": whole}
    assert words.tokens["train"] == 4 * 60
    assert make(file, eos=False).characters["train"] == whole - len("w0 ")
    assert make(file, eos=False, layout="sequences").characters["train"] == whole - 60 * len("w0 ")


@pytest.mark.parametrize("options", [{}, {"level": "character", "lower": False, "layout": "sequences"}])
def test_a_checkpoint_can_hold_it_and_brings_it_back(file: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    data = make(file, **options)
    torch.save(data.to_plain(), tmp_path / "plain")
    plain = torch.load(tmp_path / "plain", weights_only=True)
    assert plain["kind"] == "language_modelling"
    reader = LanguageReader.from_plain(plain)
    assert reader == data.reader
    assert reader.line_end == data.prepared.line_end
    assert torch.equal(reader.encode(["w1  w2"]).inputs, data.encode(["w1  w2"]).inputs)


def test_what_it_says_of_itself(file: Path) -> None:
    first, *rest = make(file, random_chunks=True, chunk_length=10).summary().splitlines()
    assert "train.txt: train 240, validation 240, test 240 tokens to predict, 11 words" in first
    assert any("4 columns of 60, 6 batches of about 10 a column" in line for line in rest)
    cut = made(LanguageModellingData, "text", file.parent, train=str(file), batch_size=2, chunk_length=5)
    assert any("validation: the last 10% of train" in line for line in cut.summary().splitlines())
    assert next(cut.train_sentences()) == ["w0", "w0", "w0"]
    assert cut.vocabulary is cut.prepared.vocabulary


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layout": "rows"}, r"data\.layout is 'rows'"),
        ({"batch_size": 0}, r"data\.batch_size is 0"),
        ({"chunk_length": 0}, r"data\.chunk_length is 0"),
        ({"eval_chunk_length": 0}, r"data\.eval_chunk_length is 0"),
        ({"backward_length": 6}, r"data\.backward_length \(k2\) is 6, less than data\.chunk_length \(k1\) 7"),
        ({"random_chunks": True}, r"data\.chunk_length is 7, expected at least 10 with data\.random_chunks"),
        ({"layout": "sequences", "backward_length": 9}, r"data\.backward_length needs data\.layout=columns"),
        ({"layout": "sequences", "random_chunks": True}, r"data\.random_chunks needs data\.layout=columns"),
        ({"level": "letter"}, r"level is 'letter'"),
        ({"num_workers": -1}, r"data\.num_workers is -1"),
        (
            {"batch_size": 40},
            r"train split has 240 tokens to predict.*data\.batch_size 40 x data\.chunk_length 7 = 280: "
            r"give more text, or set data\.batch_size=34 or data\.chunk_length=6",
        ),
        ({"batch_size": 1, "chunk_length": 241}, r"set data\.chunk_length=240"),
        ({"batch_size": 241, "chunk_length": 241}, r"set data\.batch_size=1 and data\.chunk_length lower"),
        ({"eval_batch_size": 241}, r"validation split has 240 tokens.*set data\.eval_batch_size=240"),
    ],
)
def test_settings_that_cannot_be(file: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        make(file, **options)


def test_columns_are_shared_out_evenly_among_ranks(file: Path) -> None:
    class Ranks:
        global_rank, world_size, accumulate_grad_batches = 1, 3, 1

    data = make(file)
    data.trainer = Ranks()  # type: ignore[assignment]
    with pytest.raises(UserError, match=r"data\.batch_size is 4 for 3 processes.*data\.batch_size=6"):
        data.train_dataloader()
    data.batch_size = 6
    assert next(iter(data.train_dataloader())).ids.tolist() == [40, 160]
    assert next(iter(data.val_dataloader())).ids.tolist() == [60]


def test_verses_are_found_again_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"min_count": 2, "batch_size": 16}
    first = made(LanguageModellingData, "verses", tmp_path, **options)
    monkeypatch.setattr(Vocabulary, "encode", None)
    again = made(LanguageModellingData, "verses", tmp_path, **options)
    assert again.fingerprints == first.fingerprints
    assert 750_000 < first.tokens["train"] < 760_000
    assert 4 < first.characters["test"] / first.tokens["test"] < 5
