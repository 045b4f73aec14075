"""Dialogs about pictures: an answer for each turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from lightning_seq.builders.features import picture_encoder
from lightning_seq.builders.prediction_columns import Column, name_column, of_task, test_rows, write_predictions
from lightning_seq.builders.sequence_to_sequence import MOST_HYPOTHESES
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task
from lightning_seq.config.targets import factory
from lightning_seq.config.tree import Config
from lightning_seq.data.pictures import small_png
from lightning_seq.data.visual_dialog.reader import Asked, DialogReader, parsed
from lightning_seq.errors import UserError
from lightning_seq.files import write_json
from lightning_seq.models.dialog_answerer import DialogAnswerer
from lightning_seq.models.search import BeamSearchConfig, beam_search, rounded
from lightning_seq.models.translator import Translator
from lightning_seq.models.vector_writer import one_step
from lightning_seq.records.dialogs import MOST_DIALOGS, MOST_TURNS, AnsweredDialog, AnsweredDialogs, AnsweredTurn
from lightning_seq.spec import ANSWERS, CANDIDATES, HISTORY, PICTURES, DataSpec, Question, Reply
from lightning_seq.text.vocabulary import BOS, EOS

if TYPE_CHECKING:
    from lightning_seq.data.kept_texts import KeptTexts
    from lightning_seq.data.visual_dialog.module import VisualDialogData
    from lightning_seq.tasks.visual_dialog import VisualDialog


BEAM = 5
"""Of the search for answers to new questions."""


def model(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> DialogAnswerer:
    """Raises UserError for answers that are to be ranked and have no candidates."""
    task, inputs, targets = config["task"], spec.inputs_as(Question), spec.targets_as(Reply)
    if task["answers"] == "ranked" and not targets.candidates:
        raise UserError(
            "task.answers=ranked ranks candidate answers, and these data have none: give task.answers=written"
        )
    return DialogAnswerer(
        embedding,
        encoder,
        width,
        targets.size,
        factory(config["cell"], "cell", config["allow"]),
        picture_encoder(config, task["picture"], inputs.channels, (inputs.height, inputs.width)),
        history_kind=task["history"],
        answers=task["answers"],
        fusion=task["fusion"],
        width=task["width"],
        hops=task["hops"],
        pooling=task["pooling"],
        head_sizes=tuple(task["head_sizes"]),
        dropout=task["dropout"],
    )


def task(config: Config, data: VisualDialogData, model: DialogAnswerer, shared: Shared) -> VisualDialog:
    settings, targets = config["task"], data.spec.targets_as(Reply)
    if shared["monitor"] == "auto":
        shared = {**shared, "monitor": "val/mrr" if targets.candidates else "val/exact_match"}
    made: VisualDialog = make_task(  # type: ignore[assignment]
        config,
        model,
        candidates=targets.candidates,
        turns=targets.turns,
        relevances=bool(targets.candidates and data.prepared.splits["test"].relevances.size),
        kinds=data.prepared.kinds,
        label_smoothing=settings["label_smoothing"],
        answer_length=settings["answer_length"],
        **of_task(config),
        **shared,
    )
    return made


def artifacts(directory: Path, data: VisualDialogData, task: VisualDialog) -> dict[str, str]:
    """`test_dialogs.json` (see `records/dialogs.py`) and `predictions.parquet`.

    predictions.parquet: a row per turn: target, prediction, loss, question, turn (from 1), its kind if it is known, and
                         with candidates the rank of the target, with their relevances the NDCG (NaN for turns without);
                         if they are full, also `ranking`, the candidates and their scores as text, the best first.
    """
    split, rows = data.prepared.splits["test"], test_rows(task)
    numbers, places = rows[:, 0].astype("int64"), rows[:, 3].astype("int64")
    texts, questions = data.prepared.answer_texts(), data.prepared.texts("test")
    chosen = split.candidates[numbers, places] if task.candidates else numbers
    written = [_written(data.reader, task.written[number]) for number in numbers.tolist()] if task.written else None
    columns: dict[str, Column] = {
        "target": _texts(texts, split.answers[numbers]),
        "prediction": _texts(texts, chosen) if written is None else written,
        "loss": rows[:, 1],
        "question": [questions[row] for row in numbers.tolist()],
        "turn": split.turn[numbers] + 1,
    }
    if written is not None:  # as the model could have written them: cut, in small letters, without unknown words
        columns["target"] = [_written(data.reader, _answer(data, number)) for number in split.answers[numbers].tolist()]
    if data.prepared.kinds:
        columns["kind"] = name_column(data.prepared.kinds, split.kinds[numbers])
    if task.candidates:
        columns["rank"] = rows[:, 2].astype("int64")
    if split.relevances.size:
        columns["ndcg"] = rows[:, 5]
    if task.scores:
        columns["ranking"] = [_ranking(texts, split.candidates[row], task.scores[row]) for row in numbers.tolist()]
    write_json(directory / "test_dialogs.json", _shown(data, task, numbers, columns).to_plain())
    files = write_predictions(directory, data.example_ids("test"), numbers, columns)
    return {**files, "test_dialogs": "test_dialogs.json"}


def _shown(
    data: VisualDialogData, task: VisualDialog, numbers: np.ndarray, columns: Mapping[str, Column]
) -> AnsweredDialogs:
    """Dialogs spread over the test split. numbers: of the turns in the rows of the columns."""
    split, row_of = data.prepared.splits["test"], {number: row for row, number in enumerate(numbers.tolist())}
    ranks = test_rows(task)[:, 2].astype("int64").tolist() if task.candidates else [None] * len(numbers)
    count = int(split.dialog[-1]) + 1
    chosen = sorted(
        {number * count // MOST_DIALOGS for number in range(MOST_DIALOGS)} if count > MOST_DIALOGS else range(count)
    )
    shown = []
    for number in chosen:
        turns = np.flatnonzero(split.dialog == number)
        first = int(split.known[0][turns[0]])
        caption = split.facts.flat[split.facts.offsets[first] : split.facts.offsets[first + 1]].tolist()
        shown.append(
            AnsweredDialog(
                number,
                small_png(np.array(split.pictures[split.picture[turns[0]]])),
                _written(data.reader, [token for token in caption if token != BOS]),
                tuple(
                    AnsweredTurn(
                        str(columns["question"][row]),
                        str(columns["kind"][row]) if "kind" in columns else "",
                        str(columns["target"][row]),
                        str(columns["prediction"][row]),
                        ranks[row],
                    )
                    for row in (row_of[turn] for turn in turns[:MOST_TURNS].tolist())
                ),
            )
        )
    return AnsweredDialogs(count, task.candidates, tuple(shown))


def _texts(texts: KeptTexts, numbers: np.ndarray) -> list[str]:
    known = {number: texts[number] for number in np.unique(numbers).tolist()}
    return [known[number] for number in numbers.tolist()]


def _answer(data: VisualDialogData, number: int) -> list[int]:
    answers = data.prepared.answers
    return answers.flat[answers.offsets[number] : answers.offsets[number + 1]].tolist()


def _written(reader: DialogReader, tokens: Sequence[int]) -> str:
    return reader.segmenter.join(reader.vocabulary.decode([token for token in tokens if token != EOS]))


def _ranking(texts: KeptTexts, candidates: np.ndarray, scores: Sequence[float]) -> str:
    order = sorted(range(int((candidates >= 0).sum())), key=lambda place: -scores[place])
    return "; ".join(f"{texts[int(candidates[place])]} {scores[place]:.4f}" for place in order)


def baseline(data: VisualDialogData, task: VisualDialog) -> Mapping[str, float]:
    """Candidates by their frequency as answers of the train split; of written answers the most frequent one."""
    from lightning_seq.metrics.ranks import of_counts, ranks, right_places  # it imports torchmetrics

    test, counts = data.prepared.splits["test"], data.prepared.frequencies()
    values = {"exact_match": float((test.answers == counts.argmax()).mean())} if task.model.writer is not None else {}
    if not task.candidates:
        return values
    candidates = torch.tensor(test.candidates)
    scores = torch.from_numpy(counts[test.candidates]).double()
    right = right_places(candidates, torch.tensor(test.answers))
    found = torch.bincount(ranks(scores, right, candidates >= 0) - 1, minlength=task.candidates)
    return {name: float(value) for name, value in of_counts(found[None]).items()} | values


@dataclass(frozen=True)
class Replies:
    """The answers to one question, the likeliest first: `{"answer", "probability"}`; of a model that writes,
    `{"answer", "log_probability"}`.

    weights: of each look at the picture, `[hops][S]`; None without attention.
    """

    best: list[Row]
    weights: list[list[float]] | None


@torch.inference_mode()
def replies(loaded: Loaded, asked: Sequence[Asked], top_k: int) -> Iterator[Replies]:
    """To each question: a model that writes gives its own answers, or the candidates of a question that has them."""
    batch, model, settings = loaded.reader.encode_asked(asked), loaded.model, loaded.config["task"]
    context, weights, _ = model.context(batch.inputs, batch.mask, batch.extra[PICTURES], batch.extra[HISTORY])
    scores = None
    if model.writer is None or any(one.candidates for one in asked):
        scores = model.scores(context, batch.extra[ANSWERS][0])
    if model.writer is not None:
        beam = BeamSearchConfig(max(top_k, BEAM), length=0.0, n_best=top_k)
        limits = torch.full((len(asked),), settings["answer_length"] + 1)
        found = beam_search(Translator.of(model.writer, context, one_step(context)), limits, beam)
    for row, one in enumerate(asked):
        if scores is not None and (model.writer is None or one.candidates):
            choices = loaded.reader.choices(one)
            own = scores[row, batch.extra[CANDIDATES][row, : len(choices)]]
            name = "log_probability" if model.writer is not None else "probability"
            values = own if model.writer is not None else torch.softmax(own, 0)
            order = values.argsort(descending=True, stable=True)[:top_k].tolist()
            best = [{"answer": choices[place], name: round(float(values[place]), 6)} for place in order]
        else:
            best = [
                {"answer": _written(loaded.reader, answer.tokens), "log_probability": round(answer.log_probability, 6)}
                for answer in found[row]
            ]
        yield Replies(best, None if weights is None else rounded(weights[row]))


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each line that `DialogReader` reads `{"text", "predictions": […]}`; see `Replies`."""
    asked = [parsed(text, f"text {number}") for number, text in enumerate(texts, first)]
    for text, one in zip(texts, replies(loaded, asked, top_k), strict=True):
        yield {"text": text, "predictions": one.best}


def choices(loaded: Loaded) -> int:
    return MOST_HYPOTHESES if loaded.model.writer is not None else loaded.spec.targets_as(Reply).candidates


KIND = TaskKind(
    "a model of dialogs",
    Reply,
    model,
    task,
    DialogReader.from_plain,
    predictions,
    choices,
    verbs=("predict", "answer"),
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="most frequent answer",
)
