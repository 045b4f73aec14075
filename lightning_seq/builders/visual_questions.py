"""Questions about pictures: one answer for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from lightning_seq.builders.asked_questions import asked_questions
from lightning_seq.builders.captioning import picture_encoder
from lightning_seq.builders.classification import class_weights
from lightning_seq.builders.prediction_columns import name_column, of_task, score_columns, test_rows, write_predictions
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task, ranked
from lightning_seq.config.tree import Config
from lightning_seq.data.visual_questions.reader import QuestionReader
from lightning_seq.files import write_json
from lightning_seq.metrics.baseline import majority
from lightning_seq.models.answerer import Answerer
from lightning_seq.spec import Answer, DataSpec, Question

if TYPE_CHECKING:
    from lightning_seq.data.visual_questions.module import VisualQuestionData
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
        data.spec.targets_as(Answer).size,
        class_weights=class_weights(settings["class_weights"], data),  # type: ignore[arg-type]
        label_smoothing=settings["label_smoothing"],
        **of_task(config),
        **shared,
    )
    made.know_kinds(data.prepared.kinds)
    return made


def artifacts(directory: Path, data: VisualQuestionData, task: VisualQuestions) -> dict[str, str]:
    """`test_questions.json` (see `records/questions.py`) and `predictions.parquet`.

    predictions.parquet: a row per question: target, prediction, loss, the question, its kind if it is known; if they
                         are full, the probability of each answer.
    """
    names, predictions = data.spec.targets_as(Answer).names, test_rows(task)
    rows, texts = predictions[:, 0].astype("int64"), data.prepared.texts("test")
    columns = {
        "target": name_column(names, predictions[:, 1]),
        "prediction": name_column(names, predictions[:, 2]),
        "loss": predictions[:, 3],
        "question": [texts[row] for row in rows.tolist()],
    }
    if data.prepared.kinds:
        columns["kind"] = name_column(data.prepared.kinds, data.prepared.splits["test"].kinds[rows])
    columns |= score_columns(names, predictions[:, 4:]) if predictions.shape[1] > 4 else {}
    losses = predictions[rows.argsort(), 3]
    write_json(directory / "test_questions.json", asked_questions(data, task, losses).to_plain())
    files = write_predictions(directory, data.example_ids("test"), rows, columns)
    return {**files, "test_questions": "test_questions.json"}


def baseline(data: VisualQuestionData, task: VisualQuestions) -> dict[str, float]:
    return majority(data.train_labels, data.prepared.splits["test"].answers, data.spec.targets_as(Answer).size)[1]


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each line `FILE<TAB>QUESTION` `{"text", "predictions": [{"answer", "probability"}, …]}`, the likeliest
    first."""
    lists = ranked(loaded.probabilities(texts, first), loaded.spec.targets_as(Answer).names, top_k, "answer")
    yield from ({"text": text, "predictions": best} for text, best in zip(texts, lists, strict=True))


KIND = TaskKind(
    "an answerer",
    Answer,
    model,
    task,
    QuestionReader.from_plain,
    predictions,
    lambda loaded: loaded.spec.targets_as(Answer).size,
    verbs=("predict", "answer"),
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="most frequent answer",
)
