"""Changing a key changes the run, or is answered: of every model, and of every kind of task."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lightning_seq.builders.build import build_data, build_model, build_task
from lightning_seq.builders.inputs import build_inputs, initialise
from lightning_seq.builders.kinds import kind_of
from lightning_seq.comparison.grid import entries
from lightning_seq.config.compose import compose
from lightning_seq.config.effects import RULES, idle
from lightning_seq.config.groups import groups
from lightning_seq.config.tree import Config, paths, put
from lightning_seq.errors import UserError
from lightning_seq.identity import shown, value_at
from lightning_seq.spec import (
    Caption,
    Class,
    DataSpec,
    Features,
    Future,
    Grid,
    NextFrame,
    Picture,
    Tokens,
    TokenSequence,
    Transcript,
)
from lightning_seq.training.diagnostics import build_diagnostics
from lightning_seq.training.loggers.curve_logger import CurveLogger
from lightning_seq.training.resume import ResumePoints
from lightning_seq.training.threads import threads_per_job
from lightning_seq.training.trainer import build_trainer
from tests.runs import sentences, write_csv

WORDS = ("<pad>", "<unk>", "<bos>", "<eos>", "a", "b", "c")
SIZES = {
    "model.hidden_size": 8,
    "model.model_size": 8,
    "model.channels": 4,
    "model.feedforward_size": 8,
    "cell.proj_size": 3,
}
OTHER: dict[str, Any] = {
    "model.activation": "relu", "model.convolution_activation": "tanh", "model.merge": "sum", "model.engine": "loop",
    "model.num_layers": 3, "model.decoder_hidden_size": 6, "model.decoder_layers": 3, "model.bridge": "sum",
    "model.context": "mean", "model.style": "luong", "model.local": "monotonic", "model.heads": 2,
    "model.decoder_cell": {"_target_": "lightning_seq.cells.gru.GRUCell"}, "model.widths": [2],
    "cell.activation": "relu", "cell.output_activation": "relu", "cell.peephole": "full", "cell.output_size": 5,
    "init.recurrent": "orthogonal", "init.forget_bias": 0.7, "init.chrono": 9,
    "attention.hidden_size": 5, "attention.head_size": 3, "attention.heads": 2,
    "task.pooling": "attention", "task.head_sizes": [3], "task.class_weights": [1.0, 2.0], "task.loss": "ranking",
    "task.monitor": "val/loss", "task.characters": "cnn", "task.constraints": "none", "task.carry": "never",
    "task.evaluation": "reset", "task.adaptive_softmax": [5], "task.averaging": 2, "task.sample.prompt": "a",
    "task.tied": "decoder", "task.teacher_forcing.kind": "linear", "task.schedule.kind": "plateau", "task.beam": 3,
    "trainer.accelerator": "gpu", "trainer.precision": "bf16-mixed", "trainer.threads": 3,
    "callbacks.finite_guard.policy": "skip", "callbacks.checkpoint_every_n_steps": 7,
    "callbacks.checkpoint_every_minutes": 2.0, "data.text_column": "label", "data.label_column": "text",
    "data.delimiter": ";", "data.quotes": False, "data.encoding": "latin-1", "data.level": "char",
    "data.normalise": "none", "data.top_answers": 5, "data.normalise_answers": "vqa",
    "data.replace": {"wave": "foam"}, "data.max_vocabulary": 5, "data.max_length": 2,
    "data.scheme": "bio", "data.unseen_tags": "ignore", "data.layout": "lines", "data.backward_length": 3,
    "data.eval_chunk_length": 3, "data.source_column": "a", "data.target_column": "a", "data.source_language": "de",
    "data.target_language": "de", "data.target_level": "char", "data.subword.kind": "unigram",
    "data.target_subword": {"kind": "bpe", "size": 100}, "data.max_target_length": 2, "data.variant": "other",
    "data.id_column": "nothing", "data.group_column": "nothing", "data.split_seed": 3,
    "task.teacher_forcing.ratio": 0.8, "task.bleu_tokenize": "char", "embedding.size": 9, "task.predictions": "full",
    "model.picture.widths": [3, 4], "model.inject": "pre", "task.fusion": "film",
    "task.history": "late", "task.answers": "written",
    "model.picture.weights": "no.pt", "task.picture.weights": "no.pt", "data.features_precision": "float16",
    "data.features": {"_target_": "lightning_seq.models.picture.patches.PatchEncoder"},
    "data.fill": "forward", "data.scale": "minmax", "data.calendar": ["day_of_week"], "data.split": "random",
    "data.season": 3, "data.timezone": "Europe/Berlin", "data.time_column": "other", "data.item_column": "price",
    "data.value_column": "other", "data.targets": ["other"], "data.known": ["other"], "data.past": ["other"],
    "data.static": ["other"], "task.strategy": "recursive", "task.output": "gaussian", "task.instance_norm": "none",
    "task.quantiles": [0.1, 0.5, 0.9], "task.decoder_size": 7, "model.season": 3,
    "data.front_end.kind": "mfcc", "data.front_end.high": 3000.0,
    "data.take": "first", "data.order": "mean",
    "data.fit": "stretch", "task.picture.widths": [3, 4], "data.size": 32, "data.language": "de",
}  # fmt: skip
"""A value of each key that is not a number or a truth value and differs from its default."""


def other(key: str, value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if key in OTHER:
        return OTHER[key] if OTHER[key] != value else "tanh"
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return 0.25 if value != 0.25 else 0.5
    if value == "val/loss":
        return "val/accuracy"
    raise AssertionError(f"{key}={value!r}: this test knows no other value")


def plain(value: Any) -> Any:
    """What a repr shows of the settings of a module, in any depth."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, list | tuple | set):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if callable(value) and not isinstance(value, nn.Module):
        keywords = getattr(value, "keywords", {})
        return [getattr(value, "__qualname__", type(value).__name__), plain(keywords)]
    return repr(value) if type(value).__repr__ is not object.__repr__ else type(value).__name__


