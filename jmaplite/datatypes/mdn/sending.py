"""MDN/send, with the implicit Email/set that follows it (RFC 9007 §2.1, RFC 8098 §2, §3)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jmaplite.blobs import Staged
from jmaplite.core.context import Access, Arguments, Context, Response
from jmaplite.core.errors import MethodError, SetError, invalid_arguments, invalid_properties
from jmaplite.core.kinds import utc_date
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature, writable
from jmaplite.core.methods.implicit import implicit_set
from jmaplite.core.schema import REQUIRED, Argument
from jmaplite.datatypes.mail import EMAIL, MAIL
from jmaplite.datatypes.mail.filing import refile
from jmaplite.datatypes.mail.placing import read_placing
from jmaplite.datatypes.mdn.values import account, checked
from jmaplite.datatypes.submission import IDENTITY, SUBMISSION, queue, rate
from jmaplite.datatypes.submission.addresses import is_address, plain, some_allows
from jmaplite.datatypes.submission.capability import submission_settings
from jmaplite.formats import compose, mdn, mime
from jmaplite.store import Reader, Writer

SENT = "$mdnsent"

_SIGNATURE = Signature(
    {
        "accountId": ACCOUNT_ID,
        "identityId": Argument("String", REQUIRED),
        "send": Argument("Id[String[*]]", REQUIRED),
        "onSuccessUpdateEmail": Argument("String[String[*]]|null"),
    }
)
_REPORTS = ("multipart/report", "message/disposition-notification")
_set_emails = implicit_set(EMAIL)


@dataclass(frozen=True, slots=True)
class _Identity:
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the message says that a notification is about."""

    number: int
    octets: bytes
    fields: Mapping[str, list[bytes]]
    """Values of header fields by their names in lower case."""
    kind: str
    recipients: tuple[str, ...]
    """Whom it goes to: those of Disposition-Notification-To."""

    @property
    def message_ids(self) -> list[str]:
        """Its Message-ID, if it has one."""
        values = self.fields.get("message-id", [])
        return (mime.message_ids(values[-1]) or [])[:1] if values else []

    @property
    def has_requirements(self) -> bool:
        """Whether a notification that ignores one of the options would be none; of them there are no known ones."""
        values = (mime.text(value) for value in self.fields.get("disposition-notification-options", []))
        options = (option.partition("=")[2] for value in values for option in value.split(";"))
        return any(option.partition(",")[0].strip().lower() == "required" for option in options)

    @property
    def original_recipient(self) -> str | None:
        """What the sender called the recipient (RFC 8098 §2.3)."""
        values = self.fields.get("original-recipient", [])
        found = " ".join(mime.text(values[0]).split()) if len(values) == 1 else ""
        return found if ";" in found and found.isprintable() else None


@dataclass(frozen=True, slots=True)
class _Ready:
    asked: _Asked
    staged: Staged
    header_end: int
    told: dict[str, Any]


def send(ctx: Context, given: Arguments) -> Response:
    """Send notifications, then change the Emails that they are about."""
    if MAIL not in ctx.using and not ctx.services.leniency.using:
        raise MethodError("unknownMethod", f"MDN/send takes a request that is using {MAIL} too (RFC 9007 §2.1)")
    access = account(ctx, given.get("accountId"))
    arguments = _SIGNATURE.read(given)
    wanted, updates = arguments["send"], arguments["onSuccessUpdateEmail"] or {}
    if len(wanted) > ctx.limits.max_objects_in_set:
        raise MethodError("requestTooLarge", f"at most {ctx.limits.max_objects_in_set} notifications")
    writable(access)
    with ctx.account(access).read() as tx:
        identity = _identity(ctx, access, tx, arguments["identityId"])
    for creation_id in wanted:
        if not _sets_keyword(updates.get(f"#{creation_id}") or {}):
            raise invalid_arguments(f"onSuccessUpdateEmail does not set {SENT} for #{creation_id}"[:200])
    ready: dict[str, _Ready] = {}
    failed: dict[str, SetError] = {}
    for creation_id, record in wanted.items():
        try:
            ready[creation_id] = _prepare(ctx, access, identity, record)
        except SetError as error:
            failed[creation_id] = error
    sent: dict[str, Any] = {}

    def work(tx: Writer) -> None:
        for creation_id, one in ready.items():
            try:
                with tx.savepoint():
                    _commit(ctx, tx, one)
            except SetError as error:
                failed[creation_id] = error
            else:
                sent[creation_id] = one.told

    if ready:
        ctx.account(access).write(work)
    answer = {
        "accountId": access.account_id,
        "sent": sent or None,
        "notSent": {name: error.to_json() for name, error in failed.items()} or None,
    }
    if not sent:
        return answer
    patches: dict[str, dict[str, Any]] = {}
    for creation_id in sent:
        email_id = EMAIL.format_id(ready[creation_id].asked.number)
        patches.setdefault(email_id, {}).update(updates[f"#{creation_id}"])
    return [("MDN/send", answer), _set_emails(ctx, {"accountId": access.account_id, "update": patches})]


