"""The download resource (RFC 8620 §6.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from quart import Response
from werkzeug.datastructures import Headers

from jmaplite.blobs import UnknownBlob
from jmaplite.core import blobid
from jmaplite.core.blobid import BlobRef, Decode
from jmaplite.core.engine import Engine
from jmaplite.directory import Principal
from jmaplite.store import Reader, UnknownAccount
from jmaplite.web.address import base_url
from jmaplite.web.auth import Authentication
from jmaplite.web.body import current
from jmaplite.web.disposition import attachment, queried_type
from jmaplite.web.problems import Problem
from jmaplite.web.ranges import Span, UnsatisfiableRange, matches, requested_span
from jmaplite.web.threads import Threads

AT_ONCE_OCTETS = 262_144
"""Octets up to which a download is read in one go; more are read while they are sent."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a request makes its answer depend on: its headers Range, If-Range and If-None-Match."""

    range: str | None
    if_range: str | None
    if_none_match: str | None
    is_head: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A blob that may be downloaded: its octets, or how to open them piece by piece, or neither."""

    status: int
    span: Span
    size: int
    octets: bytes = b""
    pieces: AbstractContextManager[Iterator[bytes]] | None = None


class Downloads:
    """Gives the octets of a blob. `decode` undoes the transfer encoding of a part of a message."""

    def __init__(self, engine: Engine, authentication: Authentication, threads: Threads, decode: Decode) -> None:
        self._engine = engine
        self._authentication = authentication
        self._threads = threads
        self._decode = decode

    async def get(self, account_id: str, blob_id: str, name: str = "") -> Response:
        """The octets of a blob, or some of them. Raises Problem, RequestError."""
        request = current()
        principal = await self._authentication.principal(request)
        reference = blobid.parse(blob_id)
        if reference is None:
            raise _not_found()
        etag = f'"{blob_id}"'
        headers = request.headers
        is_head = request.method == "HEAD"
        wanted = None if is_head else headers.get("Range")  # RFC 9110 §14.2: a range is for GET alone
        conditions = Conditions(wanted, headers.get("If-Range"), headers.get("If-None-Match"), is_head)
        found = await self._threads.run(
            self._find, principal, base_url(request), account_id, reference, etag, conditions
        )
        if found.pieces is None:
            response = Response(found.octets, found.status)
        else:
            response = Response(Pieces(self._threads, found.pieces), found.status)
        response.headers = _headers(found, etag, name, request.args.get("type"))
        return response

    def _find(
        self,
        principal: Principal,
        base: str,
        account_id: str,
        reference: BlobRef,
        etag: str,
        conditions: Conditions,
    ) -> Found:
        """What to answer. Runs in a thread. Raises Problem."""
        if account_id not in self._engine.session(principal, base).accounts:
            raise _not_found()
        services = self._engine.services
        try:
            with services.store.account(account_id).read() as tx:
                if not services.blobs.may_read(tx, reference.digest, principal.name):
                    raise _not_found()
                return self._cut(tx, reference, etag, conditions)
        except (UnknownAccount, UnknownBlob):
            raise _not_found() from None

    def _cut(self, tx: Reader, reference: BlobRef, etag: str, conditions: Conditions) -> Found:
        """The octets that a reference names and a request asks for. Raises Problem."""
        blobs = self._engine.services.blobs
        whole = blobs.size(tx, reference.digest)
        start, size = reference.start or 0, whole if reference.length is None else reference.length
        if start + size > whole:
            raise _not_found()
        if matches(conditions.if_none_match, etag):
            return Found(304, Span(0, 0, partial=False), size)
        decoded = None
        if reference.encoding != "n":
            decoded = reference.decoded(blobs.read(tx, reference.digest, start, size), self._decode)
            if decoded is None:
                raise _not_found()
            size = len(decoded)
        span = _span(conditions, etag, size)
        status = 206 if span.partial else 200
        if conditions.is_head:
            return Found(status, span, size)
        if decoded is not None:
            return Found(status, span, size, decoded[span.start : span.start + span.length])
        at = (tx, reference.digest, start + span.start, span.length)
        if span.length <= AT_ONCE_OCTETS:
            return Found(status, span, size, blobs.read(*at))
        return Found(status, span, size, pieces=blobs.open(*at))


class Pieces(AsyncIterator[bytes]):
    """The octets of a large blob, each piece read in a thread when it is wanted."""

    def __init__(self, threads: Threads, opened: AbstractContextManager[Iterator[bytes]]) -> None:
        self._threads = threads
        self._opened = opened
        self._stack = ExitStack()
        self._pieces: Iterator[bytes] | None = None

    async def __anext__(self) -> bytes:
        octets = await self._threads.run(self._next)
        if not octets:
            raise StopAsyncIteration
        return octets

    async def aclose(self) -> None:
        """Let go of the blob."""
        await self._threads.run(self._stack.close)

    def _next(self) -> bytes:
        if self._pieces is None:
            self._pieces = self._stack.enter_context(self._opened)
        return next(self._pieces, b"")


def _span(conditions: Conditions, etag: str, size: int) -> Span:
    """The octets that a request asks for. Raises Problem 416."""
    wanted = conditions.range
    if conditions.if_range is not None and conditions.if_range.strip() != etag:
        wanted = None
    try:
        return requested_span(wanted, size)
    except UnsatisfiableRange:
        raise Problem(
            416,
            f"There are {size} octets, and none where the range is.",
            [("Content-Range", f"bytes */{size}"), ("Accept-Ranges", "bytes")],
        ) from None


def _headers(found: Found, etag: str, name: str, wanted_type: str | None) -> Headers:
    """The header lines of a download.

    What is downloaded was written by strangers: no browser is to run it as if it came from this server.
    """
    headers = Headers()
    headers["ETag"] = etag
    headers["Cache-Control"] = "private, immutable, max-age=31536000"
    if found.status == 304:
        return headers
    headers["Content-Type"] = queried_type(wanted_type)
    headers["Content-Length"] = str(found.span.length)
    headers["Content-Disposition"] = attachment(name)
    headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Accept-Ranges"] = "bytes"
    if found.status == 206:
        last = found.span.start + found.span.length - 1
        headers["Content-Range"] = f"bytes {found.span.start}-{last}/{found.size}"
    return headers


def _not_found() -> Problem:
    """The same for what is not there and for what is not for this user to see."""
    return Problem(404, "There is no such blob.")
