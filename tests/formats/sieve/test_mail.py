"""Looking at a message and changing its header (RFC 3894, RFC 5173, RFC 5183, RFC 5260, RFC 5293)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.formats.sieve import Discard, FileInto, Keep, Limits, Outcome, Outside, Redirect, SieveError, parse
from tests.formats.sieve.messages import A, actions, is_true, message, outcome

IMPLICIT = (Keep(is_implicit=True),)


def test_copies_leave_the_implicit_keep() -> None:
    assert actions('require ["copy", "fileinto"]; fileinto :copy "incoming";') == (
        FileInto("incoming", is_copy=True),
        Keep(is_implicit=True),
    )
    assert actions('require "copy"; redirect :copy "a@example.com"; discard;') == (
        Redirect("a@example.com", is_copy=True),
        Discard(),
    )
    script = """require "fileinto"; fileinto "unfiltered"; keep;
      if header "Subject" "MAKE MONEY FAST!!!" { discard; }"""
    assert actions(script) == (FileInto("unfiltered"), Keep())


PARTS = message(
    """
From: Whomever
To: Someone
Date: Whenever
Subject: whatever
Content-Type: multipart/mixed; boundary=outer

This is a multi-part message in MIME format.

--outer
Content-Type: multipart/alternative; boundary=inner

This is a nested multi-part message in MIME format.

--inner
Content-Type: text/plain; charset="us-ascii"

Hello

--inner
Content-Type: text/html; charset="us-ascii"

<html><body>Hello</body></html>

--inner--

This is the end of the inner MIME multipart.

--outer
Content-Type: message/rfc822

From: Someone Else
Subject: hello request

Please say Hello

--outer--

