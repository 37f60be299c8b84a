"""Messages put together: what comes out is read back as what went in, and strict readers find no fault."""

from __future__ import annotations

import email
import re
import unicodedata
from email import policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.formats import compose, mime
from jmaplite.formats.compose import Entity, NotWritable
from jmaplite.formats.compose.bodies import base64, encoded, quoted_printable

# Strings as JSON brings them, without what readers drop: control characters and noncharacters.
CHARACTERS = st.characters(exclude_categories=("Cs", "Cc", "Cn"))
STRINGS = st.text(CHARACTERS, max_size=300) | st.lists(
    st.text(CHARACTERS, max_size=20)
    | st.sampled_from(["word", "  ", "=?utf-8?q?x?=", "x" * 90, "ü", "漢字" * 30, '"', "\\"])
).map(" ".join)
ATOMS = st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}", fullmatch=True) | st.sampled_from(["jörg", "用户", "a.b"])
EMAILS = st.builds("{}@{}".format, ATOMS, ATOMS) | ATOMS | st.just('"a b"@example.org') | st.just("x@[192.0.2.1]")
NAMES = st.none() | STRINGS
MAILBOXES = st.fixed_dictionaries({"name": NAMES, "email": EMAILS})


def written(name: str, form: str, value: Any) -> bytes:
    """A field's value as a reader finds it, once its lines were found to be within their limits."""
    octets = compose.field(name, form, value)
    check_lines(octets)
    [(found, body)] = mime.header_fields(octets)
    assert found == name
    return body


def check_lines(octets: bytes, most: int = 998) -> None:
    assert octets.endswith(b"\r\n")
    for line in octets.split(b"\r\n"):
        assert len(line) <= most
        assert b"\r" not in line
        assert b"\n" not in line
        if b"=?utf-8?" in line and not re.search(rb"[^ ]{60}", re.sub(rb"=\?utf-8\?[bq]\?[!-~]*?\?=", b"", line)):
            assert len(line) <= 78
    for word in re.findall(rb"=\?utf-8\?[bq]\?[^? ]*\?=", octets):
        assert len(word) <= 75
    assert not re.search(rb"\n[ \t]*\r\n", octets), "a line of white space alone"


def nfc(value: str | None) -> str | None:
    return None if value is None else unicodedata.normalize("NFC", value)


def name_of(value: str | None) -> str | None:
    """A display name as it is read back: no white space around it, and none is none."""
    return nfc((value or "").strip().replace("\t", " ")) or None


@given(STRINGS)
def test_a_text_comes_back(value: str) -> None:
    assert mime.text(written("Subject", "Text", value)) == nfc(value)


@given(STRINGS, st.integers(1, 76))
def test_a_text_comes_back_from_a_field_with_a_name_of_any_length(value: str, length: int) -> None:
    assert mime.text(written("X" * length, "Text", value)) == nfc(value)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=200))
def test_a_text_of_printable_ascii_without_encoded_words_stands_as_it_is(value: str) -> None:
    words = [word for word in re.split(r"=\?", value) if word]
    plain = " ".join(word[:70] for word in words)
    assert b"=?" not in written("Subject", "Text", plain)


def test_a_tab_among_words_that_are_encoded_parts_them_still() -> None:
    assert mime.text(written("Subject", "Text", "Grüße\tJörg")) == "Grüße Jörg"
    assert mime.text(written("Subject", "Text", "one\ttwo")) == "one\ttwo"


def test_lines_are_folded_at_78_characters() -> None:
    value = "word " * 100 + "end"
    check_lines(compose.field("Subject", "Text", value), 78)


@given(st.lists(MAILBOXES, min_size=1, max_size=6))
def test_addresses_come_back(value: list[dict[str, Any]]) -> None:
    expected = [{"name": name_of(item["name"]), "email": item["email"]} for item in value]
    assert mime.addresses(written("To", "Addresses", value)) == expected


@given(st.lists(st.fixed_dictionaries({"name": NAMES, "addresses": st.lists(MAILBOXES, max_size=3)}), max_size=4))
def test_groups_come_back(value: list[dict[str, Any]]) -> None:
    expected: list[dict[str, Any]] = []
    for group in value:
        members = [{"name": name_of(item["name"]), "email": item["email"]} for item in group["addresses"]]
        if group["name"] is not None:
            expected.append({"name": name_of(group["name"]) or "", "addresses": members})
        elif members and expected and expected[-1]["name"] is None:
            expected[-1]["addresses"] += members
        elif members:
            expected.append({"name": None, "addresses": members})
    octets = compose.field("To", "GroupedAddresses", value)
    found = mime.grouped_addresses(mime.header_fields(octets)[0][1]) if octets else []
    assert found == expected


