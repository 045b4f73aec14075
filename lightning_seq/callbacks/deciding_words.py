"""Attributions: which words decided on a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.nn import functional

from lightning_seq.callbacks.diagnostic import SentenceDiagnostic
from lightning_seq.callbacks.probe import LONGEST, looking, words_of
from lightning_seq.embeddings.layer import OneHot, Vectors
from lightning_seq.layers.recurrent import watched
from lightning_seq.models.classifier import Classifier
from lightning_seq.records.deciding_words import Decided, Decision, Integrated, Pattern, completeness_error
from lightning_seq.spec import Batch, Class
from lightning_seq.tasks.classification import SequenceClassification

MOST_WORDS = 60
"""Words of a sentence, from its beginning, whose prefixes are read."""
LONGEST_PATTERN, ENOUGH = 5, 0.8
PATTERNS = 5
"""Kept for each class."""

STEPS, MOST_STEPS = 64, 1024
"""Of integrated gradients: at first, doubled while a sentence's error is above `COMPLETE`; and the most."""
COMPLETE = 0.05
MOST_TOKENS = 131_072
"""Of all steps of a sentence: long sentences have fewer doublings."""
BATCH_VALUES = 1_000_000
"""Of the inputs that are in memory at a time."""


class DecidingWords(SentenceDiagnostic):
    """Writes `deciding_words.json` (see `records/deciding_words.py`), after the last epoch: how the score of the class
    of some sentences of the probe grows from prefix to prefix (LISA: Gupta & Schütze 2018), and for each word gradient
    times input and integrated gradients; and over all sentences of the probe the patterns behind the classes.

    says:      `probability`, or `score` of a model that was trained to rank.
    threshold: the middle between 1/C and 1, so that with two classes a word that says little is no pattern; 0 for a
               score.
    prefixes:  the score of the sentence's own class if the model reads no further than this word.
    gradients: d score / d e_t · e_t, where e_t is the word's vector (of one-hot inputs, its one) and the score is that
               of the sentence's own class before a softmax.
    integrated: see `integrated_gradients`.
    patterns:  see `pattern`; for each class those with the highest mean rise over the sentences that have them.

    Only for classifiers.
    """

    FILE = "deciding_words.json"
    NEEDS = "a classifier of texts"

    @classmethod
    def fits(cls, task: LightningModule) -> bool:
        if not isinstance(task, SequenceClassification) or not isinstance(task.model, Classifier):
            return False
        return not isinstance(task.model.embedding, Vectors)

    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        model, targets = task.model, self.spec.targets
        if isinstance(targets, Class) and isinstance(task, SequenceClassification) and isinstance(model, Classifier):
            with looking(model):
                decided = self._decide(task, model, targets.names, self.probe.to(task.device), epoch)
            if decided is not None:
                self.write(decided.to_plain())

    def _decide(
        self, task: SequenceClassification, model: Classifier, names: Sequence[str], probe: Batch, epoch: int
    ) -> Decided | None:
        """None if a score or a gradient is not finite."""
        scores = [prefix_scores(task, probe, row) for row in range(len(probe.ids))]
        gradients = gradient_input(model, probe, self.rows)
        integrated = integrated_gradients(model, probe, self.rows)
        attributions = [*gradients, *(one.words for one in integrated)]
        if not all(bool(torch.isfinite(values).all()) for values in (*scores, *attributions)):
            return None
        with torch.no_grad():
            predicted = task(probe.inputs, probe.mask).argmax(-1).tolist()
        targets = probe.targets.tolist()
        base = 0.0 if task.ranks else 1 / len(names)
        threshold = 0.0 if task.ranks else (1 + base) / 2
        decisions = tuple(
            Decision(
                names[targets[row]],
                names[predicted[row]],
                _rounded(scores[row][:LONGEST, targets[row]]),
                _rounded(values[:LONGEST]),
                Integrated(
                    _rounded(one.words[:LONGEST]), round(float(one.words.sum()), 6), round(one.rise, 6), one.steps
                ),
            )
            for row, values, one in zip(self.rows, gradients, integrated, strict=True)
        )
        rises: dict[tuple[str, tuple[str, ...]], list[float]] = {}
        for row, target in enumerate(targets):
            words = words_of(self.probe, self.spec, row, MOST_WORDS)
            if (raised := pattern(words, scores[row][:, target].tolist(), base, threshold)) is not None:
                rises.setdefault((names[target], raised[0]), []).append(raised[1])
        says = "score" if task.ranks else "probability"
        return Decided(says, round(threshold, 4), self.sentences, decisions, _ranked(rises), epoch)


