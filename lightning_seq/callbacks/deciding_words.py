"""Attributions: which words decided on a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.nn import functional

from lightning_seq.callbacks.chosen_sentences import LONGEST, chosen_rows, sentences_of, words_of
from lightning_seq.callbacks.diagnostic import Diagnostic
from lightning_seq.callbacks.probe import looking
from lightning_seq.files import write_json
from lightning_seq.layers.recurrent import watched
from lightning_seq.models.classifier import Classifier
from lightning_seq.records.deciding_words import Decided, Decision, Pattern
from lightning_seq.spec import Batch, Class
from lightning_seq.tasks.classification import SequenceClassification

FILE = "deciding_words.json"
MOST_WORDS = 60
"""Of a sentence, from its beginning, whose prefixes are read: there are as many of them as words."""
LONGEST_PATTERN, ENOUGH = 5, 0.8
PATTERNS = 5
"""Kept for each class."""


class DecidingWords(Diagnostic):
    """Writes `deciding_words.json`, after the last epoch: for some sentences of the probe how the score of their class
    builds up from prefix to prefix (LISA: Gupta & Schütze 2018), and gradient times input for each word; and over all
    its sentences the patterns behind the classes.

    The format is in `records/deciding_words.py`.

    says:      `probability`, or `score` of a model that was trained to rank.
    threshold: half way from knowing nothing (1/C) to being sure, so that of two classes a word that says little is no
               pattern; a score is for a class from 0 on.
    prefixes:  what the model says of the sentence's own class when it reads no further than this word.
    gradients: d score / d e_t · e_t, e_t the word's vector (of one-hot inputs, its one) and the score of that class as
               it is before a softmax.
    patterns:  see `pattern`; rise is a mean over the sentences that have it. Those of the highest rise, by class.

    Classifiers alone: any other model writes nothing. Nothing is drawn: training is the same with it and without.
    """

    def __init__(self, directory: Path, data: Any, probe: Batch) -> None:
        super().__init__(directory, data, probe)
        self.spec = data.spec
        self.rows: list[int] = []
        if isinstance(data.spec.targets, Class):
            self.rows = chosen_rows(probe, data.spec)
            self.names = data.spec.targets.names
            self.sentences = sentences_of(probe, data.spec, self.rows)

    def fits(self, task: LightningModule) -> bool:
        return bool(self.rows) and isinstance(task, SequenceClassification)

    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        if not isinstance(task, SequenceClassification) or not isinstance(task.model, Classifier):
            return
        with looking(task.model):
            found = self._look(task, task.model, self.probe.to(task.device), epoch)
        if found is not None:
            self.found = found.to_plain()
            write_json(self.directory / FILE, self.found)

    def _look(self, task: SequenceClassification, model: Classifier, probe: Batch, epoch: int) -> Decided | None:
        says = [prefix_scores(task, probe, row) for row in range(len(probe.ids))]
        gradients = gradient_input(model, probe, self.rows)
        if not all(bool(torch.isfinite(values).all()) for values in (*says, *gradients)):
            return None
        with torch.no_grad():
            predicted = task(probe.inputs, probe.mask).argmax(-1).tolist()
        targets = probe.targets.tolist()
        base = 0.0 if task.ranks else 1 / len(self.names)
        threshold = 0.0 if task.ranks else (1 + base) / 2
        decisions = tuple(
            Decision(
                self.names[targets[row]],
                self.names[predicted[row]],
                _rounded(says[row][:LONGEST, targets[row]]),
                _rounded(values[:LONGEST]),
            )
            for row, values in zip(self.rows, gradients, strict=True)
        )
        found = [
            (self.names[target], pattern(words_of(self.probe, self.spec, row, MOST_WORDS), scores, base, threshold))
            for row, target in enumerate(targets)
            for scores in [says[row][:, target].tolist()]
        ]
        patterns = _ranked([(name, *each) for name, each in found if each is not None])
        name = "score" if task.ranks else "probability"
        return Decided(name, round(threshold, 4), self.sentences, decisions, patterns, epoch)


@torch.no_grad()
def prefix_scores(task: SequenceClassification, probe: Batch, row: int) -> Tensor:
    """`[K, C]`: what the task says of each class when it has read the first k words of a row, for k = 1 … K.

    Probabilities, or scores of a task that ranks; K is the row's length, `MOST_WORDS` at most.
    """
    words = probe.inputs[row][probe.mask[row]][:MOST_WORDS]
    mask = torch.ones(len(words), len(words), dtype=torch.bool, device=words.device).tril()
    said: Tensor = task(words * mask, mask)
    return (said if task.ranks else said.exp()).double().cpu()


def gradient_input(model: Classifier, probe: Batch, rows: Sequence[int]) -> list[Tensor]:
    """For each row `[T]`: d score / d e_t · e_t, the score of the row's own class before a softmax."""
    place = torch.tensor(list(rows), device=probe.inputs.device)
    held: list[Tensor] = []

    def catch(embedding: Any, given: Any, vectors: Tensor) -> Tensor:
        if not vectors.is_floating_point():
            like = next(model.parameters())
            vectors = functional.one_hot(vectors, embedding.width).to(like.dtype)
        held.append(vectors.detach().requires_grad_())
        return held[0]

    hook = model.embedding.register_forward_hook(catch)
    try:
        with watched():  # the loop's gradient, which needs no kernel to be in training
            scores = model(probe.inputs[place], probe.mask[place])
    finally:
        hook.remove()
    own = scores.gather(1, probe.targets[place][:, None]).sum()
    (gradient,) = torch.autograd.grad(own, held[0])
    products = (gradient * held[0].detach()).double().sum(-1).cpu()
    return [products[index][probe.mask[row].cpu()] for index, row in enumerate(rows)]


def pattern(
    words: Sequence[str], scores: Sequence[float], base: float, threshold: float
) -> tuple[tuple[str, ...], float] | None:
    """Which words brought the score of a class over the threshold, and by how much they raised it.

    They end with the first word at which the score is not below the threshold, as Gupta & Schütze 2018 have it. Theirs
    are of one given size; here they are the shortest run of up to 5 words that ends there and brings at least four
    fifths of the most that any such run does. None where no prefix comes so far.

    scores: of each prefix, as many as words.
    base:   what is said of a class before the first word.
    """
    last = next((place for place, score in enumerate(scores) if score >= threshold), None)
    if last is None:
        return None
    before = [base, *scores]
    rises = [scores[last] - before[last + 1 - size] for size in range(1, min(LONGEST_PATTERN, last + 1) + 1)]
    size = next(place for place, rise in enumerate(rises, 1) if rise >= ENOUGH * max(rises))
    return tuple(words[last + 1 - size : last + 1]), rises[size - 1]


def _ranked(found: Sequence[tuple[str, tuple[str, ...], float]]) -> dict[str, tuple[Pattern, ...]]:
    """Classes in the order of their names; of each, the patterns that raise its score most."""
    rises: dict[tuple[str, tuple[str, ...]], list[float]] = {}
    for name, words, rise in found:
        rises.setdefault((name, words), []).append(rise)
    ranked: dict[str, tuple[Pattern, ...]] = {}
    for name in sorted({name for name, _ in rises}):
        mine = [(words, values) for (each, words), values in rises.items() if each == name]
        mine.sort(key=lambda item: (-sum(item[1]) / len(item[1]), item[0]))
        ranked[name] = tuple(
            Pattern(words, round(sum(values) / len(values), 4), len(values)) for words, values in mine[:PATTERNS]
        )
    return ranked


def _rounded(values: Tensor) -> tuple[float, ...]:
    return tuple(round(value, 4) for value in values.tolist())
