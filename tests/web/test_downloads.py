"""The download resource (RFC 8620 §6.2)."""

from __future__ import annotations

import base64
import os
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.web.disposition import attachment, content_type
from jmaplite.web.downloads import AT_ONCE_OCTETS
from jmaplite.web.ranges import Span, UnsatisfiableRange, matches, requested_span
from tests.web.serving import Answer, Site, basic, problem

SIZES = [0, 1, 1000, AT_ONCE_OCTETS, AT_ONCE_OCTETS + 1, 3_000_000]


def download(site: Site, blob_id: str, name: str = "x", query: str = "", method: str = "GET", **headers: str) -> Answer:
    return site.ask(method, f"/jmap/download/{site.account}/{blob_id}/{name}{query}", **headers)


@pytest.mark.parametrize("size", SIZES)
def test_a_blob_is_downloaded_whole(site: Site, size: int) -> None:
    octets = os.urandom(size)
    answer = download(site, site.upload(octets))
    assert answer.status == 200
    assert answer.octets == octets
    assert answer.header("content-length") == str(size)
    assert answer.header("accept-ranges") == "bytes"


@pytest.mark.parametrize("size", SIZES)
def test_head_tells_all_but_the_octets(site: Site, size: int) -> None:
    blob_id = site.upload(os.urandom(size))
    get, head = download(site, blob_id), download(site, blob_id, method="HEAD")
    assert head.octets == b""
    assert head.lasting_lines == get.lasting_lines


def test_it_is_kept_by_its_users_cache_for_good(site: Site) -> None:
    blob_id = site.upload(b"x")
    answer = download(site, blob_id)
    assert answer.header("cache-control") == "private, immutable, max-age=31536000"
    assert answer.header("etag") == f'"{blob_id}"'


@pytest.mark.parametrize("condition", ["{}", "W/{}", '"other", {}', "*"])
def test_who_has_it_is_not_sent_it_again(site: Site, condition: str) -> None:
    blob_id = site.upload(b"x")
    answer = download(site, blob_id, If_None_Match=condition.format(f'"{blob_id}"'))
    assert answer.status == 304
    assert answer.octets == b""
    assert answer.header("etag") == f'"{blob_id}"'
    assert download(site, blob_id, If_None_Match='"other"').status == 200


def test_no_browser_runs_it(site: Site) -> None:
    answer = download(site, site.upload(b"<script>"), "x.html", "?type=text/html")
    assert answer.header("content-type") == "text/html"
    assert answer.header("content-security-policy") == "sandbox; default-src 'none'"
    assert answer.header("x-content-type-options") == "nosniff"
    assert (answer.header("content-disposition") or "").startswith("attachment")


@pytest.mark.parametrize("size", [1000, 3_000_000])
@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=990-", 990, None),
        ("bytes=-5", -5, None),
        ("bytes=0-", 0, None),
    ],
)
def test_a_range_is_those_octets(site: Site, size: int, wanted: str, start: int, end: int | None) -> None:
    octets = os.urandom(size)
    answer = download(site, site.upload(octets), Range=wanted)
    assert answer.status == 206
    assert answer.octets == octets[start:end]
    first = start % size
    assert answer.header("content-range") == f"bytes {first}-{first + len(answer.octets) - 1}/{size}"
    assert answer.header("content-length") == str(len(answer.octets))


