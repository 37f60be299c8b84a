"""Reports that come in (DSN, MDN), brought together with the EmailSubmissions that they are about."""

from __future__ import annotations

import re
from collections.abc import Callable

from orjson import loads

from jmaplite.blobs import Blobs
from jmaplite.datatypes.mail.ingest import Prepared
from jmaplite.datatypes.submission import receipts
from jmaplite.datatypes.submission.receipts import Fate
from jmaplite.formats import dsn, mdn, mime
from jmaplite.store import Writer

_FAILED = re.compile(r"5\.\d{1,3}\.\d{1,3}", re.ASCII)


def recognise(account_id: str, octets: bytes, prepared: Prepared, blobs: Blobs) -> Callable[[Writer], None] | None:
    """What is to be noted of a message as soon as it is filed; None if it is no report. Must not raise."""
    if '"multipart/report"' not in prepared.columns["structure"]:
        return None
    structure = mime.load(loads(prepared.columns["structure"]))
    if structure.root.type != "multipart/report":
        return None
    report = dsn.read(octets, structure)
    if report is not None:
        fates = [Fate(_addresses(one.original, one.final), one.action, _reply(one)) for one in report.recipients]
        message_id, envelope_id = report.message_id, report.envelope_id
    else:
        receipt = mdn.parse(octets, structure)
        if receipt is None:
            return None
        told = (receipt.original_recipient, receipt.final_recipient)
        fates = [Fate(_addresses(*(dsn.address(one or "") for one in told)), receipt.disposition.type)]
        message_id, envelope_id = (receipt.original_message_id or "").strip("<> "), ""

    def mark(tx: Writer) -> None:
        addresses = [address for fate in fates for address in fate.addresses]
        number = receipts.find(tx, account_id, message_id, envelope_id, addresses)
        if number is not None:
            note = receipts.note_display if report is None else receipts.note_delivery
            note(tx, blobs, number, prepared.staged, fates)

    return mark


def _reply(told: dsn.Status) -> str:
    """The answer of SMTP that a report tells of, or one that stands for what it says of a failure (RFC 8621 §7)."""
    if told.reply or told.action != "failed":
        return told.reply
    status = told.status if _FAILED.fullmatch(told.status) else "5.0.0"
    return f"550 {status} The message came back with a report"


def _addresses(*addresses: str) -> tuple[str, ...]:
    return tuple(one for one in addresses if one)
