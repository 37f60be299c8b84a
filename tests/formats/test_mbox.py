"""mbox: what is a separator and what looks like one, quoting, line ends, dates, flags, and long streams."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.formats.mailboxes import (
    Flags,
    MboxMessage,
    NotMbox,
    decode_export_block,
    encode_export_block,
    entry,
    is_keyword,
    may_be_entry,
    parse_separator,
    quotes,
    separator_line,
    split,
    status_flags,
    to_crlf,
    to_lf,
    unquote,
)

LIMIT = 10_000_000
SEPARATOR = b"From timo@example.org Tue Jul 23 19:39:23 2002\n"
CORPUS = Path(
    os.environ.get("JMAPLITE_CORPUS") or Path(__file__).parents[3] / "shared" / "corpus" / "dovecot-list.mbox.gz"
)


def chunked(octets: bytes, size: int = 7) -> Iterator[bytes]:
    return (octets[at : at + size] for at in range(0, len(octets), size))


def octets_of(mbox: bytes) -> list[bytes | None]:
    return [message.octets for message in split(chunked(mbox), limit=LIMIT)]


def test_messages_come_out_in_order_without_the_blank_line_after_each() -> None:
    mbox = SEPARATOR + b"Subject: 1\n\none\n\n" + SEPARATOR + b"Subject: 2\n\ntwo\n\n\n" + SEPARATOR + b"A: 3\n"
    assert octets_of(mbox) == [b"Subject: 1\n\none\n", b"Subject: 2\n\ntwo\n\n", b"A: 3\n"]


def test_a_message_knows_where_it_stood() -> None:
    first = SEPARATOR + b"A: 1\n\nx\n\n"
    mbox = b"\xef\xbb\xbf" + first + SEPARATOR + b"A: 2\n\ny\n"
    assert [(m.offset, m.end) for m in split([mbox], limit=LIMIT)] == [
        (3, 3 + len(first)),
        (3 + len(first), len(mbox)),
    ]


def test_a_separator_needs_no_blank_line_before_it() -> None:
    assert octets_of(SEPARATOR + b"A: 1\n\none\n" + SEPARATOR + b"A: 2\n\ntwo\n") == [
        b"A: 1\n\none\n",
        b"A: 2\n\ntwo\n",
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"From time to time the weather: is fine",
        b"From maildir-storage.c, line 325:",
        b"From TODO:",
        b"From Tue Jul 23",
        b"From timo@example.org Tue Jul 23 19:39:23 2002 (in my archive)",
        b"From",
        b"From ",
        b"from timo@example.org Tue Jul 23 19:39:23 2002",
        b"From timo@example.org Tue Foo 23 19:39:23 2002",
    ],
)
def test_a_line_without_a_date_at_its_end_is_text(line: bytes) -> None:
    message = b"A: 1\n\n\n" + line + b"\nSubject: no\n\nx\n"
    assert octets_of(SEPARATOR + message) == [message]


@pytest.mark.parametrize(
    "after", [b"", b"\n", b"and then some words\n", b"\xe4: b\n", b": b\n", b"From\n", b"a" * 300 + b": b\n"]
)
def test_a_line_like_a_separator_is_text_unless_a_header_field_follows(after: bytes) -> None:
    message = b"A: 1\n\n\n" + SEPARATOR + after + b"x\n"
    assert octets_of(SEPARATOR + message) == [message]


@pytest.mark.parametrize(
    ("line", "sender", "date", "exact"),
    [
        (b"From a@b Tue Jul 23 19:39:23 2002", "a@b", 1027453163, False),
        (b"From a@b  Tue Jul 23 19:39:23 2002  ", "a@b", 1027453163, False),
        (b"From - Tue Jul 23 19:39:23 2002", "", 1027453163, False),
        (b"From  - Tue Jul 23 19:39:23 2002", "", 1027453163, False),
        (b"From Tue Jul 23 19:39:23 2002", "", 1027453163, False),
        (b"From a at b  Tue Jul 23 19:39:23 2002", "a at b", 1027453163, False),
        (b'From "a b"@c Tue Jul 23 19:39:23 2002', '"a b"@c', 1027453163, False),
        (b"From a@b Tue Jul  3 19:39 2002", "a@b", 1025725140, False),
        (b"From a@b Tue Jul 3 9:39 2002", "a@b", 1025689140, False),
        (b"From a@b Tue Jul 23 19:39:23 EEST 2002", "a@b", 1027453163, False),
        (b"From a@b Tue Jul 23 19:39:23 MET DST 2002", "a@b", 1027453163, False),
        (b"From a@b Tue Jul 23 19:39:23 UTC 2002", "a@b", 1027453163, True),
        (b"From a@b Tue Jul 23 19:39:23 EDT 2002", "a@b", 1027467563, True),
        (b"From 1570@xxx Tue Jul 23 19:39:23 +0300 2002", "1570@xxx", 1027442363, True),
        (b"From a@b Tue Jul 23 19:39:23 2002 -0130", "a@b", 1027458563, True),
        (b"From a@b Tue Jul 23 19:39:23 2002 GMT", "a@b", 1027453163, True),
        (b"From a@b Tue Jul 23 19:39:23 2002 remote from host", "a@b", 1027453163, False),
        (b"From a@b Tue, 23 Jul 2002 19:39:23 +0300", "a@b", 1027442363, True),
        (b"From a@b Tue Jul 23 19:39:60 2002", "a@b", 1027453199, False),
        (b"From a@b Tue Feb 31 19:39:23 2002", "a@b", None, False),
        (b"From a@b Tue Jul 23 29:39:23 2002", "a@b", None, False),
        (b"From a@b Tue Jul 23 19:39:23 0000", "a@b", None, False),
        (b"From a@b Mon Jan  1 00:00:00 +9999 0001", "a@b", None, False),
        (b"From \xff@b Tue Jul 23 19:39:23 2002", "\ufffd@b", 1027453163, False),
    ],
)
def test_a_separator_tells_sender_and_date_in_many_spellings(
    line: bytes, sender: str, date: int | None, exact: bool
) -> None:
    separator = parse_separator(line)
    assert separator is not None
    assert (separator.sender, separator.date, separator.exact) == (sender, date, exact)


@given(st.integers(0, 253402300799), st.sampled_from(["a@b", "", "a b@c", "ä@b", "a\n@b", "<>"]))
def test_a_written_separator_is_read_back_to_the_second(date: int, sender: str) -> None:
    separator = parse_separator(separator_line(sender, date))
    assert separator is not None
    assert (separator.date, separator.exact) == (date, True)
    assert separator.sender == (sender if sender in ("a@b", "<>") else "MAILER-DAEMON")


def test_a_separator_may_be_followed_by_the_old_line_of_a_relay() -> None:
    relayed = b">From a!b Tue Jul 23 19:39:23 2002 remote from c\nA: 2\n\nx\n"
    assert len(octets_of(SEPARATOR + b"A: 1\n\ny\n\n" + SEPARATOR + relayed)) == 2


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_ends_may_be_of_either_kind(end: bytes) -> None:
    mbox = (SEPARATOR + b"A: 1\n\none\n\n" + SEPARATOR + b"A: 2\n\ntwo\n\n").replace(b"\n", end)
    assert octets_of(mbox) == [b"A: 1\n\none\n".replace(b"\n", end), b"A: 2\n\ntwo\n".replace(b"\n", end)]


def test_line_ends_may_be_mixed() -> None:
    mbox = SEPARATOR + b"A: 1\n\r\none\n\r\n" + SEPARATOR.replace(b"\n", b"\r\n") + b"A: 2\r\n\ntwo\r\n\n"
    # CR LF LF: the last blank line ends the message, whatever it is made of.
    assert octets_of(mbox) == [b"A: 1\n\r\none\n", b"A: 2\r\n\ntwo\r\n"]


def test_a_byte_order_mark_and_blank_lines_before_the_first_separator_are_passed_over() -> None:
    assert octets_of(b"\xef\xbb\xbf\r\n\n" + SEPARATOR + b"A: 1\n\nx\n") == [b"A: 1\n\nx\n"]


@pytest.mark.parametrize("empty", [b"", b"\n\r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_holds_no_messages(empty: bytes) -> None:
    assert octets_of(empty) == []


@pytest.mark.parametrize(
    "octets", [b"Subject: an .eml file\n\nx\n", b"\x00\x01", b"From", b"From me to you\nA: b\n\n" + SEPARATOR]
)
def test_a_file_that_does_not_begin_with_a_separator_is_refused_in_a_sentence(octets: bytes) -> None:
    with pytest.raises(NotMbox, match="does not begin with a line “From sender date”"):
        octets_of(octets)


def test_a_content_length_that_ends_at_a_separator_is_believed() -> None:
    body = b"a pasted mbox:\n\n" + SEPARATOR + b"Subject: pasted\n\nx\n"
    message = b"A: 1\nContent-Length: %d\n\n" % len(body) + body
    for blank in (b"\n", b"", b"\r\n"):
        mbox = SEPARATOR + message + blank + SEPARATOR + b"A: 2\n\ny\n"
        assert octets_of(mbox) == [message, b"A: 2\n\ny\n"]
    assert octets_of(SEPARATOR + message) == [message]


@pytest.mark.parametrize("length", [b"0", b"1", b"5", b"999999", b"999999999999", b"99999999999999999999", b"x"])
def test_a_content_length_that_ends_anywhere_else_is_ignored(length: bytes) -> None:
    message = b"A: 1\nContent-Length: " + length + b"\n\none\ntwo\n"
    assert octets_of(SEPARATOR + message + b"\n" + SEPARATOR + b"A: 2\n\ny\n") == [message, b"A: 2\n\ny\n"]


def test_a_content_length_that_counts_the_blank_line_at_the_end_changes_nothing() -> None:
    """Counted with CRLF by whoever sent it, and found in a file with LF."""
    message = b"A: 1\nContent-Length: 3\n\nx\n"
    assert octets_of(SEPARATOR + message + b"\n" + SEPARATOR + b"A: 2\n\ny\n") == [message, b"A: 2\n\ny\n"]


def test_a_message_above_the_limit_is_named_and_not_held() -> None:
    large = b"A: 1\n\n" + b"x" * 5000 + b"\nFrom here on more\n" + b"y" * 5000 + b"\n"
    mbox = SEPARATOR + large + b"\n" + SEPARATOR + b"A: 2\n\ny\n"
    found = list(split(chunked(mbox, 64), limit=2000))
    assert [message.octets for message in found] == [None, b"A: 2\n\ny\n"]
    assert found[0].end == found[1].offset == mbox.index(SEPARATOR, 1)


def test_a_stream_is_read_no_further_than_needed() -> None:
    """An endless mbox of small messages, and one endless message, are walked in bounded memory."""

    def endless(first: bytes, then: bytes) -> Iterator[bytes]:
        yield first
        while True:
            yield then

    small = SEPARATOR + b"A: 1\n\nx\n\n"
    messages = split(endless(b"", small * 10), limit=1000)
    assert [next(messages).octets for _ in range(1000)] == [b"A: 1\n\nx\n"] * 1000

    taken = 0

    def large() -> Iterator[bytes]:
        nonlocal taken
        yield small
        yield SEPARATOR + b"A: 2\n\n"
        for _ in range(2000):
            taken += 1
            yield b"From me\n" * 1000
        yield SEPARATOR + b"A: 3\n"

    assert [message.octets for message in split(large(), limit=1000)] == [b"A: 1\n\nx\n", None, b"A: 3\n"]
    assert taken == 2000


@pytest.mark.parametrize(
    "hostile",
    [
        b"From \n" * 50_000,
        b"From " * 60_000,
        b"\nFrom Mon" + b" " * 300_000,
        b"\nFrom " + b"Mon, " * 60_000,
        b"From a Mon Jan  1 00:00:00 2001\n" * 10_000,
        b"From a Mon Jan  1 00:00:00 2001\nContent-Length: 300000\n\n" * 5_000,
        b"From a Mon Jan  1 00:00:00 2001\nA: b\n" + b"A" * 300_000,
        b"\n" * 300_000,
    ],
)
def test_hostile_octets_are_walked_in_time_linear_in_their_length(hostile: bytes) -> None:
    """These took minutes if anything looked at the same octets again and again."""
    for _ in split([SEPARATOR + b"A: 1\n\n" + hostile], limit=LIMIT):
        pass
    quotes([SEPARATOR + b"A: 1\n\n" + hostile])


# Quoting and line ends


def test_a_file_whose_only_from_lines_are_separators_was_quoted() -> None:
    mbox = SEPARATOR + b"A: 1\n\n>From here\n\n" + SEPARATOR + b"A: 2\n\nx\n"
    assert quotes(chunked(mbox))


def test_a_file_with_a_from_line_in_a_text_was_not_quoted() -> None:
    mbox = SEPARATOR + b"A: 1\n\n>From here\n\n" + SEPARATOR + b"A: 2\n\nFrom there\n"
    assert not quotes(chunked(mbox))


def test_one_sign_is_taken_from_each_quoted_line() -> None:
    quoted = b">From a\n>>From b\n>>>From c\n> From d\nx >From e\n>from f\n>From"
    assert unquote(quoted) == b"From a\n>From b\n>>From c\n> From d\nx >From e\n>from f\n>From"


def test_lines_end_in_crlf_once_read_and_a_bare_cr_stays() -> None:
    assert to_crlf(b"a\nb\r\nc\rd\n\n") == b"a\r\nb\r\nc\rd\r\n\r\n"


@given(st.binary().map(lambda octets: octets.replace(b"a", b"\n").replace(b"b", b"\r")))
def test_crlf_is_written_as_lf_only_where_that_can_be_undone(octets: bytes) -> None:
    stored = to_crlf(octets)
    assert to_crlf(to_lf(stored)) == stored
    assert to_crlf(stored) == stored


LINES = st.sampled_from(
    [
        b"",
        b"From time to time",
        b">From here",
        b">>From there",
        SEPARATOR.rstrip(),
        b"From a@b Tue Jul 23 19:39:23 2002\r\nSubject: within",
        b"Content-Length: 20",
        b"\rx",
        b"x\r",
        b"Status: RO",
        b"X-Exported-By: jmaplite",
    ]
) | st.binary(max_size=20)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    first = draw(st.sampled_from([b"A: 1", b"Status: O", b"X-Exported-By: jmaplite", b"Subject: x"]))
    return to_crlf(b"".join(line + b"\r\n" for line in [first, *draw(st.lists(LINES, max_size=8))]))


@given(
    st.lists(
        st.tuples(messages(), st.sets(st.sampled_from(["$seen", "$draft", "$flagged", "$answered", "a", "$x"]))),
        max_size=6,
    ),
    st.integers(1, 200),
)
def test_any_messages_joined_with_quoting_come_back(written: list[tuple[bytes, set[str]]], size: int) -> None:
    mbox = b"".join(entry(octets, "a@b", at, keywords) for at, (octets, keywords) in enumerate(written))
    read = []
    for message in split(chunked(mbox, size), limit=LIMIT):
        assert message.octets is not None
        octets, flags = decode_export_block(to_crlf(unquote(message.octets)))
        assert flags is not None
        read.append((octets, set(flags.keywords)))
    assert read == written
    assert quotes([mbox])


@given(st.lists(messages(), max_size=4))
def test_messages_come_back_without_a_block_of_keywords_too(written: list[bytes]) -> None:
    mbox = b"".join(entry(octets, "", 0, None) for octets in written)
    assert [to_crlf(unquote(m.octets or b"")) for m in split([mbox], limit=LIMIT)] == written


@given(
    st.lists(LINES | st.just(b"Subject: x")).map(b"\n".join) | st.binary(),
    st.integers(1, 50),
    st.integers(0, 100),
)
def test_any_octets_are_either_refused_or_split_into_parts_that_make_up_the_whole(
    octets: bytes, size: int, limit: int
) -> None:
    try:
        found = list(split(chunked(octets, size), limit=limit))
    except NotMbox:
        return
    assert [m.end for m in found[:-1]] == [m.offset for m in found[1:]]
    assert found == [] or found[-1].end == len(octets)
    for message in found:
        assert message.octets is None or message.octets in octets[message.offset : message.end]
        assert status_flags(message.octets or b"") is not None


def test_a_last_line_without_end_gets_one_in_an_mbox() -> None:
    mbox = entry(b"A: 1\r\n\r\nx", "a@b", 0, None)
    assert mbox == b"From a@b Thu Jan  1 00:00:00 +0000 1970\nA: 1\n\nx\n\n"


def test_a_message_that_begins_with_no_header_field_cannot_be_told_from_text() -> None:
    assert may_be_entry(b"Subject : x\r\n")
    assert not may_be_entry(b"\r\nx")
    assert not may_be_entry(b"")


# Flags


@pytest.mark.parametrize(
    ("header", "keywords", "deleted"),
    [
        (b"Status: RO\n", {"$seen"}, False),
        (b"Status: O\n", set(), False),
        (b"status:R\n", {"$seen"}, False),
        (b"X-Status: AFT\n", {"$answered", "$flagged", "$draft"}, False),
        (b"X-Status: D\n", set(), True),
        (b"Status: RO\r\nX-Status: F\r\nX-Keywords: Work $Forwarded\r\n  later\r\n", None, False),
        (b"X-Mozilla-Status: 0007\n", {"$seen", "$answered", "$flagged"}, False),
        (b"X-Mozilla-Status: 1009\n", {"$seen", "$forwarded"}, True),
        (b"X-Mozilla-Status: what\n", set(), False),
        (b"X-Mozilla-Keys: $label1 NonJunk   \n", {"$label1", "$notjunk"}, False),
        (b"X-Keywords: a(b \xe4 c\\d ok\n", {"ok"}, False),
        (b"Subject: Status: RO\n", set(), False),
        (b"Subject: x\n Status: RO\n", set(), False),
        (b"\nStatus: RO\n", set(), False),
        (b"A: 1\n\nStatus: RO\n", set(), False),
        (b"A: 1\r\n\r\nStatus: RO\r\n", set(), False),
    ],
)
def test_header_fields_of_mbox_programs_tell_keywords(header: bytes, keywords: set[str] | None, deleted: bool) -> None:
    expected = {"$seen", "$flagged", "work", "$forwarded", "later"} if keywords is None else keywords
    assert status_flags(header) == Flags(frozenset(expected), deleted)


def test_the_exported_block_is_read_by_others_and_taken_away_again() -> None:
    block = encode_export_block({"$seen", "$flagged", "work", "$forwarded"})
    assert block == (b"Status: RO\r\nX-Status: F\r\nX-Keywords: $forwarded work\r\nX-Exported-By: jmaplite\r\n")
    assert status_flags(block).keywords == {"$seen", "$flagged", "work", "$forwarded"}
    assert decode_export_block(block + b"A: 1\r\n")[0] == b"A: 1\r\n"


def test_only_a_complete_block_is_taken_away() -> None:
    for octets in (b"Status: RO\r\nA: 1\r\n", b"A: 1\r\nX-Exported-By: jmaplite\r\n"):
        assert decode_export_block(octets) == (octets, None)


@given(st.text(max_size=4))
def test_a_keyword_is_what_the_rfc_allows(name: str) -> None:
    allowed = len(name) > 0 and all(" " < char < "\x7f" and char not in '(){]%*"\\' for char in name)
    assert is_keyword(name) == allowed


# A real archive


@pytest.mark.corpus
def test_a_real_archive_comes_out_exactly() -> None:
    """3,237 messages; 379 separators follow no blank line, three lines begin with `From ` and are text."""
    if not CORPUS.is_file():
        pytest.skip("needs the corpus (JMAPLITE_CORPUS)")
    octets = gzip.decompress(CORPUS.read_bytes())
    found: list[MboxMessage] = list(split(chunked(octets, 1 << 16), limit=LIMIT))
    assert len(found) == 3237
    rebuilt, no_blank, text = [], 0, 0
    for message in found:
        line = octets[message.offset : octets.index(b"\n", message.offset) + 1]
        assert message.octets is not None
        blank = octets[message.offset + len(line) + len(message.octets) : message.end]
        assert blank in (b"", b"\r\n")
        no_blank += blank == b"" and message.end != len(octets)
        text += len(re.findall(rb"^From ", message.octets, re.MULTILINE))
        rebuilt += [line, message.octets, blank]
    assert b"".join(rebuilt) == octets
    assert (no_blank, text) == (379, 3)
    assert not quotes([octets])
