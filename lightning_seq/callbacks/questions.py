"""Answers to chosen questions about pictures and the looks at them, after each epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer

from lightning_seq.callbacks.diagnostic import ModelWriter
from lightning_seq.callbacks.probe import looking, spread
from lightning_seq.data.pictures import small_png
from lightning_seq.data.visual_questions.module import VisualQuestionData
from lightning_seq.files import Plain, write_json
from lightning_seq.models.answerer import Answerer
from lightning_seq.records.pictures import map_rows, smaller
from lightning_seq.records.questions import MOST_WATCHED, EpochAnswer
from lightning_seq.spec import Answer
from lightning_seq.text.padding import pad_flat


class QuestionWriter(ModelWriter):
    """Writes `questions.json` (see `records/questions.py`): some validation questions with their likeliest answers, and
    the attention of each look.

    The data alone choose the questions, so all runs on a data set have the same.
    """

    FILE = "questions.json"
    STATE = "questions"

    def __init__(self, directory: Path, data: VisualQuestionData) -> None:
        super().__init__(directory)
        split, texts = data.prepared.splits["validation"], data.prepared.texts("validation")
        order = sorted(range(len(split)), key=lambda row: (int(split.kinds[row]), row))
        rows = np.array(spread(order, MOST_WATCHED))
        self.names, answers = data.spec.targets_as(Answer).names, data.prepared.answers("validation")
        pictures = split.picture[rows]
        read = torch.from_numpy(data.inputs["validation"].values[pictures])
        self.inputs = (*pad_flat(split.flat, split.offsets, rows), read)
        self.results = [
            {
                "id": row,
                "png": small_png(np.array(split.pictures[place])),
                "question": texts[row],
                "target": answers[row],
                "answers": [],
            }
            for row, place in zip(rows.tolist(), pictures.tolist(), strict=True)
        ]

    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        model = task.model
        if not isinstance(model, Answerer):
            return
        with looking(model), torch.no_grad():
            joined, weights = model.joined(*(part.to(task.device) for part in self.inputs))
            probabilities = model.head(joined).float().softmax(-1).nan_to_num().cpu()
        maps = (
            [()] * len(self.results)
            if weights is None
            else [map_rows(one, model.fusion.grid) for one in weights.double().cpu().numpy()]
        )
        for question, row, of_looks in zip(self.results, probabilities, maps, strict=True):
            best = int(row.argmax())
            answer = EpochAnswer(epoch, self.names[best], round(float(row[best]), 4), of_looks)
            question["answers"].append(answer.to_plain())
        grid: Plain = None if weights is None else list(smaller(model.fusion.grid))
        write_json(self.directory / self.FILE, {"grid": grid, "questions": self.results})
