from __future__ import annotations

import pytest
import torch

from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.init import Initialisation
from lightning_seq.embeddings.layer import Embedding, OneHot
from lightning_seq.errors import UserError
from lightning_seq.models import dialog_answerer
from lightning_seq.models.dialog_answerer import DialogAnswerer
from lightning_seq.models.dialog_history import HISTORIES, OLDEST, Hierarchical, Late, MemoryNetwork
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.parameters import count_parameters
from lightning_seq.models.picture.cnn import ConvolutionalEncoder
from lightning_seq.models.pooling import POOLINGS
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.search import greedy, score_targets
from lightning_seq.models.translator import Translator
from lightning_seq.models.vector_writer import one_step
from lightning_seq.text.vocabulary import BOS, EOS, PAD

B, K, S, T, V, E, H, W, A = 3, 3, 4, 5, 11, 6, 7, 10, 4
DRAW = torch.Generator().manual_seed(1)
PICTURES = torch.randint(0, 256, (B, 3, 12, 16), dtype=torch.uint8, generator=DRAW)
INPUTS = torch.randint(4, V, (B, T), generator=DRAW)
MASK = torch.arange(T) < torch.tensor([[5], [2], [4]])
HISTORY = torch.randint(4, V, (B, K, S), generator=DRAW)
HISTORY[1, 1:] = PAD  # one fact
HISTORY[1, 0] = torch.tensor([BOS, PAD, PAD, PAD])
HISTORY[2, 2:] = PAD  # two facts
HISTORY[2, 1, 2:] = PAD
REPLIES = torch.tensor([[5, EOS, PAD], [6, 7, EOS], [8, EOS, PAD], [9, 4, EOS]])


def encoder(width: int) -> Encoder:
    return RecurrentEncoder(width, GRUCell, H)


def answerer(history: str = "hierarchical", answers: str = "ranked", **more: object) -> DialogAnswerer:
    picture = ConvolutionalEncoder(3, (12, 16), (4, 8))
    words: dict[str, object] = {"width": W, **more}
    model = DialogAnswerer(Embedding(V, E), encoder, E, V, GRUCell, picture, history, answers, **words)  # type: ignore[arg-type]
    Initialisation()(model, 1)
    return model.eval()


def scores(model: DialogAnswerer, history: torch.Tensor = HISTORY) -> torch.Tensor:
    return model(INPUTS, MASK, PICTURES, history, REPLIES)


@pytest.mark.parametrize("answers", ["ranked", "written"])
@pytest.mark.parametrize("history", HISTORIES)
def test_the_answer_depends_on_the_turns_before_and_on_their_order(history: str, answers: str) -> None:
    model = answerer(history, answers)
    made = scores(model)
    assert made.shape == (B, A)
    turned = HISTORY.clone()
    turned[0] = HISTORY[0].flip(0)
    other = scores(model, turned)
    torch.testing.assert_close(other[1:], made[1:])
    assert torch.allclose(other[0], made[0]) is (history == "none")


@pytest.mark.parametrize("history", HISTORIES)
def test_the_answer_depends_on_no_other_dialog_and_on_no_padding(history: str) -> None:
    model = answerer(history)
    together = scores(model)
    for row, (length, facts) in enumerate(((5, 3), (2, 1), (4, 2))):
        alone = model(
            INPUTS[row : row + 1, :length],
            MASK[row : row + 1, :length],
            PICTURES[row : row + 1],
            HISTORY[row : row + 1, :facts],
            REPLIES,
        )
        torch.testing.assert_close(alone[0], together[row])
    wide = torch.zeros(B, K + 2, S + 3, dtype=torch.int64)
    wide[:, :K, :S] = HISTORY
    torch.testing.assert_close(scores(model, wide), together)


@pytest.mark.parametrize(("fusion", "reads_picture", "reads_history"), [
    ("question", False, True), ("picture", True, False), ("film", True, True),
])  # fmt: skip
def test_baselines_see_what_they_are_named_for(fusion: str, reads_picture: bool, reads_history: bool) -> None:
    model = answerer(fusion=fusion)
    made = scores(model)
    other_picture = model(INPUTS, MASK, 255 - PICTURES, HISTORY, REPLIES)
    assert torch.allclose(made, other_picture) is not reads_picture
    assert torch.allclose(made, scores(model, HISTORY.flip(1)[:, :, :1] + 1)) is not reads_history
    assert (model.picture is not None) is reads_picture


