"""The capability of mail and its settings (RFC 8621 §1.3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from jmaplite.core.context import Context

MAIL = "urn:ietf:params:jmap:mail"


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Limits of mail, in octets and counts."""

    max_mailbox_depth: int = 10
    max_size_mailbox_name: int = 255
    max_size_attachments_per_email: int = 50_000_000
    max_size_email: int = 75_000_000
    max_keywords_per_email: int = 128
    max_mailboxes_per_email: int | None = 100
    max_parse_items: int = 10
    max_snippets: int = 100


def mail_settings(ctx: Context) -> MailSettings:
    """The settings of the server that a request came to."""
    found: MailSettings = ctx.services.settings.get(MAIL, _DEFAULTS)
    return found


_DEFAULTS = MailSettings()