@given(st.lists(MAILBOXES, min_size=1, max_size=6))
def test_encoded_words_are_never_in_an_address(value: list[dict[str, Any]]) -> None:
    octets = compose.field("To", "Addresses", value)
    for item in value:
        assert item["email"].encode() in octets


def test_an_encoded_group_name_stands_apart_from_its_colon() -> None:
    assert compose.field("To", "GroupedAddresses", [{"name": "ü", "addresses": []}]) == b"To: =?utf-8?q?=C3=BC?= :;\r\n"


@pytest.mark.parametrize(
    "value",
    [
        "a@b>, c@d <e@f",
        "a@b, c@d",
        "a@b (comment)",
        "a@b;",
        "a:b@c",
        '"a@b',
        "a\\b@c",
        "a@b@c",
        "a\u2028b@c",
        "a@b\r\nBcc: x@y",
        "a@b\nBcc: x@y",
        "a\0@b",
        "x" * 2000,
    ],
)
def test_an_address_that_would_be_read_as_something_else_is_refused(value: str) -> None:
    with pytest.raises(NotWritable):
        compose.field("To", "Addresses", [{"name": "A", "email": value}])


@pytest.mark.parametrize("value", ["a\r\nBcc: x@y", "a\nBcc: x@y", "a\rb", "a\0b", "\r\n\r\nbody", "a\x7f", "a\x1b"])
@pytest.mark.parametrize(
    ("form", "wrap"),
    [
        ("Text", lambda value: value),
        ("Raw", lambda value: value),
        ("Date", lambda value: value),
        ("Addresses", lambda value: [{"name": value, "email": "a@b"}]),
        ("Addresses", lambda value: [{"name": None, "email": value}]),
        ("GroupedAddresses", lambda value: [{"name": value, "addresses": []}]),
        ("MessageIds", lambda value: [value]),
        ("URLs", lambda value: [value]),
    ],
)
def test_control_characters_are_refused_in_every_form(form: str, wrap: Any, value: str) -> None:
    with pytest.raises(NotWritable):
        compose.field("X-Test", form, wrap(value))


@given(st.text())
def test_no_text_adds_a_field(value: str) -> None:
    for form, item in {
        "Raw": value,
        "Text": value,
        "Addresses": [{"name": value, "email": "a@b"}, {"name": None, "email": value}],
        "GroupedAddresses": [{"name": value, "addresses": []}],
        "MessageIds": [value],
        "URLs": [value],
    }.items():
        try:
            octets = compose.field("X-Test", form, item)
        except NotWritable:
            continue
        lines = octets.split(b"\r\n")
        assert lines[-1] == b""
        assert all(line[:1] in (b" ", b"\t") for line in lines[1:-1])


@pytest.mark.parametrize("name", ["", "a b", "a:b", "ü", "a\r\nb", "x" * 77])
def test_what_is_no_field_name_is_refused(name: str) -> None:
    with pytest.raises(NotWritable):
        compose.field(name, "Text", "x")


@pytest.mark.parametrize("value", [" x", " x\r\n y", "\tx\r\n\ty z", " größer"])
def test_a_raw_value_stands_as_it_is(value: str) -> None:
    assert mime.raw(written("X-Test", "Raw", value)) == value


def test_a_raw_value_without_white_space_before_it_gets_a_space() -> None:
    assert compose.field("Content-Language", "Raw", "en") == b"Content-Language: en\r\n"


def test_a_raw_value_folded_with_lf_is_folded_with_crlf() -> None:
    assert compose.field("X", "Raw", " a\n b") == b"X: a\r\n b\r\n"


@pytest.mark.parametrize("value", [" a\r\n \r\n b", " a\r\n ", " a\r\n", "a\nb"])
def test_a_raw_value_with_what_may_end_the_header_is_refused(value: str) -> None:
    with pytest.raises(NotWritable):
        compose.field("X", "Raw", value)


def test_a_raw_value_too_long_for_a_line_is_folded_or_refused() -> None:
    octets = compose.field("X", "Raw", " word" * 1000)
    check_lines(octets, 78)
    assert octets.replace(b"\r\n", b"") == b"X:" + b" word" * 1000
    with pytest.raises(NotWritable):
        compose.field("X", "Raw", " " + "x" * 1000)


