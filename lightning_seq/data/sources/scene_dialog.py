"""Dialogs about scenes, whose questions refer to the turns before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, TypeAlias, TypeVar

import numpy as np

from lightning_seq.data.sources.dialogs import DialogTable, Turn
from lightning_seq.data.sources.scene_questions import STEPS
from lightning_seq.data.sources.scenes import COLOURS, DIGITS, SHAPES, Scene, Scenes, Thing
from lightning_seq.data.sources.synthetic import Synthetic
from lightning_seq.data.sources.table import Loaded
from lightning_seq.value_types import Range

NAMES = DIGITS + SHAPES
THINGS = {name: f"an {name}" if name == "eight" else f"a {name}" for name in NAMES}
COUNTS = ("0", "1", "2")
PLAUSIBLE = {
    "existence": ("yes", "no"),
    "count": COUNTS,
    "ellipsis": ("yes", "no", *COUNTS),
    "relation": tuple(COLOURS),
    "first": tuple(COLOURS),
    "name": tuple(THINGS.values()),
    "check": ("yes", "no"),
}
"""The kinds of questions, and the answers that each may have."""
ANSWERS = ("yes", "no", *COUNTS, *COLOURS, *THINGS.values())
T = TypeVar("T")
FEWEST = 4
"""Things of a scene."""
NEW_SUBJECT = 4
"""One of so many questions refers to no turn before, if it might."""
_NUMBERS = {kind: frozenset(map(ANSWERS.index, answers)) for kind, answers in PLAUSIBLE.items()}


@dataclass(frozen=True)
class SceneDialog(Synthetic):
    """Dialogs about scenes of coloured handwritten digits and shapes (after Seo et al. 2017):

        existence  is there a red thing                          yes, no
        count      how many red things are there                 0, 1, 2
        ellipsis   and blue ones                                 yes, no or 0, 1, 2, as the question before
        relation   what colour is the thing left of it           a colour
        first      what colour is the thing above the first one  the same, of the first `it` of the dialog
        name       what is it                                    `a five`, `a circle` …
        check      is it a five                                  yes, no

    `it` is the thing that was spoken of last: the only one of its colour, or the one next to another. All but existence
    and count need the turns before. Colours are drawn by themselves, no two things of a scene are of one kind, and no
    turn before tells an answer: without the picture the answers are known by chance alone (but for what the turns
    before exclude). Each split has digits of its own, see `Scenes`.

    examples:   dialogs of training.
    turns:      of a dialog, at most: it ends where nothing new is left to be asked.
    candidates: answers among which one is right: those of its kind first, then others.
    most:       things of a scene.
    canvas:     pixels of a side.
    """

    examples: Annotated[int, Range(10, 1_000_000)] = 3000
    turns: Annotated[int, Range(1, 10)] = 6
    candidates: Annotated[int, Range(2, 24)] = 20
    most: Annotated[int, Range(4, 9)] = 6
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
                talk = _Talk(things, generator)
                turns = [*islice(iter(talk.turn, None), self.turns)]
                if turns:
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


Option: TypeAlias = tuple[str, Thing | None, str]
"""The kind of a question, the thing that it asks for (None: all things of a colour), and its side of another one."""


@dataclass
class _Talk:
    """A dialog about a scene so far.

    asked: colours that were told or asked for; found: the things that were `it`; named: those whose kind was told.
    last:  the kind of the question before, if it was about all things of a colour; else empty.
    """

    things: tuple[Thing, ...]
    generator: np.random.Generator
    asked: set[str] = field(default_factory=set)
    found: list[Thing] = field(default_factory=list)
    named: set[Thing] = field(default_factory=set)
    it: Thing | None = None
    last: str = ""

    def turn(self) -> tuple[str, str, str] | None:
        """The kind of a further question, the question and its answer; None where nothing new is left to be asked."""
        options, new = self._following(), self._opening()
        if new and (not options or not self.generator.integers(NEW_SUBJECT)):
            options = new
        if not options:
            return None
        kind = self._one(sorted({option[0] for option in options}))
        _, thing, side = self._one([option for option in options if option[0] == kind])
        if thing is None:
            return self._of_colour(kind)
        self.it, self.last = thing, ""
        if kind in ("relation", "first"):
            self.found.append(thing)
            self.asked.add(thing.colour)
            place = "it" if kind == "relation" else "the first one"
            return kind, f"what colour is the thing {side} {place}", thing.colour
        self.named.add(thing)
        if kind == "name":
            return kind, "what is it", THINGS[thing.kind]
        right = bool(self.generator.integers(2))
        told = {one.kind for one in self.named}
        name = thing.kind if right else self._one([name for name in NAMES if name not in told])
        return kind, f"is it {THINGS[name]}", _yes(right)

    def _opening(self) -> list[Option]:
        """A question that refers to no turn before. Counting needs more colours: where it is possible, it is usual."""
        kinds = [kind for kind in ("count", "existence") if self._colours(kind)]
        if len(kinds) > 1 and not self.generator.integers(4):
            kinds.reverse()
        return [(kind, None, "") for kind in kinds[:1]]

    def _following(self) -> list[Option]:
        """The questions that may refer to the turns before."""
        options: list[Option] = [("ellipsis", None, "")] if self.last and self._colours(self.last) else []
        if self.found and self.found[0] is not self.it:
            options += [("first", thing, side) for side, thing in self._neighbours(self.found[0])]
        if self.it is not None:
            options += [("relation", thing, side) for side, thing in self._neighbours(self.it)]
            options += [] if self.it in self.named else [("name", self.it, ""), ("check", self.it, "")]
        return options

    def _colours(self, kind: str) -> dict[str, list[str]]:
        """The colours that were not asked for, by the answer to a question of this kind; empty unless there is one for
        each answer."""
        counts = Counter(thing.colour for thing in self.things)
        of_answers: dict[str, list[str]] = {answer: [] for answer in PLAUSIBLE[kind]}
        for colour in COLOURS:
            answer = str(counts[colour]) if kind == "count" else _yes(counts[colour] > 0)
            if colour not in self.asked and answer in of_answers:
                of_answers[answer].append(colour)
        return of_answers if all(of_answers.values()) else {}

    def _of_colour(self, kind: str) -> tuple[str, str, str]:
        """A question about all things of a colour; its answers are equally likely."""
        self.last = self.last if kind == "ellipsis" else kind
        of_answers = self._colours(self.last)
        answer = self._one([*of_answers])
        colour = self._one(of_answers[answer])
        self.asked.add(colour)
        only = [thing for thing in self.things if thing.colour == colour]
        self.it = only[0] if len(only) == 1 else None
        self.found += only if len(only) == 1 else []
        words = {"existence": f"is there a {colour} thing", "count": f"how many {colour} things are there"}
        return kind, words.get(kind, f"and {colour} ones"), answer

    def _neighbours(self, thing: Thing) -> list[tuple[str, Thing]]:
        """The things next to one that were not found yet, each with its side."""
        places = {(one.row, one.column): one for one in self.things if one not in self.found}
        steps = ((side, (thing.row + down, thing.column + right)) for side, (down, right) in STEPS.items())
        return [(side, places[place]) for side, place in steps if place in places]

    def _one(self, options: Sequence[T]) -> T:
        return options[int(self.generator.integers(len(options)))]


def _yes(right: bool) -> str:
    return "yes" if right else "no"
