from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_seq.data.spans import begun, breaks, check_scheme, in_order, look_like_spans
from lightning_seq.errors import UserError

TAGS = st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), max_size=12)


def spans(tags: list[str]) -> list[tuple[str, int, int]]:
    """Kind, beginning and end of each span, where any I that does not go on with a span of its kind begins one."""
    found: list[tuple[str, int, int]] = []
    for step, tag in enumerate(tags):
        if tag == "O":
            continue
        prefix, kind = tag.split("-")
        if prefix == "I" and found and found[-1][0] == kind and found[-1][2] == step:
            found[-1] = (kind, found[-1][1], step + 1)
        else:
            found.append((kind, step, step + 1))
    return found


@given(TAGS)
def test_repair_keeps_the_spans_and_leaves_nothing_to_repair(tags: list[str]) -> None:
    repaired = begun(tags)
    assert not breaks(repaired)
    assert spans(repaired) == spans(tags)  # type: ignore[arg-type]
    assert [step for step, (old, new) in enumerate(zip(tags, repaired, strict=True)) if old != new] == breaks(tags)


@given(TAGS)
def test_a_break_is_an_inside_without_its_kind_before_it(tags: list[str]) -> None:
    expected = [
        step
        for step, tag in enumerate(tags)
        if tag[0] == "I" and (step == 0 or tags[step - 1] not in (f"B-{tag[2:]}", tag))
    ]
    assert breaks(tags) == expected


def test_iob1_by_hand() -> None:
    """Two spans of one kind that meet are the only place for a B there."""
    iob1 = ["I-NP", "I-NP", "B-NP", "I-NP", "O", "I-VP", "I-NP"]
    assert begun(iob1) == ["B-NP", "I-NP", "B-NP", "I-NP", "O", "B-VP", "B-NP"]


def test_behind_an_unknown_tag_anything_may_stand() -> None:
    assert breaks([None, "I-X", "I-Y"]) == [2]
    assert begun([None, "I-X"]) == [None, "I-X"]


def test_what_looks_like_spans() -> None:
    assert look_like_spans(["O", "B-creative-work", "I-creative-work"])
    assert not look_like_spans(["O", "Cap", ","])
    assert not look_like_spans(["O"])
    assert not look_like_spans(["O", "B-", "I-X"])
    assert not look_like_spans(["B-X", "E-X", "O"])


def test_the_order_of_tags() -> None:
    assert in_order(["I-b", "O", "B-b", "B-a", "I-a-c"], spans=True) == ("O", "B-a", "I-a-c", "B-b", "I-b")
    assert in_order(["b", "O", "a"], spans=False) == ("O", "a", "b")


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(UserError, match=r"data\.scheme is 'bioe'; did you mean bio"):
        check_scheme("bioe")
