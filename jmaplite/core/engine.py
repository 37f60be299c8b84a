"""From the octets of a Request to those of its Response (RFC 8620 §3)."""

from __future__ import annotations

import gc
import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Access, Context, Method, Response, Services
from jmaplite.core.errors import MethodError, RequestError
from jmaplite.core.json import NotJSON, dumps, loads
from jmaplite.core.kinds import compile_kind
from jmaplite.core.references import RESOLVED_OCTETS, Responses, resolve
from jmaplite.core.session import Session, Sessions
from jmaplite.directory import Directory, DirectoryUnavailable, KnowsCredentials, Principal
from jmaplite.store import StoreUnavailable, UnknownAccount

logger = logging.getLogger(__name__)

ANSWER_OCTETS = 64 * 1024 * 1024
"""How much the responses to one request may come to altogether, where twice the largest upload is not more."""

LARGE_OCTETS = 1_000_000
"""Octets from which on Requests are parsed one after the other.

Parsing holds the interpreter to its end: several at it together would keep everybody else waiting for all of them.
"""

_one_at_a_time = threading.Lock()

_COPIED = 65536
"""Octets below which a copy takes less time than a view."""

_READS = frozenset({"echo", "get", "changes", "query", "queryChanges", "lookup", "parse"})
"""Verbs of methods that change nothing: what they answer can be left out, since it can be asked for again."""

_is_string_array = compile_kind("String[]")
_is_id_map = compile_kind("Id[Id]")


@contextmanager
def _alone() -> Iterator[None]:
    """One large Request at a time, while the garbage collector does not look through it again and again."""
    with _one_at_a_time:
        collects = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if collects:
                gc.enable()


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


class Answer:
    """The responses to one request, written out one by one, so that what they were made of can go.

    Those that the calls refer to are kept for references as well. `octets` is what fits of what only reads.
    """

    def __init__(self, calls: list[tuple[str, dict[str, Any], str]], references: int, octets: int) -> None:
        self.earlier = Responses(references)
        self._referenced = _referenced(calls)
        self._parts: list[bytes | memoryview] = []
        self._left = octets

    def add(self, name: str, arguments: dict[str, Any], call_id: str, *, optional: bool = False) -> None:
        """Append a response; an `optional` one that does not fit is replaced by the error requestTooLarge."""
        try:
            # As deep as it stands in the Response, so that what is too deep there is so here.
            octets = dumps([[(name, arguments, call_id)]])
        except Exception as error:
            self.add("error", _failure(f"the response {name}", error).to_json(), call_id)
            return
        if optional and len(octets) > self._left:
            self.add("error", _TOO_LARGE.to_json(), call_id)
            return
        self._left -= len(octets)
        self._parts.append(b",")
        self._parts.append(octets[2:-2] if len(octets) < _COPIED else memoryview(octets)[2:-2])
        if call_id in self._referenced:
            self.earlier.add(name, arguments, call_id)

    def document(self, created_ids: dict[str, str] | None, state: str) -> bytes:
        """The Response document (RFC 8620 §3.4)."""
        parts = [b'{"methodResponses":[', *self._parts[1:]]
        parts += (b'],"createdIds":', dumps(created_ids)) if created_ids is not None else (b"]",)
        return b"".join((*parts, b',"sessionState":', dumps(state), b"}"))


