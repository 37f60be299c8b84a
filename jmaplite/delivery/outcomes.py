"""What comes of attempts, and what the sender is told of it, in one commit (RFC 3461 §5, §6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jmaplite.core.context import Services
from jmaplite.datatypes.submission import queue
from jmaplite.datatypes.submission.queue import Message, Outcome, Recipient
from jmaplite.delivery.relay import Reply
from jmaplite.formats import dsn, mime
from jmaplite.store import Account, Writer

_DEFAULT = "FAILURE,DELAY"
_ASKED = {"failed": "FAILURE", "delayed": "DELAY", "delivered": "SUCCESS", "relayed": "SUCCESS"}


@dataclass(frozen=True, slots=True)
class Schedule:
    """When it is tried again, when the sender is told that it is late, and when it is given up, in seconds.

    `retry` has the time until the next attempt after the first, the second and so on; the last one repeats.
    """

    retry: tuple[int, ...] = (120, 300, 600, 1800, 3600, 7200, 14400)
    notify: tuple[int, ...] = (86400,)
    expire: int = 5 * 86400


def outcome_of(schedule: Schedule, message: Message, recipient: Recipient, reply: Reply, now: int) -> Outcome:
    """What comes of an attempt with an answer of SMTP: the end, or another attempt."""
    if reply.text.startswith("2"):
        return Outcome("unknown" if reply.remote else "yes", reply.text)
    if reply.text.startswith("5"):
        return Outcome("no", reply.text)
    age = now - message.release
    if age >= schedule.expire:
        text = reply.text[4:]
        return Outcome("no", f"554 5{text[1:]}" if text.startswith("4.") else f"554 5.4.7 {text}")
    wait = schedule.retry[min(recipient.attempts, len(schedule.retry) - 1)] if schedule.retry else schedule.expire
    until = [message.release + at for at in (*schedule.notify, schedule.expire) if at > age]
    notified = sum(age >= at for at in schedule.notify)
    return Outcome("queued", reply.text, min(now + max(wait, 1), *until), max(notified, recipient.notified))


def settle(
    services: Services,
    host: str,
    schedule: Schedule,
    account: Account,
    message: Message,
    octets: bytes,
    replies: Mapping[int, Reply],
) -> None:
    """Note the answers to attempts, by the places of recipients, and send the reports that are due because of them.

    `octets` are the message as it left. Raises StoreError.
    """
    now = int(services.clock())
    outcomes = {
        one.n: outcome_of(schedule, message, one, replies[one.n], now) for one in message.recipients if one.n in replies
    }
    told = [
        (recipient, _told(recipient, outcomes[recipient.n], replies[recipient.n]))
        for recipient in message.recipients
        if recipient.n in outcomes
    ]
    wanted = [one for recipient, one in told if one is not None and _is_wanted(recipient, one)]
    reports = [
        _report(
            f"{services.chance(f'report for {account.id}', 12).hex()}@{host}",
            host,
            schedule,
            message,
            octets,
            [one for one in wanted if one.action == action],
            now,
        )
        for action in dict.fromkeys(one.action for one in wanted if message.mail_from)
    ]
    staged = [(services.blobs.stage(account.id, one), header_end) for one, header_end in reports]

    def work(tx: Writer) -> None:
        if queue.settle(tx, services.blobs, message.id, outcomes):
            for report, header_end in staged:
                queue.send(tx, services.blobs, report, header_end, "", (message.mail_from,), now)

    account.write(work)


def _told(recipient: Recipient, outcome: Outcome, reply: Reply) -> dsn.Told | None:
    """What there is to be told of a recipient, if anything."""
    action: dsn.Action
    status = ""
    if outcome.delivered == "no":
        action = "failed"
        status = "" if reply.text.startswith("5") else "4.4.7"
    elif outcome.delivered == "queued":
        if outcome.notified <= recipient.notified:
            return None
        action = "delayed"
    elif outcome.delivered == "yes":
        action = "delivered"
    elif reply.reports:
        return None
    else:
        action = "relayed"
    original = recipient.parameters.get("ORCPT") or ""
    kind, semicolon, address = original.partition(";")
    original = f"{kind}; {address}" if semicolon else ""
    return dsn.Told(recipient.address, action, reply.text, original, reply.remote, status)


def _is_wanted(recipient: Recipient, told: dsn.Told) -> bool:
    """Whether the sender wants to know (RFC 3461 §4.1)."""
    notify = recipient.parameters.get("NOTIFY") or _DEFAULT
    return _ASKED[told.action] in (one.strip() for one in notify.upper().split(","))


def _report(
    name: str, host: str, schedule: Schedule, message: Message, octets: bytes, told: Sequence[dsn.Told], now: int
) -> tuple[bytes, int]:
    """A report whose Message-ID is `name`, and where its header ends."""
    notice = dsn.Notice(
        host,
        message.mail_from,
        message.parameters.get("ENVID") or "",
        _date(message.release),
        _date(now),
        name,
        _date(message.release + schedule.expire) if told[0].action == "delayed" else "",
    )
    header_end = mime.parse(octets).root.header_end
    is_header_only = (message.parameters.get("RET") or "").upper() == "HDRS" or "REQUIRETLS" in message.parameters
    report = dsn.report(notice, told, octets, header_end, whole=not is_header_only)  # RFC 8689 §5
    return report, mime.parse(report).root.header_end


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