def settings(module: nn.Module) -> Iterator[Any]:
    for name, part in module.named_modules():
        own = {key: value for key, value in vars(part).items() if key not in ("_modules", "training")}
        yield name, type(part).__qualname__, plain(own)


def signature(module: nn.Module) -> str:
    lasting = re.sub(r" at 0x[0-9a-f]+", "", repr(list(settings(module))))
    digest = hashlib.sha256(lasting.encode())
    for name, tensor in module.state_dict().items():
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


class Given:
    """Inputs that nobody trained."""

    width, matrix, target = 6, None, None


def built(config: Config, spec: DataSpec) -> str:
    model = build_model(config, spec, Given.width)
    initialise(model, config, Given())  # type: ignore[arg-type]
    return signature(model)


def keys_of(config: Config, *parts: str) -> list[str]:
    found = [shown(key) for key in paths(config) if key.partition(".")[0] in parts and "." in key]
    return [key for key in found if not key.endswith("_target_") and not isinstance(value_at(config, key), dict)]


def answered(config: Config, key: str, make: Any, before: str) -> bool:
    """Whether another value of this key is refused, or makes something else."""
    changed = deepcopy(config)
    put(changed, key, other(key, value_at(config, key)))
    try:
        return idle(changed, key) is not None or make(changed) != before
    except UserError:
        return True


@pytest.mark.parametrize("preset", groups()["model"])
def test_every_key_of_a_model_changes_it_or_is_answered(preset: str) -> None:
    config = compose([f"model={preset}", "embedding=random", "data=csv"])
    writes = "attend" in config["model"]
    config["task"] = compose(["data=dates", "embedding=random"])["task"] if writes else config["task"]
    for key, size in SIZES.items():
        if value_at(config, key) is not None:
            put(config, key, size)
    spec = DataSpec(Tokens(WORDS), TokenSequence(WORDS) if writes else Class(("x", "y")))
    if preset.startswith("captioner"):
        spec = DataSpec(Picture(3, 16, 16), Caption(WORDS))
        config["task"] = compose(["data=scenes", f"model={preset}", "embedding=random"])["task"]
    if preset in ("naive", "seasonal_naive", "drift"):
        spec = DataSpec(Features(6), Future(3))
        config = compose([f"model={preset}", "data=airline_passengers"])
    elif preset == "listen_attend_spell":
        spec = DataSpec(Features(6), Transcript(WORDS))
        config |= {name: compose(["data=tones", f"model={preset}"])[name] for name in ("task", "embedding")}
    elif preset == "conv_lstm":
        spec = DataSpec(Grid(1, (2, 3)), NextFrame(1, 2, 3))
        config |= compose(["data=moving_digits", f"model={preset}"])
        put(config, "model.num_layers", 2)
        put(config, "model.patch", 1)
    before = built(config, spec)
    assert before == built(config, spec)
    keys = keys_of(config, "model", "cell", "init", *(["attention"] if config["model"].get("attend") else []))
    keys = [key for key in keys if key != "model.attend"]  # it is chosen by the preset
    silent = [key for key in keys if not answered(config, key, lambda changed: built(changed, spec), before)]
    assert not silent


