"""What is read off an encoder's recurrences, for every kind of model, and which sentences are shown."""

from __future__ import annotations

from functools import partial

import torch

from lightning_seq.callbacks.probe import LONGEST, chosen_rows, words_of
from lightning_seq.callbacks.recurrences import recurrences
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.models.characters import CharacterRecurrent
from lightning_seq.models.encoder_decoder import EncoderDecoder
from lightning_seq.models.language_model import LanguageModel
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.tagger import Tagger
from lightning_seq.spec import Batch, Class, DataSpec, Features, NextToken, Tokens, Values

LENGTHS = (5, 3)


def batch(**extra: torch.Tensor) -> Batch:
    mask = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
    ids = torch.randint(4, 9, (2, 5), generator=torch.Generator().manual_seed(1)) * mask
    return Batch(torch.tensor([7, 9]), ids, mask, ids, mask, 8, extra)


def places(model: torch.nn.Module, given: Batch) -> list[tuple[int, str]]:
    return [tuple(each.place) for each in recurrences(model.eval(), given)]


def test_layers_and_directions_by_name() -> None:
    def make(**settings: object) -> LanguageModel | Tagger:
        return Tagger(Embedding(9, 4), partial(RecurrentEncoder, cell=GRUCell, hidden_size=3, **settings), 4, 2)

    both = [(1, "forward"), (1, "backward")]
    assert places(make(bidirectional=True, num_layers=2), batch()) == [*both, (2, "forward"), (2, "backward")]
    assert places(make(bidirectional=True, combined=True), batch()) == [*both, (1, "combined")]
    assert places(LanguageModel(Embedding(9, 4), RecurrentEncoder(4, GRUCell, 3), 9), batch()) == [(1, "forward")]


def test_what_reads_characters_is_left_out() -> None:
    tagger = Tagger(
        Embedding(9, 4),
        partial(RecurrentEncoder, cell=GRUCell, hidden_size=3),
        4,
        2,
        characters=CharacterRecurrent(6, LSTMCell, 3, 2),
    )
    spelt = {"characters": torch.full((1, 4), 3), "spelling": torch.zeros(2, 5, dtype=torch.int64)}
    assert places(tagger, batch(**spelt)) == [(1, "forward")]


def test_a_reversed_source_is_turned_around() -> None:
    model = EncoderDecoder(
        Embedding(9, 4), Embedding(9, 4), 9, GRUCell, hidden_size=3, bidirectional=False, reverse_source=True
    ).eval()
    given = batch()
    (found,) = recurrences(model, given)
    assert found.place.direction == "backward"
    layer = model.encoder.stack.layers[0]
    for row, length in enumerate(LENGTHS):
        words = given.inputs[row : row + 1, :length].flip(1)
        states = layer(model.source(words))[0].flip(1)
        torch.testing.assert_close(found.states[0][row, :length], states[0])


def test_sentences_of_different_classes_and_lengths() -> None:
    lengths = torch.tensor([4, 40, 6, 5, 6])
    mask = torch.arange(40) < lengths[:, None]
    targets = torch.tensor([1, 1, 0, 1, 2])
    inputs = torch.full((5, 40), 4)
    probe = Batch(torch.arange(5), inputs, mask, targets, targets >= 0, 5)
    words = Tokens(("<pad>", "<unk>", "<bos>", "<eos>", "word"))
    assert chosen_rows(probe, DataSpec(words, Class(("a", "b", "c")))) == [2, 0, 4, 3]
    assert chosen_rows(probe, DataSpec(words, NextToken(words.words))) == [0, 3, 2, 4]
    assert words_of(probe, DataSpec(words, Class(("a",))), 1) == ["word"] * LONGEST
    assert words_of(probe, DataSpec(Features(2), Values(1)), 0) == ["1", "2", "3", "4"]
