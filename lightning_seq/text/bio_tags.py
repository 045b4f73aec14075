"""Tags that mark spans, in the schemes of BIO, IOB1, IOE1, IOE2, IOBES and BILOU.

A tag is `O`, outside of any span; or a letter and the span's kind, `B-X`; or the letter alone, whose kind is `_`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lightning_seq.errors import UserError, near

SCHEMES = ("auto", "bio", "iob1", "ioe1", "ioe2", "iobes", "bilou", "none")
"""How tags mark spans.

bio:   every span begins with B.
iob1:  B only where a span follows another of its kind (Ramshaw & Marcus 1995).
ioe2:  every span ends with E. ioe1: E only where a span of the same kind follows.
iobes: B, I and E of longer spans, S of one token. bilou: the same with L and U.
none:  the tags mark no spans.
auto:  detected from the tags of training.
"""

OUTSIDE = "O"
BARE = "_"
"""The kind of a span whose tags are letters alone, as in seqeval."""
Tag = str | None
"""None: unknown; it does not count."""


@dataclass(frozen=True)
class Scheme:
    """The rules for the order of tags.

    begins, ends: the letters with which a span may begin and end.
    joined:       pairs of successive letters that, with the same kind, are in one span.
    meets:        letters that another span of the same kind must follow.
    strict:       malformed tags mark no span, as in seqeval with `mode="strict"`; otherwise, as in seqeval by default
                  and in `conlleval`, every tag that does not continue a span begins one.
    """

    begins: str
    ends: str
    joined: frozenset[str]
    meets: str = ""
    strict: bool = True

    def __str__(self) -> str:
        """Its tags, for people."""
        *first, last = (f"{letter}-X" for letter in self.letters)
        return f"O, {', '.join(first)} or {last}"

    @property
    def letters(self) -> str:
        return "".join(dict.fromkeys("".join([self.begins, *sorted(self.joined), self.ends, self.meets])))


READ = {
    "bio": Scheme("B", "BI", frozenset({"BI", "II"}), strict=False),
    "iob1": Scheme("BI", "BI", frozenset({"BI", "II"}), strict=False),
    "ioe1": Scheme("IE", "I", frozenset({"II", "IE"}), "E", strict=False),
    "ioe2": Scheme("IE", "E", frozenset({"II", "IE"})),
    "iobes": Scheme("BS", "ES", frozenset({"BI", "BE", "II", "IE"})),
    "bilou": Scheme("BU", "LU", frozenset({"BI", "BL", "II", "IL"})),
}


def check_scheme(scheme: str) -> None:
    if scheme not in SCHEMES:
        raise UserError(f"data.scheme is {scheme!r}; {near(str(scheme), SCHEMES)}")


def parted(tag: str, letters: str = "BIESLU") -> tuple[str, str] | None:
    """The letter and the kind of a tag, `("O", "")` of O, None of a tag without one of these letters."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if not tag or tag[0] not in letters or tag[1:2] not in ("", "-") or len(tag) == 2:
        return None
    return tag[0], tag[2:] or BARE


def look_like_spans(tags: Iterable[str]) -> bool:
    """Whether all are O, B-X or I-X, and not all are O."""
    kinds = set(tags)
    are_tags = all(parted(tag, "BI") for tag in kinds)
    return are_tags and bool(kinds - {OUTSIDE}) and not (kinds & {"B", "I"} and "B" not in kinds)


def scheme_of(tags: Iterable[str], scheme: str | None) -> str:
    """The scheme; where an old checkpoint does not hold it (None), BIO if the tags look like it."""
    return scheme or ("bio" if look_like_spans(tags) else "none")


def detected(sentences: Sequence[Sequence[Tag]]) -> str:
    """The scheme of the tags: of the schemes with these letters the first in which all sentences are well formed, else
    the first; `none` for other letters."""
    tags = {tag for sentence in sentences for tag in sentence if tag is not None}
    parts = [parted(tag) for tag in tags]
    letters = {part[0] for part in parts if part} - {OUTSIDE}
    bare = {tag for tag in tags if len(tag) == 1} - {OUTSIDE}
    # One letter alone, or E and S without a B, may mean anything.
    if not letters or None in parts or (bare and (len(bare) < 2 or not bare & {"B", "E"})):
        return "none"
    fitting = [name for name in ("bio", "iob1", "ioe2", "ioe1", "iobes", "bilou") if letters <= set(READ[name].letters)]
    for name in fitting:
        if all(malformed(sentence, name) is None and _meets_only(sentence, name) for sentence in sentences):
            return name
    return fitting[0] if fitting else "none"


_OTHERWISE = re.compile(r"[BIESLU][_:/].+|[bieslu][-_:/].+|.+[-_:/][BIESLUbieslu]")
"""A small letter of a scheme, a letter behind the kind, or another character between letter and kind."""