@given(st.lists(st.from_regex(r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~@-]{1,200}", fullmatch=True), min_size=1))
def test_message_ids_come_back(value: list[str]) -> None:
    assert mime.message_ids(written("References", "MessageIds", value)) == value


@pytest.mark.parametrize("value", ["<a@b>", "a b@c", "a@b> <c@d", ""])
def test_what_is_no_message_id_is_refused(value: str) -> None:
    with pytest.raises(NotWritable):
        compose.field("References", "MessageIds", [value])


def test_a_message_id_that_a_mailer_quoted_oddly_can_be_referred_to() -> None:
    assert mime.message_ids(written("In-Reply-To", "MessageIds", ['"a b"@example.org'])) == ['"a b"@example.org']


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2018-07-10T11:03:11+10:00", b"Date: Tue, 10 Jul 2018 11:03:11 +1000\r\n"),
        ("2000-02-29T00:00:00Z", b"Date: Tue, 29 Feb 2000 00:00:00 +0000\r\n"),
        ("2000-02-29T00:00:00.5-00:00", b"Date: Tue, 29 Feb 2000 00:00:00 -0000\r\n"),
    ],
)
def test_dates_are_written_as_rfc_5322_has_them(value: str, expected: bytes) -> None:
    assert compose.field("Date", "Date", value) == expected


@given(st.datetimes(), st.sampled_from(["Z", "+05:30", "-00:00", "-11:00"]))
def test_dates_come_back(moment: Any, offset: str) -> None:
    value = moment.strftime("%Y").rjust(4, "0") + moment.strftime("-%m-%dT%H:%M:%S") + offset
    if moment.year < 1900:
        with pytest.raises(NotWritable):
            compose.field("Date", "Date", value)
    else:
        assert mime.date(written("Date", "Date", value)) == value


@given(st.lists(st.from_regex(r"(https|mailto):[a-z0-9/?=&,;()\"-]{1,1500}", fullmatch=True), min_size=1, max_size=4))
def test_urls_come_back(value: list[str]) -> None:
    assert mime.urls(written("List-Help", "URLs", value)) == value


@pytest.mark.parametrize("value", ["a b", "<a>", "http://ü", ""])
def test_what_is_no_url_is_refused(value: str) -> None:
    with pytest.raises(NotWritable):
        compose.field("List-Help", "URLs", [value])


@pytest.mark.parametrize("form", ["Addresses", "GroupedAddresses", "MessageIds", "URLs"])
def test_an_empty_list_makes_no_field(form: str) -> None:
    assert compose.field("X-Test", form, []) == b""


def message(root: Entity, fields: tuple[bytes, ...] = ()) -> bytes:
    """A message that Python's parser finds no defects in and whose lines are within their limits."""
    octets = compose.message(fields, root, "seed")
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))
    parsed = email.message_from_bytes(octets, policy=policy.default)
    for part in parsed.walk():
        assert part.defects == []
    return octets


def only_part(octets: bytes) -> mime.Part:
    [part] = mime.parse(octets).leaves()
    return part


@given(STRINGS)
def test_file_names_come_back(value: str) -> None:
    line = compose.structured("Content-Disposition", "attachment", {"filename": value})
    check_lines(line)
    assert max(map(len, line.split(b"\r\n"))) <= 78
    part = only_part(message(Entity("image/png", [line], octets=b"x")))
    assert part.name == ((nfc(value) or "").strip() or None)
    assert part.disposition == "attachment"


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\0b", "a\tb", "x" * 3000])
def test_control_characters_are_refused_in_a_file_name(value: str) -> None:
    with pytest.raises(NotWritable):
        compose.structured("Content-Disposition", "attachment", {"filename": value})


@given(
    st.text() | st.lists(st.sampled_from(["a", "ä", " ", "\n", "=", "x" * 500, ".", "\t", "--", "漢" * 9])).map("".join)
)
def test_text_comes_back_from_any_encoding(value: str) -> None:
    value = value.replace("\r", "\n").replace("\0", "")
    charset = "us-ascii" if value.isascii() else "utf-8"
    octets = value.replace("\n", "\r\n").encode()
    whole = message(Entity("text/plain", parameters={"charset": charset}, octets=octets))
    part = only_part(whole)
    found, is_problem, _ = mime.body_value(whole, part)
    assert (mime.part_octets(whole, part), is_problem) == (octets, False)
    assert found in (
        value,
        value.removeprefix("\ufeff"),
        *([found] if re.search("[\ufdd0-\ufdef\ufffe\uffff]", value) else []),
    )


