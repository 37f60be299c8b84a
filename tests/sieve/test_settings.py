"""`[sieve.untrusted]`: every option reaches those who go by it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from jmaplite.config import parse
from jmaplite.formats import sieve
from jmaplite.server.settings import sieve_settings

BASE = """
[server.listener.jmap]
bind = "127.0.0.1:0"
[jmap]
directory = "memory"
[directory.memory]
type = "memory"
[sieve.untrusted]
"""
LIMITS = {
    "script-size": "script_size",
    "string-length": "string_length",
    "variable-name-length": "variable_name_length",
    "variable-size": "variable_size",
    "nested-blocks": "nested_blocks",
    "nested-tests": "nested_tests",
    "nested-foreverypart": "nested_foreverypart",
    "match-variables": "match_variables",
    "local-variables": "local_variables",
    "header-size": "header_size",
    "includes": "includes",
    "nested-includes": "nested_includes",
    "cpu": "cpu",
    "redirects": "redirects",
    "received-headers": "received_headers",
    "outgoing-messages": "outgoing_messages",
}


def test_every_limit_can_be_set(tmp_path: Path) -> None:
    told = "".join(f"limits.{name} = {number}\n" for number, name in enumerate(LIMITS, 1001))
    told += 'vacation.min-response = "2d"\nvacation.max-response = "3d"\ndefault-expiry.vacation = "60h"\n'
    told += 'default-expiry.duplicate = "1h"\nmax-expiry.duplicate = "2h"\nprotected-headers = ["X-Mine"]\n'
    limits = sieve_settings(parse(BASE + told, tmp_path / "config.toml")).limits
    assert {field: getattr(limits, field) for field in LIMITS.values()} == dict(
        zip(LIMITS.values(), range(1001, 2000), strict=False)
    )
    assert (limits.vacation_least, limits.vacation_seconds_least, limits.vacation_most) == (172800, 172800, 259200)
    assert (limits.vacation_default, limits.duplicate_default, limits.duplicate_most) == (216000, 3600, 7200)
    assert limits.protected_headers == {"x-mine"}


def test_what_no_option_says_is_as_the_interpreter_has_it(tmp_path: Path) -> None:
    limits = sieve_settings(parse(BASE, tmp_path / "config.toml")).limits
    different = {one.name for one in fields(limits) if getattr(limits, one.name) != getattr(sieve.Limits(), one.name)}
    assert different == set()


def test_extensions_can_be_switched(tmp_path: Path) -> None:
    told = 'disable-capabilities = ["reject"]\nenable-capabilities = ["regex"]\nnotification-uris = []\n'
    settings = sieve_settings(parse(BASE + told, tmp_path / "config.toml"))
    assert settings.capabilities == (sieve.CAPABILITIES | {"regex"}) - {"reject", "enotify"}
    assert settings.announced()["notificationMethods"] is None
