"""Comparisons that nobody ran: see the modules `made_…` beside this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.report.browser import Browser
from tests.report.made_captions import make_captions
from tests.report.made_comparison import make_comparison
from tests.report.made_language import make_language
from tests.report.made_music import make_music
from tests.report.made_questions import make_questions
from tests.report.made_tagging import make_tagging
from tests.report.made_translation import make_translation


@pytest.fixture(scope="session", name="make_captions")
def _make_captions() -> Callable[..., Path]:
    return make_captions


@pytest.fixture(scope="session", name="make_questions")
def _make_questions() -> Callable[..., Path]:
    return make_questions


@pytest.fixture(scope="session", name="make_comparison")
def _make_comparison() -> Callable[..., Path]:
    return make_comparison


@pytest.fixture(scope="session", name="make_language")
def _make_language() -> Callable[..., Path]:
    return make_language


@pytest.fixture(scope="session", name="make_tagging")
def _make_tagging() -> Callable[..., Path]:
    return make_tagging


@pytest.fixture(scope="session", name="make_music")
def _make_music() -> Callable[..., Path]:
    return make_music


@pytest.fixture(scope="session", name="make_translation")
def _make_translation() -> Callable[..., Path]:
    return make_translation


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture
def browser(chromium: Browser, page: Path) -> Iterator[Browser]:
    """With the module's page open; in the end it may have said nothing and asked nobody for anything."""
    chromium.resize(1400, 900)
    chromium.said.clear()
    chromium.requested.clear()
    chromium.open(page)
    yield chromium
    assert chromium.said == []
    assert chromium.requested == [page.as_uri()]
