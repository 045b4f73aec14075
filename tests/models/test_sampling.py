"""Sampling: what is cut away, and that each step sees all that went before."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq import LSTMCell
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.models.language_model import LanguageModel
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.sampling import Reader, restricted, sample
from lightning_seq.models.window_mlp import WindowMLP

V = 6


def model_of(recurrent: bool = True) -> LanguageModel:
    torch.manual_seed(2)
    encoder = RecurrentEncoder(4, LSTMCell, [5, 5]) if recurrent else WindowMLP(4, 3, 5)
    return LanguageModel(Embedding(V, 4), encoder, V).eval()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-40, 40).map(lambda tenths: tenths / 10), min_size=V, max_size=V, unique=True),
    st.floats(0.2, 3),
    st.one_of(st.none(), st.integers(1, V + 2)),
    st.one_of(st.none(), st.floats(0.05, 1)),
)
def test_restricted_against_numpy(
    scores: list[float], temperature: float, top_k: int | None, top_p: float | None
) -> None:
    found = restricted(torch.tensor([scores], dtype=torch.float64), temperature, top_k, top_p)[0].numpy()
    likely = np.exp(np.array(scores) / temperature)
    order = np.argsort(-likely)
    kept = np.zeros(V, dtype=bool)
    kept[order[: top_k or V]] = True
    likely = np.where(kept, likely, 0) / likely[kept].sum()
    if top_p is not None:
        mass = 0.0
        for place in order:
            if mass >= top_p:
                likely[place] = 0
            mass += likely[place]
    np.testing.assert_allclose(found, likely / likely.sum(), atol=1e-9)


@pytest.mark.parametrize("recurrent", [True, False])
def test_symbol_by_symbol_is_the_whole_text(recurrent: bool) -> None:
    model, ids = model_of(recurrent), torch.randint(0, V, (2, 7))
    whole, _ = model(ids, torch.ones_like(ids, dtype=torch.bool))
    reader = Reader(model)
    steps = [reader.feed(ids[:, :3]), *(reader.feed(ids[:, at : at + 1]) for at in range(3, 7))]
    for step, at in zip(steps, range(2, 7), strict=True):
        torch.testing.assert_close(step, whole[:, at])


def test_no_temperature_takes_the_likeliest_and_a_seed_repeats() -> None:
    model, prompt = model_of(), torch.tensor([[1, 2]])
    ids = prompt
    for drawn in sample(model, prompt, 5, temperature=0):
        expected = model(ids, torch.ones_like(ids, dtype=torch.bool))[0][:, -1].argmax(-1)
        assert torch.equal(drawn, expected)
        ids = torch.cat([ids, drawn[:, None]], 1)
    first, second = (
        torch.stack(list(sample(model, prompt, 20, generator=torch.Generator().manual_seed(3)))) for _ in range(2)
    )
    assert torch.equal(first, second)


def test_the_smallest_temperatures_take_the_likeliest() -> None:
    scores = torch.tensor([[0.3, 2.0, 1.9]]).log_softmax(-1)
    for temperature in (1e-42, 1e-5):
        assert restricted(scores, temperature).tolist() == [[0.0, 1.0, 0.0]]


def test_draws_follow_the_probabilities() -> None:
    model = model_of()
    prompt = torch.tensor([[1]]).expand(20000, 1)
    (drawn,) = sample(model, prompt, 1, suppressed_tokens=(0,), generator=torch.Generator().manual_seed(1))
    expected = model(prompt[:1], torch.ones(1, 1, dtype=torch.bool))[0][0, 0].exp()
    expected[0] = 0
    share = torch.bincount(drawn, minlength=V) / len(drawn)
    assert drawn.min() > 0
    torch.testing.assert_close(share, expected / expected.sum(), atol=0.015, rtol=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.5},
    ],
)
def test_values_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match="expected at least 0"):
        restricted(torch.zeros(1, V), **wrong)  # type: ignore[arg-type]
