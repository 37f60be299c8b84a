"""Warnings about habits of clients that are legal, and cost them dearly with some server or on some day."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jmaplite.dev.exchanges import Warned, states

MANY = 10
"""Records from which on it matters which properties are asked for."""

REPEATED = 5
POLL_SECONDS = 30.0
"""The same call so many times within so many seconds is polling."""

_MOST_USERS = 1000

_FEW = frozenset({"Identity", "Mailbox", "PushSubscription", "Quota", "SieveScript", "Thread", "VacationResponse"})
"""Types with few records, or small ones: who fetches all of them does nothing odd."""

ALL_PROPERTIES = "all-properties"
HAS_MORE_CHANGES = "has-more-changes"
MISSING_USING = "missing-using"
POLLING = "polling"
ROUND_TRIP = "round-trip"
STALE_SESSION = "stale-session"
STATE_LOST = "state-lost"
UNBOUNDED_QUERY = "unbounded-query"
WHOLE_MAP = "whole-map"


@dataclass(slots=True)
class _Memory:
    """What is remembered of one user."""

    session: str = ""
    told_stale: str = ""
    more: dict[tuple[str, str], str] = field(default_factory=dict)
    lost: dict[tuple[str, str], str] = field(default_factory=dict)
    polls: OrderedDict[tuple[str, str, str], tuple[str, list[float]]] = field(default_factory=OrderedDict)
    queried: tuple[str, list[str]] | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """A request as the pedant sees it: pairs of each call (name, arguments) with its responses (name, arguments)."""

    user: str
    now: float
    using: frozenset[str]
    calls: tuple[tuple[str, Mapping[str, Any], tuple[tuple[str, Mapping[str, Any]], ...]], ...]
    session_state: str


class Pedant:
    """Looks at requests. `capability_of` answers the capability of a method, `has_stream` whether a user is told of
    changes."""

    def __init__(self, capability_of: Callable[[str], str | None], has_stream: Callable[[str], bool]) -> None:
        self._capability_of = capability_of
        self._has_stream = has_stream
        self._users: OrderedDict[str, _Memory] = OrderedDict()
        self._lock = threading.Lock()

    def session_fetched(self, user: str, state: str) -> None:
        """A user has fetched the Session object."""
        with self._lock:
            self._memory(user).session = state

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._users.clear()

    def look(self, request: Looked) -> list[Warned]:
        """What is odd about a request, each once."""
        found: dict[tuple[str, str], Warned] = {}
        with self._lock:
            memory = self._memory(request.user)
            for name, arguments, responses in request.calls:
                for warned in self._call(memory, request, name, arguments, responses):
                    found.setdefault((warned.rule, warned.text), warned)
            stale = _stale_session(memory, request.session_state)
            memory.queried = _queried(request)
        return [*found.values(), *stale]

    def _memory(self, user: str) -> _Memory:
        memory = self._users.pop(user, None) or _Memory()
        self._users[user] = memory
        while len(self._users) > _MOST_USERS:
            self._users.popitem(last=False)
        return memory

    def _call(
        self,
        memory: _Memory,
        request: Looked,
        name: str,
        arguments: Mapping[str, Any],
        responses: tuple[tuple[str, Mapping[str, Any]], ...],
    ) -> list[Warned]:
        kind, _, verb = name.rpartition("/")
        answer = responses[0] if responses else ("", {})
        if answer[0] == "error":
            found = self._missing_using(request, name, answer[1])
        else:
            found = _arguments(kind, verb, arguments, answer[1])
        if verb == "changes":
            found += _changes(memory, kind, arguments, answer)
        if verb in ("changes", "query", "get"):
            found += self._polling(memory, request, name, arguments, answer[1])
        if verb == "get" and memory.queried and memory.queried[0] == kind and arguments.get("ids") == memory.queried[1]:
            text = f"{name} fetches what the {kind}/query of the request before found: one request with #ids would do"
            found.append(Warned(ROUND_TRIP, "RFC 8620 §3.7", text))
        return found

    def _missing_using(self, request: Looked, name: str, error: Mapping[str, Any]) -> list[Warned]:
        capability = self._capability_of(name)
        if error.get("type") != "unknownMethod" or capability is None or capability in request.using:
            return []
        text = f"{name} is of {capability}, which the request is not using"
        return [Warned(MISSING_USING, "RFC 8620 §1.8", text)]

    def _polling(
        self, memory: _Memory, request: Looked, name: str, arguments: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> list[Warned]:
        """Whether it is asked again and again though nothing has changed: after a push it may well be."""
        key = (name, str(arguments.get("accountId")), repr(sorted(arguments.items(), key=lambda item: item[0]))[:500])
        state = states(answer)[1]
        before, times = memory.polls.pop(key, ("", []))
        kept = (one for one in times if state == before and 0 <= request.now - one <= POLL_SECONDS)
        times = [*kept, request.now][-REPEATED:]
        memory.polls[key] = state, times
        while len(memory.polls) > 100:
            memory.polls.popitem(last=False)
        if len(times) < REPEATED or not self._has_stream(request.user):
            return []
        memory.polls[key] = state, []
        text = (
            f"the same {name} {REPEATED} times in {POLL_SECONDS:.0f} seconds with the same answer: changes are pushed"
        )
        return [Warned(POLLING, "RFC 8620 §7", text)]


def _arguments(kind: str, verb: str, arguments: Mapping[str, Any], answer: Mapping[str, Any]) -> list[Warned]:
    """What is odd about the arguments of one call that was answered."""
    found = []
    is_many = kind not in _FEW
    if verb == "get" and is_many and arguments.get("properties") is None and len(answer.get("list") or ()) > MANY:
        text = f"{kind}/get fetches all properties of {len(answer['list'])} records: name those that are needed"
        found.append(Warned(ALL_PROPERTIES, "RFC 8620 §5.1", text))
    if verb == "query" and is_many and arguments.get("limit") is None:
        text = f"{kind}/query without a limit: a server may answer with thousands of ids, or with fewer than there are"
        found.append(Warned(UNBOUNDED_QUERY, "RFC 8620 §5.5", text))
    if verb == "set" and kind == "Email":
        for patch in (arguments.get("update") or {}).values():
            for name in _replaced(patch):
                text = f"Email/set replaces all of {name}: a patch of “{name}/...” keeps what others changed meanwhile"
                found.append(Warned(WHOLE_MAP, "RFC 8620 §5.3", text))
    return found


def _replaced(patch: object) -> list[str]:
    """The maps that a patch replaces as a whole; to have a message in one Mailbox and no other is to move it."""
    if not isinstance(patch, dict):
        return []
    whole = [name for name in ("keywords", "mailboxIds") if isinstance(patch.get(name), dict)]
    return [name for name in whole if name != "mailboxIds" or len(patch[name]) != 1]


def _changes(
    memory: _Memory, kind: str, arguments: Mapping[str, Any], answer: tuple[str, Mapping[str, Any]]
) -> list[Warned]:
    """Whether a client goes on where a /changes had it go on, and what this one tells it."""
    found = []
    key, since = (kind, str(arguments.get("accountId"))), str(arguments.get("sinceState"))
    expected = memory.more.pop(key, None)
    if expected is not None and since != expected:
        text = f"the last {kind}/changes had hasMoreChanges and ended at {expected}, but this one begins at {since}"
        found.append(Warned(HAS_MORE_CHANGES, "RFC 8620 §5.2", text))
    if memory.lost.get(key) == since:
        text = f"{kind}/changes from {since} could not be calculated before: the client has to fetch everything anew"
        found.append(Warned(STATE_LOST, "RFC 8620 §5.2", text))
    if answer[0] != "error" and answer[1].get("hasMoreChanges") is True:
        memory.more[key] = str(answer[1].get("newState"))
    if answer[1].get("type") == "cannotCalculateChanges":
        memory.lost[key] = since
    for known in (memory.more, memory.lost):
        while len(known) > 100:
            del known[next(iter(known))]
    return found


def _stale_session(memory: _Memory, state: str) -> list[Warned]:
    if not memory.session or not state or state in (memory.session, memory.told_stale):
        return []
    memory.told_stale = state
    text = "sessionState is not that of the Session object which the client has: it should be fetched again"
    return [Warned(STALE_SESSION, "RFC 8620 §3.4", text)]


def _queried(request: Looked) -> tuple[str, list[str]] | None:
    """What a request that was nothing but one /query has found."""
    if len(request.calls) != 1:
        return None
    name, _, responses = request.calls[0]
    kind, _, verb = name.rpartition("/")
    ids = responses[0][1].get("ids") if responses and verb == "query" else None
    return (kind, ids) if ids else None