@torch.no_grad()
def prefix_scores(task: SequenceClassification, probe: Batch, row: int) -> Tensor:
    """`[K, C]`: the score of each class after the first k words of a row, for k = 1 … K.

    Probabilities, or scores of a task that ranks; K is the row's length, at most `MOST_WORDS`.
    """
    words = probe.inputs[row][probe.mask[row]][:MOST_WORDS]
    mask = torch.ones(len(words), len(words), dtype=torch.bool, device=words.device).tril()
    scores: Tensor = task(words * mask, mask)
    return (scores if task.ranks else scores.exp()).double().cpu()


def gradient_input(model: Classifier, probe: Batch, rows: Sequence[int]) -> list[Tensor]:
    """For each row `[T]`: d score / d e_t · e_t, the score of the row's own class before a softmax."""
    chosen = torch.tensor(list(rows), device=probe.inputs.device)
    vectors = input_vectors(model, probe.inputs[chosen])
    gradient = input_gradient(model, probe.inputs[chosen], vectors, probe.mask[chosen], probe.targets[chosen])
    products = (gradient * vectors).double().sum(-1).cpu()
    return [products[index][probe.mask[row].cpu()] for index, row in enumerate(rows)]


class Integral(NamedTuple):
    """Integrated gradients of a sentence: of its words `[T]`, and the rise of the score from the baseline."""

    words: Tensor
    rise: float
    steps: int


def integrated_gradients(model: Classifier, probe: Batch, rows: Sequence[int]) -> list[Integral]:
    """For each row the integral of the gradient from the baseline to the sentence (Sundararajan et al. 2017, eq. 1):

        a_t = e_t · ∫_0^1 d score(α e) / d e_t dα ≈ e_t · 1/m Σ_k d score(α_k e) / d e_t,  α_k = (k - ½) / m

    The score is that of the row's own class before a softmax. The baseline is a sentence of as many zero vectors (the
    vector of padding, or no symbol of one-hot inputs). Completeness: Σ_t a_t is the rise of the score over that of the
    baseline. The steps m are doubled from `STEPS` on until the error (see `Integrated.error`) is at most `COMPLETE`, or
    they are `MOST_STEPS` or have `MOST_TOKENS` tokens.
    """
    return [_integrated(model, probe, row) for row in rows]


def _integrated(model: Classifier, probe: Batch, row: int) -> Integral:
    inputs, mask, target = (tensor[row][None] for tensor in (probe.inputs, probe.mask, probe.targets))
    vectors = input_vectors(model, inputs)
    ends = torch.cat([vectors, torch.zeros_like(vectors)])
    with torch.no_grad():
        high, low = scores_of(model, _repeated(inputs, 2), ends, _repeated(mask, 2))[:, int(target)].tolist()
    steps = STEPS
    while True:
        values = _riemann(model, inputs, vectors, mask, target, steps)[mask[0].cpu()]
        error = completeness_error(float(values.sum()), high - low)
        if not error > COMPLETE or 2 * steps > MOST_STEPS or 2 * steps * len(values) > MOST_TOKENS:
            return Integral(values, high - low, steps)
        steps *= 2


