"""Sequence to sequence: another sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from lightning_seq.builders.inputs import token_embedding
from lightning_seq.builders.prediction_columns import Column, of_task, write_predictions
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task
from lightning_seq.config.targets import factory, resolve
from lightning_seq.config.tree import Config
from lightning_seq.data.sequence_to_sequence.reader import PairReader
from lightning_seq.errors import UserError
from lightning_seq.files import finite, write_json
from lightning_seq.metrics.translation import bleu_by_length, bleu_tokenizer, counts_in_bleu, same_text
from lightning_seq.models.encoder_decoder import EncoderDecoder
from lightning_seq.models.search import BeamSearchConfig, beam_search, max_target_lengths, rounded
from lightning_seq.models.translator import Translator
from lightning_seq.records.translation import Bucket, Example, Translation
from lightning_seq.spec import DataSpec, Tokens, TokenSequence
from lightning_seq.tasks.detokenizer import Detokenizer
from lightning_seq.tasks.teacher_forcing import TeacherForcing

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


def model(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> EncoderDecoder:
    """Raises UserError for a model that is no encoder-decoder."""
    targets = spec.targets_as(TokenSequence)
    settings, allow, task = config["model"], config["allow"], config["task"]
    if not issubclass(resolve(settings["_target_"], "model", allow), EncoderDecoder):
        raise UserError(
            f"model={config['choices']['model']} writes no sequence, and these data need one: "
            "use model=encoder_decoder, encoder_decoder_context or encoder_decoder_attention"
        )
    if task["tied"] == "all" and (not isinstance(spec.inputs, Tokens) or spec.inputs.words != targets.words):
        raise UserError(
            "task.tied=all needs one vocabulary for both sides: give data.joint_vocabulary=true, or use "
            "task.tied=decoder"
        )
    arguments = {key: value for key, value in settings.items() if key not in ("attend", "decoder_cell")}
    made: EncoderDecoder = factory(arguments, "model", allow)(
        embedding,
        token_embedding(config, targets.words, width),
        targets.size,
        cell=factory(config["cell"], "cell", allow),
        attention=factory(config["attention"], "attention", allow) if settings["attend"] else None,
        decoder_cell=factory(settings["decoder_cell"], "cell", allow) if settings["decoder_cell"] else None,
        dropout=task["dropout"],
        tied=task["tied"],
    )
    return made


def task(config: Config, data: SequenceToSequenceData, model: EncoderDecoder, shared: Shared) -> Task:
    settings = config["task"]
    tokenize = bleu_tokenizer(settings.get("bleu_tokenize", "auto"), data.reader.tokenized)
    if shared["monitor"] == "auto":
        texts = (data.reference("validation", row) for row in range(len(data.lengths("validation"))))
        shared = {**shared, "monitor": "val/bleu" if counts_in_bleu(texts, tokenize) else "val/chrf"}
    return make_task(
        config,
        model,
        Detokenizer(data.reader.decode, data.reference, tokenize, data.reader.target.lower),
        teacher_forcing=TeacherForcing(**settings["teacher_forcing"]),
        beam=beam(settings),
        **{name: settings[name] for name in SETTINGS},
        **of_task(config),
        **shared,
    )


def beam(settings: Config, n_best: int = 1) -> BeamSearchConfig:
    """The search with the task's settings."""
    return BeamSearchConfig(
        settings["beam"], settings["length_penalty"], settings["beam_coverage"], n_best, settings["early_stop"]
    )


def callbacks(config: Config, directory: Path, data: SequenceToSequenceData) -> list[Callback]:
    from lightning_seq.callbacks.attention_maps import AttentionMaps  # it imports Lightning

    return [AttentionMaps(directory, data)]