def embed(ids: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(5)
    return torch.randn(V, E)[ids]


def last(module: object, x: torch.Tensor) -> torch.Tensor:
    """The pooled outputs for one row without padding."""
    return module(x[None], torch.ones(1, len(x), dtype=torch.bool))[0]  # type: ignore[operator]


def test_late_fusion_reads_the_facts_as_one_sequence() -> None:
    torch.manual_seed(2)
    history = Late(encoder, E, "last")
    made, weights = history(HISTORY, torch.zeros(B, H), embed)
    assert weights is None
    for row, ids in enumerate((HISTORY[0].flatten(), HISTORY[1, 0, :1], torch.cat([HISTORY[2, 0], HISTORY[2, 1, :2]]))):
        torch.testing.assert_close(made[row], last(history.words, embed(ids)))


def test_the_hierarchy_reads_facts_then_turns() -> None:
    torch.manual_seed(2)
    history = Hierarchical(encoder, E, "max")
    made, _ = history(HISTORY, torch.zeros(B, H), embed)
    facts = torch.stack([last(history.facts, embed(HISTORY[2, 0])), last(history.facts, embed(HISTORY[2, 1, :2]))])
    torch.testing.assert_close(made[2], last(history.turns, facts))
    assert isinstance(history.turns.pooling, POOLINGS["last"])


def test_the_memory_network_is_its_equations() -> None:
    torch.manual_seed(2)
    history, question = MemoryNetwork(encoder, E, "max", H), torch.randn(B, H)
    made, weights = history(HISTORY, question, embed)
    assert weights is not None
    torch.testing.assert_close(weights.sum(1), torch.ones(B))
    assert weights[1].tolist() == [1, 0, 0]
    many = HISTORY[:1, :1].expand(1, OLDEST + 2, S)
    _, old = history(many, question[:1], embed)
    torch.testing.assert_close(old[0, :3], old[0, :1].expand(3))
    assert not torch.isclose(old[0, 2], old[0, 3])
    assert weights[2, 2] == 0
    facts = torch.stack([last(history.facts, embed(HISTORY[2, 0])), last(history.facts, embed(HISTORY[2, 1, :2]))])
    memory = facts + torch.stack([history.ages[1], history.ages[0]])
    p = torch.softmax(memory @ (history.query.weight @ question[2]), 0)
    torch.testing.assert_close(made[2], p @ memory)
    torch.testing.assert_close(weights[2, :2], p)


def test_a_ranked_score_is_a_dot_product() -> None:
    model = answerer()
    context, *_ = model.context(INPUTS, MASK, PICTURES, HISTORY)
    assert model.answers is not None
    for place, length in enumerate((2, 3, 2, 3)):
        vector = last(model.answers, model.embedding(REPLIES[place, :length]))
        torch.testing.assert_close(scores(model)[:, place], context @ vector)


def test_the_likelihood_of_a_written_answer_is_that_of_its_words_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    model = answerer(answers="written")
    context, *_ = model.context(INPUTS, MASK, PICTURES, HISTORY)
    made = scores(model)
    for place, length in enumerate((2, 3, 2, 3)):
        stepper = Translator.of(model.written, context, one_step(context))
        steps, _ = score_targets(stepper, REPLIES[place, :length].expand(B, -1).contiguous())
        torch.testing.assert_close(made[:, place], steps.sum(1))
    rows, places = torch.tensor([2, 0]), torch.tensor([1, 3])
    torch.testing.assert_close(model.likelihoods(context, REPLIES, rows, places), made[rows, places])
    monkeypatch.setattr(dialog_answerer, "POSITIONS", 2 * REPLIES.shape[1] + 1)
    torch.testing.assert_close(scores(model), made)  # two answers at once


def test_a_written_answer_is_the_likeliest_word_by_word() -> None:
    model = answerer(answers="written")
    context, *_ = model.context(INPUTS, MASK, PICTURES, HISTORY)
    found = greedy(Translator.of(model.written, context, one_step(context)), torch.tensor([4] * B))
    for row, one in enumerate(found):
        tokens = torch.tensor(one.tokens)[None]
        own = model.likelihoods(context, tokens, torch.tensor([row]), torch.tensor([0]))
        assert float(own) == pytest.approx(one.log_probability, abs=1e-5)


@pytest.mark.parametrize("answers", ["ranked", "written"])
@pytest.mark.parametrize("history", HISTORIES)
def test_every_parameter_learns_and_is_counted_once(history: str, answers: str) -> None:
    model = answerer(history, answers).train()
    if answers == "ranked":
        scores(model).square().sum().backward()
    else:
        context, *_ = model.context(INPUTS, MASK, PICTURES, HISTORY)
        targets = REPLIES[:B]
        hidden = model.written(context, one_step(context), targets, targets != PAD).hidden
        model.written.softmax.loss_sum(hidden[targets != PAD], targets[targets != PAD]).backward()
    assert not [name for name, weight in model.named_parameters() if weight.grad is None]
    assert count_parameters(model)["total"] == sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize(("words", "message"), [
    ({"history": "rnn"}, "task.history is 'rnn'"), ({"answers": "spoken"}, "task.answers is 'spoken'"),
    ({"fusion": "sum"}, "task.fusion is 'sum'"), ({"width": 0}, "task.width is 0"), ({"dropout": 2.0}, "task.dropout"),
])  # fmt: skip
def test_wrong_settings_are_refused(words: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        answerer(**words)  # type: ignore[arg-type]


def test_one_hot_words_cannot_be_written() -> None:
    picture = ConvolutionalEncoder(3, (12, 16), (4, 8))
    with pytest.raises(UserError, match=r"task.answers=written reads words as vectors"):
        DialogAnswerer(OneHot(V), encoder, V, V, GRUCell, picture, answers="written")
    with pytest.raises(TypeError, match=r"ranked writes no answers"):
        _ = answerer().written
