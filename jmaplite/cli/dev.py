"""`jmaplite dev`: a server as a test fixture, without a configuration."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import click

from jmaplite.config import ConfigError


@click.command("dev")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", default=0, show_default="any that is free", type=click.IntRange(0, 65535), help="The port.")
@click.option("--tls", is_flag=True, help="Speak https, with a certificate of a CA whose file is told.")
@click.option("--memory", is_flag=True, help="Keep mail in memory only, as it is without --data.")
@click.option(
    "--data", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Keep mail in a directory."
)
@click.option("--seed", default="", metavar="TEXT", help="Ids, states and made-up mail are the same for the same seed.")
@click.option("--now", default="", metavar="UTCDATE", help="The clock stands still, as at 2030-01-31T12:00:00Z.")
@click.option("--auto-provision", is_flag=True, help="Make every user at the first log-in, whatever the password.")
@click.option(
    "--mail",
    multiple=True,
    metavar="PATH",
    type=click.Path(exists=True, path_type=Path),
    help="Bring mail in at the start, for each user: mbox, Maildir, .eml, or a directory of such.",
)
@click.option("--threads", default=0, type=click.IntRange(0, 10_000), help="Make up so many threads for each user.")
@click.option(
    "--profile",
    default="",
    type=click.Choice(["", "cyrus", "stalwart", "james", "fastmail"]),
    metavar="NAME",
    help="Be like cyrus, stalwart, james or fastmail.",
)
@click.option("--quirk", "quirks", multiple=True, metavar="NAME", help="Have a quirk of another server.")
@click.option("--exit-with-parent", is_flag=True, help="End when the process ends that started this one.")
@click.option(
    "--log-level",
    default="warning",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The least severity that is logged, to standard error.",
)
def dev(*, memory: bool, exit_with_parent: bool, **given: Any) -> None:
    """Serve as a test fixture until SIGTERM or SIGINT.

    Prints one line of JSON when it is ready: where it is (url, session), users with passwords and bearer tokens, the
    file of the CA, and where it is controlled from. There are alice@example.org and bob@example.org, who share the
    account of team@example.org. Never for mail that matters: whoever reaches it controls it.
    """
    if memory and given["data"] is not None:
        raise click.UsageError("it is either --memory or --data DIR")
    gc.disable()  # nothing of what is imported is to be thrown away, and tests wait
    from jmaplite.dev import launch
    from jmaplite.dev.choosing import first
    from jmaplite.dev.quirks import UnknownQuirk
    from jmaplite.server import CannotServe, run_to_end

    gc.freeze()
    gc.enable()
    options = launch.Options(**given)
    try:
        first(options.profile, options.quirks)
        with launch.prepared(options) as (config, authority):
            run_to_end(config, launch.serve(config, authority, click.echo, options, exit_with_parent=exit_with_parent))
    except UnknownQuirk as error:
        raise click.UsageError(str(error)) from error
    except ConfigError as error:
        raise click.ClickException("; ".join(f"{one.key}: {one.message}" for one in error.mistakes)) from error
    except (CannotServe, OSError) as error:
        raise click.ClickException(str(error)) from error
