"""`jmaplite init`: a configuration to begin with."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from jmaplite import cli
from jmaplite.config import load
from jmaplite.directory.passwords import is_hash, verify


def invoke(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(cli.main, ["init", *map(str, arguments)])
    return result.exit_code, result.output


def test_it_writes_a_configuration_without_a_mistake_for_its_owner_alone(tmp_path: Path) -> None:
    code, output = invoke(tmp_path / "mail", "--user", "jane@example.org", "--hostname", "mail.example.org")
    assert code == 0, output
    file = tmp_path / "mail" / "config.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    config = load(file)
    assert config.remarks == ()
    assert config.server.hostname == "mail.example.org"
    [jane] = config.directory.principals
    assert (jane.name, jane.type, jane.emails) == ("jane@example.org", "individual", ("jane@example.org",))


def test_the_password_is_shown_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    _, output = invoke(tmp_path)
    [password] = [line.partition(":")[2].strip() for line in output.splitlines() if line.startswith("Password:")]
    assert len(password) >= 20
    assert password not in (tmp_path / "config.toml").read_text()
    [secret] = load(tmp_path / "config.toml").directory.principals[0].secrets
    assert is_hash(secret)
    assert verify(secret, password)


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("mine")
    code, output = invoke(tmp_path)
    assert (code, output) == (1, f"Error: {tmp_path}/config.toml is there already, and stays as it is\n")
    assert (tmp_path / "config.toml").read_text() == "mine"


def test_every_line_that_is_commented_out_may_be_used(tmp_path: Path) -> None:
    invoke(tmp_path, "--user", "a@example.org")
    text = (tmp_path / "config.toml").read_text()
    for line in ("url =", "proxy.trusted-networks =", "[jmap.http.cors]", "allowed-origins =", "[relay]", "host =",
                 "port =", "tls.starttls =", "auth.username =", "auth.secret ="):  # fmt: skip
        found = next(one for one in text.splitlines() if one.startswith("#") and line in one)
        text = text.replace(found, found.lstrip("# "))
    (tmp_path / "relay-password").write_text("hush\n")
    (tmp_path / "config.toml").write_text(text)
    config = load(tmp_path / "config.toml")
    assert (config.relays[0].auth_secret, config.relays[0].tls_starttls) == ("hush", "require")
    assert config.cors.allowed_origins == ("https://webmail.example.org",)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--user", "jane", "expected an e-mail address"),
        ("--hostname", "a b", "expected a host name or an IP address"),
        ("--bind", "8080", "expected an address and port"),
    ],
)
def test_what_the_configuration_would_not_take_is_refused_before(
    option: str, value: str, message: str, tmp_path: Path
) -> None:
    code, output = invoke(tmp_path, option, value)
    assert code == 2
    assert message in " ".join(output.split())
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, output = invoke(tmp_path / "file" / "beneath")
    assert code == 1
    assert output == f"Error: {tmp_path}/file/beneath/config.toml cannot be written: Not a directory\n"
