"""`jmaplite backup` and `jmaplite restore`: all that is stored, put away and made anew."""

from __future__ import annotations

import time
from pathlib import Path

import click

from jmaplite.cli.options import config_option, printable
from jmaplite.config import Config


@click.command("backup")
@config_option
@click.argument("directory", metavar="DIRECTORY", type=click.Path(path_type=Path))
def backup(config: Config, directory: Path) -> None:
    """Copy everything that is stored into a new DIRECTORY, while the server runs or not.

    Each account is copied as it is at one moment. DIRECTORY appears when the backup is whole.
    """
    from jmaplite.server.backups import BackupFailed, back_up

    try:
        owners = list(back_up(config, directory, time.time()))
    except BackupFailed as error:
        raise click.ClickException(printable(str(error))) from error
    click.echo(f"OK: {_accounts(len(owners))} in {printable(str(directory))}")


@click.command("restore")
@config_option
@click.argument("directory", metavar="DIRECTORY", type=click.Path(path_type=Path))
def restore(config: Config, directory: Path) -> None:
    """Make the store anew from a backup in DIRECTORY.

    There must be no store yet in the place that the configuration names. States of before are not valid any more, so
    that clients fetch everything again: what they have may be newer than the backup.
    """
    from jmaplite.server import backups

    try:
        count = backups.restore(config, directory)
    except backups.BackupFailed as error:
        raise click.ClickException(printable(str(error))) from error
    click.echo(f"OK: {_accounts(count)} in {printable(str(config.store.path))}")


def _accounts(count: int) -> str:
    return f"{count} account{'' if count == 1 else 's'}"
