"""Language modelling: the symbol that follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lightning_seq.builders.task_kind import Loaded, Row, TaskKind, make_task
from lightning_seq.config.tree import Config
from lightning_seq.data.language_modelling.reader import LanguageReader
from lightning_seq.errors import UserError
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.language_model import LanguageModel
from lightning_seq.spec import DataSpec, NextToken

if TYPE_CHECKING:
    from lightning.pytorch import Callback

    from lightning_seq.data.language_modelling.module import LanguageModellingData
    from lightning_seq.tasks.task import Task

ONCE = ("locked", "recurrent_dropout", "weight_drop")
"""Noise of an encoder that is drawn once for all steps that it reads together."""

SETTINGS = ("carry", "evaluation", "activation_penalty", "temporal_penalty")


def model(
    config: Config, spec: DataSpec, embedding: nn.Module, encoder: Callable[[int], Encoder], width: int
) -> LanguageModel:
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


def task(config: Config, data: LanguageModellingData, model: LanguageModel, shared: dict[str, Any]) -> Task:
    settings = config["task"]
    drawn = [f"model.{name}" for name in ONCE if config["model"].get(name)]
    drawn += ["task.locked=true"] if settings["locked"] and settings["dropout"] else []
    if drawn and data.backward_length is not None and data.backward_length > data.chunk_length:
        raise UserError(
            f"{drawn[0]} draws one mask for a whole window, and data.backward_length={data.backward_length} reads a "
            "window in two parts: set it to null, or use dropout that is drawn at each step"
        )
    return make_task(
        config,
        model,
        chunk_length=data.chunk_length if data.random_chunks else None,
        tokens_per_character={name: data.tokens[name] / size for name, size in data.characters.items() if size},
        **{name: settings[name] for name in SETTINGS},
        **shared,
    )


def callbacks(config: Config, directory: Path, data: LanguageModellingData) -> list[Callback]:
    from lightning_seq.callbacks.averaging import NonMonotonicAveraging
    from lightning_seq.callbacks.samples import Samples

    settings, reads = config["task"], data.reader
    given = settings["sample"]
    prompt = reads.encode([_prompt(given["prompt"], data)]).inputs[0].tolist()
    unseen = 0 if reads.line_end is None else 1  # what stands before a text is not part of it

    def decode(ids: Sequence[int]) -> str:
        return reads.decode(ids[unseen:])

    found: list[Callback] = [
        Samples(
            directory,
            prompt,
            decode,
            data.vocabulary.words,
            given["length"],
            given["temperature"],
            reads.suppressed_tokens,
        )
    ]
    if settings["averaging"] is not None:
        mode = {"val/accuracy": "max"}.get(settings["monitor"], "min")
        found.append(NonMonotonicAveraging(settings["averaging"], settings["monitor"], mode))
    return found


def _prompt(given: str | None, data: LanguageModellingData) -> str:
    """What was asked for; else nothing, or where nothing stands before a text, its first symbol."""
    if given is not None or data.reader.line_end is not None:
        return given or ""
    return data.vocabulary.words[int(data.prepared.splits["validation"].flat[0])]


def artifacts(directory: Path, data: LanguageModellingData, task: Task) -> dict[str, str]:
    from lightning_seq.callbacks.samples import FILE

    return {"samples": FILE}


@torch.inference_mode()
def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text `{"text", "predictions": [{"token", "probability"}, …]}`: what may follow it, likeliest first."""
    batch = loaded.reader.encode(texts, first, unknown=True)
    scores, _ = loaded.model(batch.inputs, batch.mask)
    last = scores[torch.arange(len(texts)), batch.mask.sum(1) - 1].exp()
    values, indices = last.topk(min(top_k, last.shape[-1]), -1)
    for text, row, ids in zip(texts, values.tolist(), indices.tolist(), strict=True):
        ranked = [
            {"token": loaded.reader.vocabulary.words[index], "probability": round(probability, 6)}
            for index, probability in zip(ids, row, strict=True)
        ]
        yield {"text": text, "predictions": ranked}


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
)
