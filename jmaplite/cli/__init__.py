"""The commands. Each is imported only when it is asked for, so that starting and `--help` stay quick."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any, NamedTuple

import click

from jmaplite import __version__


class Place(NamedTuple):
    """Where a command is defined, and what it does in a few words."""

    module: str
    summary: str


COMMANDS = {
    "serve": Place("serve", "Serve until SIGTERM or SIGINT."),
    "dev": Place("dev", "Serve as a test fixture until SIGTERM or SIGINT."),
    "init": Place("init", "Write a commented config.toml to begin with."),
    "check-config": Place("check_config", "Show every mistake in a configuration file."),
    "convert-config": Place("convert_config", "Make a configuration of Cyrus's imapd.conf."),
    "config": Place("config", "Print the schema of configuration files."),
    "print-unit": Place("print_unit", "Print a systemd unit for this configuration."),
    "user": Place("users", "Add, list and remove users, and change their passwords."),
    "token": Place("tokens", "Make, list and revoke tokens."),
    "import": Place("imports", "Bring mail in from files."),
    "export": Place("export", "Write an account's mail to files."),
    "deliver": Place("deliver", "Put the message on standard input into accounts."),
    "sieve": Place("sieve", "Check a Sieve script, or show what it would do."),
    "queue": Place("queue", "List what waits to be sent; try it now, hold it, take it out."),
    "conversations": Place("conversations", "Make Threads anew, clear, check or list them."),
    "backup": Place("backup", "Copy everything that is stored into a new DIRECTORY"),
    "restore": Place("backup", "Make the store anew from a backup in DIRECTORY."),
    "verify": Place("verify", "Check that what is stored is whole."),
}


class _Lazy(click.Group):
    """A group that knows its commands by name and imports one when it is used."""

    def main(self, *args: Any, **more: Any) -> Any:
        """Run a command; what cannot even be printed ends it with a sentence."""
        try:
            return super().main(*args, **more)
        except OSError as error:
            sys.exit(f"Error: {error}")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands that are there."""
        return [name for name, place in COMMANDS.items() if importlib.util.find_spec(_module(place))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, or None."""
        place = COMMANDS.get(cmd_name)
        if place is None or importlib.util.find_spec(_module(place)) is None:
            return None
        module = importlib.import_module(_module(place))
        for value in vars(module).values():
            if isinstance(value, click.Command) and value.name == cmd_name:
                return value
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands and their summaries, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].summary) for name in self.list_commands(ctx)])


def _module(place: Place) -> str:
    return f"{__name__}.{place.module}"


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="jmaplite", message="%(prog)s %(version)s")
def main() -> None:
    """A JMAP server in one file (RFC 8620, RFC 8621)."""