@pytest.mark.parametrize("wanted", ["bytes=5-", "bytes=5-9", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_a_range_beyond_the_end_is_not_satisfied(site: Site, wanted: str) -> None:
    answer = download(site, site.upload(b"01234"), Range=wanted)
    assert answer.status == 416
    assert answer.header("content-range") == "bytes */5"
    problem(answer)


@pytest.mark.parametrize("wanted", ["bytes=0-1,3-4", "lines=1-2", "bytes=x-y", "bytes=2-1", "bytes=-", "bytes"])
def test_the_whole_is_sent_for_other_ranges(site: Site, wanted: str) -> None:
    answer = download(site, site.upload(b"01234"), Range=wanted)
    assert (answer.status, answer.octets) == (200, b"01234")


def test_a_range_of_something_else_is_not_sent(site: Site) -> None:
    blob_id = site.upload(b"01234")
    assert download(site, blob_id, Range="bytes=0-1", If_Range='"other"').status == 200
    assert download(site, blob_id, Range="bytes=0-1", If_Range=f'"{blob_id}"').status == 206


def test_octets_are_never_compressed(site: Site) -> None:
    answer = download(site, site.upload(b"x" * 100_000), Accept_Encoding="gzip", query="?type=text/plain")
    assert answer.header("content-encoding") is None


def test_a_part_of_a_blob_is_cut_out(site: Site) -> None:
    blob_id = site.upload(b"0123456789")
    answer = download(site, f"{blob_id}-2-5-n")
    assert answer.octets == b"23456"
    assert answer.header("etag") == f'"{blob_id}-2-5-n"'
    assert download(site, f"{blob_id}-2-5-n", Range="bytes=1-2").octets == b"34"


def test_the_transfer_encoding_of_a_part_is_undone(site: Site) -> None:
    octets = os.urandom(1000)
    coded = base64.encodebytes(octets)
    blob_id = site.upload(b"head\r\n\r\n" + coded + b"a=3Db=\r\nc")
    assert download(site, f"{blob_id}-8-{len(coded):x}-b").octets == octets
    assert download(site, f"{blob_id}-8-{len(coded):x}-b", Range="bytes=10-19").octets == octets[10:20]
    assert download(site, f"{blob_id}-{8 + len(coded):x}-9-q").octets == b"a=bc"


@pytest.mark.parametrize("part", ["-0-b-n", "-a-1-n", "-fffffffffffff-fffffffffffff-n", "-0-1-x", "-0-1"])
def test_a_part_that_is_not_there_is_not_found(site: Site, part: str) -> None:
    answer = download(site, site.upload(b"0123456789") + part)
    assert answer.status == 404
    problem(answer)


@pytest.mark.parametrize("blob_id", ["G" + "0" * 64, "x", "%00", "G"])
def test_a_blob_that_is_not_there_is_not_found(site: Site, blob_id: str) -> None:
    assert download(site, blob_id).status == 404


def test_others_cannot_tell_a_blob_of_mine_from_none(site: Site) -> None:
    mine = f"/jmap/download/{site.account}/{site.upload(b'mine')}/x"
    none = f"/jmap/download/{site.account}/G{'0' * 64}/x"
    nowhere = f"/jmap/download/nowhere/G{'0' * 64}/x"
    stranger = basic("zoë", "pässwörd")
    answers = [site.ask("GET", path, authorization=stranger) for path in (mine, none, nowhere)]
    assert {(answer.status, answer.octets) for answer in answers} == {(404, answers[0].octets)}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a/b",
        "a//b.txt",
        "ä €.txt",
        'q"uote',
        "semi;colon",
        "100%",
        "..",
        "a\\b",
        "/etc/passwd",
        "a/",
        "a\nb",
        "\r\n",
    ],
)
def test_the_name_is_the_one_in_the_url(site: Site, name: str) -> None:
    answer = download(site, site.upload(b"x"), quote(name, safe=""))
    assert answer.status == 200
    assert answer.header("content-disposition") == attachment(name)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("plain.txt", 'attachment; filename="plain.txt"'),
        ("two words.txt", 'attachment; filename="two words.txt"'),
        ("€.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%E2%82%AC.txt"),
        ('a"b\\c', "attachment; filename=\"a_b_c\"; filename*=UTF-8''a%22b%5Cc"),
        ("a\r\nX: y", 'attachment; filename="aX: y"'),
        ("", "attachment"),
    ],
)
def test_names_are_quoted_as_rfc_6266_says(name: str, header: str) -> None:
    assert attachment(name) == header


@given(st.text())
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    header = attachment(name.encode("utf-8", "replace").decode())
    assert header.isascii()
    assert header.isprintable()


@pytest.mark.parametrize(
    "wanted", ["text/plain", "image/svg+xml", "text/plain; charset=utf-8", 'a/b; c="d; e"; f=g', "application/x.y-z"]
)
def test_a_media_type_is_sent_as_wanted(wanted: str) -> None:
    assert content_type(wanted) == wanted


@pytest.mark.parametrize(
    "wanted", [None, "", "text", "text/", "/plain", "text/plain\r\nX: y", "text/plain;", "a/b; c", "ä/b", "a/b" * 100]
)
def test_what_is_no_media_type_is_octets(wanted: str | None) -> None:
    assert content_type(wanted) == "application/octet-stream"


def test_the_query_says_which_type_it_is(site: Site) -> None:
    blob_id = site.upload(b"x")
    assert download(site, blob_id, query="?type=image%2Fpng").header("content-type") == "image/png"
    assert download(site, blob_id, query="?type=a%0d%0aX:y").header("content-type") == "application/octet-stream"
    assert download(site, blob_id).header("content-type") == "application/octet-stream"


@pytest.mark.parametrize("query", ["image/svg+xml", "image%2Fsvg%2Bxml", "image/svg%20xml"])
def test_a_plus_sign_in_a_media_type_need_not_be_encoded(site: Site, query: str) -> None:
    """In a URI it stands for itself (RFC 3986 §3.4); only in forms it is a space, which no media type has there."""
    answer = download(site, site.upload(b"<svg/>"), query=f"?type={query}")
    assert answer.header("content-type") == "image/svg+xml"


@given(st.text(st.sampled_from("bytes=0123456789-, \tx")), st.integers(0, 20))
def test_a_span_lies_within_the_octets(header: str, size: int) -> None:
    try:
        span = requested_span(header, size)
    except UnsatisfiableRange:
        return
    assert 0 <= span.start <= span.start + span.length <= size
    assert span.partial or span == Span(0, size, partial=False)
    assert span.length or not span.partial


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 30))
def test_a_span_is_what_a_slice_would_be(first: int, last: int, size: int) -> None:
    octets = bytes(range(size))
    if first <= last and first < size:
        span = requested_span(f"bytes={first}-{last}", size)
        assert octets[span.start : span.start + span.length] == octets[first : last + 1]


@given(st.text())
def test_no_condition_is_too_odd_to_read(header: str) -> None:
    matches(header, '"x"')
