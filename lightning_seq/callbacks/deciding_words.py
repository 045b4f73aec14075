"""Attributions: which words decided on a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, islice
from operator import itemgetter

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.callbacks.diagnostic import SentenceDiagnostic
from lightning_seq.callbacks.probe import LONGEST, looking, words_of
from lightning_seq.embeddings.layer import OneHot
from lightning_seq.layers.recurrent import watched
from lightning_seq.models.classifier import Classifier
from lightning_seq.records.deciding_words import Decided, Decision, Pattern
from lightning_seq.spec import Batch, Class
from lightning_seq.tasks.classification import SequenceClassification

MOST_WORDS = 60
"""Words of a sentence, from its beginning, whose prefixes are read."""
LONGEST_PATTERN, ENOUGH = 5, 0.8
PATTERNS = 5
"""Kept for each class."""


class DecidingWords(SentenceDiagnostic):
    """Writes `deciding_words.json` (see `records/deciding_words.py`), after the last epoch: how the score of the class
    of some sentences of the probe grows from prefix to prefix (LISA: Gupta & Schütze 2018), and gradient times input
    for each word; and over all sentences of the probe the patterns behind the classes.

    says:      `probability`, or `score` of a model that was trained to rank.
    threshold: the middle between 1/C and 1, so that with two classes a word that says little is no pattern; 0 for a
               score.
    prefixes:  the score of the sentence's own class if the model reads no further than this word.
    gradients: d score / d e_t · e_t, where e_t is the word's vector (of one-hot inputs, its one) and the score is that
               of the sentence's own class before a softmax.
    patterns:  see `pattern`; for each class those with the highest mean rise over the sentences that have them.

    Only for classifiers.
    """

    FILE = "deciding_words.json"

    def fits(self, task: LightningModule) -> bool:
        return isinstance(self.spec.targets, Class) and isinstance(task, SequenceClassification)

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
        if not all(bool(torch.isfinite(values).all()) for values in (*scores, *gradients)):
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
            )
            for row, values in zip(self.rows, gradients, strict=True)
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
    leaves: list[Tensor] = []

    def detach(embedding: nn.Module, inputs: tuple[Tensor, ...], vectors: Tensor) -> Tensor:
        if isinstance(embedding, OneHot):
            vectors = functional.one_hot(vectors, embedding.width).to(next(model.parameters()).dtype)
        leaves.append(vectors.detach().requires_grad_())
        return leaves[0]

    hook = model.embedding.register_forward_hook(detach)
    try:
        with watched():  # runs the loop, whose gradient needs no kernel in training mode
            scores = model(probe.inputs[chosen], probe.mask[chosen])
    finally:
        hook.remove()
    own = scores.gather(1, probe.targets[chosen][:, None]).sum()
    (gradient,) = torch.autograd.grad(own, leaves[0])
    products = (gradient * leaves[0].detach()).double().sum(-1).cpu()
    return [products[index][probe.mask[row].cpu()] for index, row in enumerate(rows)]


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
