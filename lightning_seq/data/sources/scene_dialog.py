"""Dialogs about scenes, whose questions refer to the turns before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from lightning_seq.data.sources.dialogs import DialogTable, Turn
from lightning_seq.data.sources.scene_questions import STEPS
from lightning_seq.data.sources.scenes import COLOURS, DIGITS, SHAPES, Scene, Scenes, Thing
from lightning_seq.data.sources.synthetic import Synthetic
from lightning_seq.data.sources.table import Loaded
from lightning_seq.value_types import Range

NAMES = DIGITS + SHAPES
THINGS = {name: f"an {name}" if name == "eight" else f"a {name}" for name in NAMES}
PLAUSIBLE = {
    "existence": ("yes", "no"),
    "colour": tuple(COLOURS),
    "check": ("yes", "no"),
    "relation": tuple(THINGS.values()),
    "first": tuple(THINGS.values()),
}
"""The kinds of questions, and the answers that each may have."""
ANSWERS = ("yes", "no", *COLOURS, *THINGS.values())
FEWEST = 5
"""Things of a scene."""
_NUMBERS = {kind: frozenset(map(ANSWERS.index, answers)) for kind, answers in PLAUSIBLE.items()}


@dataclass(frozen=True)
class SceneDialog(Synthetic):
    """Dialogs about scenes of coloured handwritten digits and shapes, no two of one kind (after Seo et al. 2017):

        existence  is there a red three            yes, no; after yes, `it` is this thing
        relation   what is left of it              `a five`, `a circle` …; then `it` is this thing
        first      what is above the first one     the same; the first thing that was found in this dialog
        colour     what colour is it               a colour
        check      is it blue                      yes, no

    Only existence can be answered without the turns before. A question about `it` has an answer that no turn before
    told, and colours and kinds are drawn by themselves: without the picture the answers are known by chance alone (but
    for the few that the turns before exclude). Each split has digits of its own, see `Scenes`.

    examples:   dialogs of training.
    turns:      of a dialog.
    candidates: answers among which one is right: those of its kind first, then others.
    most:       things of a scene.
    canvas:     pixels of a side.
    """

    examples: Annotated[int, Range(10, 1_000_000)] = 3000
    turns: Annotated[int, Range(1, 20)] = 6
    candidates: Annotated[int, Range(2, 21)] = 20
    most: Annotated[int, Range(5, 9)] = 7
    canvas: Annotated[int, Range(24, 512)] = 48

    name = "scene_dialog"

    def load(self) -> Loaded[DialogTable]:
        scenes, tables = Scenes(fewest=FEWEST, most=self.most, canvas=self.canvas, split_seed=self.split_seed), {}
        for number, (split, size) in enumerate(self.sizes.items()):
            generator = self.generator(number)
            draw, table = scenes.drawer(split, generator), DialogTable([], [], [], list(range(size)), ANSWERS)
            while len(table.dialogs) < size:
                things, kinds = draw(), generator.permutation(NAMES).tolist()
                things = tuple(draw.changed(one, kind, one.colour) for one, kind in zip(things, kinds, strict=False))
                turns = [*_turns(things, self.turns, generator)]
                if len(turns) == self.turns:
                    table.dialogs.append([self._turn(*turn, generator) for turn in turns])
                    table.pictures.append(Scene(things, self.canvas, f"scene {len(table.pictures)} of {split}"))
                    table.captions.append("")
            tables[split] = table
        return Loaded(tables)

    def _turn(self, kind: str, question: str, answer: str, generator: np.random.Generator) -> Turn:
        right, order = ANSWERS.index(answer), generator.permutation(len(ANSWERS)).tolist()
        others = sorted(
            (number for number in order if number != right), key=lambda number: number not in _NUMBERS[kind]
        )
        chosen = [right, *others][: self.candidates]
        return Turn(question, right, tuple(generator.permutation(chosen).tolist()), kind)


def _turns(things: tuple[Thing, ...], count: int, generator: np.random.Generator) -> Iterator[tuple[str, str, str]]:
    """Kind, question and answer of each turn; fewer than `count` where nothing new is left to be found."""
    found, coloured, absent = list[Thing](), set[Thing](), set[tuple[str, str]]()
    it: Thing | None = None
    for _ in range(count):
        options = list[tuple[str, str, Thing]]()
        if it is not None:
            options += [("relation", f"what is {side} it", other) for side, other in _beside(it, things, found)]
            if found[0] is not it:
                near = _beside(found[0], things, found)
                options += [("first", f"what is {side} the first one", other) for side, other in near]
            if it not in coloured:
                options += [("colour", "what colour is it", it), ("check", "is it", it)]
        if options:
            kinds = sorted({option[0] for option in options})
            kind = kinds[generator.integers(len(kinds))]
            fitting = [option for option in options if option[0] == kind]
            _, question, it = fitting[generator.integers(len(fitting))]
            if kind in ("relation", "first"):
                found.append(it)
                yield kind, question, THINGS[it.kind]
                continue
            coloured.add(it)
            if kind == "colour":
                yield kind, question, it.colour
                continue
            right = bool(generator.integers(2))
            others = [colour for colour in COLOURS if colour != it.colour]
            yield kind, f"{question} {it.colour if right else others[generator.integers(len(others))]}", _yes(right)
            continue
        right, new = bool(generator.integers(2)), [thing for thing in things if thing not in found]
        if not new:
            return
        thing = new[generator.integers(len(new))]
        colour, name = thing.colour, thing.kind
        if right:
            it = thing
            found.append(thing)
            coloured.add(thing)
        else:
            told, named = {one.kind for one in found}, absent | {(one.colour, one.kind) for one in things}
            free = [(c, n) for c in COLOURS for n in NAMES if n not in told and (c, n) not in named]
            colour, name = free[generator.integers(len(free))]
            absent.add((colour, name))
        yield "existence", f"is there a {colour} {name}", _yes(right)


def _beside(thing: Thing, things: tuple[Thing, ...], found: list[Thing]) -> list[tuple[str, Thing]]:
    """The things next to one that were not found yet, each with its side."""
    places = {(one.row, one.column): one for one in things if one not in found}
    steps = ((side, (thing.row + down, thing.column + right)) for side, (down, right) in STEPS.items())
    return [(side, places[place]) for side, place in steps if place in places]


def _yes(right: bool) -> str:
    return "yes" if right else "no"
