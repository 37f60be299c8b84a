"""Names in a Maildir and in a tree of .eml files: flags, times, keywords and folders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.formats.mailboxes import (
    Flags,
    assign_letters,
    eml_flags,
    folder_of_path,
    format_keyword_letters,
    maildir_flags,
    maildir_info,
    maildir_time,
    parse_keyword_letters,
    path_of_folder,
)


@pytest.mark.parametrize(
    ("name", "keywords", "deleted"),
    [
        ("1026744000.M1P1.host:2,", set(), False),
        (
            "1026744000.M1P1.host,S=12,W=13:2,DFPRS",
            {"$draft", "$flagged", "$forwarded", "$answered", "$seen"},
            False,
        ),
        ("1026744000.M1P1.host:2,ST", {"$seen"}, True),
        ("1026744000.M1P1.host!2,S", {"$seen"}, False),
        ("1026744000.M1P1.host;2,S", {"$seen"}, False),
        ("1026744000.M1P1.host:2,Sab", {"$seen", "work"}, False),
        ("1026744000.M1P1.host:2,SXYZ", {"$seen"}, False),
        ("1026744000.M1P1.host:1,S", set(), False),
        ("1026744000.M1P1.host,S=12", set(), False),
        ("S", set(), False),
    ],
)
def test_the_end_of_a_name_tells_flags(name: str, keywords: set[str], deleted: bool) -> None:
    assert maildir_flags(name, {"a": "work"}) == Flags(frozenset(keywords), deleted)


def test_a_name_begins_with_the_time_of_delivery() -> None:
    assert maildir_time("1026744000.M1P1.host:2,S") == 1026744000
    assert maildir_time("0.x") == 0
    assert maildir_time("mail.1026744000") is None
    assert maildir_time("99999999999999999999.x") is None


def test_a_dovecot_keywords_file_gives_letters_their_meaning() -> None:
    octets = b"0 $Forwarded\r\n1 Junk\n25 last\n26 beyond\n-1 x\nx y\n\n2 \xff\n3\n4 two words\n\xd9\xa3 digit\n"
    assert parse_keyword_letters(octets) == {"a": "$forwarded", "b": "junk", "z": "last"}


@given(st.sets(st.sampled_from(["$seen", "$draft", "$flagged", "$answered", "$forwarded", "work", "$junk", "a/b"])))
def test_keywords_written_into_a_name_are_read_back(keywords: set[str]) -> None:
    letters = {"a": "first"}
    assert assign_letters(letters, keywords) == frozenset()
    assert letters["a"] == "first"
    assert parse_keyword_letters(format_keyword_letters(letters)) == letters
    assert maildir_flags("1.x" + maildir_info(keywords, letters), letters).keywords == keywords


def test_the_letters_of_a_name_are_in_order() -> None:
    assert maildir_info({"$seen", "$flagged", "b", "unknown"}, {"a": "b"}) == ":2,FSa"


def test_keywords_beyond_the_alphabet_are_named() -> None:
    letters: dict[str, str] = {}
    assert assign_letters(letters, {f"k{number:02}" for number in range(20)}) == frozenset()
    assert assign_letters(letters, {f"k{number:02}" for number in range(30)}) == {"k26", "k27", "k28", "k29"}
    assert (letters["a"], letters["z"], len(letters)) == ("k00", "k25", 26)
    assert format_keyword_letters(letters).splitlines()[25] == b"25 k25"


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("01-welcome,SF.eml", {"$seen", "$flagged"}),
        ("01-welcome.eml", set()),
        ("a,b,S.EML", {"$seen"}),
        ("hello,world.eml", set()),
        ("hello,sf.eml", set()),
        ("hello,SX.eml", set()),
        ("hello,S.txt", set()),
        (",S.eml", {"$seen"}),
    ],
)
def test_letters_after_the_last_comma_of_an_eml_name_tell_flags(name: str, keywords: set[str]) -> None:
    assert eml_flags(name).keywords == keywords


def test_an_eml_name_may_tell_that_the_message_was_thrown_away() -> None:
    assert eml_flags("x,ST.eml") == Flags(frozenset({"$seen"}), deleted=True)


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ((), ()),
        ((".Sent",), ("Sent",)),
        ((".Archive.2024",), ("Archive", "2024")),
        (("Archive", "2024"), ("Archive", "2024")),
        (("a.b", ".c.d"), ("a.b", "c", "d")),
        ((".Entw&APw-rfe",), ("Entwürfe",)),
        ((".A&-B",), ("A&B",)),
        ((".&2D3eAA-",), ("😀",)),
        ((".Entwürfe",), ("Entwürfe",)),
        ((".R&D-x",), ("R&D-x",)),
        ((".&2D0-",), ("&2D0-",)),
        ((".a..b.",), ("a", "b")),
        ((".\udce4",), ("\ufffd",)),
    ],
)
def test_a_folder_is_a_mailbox_by_its_name(parts: tuple[str, ...], path: tuple[str, ...]) -> None:
    assert path_of_folder(parts) == path


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), min_size=1, max_size=3))
def test_any_mailbox_has_a_folder_that_is_read_back(path: list[str]) -> None:
    folder = folder_of_path(path)
    assert path_of_folder([folder]) == tuple(path)
    assert folder.isascii()
    assert "/" not in folder
    assert folder.count(".") == len(path)
