"""Maps of attention as a picture that needs no page around it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from lightning_seq.records.attention import LEVELS, Step
from lightning_seq.report.dashboard.templates import draw

_CELL, _LETTER, _LONGEST = 16, 7, 14


def picture(title: str, source: Sequence[str], step: Step) -> Markup:
    """The map of a step as SVG: the source along the top, the target down the side."""
    columns, rows = [_cut(token) for token in source], [_cut(token) for token in step.target]
    left = 12 + _LETTER * max(map(len, rows), default=1)
    slope = _LETTER * max(map(len, columns))
    top = round(34 + 0.87 * slope)
    return draw(
        "attention_picture",
        title=title,
        step=step,
        source=source,
        columns=columns,
        rows=rows,
        size=_CELL,
        left=left,
        top=top,
        width=max(left + _CELL * len(source) + slope // 2 + 8, 16 + 8 * (len(title) + 10)),
        height=top + _CELL * len(step.target) + 8,
        levels=LEVELS,
    )


def _cut(token: str) -> str:
    return token if len(token) <= _LONGEST else token[: _LONGEST - 1] + "…"
