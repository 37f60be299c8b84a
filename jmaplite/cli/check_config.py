"""`jmaplite check-config`: every mistake in a configuration file at once."""

from __future__ import annotations

import json

import click

from jmaplite.cli.options import config_argument
from jmaplite.config import Mistake, examine


@click.command("check-config")
@config_argument
@click.option("--online", is_flag=True, help="Ask the directories whether they answer, too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, for editors.")
def check_config(config: str, online: bool, as_json: bool) -> None:
    """Show every mistake in a configuration file.

    Prints a line `FILE:LINE: key: message` for each mistake and ends with 1, or prints `OK` and ends with 0.
    Warnings and notes are lines of their own, with what they are in front of the message; they change nothing of
    that. All of it goes to standard output.
    """
    found, read = examine(config)
    if read is not None and online:
        from jmaplite.server.checking import directories_that_are_away

        found += directories_that_are_away(*read)
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in found], indent=2, ensure_ascii=False))
    else:
        for one in found:
            click.echo(one.shown())
    if any(one.severity == "error" for one in found):
        click.get_current_context().exit(1)
    if not as_json:
        click.echo("OK")


def _as_json(mistake: Mistake) -> dict[str, str | int]:
    return {
        "file": mistake.file,
        "line": mistake.line,
        "key": mistake.key,
        "severity": mistake.severity,
        "message": mistake.message,
    }
