from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from lightning_seq.data.sources.dialogs import DialogTable
from lightning_seq.data.sources.scene_dialog import ANSWERS, PLAUSIBLE, SceneDialog
from lightning_seq.data.sources.scenes import Thing
from lightning_seq.errors import UserError

Tables = dict[str, DialogTable]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return SceneDialog(examples=1500).load().tables


def replies(questions: list[str], things: tuple[Thing, ...]) -> Iterator[str]:
    """The answers of someone who hears the questions and looks at the scene."""
    at = {(thing.row, thing.column): thing for thing in things}
    single: list[Thing] = []
    it: Thing | None = None
    asked_for = ""
    for question in questions:
        words = question.split()
        if words[0] in ("is", "how", "and") and words[1] != "it":
            asked_for = {"is": "whether", "how": "number"}.get(words[0], asked_for)
            colour = {"is": words[-2], "how": words[2], "and": words[1]}[words[0]]
            matching = [thing for thing in things if thing.colour == colour]
            it = matching[0] if len(matching) == 1 else None
            single += [it] if it else []
            yield str(len(matching)) if asked_for == "number" else "yes" if matching else "no"
        elif words[:4] == ["what", "colour", "is", "the"]:
            thing = single[0] if question.endswith("the first one") else it
            assert thing is not None
            row, column = thing.row, thing.column
            side = {"left": (row, column - 1), "right": (row, column + 1), "above": (row - 1, column),
                    "below": (row + 1, column)}[words[5]]  # fmt: skip
            it = at[side]
            single.append(it)
            yield it.colour
        else:
            assert it is not None
            name = f"{'an' if it.kind == 'eight' else 'a'} {it.kind}"
            yield name if question == "what is it" else "yes" if question == f"is it {name}" else "no"


def test_every_answer_is_right(tables: Tables) -> None:
    for table in tables.values():
        for picture, turns in zip(table.pictures, table.dialogs, strict=True):
            expected = [*replies([turn.question for turn in turns], picture.things)]  # type: ignore[union-attr]
            assert [table.answers[turn.answer] for turn in turns] == expected
            assert len({thing.kind for thing in picture.things}) == len(picture.things)  # type: ignore[union-attr]


def test_one_of_the_candidates_is_right_and_all_answers_of_its_kind_are_among_them(tables: Tables) -> None:
    places = Counter[int]()
    assert len(ANSWERS) == 24
    for turn in (turn for turns in tables["train"].dialogs for turn in turns):
        texts = [ANSWERS[number] for number in turn.candidates]
        assert len(set(texts)) == len(texts) == 20
        assert set(PLAUSIBLE[turn.kind]) <= set(texts)
        places[turn.candidates.index(turn.answer)] += 1
    assert max(places.values()) / min(places.values()) < 1.4
    few = SceneDialog(examples=100, candidates=5).load().tables["train"]
    for turn in (turn for turns in few.dialogs for turn in turns):
        texts = {ANSWERS[number] for number in turn.candidates}
        assert turn.answer in turn.candidates
        assert len(texts & set(PLAUSIBLE[turn.kind])) == min(5, len(PLAUSIBLE[turn.kind]))


def guessable(table: DialogTable) -> Iterator[tuple[str, str, str]]:
    """What a reader without the picture knows of each turn (the kind of its question, and what was asked before an
    ellipsis), the question, and the answer."""
    for turns in table.dialogs:
        before = ""
        for turn in turns:
            before = before if turn.kind == "ellipsis" else turn.kind
            yield before if turn.kind == "ellipsis" else turn.kind, turn.question, ANSWERS[turn.answer]


def test_without_the_picture_answers_are_known_by_chance(tables: Tables) -> None:
    of_kinds, of_questions = defaultdict(Counter), defaultdict(Counter)
    for kind, question, answer in guessable(tables["train"]):
        of_kinds[kind][answer] += 1
        of_questions[question][answer] += 1
    assert {kind: set(counts) for kind, counts in of_kinds.items()} == {
        kind: set(answers) for kind, answers in PLAUSIBLE.items() if kind != "ellipsis"
    }
    for kind, counts in of_kinds.items():
        best = counts.most_common(1)[0][1] / counts.total()
        assert best == pytest.approx(1 / len(PLAUSIBLE[kind]), abs=0.04), kind
    right, total = Counter[str](), Counter[str]()
    for kind, question, answer in guessable(tables["test"]):
        right[kind] += (of_questions[question].most_common(1) or [("", 0)])[0][0] == answer
        total[kind] += 1
    for kind in total:
        assert right[kind] / total[kind] < 1 / len(PLAUSIBLE[kind]) + 0.12, kind


def test_an_ellipsis_cannot_be_answered_without_the_turns_before(tables: Tables) -> None:
    """The same words ask whether there is something, and how much."""
    of_texts = defaultdict(set)
    for turns in tables["train"].dialogs:
        for turn in turns:
            if turn.kind == "ellipsis":
                of_texts[turn.question].add(ANSWERS[turn.answer])
    assert of_texts == {f"and {colour} ones": {"yes", "no", "0", "1", "2"} for colour in PLAUSIBLE["relation"]}


def test_the_turns_before_tell_no_answer(tables: Tables) -> None:
    """No colour is asked for twice, or after it was told, and no kind of a thing."""
    for turns in tables["train"].dialogs:
        colours, told = set[str](), False
        for turn in turns:
            answer = ANSWERS[turn.answer]
            if turn.kind in ("existence", "count", "ellipsis"):
                (colour,) = set(turn.question.split()) & set(PLAUSIBLE["relation"])
                assert colour not in colours
                colours.add(colour)
            elif turn.kind in ("relation", "first"):
                colours.add(answer)
            else:
                assert not told
            told = turn.kind in ("name", "check")


def test_splits_share_no_digit_and_a_seed_of_its_own(tables: Tables) -> None:
    drawings = {
        split: {thing.drawing for picture in table.pictures for thing in picture.things} - {-1}  # type: ignore[union-attr]
        for split, table in tables.items()
    }
    assert not drawings["train"] & drawings["test"]
    assert not drawings["validation"] & (drawings["train"] | drawings["test"])
    assert SceneDialog(examples=1500).load().tables["test"] == tables["test"]
    assert SceneDialog(examples=1500, split_seed=2).load().tables["test"].dialogs != tables["test"].dialogs


@pytest.mark.parametrize(("words", "message"), [
    ({"examples": 5}, "data.examples is 5"), ({"turns": 0}, "data.turns is 0"), ({"most": 2}, "data.most is 2"),
    ({"candidates": 25}, "data.candidates is 25"), ({"canvas": 8}, "data.canvas is 8"),
])  # fmt: skip
def test_settings_out_of_range_are_refused(words: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SceneDialog(**words)
