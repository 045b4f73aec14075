"""Modules that were renamed start from the same weights as before, and read checkpoints from before."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.init import Initialisation
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.models.encoder_decoder import EncoderDecoder
from lightning_seq.models.language_model import LanguageModel
from lightning_seq.models.recurrent import RecurrentEncoder

V, E, H = 11, 6, 5
MODELS: dict[str, Callable[[], LanguageModel | EncoderDecoder]] = {
    "language_model": lambda: LanguageModel(Embedding(V, E), RecurrentEncoder(E, GRUCell, H), V, tied=True),
    "encoder_decoder": lambda: EncoderDecoder(
        Embedding(V, E), Embedding(V, E), V, hidden_size=H, cell=GRUCell, tied="decoder", context="final"
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_renamed_module_starts_from_the_weights_it_had(name: str) -> None:
    """The numbers are those of version 0.1.0 with seed 1, where the module was called `bring`."""
    model = MODELS[name]()
    Initialisation()(model, 1)
    first = model.output_projection.get_parameter("weight").detach()[0, :3]
    expected = torch.tensor([-0.33587023615837097, 0.10540377348661423, 0.03880368173122406])
    assert torch.equal(first, expected)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("inside", ["", "model.", "module.model."])
def test_a_state_dict_with_the_old_name_is_read(name: str, inside: str) -> None:
    """By a task and by averaged weights too, in which the model is a part."""
    saved, loaded = MODELS[name](), MODELS[name]()
    old = {f"{inside}{key.replace('output_projection', 'bring')}": value for key, value in saved.state_dict().items()}
    assert f"{inside}bring.weight" in old
    whole: torch.nn.Module = loaded
    for part in reversed(inside.split(".")[:-1]):
        whole = torch.nn.ModuleDict({part: whole})
    whole.load_state_dict(old)
    assert f"{inside}bring.weight" in old  # what is read is left as it was
    for key, value in saved.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key
