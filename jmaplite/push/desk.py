"""What is to be sent to a user's devices now, and what is noted when it has been sent. All of it is work on data."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from jmaplite.core.context import Context
from jmaplite.core.engine import Engine
from jmaplite.core.errors import MethodError
from jmaplite.core.json import dumps
from jmaplite.directory import Principal
from jmaplite.push import progress
from jmaplite.push.addresses import parse_url
from jmaplite.push.capability import EMAIL_PUSH, subscription_settings
from jmaplite.push.emails import email_push
from jmaplite.push.encryption import MOST_OCTETS, MOST_TEXT, Keys, encode, encrypt
from jmaplite.push.outcome import LONGEST_WAIT, Outcome
from jmaplite.push.progress import Subscription, Told
from jmaplite.push.states import States, state_change, states, view
from jmaplite.push.subscription import PUSH_SUBSCRIPTION
from jmaplite.push.vapid import Vapid
from jmaplite.store import Account, Writer

logger = logging.getLogger(__name__)

TTL = 86_400
"""Seconds for which a push service keeps a message for a device that is away."""

BEHIND = 200
"""By how far the note of what has arrived may lag behind while nothing is pushed, in change values."""


@dataclass(frozen=True, slots=True)
class Message:
    """One POST: for a subscription in the account of a user, and what its receiver knows then (None: the code).

    From `expires` on, in seconds since the epoch, it must not be made any more. It has failed and had to wait so often.
    """

    user: str
    account_id: str
    number: int
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    told: Told | None
    expires: float
    failures: int
    waits: int


@dataclass(frozen=True, slots=True)
class Visit:
    """What was found: accounts whose changes matter, messages to be sent, and when to come again (None: no need).

    `listens` says whether a change would be pushed at once: else it is found when the time has come.
    """

    watched: frozenset[str] = frozenset()
    messages: tuple[Message, ...] = ()
    again: float | None = None
    listens: bool = True


@dataclass(frozen=True, slots=True)
class Pace:
    """All in seconds, but for `attempts`: how often a message is tried; each `interval` is twice the one before."""

    throttle: float = 1.0
    interval: float = 60.0
    attempts: int = 3


class Desk:
    """Works for all users; safe to use from any thread, for one user at a time."""

    def __init__(self, engine: Engine, vapid: Vapid, pace: Pace) -> None:
        self._engine = engine
        self._services = engine.services
        self._vapid = vapid
        self._pace = pace

    def owners(self) -> dict[str, str]:
        """The names of principals by their accounts. Raises StoreError."""
        return {info.id: info.owner for info in self._services.store.accounts()}

    def visit(self, account_id: str, owner: str, busy: Collection[int]) -> Visit:
        """Look what there is for the devices of the owner of an account; those that are `busy` get nothing now.

        Raises StoreError, DirectoryUnavailable.
        """
        account = self._services.store.account(account_id)
        with account.read() as tx:
            found = progress.subscriptions(tx)
        if not found:
            return Visit()
        alive, principal = self._alive(account, owner, found)
        if principal is None:
            return Visit()
        return _Look(self._engine, principal, account, self._vapid).visit(alive, busy)

    def settle(self, message: Message, outcome: Outcome) -> None:
        """Note what came of a message. Raises StoreError."""
        now = self._services.clock()
        failures, waits, pace = message.failures, message.waits, self._pace
        wait, verdict = pace.throttle, outcome.verdict
        if verdict == "later":
            wait = max(outcome.wait if outcome.wait is not None else _gap(pace, waits), pace.throttle)
            waits += 1
        elif verdict == "again":
            wait = _gap(pace, failures)
            failures += 1
            if failures >= pace.attempts:
                verdict = "never"
        if verdict != "done":
            where = f"{PUSH_SUBSCRIPTION.format_id(message.number)} of account {message.account_id}"
            logger.info("a web push failed (%s): %s, %s", where, outcome.reason, _MEANING[verdict])

        def work(tx: Writer) -> None:
            if verdict == "gone":
                progress.end(tx, message.number)
            elif verdict in ("later", "again"):
                progress.note_failure(tx, message.number, failures, waits, now + wait)
            elif message.told is None:
                progress.note_verification(tx, message.number, now + wait)
            else:
                progress.note_told(tx, message.number, message.told, now + wait)

        self._services.store.account(message.account_id).write(work)

    def _alive(
        self, account: Account, owner: str, found: list[Subscription]
    ) -> tuple[list[Subscription], Principal | None]:
        """Those that have not ended, and their user; what has ended is destroyed.

        They end by time, with their user, and with the credentials that they were made with (RFC 8620 §7.2).
        """
        now = self._services.clock()
        present = {
            credential: self._engine.present(owner, credential) for credential in {one.credential for one in found}
        }
        alive = [one for one in found if present[one.credential] is not None and one.expires > now]
        ended = [one.number for one in found if one not in alive]
        if ended:

            def work(tx: Writer) -> None:
                for number in ended:
                    progress.end(tx, number)

            account.write(work)
        return alive, present[alive[0].credential] if alive else None


def _gap(pace: Pace, before: int) -> float:
    """Seconds until something is tried again that was tried so often before."""
    return min(pace.interval * 2.0 ** min(before, 20), LONGEST_WAIT)


_MEANING = {
    "again": "it is tried again",
    "later": "it is sent later",
    "never": "it is given up",
    "gone": "the subscription ends",
}


@dataclass(frozen=True, slots=True)
class _Note:
    """Something to tell a device: an object, and what the device knows afterwards."""

    value: Mapping[str, object]
    told: Told | None
    urgency: str = "normal"
    topic: str = ""


class _Look:
    """One visit: what a user sees, read when it is first needed."""

    def __init__(self, engine: Engine, principal: Principal, account: Account, vapid: Vapid) -> None:
        self._services = engine.services
        self._catalog = engine.catalog
        self._account = account
        self._vapid = vapid
        accounts = engine.accounts(principal)
        self._ctx = Context(self._services, principal.name, accounts, frozenset(self._catalog.urns))
        self._states: dict[str, States] | None = None

    def visit(self, alive: list[Subscription], busy: Collection[int]) -> Visit:
        """What there is for these subscriptions."""
        now = self._services.clock()
        messages = []
        times = [one.expires for one in alive]
        listens = False
        for one in alive:
            if one.number in busy:
                continue
            if now < one.due <= now + LONGEST_WAIT:
                times.append(one.due)
                continue
            note = self._note(one)
            if note is not None:
                messages.append(self._message(one, note))
            elif one.is_verified:
                listens = True
        return Visit(frozenset(self._ctx.accounts), tuple(messages), min(times), listens)

    def _message(self, subscription: Subscription, note: _Note) -> Message:
        """The message that tells something, encrypted if there are keys, and signed."""
        left = int(subscription.expires - self._services.clock())
        headers = [
            ("Content-Type", "application/json"),
            ("TTL", str(max(min(TTL, left), 0))),
            ("Urgency", note.urgency),
        ]
        if note.topic:
            headers.append(("Topic", note.topic))
        body = dumps(note.value)
        if subscription.keys is not None:
            headers.append(("Content-Encoding", "aes128gcm"))
            body = encrypt(body, Keys.parse(subscription.keys))
        audience = parse_url(subscription.url, allow_private=True).origin
        headers.append(("Authorization", self._vapid.authorization(audience)))
        return Message(
            self._ctx.user,
            self._account.id,
            subscription.number,
            subscription.url,
            tuple(headers),
            body,
            note.told,
            subscription.expires,
            subscription.failures,
            subscription.waits,
        )

    def _note(self, one: Subscription) -> _Note | None:
        """What a subscription is to be told next, if there is anything."""
        if not one.is_verified:
            return None if one.is_asked else self._verification(one)
        return self._arrivals(one) or self._changes(one)

    def _verification(self, one: Subscription) -> _Note:
        """The PushVerification (RFC 8620 §7.2.2)."""
        value = {
            "@type": "PushVerification",
            "pushSubscriptionId": PUSH_SUBSCRIPTION.format_id(one.number),
            "verificationCode": one.code,
        }
        return _Note(value, None, "high")

    def _changes(self, one: Subscription) -> _Note | None:
        """The StateChange, of as many accounts as fit into a message; the others are for the next."""
        changed: dict[str, States] = {}
        if one.types is not None and not one.types:
            return None
        for account_id, current in self._current().items():
            known = one.told.states.get(account_id, {})
            news = {
                name: state
                for name, state in current.items()
                if (one.types is None or name in one.types) and known.get(name) != state
            }
            if not news:
                continue
            if changed and len(dumps(state_change({**changed, account_id: news}))) > _most(one):
                break
            changed[account_id] = news
        if not changed:
            return None
        return _Note(state_change(changed), Told(changed), topic=_topic(one, changed))

    def _arrivals(self, one: Subscription) -> _Note | None:
        """The EmailPush for the first account that has one."""
        emails = subscription_settings(self._services).emails
        seen: dict[str, int] = {}
        for account_id, config in one.emails.items() if emails is not None else ():
            access = self._ctx.accounts.get(account_id)
            since = one.told.arrived.get(account_id)
            if access is None or since is None or EMAIL_PUSH not in access.capabilities:
                continue
            try:
                push, value = email_push(self._ctx, emails, access, config, since, _most(one))  # type: ignore[arg-type]
            except MethodError:
                continue  # the filter names what is not there any more
            if push is not None:
                return _Note(push, Told(arrived={account_id: value}), config.get("urgency") or "normal")
            if value - since >= BEHIND:
                seen[account_id] = value
        if seen:
            self._account.write(lambda tx: progress.note_told(tx, one.number, Told(arrived=seen), one.due))
        return None

    def _current(self) -> dict[str, States]:
        if self._states is None:
            store = self._services.store
            self._states = {
                account_id: states(store, account_id, types)
                for account_id, types in view(self._catalog, self._ctx.accounts).items()
            }
        return self._states


def _most(one: Subscription) -> int:
    """Octets that a message to a subscription may have before it is encrypted."""
    return MOST_TEXT if one.keys is not None else MOST_OCTETS


def _topic(one: Subscription, changed: Mapping[str, States]) -> str:
    """What a message has in common with those that it may replace at the push service (RFC 8030 §5.4).

    That is everything but the states: so nothing is lost that only the older one told of.
    """
    names = sorted((account_id, name) for account_id, news in changed.items() for name in news)
    return encode(hashlib.sha256(dumps([one.number, names])).digest()[:24])
