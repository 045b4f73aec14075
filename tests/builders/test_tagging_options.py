"""What a tagger is built of: characters, a CRF, its constraints."""

from __future__ import annotations

from typing import Any

import pytest

from lightning_seq.builders.tagging import characters, crf
from lightning_seq.errors import UserError
from lightning_seq.spec import DataSpec, Tags, Tokens

SPEC = DataSpec(Tokens(("a", "b"), ("<pad>", "<unk>", "x")), Tags(("O", "B-X", "I-X")))
CHARACTERS = {"characters": "none", "character_embedding": 4, "character_size": 6, "character_width": 3}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"characters": "lstm", "character_size": 25}, "expected an even number"),
        ({"characters": "cnn", "character_size": 0}, "at least 1"),
    ],
)
def test_a_mistake_about_characters(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        characters({**CHARACTERS, **given}, SPEC)


@pytest.mark.parametrize(
    ("kind", "size"), [("cnn", 3 * 4 + 6 * (3 * 4 + 1)), ("lstm", 3 * 4 + 2 * 4 * 3 * (4 + 3 + 1)), ("none", 0)]
)
def test_characters_are_read_as_was_asked(kind: str, size: int) -> None:
    made = characters({**CHARACTERS, "characters": kind}, SPEC)
    assert sum(parameter.numel() for parameter in made.parameters()) == size if made is not None else size == 0


@pytest.mark.parametrize(
    ("given", "scheme", "message"),
    [
        ({"constraints": "training"}, "auto", "set task.crf=true"),
        ({"constraints": "training", "crf": True}, "none", "mark no spans"),
    ],
)
def test_a_mistake_about_constraints(given: dict[str, Any], scheme: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        crf({"task": {"crf": False, **given}, "data": {"scheme": scheme}}, ("O", "B-X", "I-X"))


@pytest.mark.parametrize(
    ("task", "scheme", "names", "expected"),
    [
        ({"crf": False}, "auto", ("O", "B-X", "I-X"), None),
        ({"crf": True}, "auto", ("O", "B-X", "I-X"), (True, False)),
        ({"crf": True, "constraints": "training"}, "bio", ("O", "B-X", "I-X"), (True, True)),
        ({"crf": True, "constraints": "none"}, "bio", ("O", "B-X", "I-X"), (False, False)),
        ({"crf": True}, "none", ("O", "B-X", "I-X"), (False, False)),
        ({"crf": True}, "auto", ("NOUN", "VERB"), (False, False)),
    ],
)
def test_a_crf_keeps_to_the_order_of_spans_where_tags_have_one(
    task: dict[str, Any], scheme: str, names: tuple[str, ...], expected: tuple[bool, bool] | None
) -> None:
    made = crf({"task": {"constraints": "auto", **task}, "data": {"scheme": scheme}}, names)
    assert expected == (None if made is None else (made.names is not None, made.constrain_training))
