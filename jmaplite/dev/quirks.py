"""Quirks of other servers, by name: what they leave out, answer otherwise, or send in a way of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from jmaplite.core.catalog import Capability, Catalog
from jmaplite.core.context import Context, Handler, Method, Response
from jmaplite.core.errors import MethodError

RELATIVE_URLS = "relative-urls"
REDIRECT = "well-known-redirect"
NO_EVENT_IDS = "event-source-no-ids"
PING_MILLISECONDS = "event-source-milliseconds"
NO_PUSH_STATE = "websocket-no-push-state"

WITHOUT, UNCALCULABLE = "no:", "cannot-calculate:"
"""What begins the quirk of a server that lacks a method, or has one that always answers cannotCalculateChanges."""

_METHOD = re.compile(r"[A-Za-z*?]{1,100}/[A-Za-z*?]{1,100}")

Change = Callable[[str, Handler], Handler]
"""What a quirk makes of a method's handler, by the method's name."""


class UnknownQuirk(ValueError):
    """There is no quirk of this name; the only argument is a sentence."""


def _changed(verbs: str, change: Callable[[dict[str, Any]], object], *, types: str = "*") -> Change:
    """Have the arguments of responses changed."""

    def wrapped(name: str, handler: Handler) -> Handler:
        def handle(context: Context, arguments: dict[str, Any]) -> Response:
            found = handler(context, arguments)
            first = found if isinstance(found, dict) else found[0][1]
            change(first)
            return found

        return handle if _is_of(name, types, verbs) else handler

    return wrapped


def _refused(verbs: str, is_refused: Callable[[dict[str, Any]], bool], error: str, text: str) -> Change:
    """Have calls refused because of their arguments."""

    def wrapped(name: str, handler: Handler) -> Handler:
        def handle(context: Context, arguments: dict[str, Any]) -> Response:
            if is_refused(arguments):
                raise MethodError(error, text)
            return handler(context, arguments)

        return handle if _is_of(name, "*", verbs) else handler

    return wrapped


def _is_of(name: str, types: str, verbs: str) -> bool:
    kind, _, verb = name.rpartition("/")
    return fnmatchcase(kind, types) and verb in verbs.split()


def _has_null_filter(arguments: dict[str, Any]) -> bool:
    return "filter" in arguments and arguments["filter"] is None


def _bare(response: dict[str, Any]) -> None:
    for made in (response.get("created") or {}).values():
        for name in ("sendAt", "undoStatus"):
            made.pop(name, None)


_CHANGES: Mapping[str, tuple[str, Change]] = {
    "not-found-dropped": (
        "what is not found is left out of a /get altogether",
        _changed("get", lambda response: response.update(notFound=[])),
    ),
    "null-filter-refused": (
        "a /query with `filter: null` is refused",
        _refused("query queryChanges", _has_null_filter, "unsupportedFilter", "null is not supported"),
    ),
    "anchor-refused": (
        "a /query with an anchor is refused",
        _refused("query", lambda given: given.get("anchor") is not None, "invalidArguments", "anchor is not supported"),
    ),
    "no-total": (
        "a /query never tells a total",
        _changed("query", lambda response: response.pop("total", None)),
    ),
    "no-query-changes": (
        "a /query says that its changes cannot be calculated",
        _changed("query", lambda response: response.update(canCalculateChanges=False)),
    ),
    "submission-bare": (
        "an EmailSubmission that was made is told without sendAt and undoStatus",
        _changed("set", _bare, types="EmailSubmission"),
    ),
}
_TRANSPORT = {
    RELATIVE_URLS: "the URLs of the Session are relative",
    REDIRECT: "/.well-known/jmap redirects (307) to /jmap/session",
    NO_EVENT_IDS: "events of an event source have no id",
    PING_MILLISECONDS: "the interval of a ping is in milliseconds",
    NO_PUSH_STATE: "StateChanges over a WebSocket have no pushState",
}

MEANINGS: Mapping[str, str] = {
    **_TRANSPORT,
    **{name: meaning for name, (meaning, _) in _CHANGES.items()},
    f"{WITHOUT}TYPE/METHOD": "there is no such method (patterns as Identity/* too)",
    f"{UNCALCULABLE}TYPE/METHOD": "a /changes or /queryChanges always answers cannotCalculateChanges",
}
"""Every quirk with what it means."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What a server announces: values for members of capabilities, by URN; None: the capability is not there.

    `session` is about Session.capabilities, `account` about accountCapabilities. A URN that is not known becomes one.
    """

    session: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    account: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)


def checked(names: Iterable[str]) -> tuple[str, ...]:
    """Names of quirks, each once. Raises UnknownQuirk."""
    found = tuple(dict.fromkeys(names))
    for name in found:
        prefix = next((one for one in (WITHOUT, UNCALCULABLE) if name.startswith(one)), None)
        if not (_METHOD.fullmatch(name.removeprefix(prefix)) if prefix else name in _CHANGES or name in _TRANSPORT):
            raise UnknownQuirk(f"there is no quirk {name!r}: there are {', '.join(MEANINGS)}")
    return found


def disguised(catalog: Catalog, quirks: tuple[str, ...], announced: Announced) -> Catalog:
    """A catalog whose methods have quirks, and whose capabilities are announced as another server's."""
    gone = {urn for urn, value in announced.session.items() if value is None}
    known = [_capability(one, quirks, announced) for one in catalog.without(gone & set(catalog.urns)).capabilities]
    others = [urn for urn in {**announced.session, **announced.account} if urn not in catalog.urns and urn not in gone]
    return replace(catalog, capabilities=(*known, *(_vendor(urn, announced) for urn in others)))


