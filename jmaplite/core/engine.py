"""From the octets of a Request to those of its Response (RFC 8620 §3)."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Context, Services
from jmaplite.core.errors import MethodError, RequestError
from jmaplite.core.json import NotJSON, dumps, loads
from jmaplite.core.kinds import compile_kind
from jmaplite.core.references import RESOLVED_OCTETS, Responses, resolve
from jmaplite.core.session import Session, Sessions
from jmaplite.directory import Directory, DirectoryUnavailable, Principal
from jmaplite.store import StoreUnavailable, UnknownAccount

logger = logging.getLogger(__name__)

_is_string_array = compile_kind("String[]")
_is_id_map = compile_kind("Id[Id]")


class Concurrency:
    """Counts what each user has under way; one more than `maximum` is a `limit` error that names the limit.

    The status is 400, as in the examples of RFC 8620 §3.6.1: a problem type goes with one status (RFC 7807
    §4), and the RFC keeps to 400 even for maxSizeRequest, for which HTTP has a status of its own.
    """

    def __init__(self, limit: str, maximum: int) -> None:
        self._limit = limit
        self._maximum = maximum
        self._running: dict[str, int] = {}
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, user: str) -> Iterator[None]:
        """Count one more of a user's for as long as this is held. Raises RequestError limit."""
        with self._lock:
            running = self._running.get(user, 0)
            if running >= self._maximum:
                raise RequestError("limit", f"No more than {self._maximum} at a time.", limit=self._limit)
            self._running[user] = running + 1
        try:
            yield
        finally:
            with self._lock:
                if self._running[user] == 1:
                    del self._running[user]
                else:
                    self._running[user] -= 1


@dataclass(slots=True)
class Request:
    """A Request object (RFC 8620 §3.3): `calls` are Invocations; `created_ids` is None if not given."""

    using: frozenset[str]
    calls: list[tuple[str, dict[str, Any], str]]
    created_ids: dict[str, str] | None


