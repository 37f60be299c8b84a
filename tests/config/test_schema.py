"""The JSON Schema of the configuration knows what the server knows."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from jmaplite import cli
from jmaplite.config.schema import schema
from jmaplite.config.sections import Option
from jmaplite.config.table import REFUSED
from jmaplite.config.table.imapd import OPTIONS as IMAPD
from tests.config.test_table import NAMES, document

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*.toml"))
NO_VALUES = ("the machine's name", "the system's", "never", "unknown")
"""Defaults that nobody could write."""

VALIDATOR = Draft202012Validator(schema())


def errors(text: str) -> list[str]:
    """What the schema has to say of a document."""
    return [error.json_path for error in VALIDATOR.iter_errors(tomllib.loads(text))]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_valid(example: Path) -> None:
    assert errors(example.read_text("utf-8")) == []


@pytest.mark.parametrize(("option", "name"), NAMES, ids=lambda item: str(item) if isinstance(item, str) else "")
def test_every_name_of_every_option_is_known_and_checked(option: Option, name: str) -> None:
    """Also what it does not take: no option takes a date, and no value is taken under a name with an `x` behind."""
    assert errors(document(name, '"%{env:X}%"')) == [] or "[]" in name
    assert errors(document(name, "1979-05-27"))
    if not option.open:
        assert errors(document(f"{name}x", '"%{env:X}%"'))
    if option.default not in (None, *NO_VALUES) and not option.open:
        wrong = errors(document(name, str(option.default)))
        assert [path for path in wrong if path.endswith(name.rpartition(".")[2])] == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_by_name_is_refused(name: str) -> None:
    assert errors(f"{name.replace('<id>', 'x')} = {{}}")


def test_cyruss_options_are_known() -> None:
    for cyrus in IMAPD:
        refused = cyrus.becomes is None and not cyrus.only and not cyrus.note
        assert bool(errors(f'imapd.{cyrus.name} = "{cyrus.default}"')) == refused
    assert errors("imapd.jmap_max_size_uplaod = 1")


def test_the_command_prints_it() -> None:
    result = CliRunner().invoke(cli.main, ["config", "schema"])
    assert result.exit_code == 0
    printed: dict[str, Any] = json.loads(result.stdout)
    assert printed == json.loads(json.dumps(schema()))
