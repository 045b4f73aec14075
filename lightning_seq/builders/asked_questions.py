"""The questions about test pictures that a run records for the dashboard, and the chance of a right answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from lightning_seq.builders.shown_examples import shown_examples
from lightning_seq.data.pictures import small_png
from lightning_seq.metrics.baseline import majority
from lightning_seq.models.answerer import Answerer
from lightning_seq.records.pictures import map_rows, smaller
from lightning_seq.records.questions import AskedQuestion, AskedQuestions, KindOfQuestion
from lightning_seq.spec import Answer
from lightning_seq.text.padding import pad_flat

if TYPE_CHECKING:
    from lightning_seq.data.visual_questions.module import VisualQuestionData
    from lightning_seq.tasks.visual_questions import VisualQuestions


@torch.inference_mode()
def asked_questions(data: VisualQuestionData, task: VisualQuestions, losses: np.ndarray) -> AskedQuestions:
    """Questions of the test split with the answers of the model, the least probable true answer first.

    losses: `[N]`, of the true answers, in the order of the split; infinite for one that the model cannot give.
    """
    prepared, names, model = data.prepared, data.spec.targets_as(Answer).names, task.model
    if not isinstance(model, Answerer):
        raise TypeError(f"{type(model).__name__} is no answerer")
    split, texts, answers = prepared.splits["test"], prepared.texts("test"), prepared.answers("test")
    shown = shown_examples(np.argsort(-losses, kind="stable").tolist())
    rows = np.array([row for row, _ in shown])
    inputs, mask = pad_flat(split.flat, split.offsets, rows)
    pictures, read = split.pictures[split.picture[rows]], data.inputs["test"].values[split.picture[rows]]
    task.eval()
    joined, weights = model.joined(*(part.to(task.device) for part in (inputs, mask, torch.from_numpy(read))))
    probabilities = model.head(joined).float().softmax(-1).nan_to_num().cpu()
    best, targets = probabilities.argmax(-1).tolist(), split.answers[rows].tolist()
    of_targets = [
        float(row[answer]) if answer < len(names) else 0.0 for row, answer in zip(probabilities, targets, strict=True)
    ]
    grid, maps = model.fusion.grid, [tuple[str, ...]()] * len(rows)
    if weights is not None:
        maps = [map_rows(one, grid) for one in weights.double().cpu().numpy()]
    chance, kinds = _chances(data)
    return AskedQuestions(
        len(split.answers),
        chance,
        None if weights is None else smaller(grid),
        kinds,
        tuple(
            AskedQuestion(
                row,
                small_png(pictures[place]),
                texts[row],
                prepared.kinds[int(split.kinds[row])] if prepared.kinds else "",
                answers[row],
                round(of_targets[place], 4),
                names[best[place]],
                round(float(probabilities[place, best[place]]), 4),
                shared,
                maps[place],
            )
            for place, (row, shared) in enumerate(shown)
        ),
    )


def _chances(data: VisualQuestionData) -> tuple[float, tuple[KindOfQuestion, ...]]:
    """The accuracy of the most frequent answer to each kind of question in training, of all test questions and of each
    kind."""
    prepared, size = data.prepared, data.spec.targets_as(Answer).size
    train, test = prepared.splits["train"], prepared.splits["test"]
    kinds = []
    for number, name in enumerate(prepared.kinds or ("",)):
        of_train, of_test = train.kinds == number, test.kinds == number
        if n := int(of_test.sum()):
            trained = train.answers[of_train] if of_train.any() else train.answers
            kinds.append(KindOfQuestion(name, n, majority(trained, test.answers[of_test], size)[1]["accuracy"]))
    chance = sum(kind.n * kind.chance for kind in kinds) / len(test.answers)
    return chance, tuple(kinds) if prepared.kinds else ()
