"""What refers to a blob: Emails, and their Threads and Mailboxes with them (RFC 9404 §4.3)."""

from __future__ import annotations

from collections.abc import Iterable

from orjson import loads

from jmaplite.core.blobid import BlobRef
from jmaplite.core.context import Access, Context
from jmaplite.datatypes.mail.email import EMAIL
from jmaplite.datatypes.mail.mailbox import MAILBOX
from jmaplite.datatypes.mail.placing import Placing, read_placing
from jmaplite.datatypes.mail.threads import THREAD
from jmaplite.formats import mime
from jmaplite.store import Reader


@EMAIL.referring
def emails(ctx: Context, access: Access, tx: Reader, ref: BlobRef) -> list[int]:
    """The Emails whose message a blob is, or that have it as a body part, or within one (a message attached)."""
    numbers = ctx.services.blobs.referring(tx, ref.digest, EMAIL.name)
    if not numbers or ref.start is None:
        return numbers
    # They all have the same octets, and so the same parts.
    structure = tx.value("SELECT structure FROM email WHERE account=? AND id=?", tx.account, numbers[0])
    start, end = ref.start, ref.start + (ref.length or 0)
    leaves = mime.load(loads(structure)).leaves()
    return numbers if any(part.body_start <= start and end <= part.body_end for part in leaves) else []


@THREAD.referring
def threads(ctx: Context, access: Access, tx: Reader, ref: BlobRef) -> Iterable[int]:
    """The Threads of these Emails."""
    return sorted({placing.thread for placing in _placings(ctx, access, tx, ref)})


@MAILBOX.referring
def mailboxes(ctx: Context, access: Access, tx: Reader, ref: BlobRef) -> Iterable[int]:
    """The Mailboxes that these Emails are in."""
    return sorted({box for placing in _placings(ctx, access, tx, ref) for box in placing.mailboxes})


def _placings(ctx: Context, access: Access, tx: Reader, ref: BlobRef) -> Iterable[Placing]:
    placings = (read_placing(tx, number) for number in emails(ctx, access, tx, ref))
    return (placing for placing in placings if placing is not None)