@pytest.fixture
def files(tmp_path: Path) -> dict[str, list[str]]:
    csv = write_csv(tmp_path / "train.csv", sentences(60))
    series = tmp_path / "series.csv"
    series.write_text(
        "shop,day,sold,price,other\n"
        + "".join(
            f"{shop},2024-03-{day:02d} 02:00,{'' if day % 9 == 4 else day % 5 + 0.5},{day % 3},{day * day}\n"
            for shop in ("a", "é")
            for day in range(1, 31)
        )
    )
    text, conll, left, right = (tmp_path / name for name in ("text.txt", "tags.txt", "left.txt", "right.txt"))
    text.write_text("".join(f"{line}\n" for line, _ in sentences(60)))
    tagged = ("".join(f"{word} B-{word[0]}\n" for word in line.split()) for line, _ in sentences(60))
    conll.write_text("\n".join(tagged))
    left.write_text("".join(f"{line}\n" for line, _ in sentences(60)))
    right.write_text("".join(f"{line}\n" for line, _ in sentences(60, 1)))
    return {
        "classification": ["data=csv", f"data.train={csv}"],
        "tagging": ["data=conll", f"data.train={conll}"],
        "language_modelling": ["data=text_words", f"data.train={text}", "data.min_count=1", "data.batch_size=2"],
        "sequence_to_sequence": [
            "data=pairs",
            f"data.train={left}",
            f"data.train_target={right}",
            "model=encoder_decoder",
        ],
        "regression": ["data=adding", "data.examples=40", "data.length=5"],
        "forecasting": [
            "data=series",
            f"data.train={series}",
            "data.time_column=day",
            "data.item_column=shop",
            "data.value_column=sold",
            "data.context=6",
            "data.horizon=2",
            "data.windows=20",
            "data.known=[price]",
        ],
        "bits": ["data=bits_2", "data.examples=40", "data.length=4"],
        "speech_recognition": ["data=tones", "data.examples=20", "model=gru"],
        "captioning": ["data=scenes", "data.examples=40", "model=captioner"],
        "next_frame": [
            "data=moving_digits",
            "data.examples=60",
            "data.frames=3",
            "data.size=[14,20]",
            "model=lstm",
        ],
        "visual_questions": ["data=scene_questions", "data.examples=70", "model=gru"],
        "visual_dialog": ["data=scene_dialog", "data.examples=30", "data.turns=3", "model=gru"],
    }


@pytest.mark.parametrize("task", [name for name in groups()["task"] if name != "sequences_of_sets"])
def test_every_key_of_a_task_and_an_optimiser_changes_the_run_or_is_answered(
    task: str, files: dict[str, list[str]], tmp_path: Path
) -> None:
    numbers = ("regression", "bits", "forecasting", "speech_recognition", "next_frame")
    table = ["embedding=random", "embedding.size=6"] if task not in numbers else []
    config = compose([*files[task], *table, "optimizer=sgd", f"cache={tmp_path}", f"runs={tmp_path}"])
    data = build_data(config)
    inputs = build_inputs(config, data)

    def made(config: Config) -> str:
        torch.manual_seed(1)
        model = build_model(config, data.spec, inputs.width)
        built_task = build_task(config, data, model)
        watchers = [plain(vars(one)) for one in kind_of(data.spec).callbacks(config, tmp_path, data)]
        return signature(built_task) + repr(watchers)

    before = made(config)
    assert before == made(config)
    keys = keys_of(config, "task", "optimizer", "embedding")
    silent = [key for key in keys if key != "embedding.kind" and not answered(config, key, made, before)]
    # The scale of vectors is in their numbers, which are drawn by `initialise`; a path is a file's.
    assert set(silent) <= {"embedding.size"}


