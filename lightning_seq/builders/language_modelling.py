"""Language modelling: the symbol that follows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from lightning_seq.builders.prediction_columns import test_rows
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task, of_means, ranked
from lightning_seq.config.tree import Config
from lightning_seq.data.language_modelling.reader import LanguageReader
from lightning_seq.errors import UserError
from lightning_seq.files import write_parquet
from lightning_seq.metrics.baseline import unigram
from lightning_seq.models.language_model import LanguageModel
from lightning_seq.spec import DataSpec, NextToken

if TYPE_CHECKING:
    from lightning.pytorch import Callback

    from lightning_seq.data.language_modelling.module import LanguageModellingData
    from lightning_seq.tasks.task import Task

log = logging.getLogger("lightning_seq")

ONCE = ("locked", "recurrent_dropout", "weight_drop")
"""Settings of an encoder's noise that is drawn once for all steps of a window."""

SPELT = "<unk> spelt by a character 5-gram of the train split (Witten-Bell)"
SPACED = "spaces next to marks by their frequency there"
"""How `bits_per_character` is computed; records without it charge `<unk>` as one token with all its letters."""
STRETCHES = 100
"""Of the test split, the groups of `predictions.parquet`."""

SETTINGS = ("carry", "evaluation", "activation_penalty", "temporal_penalty")


def model(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> LanguageModel:
    task = config["task"]
    return LanguageModel(
        embedding,
        encoder(width),
        spec.targets_as(NextToken).size,
        dropout=task["dropout"],
        locked=task["locked"],
        tied=task["tied"],
        adaptive=task["adaptive_softmax"],
    )


def task(config: Config, data: LanguageModellingData, model: LanguageModel, shared: Shared) -> Task:
    settings = config["task"]
    drawn = [f"model.{name}" for name in ONCE if config["model"].get(name)]
    drawn += ["task.locked=true"] if settings["locked"] and settings["dropout"] else []
    if drawn and data.backward_length is not None and data.backward_length > data.chunk_length:
        raise UserError(
            f"{drawn[0]} draws one mask for a whole window, and data.backward_length={data.backward_length} reads a "
            "window in two parts: set data.backward_length=null, or use dropout that is drawn at each step"
        )
    nats = data.surface_nats
    characters = {split: size for split, size in data.characters.items() if size and split in nats}
    made = make_task(
        config,
        model,
        chunk_length=data.chunk_length if data.random_chunks else None,
        tokens_per_character={split: data.tokens[split] / size for split, size in characters.items()},
        surface_nats_per_character={split: nats[split] / size for split, size in characters.items()},
        **{name: settings[name] for name in SETTINGS},
        **shared,
    )
    if "test" in characters:
        by_word = data.prepared.reading.tokeniser.level == "word"
        made.signatures["bits_per_character"] = f"{SPELT}, {SPACED}" if by_word else SPELT
    return made


def callbacks(config: Config, directory: Path, data: LanguageModellingData) -> list[Callback]:
    from lightning_seq.callbacks import averaging, samples  # they import Lightning

    settings, reader = config["task"], data.reader
    drawn = settings["sample"]
    prompt = reader.encode([_prompt(drawn["prompt"], data)]).inputs[0].tolist()
    first = 0 if reader.line_end is None else 1  # the line end before a text is not part of it
    decode = lambda ids: reader.decode(ids[first:])  # noqa: E731
    words, length, temperature = data.vocabulary.words, drawn["length"], drawn["temperature"]
    made: list[Callback] = [
        samples.Samples(directory, prompt, decode, words, length, temperature, reader.suppressed_tokens)
    ]
    if settings["averaging"] is not None:
        mode = {"val/accuracy": "max"}.get(settings["monitor"], "min")
        made.append(averaging.NonMonotonicAveraging(settings["averaging"], settings["monitor"], mode))
    return made


def _prompt(prompt: str | None, data: LanguageModellingData) -> str:
    """The prompt of the settings; without one an empty text, or a symbol if no line end comes before a text."""
    if prompt is not None or data.reader.line_end is not None:
        return prompt or ""
    return data.vocabulary.words[int(data.prepared.splits["validation"].flat[0])]


def artifacts(directory: Path, data: LanguageModellingData, task: Task) -> dict[str, str]:
    """`samples.json`, and `predictions.parquet`: a row for each window of a column, or for each line.

    predictions.parquet: `row`, the position in the test split of the first target, or the number of the line; `group`,
                         which of `STRETCHES` equal parts of the split it is in, as neighbours may be alike; `tokens`,
                         its targets; `loss`, the sum over them in nats; `right`, how many of them are the likeliest.
    """
    for line in data.hidden():
        log.info(line)
    if task.predictions is None:  # of a task of the user
        return {"samples": "samples.json"}
    ids, tokens, loss, right = test_rows(task).T
    columns = {
        "row": ids.astype("int64"),
        "group": np.arange(len(ids)) * STRETCHES // len(ids),
        "tokens": tokens.astype("int64"),
        "loss": loss,
        "right": right.astype("int64"),
    }
    write_parquet(directory / "predictions.parquet", columns)
    return {"samples": "samples.json", "predictions": "predictions.parquet"}


def baseline(data: LanguageModellingData, task: Task) -> dict[str, float]:
    return of_means(task, unigram(data.target_counts("train"), data.target_counts("test")))


@torch.inference_mode()
def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text `{"text", "predictions": [{"token", "probability"}, …]}`: its next symbols, the likeliest first."""
    batch = loaded.reader.encode(texts, first, unknown=True)
    scores, _ = loaded.model(batch.inputs, batch.mask)
    last = scores[torch.arange(len(texts)), batch.mask.sum(1) - 1].exp()
    lists = ranked(last, loaded.reader.vocabulary.words, top_k, "token")
    yield from ({"text": text, "predictions": best} for text, best in zip(texts, lists, strict=True))


def choices(loaded: Loaded) -> int | None:
    return len(loaded.reader.vocabulary)


KIND = TaskKind(
    "a language model",
    NextToken,
    model,
    task,
    LanguageReader.from_plain,
    predictions,
    choices,
    verbs=("predict", "score", "sample"),
    callbacks=callbacks,
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="unigram",
)
