"""`jmaplite check-config`: every mistake in a configuration file at once."""

from __future__ import annotations

import click

from jmaplite.cli.options import config_argument
from jmaplite.config import ConfigError, load


@click.command("check-config")
@config_argument
def check_config(config: str) -> None:
    """Show every mistake in a configuration file.

    Prints `OK` and ends with 0, or prints a line `FILE:LINE: key: message` for each mistake and ends with 1.
    Either goes to standard output.
    """
    try:
        load(config)
    except ConfigError as error:
        click.echo("\n".join(error.lines()))
        click.get_current_context().exit(1)
    click.echo("OK")
