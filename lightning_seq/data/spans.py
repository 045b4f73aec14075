"""Tags that mark spans: `B-X` begins a span of kind X, `I-X` goes on with it, `O` is outside of any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lightning_seq.errors import UserError, near

SCHEMES = ("auto", "bio", "iob1", "none")
"""bio: every span begins with B. iob1: B only where a span meets another of its kind (Ramshaw & Marcus 1995). none: the
tags mark no spans. auto: bio where all tags look like it."""

OUTSIDE = "O"
Tag = str | None
"""None: not known, so that it does not count."""


def check_scheme(scheme: str) -> None:
    if scheme not in SCHEMES:
        raise UserError(f"data.scheme is {scheme!r}; {near(str(scheme), SCHEMES)}")


def kind_of(tag: str) -> str | None:
    """X of B-X and I-X, None of any other tag."""
    return tag[2:] if tag[:2] in ("B-", "I-") and len(tag) > 2 else None


def is_span_tag(tag: str) -> bool:
    return tag == OUTSIDE or kind_of(tag) is not None


def look_like_spans(tags: Iterable[str]) -> bool:
    """Whether all are O, B-X or I-X, and not all are O."""
    found = set(tags)
    return all(map(is_span_tag, found)) and bool(found - {OUTSIDE})


def breaks(tags: Sequence[Tag]) -> list[int]:
    """Where an I-X follows neither B-X nor I-X. Behind a tag that is not known, any may stand."""
    found, before = [], OUTSIDE
    for step, tag in enumerate(tags):
        if tag is not None and before is not None and tag.startswith("I-") and before[2:] != tag[2:]:
            found.append(step)
        before = tag  # type: ignore[assignment]
    return found


def begun(tags: Sequence[Tag]) -> list[Tag]:
    """The same tags with B-X in the place of every I-X that `breaks` names; this also makes BIO of IOB1."""
    changed = list(tags)
    for step in breaks(tags):
        changed[step] = f"B-{(tags[step] or '')[2:]}"
    return changed


def in_order(tags: Iterable[str], spans: bool) -> tuple[str, ...]:
    """Tags that come in no order of their own: O first, then B-X before I-X of each kind; others by spelling."""
    if not spans:
        return tuple(sorted(tags))
    return tuple(sorted(tags, key=lambda tag: (tag != OUTSIDE, kind_of(tag) or "", tag)))
