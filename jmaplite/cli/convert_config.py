"""`jmaplite convert-config`: from Cyrus to here."""

from __future__ import annotations

from pathlib import Path

import click

from jmaplite.cli.options import printable


@click.command("convert-config")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def convert_config(file: Path) -> None:
    """Make a configuration of Cyrus's imapd.conf.

    The TOML goes to standard output. What it could not carry over goes to standard error, a line `FILE:LINE: option:
    reason` for each; passwords may be among what is carried over.
    """
    from jmaplite.config.convert import convert

    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise click.ClickException(f"{printable(str(file))} cannot be read: {error.strerror}") from None
    result = convert(text, printable(str(file)))
    for line, option, reason in result.left_out:
        click.echo(printable(f"{file}:{line}: {option}: {reason}"), err=True)
    click.echo(result.text, nl=False)
