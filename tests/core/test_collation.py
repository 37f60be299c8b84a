"""Sort keys that compare as the collations order (RFC 4790 §9, RFC 5051)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.core.collation import ALGORITHMS, DEFAULT, key


def numeric(value: str) -> bytes:
    return key("i;ascii-numeric", value)


def casemap(value: str) -> bytes:
    return key("i;unicode-casemap", value)


def test_the_algorithms_of_the_rfcs_are_offered_and_the_default_is_aware_of_unicode() -> None:
    assert set(ALGORITHMS) == {"i;ascii-numeric", "i;ascii-casemap", "i;unicode-casemap"}
    assert DEFAULT == "i;unicode-casemap"


@pytest.mark.parametrize("name", ["i;octet", "", "i;ascii-casemap ", "I;ASCII-CASEMAP"])
def test_an_unknown_collation_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        key(name, "a")


def test_the_examples_of_rfc_4790_for_numbers() -> None:
    assert numeric("0") < numeric("1") < numeric("4294967298")
    assert numeric("4294967298") == numeric("04294967298") == numeric("4294967298b")
    assert numeric("04294967298") < numeric("")
    assert numeric("") == numeric("x") == numeric("y")


def test_only_ascii_digits_are_digits() -> None:
    assert numeric("١٢") == numeric("")
    assert numeric("1٢") == numeric("1")
    assert numeric("²") == numeric("")
    assert numeric(" 1") == numeric("")
    assert numeric("-1") == numeric("")


@given(st.integers(0, 10**300), st.integers(0, 10**300), st.integers(0, 3))
def test_numbers_order_by_their_size_whatever_their_length(one: int, other: int, zeros: int) -> None:
    a, b = numeric("0" * zeros + str(one) + "x"), numeric(str(other))
    assert (a < b, a == b) == (one < other, one == other)


def test_a_number_of_any_length_has_a_key() -> None:
    assert numeric("9" * 100_000) < numeric("1" + "0" * 100_000) < numeric("")


def test_ascii_casemap_knows_the_case_of_ascii_letters_only() -> None:
    assert key("i;ascii-casemap", "Straße") == key("i;ascii-casemap", "STRAße")
    assert key("i;ascii-casemap", "é") != key("i;ascii-casemap", "É")
    # Between Z and a: after casemapping letters come before the underscore.
    assert key("i;ascii-casemap", "z") < key("i;ascii-casemap", "_")


def test_the_example_of_rfc_5051() -> None:
    assert casemap("\u01c4") == "\u0044\u007a\u030c".encode()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("strasse", "STRASSE"),
        ("é", "É"),
        ("é", "e\u0301"),
        ("ǆ", "Ǆ"),
        ("ﬁ", "ﬁ"),
        ("я", "Я"),
        ("𐐨", "𐐀"),
        ("ＡＢ", "ａｂ"),
    ],
)
def test_strings_that_differ_by_case_or_composition_are_equal(one: str, other: str) -> None:
    assert casemap(one) == casemap(other)


def test_only_the_titlecase_of_unicode_data_counts() -> None:
    # Its titlecase "Ss" is in SpecialCasing.txt, not in UnicodeData.txt.
    assert casemap("ß") == "ß".encode()
    # The ligature decomposes after it has been titlecased, and is not titlecased again.
    assert casemap("ﬁ") == b"fi"


def test_characters_are_titlecased_apart() -> None:
    assert casemap("ab") == b"AB"
    assert casemap("éa") == "E\u0301A".encode()
    # Titlecased as one word, the second sigma would be a small one.
    assert casemap("σς") == "ΣΣ".encode()


@given(st.text(max_size=20))
def test_the_key_of_any_string_is_its_characters_prepared_one_by_one(value: str) -> None:
    def titlecase(character: str) -> str:
        title = character.title()
        return title if len(title) == 1 else character

    prepared = unicodedata.normalize("NFKD", "".join(map(titlecase, value)))
    assert casemap(value) == prepared.encode("utf-8", "surrogatepass")


@given(st.sampled_from(ALGORITHMS), st.text(st.characters(), max_size=10))
def test_all_input_is_valid(name: str, value: str) -> None:
    assert isinstance(key(name, value), bytes)


def test_a_lone_surrogate_has_a_key() -> None:
    for name in ALGORITHMS:
        assert isinstance(key(name, "a\ud800"), bytes)
