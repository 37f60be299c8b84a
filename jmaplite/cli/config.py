"""`jmaplite config`: what can be said of configurations without one."""

from __future__ import annotations

import json

import click


@click.group("config")
def config() -> None:
    """Print the schema of configuration files."""


@config.command("schema")
def schema() -> None:
    """Print a JSON Schema of configuration files.

    Editors that know TOML can complete and check by it: with Taplo (Even Better TOML) by a first line
    `#:schema ./jmaplite.schema.json`.
    """
    from jmaplite.config.schema import schema as made

    click.echo(json.dumps(made(), indent=2, ensure_ascii=False))