def batches(data: Any) -> Iterator[Any]:
    """All that a run sees of its data: names, splits and every batch, in order."""
    yield data.fingerprints, data.summary(), repr(data.spec), data.to_plain()
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            tensors = {name: part for name, part in vars(batch).items() if isinstance(part, torch.Tensor)} | batch.extra
            yield {name: hashlib.sha256(part.numpy().tobytes()).hexdigest() for name, part in tensors.items()}
            yield {name: tuple(part.shape) for name, part in tensors.items()}, batch.count


@pytest.fixture
def telling_files(files: dict[str, list[str]], tmp_path: Path) -> dict[str, list[str]]:
    """Files in which every rule of reading has something to do: cases, marks, figures, rare words, empty lines."""
    words = ["Wave", "wave", "cafe\u0301", "caf\u00e9", "7", "42", "Ship-mate", "roads", "unseenoftenlongerword"]
    lines = [" ".join(words[(3 * row + step) % len(words)] for step in range(3 + row % 5)) for row in range(80)]
    csv, text, conll, left, right = (tmp_path / f"telling{kind}" for kind in (".csv", ".txt", ".conll", ".l", ".r"))
    csv.write_text("text,label\n" + "".join(f'"{line}",{row % 2}\n' for row, line in enumerate(lines)))
    text.write_text("\n\n".join(lines) + "\n")
    tags = ("B-X", "I-X", "O", "I-Y")
    tagged = [
        [f"{word} {tags[(row + at) % 4]}\n" for at, word in enumerate(line.split())] for row, line in enumerate(lines)
    ]
    conll.write_text("\n".join("".join(sentence) for sentence in tagged))
    left.write_text("\n".join(lines))
    right.write_text("\n".join(line[::-1] for line in lines))
    return {
        "classification": ["data=csv", f"data.train={csv}"],
        "tagging": ["data=conll", f"data.train={conll}", "data.scheme=none"],
        "language_modelling": ["data=text_words", f"data.train={text}", "data.batch_size=2", "data.eval_batch_size=2"],
        "sequence_to_sequence": ["data=pairs", f"data.train={left}", f"data.train_target={right}",
                                 "model=encoder_decoder"],
    }  # fmt: skip


@pytest.mark.parametrize("task", [name for name in groups()["task"] if name != "sequences_of_sets"])
def test_every_key_of_data_changes_what_a_run_sees_or_is_answered(
    task: str, files: dict[str, list[str]], telling_files: dict[str, list[str]], tmp_path: Path
) -> None:
    words = [
        word.replace("examples=40", "examples=400")
        .replace("examples=20", "examples=50")
        .replace("length=4", "length=9")
        for word in (files | telling_files)[task]
    ]
    vectors = [] if task == "speech_recognition" else ["embedding=random"]
    config = compose([*words, "data.batch_size=8", "data.eval_batch_size=4", *vectors, f"cache={tmp_path}"])

    def made(config: Config) -> str:
        data = build_data(config)
        data.setup("fit")
        return repr(list(batches(data)))

    before = made(config)
    assert before == made(config)
    # How batches are made; a note for people; a limit for long examples, which these files do not have.
    aside = [*files_of(config), "data.num_workers", "data.licence", "data.max_tokens"]
    keys = [key for key in keys_of(config, "data") if key not in aside]
    assert len(keys) > 4
    assert not [key for key in keys if not answered(config, key, made, before)]


def files_of(config: Config) -> list[str]:
    """Keys whose value is a file's path, or the name of a problem or of a format."""
    names = ("train", "validation", "test", "train_target", "validation_target", "test_target", "mirror")
    return [
        f"data.{name}" for name in (*names, "kind", "problem", "order") if f"data.{name}" in keys_of(config, "data")
    ]


