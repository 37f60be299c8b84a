"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from jmaplite.config import Config, ConfigError, load

F = TypeVar("F", bound=Callable[..., Any])


def loaded(path: str) -> Config:
    """The configuration in a file; mistakes in it go to standard error, and the program ends with 1."""
    try:
        return load(path)
    except ConfigError as error:
        for line in error.lines():
            click.echo(line, err=True)
        click.get_current_context().exit(1)


def printable(text: str) -> str:
    """A text from elsewhere, such as a file's name, with escapes for what could steer a terminal or end the line."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def config_option(command: F) -> F:
    """Give a command `--config FILE`; its parameter `config` is then the loaded Config."""
    return click.option(
        "--config",
        "config",
        metavar="FILE",
        envvar="JMAPLITE_CONFIG",
        default="config.toml",
        show_default="$JMAPLITE_CONFIG, else ./config.toml",
        help="The configuration file.",
        callback=_load,
    )(command)


def config_argument(command: F) -> F:
    """Give a command the argument CONFIG, the path of a configuration file."""
    return click.argument("config", metavar="CONFIG")(command)


def _load(context: click.Context, _: click.Parameter, value: str) -> Config | None:
    return None if context.resilient_parsing else loaded(value)