This is the end of the outer MIME multipart.
"""
)


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('body :content "multipart" :contains "MIME"', True),
        ('body :content "multipart" :contains "This is a multi-part message"', True),
        ('body :content "multipart" :contains "the end of the inner"', True),
        ('body :content "multipart" :contains "the end of the outer"', True),
        ('body :content "multipart" :contains "Hello"', False),
        ('body :content "multipart" :contains "boundary"', False),
        ('body :content "text/plain" :contains "Hello"', True),
        ('body :content "text/plain" :contains "please say hello"', True),
        ('body :content "text/plain" :contains "<html>"', False),
        ('body :content "text/html" :contains "<body>Hello"', True),
        ('body :content "text" :contains "<html>"', True),
        ('body :content "text" :contains "MIME"', False),
        ('body :content "message/rfc822" :contains "Hello"', True),
        ('body :content "message/rfc822" :contains "Please"', False),
        ('body :content "" :contains "hello request"', True),
        ('body :content "/plain" :contains ""', False),
        ('body :content "text/" :contains ""', False),
        ('body :content "text/plain/x" :contains ""', False),
        ('body :content "audio/mp3" :contains ""', False),
        ('body :content "TEXT" :contains "hello"', True),
        ('body :contains "hello"', True),
        ('body :text :contains "<html>"', False),
        ('body :raw :contains "Content-Type: message/rfc822"', True),
        ('body :raw :contains "Subject: whatever"', False),
        ('body :content "text" :is "Hello\\r\\n"', False),
        ('body :content "text/plain" :matches "Hello*"', True),
        ('body :content "text/plain" "Hello\r\n"', True),
    ],
)
def test_bodies_as_in_rfc_5173_section_5(test: str, result: bool) -> None:
    assert is_true(test, PARTS, "body") is result


def test_the_scripts_of_rfc_5173() -> None:
    raw = 'require "body"; if body :raw :contains "MAKE MONEY FAST" { discard; }'
    assert actions(raw, b"Subject: x\r\n\r\nplease MAKE MONEY FAST!") == (Discard(),)
    assert actions(raw, b"Subject: MAKE MONEY FAST\r\n\r\n") == IMPLICIT
    content = """require ["body", "fileinto"];
     if body :content "text" :contains ["missile", "coordinates"] { fileinto "secrets"; }
     if body :content "audio/mp3" :contains "" { fileinto "jukebox"; }"""
    assert actions(content, b"\r\nthe Coordinates are") == (FileInto("secrets"),)
    assert actions(content, b"Content-Type: audio/mp3\r\n\r\n") == (FileInto("jukebox"),)
    text = 'require ["body", "fileinto"]; if body :text :contains "project schedule" { fileinto "project/schedule"; }'
    assert actions(text, b"Content-Type: text/html\r\n\r\n<p>the project<br> schedule and <b>project</b> schedule") == (
        FileInto("project/schedule"),
    )


def test_transfer_encodings_and_charsets_are_undone_but_not_for_raw() -> None:
    octets = message(
        """
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe
"""
    )
    assert is_true('body :text :contains "Grüße"', octets, "body")
    assert is_true('body :content "text" :contains "Grüße"', octets, "body")
    assert is_true('body :raw :contains "Gr=FC=DFe"', octets, "body")


def test_a_message_without_body_matches_nothing() -> None:
    assert not is_true('body :raw :contains ""', b"Subject: x\r\n", "body")
    assert is_true('body :raw :contains ""', b"Subject: x\r\n\r\n", "body")


def test_wildcards_in_bodies_set_no_variables() -> None:
    script = """require ["body", "variables", "fileinto"];
      if header :matches "subject" "*" { } if body :raw :matches "*sorry*" { fileinto "${1}"; }"""
    assert actions(script) == (FileInto("I have a present for you"),)


class World(Outside):
    """Two hours east of UTC, on a Saturday evening."""

    def utc_offset(self, seconds: float) -> int:
        return 120


NOW = World(
    now=datetime(2007, 7, 7, 18, 30, 5, tzinfo=UTC).timestamp(),
    environment={"name": "jmaplite", "remote-host": "", "domain": "example.org"},
)


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('environment "name" "JMAPLITE"', True),
        ('environment :contains "item" ""', False),
        ('environment :contains "remote-host" ""', True),
        ('environment :count "eq" "remote-host" "0"', True),
        ('environment :count "eq" "domain" "1"', True),
        ('environment :matches "domain" "*.org"', True),
    ],
)
def test_environment(test: str, result: bool) -> None:
    found = actions(f'require ["environment", "relational"]; if {test} {{ discard; }}', outside=NOW)
    assert (found == (Discard(),)) is result


DATED = message(
    """
Received: from a by b; Sun, 25 Feb 2007 09:00:01 +0100
Received: from c by d (; no); Mon, 26 Feb 2007 08:59:59 -0500
Date: Tue, 1 Apr 1997 09:06:31 -0800 (PST)
X-Bad: Tue, 32 Jan 1997 09:06:31 -0800
From: boss@example.com

