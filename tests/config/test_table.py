"""What holds for every option, however many there are."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from jmaplite.config import ConfigError, Mistake, parse
from jmaplite.config.cyrus import because
from jmaplite.config.docs import render
from jmaplite.config.sections import Option, options
from jmaplite.config.table import REFUSED
from jmaplite.config.walk import sections

DOCS = Path(__file__).parents[2] / "docs" / "config.md"
OPTIONS = [option for declared in sections() for option in options(declared)]
NAMES = [(option, name) for option in OPTIONS for name in (option.name, *option.aliases, option.everywhere) if name]


def key(name: str) -> str:
    """A name of the table as a key that can be set."""
    return name.replace("<id>", "x")


def document(name: str, value: str) -> str:
    """A document that sets one option alone, on line 3."""
    if "[]" not in name:
        return f"\n\n{key(name)} = {value}\n"
    table, _, rest = key(name).partition("[].")
    return f"[[{table}]]\n\n{rest} = {value}\n"


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_an_option_is_documented_with_its_kind_default_and_other_names(option: Option) -> None:
    [line] = [
        line
        for line in DOCS.read_text("utf-8").splitlines()
        if line.startswith(f"| `{option.name.replace('[]', '')}` |")
    ]
    assert f"| {option.kind.name} |" in line
    assert option.doc in line
    assert option.doc.endswith(".")
    assert option.default is None or option.default in line or option.default in ('""', "[]")
    for alias in option.aliases:
        assert f"`{alias.replace('[]', '')}`" in line
    assert option.everywhere in line


def test_the_documentation_is_what_the_table_gives() -> None:
    assert DOCS.read_text("utf-8") == render(), "run: python -m jmaplite.config.docs docs/config.md"


def test_no_name_is_used_twice() -> None:
    names = [name for _, name in NAMES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_by_name_has_its_reason_and_whatever_is_beneath(name: str) -> None:
    [mistake] = [one for one in found(f"{key(name)}.y.z = 5\n") if one.key.startswith(key(name))]
    assert mistake == (1, key(name), because(REFUSED[name]), "c.toml", "error")
    assert name in DOCS.read_text("utf-8")


def test_a_default_that_is_shown_is_one_that_the_option_takes() -> None:
    wrong = []
    for option in OPTIONS:
        if not option.open and option.default not in (None, '""', "the machine's name"):
            mistakes = found(document(option.name, str(option.default)))
            wrong += [mistake for mistake in mistakes if mistake.key == key(option.name).replace("[]", "[0]")]
    assert wrong == []


BROKEN = st.recursive(
    st.sampled_from(
        ["1", "-1", "0", "true", "false", "nan", "inf", "1e400", "0x" + "f" * 5000, "9" * 4000, "1979-05-27",
         "07:32:00", "1979-05-27T07:32:00Z", "[]", "{}", '"%{env:X}%"', '"%{file:/}%"', '"%{file:\\u0000}%"',
         '"%{env:\\u0000=}%"', '"%{x:}%"', '"[::]:80"', '"[:80"', '"http://[::1"', '"::"', '"a:\\u0000"',
         '"1/1s"', '"٣s"', '"٣"', '"127.0.0.1:٣"', '"file://"', '"\\u0000"', '"/"', '"$argon2"', '"x@y"']
    )
    | st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF)).map(
        lambda text: json.dumps(text).replace("\x7f", "\\u007f")
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
    | inner.map(lambda part: f"{{ a = {part} }}"),
    max_leaves=4,
)  # fmt: skip


def found(text: str) -> list[Mistake]:
    """The mistakes in a text that is known to have some."""
    with pytest.raises(ConfigError) as raised:
        parse(text, "c.toml", environ={"X": "\0"})
    for line, mistake in zip(raised.value.lines(), raised.value.mistakes, strict=True):
        assert re.match(rf"c\.toml:{mistake.line}: ", line)
        assert line.isprintable(), "one mistake is one line"
        assert 1 <= mistake.line <= text.count("\n") + 1
    return raised.value.mistakes


@given(st.sampled_from(NAMES), BROKEN)
def test_no_value_of_an_option_is_answered_with_more_than_mistakes_on_lines(
    named: tuple[Option, str], value: str
) -> None:
    _, name = named
    for mistake in found(document(name, value)):
        assert mistake.line in (1, 3)


@given(st.lists(st.tuples(st.sampled_from(NAMES), BROKEN), min_size=1, max_size=6, unique_by=lambda item: item[0][1]))
def test_no_configuration_is_answered_with_more_than_mistakes_on_lines(
    settings: list[tuple[tuple[Option, str], str]],
) -> None:
    """Several options at once, never all that are required."""
    lines = [f"{key(name)} = {value}" for (_, name), value in settings if "[]" not in name]
    rows = [(*name.split("[]."), value) for (_, name), value in settings if "[]" in name]
    for table, group in itertools.groupby(sorted(rows), key=lambda row: row[0]):
        lines += [f"[[{key(table)}]]", *(f"{rest} = {value}" for _, rest, value in group)]
    found("\n".join(lines))


GOOD = """\
server.listener.x.bind = "127.0.0.1:0"
jmap.directory = "x"
directory.x.type = "memory"
certificate.x = { cert = "none.pem", private-key = "none.pem" }
"""


@examples(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(NAMES), BROKEN), min_size=1, max_size=6, unique_by=lambda item: item[0][1]))
def test_a_configuration_that_is_broken_has_a_line_for_each_mistake(
    settings: list[tuple[tuple[Option, str], str]],
) -> None:
    """All that is required is there, so that all checks have something to work with."""
    lines = [f"{key(name)} = {value}" for (_, name), value in settings if "[]" not in name]
    rows = [(*name.split("[]."), value) for (_, name), value in settings if "[]" in name]
    for table, group in itertools.groupby(sorted(rows), key=lambda row: row[0]):
        lines += [f"[[{key(table)}]]", *(f"{rest} = {value}" for _, rest, value in group)]
    assert found(GOOD + "\n".join(lines)), "the certificate is not there"
