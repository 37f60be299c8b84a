"""The object MDN (RFC 9007 §2): what a client gives, and what it is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jmaplite.core.context import Access, Context
from jmaplite.core.errors import MethodError, invalid_arguments, invalid_properties
from jmaplite.core.kinds import compile_kind
from jmaplite.formats import mdn

MDN = "urn:ietf:params:jmap:mdn"

_KINDS = {"Disposition": {"actionMode": "String", "sendingMode": "String", "type": "String"}}
_GIVEN = {
    name: compile_kind(kind, _KINDS)
    for name, kind in {
        "forEmailId": "String",
        "subject": "String|null",
        "textBody": "String|null",
        "includeOriginalMessage": "Boolean",
        "reportingUA": "String|null",
        "disposition": "Disposition",
        "finalRecipient": "String|null",
        "extensionFields": "String[String]|null",
    }.items()
}
"""The properties that a client may set, by name."""

_WORDS = {"actionMode": mdn.ACTION_MODES, "sendingMode": mdn.SENDING_MODES, "type": mdn.TYPES}
_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]{0,900}")
_MOST_FIELDS = 50
_OURS = frozenset(
    {
        *("reporting-ua", "mdn-gateway", "original-recipient", "final-recipient", "original-message-id"),
        *("disposition", "error", "failure", "warning"),
    }
)
_EXAMPLE = "extension"
"""What the example of RFC 9007 §3.1 calls `extensionFields`."""


def account(ctx: Context, given: object) -> Access:
    """The account of an argument. Raises MethodError: where it is not found that is invalidArguments (RFC 9007 §2)."""
    try:
        return ctx.access(given, MDN)
    except MethodError as error:
        if error.type == "accountNotFound":
            raise invalid_arguments("there is no such account") from None
        raise


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """An MDN to be sent, with defaults filled in. Raises SetError invalidProperties."""
    if _EXAMPLE in given and "extensionFields" not in given:
        given = {"extensionFields" if name == _EXAMPLE else name: value for name, value in given.items()}
    wrong = [name for name, value in given.items() if name not in _GIVEN or not _GIVEN[name](value)]
    wrong += [name for name in ("forEmailId", "disposition") if name not in given]
    disposition = given.get("disposition")
    if "disposition" not in wrong and any(disposition.get(name) not in words for name, words in _WORDS.items()):  # type: ignore[union-attr]
        wrong.append("disposition")
    if "extensionFields" not in wrong and not _are_fields(given.get("extensionFields") or {}):
        wrong.append("extensionFields")
    wrong += [name for name in ("reportingUA", "subject") if name not in wrong and not _is_line(given.get(name))]
    if wrong:
        raise invalid_properties("unknown, missing, set by the server only, or of the wrong kind", *wrong)
    defaults = {**dict.fromkeys(_GIVEN), "includeOriginalMessage": False}
    return {**defaults, **given}


def _are_fields(given: Mapping[str, str]) -> bool:
    """Whether these can be extension fields (RFC 8098 §3.3)."""
    names = [name.lower() for name in given]
    return (
        len(set(names)) == len(names) <= _MOST_FIELDS
        and all(_FIELD_NAME.fullmatch(name) and name not in _OURS for name in names)
        and all(_VALUE.fullmatch(value) for value in given.values())
    )


def _is_line(value: str | None) -> bool:
    return value is None or _VALUE.fullmatch(value) is not None


def told(notification: mdn.Notification, for_email_id: str | None, *, includes_original: bool) -> dict[str, Any]:
    """A notification as an MDN."""
    disposition = notification.disposition
    return {
        "forEmailId": for_email_id,
        "subject": notification.subject,
        "textBody": notification.text,
        "includeOriginalMessage": includes_original,
        "reportingUA": notification.reporting_ua,
        "disposition": {
            "actionMode": disposition.action_mode,
            "sendingMode": disposition.sending_mode,
            "type": disposition.type,
        },
        "mdnGateway": notification.gateway,
        "originalRecipient": notification.original_recipient,
        "finalRecipient": notification.final_recipient,
        "originalMessageId": notification.original_message_id,
        "error": list(notification.errors) or None,
        "extensionFields": dict(notification.extensions) or None,
    }
