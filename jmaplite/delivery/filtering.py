"""What becomes of a message by the user's script, and by the vacation response beside it (RFC 5228, RFC 8621 §8).

A script that fails files the message into the inbox: nothing is lost by a mistake in it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from orjson import loads

from jmaplite.core.context import Services
from jmaplite.core.kinds import utc_date
from jmaplite.datatypes.mail.ingest import Prepared
from jmaplite.datatypes.sieve import SieveSettings, memory, sieve_settings
from jmaplite.datatypes.sieve.parsed import parsed
from jmaplite.datatypes.sieve.script import active
from jmaplite.datatypes.submission import queue
from jmaplite.datatypes.submission.addresses import is_address
from jmaplite.datatypes.submission.capability import SUBMISSION, SubmissionSettings
from jmaplite.datatypes.vacation import Response, response
from jmaplite.delivery import folders
from jmaplite.delivery.filing import Delivery, Filing, Filter, Plan, Sending
from jmaplite.delivery.world import DUPLICATE, World, environment
from jmaplite.formats import html, mime, sieve
from jmaplite.formats.mailboxes import is_keyword
from jmaplite.store import Reader, StoreError, Writer

logger = logging.getLogger(__name__)

VACATION = "vacation"
"""Under which it is remembered whom an answer went to."""

FAILURE = "failure"
"""Under which it is remembered which scripts have failed, and the user was told so."""

_AWAY = "This is an automatic answer: I am away, and may not read your message for some time.\n"
"""What a vacation response without a body says."""

_SYSTEM_FLAGS = {"\\seen": "$seen", "\\flagged": "$flagged", "\\answered": "$answered", "\\draft": "$draft"}
_NO_REPORTS = {"NOTIFY": "NEVER"}
"""Nobody is to be told when an answer does not arrive (RFC 5230 §5.1)."""

_UNWANTED = frozenset({"junk", "trash"})
_MOST_KEYWORDS = 100
_DAY = 86400


def filtering(services: Services, host: str, *, scripts: bool = True, vacation: bool = True) -> Filter:
    """What decides for the users of a server, by their scripts and vacation responses, or only one of the two.

    `host` is our name in mail.
    """
    items = environment(host)

    def decide(delivery: Delivery, prepared: Prepared) -> Plan:
        try:
            with services.store.account(delivery.account_id).read() as tx:
                script = active(tx) if scripts else None
                away = response(tx, services.clock()) if vacation else None
                if script is None and away is None:
                    return Plan()
                structure = mime.load(loads(prepared.columns["structure"]))
                own = tuple(one for one in delivery.owner.emails if is_address(one) and not one.startswith("*"))
                world = World(services.clock(), items, addresses=own or (delivery.recipient,), services=services, tx=tx)
                run = Run(world, delivery, structure, host, sieve_settings(services))
                return run.plan(script, away)
        except StoreError:
            raise
        except Exception:
            logger.exception("mail for %s is not filtered", delivery.owner.name)
            return Plan()

    return decide


def keywords(flags: tuple[str, ...]) -> frozenset[str]:
    """Flags of IMAP as keywords (RFC 8621 §4.1.1); those that JMAP has no keyword for are left out."""
    found = (_SYSTEM_FLAGS.get(flag.lower(), flag.lower()) for flag in flags)
    return frozenset([one for one in dict.fromkeys(found) if is_keyword(one)][:_MOST_KEYWORDS])


@dataclass(slots=True)
class Run:
    """A decision on one message, as it comes about."""

    world: World
    delivery: Delivery
    structure: mime.Message
    host: str
    settings: SieveSettings
    filings: list[Filing] = field(default_factory=list)
    sendings: list[Sending] = field(default_factory=list)
    marks: list[Callable[[Writer], None]] = field(default_factory=list)
    refusal: str | None = None
    wanted: bool = False
    """Whether some of it is filed where people look."""

    @property
    def envelope(self) -> sieve.Envelope:
        """The addresses of the transport."""
        return sieve.Envelope(self.delivery.sender, self.delivery.recipient)

    @property
    def _now(self) -> int:
        return int(self.world.now)

    def plan(self, script: tuple[str, bytes] | None, away: Response | None) -> Plan:
        """What becomes of the message by a script and a vacation response, each if there is one."""
        outcome = self._outcome(script) if script is not None else sieve.Outcome((sieve.Keep(is_implicit=True),))
        for action in outcome.actions:
            self._do(action)
        if outcome.error is not None and script is not None:
            logger.warning("the script %r of %s failed: %s", script[0], self.delivery.owner.name, outcome.error)
            self._tell(*script, outcome.error)
        if self.refusal is not None:
            return Plan((), tuple(self.sendings), self.refusal)
        answered = any(isinstance(action, sieve.Vacation | sieve.Reject) for action in outcome.actions)
        if away is not None and self.wanted and not answered:
            self._answer(_vacation(away, self.settings.limits.vacation_default))
        self.marks += [self._mark(mark) for mark in outcome.duplicates]
        return Plan(tuple(self.filings), tuple(self.sendings), None, tuple(self.marks))

    def _outcome(self, script: tuple[str, bytes]) -> sieve.Outcome:
        """What the script comes to; if it cannot be read any more, or cannot send now, an error and a keep."""
        services, tx, limits = self.world.services, self.world.tx, self.settings.limits
        try:
            ready = parsed(self.settings, script[1], partial(services.blobs.read, tx, script[1]))
        except sieve.SieveError as error:
            return sieve.Outcome((sieve.Keep(is_implicit=True),), error)
        outcome = sieve.run(
            ready,
            self.delivery.octets,
            self.envelope,
            self.world,
            limits=limits,
            name=script[0],
            structure=self.structure,
        )
        if any(isinstance(action, sieve.Redirect) for action in outcome.actions) and self._is_queue_full():
            full = sieve.SieveError("too many messages wait to be sent for anything to be redirected")
            return sieve.Outcome((sieve.Keep(is_implicit=True),), full)
        return outcome

    def _tell(self, name: str, digest: bytes, error: sieve.SieveError) -> None:
        """Tell the user that a script has failed, once a day for what it is (RFC 5228 §2.10.6)."""
        key, now, sender = digest.hex(), self._now, f"postmaster@{self.host}"
        if memory.known(self.world.tx, FAILURE, key, now):
            return
        owner, stamp = self.world.addresses[0], self._stamp()
        told = sieve.failure_notice(name, error, self.delivery.octets, sender=sender, owner=owner, stamp=stamp)
        if told is not None:
            self.filings.append(Filing(None, octets=told, is_other=True))
            self.marks.append(lambda tx: memory.note(tx, FAILURE, key, now, _DAY))

    def _is_queue_full(self) -> bool:
        settings: SubmissionSettings = self.world.services.settings.get(SUBMISSION, SubmissionSettings())
        return queue.length(self.world.tx, settings.max_queued) >= settings.max_queued

    def _do(self, action: sieve.Action) -> None:
        match action:
            case sieve.Keep():
                self.wanted = True
                self.filings.append(Filing(None, keywords(action.flags), _octets(action.message)))
            case sieve.FileInto():
                self._file(folders.place(action), action.flags, _octets(action.message))
            case sieve.Redirect():
                octets = _octets(action.message) or self.delivery.octets
                logger.info("the script of %s sends mail on to <%s>", self.delivery.owner.name, action.address)
                self.sendings.append(Sending(self.delivery.sender, (action.address,), octets))
            case sieve.Reject():
                self._reject(action)
            case sieve.Vacation():
                self._answer(action)
            case sieve.Notify():
                self._notify(action)
            case sieve.Discard():
                pass

    def _file(self, place: folders.Place, flags: tuple[str, ...], octets: bytes | None) -> None:
        tx, services, owner = self.world.tx, self.world.services, self.delivery.owner.name
        number = folders.find(tx, services, place)
        self.wanted |= number is None or _role(tx, number) not in _UNWANTED
        if number is None and not place.create:
            logger.info("a script of %s files into a mailbox that is not there", owner)
        self.filings.append(Filing(lambda tx: folders.ensure(tx, services, owner, place), keywords(flags), octets))

    def _reject(self, action: sieve.Reject) -> None:
        """Refuse in the protocol, or take the message, drop it and send a report (RFC 5429 §2)."""
        lines = sieve.protocol_lines(action)
        if lines is not None and self.delivery.refusable:
            self.refusal = "\n".join(lines)
            return
        report: sieve.Outgoing | None
        message, envelope, stamp = self.delivery.octets, self.envelope, self._stamp()
        if action.is_early:
            sender = f"postmaster@{self.host}"
            report = sieve.delivery_report(action, message, envelope, stamp, reporter=self.host, sender=sender)
        else:
            report = sieve.disposition_report(action, message, envelope, stamp, reporter=self.host)
        if report is None:
            logger.info("nobody is told that %s refuses a message: its sender is no address", self.delivery.owner.name)
        self._send(report)

    def _answer(self, action: sieve.Vacation) -> None:
        """Answer, if that is seemly and the sender has not had this answer already."""
        message = _octets(action.changed) or self.delivery.octets
        structure = self.structure if action.changed is None else None
        own, separator = self.world.addresses, self.world.separator
        against = sieve.reasons_against(action, message, self.envelope, own, separator=separator, structure=structure)
        key = f"{action.key}\n{self.delivery.sender.lower()}"
        now = self._now
        if against or memory.known(self.world.tx, VACATION, key, now) or self._is_queue_full():
            return
        answer = sieve.vacation_answer(
            action,
            message,
            self.envelope,
            own,
            self._stamp(),
            name=self.delivery.owner.description or None,
            separator=separator,
            prefix=self.settings.prefix,
            default_subject=self.settings.subject,
            structure=structure,
        )
        self._send(answer, lambda tx: memory.claim(tx, VACATION, key, now, action.period), _NO_REPORTS)
        self._copy(action.fcc, answer)

    def _notify(self, action: sieve.Notify) -> None:
        own = self.world.addresses
        notice = sieve.notice(
            action,
            _octets(action.changed) or self.delivery.octets,
            self.envelope,
            own[0],
            self._stamp(),
            allowed_from=frozenset(own),
        )
        if notice is not None and not self._is_queue_full():
            whom = ">, <".join(notice.recipients)
            logger.info("the script of %s sends a notification to <%s>", self.delivery.owner.name, whom)
            self._send(notice)
            self._copy(action.fcc, notice)

    def _send(
        self,
        outgoing: sieve.Outgoing | None,
        claim: Callable[[Writer], bool] | None = None,
        parameters: Mapping[str, str | None] | None = None,
    ) -> None:
        if outgoing is not None:
            self.sendings.append(Sending(outgoing.sender, outgoing.recipients, outgoing.octets, claim, parameters))

    def _copy(self, fcc: sieve.Fcc | None, sent: sieve.Outgoing | None) -> None:
        """File what is sent (RFC 8580)."""
        if fcc is None or sent is None:
            return
        services, owner, place = self.world.services, self.delivery.owner.name, folders.place(fcc)
        self.filings.append(
            Filing(
                lambda tx: folders.ensure(tx, services, owner, place), keywords(fcc.flags), sent.octets, is_other=True
            )
        )

    def _mark(self, mark: sieve.DuplicateMark) -> Callable[[Writer], None]:
        now = self._now
        return lambda tx: memory.note(tx, DUPLICATE, mark.key, now, mark.seconds)

    def _stamp(self) -> sieve.Stamp:
        name = self.world.services.chance(f"answer of {self.delivery.account_id}", 12)
        return sieve.Stamp(utc_date(self._now), f"{name.hex()}@{self.host}")


def _octets(message: sieve.Edited | None) -> bytes | None:
    return None if message is None else message.octets


def _role(tx: Reader, number: int) -> str | None:
    found: str | None = tx.value("SELECT role FROM mailbox WHERE account=? AND id=?", tx.account, number)
    return found


def _vacation(away: Response, period: int) -> sieve.Vacation:
    """A vacation response as the action of a script; whoever changes it answers anew."""
    text = away.text
    if text is None:
        text = _AWAY if away.html is None else html.to_text(away.html)
    key = "\n".join(("VacationResponse", repr(away.subject), repr(away.text), repr(away.html)))
    reason = sieve.mime_reason(text, away.html, key)
    return sieve.Vacation(reason, key, period, away.subject, is_mime=True)
