"""Sequence to sequence: another sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from lightning_seq.builders.prediction_columns import example_columns, of_task
from lightning_seq.builders.task_kind import TaskKind
from lightning_seq.config.targets import factory, resolve
from lightning_seq.config.tree import Config
from lightning_seq.data.sequence_to_sequence.reader import PairReader
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.files import finite, write_json, write_parquet
from lightning_seq.metrics.translation import bleu_by_length, bleu_tokenizer, counts_in_bleu, same_text
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.encoder_decoder import EncoderDecoder
from lightning_seq.models.search import Beam
from lightning_seq.records.translation import Bucket, Example, Translation
from lightning_seq.spec import DataSpec, Tokens, TokenSequence
from lightning_seq.text.vocabulary import SPECIALS

if TYPE_CHECKING:
    from lightning.pytorch import Callback

    from lightning_seq.data.sequence_to_sequence.module import SequenceToSequenceData
    from lightning_seq.tasks.sequence_to_sequence import SequenceToSequence
    from lightning_seq.tasks.task import Task

MOST_HYPOTHESES = 1000
"""Of one text."""
SHOWN = 60
"""Sentences in `translation.json`: the same for all runs on a data set, spread over the test split."""
SETTINGS = ("label_smoothing", "coverage_penalty", "length_factor", "length_extra")


def model(
    config: Config, spec: DataSpec, embedding: nn.Module, encoder: Callable[[int], Encoder], width: int
) -> EncoderDecoder:
    """Raises UserError for a model that is no encoder-decoder."""
    assert isinstance(spec.targets, TokenSequence)
    settings, allow = config["model"], config["allow"]
    if not issubclass(resolve(settings["_target_"], "model", allow), EncoderDecoder):
        raise UserError(
            f"model={config['choices']['model']} reads a sequence and writes none, and these data ask for another "
            "sequence: use model=encoder_decoder, encoder_decoder_context or encoder_decoder_attention"
        )
    task, inputs = config["task"], config["embedding"]
    if task["tied"] == "all" and (not isinstance(spec.inputs, Tokens) or spec.inputs.words != spec.targets.words):
        raise UserError(
            "task.tied=all needs one vocabulary for both sides: give data.joint_vocabulary=true, or use "
            "task.tied=decoder"
        )
    target = Embedding(
        spec.targets.size,
        width,
        frozen=inputs["frozen"],
        padding=0 if spec.targets.words[0] == SPECIALS[0] else None,
        dropout=inputs.get("dropout", 0.0),
        scale=inputs.get("scale", 1.0),
    )
    given = {key: value for key, value in settings.items() if key not in ("attend", "decoder_cell")}
    made: EncoderDecoder = factory(given, "model", allow)(
        embedding,
        target,
        spec.targets.size,
        cell=factory(config["cell"], "cell", allow),
        attention=factory(config["attention"], "attention", allow) if settings["attend"] else None,
        decoder_cell=factory(settings["decoder_cell"], "cell", allow) if settings["decoder_cell"] else None,
        dropout=task["dropout"],
        tied=task["tied"],
    )
    return made


def task(config: Config, data: SequenceToSequenceData, model: EncoderDecoder, shared: dict[str, Any]) -> Task:
    from lightning_seq.tasks.sequence_to_sequence import Readable
    from lightning_seq.tasks.teacher_forcing import TeacherForcing

    settings = config["task"]
    make = factory({"_target_": settings["_target_"]}, "task", config["allow"])
    tokenize = bleu_tokenizer(settings.get("bleu_tokenize", "auto"), data.reader.tokenized)
    if shared["monitor"] == "auto":
        texts = (data.reference("validation", row) for row in range(len(data.lengths("validation"))))
        shared = {**shared, "monitor": "val/bleu" if counts_in_bleu(texts, tokenize) else "val/chrf"}
    made: Task = make(
        model,
        Readable(data.reader.decode, data.reference, tokenize, data.reader.target.lower),
        teacher_forcing=TeacherForcing(**settings["teacher_forcing"]),
        beam=beam(settings),
        **{name: settings[name] for name in SETTINGS},
        **of_task(config),
        **shared,
    )
    return made


def beam(settings: Config, n_best: int = 1) -> Beam:
    """As the task's settings say."""
    return Beam(settings["beam"], settings["length_penalty"], settings["beam_coverage"], n_best, settings["early_stop"])


def reader(plain: dict[str, Any]) -> PairReader:
    return PairReader.from_plain(plain)


def callbacks(config: Config, directory: Path, data: SequenceToSequenceData) -> list[Callback]:
    from lightning_seq.callbacks.attention_maps import AttentionMaps

    return [AttentionMaps(directory, data)]


def artifacts(directory: Path, data: SequenceToSequenceData, task: SequenceToSequence) -> dict[str, str]:
    """`predictions.parquet`, `translation.json` and, with attention, `attention.json`.

    predictions.parquet: a row per test sentence: `example_columns`, source, target (what should have been written),
                         prediction, loss (nats per token); where they are full, of the prediction the `log_probability`
                         (in nats) and the `score` that the search chose it by.
    """
    from lightning_seq.callbacks.attention_maps import FILE

    examples = [
        Example(
            number, data.source_text("test", number), data.reference("test", number), data.reader.decode(tokens), loss
        )
        for number, loss, tokens in task.written
    ]
    columns: dict[str, list[Any]] = {
        "source": [each.source for each in examples],
        "target": [each.reference for each in examples],
        "prediction": [each.hypothesis for each in examples],
        "loss": [each.loss for each in examples],
    }
    numbers = [each.number for each in examples]
    if getattr(task, "full_predictions", False):
        searched = [task.searched[number] for number in numbers]
        columns |= dict(zip(("log_probability", "score"), map(list, zip(*searched, strict=True)), strict=True))
    write_parquet(directory / "predictions.parquet", {**example_columns(data, np.array(numbers)), **columns})
    lengths = [int(data.lengths("test")[number]) for number in numbers]
    lower = task.text.lower
    logged = {name: finite(float(value)) for name, value in task.trainer.callback_metrics.items()}
    buckets = bleu_by_length(columns["prediction"], columns["target"], lengths, task.text.tokenize, lower)
    positions = task.tables["by_position"]
    translation = Translation(
        signatures=task.signatures,
        buckets=tuple(map(Bucket.from_plain, buckets)),
        positions=tuple(zip(positions["accuracy"], positions["n"], strict=True)),
        and_later=positions["and_later"],
        examples=_shown(examples, lower),
        beam=task.beam.size,
        alignment_error_rate=logged.get("test/alignment_error_rate"),
        attention_entropy=logged.get("test/attention_entropy"),
        n=len(examples),
    )
    write_json(directory / "translation.json", translation.to_plain())
    return {"predictions": "predictions.parquet", "translation": "translation.json", "attention": FILE}


def _shown(examples: list[Example], lower: bool) -> tuple[Example, ...]:
    """At most `SHOWN`, evenly spread over the test split: those that are wrong first, then by falling loss."""
    count = len(examples)
    spread = [examples[place * count // SHOWN] for place in range(SHOWN)] if count > SHOWN else examples
    worst = sorted(spread, key=lambda each: (same_text(each.hypothesis, each.reference, lower), -(each.loss or 0.0)))
    return tuple(replace(each, loss=None if each.loss is None else finite(round(each.loss, 6))) for each in worst)


KIND = TaskKind(model, task, reader, callbacks=callbacks, artifacts=artifacts)
