"""Rules by which the server misbehaves: what they are for, when they fire, and what happens then."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from typing import Any, Literal

MOST_RULES = 1000
_LONGEST_DELAY = 3600.0
_PUSH = frozenset({"drop", "repeat", "delay"})

_ID = re.compile(r"[A-Za-z0-9._~:@+-]{1,100}")
"""What is part of a path as it is."""

Occasion = Literal["call", "request", "push"]
"""When something may happen: with a method call, a whole request, or a change that is about to be told."""

_TRANSPORTS: Mapping[Occasion, tuple[str, ...]] = {
    "call": ("http", "websocket"),
    "request": ("http", "websocket", "eventsource"),
    "push": ("eventsource", "websocket", "push"),
}

_PATTERN = {"type": "string", "description": "a pattern, as of file names"}
_ERROR = {"oneOf": [{"type": "string"}, {"type": "object", "required": ["type"]}]}

RULE: Mapping[str, Any] = {
    "type": "object",
    "required": ["effect"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "description": "made up if it is left out"},
        "times": {"type": ["integer", "null"], "minimum": 1, "description": "how often; without end if it is left out"},
        "match": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                **dict.fromkeys(("method", "account", "user", "path", "transport"), _PATTERN),
                "nth": {"type": "integer", "minimum": 1},
                "every": {"type": "integer", "minimum": 1},
                "probability": {"type": "number", "minimum": 0, "maximum": 1},
            },
        },
        "effect": {
            "type": "object",
            "additionalProperties": False,
            "description": "one of these, with a delay before it or alone",
            "properties": {
                "delay": {"type": "number", "minimum": 0, "maximum": _LONGEST_DELAY, "description": "seconds"},
                "methodError": _ERROR,
                "setError": _ERROR,
                "of": {"enum": ["create", "update", "destroy", "all"]},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "retryAfter": {"type": "integer", "minimum": 0, "maximum": 86400, "description": "seconds"},
                "truncate": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
                "push": {"enum": ["drop", "repeat", "delay"]},
                **{name: {"const": True} for name in ("cut", "garble", "dropStream", "expireStates")},
            },
        },
    },
}
"""A rule in OpenAPI."""


class BadRule(ValueError):
    """A rule is not one; the only argument says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a rule may match; what does not apply is empty.

    `method` is a JMAP method (`Email/set`), `path` that of an HTTP request, `transport` one of `http`, `websocket`,
    `eventsource`, `push`.
    """

    transport: str = "http"
    method: str = ""
    account: str = ""
    user: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """Patterns (`*` and `?` as in file names), all of which have to match; then `nth`, `every` or `probability`.

    `nth` fires on the nth event that matches, `every` on each that is a multiple of it.
    """

    transport: str = "*"
    method: str = "*"
    account: str = "*"
    user: str = "*"
    path: str = "*"
    nth: int | None = None
    every: int | None = None
    probability: float | None = None

    def fits(self, event: Event) -> bool:
        """Whether an event is of those that are meant."""
        return (
            fnmatchcase(event.transport, self.transport)
            and fnmatchcase(event.method, self.method)
            and fnmatchcase(event.account, self.account)
            and fnmatchcase(event.user, self.user)
            and fnmatchcase(event.path, self.path)
        )


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens. One of these, and `delay` (seconds) before it or alone.

    `method_error` and `set_error` are the objects that clients see (with `of`, the part of the call that fails:
    create, update, destroy or all); `status` is one of HTTP, with `retry_after` in seconds; `cut` ends the connection
    without an answer, `truncate` after a part of it (from 0 to 1), `garble` makes the answer no JSON; `push` is drop,
    repeat or delay, and `drop_stream` ends an event stream or WebSocket. `expire_states` makes all states that clients
    know invalid, before a method is called.
    """

    delay: float = 0.0
    method_error: Mapping[str, Any] | None = None
    set_error: Mapping[str, Any] | None = None
    of: str = "all"
    status: int | None = None
    retry_after: int | None = None
    cut: bool = False
    truncate: float | None = None
    garble: bool = False
    push: str = ""
    drop_stream: bool = False
    expire_states: bool = False

    @property
    def of_what(self) -> Occasion:
        """To what it happens."""
        if self.method_error is not None or self.set_error is not None or self.expire_states:
            return "call"
        return "push" if self.push or self.drop_stream else "request"