"""
)


@pytest.mark.parametrize(
    ("test", "result"),
    [
        *(
            (f'date :originalzone "date" "{part}" "{value}"', True)
            for part, value in [
                ("year", "1997"),
                ("month", "04"),
                ("day", "01"),
                ("date", "1997-04-01"),
                ("julian", "50539"),
                ("hour", "09"),
                ("minute", "06"),
                ("second", "31"),
                ("time", "09:06:31"),
                ("iso8601", "1997-04-01T09:06:31-08:00"),
                ("std11", "Tue, 01 Apr 1997 09:06:31 -0800"),
                ("zone", "-0800"),
                ("weekday", "2"),
                ("WEEKDAY", "2"),
            ]
        ),
        ('date "date" "hour" "19"', True),
        ('date "date" "zone" "+0200"', True),
        ('date :zone "+0000" "date" "iso8601" "1997-04-01T17:06:31Z"', True),
        ('date :zone "-0000" "date" "zone" "+0000"', True),
        ('date :zone "+0530" "date" "time" "22:36:31"', True),
        ('date :matches "x-bad" "date" "*"', False),
        ('date :matches "x-none" "date" "*"', False),
        ('date :matches "from" "date" "*"', False),
        ('date :count "eq" "date" "year" "1"', True),
        ('date :count "eq" "x-bad" "year" "0"', True),
        ('date "received" "weekday" "0"', True),
        ('date :index 2 :originalzone "received" "hour" "08"', True),
        ('date :index 1 :last :originalzone "received" "hour" "08"', True),
        ('date :index 3 :matches "received" "hour" "*"', False),
        ('date :value "gt" :index 2 :zone "-0500" "received" "iso8601" "2007-02-26T09:00:00-05:00"', False),
        ('date :value "le" :index 2 :zone "-0500" "received" "iso8601" "2007-02-26T09:00:00-05:00"', True),
        ('currentdate "iso8601" "2007-07-07T20:30:05+02:00"', True),
        ('currentdate :zone "-0100" "hour" "17"', True),
        ('currentdate :count "eq" "hour" "1"', True),
        ('currentdate "weekday" "6"', True),
    ],
)
def test_dates(test: str, result: bool) -> None:
    require = 'require ["date", "index", "relational"];'
    found = actions(f"{require} if {test} {{ discard; }}", DATED, outside=NOW)
    assert (found == (Discard(),)) is result


def test_the_scripts_of_rfc_5260() -> None:
    urgent = """require ["date", "relational", "fileinto"];
  if allof(header :is "from" "boss@example.com",
           date :value "ge" :originalzone "date" "hour" "09",
           date :value "lt" :originalzone "date" "hour" "17")
  { fileinto "urgent"; }"""
    weekend = """require ["date", "relational", "fileinto"];
  if anyof(date :is "received" "weekday" "0",
           date :is "received" "weekday" "6")
  { fileinto "weekend"; }"""
    pager = """require ["date", "relational"];
  if anyof(currentdate :is "weekday" "0",
           currentdate :is "weekday" "6",
           currentdate :value "lt" "hour" "09",
           currentdate :value "ge" "hour" "17")
  { redirect "pager@example.com"; }"""
    vacation = """require ["date", "relational", "vacation"];
  if allof(currentdate :value "ge" "date" "2007-06-30",
           currentdate :value "le" "date" "2007-07-07")
  { vacation :days 7  "I'm away during the first week in July."; }"""
    month = """require ["date", "variables", "fileinto"];
  if currentdate :matches "month" "*" { set "month" "${1}"; }
  if currentdate :matches "year"  "*" { set "year"  "${1}"; }
  fileinto "${month}-${year}";"""
    stamp = """require ["variables", "date", "editheader"];
   if currentdate :matches "std11" "*"
     {addheader "Processing-date" "${0}";}"""
    cutoff = """require ["date", "relational", "index"];
  if date :value "gt" :index 2 :zone "-0500" "received"
          "iso8601" "2007-02-26T08:00:00-05:00"
  { redirect "aftercutoff@example.org"; }"""
    assert actions(urgent, DATED) == (FileInto("urgent"),)
    assert actions(weekend, DATED) == (FileInto("weekend"),)
    assert actions(pager, DATED, outside=NOW) == (Redirect("pager@example.com"),)
    assert actions(vacation, DATED, outside=NOW)[0].__class__.__name__ == "Vacation"
    assert actions(month, DATED, outside=NOW) == (FileInto("07-2007"),)
    assert actions(cutoff, DATED, outside=NOW) == (Redirect("aftercutoff@example.org"),)
    (kept,) = actions(stamp, DATED, outside=NOW)
    assert octets_of(kept).startswith(b"Processing-date: Sat, 07 Jul 2007 20:30:05 +0200\r\nReceived:")


@pytest.mark.parametrize(
    ("test", "part"),
    [
        ('date "date" "century" "x"', "a date has no part 'century'"),
        ('date :zone "0100" "date" "hour" "x"', "a time zone is"),
        ('date :zone "+9900" "date" "hour" "x"', "a time zone is"),
        ('date :zone "+0100" :originalzone "date" "hour" "x"', "exclude each other"),
        ('date :last "date" "hour" "x"', "':last' goes with ':index' only"),
        ('header :last "date" "x"', "':last' goes with ':index' only"),
        ('header :index 0 "date" "x"', "counts from 1"),
        ('currentdate :originalzone "hour" "x"', "has no ':originalzone'"),
        ('date ["date"] "hour" "x"', "takes a string here"),
    ],
)
def test_mistakes_with_dates(test: str, part: str) -> None:
    with pytest.raises(SieveError, match=part):
        parse(f'require ["date", "index"]; if {test} {{ }}'.encode())


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('header :index 1 "x" "a"', True),
        ('header :index 2 "x" "a"', False),
        ('header :index 1 :last "x" "c"', True),
        ('header :index 4 :contains "x" ""', False),
        ('header :index 3 ["y", "x"] "b"', True),
        ('address :index 2 "to" "b@example.com"', True),
        ('address :index 1 "to" "b@example.com"', False),
    ],
)
def test_index_counts_fields(test: str, result: bool) -> None:
    octets = b"X: a\r\nX: b\r\nY: d\r\nX: c\r\nTo: z@example.com, a@example.com\r\nTo: b@example.com\r\n\r\n"
    assert is_true(test, octets, "index") is result


def octets_of(action: object) -> bytes:
    """The message that an action files, as the script has changed it."""
    edited = getattr(action, "message", None)
    assert edited is not None
    found = edited.octets
    assert isinstance(found, bytes)
    return found


def edited(script: str, octets: bytes = A) -> bytes:
    """The message that is kept after a script."""
    found = actions(f'require ["editheader", "fileinto", "variables"]; {script}', octets)
    return octets_of(found[-1]) if getattr(found[-1], "message", None) is not None else octets


HELLO = b"X-Hello: 1\r\nSubject: s\r\nX-Hello: 2\r\nx-hello: 3\r\n\r\nbody\r\n"


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ('addheader "X-A" "v";', b"X-A: v\r\n" + HELLO),
        ('addheader :last "X-A" "v";', HELLO.replace(b"\r\n\r\n", b"\r\nX-A: v\r\n\r\n", 1)),
        ('addheader "X-A" "1"; addheader "X-B" "2";', b"X-B: 2\r\nX-A: 1\r\n" + HELLO),
        ('addheader "X-Hello" "World"; deleteheader :index 1 "X-Hello";', HELLO),
        (
            'deleteheader :index 1 "X-Hello"; deleteheader :index 2 "X-Hello";',
            b"Subject: s\r\nX-Hello: 2\r\n\r\nbody\r\n",
        ),
        ('deleteheader "X-HELLO";', b"Subject: s\r\n\r\nbody\r\n"),
        ('deleteheader :index 1 :last "X-Hello";', HELLO.replace(b"x-hello: 3\r\n", b"")),
        ('deleteheader "X-Hello" ["2", "9"];', HELLO.replace(b"X-Hello: 2\r\n", b"")),
        ('deleteheader :matches "X-Hello" "?";', b"Subject: s\r\n\r\nbody\r\n"),
        ('deleteheader :index 1 :contains "X-Hello" "2";', HELLO),
        ('deleteheader :index 9 "X-Hello";', HELLO),
        ('deleteheader "X-None";', HELLO),
        (
            'require "comparator-i;ascii-numeric"; deleteheader :contains :comparator "i;ascii-numeric" "X-Hello";',
            b"Subject: s\r\n\r\nbody\r\n",
        ),
        (
            'deleteheader "Subject"; addheader :last "Subject" "Grüße";',
            b"X-Hello: 1\r\nX-Hello: 2\r\nx-hello: 3\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\nbody\r\n",
        ),
    ],
)
def test_header_fields_are_edited(script: str, result: bytes) -> None:
    assert edited(script, HELLO) == result


@pytest.mark.parametrize("name", ["Received", "auto-submitted"])
def test_some_fields_cannot_be_deleted(name: str) -> None:
    octets = f"{name}: x\r\n\r\n".encode()
    assert edited(f'deleteheader "{name}";', octets) == octets


@pytest.mark.parametrize("command", ['addheader "a b" "x";', 'addheader "a:" "x";', 'deleteheader "ü";'])
def test_an_edited_field_has_a_proper_name(command: str) -> None:
    with pytest.raises(SieveError, match="not the name of a header field"):
        parse(f'require "editheader"; {command}'.encode())


def test_last_without_index_is_an_error_for_deleteheader() -> None:
    with pytest.raises(SieveError, match="goes with ':index' only"):
        parse(b'require "editheader"; deleteheader :last "a";')


def test_added_fields_are_bounded_and_cannot_break_out() -> None:
    assert "longer than 1024 octets" in str(outcome(f'require "editheader"; addheader "X" "{"x " * 600}";').error)
    assert edited('addheader "X" "a\r\nBcc: b";', HELLO) == b"X: a Bcc: b\r\n" + HELLO
    assert outcome('require ["editheader", "encoded-character"]; addheader "X" "a${hex:00}";').error is not None


def test_tests_see_the_header_as_it_is_edited() -> None:
    script = """addheader "X-Hello" "World";
      if header :contains "X-Hello" "World" { fileinto "international"; }"""
    assert edited(script).startswith(b"X-Hello: World\r\n")
    assert actions(f'require ["editheader", "fileinto"]; {script}')[0] == FileInto("international")
    assert is_true('exists "x-none"', HELLO) is False


def test_an_action_takes_the_header_of_its_moment_and_duplicates_are_still_found() -> None:
    script = """require ["editheader", "fileinto"]; fileinto "a"; addheader "X" "1"; fileinto "b"; keep;
       addheader "X-Flavor" "vanilla"; keep;"""
    first, second, kept = actions(script)
    assert getattr(first, "message", 0) is None
    assert octets_of(second) == b"X: 1\r\n" + A
    assert octets_of(kept) == b"X-Flavor: vanilla\r\nX: 1\r\n" + A
    assert actions('require "editheader"; addheader "X" "1";')[0] == Keep(is_implicit=True)


def test_after_an_error_the_message_is_kept_as_it_came() -> None:
    found = outcome('require ["editheader", "ihave"]; addheader "X" "1"; error "no";')
    assert found == Outcome(IMPLICIT, found.error, (), 2)
    assert getattr(found.actions[0], "message", 0) is None
    assert str(found.error) == "line 1, column 53: no"


def test_the_script_of_rfc_5293_section_4() -> None:
    script = """require "editheader";
     /* Don't redirect if we already redirected */
     if not header :contains "X-Sieve-Filtered"
             ["<kim@job.example.com>", "<kim@home.example.com>"]
     {
             addheader "X-Sieve-Filtered" "<kim@job.example.com>";
             redirect "kim@home.example.com";
     }"""
    (redirect,) = actions(script)
    assert redirect == Redirect("kim@home.example.com")
    assert actions(script, octets_of(redirect)) == IMPLICIT


@given(st.binary(max_size=200), st.booleans())
def test_a_field_can_be_added_to_anything(octets: bytes, is_last: bool) -> None:
    added = edited(f'addheader {":last" if is_last else ""} "X-Added" "value";', octets)
    assert is_true('header "x-added" "value"', added)
    if is_true('not exists "x-added"', octets):
        removed = edited('deleteheader "x-added";', added)
        assert not is_true('exists "x-added"', removed)


def test_limits_of_added_fields_can_be_set() -> None:
    script = f'require "editheader"; addheader "X" "{"x" * 50}";'
    assert outcome(script, limits=Limits(header_size=40)).error is not None
