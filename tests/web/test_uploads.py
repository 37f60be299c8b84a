"""The upload resource (RFC 8620 §6.1)."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jmaplite.web import uploads
from tests.web.serving import DEMO, SHORT, Answer, Site, basic, problem, serving, until

ERROR = "urn:ietf:params:jmap:error:"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that takes uploads of 3,000,000 octets, one at a time."""
    more = "[jmap.protocol]\nupload.max-size = 3_000_000\nupload.max-concurrent = 1"
    with serving(tmp_path_factory.mktemp("small"), more, timeouts=SHORT) as site:
        yield site


def path(site: Site) -> str:
    return f"/jmap/upload/{site.account}/"


@pytest.mark.parametrize(
    "size", [0, 1, 131_072, 131_073, uploads.PIECE_OCTETS, 2 * uploads.PIECE_OCTETS + 1, 3_000_000]
)
@pytest.mark.parametrize("chunked", [False, True])
def test_what_was_uploaded_can_be_downloaded(small: Site, size: int, chunked: bool) -> None:
    octets = os.urandom(size)
    body = iter([octets[:100], octets[100:]]) if chunked and size > 100 else octets
    answer = small.ask("POST", path(small), body, Content_Type="text/x-test")
    assert answer.status == 201
    assert answer.json == {
        "accountId": small.account,
        "blobId": f"G{hashlib.sha256(octets).hexdigest()}",
        "type": "text/x-test",
        "size": size,
    }
    found = small.ask("GET", f"/jmap/download/{small.account}/{answer.json['blobId']}/x")
    assert found.octets == octets


@pytest.mark.parametrize(
    ("content_type", "media_type"),
    [
        ("text/plain; charset=utf-8", "text/plain"),
        ("image/svg+xml", "image/svg+xml"),
        ("nonsense", "application/octet-stream"),
        ("text/html<script>", "application/octet-stream"),
    ],
)
def test_its_type_is_the_media_type_that_the_request_names(site: Site, content_type: str, media_type: str) -> None:
    assert site.ask("POST", path(site), b"x", Content_Type=content_type).json["type"] == media_type


def test_without_a_type_it_is_octets(site: Site) -> None:
    request = f"POST {path(site)} HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\nContent-Length: 1\r\n"
    assert b'"type":"application/octet-stream"' in site.raw(request.encode() + b"Connection: close\r\n\r\nx")


def test_the_same_octets_are_the_same_blob(site: Site) -> None:
    assert site.upload(b"again") == site.upload(b"again")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [3_000_001, 12_000_000])
def test_an_upload_beyond_the_limit_is_refused(small: Site, size: int, chunked: bool) -> None:
    octets = bytes(size)
    answer = small.ask("POST", path(small), iter([octets]) if chunked else octets)
    assert answer.status == 413
    assert problem(answer)["type"] == ERROR + "limit"
    assert problem(answer)["limit"] == "maxSizeUpload"


def test_an_upload_that_says_it_is_too_large_is_refused_before_it_comes(small: Site) -> None:
    head = f"POST {path(small)} HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\nContent-Length: 3000001\r\n\r\n"
    assert small.raw(head.encode()).startswith(b"HTTP/1.1 413")


def test_uploads_beyond_the_number_allowed_at_a_time_are_refused(small: Site) -> None:
    head = f"POST {path(small)} HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\nContent-Length: 1\r\n"
    with small.socket() as connection:
        connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        # The 100 may come before the upload counts.
        answers: list[Answer] = []

        def refused() -> bool:
            answers.append(small.ask("POST", path(small), b"x"))
            return answers[-1].status == 400

        until(refused)
        assert problem(answers[-1])["limit"] == "maxConcurrentUpload"


@pytest.mark.parametrize("account", ["nobody", "A", "%2e%2e", "..", "a" * 300])
def test_an_account_that_one_does_not_see_takes_no_upload(site: Site, account: str) -> None:
    for octets in (b"x", bytes(2_000_000)):
        answer = site.ask("POST", f"/jmap/upload/{account}/", octets)
        assert answer.status == 404
        problem(answer)


def test_anothers_account_takes_no_upload(site: Site) -> None:
    assert site.ask("POST", path(site), b"x", authorization=basic("zoë", "pässwörd")).status == 404


def test_a_shared_account_takes_uploads(site: Site) -> None:
    shared = next(one for one, about in site.session["accounts"].items() if not about["isPersonal"])
    assert site.ask("POST", f"/jmap/upload/{shared}/", b"for the team").status == 201


def test_compressed_octets_are_not_taken_for_others(site: Site) -> None:
    answer = site.ask("POST", path(site), b"x", Content_Encoding="gzip")
    assert answer.status == 415
    assert answer.header("accept-encoding") == "identity"
    assert site.ask("POST", path(site), b"x", Content_Encoding="identity").status == 201


def spilled(folder: Path) -> list[Path]:
    return list(folder.glob("data/accounts/*/blobs/.upload-*"))


@pytest.mark.parametrize("how", ["leaves", "ends", "stalls"])
def test_nothing_is_left_of_an_upload_that_breaks_off(tmp_path: Path, how: str) -> None:
    with serving(tmp_path, timeouts=SHORT) as site:
        head = f"POST {path(site)} HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\nContent-Length: 9000000\r\n\r\n"
        with site.socket() as connection:
            connection.sendall(head.encode() + bytes(3_000_000))
            until(lambda: bool(spilled(tmp_path)))
            if how == "ends":
                connection.shutdown(socket.SHUT_WR)
            if how != "leaves":
                assert connection.recv(65536)[:12] == (b"HTTP/1.1 400" if how == "ends" else b"HTTP/1.1 408")
        until(lambda: not spilled(tmp_path))
        assert site.ask("POST", path(site), b"x").status == 201