def test_every_key_of_a_trainer_and_of_callbacks_changes_them_or_is_answered(
    files: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 1.0)
    config = compose([*files["classification"], "embedding=random", f"cache={tmp_path}", f"runs={tmp_path}"])
    data = build_data(config)
    task = build_task(config, data, build_model(config, data.spec, Given.width))

    def made(config: Config) -> str:
        settings = config["callbacks"]
        every = settings["checkpoint_every_n_steps"], settings["checkpoint_every_minutes"]
        points = ResumePoints(tmp_path, {}, CurveLogger(tmp_path, float, dict), (), *every)
        watchers = list(build_diagnostics(config, tmp_path, data, task).values())
        trainer = build_trainer(config, tmp_path, task, [], watchers, points)
        seen = [[type(one).__name__, plain(vars(one))] for one in trainer.callbacks]  # type: ignore[attr-defined]
        own = {key: value for key, value in vars(trainer).items() if isinstance(value, int | float | str | None)}
        loops = trainer.max_epochs, trainer.max_steps, trainer.precision, trainer.num_devices, trainer.num_nodes
        return repr([seen, own, loops, type(trainer.accelerator), threads_per_job(config)])

    before = made(config)
    assert before == made(config)
    aside = ("trainer.progress", "callbacks.keep_optimizer")  # on a terminal; when a run is done
    keys = [key for key in keys_of(config, "trainer", "callbacks") if key not in aside]
    assert len(keys) > 10
    assert not [key for key in keys if not answered(config, key, made, before)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.dropout=0.5"], "model.dropout=0.5 changes nothing here: it acts between layers"),
        (["model.activation=relu"], "between layers"),
        (["model.locked=true"], "none is set"),
        (["model=recurrent", "cell=elman", "init=chrono"], None),
        (["model=cnn", "cell.bias=false"], "no recurrent cell"),
        (["model=cnn", "init=orthogonal"], "init=orthogonal changes nothing here: this model has no recurrent cell"),
        (["model=rnn", "init.chrono=9"], "no gate that keeps"),
        (["init.scale=2.0"], "init.recurrent=orthogonal"),
        (["task.ranking.scale=3.0"], "task.loss=ranking"),
        (["task.schedule.factor=0.1"], "kind=plateau or decay"),
        (["task.schedule.kind=decay", "task.schedule.factor=0.1"], None),
        (["match.count=all"], "nothing is matched"),
        (["tune.space={optimizer.lr: [1e-4, 1e-2]}"], "give tune=N trials"),
        (["data=conll", "task.character_width=5"], "give task.characters=cnn"),
        (["data=dates", "model=encoder_decoder", "model.style=luong"], "model=encoder_decoder_attention"),
        (["data=dates", "model=encoder_decoder", "model.between=0.5"], "model.decoder_layers=2"),
        (["data=text_words", "model=bilstm", "task.carry=never"], "no state is carried"),
        (["model.num_layers=2", "model.dropout=0.5"], None),
        (["model.dropout=0.0"], None),
    ],
)
def test_what_changes_nothing_is_refused(words: list[str], message: str | None) -> None:
    if message is None:
        assert not entries(words)[0].notes
        return
    with pytest.raises(UserError) as error:
        entries(words)
    assert message in str(error.value)


def test_a_key_that_acts_in_some_entries_is_told_of_the_others() -> None:
    found = entries(["model=lstm,stacked_lstm", "model.dropout=0.5"])
    assert len(found) == 2
    assert found[0].notes[0].startswith("model.dropout=0.5 changes nothing in lstm: it acts between layers")
    assert entries(["embedding=onehot", "embedding.size=5"])[0].notes == (
        "embedding.size=5 changes nothing here: these inputs have no table of vectors",
    )
    assert entries(["callbacks.checkpoint=false", "callbacks.keep_optimizer=true"])[0].notes == (
        "callbacks.keep_optimizer=true changes nothing here: no checkpoint is written: give callbacks.checkpoint=true",
    )
    assert "there is a test split" in entries(["data=csv", "data.test=x.csv", "data.test_fraction=0.3"])[0].notes[0]


def test_rules_name_keys_that_there_are() -> None:
    choices = [
        [], ["data=dates", "model=encoder_decoder"], ["data=conll", "embedding=file"], ["data=text_words"],
        ["data=text8"], ["data=atis"], ["cell=greff_lstm", "model=recurrent"],
        ["data=scenes", "model=captioner_attention"], ["data=scene_questions"],
        ["data=scene_dialog"], ["data=cmapss_fd001"], ["data=airline_passengers"], ["data=tones"],
    ]  # fmt: skip
    known = {shown(key) for words in choices for key in paths(compose(words))}
    for rule in RULES:
        for key in rule.keys:
            assert key.removesuffix(".*") in known, key
