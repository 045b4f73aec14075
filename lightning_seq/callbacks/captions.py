"""Captions of chosen pictures and the attention of their words, after each epoch."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from lightning_seq.callbacks.diagnostic import ModelWriter
from lightning_seq.callbacks.probe import looking, spread
from lightning_seq.data.captioning.module import CaptioningData
from lightning_seq.data.pictures import small_png
from lightning_seq.files import Plain, write_json
from lightning_seq.metrics.pointing import in_boxes
from lightning_seq.models.captioner import Captioner
from lightning_seq.models.search import Hypothesis, greedy
from lightning_seq.models.translator import Translator
from lightning_seq.records.captions import MOST_PICTURES, EpochCaption, NamedThing
from lightning_seq.records.pictures import map_rows, smaller

FILE = "captions.json"


class CaptionWriter(ModelWriter):
    """Writes `captions.json` (see `records/captions.py`): some validation pictures with their greedy captions, and the
    attention of each word.

    The data alone choose the pictures, so all runs on a data set have the same.
    """

    STATE = "captions"

    def __init__(self, directory: Path, data: CaptioningData) -> None:
        super().__init__(directory)
        self.data, self.rows = data, chosen(data)
        self.values = [data.picture("validation", row) for row in self.rows]
        self.pngs = [small_png(values) for values in self.values]
        named = [named_things(data, "validation", row) for row in self.rows]
        self.things = [things for things, _ in named]
        self.named = [words for _, words in named]
        self.results = [[] for _ in self.rows]

    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        model = task.model
        if not isinstance(model, Captioner):
            return
        batch = self.data.reader.batch(self.values)
        inputs, mask = batch.inputs.to(task.device), batch.mask.to(task.device)
        with looking(model):
            hypotheses = greedy(Translator.of(model, inputs, mask), task.limits(mask))  # type: ignore[operator]
        grid = model.picture.grid
        for place, hypothesis in enumerate(hypotheses):
            self.results[place].append(self._caption(place, hypothesis, grid, epoch).to_plain())
        pictures = [
            {
                "id": row,
                "png": png,
                "references": self.data.captions("validation", row),
                "things": [thing.to_plain() for thing in things],
                "captions": captions,
            }
            for row, png, things, captions in zip(self.rows, self.pngs, self.things, self.results, strict=True)
        ]
        attends = model.decoder.attention is not None
        plain: dict[str, Plain] = {"grid": list(smaller(grid)) if attends else None, "pictures": pictures}
        write_json(self.directory / FILE, plain)

    def _caption(self, place: int, hypothesis: Hypothesis, grid: tuple[int, int], epoch: int) -> EpochCaption:
        words = tuple(self.data.reader.target_tokens(hypothesis.tokens))
        if hypothesis.weights is None:
            return EpochCaption(epoch, words)
        weights = hypothesis.weights[: len(words)].double().cpu()
        rows = map_rows(weights.numpy(), grid)
        things, named = self.things[place], self.named[place]
        if not things:
            return EpochCaption(epoch, words, rows)
        numbers, times = [], Counter[str]()
        for word in words:
            known = named.get(word, [])
            numbers.append(known[times[word]] if times[word] < len(known) else None)
            times[word] += 1
        shares = [
            None if number is None else round(share_in(things[number], row, grid), 4)
            for number, row in zip(numbers, weights, strict=True)
        ]
        return EpochCaption(epoch, words, rows, tuple(numbers), tuple(shares))


def chosen(data: CaptioningData) -> list[int]:
    """Validation pictures whose first captions have different lengths."""
    split = data.prepared.splits["validation"]
    lengths = split.captions.lengths[split.first[:-1]]
    return spread(sorted(range(len(lengths)), key=lambda row: (int(lengths[row]), row)), MOST_PICTURES)


def named_things(data: CaptioningData, split: str, row: int) -> tuple[list[NamedThing], dict[str, list[int]]]:
    """The things that the first caption of a picture names, and for each word the things that it names, in the order of
    the caption; empty where boxes are unknown."""
    part, words = data.prepared.splits[split], data.vocabulary.words
    if part.boxes is None:
        return [], {}
    caption = int(part.first[row])
    first, last = int(part.captions.offsets[caption]), int(part.captions.offsets[caption + 1])
    tokens = [words[number] for number in part.captions.flat[first:last]]
    boxes = [tuple(map(float, box)) for box in part.boxes[first:last]]
    things, of_words = list[NamedThing](), dict[str, list[int]]()
    for box, group in groupby(zip(boxes, tokens, strict=True), key=lambda pair: str(pair[0])):
        pairs = list(group)
        if "nan" not in box:
            names = [word for _, word in pairs]
            for word in names:
                of_words.setdefault(word, []).append(len(things))
            left, top, right, bottom = (round(side, 4) for side in pairs[0][0])
            things.append(NamedThing(data.reader.segmenter.join(names), (left, top, right, bottom)))
    return things, of_words


def share_in(thing: NamedThing, weights: Tensor, grid: tuple[int, int]) -> float:
    """The part of weights `[S]` that is in the box of a thing."""
    _, covered = in_boxes(torch.tensor([thing.box], dtype=weights.dtype), grid)
    return float((weights * covered[0]).sum())
