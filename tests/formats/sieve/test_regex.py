"""Regular expressions: the same findings as another engine's, and no pattern that never ends."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jmaplite.formats.sieve import CAPABILITIES, FileInto, SieveError, parse
from jmaplite.formats.sieve.regex import compile_regex
from tests.formats.sieve.messages import actions, is_true, outcome


def free(_: int) -> None:
    """No charge."""


def find(pattern: str, value: str, comparator: str = "i;octet") -> list[str] | None:
    """What whole and groups match."""
    found = compile_regex(pattern.encode(), comparator).search(value.encode(), free)
    return None if found is None else [piece.decode() for piece in found]


@pytest.mark.parametrize(
    ("pattern", "value", "found"),
    [
        ("a", "bab", ["a"]),
        ("^a", "ba", None),
        ("a$", "ab", None),
        ("^$", "", [""]),
        ("(a|ab)(c|bcd)", "abcd", ["abcd", "a", "bcd"]),
        ("(a*)(b?)", "aab", ["aab", "aa", "b"]),
        ("a{2}", "aaa", ["aa"]),
        ("a{2,}", "baaa", ["aaa"]),
        ("a{0,2}b", "aaab", ["aab"]),
        ("[^a-c]+", "abcdefabc", ["def"]),
        ("[]a]+", "x]a]", ["]a]"]),
        ("[a-]+", "b-a", ["-a"]),
        ("[[:digit:][:upper:]]+", "abC12d", ["C12"]),
        ("\\.\\*", "a.*", [".*"]),
        ("\\d+\\s\\w", "x 12 y", ["12 y"]),
        ("gr.n", "grün", ["grün"]),
        ("[äöü]", "grün", ["ü"]),
        ("(x)?y", "y", ["y", ""]),
        ("((a)|b)+", "ab", ["ab", "b", "a"]),
        ("()", "a", ["", ""]),
        ("a||b", "b", [""]),
        ("(ab|a|b)*c", "abababc", ["abababc", "ab"]),
    ],
)
def test_what_is_found(pattern: str, value: str, found: list[str] | None) -> None:
    assert find(pattern, value) == found


WRONG = ["(", ")", "a)", "[", "[a", "*", "a|*", "+a", "{1}", "a{", "a{x}", "a{2,1}", "a{300}", "\\", "\\q"]
BRACKETS = ["[b-a]", "[[:bogus:]]"]
LARGE = ["(" * 60 + ")" * 60, "()" * 31, "((a{50}){50}){50}"]


@pytest.mark.parametrize("pattern", [*WRONG, *BRACKETS, *LARGE])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        compile_regex(pattern.encode())
    written = pattern.replace("\\", "\\\\")
    source = f'require "regex"; if header :regex "subject" "{written}" {{ }}'
    with pytest.raises(SieveError, match="line 1, column"):
        parse(source.encode(), capabilities=CAPABILITIES | {"regex"})


@pytest.mark.parametrize(
    ("pattern", "value", "octet", "ascii_casemap", "unicode"),
    [
        ("AB", "ab", False, True, True),
        ("[A-C]+z", "abCZ", False, True, True),
        ("Ä", "ä", False, False, True),
        ("[^a]", "A", True, False, False),
    ],
)
def test_case_counts_as_the_comparator_has_it(
    pattern: str, value: str, octet: bool, ascii_casemap: bool, unicode: bool
) -> None:
    assert (find(pattern, value) is not None) is octet
    assert (find(pattern, value, "i;ascii-casemap") is not None) is ascii_casemap
    assert (find(pattern, value, "i;unicode-casemap") is not None) is unicode


ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", "^", "$", "(a)", "(b|c)", "(a|ab)", "(ab*)"])
REPEATS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}", "{0,1}"])


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """Patterns that both engines read."""
    pieces = []
    for _ in range(draw(st.integers(1, 5))):
        atom = draw(ATOMS)
        pieces.append(atom if atom in "^$" else atom + draw(REPEATS))
        if draw(st.integers(0, 5)) == 0:
            pieces.append("|")
    return "".join(pieces).strip("|")


@settings(deadline=None, max_examples=500)
@given(patterns(), st.text("abc", max_size=10))
def test_it_finds_what_python_finds(pattern: str, value: str) -> None:
    expected = re.search(pattern.replace("$", r"\Z"), value, re.S)
    found = find(pattern, value)
    assert (found is None) is (expected is None)
    if found is not None and expected is not None:
        assert found == [expected[0], *(group or "" for group in expected.groups())]


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|aa)+$b", "(a|a?)+b", "(.*)(.*)(.*)(.*)(.*)b", "a?" * 30 + "a" * 30])
def test_no_pattern_takes_more_than_its_size_times_the_value(pattern: str) -> None:
    spent = [0]

    def charge(steps: int) -> None:
        spent[0] += steps

    value = b"a" * 200
    compile_regex(pattern.encode()).search(value, charge)
    assert spent[0] <= 201 * 200


def test_groups_become_match_variables() -> None:
    script = """require ["regex", "variables", "fileinto"];
      if header :regex "subject" "^\\\\[([a-z-]+)\\\\] (.*)$" { fileinto "${1}/${2}/${0}"; }"""
    assert actions(script, b"Subject: [Acme-users] hi\r\n\r\n") == (FileInto("Acme-users/hi/[Acme-users] hi"),)
    quoting = """require ["regex", "variables", "fileinto"]; set :quoteregex "a" "a.b*"; fileinto "${a}";"""
    assert actions(quoting) == (FileInto("a\\.b\\*"),)


def test_it_is_there_only_where_it_is_asked_for() -> None:
    with pytest.raises(SieveError, match="no capability 'regex'"):
        parse(b'require "regex"; keep;')
    with pytest.raises(SieveError, match="no capability 'regex'"):
        parse(b'if header :regex "a" "b" { }')
    assert is_true('header :regex "subject" "pre+sent"', require="regex")


def test_a_pattern_made_in_the_run_may_be_none() -> None:
    found = outcome('require ["regex", "variables"]; set "a" "("; if header :regex "subject" "${a}" { discard; }')
    assert "'(' without ')'" in str(found.error)