def artifacts(directory: Path, data: SequenceToSequenceData, task: SequenceToSequence) -> dict[str, str]:
    """`predictions.parquet`, `translation.json` and, with attention, `attention.json`.

    predictions.parquet: a row per test sentence: source, target, prediction, loss (nats per token); if they are full,
                         of the prediction the `log_probability` (in nats) and the `score` of the search.
    """
    examples = [
        Example(
            number, data.source_text("test", number), data.reference("test", number), data.reader.decode(tokens), loss
        )
        for number, loss, tokens in task.written
    ]
    hypotheses, references = [one.hypothesis for one in examples], [one.reference for one in examples]
    columns: dict[str, Column] = {
        "source": [one.source for one in examples],
        "target": references,
        "prediction": hypotheses,
        "loss": [one.loss for one in examples],
    }
    numbers = [one.number for one in examples]
    if getattr(task, "full_predictions", False):
        searched = [task.searched[number] for number in numbers]
        columns |= dict(zip(("log_probability", "score"), map(list, zip(*searched, strict=True)), strict=True))
    files = write_predictions(directory, data.example_ids("test"), np.array(numbers), columns)
    lengths = [int(data.lengths("test")[number]) for number in numbers]
    lower = task.text.lower
    logged = {name: finite(float(value)) for name, value in task.trainer.callback_metrics.items()}
    buckets = bleu_by_length(hypotheses, references, lengths, task.text.tokenize, lower)
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
    return {**files, "translation": "translation.json", "attention": "attention.json"}


def _shown(examples: list[Example], lower: bool) -> tuple[Example, ...]:
    """At most `SHOWN`, evenly spread over the test split: wrong ones first, then by falling loss."""
    count = len(examples)
    spread = [examples[place * count // SHOWN] for place in range(SHOWN)] if count > SHOWN else examples
    worst = sorted(spread, key=lambda one: (same_text(one.hypothesis, one.reference, lower), -(one.loss or 0.0)))
    return tuple(replace(one, loss=None if one.loss is None else finite(round(one.loss, 6))) for one in worst)


@dataclass(frozen=True)
class TranslatedText:
    """log_probability: in nats; score: of the search; source, target: tokens; weights: of attention `[T][S]`."""

    text: str
    log_probability: float
    score: float
    source: list[str] = field(default_factory=list)
    target: list[str] = field(default_factory=list)
    weights: list[list[float]] | None = None

    def to_plain(self) -> Row:
        return {"translation": self.text, "log_probability": self.log_probability, "score": self.score}


@torch.inference_mode()
def translated(
    loaded: Loaded, texts: Sequence[str], search: BeamSearchConfig, attention: bool = False, first: int = 1
) -> Iterator[list[TranslatedText]]:
    """The `search.n_best` translations of each text of one batch. attention: with tokens and weights."""
    reader: PairReader = loaded.reader
    task, encoded = loaded.config["task"], reader.encode(texts, first=first)
    lengths = encoded.mask.sum(1)
    limits = max_target_lengths(lengths, task["length_factor"], task["length_extra"])
    stepper = Translator.of(loaded.model, encoded.inputs, encoded.mask)
    for text, hypotheses in zip(texts, beam_search(stepper, limits, search, source_lengths=lengths), strict=True):
        translations = []
        for hypothesis in hypotheses:
            values = round(hypothesis.log_probability, 6), round(hypothesis.score, 6)
            translation = TranslatedText(reader.decode(hypothesis.tokens), *values)
            if attention and hypothesis.weights is not None:
                target = [*reader.target_tokens(hypothesis.tokens), "<eos>"][: len(hypothesis.tokens)]
                weights = rounded(hypothesis.weights)
                translation = replace(translation, source=reader.tokens(text), target=target, weights=weights)
            translations.append(translation)
        yield translations


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text `{"text", "predictions": [{"translation", "log_probability", "score"}, …]}`, the best first."""
    settings = loaded.config["task"]
    search = beam({**settings, "beam": max(top_k, settings["beam"])}, top_k)
    for text, best in zip(texts, translated(loaded, texts, search, first=first), strict=True):
        yield {"text": text, "predictions": [translation.to_plain() for translation in best]}


def choices(loaded: Loaded) -> int | None:
    return MOST_HYPOTHESES


KIND = TaskKind(
    "a translator",
    TokenSequence,
    model,
    task,
    PairReader.from_plain,
    predictions,
    choices,
    verbs=("predict", "translate"),
    callbacks=callbacks,
    artifacts=artifacts,
)
