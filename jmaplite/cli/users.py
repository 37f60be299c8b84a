"""`jmaplite user`: the people and groups of a directory that stands in the configuration."""

from __future__ import annotations

import sys
from typing import Any

import click

from jmaplite.cli.options import config_option, printable
from jmaplite.config import Config
from jmaplite.config.editing import PEOPLE, CannotEdit, DirectoryFile


@click.group("user")
def user() -> None:
    """Add, list and remove users, and change their passwords.

    For users who stand in the configuration file (a directory of type "memory"); its comments stay as they are. A
    server that runs takes the change up at once.
    """


@user.command("add")
@config_option
@click.argument("name")
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="An address of theirs; the first is theirs.")
@click.option("--description", metavar="TEXT", default="", help="The name that people see.")
@click.option("--member-of", "groups", multiple=True, metavar="GROUP", help="A group whose account they see.")
@click.option("--quota", metavar="SIZE", help="What the account may hold, such as 1G.")
@click.option("--admin", is_flag=True, help="They may administer.")
@click.option("--group", is_flag=True, help="It is a group, and has no password.")
def add(config: Config, name: str, group: bool, admin: bool, **told: Any) -> None:
    """Add a user called NAME, who is the address as well if it is one.

    The password is asked for, or read from the first line of standard input if that is no terminal.
    """
    row: dict[str, Any] = {"name": name, "type": "group" if group else "admin" if admin else "individual"}
    row["description"] = told["description"]
    if not group:
        row["secret"] = _hashed(_password())
    row["email"] = list(told["emails"]) or ([name] if "@" in name else [])
    row["member-of"] = list(told["groups"])
    row["quota"] = told["quota"]
    file = edited(config, memory=True)
    file.add("principals", {key: value for key, value in row.items() if value})
    save(file)
    click.echo(f"{printable(name)} is added")


@user.command("list")
@config_option
def show(config: Config) -> None:
    """List users and groups: a line each with name, type and addresses, tabs between them."""
    edited(config, memory=True)
    for one in config.directory.principals:
        click.echo("\t".join([printable(one.name), one.type, " ".join(one.emails)]))


@user.command("passwd")
@config_option
@click.argument("name")
def passwd(config: Config, name: str) -> None:
    """Change the password of NAME to one that is asked for, or read from standard input.

    It takes the place of all passwords before; tokens stay.
    """
    file = edited(config, memory=True)
    rows = [row for row in file.rows(*PEOPLE) if row.get("name") == name]
    if not rows:
        raise click.ClickException(f"there is no {printable(name)}")
    rows[0]["secret"] = _hashed(_password())
    save(file)
    click.echo(f"{printable(name)} has another password")


@user.command("remove")
@config_option
@click.argument("name")
def remove(config: Config, name: str) -> None:
    """Remove the user or group NAME and its tokens. The account and its mail stay in the store."""
    file = edited(config, memory=True)
    if not sum(file.remove(rows, lambda row: row.get("name") == name) for rows in PEOPLE):
        raise click.ClickException(f"there is no {printable(name)}")
    file.remove("tokens", lambda row: row.get("user") == name)
    save(file)
    click.echo(f"{printable(name)} is removed")


def edited(config: Config, *, memory: bool = False) -> DirectoryFile:
    """The file of the directory in use; with `memory` only if its users stand in it. Ends the program if it cannot."""
    if memory and config.directory.type != "memory":
        kind = config.directory.type
        raise click.ClickException(f"users of a directory of type {kind} do not stand in the configuration")
    try:
        return DirectoryFile(config)
    except CannotEdit as error:
        raise click.ClickException("\n".join(map(str, error.args))) from None


def save(file: DirectoryFile) -> None:
    """Write the file; ends the program if that cannot be."""
    try:
        file.save()
    except CannotEdit as error:
        raise click.ClickException("\n".join(map(str, error.args))) from None


def _password() -> str:
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        typed = sys.stdin.readline().rstrip("\r\n")
    if not typed:
        raise click.ClickException("the password is empty")
    return typed


def _hashed(password: str) -> str:
    from jmaplite.server.passwords import hash_password

    return hash_password(password)
