"""The API resource: what is taken, what is refused, and how answers travel (RFC 8620 §3.1, §3.6.1)."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jmaplite.core.errors import RequestError
from jmaplite.core.limits import Limits
from jmaplite.directory import DirectoryUnavailable
from jmaplite.store import StoreUnavailable
from jmaplite.web import HTTPSettings
from tests.web.fakes import FakeEngine
from tests.web.serving import Site, problem, serving_fakes, until

ERROR = "urn:ietf:params:jmap:error:"
JSON = {"Content_Type": "application/json"}


def raising(error: Exception) -> FakeEngine:
    def answer(body: bytes) -> bytes:
        raise error

    return FakeEngine(answer)


def test_a_request_is_answered(site: Site) -> None:
    answer = site.call(["Core/echo", {"a": 1}, "c"])
    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    assert answer.header("content-length") == str(len(answer.octets))
    assert answer.json["methodResponses"] == [["Core/echo", {"a": 1}, "c"]]


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;"]
)
def test_json_may_say_more_than_that_it_is_json(site: Site, content_type: str) -> None:
    assert site.call(Content_Type=content_type).status == 200


@pytest.mark.parametrize("content_type", ["text/plain;charset=utf-8", "application/jsonp", "application/x+json", ""])
def test_another_type_is_not_json(site: Site, content_type: str) -> None:
    answer = site.call(Content_Type=content_type)
    assert answer.status == 400
    assert problem(answer)["type"] == ERROR + "notJSON"


def test_another_type_is_taken_where_that_is_allowed() -> None:
    with serving_fakes(FakeEngine(), settings=HTTPSettings(lenient_content_type=True)) as site:
        assert site.call(Content_Type="text/plain").status == 200


def test_a_type_takes_no_more_of_the_log_than_a_type_does(caplog: pytest.LogCaptureFixture) -> None:
    settings = HTTPSettings(lenient_content_type=True)
    with caplog.at_level(logging.INFO), serving_fakes(FakeEngine(), settings=settings) as site:
        site.call(Content_Type="x" * 40_000)
    (message,) = [record.getMessage() for record in caplog.records if "lenient" in record.getMessage()]
    assert len(message) < 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_a_request_that_would_have_to_be_unpacked_is_refused(site: Site, encoding: str) -> None:
    answer = site.call(Content_Encoding=encoding)
    assert answer.status == 415
    assert answer.header("accept-encoding") == "identity"
    problem(answer)
    assert site.call(Content_Encoding="identity").status == 200


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "notJSON"),
        (b"\xff", "notJSON"),
        (b"", "notJSON"),
        (b"[]", "notRequest"),
        (b'{"using":["x:y"],"methodCalls":[]}', "unknownCapability"),
    ],
)
def test_a_request_that_is_none_is_a_problem(site: Site, body: bytes, error: str) -> None:
    answer = site.ask("POST", "/jmap/", body, **JSON)
    assert answer.status == 400
    assert problem(answer)["type"] == ERROR + error


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_beyond_the_limit_is_refused_with_the_status_of_the_rfc(chunked: bool) -> None:
    limits = Limits(max_size_request=100_000)
    with serving_fakes(FakeEngine(limits=limits)) as site:
        body: Any = iter([b"x" * 70_000, b"x" * 30_001]) if chunked else b"x" * 100_001
        answer = site.ask("POST", "/jmap/", body, **JSON)
        assert answer.status == 400
        assert problem(answer)["type"] == ERROR + "limit"
        assert problem(answer)["limit"] == "maxSizeRequest"
        assert site.ask("POST", "/jmap/", b"x" * 100_000, **JSON).status == 200


def test_requests_beyond_the_number_allowed_at_a_time_are_refused() -> None:
    go_on = threading.Event()
    begun = threading.Semaphore(0)

    def answer(body: bytes) -> bytes:
        begun.release()
        assert go_on.wait(30)
        return body

    engine = FakeEngine(answer, Limits(max_concurrent_requests=2))
    with serving_fakes(engine) as site, ThreadPoolExecutor() as pool:
        under_way = [pool.submit(site.call) for _ in range(2)]
        assert all(begun.acquire(timeout=30) for _ in under_way)
        refused = site.call()
        go_on.set()
        assert [one.result().status for one in under_way] == [200, 200]
        assert refused.status == 400
        assert problem(refused)["limit"] == "maxConcurrentRequests"
        assert site.call().status == 200


def test_who_goes_away_meanwhile_still_counts_until_the_work_is_done() -> None:
    go_on, begun = threading.Event(), threading.Event()

    def answer(body: bytes) -> bytes:
        begun.set()
        assert go_on.wait(30)
        return body

    with serving_fakes(FakeEngine(answer, Limits(max_concurrent_requests=1))) as site:
        connection = site.connect()
        connection.request("POST", "/jmap/", b"1", {"Content-Type": "application/json", "Authorization": "x"})
        assert begun.wait(30)
        connection.close()
        assert problem(site.call())["limit"] == "maxConcurrentRequests"
        go_on.set()
        until(lambda: site.call().status == 200)


def test_who_does_not_take_its_answer_still_counts_until_it_goes() -> None:
    engine = FakeEngine(lambda body: bytes(20_000_000) if body == b"1" else body, Limits(max_concurrent_requests=1))
    with serving_fakes(engine) as site:
        connection = site.connect()
        connection.request("POST", "/jmap/", b"1", {"Content-Type": "application/json", "Authorization": "x"})
        answer = connection.getresponse()
        assert problem(site.call())["limit"] == "maxConcurrentRequests"
        answer.close()
        connection.close()
        until(lambda: site.call().status == 200)


def test_who_takes_its_answer_may_ask_again_at_once() -> None:
    engine = FakeEngine(lambda body: bytes(int(body)), Limits(max_concurrent_requests=1))
    with serving_fakes(engine) as site:
        for size in (2, 100_000, 1_000_000) * 10:
            assert site.ask("POST", "/jmap/", b"%d" % size, **JSON).status == 200


@pytest.mark.parametrize("error", [StoreUnavailable("disk"), DirectoryUnavailable("network")])
def test_what_cannot_be_served_now_may_be_tried_again(error: Exception) -> None:
    with serving_fakes(raising(error)) as site:
        answer = site.call()
        assert answer.status == 503
        assert answer.header("retry-after") is not None
        problem(answer)


def test_a_request_error_is_its_problem_document() -> None:
    with serving_fakes(raising(RequestError("limit", "Too much.", status=429, limit="maxX"))) as site:
        answer = site.call()
        assert answer.status == 429
        assert answer.header("retry-after") is not None
        assert problem(answer) == {"type": ERROR + "limit", "status": 429, "detail": "Too much.", "limit": "maxX"}


def test_a_failure_of_ours_tells_nothing_about_us(caplog: pytest.LogCaptureFixture) -> None:
    with serving_fakes(raising(ValueError("secret internals"))) as site:
        answer = site.call()
        assert answer.status == 500
        assert problem(answer)["type"] == "about:blank"
        assert b"secret" not in answer.octets
        assert b"Traceback" not in answer.octets
    assert "secret internals" in caplog.text


@pytest.fixture(scope="module")
def long() -> Iterator[Site]:
    """A server whose answer is as long as the number that it is sent."""
    with serving_fakes(FakeEngine(lambda body: json.dumps("x" * json.loads(body)).encode())) as site:
        yield site


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("br;q=1.0, gzip;q=0.5", "gzip"),
        ("*", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.000, *", None),
        ("*;q=0", None),
        ("identity", None),
        ("gzip;q=0.5, identity;q=0.9", None),
        ("gzip;q=nonsense", None),
        ("deflate, br", None),
        ("", None),
    ],
)
def test_gzip_is_for_who_prefers_it(long: Site, accepted: str, encoding: str | None) -> None:
    answer = long.ask("POST", "/jmap/", b"20000", Accept_Encoding=accepted, **JSON)
    assert answer.header("content-encoding") == encoding
    assert answer.header("vary") == "Accept-Encoding"
    octets = gzip.decompress(answer.octets) if encoding else answer.octets
    assert json.loads(octets) == "x" * 20000


def test_a_short_answer_is_sent_as_it_is(long: Site) -> None:
    answer = long.ask("POST", "/jmap/", b"100", Accept_Encoding="gzip", **JSON)
    assert answer.header("content-encoding") is None
    assert answer.header("vary") == "Accept-Encoding"


@pytest.mark.parametrize("size", [0, 1, 1000, 65_000, 66_000, 1_000_000, 20_000_000])
def test_an_answer_of_any_size_arrives_whole(long: Site, size: int) -> None:
    answer = long.ask("POST", "/jmap/", str(size).encode(), **JSON)
    assert answer.json == "x" * size
    assert answer.header("content-length") == str(size + 2)


def test_who_waits_for_100_continue_gets_it(long: Site) -> None:
    head = b"POST /jmap/ HTTP/1.1\r\nHost: x\r\nAuthorization: x\r\nContent-Type: application/json\r\n"
    with long.socket() as connection:
        connection.sendall(head + b"Content-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        connection.sendall(b"3")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_one_connection_serves_many_requests(long: Site) -> None:
    connection = long.connect()
    headers = {"Content-Type": "application/json", "Authorization": "x"}
    for size in range(50):
        connection.request("POST", "/jmap/", str(size).encode(), headers)
        assert len(json.loads(connection.getresponse().read())) == size
    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/jmap/", 405), ("PUT", "/.well-known/jmap", 405), ("GET", "/", 404), ("POST", "/nowhere", 404)],
)
def test_every_error_is_a_problem_document(site: Site, method: str, path: str, status: int) -> None:
    answer = site.ask(method, path)
    assert answer.status == status
    assert problem(answer)["type"] == "about:blank"
    assert (answer.header("allow") is not None) == (status == 405)


def test_the_language_of_strings_is_told(site: Site) -> None:
    """RFC 8620 §3.8: there is but one, whatever is asked for."""
    answer = site.call(["Core/nothing", {}, "c"], Accept_Language="fr-CH, fr;q=0.9, de;q=0.8, en;q=0.7, *;q=0.5")
    assert answer.json["methodResponses"][0][0] == "error"
    assert answer.header("content-language") == "en"
    assert site.call(Content_Type="text/plain").header("content-language") == "en"
