"""`jmaplite serve`: the server itself, until it is told to stop."""

from __future__ import annotations

import click

from jmaplite.cli.options import config_argument, loaded


@click.command("serve")
@config_argument
def serve(config: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Prints a line for each listener once it accepts connections. Ends with 0 when it is told to stop, and with 1
    when it cannot start; the reason, and everything that is logged, goes to standard error.
    """
    told = loaded(config)
    for remark in told.remarks:
        if remark.severity == "warning":
            click.echo(remark.shown(), err=True)
    from jmaplite.server import CannotServe, run

    try:
        run(told, config, click.echo)
    except CannotServe as error:
        raise click.ClickException(str(error)) from error
