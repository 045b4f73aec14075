from __future__ import annotations

import pytest
import torch

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.layers.stacked import Stacked
from lightning_seq.models.listen_attend_spell import ListenAttendSpell
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.search import BeamSearchConfig
from lightning_seq.models.stacked_frames import StackedFrames, thinned
from lightning_seq.models.transcriber import Transcriber
from lightning_seq.text.vocabulary import EOS

D, V = 3, 8
LENGTHS = (11, 6)
TARGETS = torch.tensor([[4, 5, 6, EOS], [5, EOS, 0, 0]])
COUNTED = torch.tensor([[True] * 4, [True, True, False, False]])


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(5)
    inputs, mask = torch.randn(2, LENGTHS[0], D), torch.arange(LENGTHS[0]) < torch.tensor(LENGTHS)[:, None]
    inputs[~mask] = 99.0
    return inputs, mask


def transcriber(subsample: int = 1, pyramid: bool = False) -> Transcriber:
    torch.manual_seed(1)
    frames = StackedFrames(D, subsample)
    encoder = RecurrentEncoder(frames.width, LSTMCell, 5, 3 if pyramid else 1, bidirectional=True, pyramid=pyramid)
    return Transcriber(frames, encoder, V).eval()


def speller(weight: float = 0.0, subsample: int = 1) -> ListenAttendSpell:
    torch.manual_seed(1)
    made = ListenAttendSpell(
        StackedFrames(D, subsample), Embedding(V, 4), V, GRUCell, weight, attention=AdditiveScorer, hidden_size=5,
        num_layers=2, pyramid=True, decoder_layers=1,
    )  # fmt: skip
    return made.eval()


def test_frames_are_stacked_and_the_last_are_filled_with_zeros() -> None:
    inputs = torch.arange(1.0, 6)[None, :, None]
    mask = torch.tensor([[True, True, True, True, False]])
    made = StackedFrames(1, 3)(inputs, mask)
    assert made.tolist() == [[[1, 2, 3], [4, 0, 0]]]
    assert thinned(mask, 3).tolist() == [[True, True]]
    assert thinned(mask, 4).tolist() == [[True, False]]
    with pytest.raises(UserError, match=r"task\.subsample is 0"):
        StackedFrames(1, 0)


@pytest.mark.parametrize(
    ("subsample", "pyramid", "steps"), [(1, False, [11, 6]), (2, False, [6, 3]), (1, True, [3, 2])]
)
def test_an_utterance_has_the_same_emissions_alone_and_in_a_batch(
    subsample: int, pyramid: bool, steps: list[int]
) -> None:
    model, (inputs, mask) = transcriber(subsample, pyramid), batch()
    scores, lengths = model(inputs, mask)
    assert lengths.tolist() == steps
    alone, _ = model(inputs[1:, :6], mask[1:, :6])
    torch.testing.assert_close(scores[1, : steps[1]], alone[0, : steps[1]])
    losses = model.losses(inputs, mask, TARGETS, COUNTED)
    torch.testing.assert_close(losses[1:], model.losses(inputs[1:, :6], mask[1:, :6], TARGETS[1:, :2], COUNTED[1:, :2]))


def test_a_pyramid_reads_pairs_of_the_layer_below() -> None:
    torch.manual_seed(2)
    below, above = Recurrent(GRUCell(D, 4)), Recurrent(GRUCell(8, 5))
    made, _ = Stacked([below, above], pyramid=True)(x := torch.randn(1, 4, D))
    first, _ = below(x)
    expected, _ = above(first.reshape(1, 2, 8))
    torch.testing.assert_close(made, expected)
    with pytest.raises(UserError, match="residual"):
        RecurrentEncoder(D, GRUCell, 4, 2, pyramid=True, residual=True)


@pytest.mark.parametrize("weight", [0.0, 0.4])
def test_losses_of_attention_and_ctc_are_weighted(weight: float) -> None:
    model, (inputs, mask) = speller(weight), batch()
    losses = model.losses(inputs, mask, TARGETS, COUNTED)
    output = model(inputs, mask, TARGETS, COUNTED)
    spelt = torch.log_softmax(model.softmax.log_probabilities(output.hidden), 2)
    expected = -(spelt.gather(2, TARGETS[..., None])[..., 0] * COUNTED).sum(1)
    if model.emissions is not None:
        encoded = model.listened(inputs, mask)
        scores = model.emissions(encoded.outputs)
        aligned = [
            torch.nn.functional.ctc_loss(
                scores[row, :steps], TARGETS[row, :size], torch.tensor(steps), torch.tensor(size), reduction="sum"
            )
            for row, (steps, size) in enumerate([(6, 3), (3, 1)])
        ]
        expected = 0.6 * expected + 0.4 * torch.stack(aligned)
    torch.testing.assert_close(losses, expected)


@pytest.mark.parametrize("weight", [0.0, 0.4])
def test_a_transcript_is_the_same_alone_and_in_a_batch(weight: float) -> None:
    model, (inputs, mask) = speller(weight, subsample=2), batch()
    limits, beam = torch.tensor([6, 6]), BeamSearchConfig(4, n_best=2)
    both = model.search(inputs, mask, limits, beam)
    alone = model.search(inputs[1:, :6], mask[1:, :6], limits[1:], beam)
    assert [one.tokens for one in both[1]] == [one.tokens for one in alone[0]]
    assert both[1][0].score == pytest.approx(alone[0][0].score, abs=1e-5)
    assert both[0][0].weights.shape[1] == 3  # 11 frames, 6 steps, 3 after the pyramid
    assert both[0][0].score >= both[0][1].score


def test_smoothing_adds_the_mean_over_all_symbols() -> None:
    model, (inputs, mask) = speller(), batch()
    plain = model.losses(inputs, mask, TARGETS, COUNTED)
    smoothed = model.losses(inputs, mask, TARGETS, COUNTED, smoothing=0.1)
    scores = model.softmax.log_probabilities(model(inputs, mask, TARGETS, COUNTED).hidden)
    torch.testing.assert_close(smoothed, 0.9 * plain - 0.1 * (scores.mean(2) * COUNTED).sum(1))
