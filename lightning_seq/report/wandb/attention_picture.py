"""Maps of attention as a picture that needs no page around it."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_seq.records.attention import LEVELS, Step
from lightning_seq.report.escape import html

_CELL, _LETTER, _LONGEST = 16, 7, 14


def picture(title: str, source: Sequence[str], step: Step) -> str:
    """The map of a step as SVG: the source along the top, the target down the side."""
    left = 12 + _LETTER * max(map(len, map(_cut, step.target)), default=1)
    slope = _LETTER * max(map(len, map(_cut, source)))
    top = round(34 + 0.87 * slope)
    width, height = left + _CELL * len(source) + slope // 2 + 8, top + _CELL * len(step.target) + 8
    parts = [f'<text x="4" y="16" font-weight="600">{html(title)}, epoch {step.epoch}</text>']
    for s, token in enumerate(source):
        x, y = left + _CELL * (s + 0.65), top - 5
        parts.append(f'<text x="{x}" y="{y}" transform="rotate(-60 {x} {y})">{html(_cut(token))}</text>')
    for t, token in enumerate(step.target):
        y = top + _CELL * t
        parts.append(f'<text x="{left - 6}" y="{y + 12}" text-anchor="end">{html(_cut(token))}</text>')
        parts += [
            f'<rect x="{left + _CELL * s}" y="{y}" width="15" height="15" fill="#0b5394" '
            f'fill-opacity="{LEVELS.index(level) / (len(LEVELS) - 1):.3f}">'
            f"<title>{html(token)} ← {html(source[s])} {100 * step.weight(t, s):.0f} %</title></rect>"
            for s, level in enumerate(step.rows[t])
        ]
    width = max(width, 16 + 8 * (len(title) + 10))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>'
    )


def _cut(token: str) -> str:
    return token if len(token) <= _LONGEST else token[: _LONGEST - 1] + "…"
