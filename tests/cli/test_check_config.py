"""`jmaplite check-config`, and how all commands come by their configuration."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import jmaplite
from jmaplite import cli
from jmaplite.cli.options import config_option
from jmaplite.config import Config
from jmaplite.directory import DirectoryUnavailable
from jmaplite.directory.memory import MemoryDirectory

GOOD = """\
[server.listener.jmap]
bind = "127.0.0.1:0"
[jmap]
directory = "memory"
[directory.memory]
type = "memory"
"""

FIVE_MISTAKES = """\
[server.listener.jmap]
bind = "127.0.0.1"
prot = "jmap"
[jmap]
directory = "ldap"
[directory.memory]
type = "mysql"
[jmap.http]
headers = ["X-A: b",
  "X-B"]
"""


@pytest.fixture
def run() -> CliRunner:
    return CliRunner()


def test_a_good_file_is_ok(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(GOOD)
    result = run.invoke(cli.main, ["check-config", str(tmp_path / "c.toml")])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "OK\n", "")


def test_five_mistakes_are_five_lines_on_standard_output_and_end_with_1(
    run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text(FIVE_MISTAKES)
    result = run.invoke(cli.main, ["check-config", "config.toml"])
    assert result.exit_code == 1
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "config.toml:2: server.listener.jmap.bind: expected an address and port such as "
        '"127.0.0.1:8080" or "[::]:443", or "unix:PATH", found \'127.0.0.1\'',
        "config.toml:3: server.listener.jmap.prot: unknown key (did you mean 'protocol'?)",
        "config.toml:5: jmap.directory: there is no directory 'ldap' (there is 'memory')",
        'config.toml:7: directory.memory.type: expected "memory" or "sql" or "ldap", found \'mysql\'',
        "config.toml:10: jmap.http.headers: expected a header line \"Name: value\", found 'X-B'",
    ]


def test_warnings_are_told_and_keep_nobody_from_serving(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(GOOD.replace("127.0.0.1:0", "0.0.0.0:0") + "[imapd]\nconversations_db = 'twoskip'")
    result = run.invoke(cli.main, ["check-config", str(tmp_path / "c.toml")])
    assert result.exit_code == 0
    warning, note, ok = result.stdout.splitlines()
    assert warning.startswith(f"{tmp_path}/c.toml:2: server.listener.jmap.bind: warning: passwords come in without TLS")
    assert note.startswith(f"{tmp_path}/c.toml:8: imapd.conversations_db: note: threads are kept in the store")
    assert ok == "OK"


def test_an_editor_is_told_in_json(run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text(FIVE_MISTAKES.replace("127.0.0.1", "0.0.0.0:0"))
    result = run.invoke(cli.main, ["check-config", "--json", "config.toml"])
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert [(one["line"], one["severity"]) for one in told] == [(2, "warning"), *((n, "error") for n in (3, 5, 7, 10))]
    assert told[1] == {
        "file": "config.toml",
        "line": 3,
        "key": "server.listener.jmap.prot",
        "severity": "error",
        "message": "unknown key (did you mean 'protocol'?)",
    }
    Path("config.toml").write_text(GOOD)
    assert json.loads(run.invoke(cli.main, ["check-config", "--json", "config.toml"]).stdout) == []


def test_a_port_in_use_is_told_on_its_line(run: CliRunner, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        binds = f'["127.0.0.1:0",\n "127.0.0.1:{port}",\n "unix:none/x.sock"]'
        (tmp_path / "c.toml").write_text(GOOD.replace('"127.0.0.1:0"', binds))
        result = run.invoke(cli.main, ["check-config", str(tmp_path / "c.toml")])
    assert result.exit_code == 0
    told = [line.partition(f"{tmp_path}/c.toml:")[2] for line in result.stdout.splitlines() if "passwords" not in line]
    assert told == [
        f"3: server.listener.jmap.bind: warning: 127.0.0.1:{port} is in use, maybe by this server itself",
        f"4: server.listener.jmap.bind: warning: unix:{tmp_path}/none/x.sock cannot be made: '{tmp_path}/none' is not "
        "writable",
        "",
    ]


def test_the_directory_in_use_is_asked_when_that_is_wanted(
    run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.toml").write_text(GOOD)
    command = ["check-config", "--online", str(tmp_path / "c.toml")]
    assert run.invoke(cli.main, command).stdout == "OK\n"

    def away(_: MemoryDirectory, name: str) -> None:
        raise DirectoryUnavailable("connection refused")

    monkeypatch.setattr(MemoryDirectory, "principal", away)
    result = run.invoke(cli.main, command)
    assert (result.exit_code, result.stdout) == (
        1,
        f"{tmp_path}/c.toml:5: directory.memory: does not answer: connection refused\n",
    )


def test_a_file_that_is_not_there_is_a_mistake(run: CliRunner, tmp_path: Path) -> None:
    result = run.invoke(cli.main, ["check-config", str(tmp_path / "none.toml")])
    assert result.exit_code == 1
    assert result.stdout == f"{tmp_path}/none.toml: cannot be read: No such file or directory\n"


@click.command
@config_option
def shows_its_listeners(config: Config) -> None:
    click.echo([one.id for one in config.listeners])


def test_a_command_finds_its_configuration_by_option_environment_or_place(
    run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, listener in (("config.toml", "placed"), ("env.toml", "environment"), ("option.toml", "option")):
        Path(name).write_text(GOOD.replace("listener.jmap", f"listener.{listener}"))
    environment = {"JMAPLITE_CONFIG": "env.toml"}
    assert run.invoke(shows_its_listeners).stdout == "['placed']\n"
    assert run.invoke(shows_its_listeners, env=environment).stdout == "['environment']\n"
    result = run.invoke(shows_its_listeners, ["--config", "option.toml"], env=environment)
    assert result.stdout == "['option']\n"


def test_a_command_shows_mistakes_on_standard_error_and_ends_with_1(
    run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text(FIVE_MISTAKES)
    result = run.invoke(shows_its_listeners)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 5)


def test_help_needs_no_configuration(run: CliRunner) -> None:
    result = run.invoke(shows_its_listeners, ["--help"])
    assert result.exit_code == 0
    assert "$JMAPLITE_CONFIG, else ./config.toml" in " ".join(result.stdout.split())


def test_the_version_is_told(run: CliRunner) -> None:
    assert run.invoke(cli.main, ["--version"]).stdout == f"jmaplite {jmaplite.__version__}\n"


@pytest.mark.parametrize("name", cli.main.list_commands(click.Context(cli.main)))
def test_a_command_has_help_that_begins_with_its_summary(run: CliRunner, name: str) -> None:
    command = cli.main.get_command(click.Context(cli.main), name)
    assert command is not None
    assert command.name == name
    result = run.invoke(cli.main, [name, "--help"])
    assert result.exit_code == 0
    assert cli.COMMANDS[name].summary in " ".join(result.stdout.split())
    assert cli.COMMANDS[name].summary in " ".join(run.invoke(cli.main, ["--help"]).stdout.split())


def test_an_unknown_command_is_refused_in_one_sentence(run: CliRunner) -> None:
    result = run.invoke(cli.main, ["serv"])
    assert result.exit_code == 2
    assert "No such command 'serv'" in result.stderr


def test_a_command_whose_module_is_missing_does_not_break_the_others(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cli.COMMANDS, "fly", cli.Place("no_such_module", "Fly."))
    assert "fly" not in run.invoke(cli.main, ["--help"]).stdout
    assert "No such command 'fly'" in run.invoke(cli.main, ["fly"]).stderr


def test_help_is_quick_because_no_command_is_imported() -> None:
    code = """
import sys
from jmaplite.cli import main
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
    print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert not [name for name in loaded if name.startswith("jmaplite.") and name != "jmaplite.cli"]
    assert {"quart", "hypercorn", "argon2", "apsw"}.isdisjoint(loaded)


def test_the_module_is_the_command_line() -> None:
    command = [sys.executable, "-m", "jmaplite", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"jmaplite {jmaplite.__version__}\n"


def test_output_that_cannot_be_written_is_told_in_a_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jmaplite", "--version"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (1, "Error: [Errno 28] No space left on device\n")
