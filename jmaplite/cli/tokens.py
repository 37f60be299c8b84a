"""`jmaplite token`: tokens by which devices and programs log in, for users of any kind of directory."""

from __future__ import annotations

import time
from typing import Any

import click

from jmaplite.cli.options import config_option, printable
from jmaplite.cli.users import edited, save
from jmaplite.config import Config
from jmaplite.config.editing import PEOPLE, moment
from jmaplite.config.kinds import MOMENT, SECONDS, Wrong


@click.group("token")
def token() -> None:
    """Make, list and revoke tokens.

    A token is good as a bearer token, and in place of its user's password. Only its hash is kept, in the configuration
    file beside the directory, wherever the users are. A server that runs takes the change up at once.
    """


def _end(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """When something ends, in seconds since the epoch, of a duration from now or a date and time."""
    if value is None:
        return None
    try:
        return time.time() + SECONDS.parse(value)
    except Wrong:
        try:
            return MOMENT.parse(value)
        except Wrong:
            message = "expected a duration such as 90d, or a date and time such as 2027-01-31"
            raise click.BadParameter(message, context, parameter) from None


@token.command("create")
@config_option
@click.argument("user")
@click.argument("name")
@click.option("--expires", callback=_end, metavar="WHEN", help="How long it is good (90d), or until when (2027-01-31).")
def create(config: Config, user: str, name: str, expires: float | None) -> None:
    """Make a token called NAME for USER, and print it: it is shown here and nowhere else."""
    people = config.directory.principals
    if config.directory.type == "memory" and not any(one.name == user for one in people):
        raise click.ClickException(f"there is no {printable(user)}")
    if any(one.user == user and one.name == name for one in config.directory.tokens):
        raise click.ClickException(f"{printable(user)} has a token {printable(name)} already")
    from jmaplite.server.passwords import hash_token, new_token

    made = new_token()
    row: dict[str, Any] = {"user": user, "name": name, "hash": hash_token(made), "created": moment(time.time())}
    if expires is not None:
        row["expires"] = moment(expires)
    file = edited(config)
    file.add("tokens", row)
    save(file)
    click.echo(made)


@token.command("list")
@config_option
@click.argument("user", required=False)
def show(config: Config, user: str | None) -> None:
    """List tokens, of USER or of all: a line each with user, name, date made and date of its end, tabs between them."""
    for one in config.directory.tokens:
        if user in (None, one.user):
            dates = [moment(when).isoformat() if when is not None else "" for when in (one.created, one.expires)]
            click.echo("\t".join([printable(one.user), printable(one.name), *dates]))
    for person in config.directory.principals:
        for stored in person.tokens if user in (None, person.name) else ():
            click.echo("\t".join([printable(person.name), printable(stored.rpartition("sha256:")[0][:-1]), "", ""]))


@token.command("revoke")
@config_option
@click.argument("user")
@click.argument("name")
def revoke(config: Config, user: str, name: str) -> None:
    """Take the token NAME away from USER."""
    file = edited(config)
    gone = file.remove("tokens", lambda row: row.get("user") == user and row.get("name") == name)
    for row in file.rows(*PEOPLE):
        stored = row.get("tokens", ())
        listed = [stored] if isinstance(stored, str) else list(stored)
        kept = [one for one in listed if not one.startswith(f"{name}:sha256:")]
        if row.get("name") == user and len(kept) < len(listed):
            gone += 1
            row["tokens"] = kept
    if not gone:
        raise click.ClickException(f"{printable(user)} has no token {printable(name)}")
    save(file)
    click.echo(f"{printable(name)} of {printable(user)} is revoked")
