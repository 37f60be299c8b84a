"""`jmaplite verify`: whether everything that is stored is whole."""

from __future__ import annotations

import click

from jmaplite.cli.options import config_option, printable
from jmaplite.cli.telling import told_plainly
from jmaplite.config import Config
from jmaplite.server import transfer


@click.command("verify")
@config_option
@click.option(
    "--account",
    metavar="NAME",
    help="Only this account: the name or an address of a principal, or the id of an account.",
)
def verify(config: Config, account: str | None) -> None:
    """Check that what is stored is whole.

    Reads every account's files, every message and blob, and counts again what is kept counted. Prints a line
    for each fault and ends with 1 if there is any. It may run beside the server.
    """
    faulty = False
    with told_plainly("nothing was changed"), transfer(config, create=False) as mail:
        owners = mail.owners() if account is None else [mail.owner(account)]
        for owner in owners:
            for fault in mail.verify(owner):
                faulty = True
                click.echo(printable(f"{owner.account_id} ({owner.name}): {fault}"))
    if faulty:
        click.get_current_context().exit(1)
    click.echo(f"OK: {len(owners)} account{'' if len(owners) == 1 else 's'}")