def written_otherwise(sentences: Sequence[Sequence[Tag]]) -> str | None:
    """One of the tags, if all but O look like marks of spans in another notation; else None."""
    tags = {tag for sentence in sentences for tag in sentence if tag is not None} - {OUTSIDE, OUTSIDE.lower()}
    return min(tags) if tags and all(_OTHERWISE.fullmatch(tag) or parted(tag) for tag in tags) else None


def _meets_only(tags: Sequence[Tag], scheme: str) -> bool:
    """Whether the B of iob1 occurs only where a span follows another of its kind."""
    pairs = zip([OUTSIDE, *tags], tags, strict=False)
    return scheme != "iob1" or not any(tag and tag[0] == "B" and (before or "")[1:] != tag[1:] for before, tag in pairs)


def may_follow(before: str | None, tag: str | None, scheme: str) -> bool:
    """Whether a tag may follow another in a well-formed sentence. None: the beginning, or the end, of the sentence."""
    read = READ[scheme]
    first, second = (parted(one or OUTSIDE, read.letters) or (OUTSIDE, "") for one in (before, tag))
    joins = first[0] + second[0] in read.joined or (first[0] in read.meets and second[0] in read.begins)
    if joins and first[1] == second[1]:
        return True
    return (first[0] == OUTSIDE or first[0] in read.ends) and (second[0] == OUTSIDE or second[0] in read.begins)


def malformed(tags: Sequence[Tag], scheme: str) -> int | None:
    """The first step whose tag does not fit the tag before it, `len(tags)` for the end of the sentence; else None.

    Any tag may be next to an unknown tag.
    """
    for step, (before, tag) in enumerate(pairwise([OUTSIDE, *tags, OUTSIDE])):
        if before is not None and tag is not None and not may_follow(before, tag, scheme):
            return step
    return None


def loosely(tags: Sequence[Tag]) -> list[tuple[int, int, str]]:
    """Begin, end (exclusive) and kind of the spans of malformed tags, as `conlleval` reads them: B, S, U and another
    kind begin a span, E, L, S and U end one."""
    spans: list[tuple[int, int, str]] = []
    is_open = False
    for step, tag in enumerate(tags):
        letter, kind = parted(tag or OUTSIDE) or (OUTSIDE, "")
        if letter == OUTSIDE:
            is_open = False
            continue
        if is_open and letter not in "BSU" and spans[-1][2] == kind:
            spans[-1] = (spans[-1][0], step + 1, kind)
        else:
            spans.append((step, step + 1, kind))
        is_open = letter not in "ESLU"
    return spans


def written(spans: Iterable[tuple[int, int, str]], tags: Sequence[Tag], scheme: str) -> list[Tag]:
    """Tags in a scheme for these spans; an unknown tag stays unknown."""
    result: list[Tag] = [None if tag is None else OUTSIDE for tag in tags]
    ended = (-1, "")
    for begin, end, kind in spans:
        letters = ["I"] * (end - begin)
        meets = ended == (begin, kind)
        if scheme in ("bio", "iobes", "bilou") or (scheme == "iob1" and meets):
            letters[0] = "B"
        if scheme in ("ioe2", "iobes"):
            letters[-1] = "E" if scheme == "ioe2" or len(letters) > 1 else "S"
        if scheme == "bilou":
            letters[-1] = "L" if len(letters) > 1 else "U"
        if scheme == "ioe1" and meets and (last := result[begin - 1]) is not None:
            result[begin - 1] = "E" + last[1:]
        ending = "" if kind == BARE else f"-{kind}"
        result[begin:end] = [letter + ending for letter in letters]
        ended = (end, kind)
    return result


def spans_of(tags: Sequence[str], scheme: str) -> list[tuple[int, int, str]]:
    """Begin, end (exclusive) and kind of each span, as `SpanF1` counts them."""
    read = READ[scheme]
    spans: list[tuple[int, int, str]] = []
    before = (OUTSIDE, "")
    for step, tag in enumerate(tags):
        part = parted(tag, read.letters) or (OUTSIDE, "")
        joins = part[1] == before[1] and before[0] + part[0] in read.joined
        if joins and spans and spans[-1][1] == step:
            spans[-1] = (spans[-1][0], step + 1, part[1])
        elif not joins and part[0] != OUTSIDE and (not read.strict or part[0] in read.begins):
            spans.append((step, step + 1, part[1]))
        before = part
    if read.strict:
        spans = [span for span in spans if tags[span[1] - 1][0] in read.ends]
    return spans


def in_order(tags: Iterable[str], spans: bool) -> tuple[str, ...]:
    """Tags in a fixed order: for spans O first, then B-X before I-X of each kind; otherwise by spelling."""
    if not spans:
        return tuple(sorted(tags))
    return tuple(sorted(tags, key=lambda tag: (tag != OUTSIDE, (parted(tag) or ("", ""))[1], tag)))
