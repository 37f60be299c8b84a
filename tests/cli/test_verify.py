"""`jmaplite verify`: what is whole is OK, what is not is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jmaplite.formats.mailboxes import Incoming
from tests.cli.mail_site import Site, message


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site.make(tmp_path)
    site.bring(*(Incoming("", message(number, body="word " * 100), ()) for number in range(20)))
    site.bring(Incoming("", message(1), ()), account="bob")
    return site


def damage(site: Site, sql: str) -> None:
    """Change something in ann's database behind the store's back."""
    with site.transfer() as mail:
        account_id = mail.owner("ann").account_id
    (path,) = site.config.parent.glob(f"data/**/{account_id}/account.sqlite")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


def test_a_sound_store_is_ok(site: Site) -> None:
    result = site.run("verify")
    assert (result.exit_code, result.output) == (0, "OK: 2 accounts\n")


def test_one_account_may_be_checked_alone(site: Site) -> None:
    damage(site, "UPDATE mailbox SET total_emails = total_emails + 1 WHERE role = 'inbox'")
    result = site.run("verify", "--account", "bob@example.org")
    assert (result.exit_code, result.output) == (0, "OK: 1 account\n")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE mailbox SET total_emails = total_emails + 1 WHERE role = 'inbox'",
        "UPDATE blob SET data = zeroblob(size) WHERE id = 3",
        "DELETE FROM email_mailbox WHERE arrival = (SELECT max(arrival) FROM email_mailbox)",
        "DELETE FROM blob WHERE id = 3",
    ],
)
def test_what_does_not_agree_is_told_with_its_account(site: Site, sql: str) -> None:
    damage(site, sql)
    result = site.run("verify")
    assert result.exit_code == 1
    with site.transfer() as mail:
        account_id = mail.owner("ann").account_id
    lines = result.stdout.splitlines()
    assert lines
    assert all(line.startswith(f"{account_id} (ann): ") for line in lines)
    assert result.stderr == ""


def test_a_database_that_is_damaged_is_told(site: Site) -> None:
    with site.transfer() as mail:
        account_id = mail.owner("ann").account_id
    (path,) = site.config.parent.glob(f"data/**/{account_id}/account.sqlite")
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(b"\xa5" * 4096 * 4)
    result = site.run("verify")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit)


def test_a_wrong_name_is_told_with_a_suggestion(site: Site) -> None:
    result = site.run("verify", "--account", "anne")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: there is no account, principal or address “anne” (did you mean “ann”?)\n",
    )


def test_where_there_is_no_store_none_is_made(tmp_path: Path) -> None:
    result = Site.make(tmp_path).run("verify")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{tmp_path}/data" in result.stderr
    assert "there is no store" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_principal_without_an_account_is_told_and_given_none(tmp_path: Path) -> None:
    site = Site.make(tmp_path)
    site.bring(Incoming("", message(1), ()), account="ann")
    for words in (("verify", "--account", "bob"), ("export", "mbox", "--account", "bob", tmp_path / "out")):
        result = site.run(*words)
        assert result.exit_code == 1
        assert "bob has no account yet" in result.stderr
    with site.transfer() as mail:
        assert [owner.name for owner in mail.owners()] == ["ann"]


def test_root_makes_nothing_in_the_store_of_somebody_else_but_a_backup_of_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("jmaplite.server.ground.maker", lambda path: 4_000_000_000)
    result = site.run("verify")
    assert (result.exit_code, result.stdout) == (1, "")
    folder = site.config.parent
    assert result.stderr == (
        f"Error: the store in {folder}/data belongs to #4000000000: run this as that user (sudo -u #4000000000)\n"
    )
    assert site.run("backup", folder / "copy").exit_code == 0