def _repeated(tensor: Tensor, times: int) -> Tensor:
    return tensor.expand(times, *tensor.shape[1:])


def _riemann(model: Classifier, inputs: Tensor, vectors: Tensor, mask: Tensor, target: Tensor, steps: int) -> Tensor:
    """`[T]`, by the midpoint rule; several steps at a time are a batch."""
    alphas = (torch.arange(steps, dtype=vectors.dtype, device=vectors.device) + 0.5) / steps
    total = torch.zeros(vectors.shape[1:], dtype=torch.float64)
    for part in alphas.split(max(1, min(STEPS, BATCH_VALUES // vectors.numel()))):
        words, masks, targets = (_repeated(tensor, len(part)) for tensor in (inputs, mask, target))
        total += input_gradient(model, words, part[:, None, None] * vectors, masks, targets).double().sum(0).cpu()
    return (total / steps * vectors[0].double().cpu()).sum(-1)


@torch.no_grad()
def input_vectors(model: Classifier, inputs: Tensor) -> Tensor:
    """`[B, T, E]`: the vectors of the words, one-hot if the model has none."""
    embedding = model.embedding
    vectors: Tensor = embedding(inputs)
    if isinstance(embedding, OneHot):
        vectors = functional.one_hot(vectors, embedding.width).to(next(model.parameters()).dtype)
    return vectors.detach()


def scores_of(model: Classifier, inputs: Tensor, vectors: Tensor, mask: Tensor) -> Tensor:
    """The scores `[B, C]` before a softmax of a model that reads these vectors `[B, T, E]` instead of its words'."""
    hook = model.embedding.register_forward_hook(lambda module, words, output: vectors)
    try:
        with watched():  # runs the loop, whose gradient needs no kernel in training mode
            scores: Tensor = model(inputs, mask)
            return scores
    finally:
        hook.remove()


def input_gradient(model: Classifier, inputs: Tensor, vectors: Tensor, mask: Tensor, targets: Tensor) -> Tensor:
    """The gradient `[B, T, E]` of the score of each row's own class."""
    leaves = vectors.detach().requires_grad_()
    own = scores_of(model, inputs, leaves, mask).gather(1, targets[:, None])
    (gradient,) = torch.autograd.grad(own.sum(), leaves)
    return gradient


def pattern(
    words: Sequence[str], scores: Sequence[float], base: float, threshold: float
) -> tuple[tuple[str, ...], float] | None:
    """The words that brought the score of a class over the threshold, and by how much; None if no prefix reaches it.

    They end with the first word whose score is not below the threshold (Gupta & Schütze 2018, with a fixed number of
    words). Here they are the shortest of up to 5 words whose rise is at least four fifths of the highest.

    scores: of each prefix, as many as words.
    base:   the score of a class before the first word.
    """
    last = next((index for index, score in enumerate(scores) if score >= threshold), None)
    if last is None:
        return None
    before = [base, *scores]
    rises = [scores[last] - before[last + 1 - size] for size in range(1, min(LONGEST_PATTERN, last + 1) + 1)]
    size = next(count for count, rise in enumerate(rises, 1) if rise >= ENOUGH * max(rises))
    return tuple(words[last + 1 - size : last + 1]), rises[size - 1]


def _ranked(rises: Mapping[tuple[str, tuple[str, ...]], list[float]]) -> dict[str, tuple[Pattern, ...]]:
    """Classes in the order of their names; of each, the patterns that raise its score most.

    rises: by class and words.
    """
    means = sorted((name, -sum(values) / len(values), words, len(values)) for (name, words), values in rises.items())
    return {
        name: tuple(Pattern(words, round(-rise, 4), count) for _, rise, words, count in islice(of_class, PATTERNS))
        for name, of_class in groupby(means, key=itemgetter(0))
    }


def _rounded(values: Tensor) -> tuple[float, ...]:
    return tuple(round(value, 4) for value in values.tolist())
