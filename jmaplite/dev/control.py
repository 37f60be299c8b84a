"""The operations of the control API."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from jmaplite import __version__
from jmaplite.core.kinds import utc_date, utc_seconds
from jmaplite.datatypes.mail.transfer import Owner, TransferFailed
from jmaplite.dev.described import described
from jmaplite.dev.directory import BadUser, NoSuchName
from jmaplite.dev.exchanges import Wanted, har
from jmaplite.dev.faults import RULE, BadRule
from jmaplite.dev.fixture import CannotDo, Fixture, Login
from jmaplite.dev.operations import Given, Member, Operation, Refused, whole_number
from jmaplite.dev.profiles import PROFILES
from jmaplite.dev.snapshots import INITIAL, UnknownSnapshot
from jmaplite.formats.mailboxes import is_keyword

_ACCOUNT = Member("String", "whose account: a name, an address or an account id", required=True)
_FIRST, _LAST = 0, 253_402_300_799
"""Seconds since the epoch that the clock may tell: to the end of the year 9999."""

_SEED = Member("String", "what chance begins from; the same one gives the same")


def _owner(fixture: Fixture, name: str) -> Owner:
    try:
        return fixture.owner(name)
    except TransferFailed as error:
        raise Refused(404, str(error)) from None


def show(fixture: Fixture, given: Given) -> Any:
    """Who and what is there."""
    return {
        "version": __version__,
        "urls": {name: list(urls) for name, urls in fixture.urls.items()},
        "users": [
            {
                "name": one.name,
                "kind": one.kind,
                "emails": list(one.emails),
                "groups": list(one.member_of),
                "accountId": fixture.account(one),
            }
            for one in fixture.principals()
        ],
        "clock": _clock(fixture),
        "snapshots": fixture.snapshots.names(),
        "options": dict(fixture.choice.options),
        "profile": fixture.choice.profile,
        "quirks": list(fixture.quirks),
        "profiles": {name: profile.title for name, profile in PROFILES.items()},
    }


def reset(fixture: Fixture, given: Given) -> Any:
    """Go back to the beginning."""
    return {"accounts": fixture.reset(given.get("seed"))}


def take_snapshot(fixture: Fixture, given: Given) -> Any:
    """Take a snapshot."""
    return {"name": given["name"], "accounts": fixture.take_snapshot(given["name"])}


def restore_snapshot(fixture: Fixture, given: Given) -> Any:
    """Put a snapshot back."""
    try:
        return {"name": given["name"], "accounts": fixture.restore(given["name"])}
    except UnknownSnapshot:
        raise Refused(404, f"there is no snapshot {given['name']!r}") from None


def remove_snapshot(fixture: Fixture, given: Given) -> Any:
    """Throw a snapshot away."""
    if given["name"] == INITIAL:
        raise Refused(409, f"{INITIAL!r} is what a reset goes back to: it can be taken anew, and not thrown away")
    try:
        fixture.remove_snapshot(given["name"])
    except UnknownSnapshot:
        raise Refused(404, f"there is no snapshot {given['name']!r}") from None
    return {}


def make_user(fixture: Fixture, given: Given) -> Any:
    """Make a user or a group."""
    emails = given.get("emails")
    try:
        made: Login = fixture.make_user(
            given.get("name") or fixture.new_name(),
            given.get("password"),
            given.get("token"),
            kind="group" if given.get("group") else "individual",
            description=given.get("description", ""),
            emails=None if emails is None else tuple(emails),
            groups=tuple(given.get("groups", ())),
            quota=given.get("quota", 0),
        )
    except BadUser as error:
        raise Refused(400, str(error)) from None
    except NoSuchName as error:
        raise Refused(409, str(error)) from None
    return {"name": made.name, "password": made.password, "token": made.token, "accountId": made.account_id}


def remove_user(fixture: Fixture, given: Given) -> Any:
    """Take away a user that was made at run time, with the account."""
    if not fixture.remove_user(given["name"]):
        raise Refused(404, f"no user {given['name']!r} was made at run time")
    return {}


def log_in(fixture: Fixture, given: Given) -> Any:
    """Be a user, whatever the password."""
    assert fixture.directory is not None
    try:
        token = fixture.directory.admit(given["user"])
    except NoSuchName as error:
        raise Refused(404, str(error)) from None
    return {"name": given["user"], "token": token}


def show_types(fixture: Fixture, given: Given) -> Any:
    """What methods and types there are."""
    return described(fixture.engine.catalog)


def deliver(fixture: Fixture, given: Given) -> Any:
    """Put a message into an account."""
    octets = _octets(given)
    keywords = frozenset(keyword.lower() for keyword in given.get("keywords", ()))
    wrong = sorted(keyword for keyword in keywords if not is_keyword(keyword))
    if wrong:
        raise Refused(400, f"{wrong[0]!r} is not a keyword")
    received = int(utc_seconds(given["receivedAt"])) if "receivedAt" in given else None
    path = tuple(part for part in given.get("mailbox", "").split("/") if part)
    try:
        outcome = fixture.deliver(
            _owner(fixture, given["account"]), octets, path=path, keywords=keywords, received=received
        )
    except CannotDo as error:
        raise Refused(400, str(error)) from None
    return {"outcome": outcome}


def _octets(given: Given) -> bytes:
    if ("text" in given) == ("base64" in given):
        raise Refused(400, "the message is either text or base64")
    if "base64" in given:
        try:
            return base64.b64decode(given["base64"], validate=True)
        except (binascii.Error, ValueError):
            raise Refused(400, "base64 must be that (RFC 4648 §4), with its padding and without line ends") from None
    text: str = given["text"]
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8", "surrogateescape")


def generate(fixture: Fixture, given: Given) -> Any:
    """Make up threads."""
    path = tuple(part for part in given.get("mailbox", "").split("/") if part)
    owner = _owner(fixture, given["account"])
    return {"messages": fixture.generate(owner, given["threads"], given.get("seed", fixture.seed), path)}


def _clock(fixture: Fixture) -> dict[str, Any]:
    now = fixture.clock()
    return {"now": utc_date(int(now)), "seconds": now, "frozen": fixture.clock.is_frozen}


def show_clock(fixture: Fixture, given: Given) -> Any:
    """What time it is."""
    return _clock(fixture)


def move_clock(fixture: Fixture, given: Given) -> Any:
    """Stop, set or advance the clock."""
    clock = fixture.clock
    then = utc_seconds(given["set"]) if "set" in given else clock()
    if not _FIRST <= then + given.get("advance", 0) <= _LAST:
        name = "advance" if _FIRST <= then <= _LAST else "set"
        raise Refused(400, f"{name} leads out of the years that the clock has, 1970 to 9999")
    if given.get("frozen"):
        clock.freeze(then + given.get("advance", 0))  # in one step: time passes between two
    elif "set" in given:
        clock.set(then + given.get("advance", 0))
    elif "advance" in given:
        clock.advance(given["advance"])
    if given.get("frozen") is False:
        clock.resume()
    if given.get("reset"):
        clock.reset()
    fixture.tidy()
    return _clock(fixture)


def show_faults(fixture: Fixture, given: Given) -> Any:
    """The rules in force, and what has become of them."""
    return {"faults": [rule.to_json() for rule in fixture.faults.rules()]}


def add_fault(fixture: Fixture, given: Given) -> Any:
    """Take a rule."""
    try:
        return fixture.faults.add(given["rule"]).to_json()
    except BadRule as error:
        raise Refused(400, str(error)) from None


def remove_fault(fixture: Fixture, given: Given) -> Any:
    """Take a rule away."""
    if not fixture.faults.remove(given["id"]):
        raise Refused(404, f"there is no rule {given['id']!r}")
    return {}


def clear_faults(fixture: Fixture, given: Given) -> Any:
    """Take all rules away."""
    fixture.faults.clear()
    return {}


def show_exchanges(fixture: Fixture, given: Given) -> Any:
    """The newest exchanges."""
    found = fixture.exchanges.find(_wanted(given))
    return {"exchanges": [one.summary() for one in found]}


def show_exchange(fixture: Fixture, given: Given) -> Any:
    """One exchange, with request and response."""
    number = whole_number(given["id"])
    one = None if number is None else fixture.exchanges.get(number)
    if one is None:
        raise Refused(404, f"there is no exchange {given['id'][:20]!r}, or not any more")
    return {**one.summary(), "request": _document(one.request), "response": _document(one.response)}


def _document(octets: bytes) -> Any:
    try:
        return orjson.loads(octets)
    except ValueError:
        return octets.decode("utf-8", "replace")


def show_har(fixture: Fixture, given: Given) -> Any:
    """Exchanges as an HTTP Archive."""
    bases = (url for urls in fixture.urls.values() for url in urls if url.startswith("http"))
    return har(fixture.exchanges.find(_wanted(given)), __version__, next(bases, ""))


def clear_exchanges(fixture: Fixture, given: Given) -> Any:
    """Forget all exchanges."""
    fixture.exchanges.clear()
    fixture.pedant.forget()
    return {}


def _wanted(given: Given) -> Wanted:
    return Wanted(
        method=given.get("method", ""),
        account=given.get("account", ""),
        user=given.get("user", ""),
        transport=given.get("transport", ""),
        failed=given.get("failed", False),
        warned=given.get("warned", False),
        after=given.get("after", 0),
        limit=min(given.get("limit", 200), 2000),
    )


_WHICH = {
    "method": Member("String", "with a call of this method, or one that fits a pattern: Email/*"),
    "account": Member("String", "about this account id"),
    "user": Member("String", "of this user"),
    "transport": Member("String", "http, websocket, eventsource or push"),
    "failed": Member("Boolean", "with an error"),
    "warned": Member("Boolean", "with a warning"),
    "after": Member("UnsignedInt", "later than the one with this id"),
    "limit": Member("UnsignedInt", "how many at most"),
}

OPERATIONS = (
    Operation("GET", "/", "Who and what is there.", show),
    Operation("POST", "/reset", "Go back to the beginning: mail, users, clock, faults, log.", reset, {"seed": _SEED}),
    Operation("PUT", "/snapshots/{name}", "Take a snapshot of everything stored.", take_snapshot),
    Operation("POST", "/snapshots/{name}/restore", "Put a snapshot back.", restore_snapshot),
    Operation("DELETE", "/snapshots/{name}", "Throw a snapshot away.", remove_snapshot),
    Operation(
        "POST",
        "/users",
        "Make a user (or a group) with an account of its own.",
        make_user,
        {
            "name": Member("String", "the name to log in with; made up if it is left out"),
            "password": Member("String", "made up if it is left out"),
            "token": Member("String", "a bearer token; made up if it is left out"),
            "description": Member("String", "the name that people see"),
            "emails": Member("String[]", "addresses, the first is the sender of new mail"),
            "groups": Member("String[]", "groups whose accounts are shared"),
            "group": Member("Boolean", "make a group: a shared account"),
            "quota": Member("UnsignedInt", "octets that the account may hold"),
        },
        status=201,
    ),
    Operation("DELETE", "/users/{name}", "Take away a user that was made at run time.", remove_user),
    Operation(
        "POST",
        "/login",
        "A bearer token by which a page is a user, whatever the password.",
        log_in,
        {"user": Member("String", "a name", required=True)},
    ),
    Operation("GET", "/types", "Methods with arguments, types with properties, conditions and sorts.", show_types),
    Operation(
        "POST",
        "/deliver",
        "Put a message into an account, as if it had just come in.",
        deliver,
        {
            "account": _ACCOUNT,
            "text": Member("String", "the message; line ends become CRLF"),
            "base64": Member("String", "the message, octet by octet"),
            "mailbox": Member("String", "a path, as Archive/2030; the inbox if it is left out"),
            "keywords": Member("String[]", "its keywords"),
            "receivedAt": Member("UTCDate", "as 2030-01-31T12:00:00Z; now if it is left out"),
        },
        status=201,
    ),
    Operation(
        "POST",
        "/generate",
        "Make up threads of mail.",
        generate,
        {
            "account": _ACCOUNT,
            "threads": Member("UnsignedInt", "how many at a time", required=True, most=10_000),
            "seed": _SEED,
            "mailbox": Member("String", "a path; the inbox if it is left out"),
        },
        status=201,
    ),
    Operation("GET", "/clock", "What time it is for the server.", show_clock),
    Operation(
        "POST",
        "/clock",
        "Stop, set or advance the clock.",
        move_clock,
        {
            "set": Member("UTCDate", "as 2030-01-31T12:00:00Z"),
            "advance": Member("Number", "seconds, back too"),
            "frozen": Member("Boolean", "stand still, or go on"),
            "reset": Member("Boolean", "tell the real time again"),
        },
    ),
    Operation("GET", "/faults", "The rules by which the server misbehaves.", show_faults),
    Operation("POST", "/faults", "Take a rule.", add_fault, whole="rule", schema=RULE, status=201),
    Operation("DELETE", "/faults/{id}", "Take a rule away.", remove_fault),
    Operation("DELETE", "/faults", "Take all rules away.", clear_faults),
    Operation("GET", "/exchanges", "The newest exchanges, the oldest first.", show_exchanges, _WHICH),
    Operation("GET", "/exchanges/{id}", "An exchange with request and response.", show_exchange),
    Operation("GET", "/exchanges.har", "Exchanges as an HTTP Archive.", show_har, _WHICH),
    Operation("DELETE", "/exchanges", "Forget all exchanges.", clear_exchanges),
)
