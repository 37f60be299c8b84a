"""What a disposition notification says (RFC 8098 §3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ACTION_MODES = ("manual-action", "automatic-action")
SENDING_MODES = ("mdn-sent-manually", "mdn-sent-automatically")
TYPES = ("deleted", "dispatched", "displayed", "processed")
"""The words of a Disposition (RFC 8098 §3.2.6, RFC 9007 §2); older notifications have others, as "denied"."""


@dataclass(frozen=True, slots=True)
class Disposition:
    """What was done and who let it be told, all in lower case (RFC 8098 §3.2.6)."""

    action_mode: str
    sending_mode: str
    type: str
    modifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notification:
    """A disposition notification; its values are those of the fields, unfolded.

    Recipients are written `rfc822; user@example.com`, `original_message_id` has its angle brackets. `text` is the part
    for people; `extensions` are further fields by their names as written.
    """

    disposition: Disposition
    subject: str | None = None
    text: str | None = None
    reporting_ua: str | None = None
    gateway: str | None = None
    original_recipient: str | None = None
    final_recipient: str | None = None
    original_message_id: str | None = None
    errors: tuple[str, ...] = ()
    extensions: Mapping[str, str] = field(default_factory=dict)
