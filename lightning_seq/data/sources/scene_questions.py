"""Questions about scenes, balanced so that a question alone does not tell its answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from lightning_seq.data.sources.scenes import COLOURS, DIGITS, SHAPES, Drawer, Scene, Scenes, Thing
from lightning_seq.data.sources.synthetic import Synthetic
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.visual_questions import QuestionTable
from lightning_seq.value_types import Range

KINDS = ("existence", "count", "colour", "relation", "comparison")
NAMES = DIGITS + SHAPES
MOST_COUNTED = 3
ANSWERS = {
    "existence": ("yes", "no"),
    "count": tuple(map(str, range(MOST_COUNTED + 1))),
    "colour": tuple(COLOURS),
    "relation": NAMES,
    "comparison": ("yes", "no"),
}


@dataclass(frozen=True)
class SceneQuestions(Synthetic):
    """Questions about scenes of coloured handwritten digits and shapes, as many of each kind:

        existence   is there a red three                        yes, no
        count       how many blue things are there              0 to 3
        colour      what colour is the three                    a colour
        relation    what is left of the red three               a digit or a shape
        comparison  are there more red things than blue things  yes, no

    The answers of a kind take turns, the question is drawn whatever its answer, then scenes until one has that answer:
    a model that sees no picture knows the answer no better than by chance (`chance`).
    Each split has digits of its own, see `Scenes`.

    most:   things of a scene.
    canvas: pixels of a side.
    """

    examples: Annotated[int, Range(65, 1_000_000)] = 10000
    most: Annotated[int, Range(3, 9)] = 5
    canvas: Annotated[int, Range(24, 512)] = 48

    name = "scene_questions"

    def load(self) -> Loaded[QuestionTable]:
        scenes, tables = Scenes(fewest=2, most=self.most, canvas=self.canvas, split_seed=self.split_seed), {}
        for number, (split, size) in enumerate(self.sizes.items()):
            generator = self.generator(number)
            draw = scenes.drawer(split, generator)
            table = QuestionTable([], [], [], list(range(size)), [])
            for row in range(size):
                kind = KINDS[row % len(KINDS)]
                question, words = _drawn(kind, generator)
                answers = ANSWERS[kind]
                wanted = answers[row // len(KINDS) % len(answers)]
                things = _with_answer(kind, words, wanted, draw)
                table.pictures.append(Scene(things, self.canvas, f"scene {row} of {split}"))
                table.questions.append(question)
                table.answers.append(wanted)
                table.kinds.append(kind)  # type: ignore[union-attr]
            tables[split] = table
        return Loaded(tables)


def chance() -> float:
    """The accuracy of the best guess without the picture, over all kinds."""
    return sum(1 / len(ANSWERS[kind]) for kind in KINDS) / len(KINDS)


def _drawn(kind: str, generator: np.random.Generator) -> tuple[str, tuple[str, ...]]:
    """A question, and the words that it names things with."""

    def one(names: tuple[str, ...]) -> str:
        return names[generator.integers(len(names))]

    colours = tuple(COLOURS)
    first, second = (colours[place] for place in generator.permutation(len(colours))[:2])
    name = one(NAMES)
    if kind == "existence":
        return f"is there a {first} {name}", (first, name)
    if kind == "count":
        return f"how many {first} things are there", (first,)
    if kind == "colour":
        return f"what colour is the {name}", (name,)
    if kind == "relation":
        side = one(("left of", "right of", "above", "below"))
        return f"what is {side} the {first} {name}", (side, first, name)
    return f"are there more {first} things than {second} things", (first, second)


STEPS = {"left of": (0, -1), "right of": (0, 1), "above": (-1, 0), "below": (1, 0)}


def answer(kind: str, words: tuple[str, ...], things: tuple[Thing, ...]) -> str | None:
    """The answer for a scene; None where the question does not fit it."""
    counts = Counter(thing.colour for thing in things)
    if kind == "existence":
        return "yes" if any((thing.colour, thing.kind) == words for thing in things) else "no"
    if kind == "count":
        return str(counts[words[0]]) if counts[words[0]] <= MOST_COUNTED else None
    if kind == "comparison":
        return "yes" if counts[words[0]] > counts[words[1]] else "no"
    named = [thing for thing in things if thing.kind == words[-1]]
    if kind == "colour":
        return named[0].colour if len(named) == 1 else None
    named = [thing for thing in named if thing.colour == words[1]]
    if len(named) != 1:
        return None
    down, right = STEPS[words[0]]
    place = named[0].row + down, named[0].column + right
    found = [thing for thing in things if (thing.row, thing.column) == place]
    return found[0].kind if found else None


def _with_answer(kind: str, words: tuple[str, ...], wanted: str, draw: Drawer) -> tuple[Thing, ...]:
    """A scene with the wanted answer: scenes are drawn, and things changed to what the question names."""
    while True:
        things = list(draw())
        places = draw.generator.permutation(len(things)).tolist()
        if kind in ("existence", "colour", "relation"):
            colour = wanted if kind == "colour" else words[-2]
            if kind != "existence" or wanted == "yes":
                things[places[0]] = draw.changed(things[places[0]], words[-1], colour)
        if kind == "relation":
            things[places[1]] = draw.changed(things[places[1]], wanted, things[places[1]].colour)
        if kind == "count":
            for place in places[: int(wanted)]:
                things[place] = things[place]._replace(colour=words[0])
        if answer(kind, words, tuple(things)) == wanted:
            return tuple(things)