@dataclass(slots=True)
class Rule:
    """One rule: `times` is how often it may still fire (None: without end)."""

    id: str
    match: Match
    effect: Effect
    times: int | None
    document: Mapping[str, Any]
    seen: int = 0
    fired: int = 0

    def fits(self, event: Event) -> bool:
        """Whether it is meant for an event of its occasion: a web push is no stream that could be ended."""
        return self.match.fits(event) and not (self.effect.drop_stream and event.transport == "push")

    def to_json(self) -> dict[str, Any]:
        """The rule as it was given, with what has become of it."""
        return {**self.document, "id": self.id, "seen": self.seen, "fired": self.fired, "left": self.times}


@dataclass(slots=True)
class Faults:
    """The rules in force; safe to use from any thread. `chance` decides what a probability decides."""

    chance: random.Random = field(default_factory=random.Random)
    _rules: dict[str, Rule] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def __bool__(self) -> bool:
        """Whether there is any rule: where there is none, nothing else needs to be asked."""
        return bool(self._rules)

    def add(self, document: object) -> Rule:
        """Take a rule, given as JSON. Raises BadRule."""
        rule = parse(document)
        with self._lock:
            if len(self._rules) >= MOST_RULES:
                raise BadRule(f"there are {MOST_RULES} rules already")
            free = (name for number in self._numbers if (name := f"fault{number}") not in self._rules)
            rule.id = rule.id or next(free)
            if rule.id in self._rules:
                raise BadRule(f"there is a rule {rule.id!r} already")
            self._rules[rule.id] = rule
        return rule

    def remove(self, rule_id: str) -> bool:
        """Take a rule away; answers whether it was there."""
        with self._lock:
            return self._rules.pop(rule_id, None) is not None

    def clear(self) -> None:
        """Take all rules away."""
        with self._lock:
            self._rules.clear()

    def restart(self, chance: random.Random) -> None:
        """Take all rules away, and begin anew with another chance."""
        with self._lock:
            self._rules.clear()
            self.chance, self._numbers = chance, count(1)

    def rules(self) -> list[Rule]:
        """Every rule, in the order in which they came, those that are used up too."""
        return list(self._rules.values())

    def fire(self, event: Event, *, of: Occasion) -> Rule | None:
        """The first rule for such an occasion that fires on an event, counted as fired."""
        if not self._rules:
            return None
        with self._lock:
            for rule in self._rules.values():
                if rule.effect.of_what == of and rule.times != 0 and rule.fits(event):
                    rule.seen += 1
                    if self._decides(rule):
                        rule.fired += 1
                        if rule.times is not None:
                            rule.times -= 1
                        return rule
        return None

    def _decides(self, rule: Rule) -> bool:
        match = rule.match
        if match.nth is not None:
            return rule.seen == match.nth
        if match.every is not None:
            return rule.seen % match.every == 0
        return match.probability is None or self.chance.random() < match.probability


def parse(document: object) -> Rule:
    """A rule out of JSON: `{"match": {...}, "effect": {...}, "times": 1}`. Raises BadRule."""
    given = _object(document, "a rule", {"id", "match", "effect", "times"})
    identifier = given.get("id", "")
    if not isinstance(identifier, str) or (identifier and not _ID.fullmatch(identifier)):
        raise BadRule("id must be a string of 1 to 100 letters, digits and . _ ~ : @ + -")
    times = given.get("times")
    if times is not None and (type(times) is not int or times < 1):
        raise BadRule("times must be a number from 1, or null")
    if "effect" not in given:
        raise BadRule("a rule has an effect")
    match, effect = _match(given.get("match", {})), _effect(given["effect"])
    _check_together(match, effect)
    return Rule(identifier, match, effect, times, given)


def _check_together(match: Match, effect: Effect) -> None:
    """Raise BadRule for what would never fire."""
    occasion = effect.of_what
    transports = [one for one in _TRANSPORTS[occasion] if not (effect.drop_stream and one == "push")]
    if not any(fnmatchcase(one, match.transport) for one in transports):
        raise BadRule(f"match.transport must fit one of {', '.join(transports)}, by which such an effect goes")
    if occasion == "call" and match.path != "*":
        raise BadRule("match.path is of requests, and such an effect is one of a method call")
    if occasion == "push" and match.method != "*":
        raise BadRule("match.method is of method calls, and such an effect is one of a push")


