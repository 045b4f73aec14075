"""Test pictures with the output of each label: pictures on which labels disagree, and the worst and best of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from lightning_seq.report.dashboard.compared_words import Pieces

MOST_EXTREME, MOST_DIFFERENT, LEAST_EXTREME = 3, 6, 1
_WHOLE_EXTREME_LABELS = 4
"""Labels up to which each has `MOST_EXTREME` worst and best pictures; of more labels each has `LEAST_EXTREME`."""


class Numbered(Protocol):
    @property
    def number(self) -> int: ...


class Tested(Numbered, Protocol):
    """shared: whether the data alone chose the picture, so that all runs have it."""

    @property
    def shared(self) -> bool: ...


N = TypeVar("N", bound=Numbered)
T = TypeVar("T", bound=Tested)


class Version(NamedTuple):
    """The output of a label for a picture.

    below:  a text in small letters after it.
    frames: its attention maps: the name of the map, the number of the picture and that of the label; None without
            attention.
    """

    label: str
    pieces: Pieces
    below: str
    frames: tuple[str, int, int] | None = None


class TestedPicture(NamedTuple):
    """name: of the example; facts: that are true of the picture, each with a title."""

    name: str
    png: str
    facts: list[tuple[str, str]]
    versions: list[Version]


def different(
    tested: Mapping[str, Sequence[T]], says: Callable[[T], str], score: Callable[[T], float]
) -> list[dict[str, T]]:
    """Pictures that all runs have, and of which labels say different things, by label; the largest distances of scores
    first."""
    shared = {number: mine for number, mine in by_number(tested).items() if all(one.shared for one in mine.values())}
    found = [number for number, mine in shared.items() if len({says(one) for one in mine.values()}) > 1]

    def distance(number: int) -> float:
        scores = [score(one) for one in shared[number].values()]
        return max(scores) - min(scores)

    return [shared[number] for number in sorted(found, key=lambda number: (-distance(number), number))[:MOST_DIFFERENT]]


def by_number(tested: Mapping[str, Sequence[N]]) -> dict[int, dict[str, N]]:
    """The pictures by number, each with the labels that have it."""
    pictures: dict[int, dict[str, N]] = {}
    for label, mine in tested.items():
        for one in mine:
            pictures.setdefault(one.number, {})[label] = one
    return pictures


def extremes(
    tested: Mapping[str, Sequence[T]], order: Callable[[T], tuple[float, ...]]
) -> list[tuple[str, dict[str, list[T]]]]:
    """Of each label its worst and its best pictures. order: the worst have the lowest."""
    most = MOST_EXTREME if len(tested) <= _WHOLE_EXTREME_LABELS else LEAST_EXTREME
    found = []
    for label, content in tested.items():
        ordered = sorted(content, key=order)
        found.append((label, {"Worst": ordered[:most], "Best": ordered[most:][-most:][::-1]}))
    return found
