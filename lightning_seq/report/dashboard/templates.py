"""The page's templates: HTML with Jinja2, in which every value is escaped that is not itself made by a template."""

from __future__ import annotations

import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup, escape

from lightning_seq.report.dashboard.chart_style import PALETTE
from lightning_seq.report.escape import displayable
from lightning_seq.report.formats import NOTHING

_BETWEEN = re.compile(r"(?<=[>}])\n\s*|\n\s*(?=[<{])")


class _Unbroken(Extension):
    """Line breaks and indentation between tags are for the reader of a template: the page has none of them."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return _BETWEEN.sub(lambda between: f"{{#{between[0]}#}}", source.strip())  # a comment: lines keep their number


def _displayable(value: object) -> object:
    return displayable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def breaking(text: str, behind: str) -> Markup:
    """Text that a narrow column may break behind what the pattern finds."""
    return Markup(re.sub(f"({behind})", r"\1<wbr>", str(escape(displayable(text)))))


_ENVIRONMENT = Environment(
    loader=PackageLoader("lightning_seq.report.dashboard"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_displayable,
    extensions=[_Unbroken],
    auto_reload=False,
)
_ENVIRONMENT.globals |= {"PALETTE": PALETTE, "NOTHING": NOTHING}
_ENVIRONMENT.filters["breaking"] = breaking


def draw(template: str, **values: object) -> Markup:
    """What a template of `templates/` makes of the values; the white space at its ends is dropped.

    Raises jinja2.UndefinedError for a value that the template needs and does not get.
    """
    return Markup(_ENVIRONMENT.get_template(f"{template}.html").render(values))
