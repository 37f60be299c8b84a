"""JMAP Mail (RFC 8621): Mailbox, Thread and Email."""

from __future__ import annotations

from typing import Any

from jmaplite.core.catalog import Capability
from jmaplite.core.context import Access
from jmaplite.core.limits import Limits
from jmaplite.core.methods import STANDARD
from jmaplite.datatypes.mail import importing as importing
from jmaplite.datatypes.mail import lookups as lookups
from jmaplite.datatypes.mail import parsing as parsing
from jmaplite.datatypes.mail import snippets
from jmaplite.datatypes.mail.capability import MAIL, MailSettings
from jmaplite.datatypes.mail.email import EMAIL
from jmaplite.datatypes.mail.folders import make_first_mailboxes
from jmaplite.datatypes.mail.mailbox import MAILBOX
from jmaplite.datatypes.mail.tables import EMAIL_TEXT
from jmaplite.datatypes.mail.threads import THREAD

TYPES = (MAILBOX.freeze(), THREAD.freeze(), EMAIL.freeze())


def mail(settings: MailSettings) -> Capability:
    """The capability `urn:ietf:params:jmap:mail` (RFC 8621 §1.3.1)."""

    def account(limits: Limits, access: Access) -> dict[str, Any]:
        return {
            "maxMailboxesPerEmail": settings.max_mailboxes_per_email,
            "maxMailboxDepth": settings.max_mailbox_depth,
            "maxSizeMailboxName": settings.max_size_mailbox_name,
            "maxSizeAttachmentsPerEmail": settings.max_size_attachments_per_email,
            "emailQuerySortOptions": list(EMAIL.sorts),
            "mayCreateTopLevelMailbox": not access.is_read_only,
        }

    return Capability(
        urn=MAIL,
        session=lambda limits: {},
        account=account,
        methods=(*(method for kind in TYPES for method in kind.standard_methods(STANDARD)), snippets.METHOD),
        types=TYPES,
        texts=(EMAIL_TEXT,),
        signals=("EmailDelivery",),
        fill=lambda tx, owner: make_first_mailboxes(tx, owner, settings.first_mailboxes),
    )


__all__ = ["EMAIL", "MAIL", "MAILBOX", "THREAD", "TYPES", "MailSettings", "mail"]
