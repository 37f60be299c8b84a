"""No option is declared in vain: whatever is set differently makes another server."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from jmaplite.config import Config, parse
from jmaplite.config.kinds import Rate
from jmaplite.delivery import NoRelay
from jmaplite.server import settings

CONFIG = parse(
    """
    server.listener.jmap.bind = "127.0.0.1:0"
    jmap.directory = "memory"
    directory.memory.type = "memory"
    jmap.http.cors.allowed-origins = "https://a.example"
    """,
    "c.toml",
)

SECTIONS = (
    *("compat", "conversations", "cors", "email", "event_source", "http", "limits", "mailbox"),
    *("rate_limit", "server_http", "sieve", "submission", "web_socket"),
)
"""Sections that rooms are told of by values alone, by their field in Config."""


def told(config: Config) -> tuple[Any, ...]:
    """Everything that the rooms are told."""
    return (
        settings.limits(config),
        settings.leniency(config),
        settings.mail_settings(config),
        replace(settings.submission_settings(config, NoRelay()), offers=dict),
        settings.sieve_settings(config),
        settings.http_settings(config),
        settings.listeners(config),
    )


def other(value: object) -> object:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value - 1 if value > 1 else value + 1
    if isinstance(value, Rate):
        return Rate(7, 77)
    return f"{value}x" if isinstance(value, str) else ()


@pytest.mark.parametrize(
    ("section", "name"), [(section, one.name) for section in SECTIONS for one in fields(getattr(CONFIG, section))]
)
def test_an_option_makes_a_difference(section: str, name: str) -> None:
    there = getattr(CONFIG, section)
    value = getattr(there, name)
    changed = other(value) if value != () else ("regex",) if name == "enabled" else ("fileinto",)
    if name in ("headers", "counted_flags"):
        changed = (("X-A", "b"),) if name == "headers" else ("$seen",)
    assert told(replace(CONFIG, **{section: replace(there, **{name: changed})})) != told(CONFIG)
