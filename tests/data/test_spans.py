from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOBES, IOE2, Entities

from lightning_seq.errors import UserError
from lightning_seq.text.bio_tags import (
    READ,
    check_scheme,
    detected,
    in_order,
    look_like_spans,
    loosely,
    malformed,
    spans_of,
    written,
)

TAGS = st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), max_size=12)


def spans(tags: list[str]) -> list[tuple[str, int, int]]:
    """Kind, beginning and end of each span, where any I that does not continue a span of its kind begins one."""
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
def test_spans_in_bio(tags: list[str]) -> None:
    assert [(kind, begin, end) for begin, end, kind in spans_of(tags, "bio")] == spans(tags)


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


STRICT = {"ioe2": IOE2, "iobes": IOBES, "bilou": BILOU}
"""Those that are read as seqeval's strict mode; bio and ioe1 as its default mode."""
WRITTEN = ("bio", "ioe1", "ioe2", "iobes", "bilou")


def names_of(scheme: str, kinds: str = "XY") -> list[str]:
    return ["O", *(f"{letter}-{kind}" for letter in READ[scheme].letters for kind in kinds)]


def seqevals(tags: list[str], scheme: str) -> set[tuple[int, int, str]]:
    if scheme in STRICT:
        found = Entities([tags], STRICT[scheme]).entities[0] if tags else []
        return {(entity.start, entity.end, entity.tag) for entity in found}
    return {(begin, end + 1, kind) for kind, begin, end in get_entities(tags)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scheme", WRITTEN)
@given(data=st.data())
def test_spans_are_seqevals(scheme: str, data: st.DataObject) -> None:
    tags = data.draw(st.lists(st.sampled_from(names_of(scheme)), max_size=9))
    assert set(spans_of(tags, scheme)) == seqevals(tags, scheme)


@pytest.mark.parametrize("scheme", WRITTEN)
def test_the_tags_that_are_well_formed_are_those_that_spans_are_written_as(scheme: str) -> None:
    """Every sequence of up to four tags of two kinds."""
    for length in range(5):
        for tags in itertools.product(names_of(scheme), repeat=length):
            well = malformed(tags, scheme) is None
            assert well == (written(spans_of(tags, scheme), tags, scheme) == list(tags)), tags


@pytest.mark.parametrize("scheme", WRITTEN)
@given(TAGS)
def test_spans_in_bio_come_back_from_every_scheme(scheme: str, tags: list[str]) -> None:
    marked = spans_of(tags, "bio")
    assert spans_of(written(marked, tags, scheme), scheme) == marked  # type: ignore[arg-type]
    assert loosely(written(marked, tags, scheme)) == marked or scheme == "bio"
    assert malformed(written(marked, tags, scheme), scheme) is None


@given(TAGS)
def test_iob1_is_written_as_it_was_read(tags: list[str]) -> None:
    marked = spans_of(tags, "bio")
    own = written(marked, tags, "iob1")
    assert all(tag[0] != "B" or before[1:] == tag[1:] for before, tag in zip(["O", *own], own, strict=False))  # type: ignore[index]


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        (["B-X I-X O", "O B-Y"], "bio"),
        (["I-X I-X B-X O", "O I-Y"], "iob1"),
        (["B-X I-X O", "I-Y O"], "bio"),  # malformed
        (["B-X I-X E-X O S-Y"], "iobes"),
        (["B-X I-X L-X O U-Y"], "bilou"),
        (["S-X O", "S-Y"], "iobes"),
        (["I-X E-X E-X O E-Y"], "ioe2"),
        (["I-X E-X I-X O I-Y"], "ioe1"),
        (["B I O", "O B B"], "bio"),
        (["B E S O"], "iobes"),
        (["I O O"], "none"),
        (["O O"], "none"),
        (["NOUN VERB O"], "none"),
        (["B-X L-X E-X"], "none"),
        (["B- I-X"], "none"),
    ],
)
def test_the_scheme_is_what_the_tags_look_like(sentences: list[str], scheme: str) -> None:
    assert detected([sentence.split() for sentence in sentences]) == scheme
    assert detected([[None, *sentence.split()] for sentence in sentences]) == scheme or scheme in ("bio", "iob1")
