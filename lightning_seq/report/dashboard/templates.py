"""The page's templates: HTML with Jinja2. Every value is escaped, except for what a template made."""

from __future__ import annotations

import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup, escape

from lightning_seq.report.dashboard.chart_style import PALETTE, dash
from lightning_seq.report.escape import displayable, seen, visible
from lightning_seq.report.formats import NOTHING, decimal, mean_and_std, plural, run_counts, seed_values

_BETWEEN = re.compile(r"(?<=[>}])\n\s*|\n\s*(?=[<{])")


class _Unbroken(Extension):
    """Leave out line breaks and indentation between tags."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return _BETWEEN.sub(lambda between: f"{{#{between[0]}#}}", source.strip())  # a comment: lines keep their number


def _displayable(value: object) -> object:
    return displayable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def breaking(text: str, behind: str) -> Markup:
    """Text that a narrow column may break behind each match of the pattern."""
    return Markup(re.sub(f"({behind})", r"\1<wbr>", str(escape(displayable(text)))))


def shortened(text: str, longest: int) -> str:
    """At most so many characters of a text."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def setting(value: float | None) -> str:
    """A number of a configuration; nothing where it was not set."""
    return "" if value is None else f"{value:.4g}"


_ENVIRONMENT = Environment(
    loader=PackageLoader("lightning_seq.report.dashboard"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_displayable,
    extensions=[_Unbroken],
    auto_reload=False,
)
_ENVIRONMENT.globals |= {"PALETTE": PALETTE, "NOTHING": NOTHING, "dash": dash}
for _filter in (breaking, decimal, mean_and_std, plural, run_counts, seed_values, seen, setting, shortened, visible):
    _ENVIRONMENT.filters[_filter.__name__] = _filter


def draw(template: str, **values: object) -> Markup:
    """Render a template of `templates/` with these values.

    Raises jinja2.UndefinedError for a value that the template needs and does not get.
    """
    return Markup(_ENVIRONMENT.get_template(f"{template}.html").render(values))