def _identity(ctx: Context, access: Access, tx: Reader, reference: str) -> _Identity:
    """The Identity that notifications come from. Raises MethodError invalidArguments (RFC 9007 §2.1)."""
    number = IDENTITY.parse_id(ctx.resolved(reference)) if SUBMISSION in access.capabilities else None
    row = tx.row("SELECT name, email FROM identity WHERE account=? AND id=?", tx.account, number or 0)
    if row is None:
        raise invalid_arguments("there is no such Identity")
    return _Identity(*row)


def _sets_keyword(patch: Mapping[str, Any]) -> bool:
    """Whether a PatchObject gives an Email the keyword of those that were told of."""
    whole = patch.get("keywords")
    return patch.get(f"keywords/{SENT}") is True or (isinstance(whole, dict) and whole.get(SENT) is True)


def _prepare(ctx: Context, access: Access, identity: _Identity, given: Mapping[str, Any]) -> _Ready:
    """A notification made ready. Raises SetError (RFC 9007 §2.1)."""
    record = checked(given)
    reason = submission_settings(ctx).suspended.get(ctx.user)
    if reason is not None:
        raise SetError("forbidden", reason)
    with ctx.account(access).read() as tx:
        asked = _asked(ctx, tx, record["forEmailId"])
    if asked.kind in _REPORTS and any(b"disposition-notification" in one for one in asked.fields["content-type"]):
        raise SetError("forbidden", "a notification is not answered by one (RFC 8098 §2.1)")
    if asked.has_requirements:
        raise SetError("forbidden", "the message requires of a notification what is not known here (RFC 8098 §2.2)")
    if record["disposition"]["sendingMode"] == "mdn-sent-automatically" and not _may_be_automatic(asked):
        raise SetError("forbidden", "only the user may have this notification sent (RFC 8098 §2.1)")
    sender = _sender(access, identity, asked)
    final = _final_recipient(access, record["finalRecipient"], sender)
    message_ids = asked.message_ids
    notification = mdn.Notification(
        disposition=mdn.Disposition(*(record["disposition"][name] for name in ("actionMode", "sendingMode", "type"))),
        subject=_subject(asked) if record["subject"] is None else record["subject"],
        text=record["textBody"] if record["textBody"] is not None else _text(record["disposition"]["type"]),
        reporting_ua=record["reportingUA"],
        original_recipient=asked.original_recipient,
        final_recipient=final,
        original_message_id=f"<{message_ids[0]}>" if message_ids else None,
        extensions=record["extensionFields"] or {},
    )
    octets = _message(ctx, identity, sender, asked, notification, includes_original=record["includeOriginalMessage"])
    most = submission_settings(ctx).max_size
    if len(octets) > most:
        raise SetError("tooLarge", f"a message has at most {most} octets", maxSize=most)
    staged = ctx.services.blobs.stage(access.account_id, octets)
    told = {
        "subject": notification.subject,
        "textBody": notification.text,
        "includeOriginalMessage": record["includeOriginalMessage"],
        "originalRecipient": notification.original_recipient,
        "finalRecipient": final,
        "originalMessageId": notification.original_message_id,
    }
    news = {name: value for name, value in told.items() if value is not None and given.get(name) != value}
    return _Ready(asked, staged, mime.parse(octets).root.header_end, news)


def _asked(ctx: Context, tx: Reader, email_id: str) -> _Asked:
    """The message that is to be told of. Raises SetError: notFound, mdnAlreadySent."""
    number = EMAIL.parse_id(ctx.resolved(email_id))
    row = None if number is None else tx.row("SELECT blob FROM email WHERE account=? AND id=?", tx.account, number)
    if number is None or row is None:
        raise SetError("notFound", "there is no such Email")
    octets = ctx.services.blobs.read(tx, row[0])
    root = mime.parse(octets).root
    fields: dict[str, list[bytes]] = {}
    for name, value in mime.header_fields(octets, root.header_start, root.header_end):
        fields.setdefault(name.lower(), []).append(value)
    values = fields.get("disposition-notification-to", [])
    found = [one["email"] or "" for one in mime.addresses(values[0])] if len(values) == 1 else []
    recipients = tuple({plain(one): one for one in found if is_address(one)}.values())
    if not recipients or len(recipients) > submission_settings(ctx).max_recipients:
        raise SetError("notFound", "the message has no valid Disposition-Notification-To header field")
    _check_unsent(tx, number)
    return _Asked(number, octets, fields, root.type, recipients)


