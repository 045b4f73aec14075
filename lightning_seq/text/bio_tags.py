"""Tags that mark spans, in the schemes of BIO, IOB1, IOE1, IOE2, IOBES and BILOU.

A tag is `O`, outside of any span; or a letter and the span's kind, `B-X`; or the letter alone, whose kind is `_`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lightning_seq.errors import UserError, near

SCHEMES = ("auto", "bio", "iob1", "ioe1", "ioe2", "iobes", "bilou", "none")
"""How tags mark spans.

bio:   every span begins with B.
iob1:  B only where a span meets another of its kind (Ramshaw & Marcus 1995).
ioe2:  every span ends with E. ioe1: E only where a span meets another of its kind.
iobes: B, I and E of longer spans, S of one token. bilou: the same with L and U.
none:  the tags mark no spans.
auto:  the scheme that the tags of training look like.
"""

OUTSIDE = "O"
BARE = "_"
"""The kind of a span whose tags are letters alone, as seqeval has it."""
Tag = str | None
"""None: not known, so that it does not count."""


@dataclass(frozen=True)
class Scheme:
    """The rules for the order of tags.

    begins, ends: the letters with which a span may begin and end.
    joined:       pairs of letters that are one span where they have one kind, the second one behind the first.
    meets:        letters that another span of the same kind must follow.
    strict:       a sequence of tags that is malformed marks no span, as seqeval has it with `mode="strict"`; otherwise
                  as seqeval has it by default, and as `conlleval`: whatever is no continuation begins a span.
    """

    begins: str
    ends: str
    joined: frozenset[str]
    meets: str = ""
    strict: bool = True

    def __str__(self) -> str:
        """The tags that there are, for people."""
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
    """The letter and the kind of a tag, `("O", "")` of O, None of a tag that marks no span of these letters."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if not tag or tag[0] not in letters or tag[1:2] not in ("", "-") or len(tag) == 2:
        return None
    return tag[0], tag[2:] or BARE


def kind_of(tag: str) -> str | None:
    """X of B-X and I-X, None of any other tag."""
    found = parted(tag, "BI")
    return found[1] or None if found else None


def is_span_tag(tag: str) -> bool:
    return parted(tag, "BI") is not None


def look_like_spans(tags: Iterable[str]) -> bool:
    """Whether all are O, B-X or I-X, and not all are O."""
    found = set(tags)
    return all(map(is_span_tag, found)) and bool(found - {OUTSIDE}) and not (found & {"B", "I"} and "B" not in found)


def scheme_of(tags: Iterable[str], scheme: str | None) -> str:
    """The scheme; where it is None, as in checkpoints before it was kept, BIO where the tags look like it."""
    return scheme or ("bio" if look_like_spans(tags) else "none")


def detected(sentences: Sequence[Sequence[Tag]]) -> str:
    """The scheme that tags look like: the first of those with these letters in which all sentences are well formed, or
    the first of those with these letters; `none` where they have other letters."""
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
"""A letter of a scheme small, behind the kind, or parted from it by another character."""


def written_otherwise(sentences: Sequence[Sequence[Tag]]) -> str | None:
    """One of the tags, where all but O look like marks of spans that are written in another way; else None."""
    tags = {tag for sentence in sentences for tag in sentence if tag is not None} - {OUTSIDE, OUTSIDE.lower()}
    return min(tags) if tags and all(_OTHERWISE.fullmatch(tag) or parted(tag) for tag in tags) else None


def _meets_only(tags: Sequence[Tag], scheme: str) -> bool:
    """Of iob1: whether B occurs only where a span follows another of its kind."""
    pairs = zip([OUTSIDE, *tags], tags, strict=False)
    return scheme != "iob1" or not any(tag and tag[0] == "B" and (before or "")[1:] != tag[1:] for before, tag in pairs)


def may_follow(before: str | None, tag: str | None, scheme: str) -> bool:
    """Whether a well-formed sentence may have one tag behind the other. None: the beginning, or the end, of it."""
    read = READ[scheme]
    first, second = (parted(each or OUTSIDE, read.letters) or (OUTSIDE, "") for each in (before, tag))
    joins = first[0] + second[0] in read.joined or (first[0] in read.meets and second[0] in read.begins)
    if joins and first[1] == second[1]:
        return True
    return (first[0] == OUTSIDE or first[0] in read.ends) and (second[0] == OUTSIDE or second[0] in read.begins)


def malformed(tags: Sequence[Tag], scheme: str) -> int | None:
    """The first place that does not fit the tag before it, `len(tags)` for the end of the sentence; None for no place.

    Any tag may be next to an unknown tag.
    """
    if not tags:
        return None
    if tags[0] is not None and not may_follow(None, tags[0], scheme):
        return 0
    for step in range(1, len(tags)):
        before, tag = tags[step - 1], tags[step]
        if before is not None and tag is not None and not may_follow(before, tag, scheme):
            return step
    return len(tags) if tags[-1] is not None and not may_follow(tags[-1], None, scheme) else None


def loosely(tags: Sequence[Tag]) -> list[tuple[int, int, str]]:
    """Begin, end (the place behind it) and kind of the spans of malformed tags, as `conlleval` reads them: B, S and U
    begin one, E, L, S and U end one, and so does another kind."""
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
    """Tags in a scheme for these spans; a tag that is not known stays so."""
    found: list[Tag] = [None if tag is None else OUTSIDE for tag in tags]
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
        if scheme == "ioe1" and meets and found[begin - 1] is not None:
            found[begin - 1] = "E" + (found[begin - 1] or "")[1:]
        ending = "" if kind == BARE else f"-{kind}"
        found[begin:end] = [letter + ending for letter in letters]
        ended = (end, kind)
    return found


def spans_of(tags: Sequence[str], scheme: str) -> list[tuple[int, int, str]]:
    """Begin, end (the place behind it) and kind of each span, as `SpanF1` counts them."""
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
        ends = read.ends
        spans = [span for span in spans if tags[span[1] - 1][0] in ends]
    return spans


def breaks(tags: Sequence[Tag]) -> list[int]:
    """Where an I-X follows neither B-X nor I-X. Any tag may follow an unknown tag."""
    found, before = [], OUTSIDE
    for step, tag in enumerate(tags):
        if tag is not None and before is not None and tag[:2] in ("I", "I-") and kind_of(before) != kind_of(tag):
            found.append(step)
        before = tag  # type: ignore[assignment]
    return found


def begun(tags: Sequence[Tag]) -> list[Tag]:
    """The same tags with B-X instead of every I-X that `breaks` names; this also makes BIO of IOB1."""
    changed = list(tags)
    for step in breaks(tags):
        changed[step] = "B" + (tags[step] or "")[1:]
    return changed


def in_order(tags: Iterable[str], spans: bool) -> tuple[str, ...]:
    """Tags that come in no order of their own: O first, then B-X before I-X of each kind; others by spelling."""
    if not spans:
        return tuple(sorted(tags))
    return tuple(sorted(tags, key=lambda tag: (tag != OUTSIDE, (parted(tag) or ("", ""))[1], tag)))
