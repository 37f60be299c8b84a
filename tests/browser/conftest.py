"""A browser for all tests here: starting one takes a second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Browser, chromium, empty_pages


@pytest.fixture(scope="session")
def chromium_itself(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium, started when it is first needed."""
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[str]:
    """An origin with nothing but an empty page."""
    with empty_pages() as origin:
        yield origin


@pytest.fixture
def browser(chromium_itself: Browser) -> Iterator[Browser]:
    """The browser, at a blank page and without cookies of other tests."""
    chromium_itself.open("about:blank")
    yield chromium_itself
    chromium_itself.open("about:blank")
    chromium_itself.driver.delete_all_cookies()
