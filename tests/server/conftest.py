"""Servers in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.process import CONFIG, Process


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts a server on a configuration beneath the test's directory; all end with the test."""
    started: list[Process] = []

    def begin(text: str = CONFIG, path: str = "config.toml", **more: Any) -> Process:
        config = tmp_path / path
        if not config.exists():
            config.write_text(text)
        started.append(Process(config, **more))
        return started[-1]

    yield begin
    for one in started:
        one.end()