def _match(value: object) -> Match:
    names = {"transport", "method", "account", "user", "path", "nth", "every", "probability"}
    given = _object(value, "match", names)
    for name in ("transport", "method", "account", "user", "path"):
        if name in given and not isinstance(given[name], str):
            raise BadRule(f"match.{name} must be a string")
    for name in ("nth", "every"):
        number = given.get(name)
        if number is not None and (type(number) is not int or number < 1):
            raise BadRule(f"match.{name} must be a number from 1")
    counted = [name for name in ("nth", "every", "probability") if given.get(name) is not None]
    if len(counted) > 1:
        raise BadRule(f"match has one of nth, every and probability, not {' and '.join(counted)}")
    probability = given.get("probability")
    if probability is not None and not (_is_number(probability) and 0 <= probability <= 1):
        raise BadRule("match.probability must be between 0 and 1")
    return Match(**given)


def _effect(value: object) -> Effect:
    names = {
        "delay": "delay",
        "methodError": "method_error",
        "setError": "set_error",
        "of": "of",
        "status": "status",
        "retryAfter": "retry_after",
        "cut": "cut",
        "truncate": "truncate",
        "garble": "garble",
        "push": "push",
        "dropStream": "drop_stream",
        "expireStates": "expire_states",
    }
    given = _object(value, "effect", set(names))
    for name in ("methodError", "setError"):
        if isinstance(given.get(name), str):
            given[name] = {"type": given[name]}
    _check_effect(given)
    return Effect(**{names[name]: one for name, one in given.items()})


def _check_effect(given: dict[str, Any]) -> None:
    kinds = [name for name in given if name not in ("delay", "of", "retryAfter")]
    if len(kinds) > 1:
        raise BadRule(f"an effect is one thing, not {' and '.join(sorted(kinds))}")
    if not kinds and "delay" not in given:
        raise BadRule(
            "an effect is a methodError, setError, status, cut, truncate, garble, push, dropStream,"
            " expireStates or delay"
        )
    delay = given.get("delay", 0)
    if not (_is_number(delay) and 0 <= delay <= _LONGEST_DELAY):
        raise BadRule(f"effect.delay must be seconds, at most {_LONGEST_DELAY:.0f}")
    for name in ("methodError", "setError"):
        error = given.get(name)
        if name in given and not (isinstance(error, dict) and isinstance(error.get("type"), str) and error["type"]):
            raise BadRule(f"effect.{name} must be a type, or an object with a type")
    for name, of in (("of", "setError"), ("retryAfter", "status")):
        if name in given and of not in given:
            raise BadRule(f"effect.{name} is for a {of}")
    if given.get("of", "all") not in ("create", "update", "destroy", "all"):
        raise BadRule("effect.of must be create, update, destroy or all")
    status = given.get("status", 503)
    if type(status) is not int or not 400 <= status <= 599:
        raise BadRule("effect.status must be from 400 to 599")
    retry = given.get("retryAfter", 0)
    if type(retry) is not int or not 0 <= retry <= 86400:
        raise BadRule("effect.retryAfter must be seconds")
    for name in ("cut", "garble", "dropStream", "expireStates"):
        if name in given and given[name] is not True:
            raise BadRule(f"effect.{name} must be true")
    part = given.get("truncate", 0.5)
    if not (_is_number(part) and 0 <= part < 1):
        raise BadRule("effect.truncate must be the part that is sent, from 0 to less than 1")
    if given.get("push", "drop") not in _PUSH:
        raise BadRule("effect.push must be drop, repeat or delay")
    if given.get("push") == "delay" and not delay:
        raise BadRule("effect.push delay needs a delay, in seconds")


def _object(value: object, what: str, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadRule(f"{what} must be an object")
    unknown = sorted(map(str, value.keys() - names))
    if unknown:
        raise BadRule(f"{what} has no {unknown[0]!r}: there are {', '.join(sorted(names))}")
    return dict(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def fails(arguments: Mapping[str, Any], rule: Rule) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The arguments of a /set (or /copy, /import) without what a rule has fail; and `notCreated` and the like."""
    error = dict(rule.effect.set_error or {})
    rest = dict(arguments)
    failed: dict[str, dict[str, Any]] = {}
    parts = [("create", "create", "notCreated"), ("emails", "create", "notCreated"), ("update", "update", "notUpdated")]
    for name, part, told in parts:
        if rule.effect.of in (part, "all") and isinstance(rest.get(name), dict):
            failed.setdefault(told, {}).update(dict.fromkeys(rest[name], error))
            rest[name] = {}
    if rule.effect.of in ("destroy", "all") and isinstance(rest.get("destroy"), list):
        failed["notDestroyed"] = {one: error for one in rest["destroy"] if isinstance(one, str)}
        rest["destroy"] = []
    return rest, failed
