"""`jmaplite deliver`: a message from a pipe, and what sysexits has to say of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jmaplite import cli
from jmaplite.server import mail
from tests.cli.mail_site import Site

MESSAGE = b"From: x@example.net\nSubject: Hello\n\nText\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site.make(tmp_path)


def deliver(site: Site, *words: str, message: bytes = MESSAGE) -> Result:
    return CliRunner().invoke(cli.main, ["deliver", "--config", str(site.config), *words], input=message)


def test_a_message_goes_into_the_inbox_of_each_recipient(site: Site) -> None:
    assert deliver(site, "-f", "x@example.net", "ann@example.org", "bob@example.org").exit_code == os.EX_OK
    for name in ("ann", "bob"):
        (octets,) = site.mail(name)
        assert octets.startswith(b"Return-Path: <x@example.net>\r\nReceived: from localhost\r\n")
        assert octets.endswith(MESSAGE.replace(b"\n", b"\r\n"))


def test_the_line_of_an_mbox_is_left_out(site: Site) -> None:
    deliver(site, "ann@example.org", message=b"From x@y Tue Jul 23 19:39:23 2002\n" + MESSAGE)
    (octets,) = site.mail()
    assert b"From x@y" not in octets


def test_nobody_is_67(site: Site) -> None:
    result = deliver(site, "ann@example.org", "nobody@example.org")
    assert result.exit_code == os.EX_NOUSER
    assert "nobody@example.org: 550 5.1.1" in result.stderr
    assert len(site.mail()) == 1


def test_too_large_is_65(site: Site) -> None:
    assert deliver(site, "ann@example.org", message=b"x" * 100_001).exit_code == os.EX_DATAERR


def test_a_store_that_is_away_is_75(site: Site, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "accounts").write_text("in the way")
    result = deliver(site, "ann@example.org")
    assert result.exit_code == os.EX_TEMPFAIL
    assert "Traceback" not in result.output


def test_what_is_wrong_with_the_configuration_or_with_us_is_75(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail transfer agent gives mail back for any code that it does not know."""

    def fails(*_: Any) -> list[str]:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(mail, "deliver", fails)
        result = deliver(site, "ann@example.org")
        assert (result.exit_code, "a bug" in result.stderr) == (os.EX_TEMPFAIL, True)
    site.config.write_text("[server\n")
    assert deliver(site, "ann@example.org").exit_code == os.EX_TEMPFAIL
    site.config.unlink()
    assert deliver(site, "ann@example.org").exit_code == os.EX_TEMPFAIL


def test_a_wrong_command_line_is_64(site: Site) -> None:
    assert deliver(site).exit_code == deliver(site, "--frob", "ann@example.org").exit_code == os.EX_USAGE
    assert deliver(site, "--help").exit_code == os.EX_OK


def test_the_null_sender_of_postfix_is_none(site: Site) -> None:
    """Else a vacation response would go to it."""
    deliver(site, "-f", "MAILER-DAEMON", "ann@example.org")
    assert next(iter(site.mail())).startswith(b"Return-Path: <>\r\n")


@pytest.mark.parametrize("sender", ["x@example.net\r\nBcc: y@example.net", "x\udcff@example.net", "x y@example.net"])
def test_what_is_no_sender_writes_no_header(site: Site, sender: str) -> None:
    result = deliver(site, "-f", sender, "ann@example.org")
    assert result.exit_code == os.EX_DATAERR
    assert "553 5.1.7" in result.stderr


def test_what_is_no_recipient_is_no_trouble(site: Site) -> None:
    assert deliver(site, "ann\udcff@example.org").exit_code == os.EX_DATAERR
    assert deliver(site, "-f", "root", "ann@example.org").exit_code == os.EX_OK
