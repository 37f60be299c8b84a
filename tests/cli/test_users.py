"""`jmaplite user` and `jmaplite token` edit the configuration file, and nothing else in it."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jmaplite import cli
from jmaplite.cli.users import edited
from jmaplite.config import load
from jmaplite.config.editing import CannotEdit
from jmaplite.directory.credentials import Credentials
from jmaplite.server.directories import directory

CONFIG = """\
# Mine. Do not touch.
[server.listener.jmap]
bind = "127.0.0.1:0" # any port

[jmap]
directory = "people"

[directory.people] # who is here
type = "memory"

[[directory.people.principals]]
name = "jane" # the boss
secret = "first"
email = ["jane@example.org"]
member-of = "staff"
tokens = ["phone:sha256:%064d", "sha256:%064d"]

[[directory.people.principals]]
name = "staff"
type = "group"

[store] # at the end
path = "data"
"""
CONFIG = CONFIG.replace("%064d", "0" * 63 + "1", 1).replace("%064d", "0" * 63 + "2", 1)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    path.chmod(0o640)
    return path


def run(config: Path, *arguments: str, typed: str = "", fails: bool = False) -> Result:
    command = [*arguments[:2], "--config", str(config), *arguments[2:]]
    result = CliRunner().invoke(cli.main, command, input=typed)
    assert result.exit_code == (1 if fails else 0), result.output
    assert "Traceback" not in result.output
    return result


def lets_in(config: Path, authorization: str) -> str | None:
    """Whom the directory lets in."""
    found = Credentials(directory(load(config))).verify(authorization)
    return found.name if found else None


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def kept(config: Path) -> None:
    """Every line that was there is there still, in its order; nobody else may read the file."""
    lines = iter(config.read_text().splitlines())
    assert [line for line in CONFIG.splitlines() if line not in lines] == []
    assert config.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in config.parent.iterdir()] == ["config.toml"]


def test_a_user_is_added(config: Path) -> None:
    run(config, "user", "add", "joe@example.org", "--member-of", "staff", "--quota", "1G", typed="pässword\n")
    kept(config)
    assert lets_in(config, basic("joe@example.org", "pässword")) == "joe@example.org"
    assert "pässword" not in config.read_text()
    added = load(config).directory.principals[-1]
    assert (added.emails, added.member_of, added.quota) == (("joe@example.org",), ("staff",), 2**30)
    assert run(config, "user", "list").stdout.splitlines() == [
        "jane\tindividual\tjane@example.org",
        "staff\tgroup\t",
        "joe@example.org\tindividual\tjoe@example.org",
    ]


def test_a_group_needs_no_password(config: Path) -> None:
    run(config, "user", "add", "sales", "--group", "--email", "sales@example.org", "--description", "Sales")
    kept(config)
    assert load(config).directory.principals[-1].type == "group"


@pytest.mark.parametrize(
    ("arguments", "typed", "why"),
    [
        (("user", "add", "jane"), "x\n", "'jane' is the name of another principal"),
        (("user", "add", "a:b"), "x\n", "colon"),
        (("user", "add", "joe", "--member-of", "nobody"), "x\n", "there is no group 'nobody'"),
        (("user", "add", "joe", "--quota", "much"), "x\n", "quota"),
        (("user", "add", "joe"), "\n", "empty"),
        (("user", "passwd", "joe"), "x\n", "there is no joe"),
        (("user", "remove", "joe"), "", "there is no joe"),
        (("user", "remove", "staff"), "", "there is no group 'staff'"),
        (("token", "create", "joe", "laptop"), "", "there is no joe"),
        (("token", "revoke", "jane", "laptop"), "", "jane has no token laptop"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(
    config: Path, arguments: tuple[str, ...], typed: str, why: str
) -> None:
    result = run(config, *arguments, typed=typed, fails=True)
    assert why in result.output
    assert config.read_text() == CONFIG
    kept(config)


def test_a_password_is_changed(config: Path) -> None:
    run(config, "user", "passwd", "jane", typed="second\n")
    assert lets_in(config, basic("jane", "first")) is None
    assert lets_in(config, basic("jane", "second")) == "jane"
    assert "# the boss" in config.read_text()


def test_a_user_is_removed_with_its_tokens(config: Path) -> None:
    made = run(config, "token", "create", "jane", "laptop").stdout.strip()
    run(config, "user", "remove", "jane")
    assert lets_in(config, f"Bearer {made}") is None
    assert [one.name for one in load(config).directory.principals] == ["staff"]
    assert load(config).directory.tokens == ()
    for comment in ("# Mine. Do not touch.", "# any port", "# who is here", "# at the end"):
        assert comment in config.read_text()


def test_a_token_is_made_shown_once_and_revoked(config: Path) -> None:
    made = run(config, "token", "create", "jane", "laptop", "--expires", "90d").stdout.strip()
    kept(config)
    assert made not in config.read_text()
    assert lets_in(config, f"Bearer {made}") == "jane"
    assert lets_in(config, basic("jane@example.org", made)) == "jane"
    [token] = load(config).directory.tokens
    assert token.expires is not None
    assert 89 * 86400 < token.expires - time.time() < 91 * 86400
    lines = [line.split("\t") for line in run(config, "token", "list").stdout.splitlines()]
    assert [line[:2] for line in lines] == [["jane", "laptop"], ["jane", "phone"], ["jane", ""]]
    assert run(config, "token", "list", "joe").stdout == ""
    run(config, "token", "create", "jane", "laptop", fails=True)
    run(config, "token", "revoke", "jane", "laptop")
    assert lets_in(config, f"Bearer {made}") is None
    kept(config)
    run(config, "token", "revoke", "jane", "phone")
    assert len(load(config).directory.principals[0].tokens) == 1


def test_a_token_may_end_on_a_day(config: Path) -> None:
    made = run(config, "token", "create", "jane", "old", "--expires", "2001-01-31").stdout.strip()
    assert lets_in(config, f"Bearer {made}") is None
    wrong = CliRunner().invoke(cli.main, ["token", "create", "--config", str(config), "jane", "x", "--expires", "soon"])
    assert wrong.exit_code == 2


ELSEWHERE = """
[server.listener.jmap]
bind = "127.0.0.1:0"
[jmap]
directory = "people"
[directory.people]
type = "sql"
url = "sqlite://people.db"
[directory.people.query] # the only one
name = "SELECT name FROM people WHERE name = ?"
"""


def test_users_elsewhere_have_tokens_too_and_are_edited_elsewhere(config: Path) -> None:
    config.write_text(ELSEWHERE)
    made = run(config, "token", "create", "jane", "laptop").stdout.strip()
    assert len(made) > 30
    assert load(config).directory.tokens[0].user == "jane"
    assert "# the only one" in config.read_text()
    result = run(config, "user", "add", "joe", typed="x\n", fails=True)
    assert "do not stand in the configuration" in result.output


def test_a_link_stays_a_link_and_a_file_that_cannot_be_written_stays(config: Path) -> None:
    real = config.rename(config.with_name("real.toml"))
    config.symlink_to(real)
    run(config, "token", "create", "jane", "laptop")
    assert config.is_symlink()
    assert "laptop" in real.read_text()


def test_rows_on_one_line_are_edited_too(config: Path) -> None:
    text = CONFIG[: CONFIG.index("[[")] + 'principals = [{ name = "jane", secret = "first" }]\n[store]\npath = "data"\n'
    config.write_text(text)
    run(config, "user", "add", "joe", typed="x\n")
    assert lets_in(config, basic("joe", "x")) == "joe"
    run(config, "user", "remove", "jane")
    assert [one.name for one in load(config).directory.principals] == ["joe"]


def test_ends_of_lines_stay(config: Path) -> None:
    config.write_bytes(CONFIG.replace("\n", "\r\n").encode())
    run(config, "token", "create", "jane", "laptop")
    assert config.read_bytes().startswith(b"# Mine. Do not touch.\r\n[server")
    assert edited(load(config)) is not None


def test_what_somebody_else_writes_meanwhile_is_not_written_over(config: Path) -> None:
    file = edited(load(config))
    file.add("principals", {"name": "joe"})
    config.write_text(CONFIG + "# mine\n")
    with pytest.raises(CannotEdit, match="somebody else has changed it just now"):
        file.save()
    assert config.read_text() == CONFIG + "# mine\n"
