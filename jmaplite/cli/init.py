"""`jmaplite init`: a configuration to begin with."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from jmaplite.cli.options import printable
from jmaplite.config.addresses import ADDRESS, EMAIL, HOST
from jmaplite.config.kinds import Kind, Wrong

TEMPLATE = """\
# The configuration of a jmaplite server. Every option: docs/config.md. After a change,
#
#   jmaplite check-config {path}
#
# shows every mistake in it; a server that runs takes it up by itself.

[server]
hostname = {hostname}            # how the server calls itself, in mail that it writes

[server.listener."jmap"]          # one table for each address to listen on
bind = [{bind}]        # 127.0.0.1 is not reachable from other machines
protocol = "jmap"
# For others to reach it, let a proxy that speaks TLS stand in front, and say what clients type:
#   url = "https://mail.example.org"
#   proxy.trusted-networks = ["127.0.0.1"]
# or speak TLS here, with the certificate named below:
#   bind = ["[::]:443"]
#   tls.implicit = true

# [certificate."main"]
# cert = "/etc/letsencrypt/live/mail.example.org/fullchain.pem"
# private-key = "/etc/letsencrypt/live/mail.example.org/privkey.pem"

[store]
path = "data"                     # where mail is kept, relative to this file

[jmap]
directory = "memory"              # which of the directories below knows the users

# [jmap.http.cors]
# allowed-origins = ["https://webmail.example.org"] # web clients on other origins

# [relay]                         # who takes mail for other places; without one it is refused
# host = "smtp.example.org"
# port = 587
# tls.starttls = "require"
# auth.username = "me"
# auth.secret = "%{{file:relay-password}}%"

[directory."memory"]
type = "memory"                   # the users stand in this file; other types are "sql" and "ldap"

[[directory."memory".principals]] # one table for each person
name = {user}                     # to log in with; also the name of the account
type = "individual"               # "group" for an account that several share
secret = {secret}
email = [{user}]                  # addresses that receive mail here; the first is the sender of new mail
quota = 0                         # octets that the account may hold, such as "2G"; 0 is without limit
"""


def _checked(kind: Kind[Any]) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """What checks a value on the command line as the configuration will."""

    def check(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        try:
            if value is not None:
                kind.parse(value)
        except Wrong as wrong:
            raise click.BadParameter(str(wrong) or f"expected {kind.expects}", param=parameter) from None
        return value

    return check


def _hostname() -> str:
    """This machine's name, if it is fit for a mail address."""
    name = socket.gethostname()
    try:
        return str(HOST.parse(name))
    except Wrong:
        return "localhost"


@click.command("init")
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--hostname", default=_hostname, callback=_checked(HOST), help="What the server calls itself.")
@click.option("--user", metavar="ADDRESS", callback=_checked(EMAIL), help="Who may log in.")
@click.option(
    "--bind", default="127.0.0.1:8080", show_default=True, callback=_checked(ADDRESS), help="Where to listen."
)
def init(directory: Path, hostname: str, user: str | None, bind: str) -> None:
    """Write a commented config.toml to begin with.

    Into DIR, or where one is. It has one user with a password that is made up, and shown here and nowhere else. What
    is there already is never written over.
    """
    path = directory / "config.toml"
    user = user or f"admin@{hostname}"
    password = secrets.token_urlsafe(15)

    from jmaplite.server.passwords import hash_password

    text = TEMPLATE.format(
        path=printable(str(path)),
        hostname=json.dumps(hostname),
        bind=json.dumps(bind),
        user=json.dumps(user),
        secret=json.dumps(hash_password(password)),
    )
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise click.ClickException(f"{printable(str(path))} is there already, and stays as it is") from None
    except OSError as error:
        raise click.ClickException(f"{printable(str(path))} cannot be written: {error.strerror}") from None
    click.echo(f"{printable(str(path))} is written; next: jmaplite serve {printable(str(path))}")
    click.echo(f"User:     {user}")
    click.echo(f"Password: {password}")