def _check_unsent(tx: Reader, number: int) -> None:
    placing = read_placing(tx, number)
    if placing is None:
        raise SetError("notFound", "there is no such Email")
    if SENT in placing.keywords:
        raise SetError("mdnAlreadySent", f"{SENT} keyword is already present")


def _may_be_automatic(asked: _Asked) -> bool:
    """Whether a notification may go without the user's consent: to nobody but where the message came from."""
    paths = asked.fields.get("return-path", [])
    came = [one["email"] or "" for value in paths[:1] for one in mime.addresses(value)]
    return len(asked.recipients) == 1 == len(came) and plain(asked.recipients[0]) == plain(came[0])


def _sender(access: Access, identity: _Identity, asked: _Asked) -> str:
    """The address that a notification is from; of an Identity for a whole domain, the one that was written to."""
    if is_address(identity.email) and not identity.email.startswith("*@"):
        return identity.email
    for name in ("to", "cc"):
        for value in asked.fields.get(name, []):
            for one in mime.addresses(value):
                email = one["email"] or ""
                if is_address(email) and some_allows([identity.email], email):
                    return email
    raise SetError("forbiddenFrom", "the message was not written to an address of this Identity")


def _final_recipient(access: Access, given: str | None, sender: str) -> str:
    """The Final-Recipient field (RFC 8098 §3.2.4). Raises SetError: invalidProperties, forbiddenFrom."""
    if given is None:
        return f"{'rfc822' if sender.isascii() else 'utf-8'}; {sender}"
    kind, semicolon, address = (one.strip() for one in given.partition(";"))
    if not semicolon or kind.lower() not in ("rfc822", "utf-8") or not is_address(address):
        raise invalid_properties("finalRecipient is not written as 'rfc822; user@example.com'", "finalRecipient")
    if not some_allows((*access.addresses, sender), address):
        raise SetError("forbiddenFrom", "the user may not speak for this recipient")
    return given


def _subject(asked: _Asked) -> str:
    values = asked.fields.get("subject", [])
    return f"Read receipt: {mime.text(values[-1])[:500]}" if values else "Read receipt"


def _text(disposition: str) -> str:
    return f"Your message was {disposition}. This is no guarantee that it has been read or understood.\n"


def _message(
    ctx: Context,
    identity: _Identity,
    sender: str,
    asked: _Asked,
    notification: mdn.Notification,
    *,
    includes_original: bool,
) -> bytes:
    """The message. Raises SetError invalidProperties."""
    message_id = f"{secrets.token_hex(16)}@{sender.rpartition('@')[2]}"
    ids = asked.message_ids
    try:
        header = [
            compose.field("From", "Addresses", [{"name": identity.name or None, "email": sender}]),
            compose.field("To", "Addresses", [{"name": None, "email": one} for one in asked.recipients]),
            compose.field("Date", "Date", utc_date(int(ctx.services.clock()))),
            compose.field("Message-ID", "MessageIds", [message_id]),
            compose.field("In-Reply-To", "MessageIds", ids),
            compose.field("References", "MessageIds", ids),
        ]
        if notification.disposition.sending_mode == "mdn-sent-automatically":
            header.append(b"Auto-Submitted: auto-replied\r\n")
        return mdn.build(notification, header, message_id, asked.octets if includes_original else None)
    except compose.NotWritable as error:
        raise invalid_properties(str(error), "subject", "textBody", "reportingUA", "extensionFields") from None


def _commit(ctx: Context, tx: Writer, ready: _Ready) -> None:
    """Queue a notification and mark its Email, so that there is never another one. Raises SetError."""
    number, settings = ready.asked.number, submission_settings(ctx)
    _check_unsent(tx, number)
    if queue.length(tx, settings.max_queued) >= settings.max_queued:
        raise SetError("overQuota", f"at most {settings.max_queued} messages may wait to be delivered")
    placing = read_placing(tx, number)
    assert placing is not None
    refile(tx, placing, placing.mailboxes, placing.keywords | {SENT})
    now = ctx.services.clock()
    # Nothing comes back when it cannot be delivered (RFC 8098 §3).
    sent = queue.send(tx, ctx.services.blobs, ready.staged, ready.header_end, "", ready.asked.recipients, int(now))
    rate.count(tx, sent, len(ready.asked.recipients), settings.rate, now)
