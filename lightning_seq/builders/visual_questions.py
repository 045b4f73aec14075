"""Questions about pictures: one answer for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from lightning_seq.builders.asked_questions import asked_questions
from lightning_seq.builders.classification import class_weights
from lightning_seq.builders.features import picture_encoder
from lightning_seq.builders.prediction_columns import (
    Column,
    name_column,
    of_task,
    score_columns,
    test_rows,
    write_predictions,
)
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task, ranked
from lightning_seq.config.tree import Config
from lightning_seq.data.visual_questions.reader import QuestionReader
from lightning_seq.files import write_json
from lightning_seq.metrics.baseline import majority
from lightning_seq.models.answerer import Answerer
from lightning_seq.spec import Answer, DataSpec, Question

if TYPE_CHECKING:
    from lightning.pytorch import Callback

    from lightning_seq.data.visual_questions.module import VisualQuestionData
    from lightning_seq.data.visual_questions.prepare import QuestionSplit
    from lightning_seq.tasks.visual_questions import VisualQuestions


def model(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> Answerer:
    task, inputs = config["task"], spec.inputs_as(Question)
    picture = picture_encoder(config, task["picture"], inputs.channels, (inputs.height, inputs.width))
    return Answerer(
        embedding,
        encoder(width),
        spec.targets_as(Answer).size,
        picture,
        fusion=task["fusion"],
        width=task["width"],
        hops=task["hops"],
        pooling=task["pooling"],
        head_sizes=tuple(task["head_sizes"]),
        dropout=task["dropout"],
    )


def task(config: Config, data: VisualQuestionData, model: Answerer, shared: Shared) -> VisualQuestions:
    settings = config["task"]
    made: VisualQuestions = make_task(  # type: ignore[assignment]
        config,
        model,
        data.spec.targets_as(Answer).size + 1,
        class_weights=class_weights(settings["class_weights"], data),  # type: ignore[arg-type]
        label_smoothing=settings["label_smoothing"],
        **of_task(config),
        **shared,
    )
    test = data.prepared.splits["test"]
    made.know_questions(
        data.prepared.kinds,
        *["unknown_answers"] * bool(_unknown(data).any()),
        *["vqa_accuracy"] * bool(test.annotated.size),
        *["accuracy_choices", "mrr"] * bool(test.choices.size),
    )
    return made


def _unknown(data: VisualQuestionData) -> np.ndarray:
    """`[N]`, whether the model cannot give the answer to each test question."""
    return data.prepared.splits["test"].answers == data.spec.targets_as(Answer).size


def callbacks(config: Config, directory: Path, data: VisualQuestionData) -> list[Callback]:
    from lightning_seq.callbacks.questions import QuestionWriter  # it imports Lightning

    return [QuestionWriter(directory, data)]


def artifacts(directory: Path, data: VisualQuestionData, task: VisualQuestions) -> dict[str, str]:
    """`questions.json` and `test_questions.json` (see `records/questions.py`), and `predictions.parquet`.

    predictions.parquet: a row per question: target, prediction, loss (NaN for an answer that the model cannot give),
                         the question; where they are known, its kind, the prediction's VQA accuracy, the best of the
                         choices and the rank of the target among them; if they are full, all probabilities.
    """
    names, predictions = data.spec.targets_as(Answer).names, test_rows(task)
    rows, test = predictions[:, 0].astype("int64"), data.prepared.splits["test"]
    texts, answers = data.prepared.texts("test"), data.prepared.answers("test")
    columns: dict[str, Column] = {
        "target": [answers[row] for row in rows.tolist()],
        "prediction": name_column(names, predictions[:, 2]),
        "loss": np.where(_unknown(data)[rows], np.nan, predictions[:, 3]),
        "question": [texts[row] for row in rows.tolist()],
    }
    if data.prepared.kinds:
        columns["kind"] = name_column(data.prepared.kinds, test.kinds[rows])
    if test.annotated.size:
        columns["vqa_accuracy"] = _agreement(test, rows, predictions[:, 2:3])
    if test.choices.size:
        choices = [*names, None]
        columns["choice"] = [None if np.isnan(one) else choices[int(one)] for one in predictions[:, 4]]
        columns["rank"] = predictions[:, 5]
    scores = predictions[:, 6 if test.choices.size else 4 :]
    columns |= score_columns(names, scores) if scores.shape[1] else {}
    losses = np.where(_unknown(data), np.inf, predictions[rows.argsort(), 3])
    write_json(directory / "test_questions.json", asked_questions(data, task, losses).to_plain())
    files = write_predictions(directory, data.example_ids("test"), rows, columns)
    return {**files, "test_questions": "test_questions.json", "questions": "questions.json"}


def baseline(data: VisualQuestionData, task: VisualQuestions) -> dict[str, float]:
    test = data.prepared.splits["test"]
    answer, values = majority(data.train_labels, test.answers, data.spec.targets_as(Answer).size)
    if test.annotated.size:
        values["vqa_accuracy"] = float(_agreement(test, np.arange(len(test)), np.array([[answer]])).mean())
    return values


def _agreement(test: QuestionSplit, rows: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """`[N]`, the VQA accuracy of answers `[N, 1]` to these questions."""
    return ((test.annotated[rows] == answers) * test.agreement[rows]).sum(1).astype("float64")


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each line `FILE<TAB>QUESTION` `{"text", "predictions": [{"answer", "probability"}, …]}`, the likeliest
    first; of a line with choices those alone, with the probability 0 for one that training does not have."""
    scores, names = loaded.probabilities(texts, first), loaded.spec.targets_as(Answer).names
    for text, row, best in zip(texts, scores.tolist(), ranked(scores, names, top_k, "answer"), strict=True):
        choices = loaded.reader.choices_in(text)
        yield {"text": text, "predictions": among(choices, names, row, top_k) if choices else best}


def among(choices: Mapping[str, str], names: Sequence[str], row: Sequence[float], top_k: int) -> list[Row]:
    """The likeliest of the choices first. choices: see `QuestionReader.choices`; row: a probability for each name."""
    known = dict(zip(names, row, strict=True))
    listed = [(round(known.get(form, 0.0), 6), one) for one, form in choices.items()]
    best = sorted(listed, key=lambda one: -one[0])[:top_k]
    return [{"answer": one, "probability": probability} for probability, one in best]


KIND = TaskKind(
    "an answerer",
    Answer,
    model,
    task,
    QuestionReader.from_plain,
    predictions,
    lambda loaded: loaded.spec.targets_as(Answer).size,
    verbs=("predict", "answer"),
    callbacks=callbacks,
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="most frequent answer",
)
