"""What is written of the gradient's way back, for every kind of task, and that looking changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_seq.callbacks.gradient_flow import GradientFlow, flows, thinned
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.files import Plain
from lightning_seq.models.bag_of_embeddings import BagOfEmbeddings
from lightning_seq.models.classifier import Classifier
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.spec import Batch
from lightning_seq.tasks.classification import SequenceClassification
from lightning_seq.tasks.task import Task
from tests.tasks import test_language_modelling as language
from tests.tasks import test_regression as numbers
from tests.tasks import test_sequence_to_sequence as translation
from tests.tasks import test_tagging as tagging

from .small_training import trained, weights

SGD = partial(torch.optim.SGD, lr=0.1)
V, E, H = 9, 4, 5


def classification(encoder: Any, pooling: str = "last", width: int = E) -> SequenceClassification:
    torch.manual_seed(0)
    return SequenceClassification(Classifier(Embedding(V, width), encoder, 3, pooling=pooling), 3, SGD)


def batch(steps: int = 7, lengths: tuple[int, ...] = (7, 3, 6, 1)) -> Batch:
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(steps) < torch.tensor(lengths)[:, None]
    B = len(lengths)
    inputs = torch.randint(1, V, (B, steps), generator=generator).masked_fill(~mask, 0)
    targets = torch.randint(0, 3, (B,), generator=generator)
    return Batch(torch.arange(B), inputs, mask, targets, torch.ones(B, dtype=torch.bool), B)


def looked(task: Task, given: Batch) -> list[Plain]:
    """As the file has it."""
    return [look.to_plain() for look in flows(task, given)]


def test_an_entry_of_an_lstm() -> None:
    task = classification(RecurrentEncoder(E, LSTMCell, H))
    (entry,) = looked(task, batch())
    assert (entry["name"], entry["layer"], entry["direction"]) == ("stack.layers.0", 1, "forward")
    assert entry["distances"] == list(range(7))
    assert entry["rows"] == [4, 3, 3, 2, 2, 2, 1]
    assert entry["longest"] == 6
    assert entry["direct"] is None
    assert sum(entry["share"]) == pytest.approx(1, abs=2e-3)
    h, c = entry["tensors"]
    both = [0.5 * torch.log10(torch.tensor(10 ** (2 * a) + 10 ** (2 * b))) for a, b in zip(h[-1:], c[-1:], strict=True)]
    assert entry["norm"]["mean"][-1] == pytest.approx(float(both[0]), abs=1e-3), "one row: no mean to differ"
    assert c[0] is None, "the loss does not read c_T: log10 0"
    low, mean, high = (torch.tensor(entry["norm"][name]) for name in ("low", "mean", "high"))
    assert bool((low <= mean).all())
    assert bool((mean <= high).all())
    assert entry["bound"] is None
    assert list(entry["matrices"]) == ["U_i", "U_f", "U_g", "U_o"]
    assert set(entry["jacobian"]["terms"]) == {"kept", "f", "i", "g"}
    assert len(entry["jacobian"]["blocks"]) == 2
    assert entry["kept"]["product"][0] == 0
    assert entry["kept"]["product"] == sorted(entry["kept"]["product"], reverse=True)
    assert 0.5 < entry["kept"]["a_step"] < 0.9
    json.dumps(entry, allow_nan=False)


def by_distance(task: Task, given: Batch, layer: int = 0) -> Tensor:
    """log10 norms of the first row, which is the longest, from one loss and autograd alone."""
    row = replace(
        given,
        **{name: getattr(given, name)[:1] for name in ("ids", "inputs", "mask", "targets", "target_mask")},
        extra={name: tensor[:1] for name, tensor in given.extra.items()},
    )
    from lightning_seq.layers.recurrent import watched

    task.eval()
    with watched() as seen:
        loss = task.last_step_loss(row)
    states = [state[0] for state in seen[layer].run.trace.steps]
    found = torch.autograd.grad(loss, states, allow_unused=True)
    return torch.stack([each.norm() for each in found if each is not None]).flip(0).log10()


KINDS = {
    "classification": (lambda: classification(RecurrentEncoder(E, ElmanCell, H)), batch, False),
    "tagging": (tagging.made, partial(tagging.batch, rows=5), True),
    "bits": (numbers.bits, partial(numbers.batch, of_steps=True), False),
    "regression": (numbers.regression, partial(numbers.batch, of_steps=False), True),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_task(name: str) -> None:
    """The curve is that of autograd on a row by itself."""
    make, given, last_row = KINDS[name]
    task, whole = make(), given()
    order = [3 if name == "bits" else len(whole.ids) - 1 if last_row else 0]
    if name == "regression":
        order = [3]
    if name == "tagging":
        order = [int(whole.target_mask.sum(1).argmax())]
    one = replace(
        whole,
        **{part: getattr(whole, part)[order] for part in ("ids", "inputs", "mask", "targets", "target_mask")},
        extra={key: tensor[order] for key, tensor in whole.extra.items()},
    )
    expected = by_distance(task, one)
    before = [parameter.clone() for parameter in task.model.parameters()]
    found = looked(task, one)
    recurrence = next(entry for entry in found if entry["direction"] == "forward")
    curve = recurrence["direct"] if recurrence["direct"] is not None else recurrence["norm"]["mean"]
    torch.testing.assert_close(torch.tensor(curve), expected[: len(curve)].detach().float(), rtol=1e-3, atol=1e-3)
    assert len(curve) > 2
    assert all(torch.equal(a, b) for a, b in zip(before, task.model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in task.model.parameters())


def test_both_ways_each_from_its_own_end() -> None:
    """Of a tagger the reverse layer has the loss of the first tag, at which it ends."""
    task, given = tagging.made(), tagging.batch()
    forward, backward = looked(task, given)
    assert (forward["direction"], backward["direction"]) == ("forward", "backward")
    assert forward["longest"] == backward["longest"] == 4
    assert forward["norm"] != backward["norm"]


def test_layers_are_counted_from_the_input() -> None:
    encoder = RecurrentEncoder(E, GRUCell, H, num_layers=2, bidirectional=True, combined=True)
    found = looked(classification(encoder), batch())
    assert [(entry["layer"], entry["direction"]) for entry in found] == [
        (layer, direction) for layer in (1, 2) for direction in ("forward", "backward", "combined")
    ]
    combined = [entry for entry in found if entry["direction"] == "combined"]
    assert all(entry["bound"] is not None for entry in combined)
    assert combined[0]["direct"] is not None, "the layer above reads it at every step"
    assert combined[1]["direct"] is None


def test_sequence_to_sequence_and_language_modelling() -> None:
    encoder, _ = looked(translation.made(), translation.batch())
    assert encoder["direct"] is not None, "attention reads every state of the encoder"
    (batch,) = language.chunks(language.text(8), [8])
    (entry,) = looked(language.task_of(), batch)
    assert entry["longest"] == 7
    assert entry["direct"] is None


def test_pooling_over_all_steps_is_no_short_cut() -> None:
    """`norm` has the way through the recurrence alone, `direct` every way."""
    encoder = RecurrentEncoder(E, ElmanCell, H)
    (entry,) = looked(classification(encoder, "mean"), batch())
    assert entry["direct"] is not None
    assert entry["norm"]["mean"][0] == entry["direct"][0]
    assert entry["norm"]["mean"][5] < entry["direct"][5] - 1
    assert entry["memory_length"] is not None


def test_what_cannot_be_looked_at_says_why() -> None:
    zoneout = classification(RecurrentEncoder(E, GRUCell, H, zoneout=0.3))
    (entry,) = looked(zoneout, batch())
    assert entry == {
        "name": "stack.layers.0",
        "layer": 1,
        "direction": "forward",
        "why": "GRUCell did not start from its initial state, or there was noise in it",
    }
    bag = BagOfEmbeddings(E)
    assert looked(classification(bag, "mean"), batch()) == []


def test_numbers_that_are_none() -> None:
    """Weights that are not finite, rows of one step, a gradient of nothing: no error, and no NaN in the file."""
    task = classification(RecurrentEncoder(E, LSTMCell, H))
    (short,) = looked(task, batch(1, (1, 1)))
    assert short["jacobian"] is None
    assert short["share"] is None, "the first step reads a state of zeros"
    with torch.no_grad():
        task.model.encoder.stack.layers[0].cell.U.fill_(float("nan"))
    json.dumps(looked(task, batch()), allow_nan=False)


def test_distances_thin_out() -> None:
    assert thinned(5, 8) == [0, 1, 2, 3, 4]
    assert thinned(100, 2) == [49]
    found = thinned(750, 48)
    assert found[:17] == list(range(17))
    assert found[-1] == 749
    assert len(found) <= 48
    assert max(b / a for a, b in pairwise(found[17:])) < 1.2


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
def test_training_is_the_same_without(cell: Any, tmp_path: Path) -> None:
    plain, _ = trained(tmp_path, cell=cell)
    state = torch.get_rng_state()
    watched, (callback,) = trained(tmp_path, [partial(GradientFlow, tmp_path)], cell)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(map(torch.equal, weights(plain), weights(watched)))
    found = json.loads((tmp_path / "gradient_flow.json").read_text())
    assert [look["epoch"] for look in found["looks"]] == [0, 1, 2]
    assert [look["step"] for look in found["looks"]] == [0, 4, 8]
    assert found["rows"] == 6
    assert {entry["direction"] for entry in found["looks"][0]["layers"]} == {"forward", "backward"}
    assert found["looks"][0]["layers"] != found["looks"][1]["layers"]
    assert callback.cost.calls == 3
    assert callback.cost.seconds > 0


def test_a_resumed_run_goes_on(tmp_path: Path) -> None:
    task = classification(RecurrentEncoder(E, ElmanCell, H))
    trainer: Any = SimpleNamespace(
        is_global_zero=True, global_step=0, current_epoch=0, sanity_checking=False, state=SimpleNamespace(fn="fit")
    )
    first = GradientFlow(tmp_path, None, batch())
    first.on_fit_start(trainer, task)
    first.on_validation_epoch_end(trainer, task)
    second = GradientFlow(tmp_path, None, batch())
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    trainer.current_epoch = 1
    second.on_fit_start(trainer, task)
    second.on_validation_epoch_end(trainer, task)
    second.on_validation_epoch_end(trainer, task)
    assert [look["epoch"] for look in second.results] == [0, 1, 2], "of two looks in an epoch the later stays"
    assert second.cost.calls == 4
    trainer.state.fn = "validate"
    second.on_validation_epoch_end(trainer, task)
    assert second.cost.calls == 4
    trainer.is_global_zero, trainer.state.fn = False, "fit"
    second.on_validation_epoch_end(trainer, task)
    assert second.cost.calls == 4
