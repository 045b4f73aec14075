"""The class that a classifier gives after a share of the steps."""

from __future__ import annotations

from functools import partial

import torch

from lightning_seq.cells.gru import GRUCell
from lightning_seq.embeddings.layer import Vectors
from lightning_seq.models.classifier import Classifier
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.spec import Batch
from lightning_seq.tasks.classification import SequenceClassification


def test_a_share_of_the_steps_is_the_sequence_cut_there() -> None:
    torch.manual_seed(0)
    model = Classifier(Vectors(2), RecurrentEncoder(2, GRUCell, 5), 3)
    task = SequenceClassification(model, 3, partial(torch.optim.SGD, lr=0.1), early=(0.1, 0.5)).eval()
    lengths = torch.tensor([1, 4, 7])
    mask = torch.arange(7) < lengths[:, None]
    inputs = torch.randn(3, 7, 2) * mask[..., None] * 3
    counts = torch.tensor([True, False, True])
    batch = Batch(torch.arange(3), inputs, mask, torch.zeros(3, dtype=torch.int64), counts, 2)
    with torch.no_grad():
        first, half = task.look(torch.zeros(3, 3), batch)
        for classes, steps in ((first, [1, 1]), (half, [1, 4])):  # half of 7 steps are 4
            for row, count, own in zip((0, 2), steps, classes.tolist(), strict=True):
                cut = inputs[row : row + 1, :count]
                alone = model(cut, torch.ones(1, count, dtype=torch.bool))
                assert own == int(alone.argmax())
