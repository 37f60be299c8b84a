"""The index of lines knows every key that the TOML parser finds, and where it stands."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.config.lines import Path, index


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """Every key path of a document that was read, and of each element of a list."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths(inner, (*path, number))


BLANKS = st.sampled_from(["", "\n", "  \n", "# [x] = \"'\n", "\r\n", '#"""\n\t\n'])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ['"', "'", '"""', "'''", "# no", "]", "[[a]]", "a = 1\nb = 2", "\\", "\n\n"]
)
KEYS = st.text("ab-_1", min_size=1, max_size=3) | TEXTS


def basic(text: str) -> str:
    """A TOML basic string."""
    return json.dumps(text).replace("\x7f", "\\u007f")


@st.composite
def strings(draw: st.DrawFn) -> str:
    text = draw(TEXTS)
    plain = all(c in "\n\t" or (c.isprintable() and c != "'") for c in text)
    forms = [basic(_astral_free(text))]
    forms.append(
        '"""' + basic(_astral_free(text))[1:-1].replace("\\n", "\n") + draw(st.sampled_from(["", '"', '""'])) + '"""'
    )
    forms.append('"""\\\n   ' + basic(_astral_free(text))[1:-1] + '"""')
    if plain:
        forms.append("'''" + text + draw(st.sampled_from(["", "'", "''"])) + "'''")
        if "\n" not in text:
            forms.append(f"'{text}'")
    return draw(st.sampled_from(forms))


def _astral_free(text: str) -> str:
    """Without what JSON can only escape as a surrogate pair, which TOML does not know."""
    return "".join(c for c in text if ord(c) < 0x10000)


def key_text(key: str, draw: st.DrawFn) -> str:
    if key and set(key) <= set("ab-_1") and draw(st.booleans()):
        return key
    return basic(key)


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    plain = st.sampled_from(["1", "true", "-1.5e3", "inf", "1979-05-27 07:32:00", "1979-05-27T07:32:00Z", "0x1f"])
    kind = draw(st.integers(0, 3 if depth else 1))
    if kind == 0:
        return draw(plain)
    if kind == 1:
        return draw(strings())
    if kind == 2:
        parts = draw(st.lists(values(depth - 1), max_size=3))
        inside = ""
        for part in parts:
            inside += draw(BLANKS) + part + draw(BLANKS) + ","
        return "[" + (inside if draw(st.booleans()) else inside.removesuffix(",")) + draw(BLANKS) + "]"
    keys = draw(st.lists(KEYS.map(_astral_free), max_size=3, unique=True))
    pairs = [f"{key_text(key, draw)} = {draw(values(depth - 1).filter(_one_line))}" for key in keys]
    return "{ " + ", ".join(pairs) + " }"


def _one_line(text: str) -> bool:
    return "\n" not in text


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Path, int]]:
    """A document, and the line on which each of its pairs begins."""
    text = ""
    lines: dict[Path, int] = {}
    table: Path = ()
    arrays: dict[str, int] = {}
    names = draw(st.lists(KEYS.map(_astral_free), min_size=1, max_size=8, unique=True))
    for name in names:
        text += draw(BLANKS)
        here = text.count("\n") + 1
        match draw(st.integers(0, 3)):
            case 0:
                table = (name,)
                text += f"[ {key_text(name, draw)} ] # x\n"
            case 1:
                for again in range(draw(st.integers(1, 3))):
                    here = text.count("\n") + 1
                    text += f"[[{key_text(name, draw)}]]\n"
                    table = (name, again)
                    lines[table] = here
                    arrays[name] = again
                text += f"[{key_text(name, draw)}.{key_text(name, draw)}]\n"
                table = (*table, name)
            case 2:
                text += f"{key_text(name, draw)} . b = {draw(values())}\n"
                lines[*table, name, "b"] = here
                continue
            case _:
                text += f"\t{key_text(name, draw)} = {draw(values())}{draw(st.sampled_from(['', ' # c']))}\n"
                lines[*table, name] = here
                continue
        lines[table] = text.rstrip("\n").count("\n") + 1
    return text, lines


@given(documents())
def test_every_key_that_the_parser_finds_has_the_line_it_was_written_on(
    made: tuple[str, dict[Path, int]],
) -> None:
    text, lines = made
    found = index(text)
    document: dict[str, Any] = tomllib.loads(text)
    missing = [path for path in paths(document) if path not in found]
    assert missing == []
    assert {path: found[path] for path in lines} == lines
    assert set(found) == set(paths(document))


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = [\n1,\n\n2]", ("a", 1), 4),
        ("a = [[1],\n[\n2]]", ("a", 1, 0), 3),
        ("a.b.c = 1\n[a.d]\n\ne = 1", ("a", "d", "e"), 4),
        ("[a.b]\nx = 1\n[a]", ("a",), 3),
        ("[a.b]\nx = 1", ("a",), 1),
        ("[[a]]\n[[a]]\n[a.b]\nc = 1", ("a", 1, "b", "c"), 4),
        ("[[a]]\n[[a.b]]\n[[a.b]]\n[[a]]\n[[a.b]]\nc = 1", ("a", 1, "b", 0, "c"), 6),
        ('"\\u0061\\t" = 1', ("a\t",), 1),
        ("'a\\t' = 1", ("a\\t",), 1),
        ('"" = 1', ("",), 1),
        ('a = """\n"""\nb = 1', ("b",), 3),
        ("a = '''\n]'''\nb = 1", ("b",), 3),
        ('a = """x"""""\nb = 1', ("b",), 2),
        ('a = ["""x"}""",\n1]', ("a", 1), 2),
        ("a = ['''x'}''',\n1]", ("a", 1), 2),
        ("a = {b = 1, c = [\n1,\n2]}", ("a", "c", 1), 3),
        ("a = 1\r\nb = 1\r\n", ("b",), 2),
    ],
)
def test_a_key_stands_on_its_line(text: str, path: Path, line: int) -> None:
    tomllib.loads(text)
    assert index(text)[path] == line


@pytest.mark.parametrize("text", ["a = [}", "a = [1}", "a = {b = ]}", 'a = [""x"}"]'])
def test_what_is_no_toml_is_refused_where_there_is_no_value(text: str) -> None:
    """A list that waited for its end took all the memory there was."""
    with pytest.raises(ValueError, match="not a"):
        index(text)
