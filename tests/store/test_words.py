"""Words found in texts are those that the text index finds."""

from __future__ import annotations

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.store import TextIndex, WordFinder, Words, word_count
from jmaplite.store.sqlite_text import text_ddl, text_match, text_statements
from jmaplite.store.words import folded

LETTERS = "aAbzZ019 .,-_@'äÄéßøłİıſçñœÅǅµςΣσάйЙЁ漢字ひらカガ한글ไทย👍\u00ad\u200c½ﬁＡ…\n"
INDEX = TextIndex("t", ("x",))


def found_by_index(text: str, phrase: tuple[str, ...]) -> bool:
    db = apsw.Connection(":memory:")
    for statement in text_ddl(INDEX):
        db.execute(statement)
    db.execute(text_statements(INDEX).put, (1, folded(text)))
    match = text_match("t", INDEX.columns, Words((phrase,)))
    rows = db.execute(f"SELECT {match.key} FROM {match.source} WHERE {match.where}", match.parameters).fetchall()
    db.close()
    return bool(rows)


@given(st.text(LETTERS, max_size=30), st.lists(st.text(LETTERS, max_size=4), min_size=1, max_size=2))
def test_a_phrase_is_found_exactly_when_the_index_finds_it(text: str, phrase: list[str]) -> None:
    text, wanted = text.replace("👍", " "), tuple(word.replace("👍", " ") for word in phrase)
    assert bool(WordFinder([wanted]).find(text)) == found_by_index(text, wanted)


@given(st.text(LETTERS, min_size=1, max_size=12), st.text(LETTERS, max_size=12), st.text(LETTERS, max_size=12))
def test_a_phrase_is_found_in_a_text_that_holds_it(phrase: str, before: str, after: str) -> None:
    text = f"{before} {phrase} {after}".replace("👍", " ")
    phrase = phrase.replace("👍", " ")
    assert bool(WordFinder([(phrase,)]).find(text)) == found_by_index(text, (phrase,))


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("Foo, foo and foobar; FOO!", "foo", ["Foo", "foo", "FOO"]),
        ("Déjà vu, deja vu, de\u0301ja\u0300 vu", "deja vu", ["Déjà vu", "deja vu", "de\u0301ja\u0300 vu"]),
        ("foo-bar foo (bar) foo baz bar", "foo-bar", ["foo-bar", "foo (bar"]),
        ("全文検索と検索", "検索", ["検索", "検索"]),
        ("the ﬁsh and ﬁshes", "fish", ["ﬁsh"]),
        ("soft\u00adware", "software", ["soft\u00adware"]),
        ("ΟΔΟΣ οδος", "οδός", []),
        ("ΟΔΌΣ οδός", "οδός", ["ΟΔΌΣ", "οδός"]),
        ("กินข้าว", "ข้าว", ["ข้าว"]),
        ("anything", "...", []),
        ("", "a", []),
    ],
)
def test_the_whole_of_a_match_is_told(text: str, phrase: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in WordFinder([(phrase,)]).find(text)] == expected


def test_matches_do_not_overlap_and_the_longer_one_counts() -> None:
    finder = WordFinder([("a",), ("a", "b"), ("b", "c")])
    assert [("a b c"[start:end]) for start, end in finder.find("a b c")] == ["a b"]


def test_a_finder_of_nothing_is_false() -> None:
    assert not WordFinder([("?!",), ()])
    assert WordFinder([("x",)])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("  ...", 0),
        ("one", 1),
        ("one two", 2),
        ("a@b.example", 3),
        ("漢字ひ", 3),
        ("Größe", 1),
        ("co\u00adop", 1),
    ],
)
def test_words_are_counted_as_the_index_makes_them(text: str, count: int) -> None:
    assert word_count(text) == count
