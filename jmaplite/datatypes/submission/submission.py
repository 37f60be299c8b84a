"""EmailSubmission (RFC 8621 §7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orjson import loads

from jmaplite.core.conditions import Scan
from jmaplite.core.context import Access, Context
from jmaplite.core.errors import SetError, invalid_properties
from jmaplite.core.kinds import utc_date, utc_seconds
from jmaplite.core.records import Records
from jmaplite.core.schema import DataType, Property, Sort
from jmaplite.datatypes.mail import EMAIL, THREAD
from jmaplite.datatypes.submission import queue, rate, receipts
from jmaplite.datatypes.submission.addresses import some_allows
from jmaplite.datatypes.submission.capability import SUBMISSION, SubmissionSettings, submission_settings
from jmaplite.datatypes.submission.envelope import (
    KINDS,
    Header,
    authors_are_allowed,
    check_envelope,
    envelope_of,
    faults,
    header_of,
    names_of,
    release_time,
    too_large,
    whole,
)
from jmaplite.datatypes.submission.identity import IDENTITY
from jmaplite.formats import mime
from jmaplite.store import Column, Index, Reader, Table, Writer

_BLOB_IDS = Property("Id[]", default=[], server_set=True)
_BY_TIME = Sort("{a}.send_time")

EMAIL_SUBMISSION = DataType(
    "EmailSubmission",
    SUBMISSION,
    prefix="S",
    methods=("get", "changes", "query", "queryChanges"),
    properties={
        "identityId": Property("Id", immutable=True, index=True, refers="Identity"),
        "emailId": Property("Id", immutable=True, index=True, refers="Email"),
        "threadId": Property("Id", server_set=True, immutable=True, index=True, refers="Thread"),
        "envelope": Property("Envelope|null", default=None, immutable=True),
        "sendAt": Property("UTCDate", server_set=True, immutable=True),
        "undoStatus": Property("String", default="pending", index=True),
        "deliveryStatus": Property("String[DeliveryStatus]|null", default=None, server_set=True, stored=False),
        "dsnBlobIds": _BLOB_IDS,
        "mdnBlobIds": _BLOB_IDS,
    },
    kinds={**KINDS, "DeliveryStatus": {"smtpReply": "String", "delivered": "String", "displayed": "String"}},
    sorts={
        "emailId": Sort("{a}.email_key"),
        "threadId": Sort("{a}.thread_key"),
        "sentAt": _BY_TIME,
        "sendAt": _BY_TIME,
    },
    extra_tables=queue.TABLES,
    related={"Identity": IDENTITY, "Email": EMAIL, "Thread": THREAD},
)
"""The RFC names a sort order `sentAt` where it means the property `sendAt`; either name will do."""


class EmailSubmissionRecords(Records):
    """EmailSubmissions; making one puts its message into the queue."""

    def __init__(self, data_type: DataType) -> None:
        self.type = data_type
        more = (Column("send_time", "integer"), Column("email_key", "blob"), Column("thread_key", "blob"))
        self.table: Table = data_type.generated_table(more, (Index("email_submission_time", ("send_time",)),))

    def prepare(self, ctx: Context, access: Access, given: Mapping[str, Any]) -> Any:
        """Whether the user may send at all. Raises SetError forbiddenToSend (RFC 8621 §7.5)."""
        reason = submission_settings(ctx).suspended.get(ctx.user)
        if reason is not None:
            raise SetError("forbiddenToSend", reason)

    def complete(self, ctx: Context, access: Access, tx: Reader, given: Mapping[str, Any]) -> dict[str, Any]:
        """A client cannot say what undoStatus is to begin with (RFC 8621 §7)."""
        if "undoStatus" not in given:
            return super().complete(ctx, access, tx, given)
        wrong = ["undoStatus"]
        try:
            super().complete(ctx, access, tx, {name: value for name, value in given.items() if name != "undoStatus"})
        except SetError as error:
            wrong += error.properties or ()
        raise invalid_properties("unknown, missing, set by the server only, or of the wrong kind", *wrong)

    def columns(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The values with those that they are sorted by."""
        columns = super().columns(record)
        if "sendAt" in record:
            columns["send_time"] = int(utc_seconds(record["sendAt"]))
        for name, column in (("emailId", "email_key"), ("threadId", "thread_key")):
            if name in record:
                columns[column] = record[name].encode()
        return columns

    def insert(
        self, ctx: Context, access: Access, tx: Writer, record: Mapping[str, Any], prepared: Any
    ) -> tuple[int, dict[str, Any]]:
        """Submit an Email. Raises SetError (RFC 8621 §7.5)."""
        settings, blobs = submission_settings(ctx), ctx.services.blobs
        blob, size, thread, structure = tx.rows(
            "SELECT blob, size, thread, structure FROM email WHERE account=? AND id=?",
            tx.account,
            EMAIL.parse_id(record["emailId"]),
        )[0]
        if size > settings.max_size:
            raise too_large(settings)
        header_end = mime.load(loads(structure)).root.header_end
        header = header_of(blobs.read(tx, blob, 0, header_end))
        envelope = _envelope(tx, access, record, header, settings)
        release = release_time(envelope["mailFrom"]["parameters"], settings, ctx.services.clock())
        if queue.length(tx, settings.max_queued) >= settings.max_queued:
            raise SetError("overQuota", f"at most {settings.max_queued} messages may wait to be delivered")
        values = {
            **record,
            "envelope": envelope,
            "threadId": THREAD.format_id(thread),
            "sendAt": utc_date(release),
            **{name: self.type.properties[name].default for name in ("undoStatus", "dsnBlobIds", "mdnBlobIds")},
        }
        number, told = super().insert(ctx, access, tx, values, prepared)
        rate.count(tx, number, len(envelope["rcptTo"]), settings.rate, ctx.services.clock())
        queue.enqueue(tx, blobs, number, blob, header_end, envelope, release)
        receipts.remember(tx, number, *names_of(header, envelope))
        return number, {**told, "deliveryStatus": queue.delivery_status(tx, number)}

    def update(
        self, ctx: Context, access: Access, tx: Writer, number: int, changes: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Cancel a submission, nothing else can be changed. Raises SetError: invalidProperties, cannotUnsend."""
        if changes["undoStatus"] != "canceled":
            raise invalid_properties("undoStatus can only be set to canceled", "undoStatus")
        sql = "SELECT undo_status FROM email_submission WHERE account=? AND id=?"
        if tx.value(sql, tx.account, number) != "pending":
            raise SetError("cannotUnsend", "the message has been delivered, or is being delivered")
        super().update(ctx, access, tx, number, changes)
        queue.cancel(tx, ctx.services.blobs, number)
        return {"deliveryStatus": queue.delivery_status(tx, number)}

    def destroy(self, ctx: Context, access: Access, tx: Writer, number: int, arguments: Mapping[str, Any]) -> None:
        """End a record of a submission; what it says is to be delivered still is (RFC 8621 §7.5)."""
        receipts.forget(tx, ctx.services.blobs, number)
        super().destroy(ctx, access, tx, number, arguments)
        queue.forget(tx, number)


EMAIL_SUBMISSION.records = EmailSubmissionRecords(EMAIL_SUBMISSION)


def _envelope(
    tx: Reader, access: Access, record: Mapping[str, Any], header: Header, settings: SubmissionSettings
) -> dict[str, Any]:
    """The Envelope to send with, once the message is known to be one that may be sent. Raises SetError."""
    sql = "SELECT email FROM identity WHERE account=? AND id=?"
    identity = str(tx.value(sql, tx.account, IDENTITY.parse_id(record["identityId"])))
    given = record["envelope"]
    wrong = faults(header, has_envelope=given is not None)
    if wrong:
        raise SetError("invalidEmail", "missing, more than one, or not of their syntax", properties=wrong)
    if not some_allows(access.addresses, identity):
        raise SetError("forbiddenFrom", "the address of the Identity is not the user's any more")
    if not authors_are_allowed(header, identity):
        raise SetError("forbiddenFrom", "the From header field is not of the Identity's address")
    envelope = envelope_of(header, identity) if given is None else whole(given)
    check_envelope(envelope, access.addresses, settings)
    return envelope


@EMAIL_SUBMISSION.compute("deliveryStatus")
def delivery_status(
    ctx: Context, access: Access, tx: Reader, number: int, record: Mapping[str, Any]
) -> dict[str, Any] | None:
    """RFC 8621 §7 deliveryStatus."""
    return queue.delivery_status(tx, number)


def _list_condition(name: str, data_type: DataType, column: str) -> None:
    @EMAIL_SUBMISSION.condition(name, "Id[]")
    def is_listed(ctx: Context, tx: Reader, value: list[str]) -> Scan:
        """RFC 8621 §7.3: the property is in the list."""
        numbers = [number for number in map(data_type.parse_id, value) if number is not None]
        return Scan(f"{{a}}.{column} IN ({','.join('?' * len(numbers))})" if numbers else "0=1", tuple(numbers))


_list_condition("identityIds", IDENTITY, "identity_id")
_list_condition("emailIds", EMAIL, "email_id")
_list_condition("threadIds", THREAD, "thread_id")


@EMAIL_SUBMISSION.condition("undoStatus", "String")
def undo_status(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 8621 §7.3: the same undoStatus."""
    return Scan("{a}.undo_status=?", (value,), mutable=frozenset({"undoStatus"}))


@EMAIL_SUBMISSION.condition("before", "UTCDate")
def before(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 8621 §7.3: sendAt is before this time."""
    return Scan("{a}.send_time<?", (utc_seconds(value),))


@EMAIL_SUBMISSION.condition("after", "UTCDate")
def after(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 8621 §7.3: sendAt is at this time or after it."""
    return Scan("{a}.send_time>=?", (utc_seconds(value),))
