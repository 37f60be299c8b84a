"""The upload resource (RFC 8620 §6.1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from quart import Response

from jmaplite.blobs import BlobTooLarge, Staged, Upload
from jmaplite.core import blobid, uploads
from jmaplite.core.engine import Engine
from jmaplite.core.errors import RequestError
from jmaplite.core.json import dumps
from jmaplite.directory import Principal
from jmaplite.web.address import base_url
from jmaplite.web.auth import Authentication
from jmaplite.web.body import Body, current, refuse_encoded
from jmaplite.web.compression import JSONAnswers
from jmaplite.web.disposition import media_type
from jmaplite.web.problems import Problem
from jmaplite.web.threads import Threads

PIECE_OCTETS = 1_048_576
"""Octets that are gathered before a thread stores them: what is shorter is stored in one go."""


class Uploads:
    """Takes octets and gives the id of the blob that they have become."""

    def __init__(self, engine: Engine, authentication: Authentication, threads: Threads, answers: JSONAnswers) -> None:
        self._engine = engine
        self._authentication = authentication
        self._threads = threads
        self._answers = answers

    async def post(self, account_id: str) -> Response:
        """Store the request's octets, durably, and answer with 201: a blob is there that was not before.

        Raises Problem, RequestError, Disconnected.
        """
        request = current()
        principal = await self._authentication.principal(request)
        refuse_encoded(request)
        body = request.body
        limit = self._engine.services.limits.max_size_upload
        if body.expected is not None and body.expected > limit:
            raise _too_large(limit)
        with self._engine.upload_slot(principal.name):
            staged = await self._stored(principal, base_url(request), account_id, body, limit)
        document = {
            "accountId": account_id,
            "blobId": blobid.format(staged.digest),
            "type": media_type(request.headers.get("Content-Type")),
            "size": staged.size,
        }
        return self._answers.response(dumps(document), 201, "no-store")

    def _check_account(self, principal: Principal, base: str, account_id: str) -> None:
        """Raise Problem if the user may not add to an account."""
        access = self._engine.session(principal, base).accounts.get(account_id)
        if access is None:
            raise Problem(404, "There is no such account.")
        if access.is_read_only:
            raise Problem(403, "The account is read-only.")

    async def _stored(self, principal: Principal, base: str, account_id: str, body: Body, limit: int) -> Staged:
        """All octets, stored. Raises Problem and RequestError."""
        async with aclosing(_gathered(body)) as pieces:
            first = await anext(pieces)
            if body.complete and len(first) <= limit:
                return await self._threads.run(self._store_at_once, principal, base, account_id, first)
            await self._threads.run(self._check_account, principal, base, account_id)
            try:
                staged = await self._staged(account_id, first, pieces, limit)
            except BlobTooLarge:
                raise _too_large(limit) from None
            await self._threads.run(self._keep, principal, account_id, staged)
            return staged

    async def _staged(self, account_id: str, first: bytes, more: AsyncIterator[bytes], limit: int) -> Staged:
        """Octets staged piece by piece. Raises BlobTooLarge."""
        run = self._threads.run
        upload: Upload = await run(self._engine.services.blobs.upload, account_id, limit)
        try:
            await run(upload.write, first)
            async for octets in more:
                await run(upload.write, octets)
            return await run(upload.finish)
        finally:
            await run(upload.abort)

    def _store_at_once(self, principal: Principal, base: str, account_id: str, octets: bytes) -> Staged:
        """Check and store a body that is all here, in one hop."""
        self._check_account(principal, base, account_id)
        staged = self._engine.services.blobs.stage(account_id, octets)
        self._keep(principal, account_id, staged)
        return staged

    def _keep(self, principal: Principal, account_id: str, staged: Staged) -> None:
        """Make staged octets a blob of the account that its uploader may refer to."""
        uploads.keep(self._engine.services, account_id, principal.name, [staged])


async def _gathered(body: Body) -> AsyncGenerator[bytes, None]:
    """A body in pieces that are worth a thread's while."""
    pieces: list[bytes] = []
    size = 0
    async for octets in body:
        pieces.append(octets)
        size += len(octets)
        if size >= PIECE_OCTETS:
            yield b"".join(pieces)
            pieces.clear()
            size = 0
    yield b"".join(pieces)


def _too_large(limit: int) -> RequestError:
    return RequestError("limit", f"The upload is larger than {limit} octets.", status=413, limit="maxSizeUpload")
