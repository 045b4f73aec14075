"""Templates escape every value, refuse a value that is missing, and put no white space between tags."""

from __future__ import annotations

import re
from traceback import extract_tb

import pytest
from jinja2 import DictLoader, UndefinedError
from markupsafe import Markup

from lightning_seq.report.dashboard import templates
from lightning_seq.report.dashboard.templates import breaking, draw
from tests.report.page import ATTACKS, Page


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates of the test itself."""
    sources = {
        "value.html": '<p title="{{ text }}">{{ text }}</p>',
        "spaces.html": "<p>\n  <b>{{ text }}</b>\n  {% if text %}\n    <i>yes</i>\n  {% endif %}\n</p>\n",
        "line.html": "<p>\n  <b>\n    {{ text.missing }}\n  </b>\n</p>",
    }
    monkeypatch.setattr(templates, "_ENVIRONMENT", templates._ENVIRONMENT.overlay(loader=DictLoader(sources)))


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_value_is_text_in_an_element_and_in_an_attribute(attack: str) -> None:
    page = Page(draw("value", text=attack))
    assert page.elements == [("p", {"title": attack})]
    assert page.words == [attack]


@pytest.mark.usefixtures("own")
def test_markup_is_kept_and_text_is_what_a_page_can_hold() -> None:
    assert draw("value", text=Markup("<b>")) == '<p title="<b>"><b></p>'
    assert draw("value", text="a\u202eb\ud800\x00c") == '<p title="ab? c">ab? c</p>'


@pytest.mark.usefixtures("own")
def test_line_breaks_between_tags_are_left_out() -> None:
    assert draw("spaces", text="a\n b") == "<p><b>a\n b</b><i>yes</i></p>"


@pytest.mark.usefixtures("own")
def test_a_missing_value_is_an_error_in_its_line() -> None:
    with pytest.raises(UndefinedError, match="'text' is undefined"):
        draw("value")
    with pytest.raises(UndefinedError, match="no attribute 'missing'") as raised:
        draw("line", text="")
    assert [frame.lineno for frame in extract_tb(raised.tb) if frame.filename == "<template>"] == [3]


def test_text_may_break_behind_a_sign_and_is_escaped() -> None:
    assert breaking("a,b, c<,d", r",(?=\S)") == "a,<wbr>b, c&lt;,<wbr>d"


def test_no_template_takes_data_as_markup() -> None:
    environment = templates._ENVIRONMENT
    sources = [environment.loader.get_source(environment, name)[0] for name in environment.list_templates()]
    assert len(sources) > 20
    assert not [source for source in sources if re.search("safe|autoescape|Markup", source)]
