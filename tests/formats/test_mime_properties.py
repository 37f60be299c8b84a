"""What holds for any octets whatever."""

import re

import orjson
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.formats import mime
from jmaplite.formats.html import to_text
from jmaplite.formats.mime import Part

FRAGMENTS = [
    *(
        b"\n",
        b"\r\n",
        b"\r",
        b"\n\n",
        b" ",
        b"\t",
        b"\0",
        b"\xff",
        b"\xc3",
        "é".encode(),
        b"x",
        b">",
        b"-",
        b":",
        b"--",
    ),
    *(b"\n--a", b"\n--a\n", b"\r\n--a\r\n", b"\n--a--\n", b"\n--b\n", b"\n--b--", b"--a--"),
    *(b"Content-Type: multipart/mixed; boundary=a\n\n", b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"),
    *(
        b"Content-Type: multipart/digest; boundary=a\n",
        b"Content-Type: multipart/mixed\n",
        b"Content-Type: text/html\n",
    ),
    *(
        b"Content-Type: image/png; name=x\n",
        b"Content-Type: text/plain; charset=",
        b"utf-8",
        b"gb2312",
        b"utf-7",
        b"utf-16",
    ),
    *(b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n", b"=C3=A9", b"YWJj"),
    *(
        b"Content-Disposition: attachment; filename*=utf-8''%C3",
        b"Content-ID: <a@b>\n",
        b"Content-Language: en\n",
        b"cid:a@b",
    ),
    *(
        b"Subject: ",
        b"From: ",
        b"Received: ",
        b"=?utf-8?q?=C3?=",
        b"=?gb18030?b?gTA=?=",
        b"(",
        b")",
        b'"',
        b"\\",
        b"<",
        b";",
    ),
    *(
        b"<a@b>",
        b",",
        b"1 Jul 2003 10:52:37 +0200",
        b"<p>",
        b"<style>",
        b"<!--",
        b"&#55296;",
        b"> x\n",
        b"-- \n",
        b"From x\n",
    ),
]
OCTETS = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(b"".join))


def check_places(part: Part, start: int, end: int) -> None:
    """Parts lie inside the body of what holds them, one after the other, header before body."""
    assert start <= part.header_start <= part.header_end <= part.body_start <= part.body_end <= end
    position = part.body_start
    for sub_part in part.sub_parts or ():
        check_places(sub_part, position, part.body_end)
        position = sub_part.body_end


@given(OCTETS)
def test_parts_lie_within_the_message_and_within_each_other(octets: bytes) -> None:
    check_places(mime.parse(octets).root, 0, len(octets))


@given(OCTETS)
def test_the_size_of_a_part_is_that_of_its_content(octets: bytes) -> None:
    for part in mime.parse(octets).leaves():
        assert part.size == len(mime.part_octets(octets, part))


@given(OCTETS)
def test_leaves_are_numbered_and_multiparts_are_not(octets: bytes) -> None:
    message = mime.parse(octets)

    leaves = list(message.leaves())

    assert [part.part_id for part in leaves] == [str(number + 1) for number in range(len(leaves))]
    assert all(not part.type.startswith("multipart/") for part in leaves)


@given(OCTETS)
def test_every_leaf_is_shown_or_attached(octets: bytes) -> None:
    message = mime.parse(octets)

    listed = {part.part_id for part in message.text_body + message.html_body + message.attachments}

    assert listed == {part.part_id for part in message.leaves()}


@given(OCTETS)
def test_a_stored_message_comes_back_as_it_was(octets: bytes) -> None:
    message = mime.parse(octets)

    assert mime.load(orjson.loads(orjson.dumps(mime.dump(message)))) == message


@given(OCTETS, st.integers(0, 40))
def test_text_is_bounded_and_fit_for_json(octets: bytes, limit: int) -> None:
    message = mime.parse(octets)

    for part in message.leaves():
        value, _, is_truncated = mime.body_value(octets, part, limit)
        assert "\0" not in value
        assert not limit or len(value.encode()) <= limit
        assert limit or not is_truncated
    preview = mime.preview(octets, message)
    assert len(preview) <= 256
    orjson.dumps([preview, mime.search_text(octets, message, 100)])


@given(OCTETS)
def test_header_fields_are_found_as_they_stand(octets: bytes) -> None:
    for name, value in mime.header_fields(octets):
        assert re.search(
            rb"%s[ \t]*:%s" % (re.escape(name.encode()), re.escape(value)), octets.replace(b"\r", b"\n")
        ) or (re.search(rb"%s[ \t]*:%s" % (re.escape(name.encode()), re.escape(value)), octets))


@given(OCTETS)
def test_every_form_of_any_value_is_fit_for_json(value: bytes) -> None:
    for form in mime.FORMS.values():
        orjson.dumps(form(value))
    orjson.dumps(mime.received_at([("Received", value)]))


@given(OCTETS.map(mime.text))
def test_subjects_are_stable(subject: str) -> None:
    base = mime.base_subject(subject)

    assert mime.base_subject(f"Re: [tag] fwd: {base} (fwd)") == base or base in ("", "(fwd)")
    assert mime.thread_subject(f"Re: {subject}") == mime.thread_subject(subject)


@given(st.text(max_size=100))
def test_html_of_any_kind_has_a_text(html: str) -> None:
    text = to_text(html)

    assert all(line == " ".join(line.split()) != "" for line in text.split("\n") if text)


@given(st.binary(max_size=60))
def test_transfer_decoding_takes_any_octets(octets: bytes) -> None:
    assert mime.decode(octets, "") == octets
    assert len(mime.decode(octets, "b")) <= len(octets)
    assert len(mime.decode(octets, "q")) <= len(octets)