class Engine:
    """Answers requests, whatever they come through; safe to use from any thread."""

    def __init__(self, services: Services, catalog: Catalog, directory: Directory) -> None:
        self.services = services
        self.catalog = catalog
        self._urns = frozenset(catalog.urns)
        self._sessions = Sessions(services, catalog, directory)
        limits = services.limits
        self._requests = Concurrency("maxConcurrentRequests", limits.max_concurrent_requests)
        self._uploads = Concurrency("maxConcurrentUpload", limits.max_concurrent_upload)
        self._resolved_octets = max(RESOLVED_OCTETS, limits.max_size_request)

    def request_slot(self, user: str) -> AbstractContextManager[None]:
        """One of the API requests that a user may have under way. Raises RequestError limit when entered."""
        return self._requests.slot(user)

    def upload_slot(self, user: str) -> AbstractContextManager[None]:
        """One of the uploads that a user may have under way. Raises RequestError limit when entered."""
        return self._uploads.slot(user)

    def session(self, principal: Principal, base_url: str) -> Session:
        """The Session of a principal, its URLs under `base_url`. Raises RequestError serverUnavailable."""
        return self._sessions.get(principal, base_url)

    def process(self, principal: Principal, base_url: str, body: bytes) -> bytes:
        """The Response document to the Request document in `body` (RFC 8620 §3.3, §3.4).

        Raises RequestError: limit, notJSON, notRequest, unknownCapability, serverUnavailable.
        """
        request = self._read(body)
        session = self._sessions.get(principal, base_url)
        context = Context(
            self.services, principal.name, session.accounts, request.using, dict(request.created_ids or ())
        )
        responses = Responses(self._resolved_octets)
        for name, arguments, call_id in request.calls:
            try:
                self._call(context, responses, name, arguments, call_id)
            except Exception as error:
                responses.add("error", self._error(error, name).to_json(), call_id)
        response: dict[str, Any] = {"methodResponses": responses.items}
        if request.created_ids is not None:
            response["createdIds"] = context.created_ids
        response["sessionState"] = session.state
        return self._write(response)

    def _read(self, body: bytes) -> Request:
        """The Request object; the checks of RFC 8620 §3.6.1 in the order in which they can be made."""
        limits = self.services.limits
        if len(body) > limits.max_size_request:
            raise RequestError(
                "limit",
                f"The request is larger than {limits.max_size_request} octets.",
                limit="maxSizeRequest",
            )
        try:
            value = loads(body)
        except NotJSON as error:
            raise RequestError("notJSON", f"The request did not parse as I-JSON: {error}.") from None
        request = _request(value)
        if not request.using <= self._urns:
            unknown = next(urn for urn in value["using"] if urn not in self._urns)
            raise RequestError(
                "unknownCapability",
                f"The Request object used capability '{unknown[:255]}', which is not supported by this server.",
            )
        if len(request.calls) > limits.max_calls_in_request:
            raise RequestError(
                "limit",
                f"The request has more than {limits.max_calls_in_request} method calls.",
                limit="maxCallsInRequest",
            )
        return request

    def _call(self, context: Context, responses: Responses, name: str, arguments: dict[str, Any], call_id: str) -> None:
        """Run one method and add what it answers."""
        method = self.catalog.method(name)
        if method is None or method.capability not in context.using:
            raise MethodError("unknownMethod")
        answer = method.handler(context, resolve(arguments, responses))
        if isinstance(answer, list):
            for named, response in answer:
                responses.add(named, response, call_id)
        else:
            responses.add(name, answer, call_id)

    def _error(self, error: Exception, name: str) -> MethodError:
        """The method-level error for whatever a method raised (RFC 8620 §3.6.2)."""
        if isinstance(error, MethodError):
            return error
        if isinstance(error, StoreUnavailable | DirectoryUnavailable):
            return MethodError("serverUnavailable")
        if isinstance(error, UnknownAccount):
            # It went since the session was built.
            self._sessions.forget()
            return MethodError("accountNotFound")
        return _failure(f"the method {name}", error)

    def _write(self, response: dict[str, Any]) -> bytes:
        """The Response document; a response that is no JSON becomes a serverFail of its own."""
        try:
            return dumps(response)
        except Exception:
            items = response["methodResponses"]
            for number, (name, arguments, call_id) in enumerate(items):
                try:
                    dumps([[[arguments]]])
                except Exception as error:
                    items[number] = ("error", _failure(f"the response {name}", error).to_json(), call_id)
            return dumps(response)


def _failure(where: str, error: Exception) -> MethodError:
    """A serverFail with a mark under which the traceback is in the log."""
    mark = secrets.token_hex(4)
    logger.error("serverFail %s in %s", mark, where, exc_info=error)
    return MethodError("serverFail", f"An unexpected error occurred, logged as {mark}.")


def _request(value: Any) -> Request:
    """The Request object in a JSON value (RFC 8620 §3.2, §3.3). Raises RequestError notRequest."""
    if type(value) is not dict:
        raise _not_request("it is not an object")
    using: Any = value.get("using")
    if not _is_string_array(using):
        raise _not_request("using is not a String[]")
    calls = value.get("methodCalls")
    if type(calls) is not list:
        raise _not_request("methodCalls is not an Invocation[]")
    for number, call in enumerate(calls):
        if (
            type(call) is not list
            or len(call) != 3
            or type(call[0]) is not str
            or type(call[1]) is not dict
            or type(call[2]) is not str
        ):
            raise _not_request(f"methodCalls[{number}] is not an Invocation")
    if "createdIds" in value and not _is_id_map(value["createdIds"]):
        raise _not_request("createdIds is not an Id[Id]")
    return Request(frozenset(using), calls, value.get("createdIds"))


def _not_request(reason: str) -> RequestError:
    return RequestError("notRequest", f"The request does not match the type of a Request object: {reason}.")
