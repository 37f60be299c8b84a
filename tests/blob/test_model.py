"""Ranges and catenations of blobs, beside a model of plain octets."""

from __future__ import annotations

import hashlib
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jmaplite.core.json import NotJSON, dumps, loads
from tests.blob.client import BlobClient
from tests.mail.jmap import ALICE, Server

OCTETS = st.one_of(
    st.binary(max_size=40), st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(str.encode)
)
RANGE = st.fixed_dictionaries(
    {}, optional={"offset": st.none() | st.integers(0, 50), "length": st.none() | st.integers(0, 50)}
)
SOURCE: st.SearchStrategy[Any] = st.one_of(
    OCTETS.map(lambda octets: ("base64", octets, {})),
    st.text("aé€𝄞\x00", max_size=10).map(lambda text: ("text", text, {})),
    st.tuples(st.just("blob"), st.integers(0, 7), RANGE),
)


@contextmanager
def client() -> Iterator[BlobClient]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            yield BlobClient(server, ALICE)
        finally:
            server.close()


def is_text(octets: bytes) -> bool:
    """Whether octets are UTF-8 that an I-JSON string may hold."""
    try:
        loads(dumps(octets.decode()))
    except (UnicodeDecodeError, NotJSON):
        return False
    return True


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(OCTETS, RANGE), min_size=1, max_size=20))
def test_a_range_is_what_slicing_gives(cases: list[tuple[bytes, dict[str, Any]]]) -> None:
    with client() as alice:
        for octets, range_ in cases:
            offset, length = range_.get("offset") or 0, range_.get("length")
            expected = octets[offset:] if length is None else octets[offset : offset + length]
            names = ["data", "data:asText", "data:asBase64", "digest:md5", "size"]
            blob_id = alice.upload(octets)
            answer: dict[str, Any] = {
                "id": blob_id,
                "size": len(octets),
                "data:asBase64": b64encode(expected).decode(),
                "data:asText": expected.decode() if is_text(expected) else None,
                "digest:md5": b64encode(hashlib.md5(expected, usedforsecurity=False).digest()).decode(),
            }
            if not is_text(expected):
                answer["isEncodingProblem"] = True
            if offset + (length or 0) > len(octets):
                answer["isTruncated"] = True
            assert alice.blob(blob_id, *names, **range_) == answer


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(SOURCE, max_size=5), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_a_catenation_is_what_adding_octets_gives(plan: list[list[Any]], rnd: Any) -> None:
    """Blob n refers to blobs before it, and now and then to itself or to one that fails; the order sent is any."""
    made: dict[str, bytes] = {}
    create: dict[str, Any] = {}
    for number, sources in enumerate(plan):
        data, octets = [], b""
        is_good = True
        for kind, value, range_ in sources:
            if kind == "blob":
                name = f"k{min(value, number)}"
                data.append({"blobId": f"#{name}", **range_})
                offset = range_.get("offset") or 0
                whole = made.get(name)
                length = range_.get("length")
                end = len(whole or b"") if length is None else offset + length
                if whole is None or offset > len(whole) or end > len(whole):
                    is_good = False
                else:
                    octets += whole[offset:end]
            elif kind == "text":
                data.append({"data:asText": value})
                octets += value.encode()
            else:
                data.append({"data:asBase64": b64encode(value).decode()})
                octets += value
        create[f"k{number}"] = {"data": data}
        if is_good:
            made[f"k{number}"] = octets
    shuffled = list(create.items())
    rnd.shuffle(shuffled)
    with client() as alice:
        answer = alice.call("Blob/upload", create=dict(shuffled))
        created, failed = answer["created"] or {}, answer["notCreated"] or {}
        assert created.keys() == made.keys()
        assert failed.keys() == create.keys() - made.keys()
        for name, octets in made.items():
            assert created[name]["size"] == len(octets)
            assert alice.octets(created[name]["id"]) == octets