@given(
    st.binary()
    | st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b"a" * 600, b"=", b" ", b"\xff"])).map(b"".join)
)
def test_octets_come_back_from_any_type(octets: bytes) -> None:
    for kind in ("text/plain", "application/octet-stream", "text/csv"):
        whole = message(Entity("multipart/mixed", parts=[Entity(kind, octets=octets), Entity("text/plain")]))
        first = next(mime.parse(whole).leaves())
        assert mime.part_octets(whole, first) == octets


@given(st.binary() | st.text().map(str.encode))
def test_the_encodings_undo_what_binascii_makes(octets: bytes) -> None:
    assert mime.decode(base64(octets), "b") == octets
    lines = octets.replace(b"\r", b"").replace(b"\n", b"\r\n")
    found = quoted_printable(lines)
    assert mime.decode(found, "q") == lines
    for line in found.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.endswith((b" ", b"\t"))
        assert b"\n" not in line


@pytest.mark.parametrize(
    ("kind", "octets", "expected"),
    [
        ("text/plain", b"plain\r\n", "7bit"),
        ("text/plain", b"x" * 998, "7bit"),
        ("text/plain", b"x" * 999, "quoted-printable"),
        ("text/plain", "mostly plain, with an ü".encode(), "quoted-printable"),
        ("text/plain", "漢字".encode(), "base64"),
        ("text/plain", b"lines\nof unix", "base64"),
        ("text/plain", b"nul \0, and much text that is plain", "quoted-printable"),
        ("application/pdf", b"%PDF\r\n", "7bit"),
        ("application/pdf", b"%PDF\n", "base64"),
        ("application/json", "{'with': 'an ü'}".encode(), "base64"),
        ("message/rfc822", b"Subject: x\r\n\r\ny", "7bit"),
        ("message/rfc822", "Subject: x\r\n\r\nü".encode(), "8bit"),
        ("message/rfc822", b"Subject: x\r\n\r\n" + b"y" * 999, "binary"),
        ("message/rfc822", b"Subject: x\n\n\0", "binary"),
        ("message/global", "Subject: ü".encode(), "base64"),
    ],
)
def test_the_content_decides_its_encoding(kind: str, octets: bytes, expected: str) -> None:
    assert encoded(kind, octets)[0] == expected


def test_an_attached_message_gets_crlf_line_ends() -> None:
    assert encoded("message/rfc822", b"Subject: x\n\ny\rz\r\n") == ("7bit", b"Subject: x\r\n\r\ny\r\nz\r\n")


def test_a_multipart_tells_the_widest_encoding_within() -> None:
    inner = Entity("message/rfc822", octets="Subject: x\r\n\r\nü".encode())
    whole = message(Entity("multipart/mixed", parts=[Entity("multipart/mixed", parts=[inner])]))
    assert whole.count(b"Content-Transfer-Encoding: 8bit\r\n") == 3


def test_a_boundary_is_not_in_the_content() -> None:
    first = message(Entity("multipart/mixed", parts=[Entity("text/plain", octets=b"x")]))
    boundary = mime.header_fields(first)[1][1].partition(b'"')[2].rstrip(b'"')
    content = b"--" + boundary + b"\r\n\r\nforged"
    whole = message(Entity("multipart/mixed", parts=[Entity("text/plain", octets=content)]))
    assert mime.part_octets(whole, only_part(whole)) == content


def test_a_tree_comes_back() -> None:
    html = Entity("text/html", parameters={"charset": "us-ascii"}, octets=b"<p>")
    related = Entity("multipart/related", parts=[html, Entity("image/png", octets=b"\x89PNG")])
    whole = message(Entity("multipart/alternative", parts=[Entity("text/plain", octets=b""), related]))
    root = mime.parse(whole).root
    assert root.sub_parts is not None
    plain, found = root.sub_parts
    assert (root.type, plain.type, plain.size, found.type) == (
        "multipart/alternative",
        "text/plain",
        0,
        "multipart/related",
    )
    assert [part.type for part in found.leaves()] == ["text/html", "image/png"]


def test_parameters_are_added_to_a_content_type_that_is_given() -> None:
    line = compose.field("Content-Type", "Raw", "text/calendar; method=REQUEST;")
    whole = message(Entity("text/calendar", content_type=line, parameters={"charset": "utf-8"}, octets=b"x"))
    assert b"Content-Type: text/calendar; method=REQUEST;\r\n charset=utf-8\r\n" in whole