def _capability(one: Capability, quirks: tuple[str, ...], announced: Announced) -> Capability:
    more, account = announced.session.get(one.urn) or {}, announced.account.get(one.urn) or {}
    methods = tuple(_method(method, quirks) for method in one.methods if not _has(quirks, WITHOUT, method.name))
    told_account = one.account
    if told_account is not None and account:
        inner = told_account
        told_account = lambda limits, access: {**inner(limits, access), **account}  # noqa: E731
    return replace(one, session=lambda limits: {**one.session(limits), **more}, account=told_account, methods=methods)


def _vendor(urn: str, announced: Announced) -> Capability:
    """A capability of which there is nothing but that it is announced."""
    session, account = announced.session.get(urn) or {}, announced.account.get(urn)
    return Capability(
        urn,
        session=lambda limits: dict(session),
        account=None if account is None else lambda limits, access: dict(account),
    )


def _method(method: Method, quirks: tuple[str, ...]) -> Method:
    if _has(quirks, UNCALCULABLE, method.name):
        return replace(method, handler=_cannot)
    handler = method.handler
    for name in quirks:
        if name in _CHANGES:
            handler = _CHANGES[name][1](method.name, handler)
    return method if handler is method.handler else replace(method, handler=handler)


def _has(quirks: tuple[str, ...], prefix: str, method: str) -> bool:
    return any(one.startswith(prefix) and fnmatchcase(method, one.removeprefix(prefix)) for one in quirks)


def _cannot(context: Context, arguments: dict[str, Any]) -> Response:
    raise MethodError("cannotCalculateChanges")


_INTERVAL = re.compile(rb'"interval":(\d+)')
_EVENT_ID = re.compile(rb"^id: [^\n]*\n", re.M)


def event(octets: bytes, quirks: tuple[str, ...]) -> bytes:
    """An event of an event source as quirks have it."""
    if PING_MILLISECONDS in quirks:
        octets = _INTERVAL.sub(rb'"interval":\g<1>000', octets)
    return _EVENT_ID.sub(b"", octets) if NO_EVENT_IDS in quirks else octets