class Engine:
    """Answers requests, whatever they come through; safe to use from any thread."""

    def __init__(self, services: Services, catalog: Catalog, directory: Directory) -> None:
        self.services = services
        self.catalog = catalog
        self._urns = frozenset(catalog.urns)
        self._directory = directory
        self._sessions = Sessions(services, catalog, directory)
        limits = services.limits
        self._requests = Concurrency("maxConcurrentRequests", limits.max_concurrent_requests)
        self._uploads = Concurrency("maxConcurrentUpload", limits.max_concurrent_upload)
        self._resolved_octets = max(RESOLVED_OCTETS, limits.max_size_request)
        self._answer_octets = max(ANSWER_OCTETS, 2 * limits.max_size_upload)

    def request_slot(self, user: str) -> AbstractContextManager[None]:
        """One of the API requests that a user may have under way. Raises RequestError limit when entered."""
        return self._requests.slot(user)

    def upload_slot(self, user: str) -> AbstractContextManager[None]:
        """One of the uploads that a user may have under way. Raises RequestError limit when entered."""
        return self._uploads.slot(user)

    def session(self, principal: Principal, base_url: str) -> Session:
        """The Session of a principal, its URLs under `base_url`. Raises RequestError serverUnavailable."""
        return self._sessions.get(principal, base_url)

    def forget(self) -> None:
        """Build every session anew when it is next asked for."""
        self._sessions.forget()

    def present(self, name: str, credential: str) -> Principal | None:
        """A principal with what it has logged in with, if both are there still. Raises DirectoryUnavailable."""
        directory = self._directory
        if credential and isinstance(directory, KnowsCredentials) and credential not in directory.credentials(name):
            return None
        principal = directory.principal(name)
        return principal and replace(principal, credential=credential)

    def accounts(self, principal: Principal) -> dict[str, Access]:
        """The accounts that a principal sees now, by id. Raises StoreUnavailable, DirectoryUnavailable."""
        return self._sessions.accounts(principal)

    def process(
        self, principal: Principal, base_url: str, body: bytes, *, called: list[tuple[str, str]] | None = None
    ) -> bytes:
        """The Response document to the Request document in `body` (RFC 8620 §3.3, §3.4).

        To `called` each method call is added: the name of the method, or "unknown", and the type of the error that
        it ended with, or "". Raises RequestError: limit, notJSON, notRequest, unknownCapability, serverUnavailable.
        """
        return self.respond(principal, base_url, self.parse(body), called=called)

    def respond(
        self, principal: Principal, base_url: str, value: Any, *, called: list[tuple[str, str]] | None = None
    ) -> bytes:
        """The same to the value of a Request document. Raises RequestError, all but notJSON."""
        request = self._read(value)
        session = self._sessions.get(principal, base_url)
        context = Context(
            self.services,
            principal.name,
            session.accounts,
            request.using,
            dict(request.created_ids or ()),
            credential=principal.credential,
            expires=principal.expires,
        )
        answer = Answer(request.calls, self._resolved_octets, self._answer_octets)
        for name, arguments, call_id in request.calls:
            failure = ""
            try:
                self._call(context, answer, name, arguments, call_id)
            except Exception as raised:
                error = self._error(raised, name)
                failure = error.type
                answer.add("error", error.to_json(), call_id)
            if called is not None:
                called.append((name if self.catalog.method(name) else "unknown", failure))
        return answer.document(None if request.created_ids is None else context.created_ids, session.state)

    def perform(self, context: Context, method: Method, arguments: dict[str, Any]) -> Response:
        """What a method answers. Raises MethodError and whatever else the method raises."""
        return method.handler(context, arguments)

    def parse(self, body: bytes) -> Any:
        """The value of a Request document. Raises RequestError: limit, notJSON."""
        limits = self.services.limits
        if len(body) > limits.max_size_request:
            raise RequestError(
                "limit",
                f"The request is larger than {limits.max_size_request} octets.",
                limit="maxSizeRequest",
            )
        try:
            with _alone() if len(body) >= LARGE_OCTETS else nullcontext():
                return loads(body)
        except NotJSON as error:
            raise RequestError("notJSON", f"The request did not parse as I-JSON: {error}.") from None

    def _read(self, value: Any) -> Request:
        """The Request object; the checks of RFC 8620 §3.6.1 in the order in which they can be made."""
        limits = self.services.limits
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

    def _call(self, context: Context, answer: Answer, name: str, arguments: dict[str, Any], call_id: str) -> None:
        """Run one method and add what it answers."""
        method = self.catalog.method(name)
        if method is None:
            raise MethodError("unknownMethod")
        if method.capability not in context.using:
            if not self.services.leniency.using:
                raise MethodError("unknownMethod")
            logger.info("lenient-using: %s was called without using %s", name, method.capability)
            context = replace(context, using=context.using | {method.capability})
        found = self.perform(context, method, resolve(arguments, answer.earlier))
        if isinstance(found, list):
            for named, response in found:
                answer.add(named, response, call_id)
        else:
            answer.add(name, found, call_id, optional=name.rpartition("/")[2] in _READS)

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


def _failure(where: str, error: Exception) -> MethodError:
    """A serverFail with a mark under which the traceback is in the log."""
    mark = secrets.token_hex(4)
    logger.error("serverFail %s in %s", mark, where, exc_info=error)
    return MethodError("serverFail", f"An unexpected error occurred, logged as {mark}.")


_TOO_LARGE = MethodError(
    "requestTooLarge",
    "The response does not fit beside the others to this request; ask for less, or in a request of its own.",
)


def _referenced(calls: list[tuple[str, dict[str, Any], str]]) -> set[str]:
    """The ids of calls that ResultReferences of others name."""
    found: set[str] = set()
    for _, arguments, _ in calls:
        for name in arguments:
            if name[:1] == "#":
                reference = arguments[name]
                if type(reference) is dict and type(result_of := reference.get("resultOf")) is str:
                    found.add(result_of)
    return found


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
