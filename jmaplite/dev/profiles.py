"""Profiles: what other servers announce, allow and do otherwise, so that clients meet it here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jmaplite.dev.quirks import (
    NO_EVENT_IDS,
    NO_PUSH_STATE,
    PING_MILLISECONDS,
    REDIRECT,
    RELATIVE_URLS,
    UNCALCULABLE,
    WITHOUT,
    Announced,
)

OWN = "jmaplite"
"""The profile of this server as it is."""

_URN = "urn:ietf:params:jmap:"
_MAIL_OF_STALWART = (
    "receivedAt",
    "size",
    "from",
    "to",
    "subject",
    "sentAt",
    "hasKeyword",
    "allInThreadHaveKeyword",
    "someInThreadHaveKeyword",
)


@dataclass(frozen=True, slots=True)
class Profile:
    """Another server: values of options by their full names, quirks by name, and what it announces."""

    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    quirks: tuple[str, ...] = ()
    announced: Announced = field(default_factory=Announced)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen at run time: a profile, and options and quirks with those of the profile among them."""

    profile: str = OWN
    options: Mapping[str, Any] = field(default_factory=dict)
    quirks: tuple[str, ...] = ()


def _core(get: int, calls: int, request: int, requests: int, upload: int, uploads: int) -> dict[str, Any]:
    """The limits of the core capability; as many objects in a /set as in a /get."""
    return {
        "jmap.protocol.get.max-objects": get,
        "jmap.protocol.set.max-objects": get,
        "jmap.protocol.request.max-calls": calls,
        "jmap.protocol.request.max-size": request,
        "jmap.protocol.request.max-concurrent": requests,
        "jmap.protocol.upload.max-size": upload,
        "jmap.protocol.upload.max-concurrent": uploads,
    }


def _lacks(*methods: str) -> tuple[str, ...]:
    return tuple(f"{WITHOUT}{name}" for name in methods)


def _cannot_calculate(*methods: str) -> tuple[str, ...]:
    return tuple(f"{UNCALCULABLE}{name}" for name in methods)


CYRUS = Profile(
    "Cyrus IMAP 3: large limits, relative URLs, no PushSubscription, identities that stay as they are.",
    {
        **_core(4096, 50, 10_485_760, 5, 1_073_741_824, 5),
        "jmap.email.max-attachment-size": 10_485_760,
        "conversations.max-thread": 100,
    },
    (
        RELATIVE_URLS,
        *_lacks("PushSubscription/*", "Identity/set", "Quota/queryChanges"),
        *_cannot_calculate("EmailSubmission/queryChanges"),
    ),
    Announced(
        session={
            f"{_URN}core": {"collationAlgorithms": []},
            f"{_URN}webpush-vapid": None,
            f"{_URN}emailpush": None,
            "https://cyrusimap.org/ns/jmap/core": {"maxCreatedIdsInRequest": 50 * 4096},
        },
        account={
            f"{_URN}mail": {
                "maxMailboxesPerEmail": 20,
                "maxMailboxDepth": None,
                "maxSizeMailboxName": 255,
                "maxSizeAttachmentsPerEmail": 10_485_760,
            },
            f"{_URN}submission": {"maxDelayedSend": 44_236_800},
        },
    ),
)
STALWART = Profile(
    "Stalwart 0.11: the limits of its documents, a redirect to the session, ids that are not found are dropped.",
    {**_core(500, 16, 10_000_000, 4, 50_000_000, 4), "jmap.email.max-attachment-size": 50_000_000},
    (
        REDIRECT,
        NO_EVENT_IDS,
        PING_MILLISECONDS,
        NO_PUSH_STATE,
        "not-found-dropped",
        "null-filter-refused",
        "submission-bare",
        *_lacks("MDN/*"),
        *_cannot_calculate("Quota/changes", "Quota/queryChanges"),
    ),
    Announced(
        session={
            f"{_URN}core": {"collationAlgorithms": ["i;ascii-numeric", "i;ascii-casemap", "i;unicode-casemap"]},
            f"{_URN}mdn": None,
            f"{_URN}webpush-vapid": None,
            f"{_URN}emailpush": None,
        },
        account={
            f"{_URN}mail": {
                "maxMailboxesPerEmail": None,
                "maxMailboxDepth": 10,
                "maxSizeMailboxName": 255,
                "maxSizeAttachmentsPerEmail": 50_000_000,
                "emailQuerySortOptions": list(_MAIL_OF_STALWART),
                "mayCreateTopLevelMailbox": True,
            },
            f"{_URN}submission": {"maxDelayedSend": 2_592_000},
        },
    ),
)
JAMES = Profile(
    "Apache James: small uploads, no Blob methods, no queryChanges, submissions that cannot be looked at.",
    {
        **_core(500, 16, 10_000_000, 4, 31_457_280, 4),
        "jmap.protocol.query.max-results": 256,
        "jmap.email.max-attachment-size": 20_000_000,
        "jmap.mailbox.max-name-length": 200,
        "jmap.capabilities.blob": False,
    },
    (
        REDIRECT,
        "anchor-refused",
        "no-total",
        "no-query-changes",
        *_lacks("Email/copy", "Email/queryChanges", "EmailSubmission/get", "EmailSubmission/changes"),
        *_lacks("EmailSubmission/query", "EmailSubmission/queryChanges", "SieveScript/*"),
        *_cannot_calculate("Mailbox/queryChanges", "Thread/changes", "Identity/changes"),
    ),
    Announced(
        session={
            f"{_URN}core": {"collationAlgorithms": ["i;unicode-casemap"]},
            f"{_URN}sieve": None,
            f"{_URN}webpush-vapid": None,
            f"{_URN}emailpush": None,
            "urn:apache:james:params:jmap:mail:quota": {},
            "urn:apache:james:params:jmap:mail:shares": {"subaddressingSupported": True},
        },
        account={
            f"{_URN}mail": {
                "maxMailboxesPerEmail": 10_000_000,
                "maxMailboxDepth": None,
                "maxSizeMailboxName": 200,
                "maxSizeAttachmentsPerEmail": 20_000_000,
                "emailQuerySortOptions": ["receivedAt", "sentAt", "size", "from", "to", "subject"],
                "mayCreateTopLevelMailbox": True,
            },
            f"{_URN}submission": {"maxDelayedSend": 0, "submissionExtensions": {}},
            "urn:apache:james:params:jmap:mail:quota": {},
            "urn:apache:james:params:jmap:mail:shares": {},
        },
    ),
)
FASTMAIL = Profile(
    "Fastmail: large requests, many objects, no Blob methods.",
    {
        **_core(4096, 50, 10_000_000, 10, 250_000_000, 10),
        "jmap.email.max-attachment-size": 50_000_000,
        "jmap.mailbox.max-name-length": 490,
        "jmap.capabilities.blob": False,
        "jmap.capabilities.quota": False,
    },
)

PROFILES = {
    OWN: Profile("This server as it is."),
    "cyrus": CYRUS,
    "stalwart": STALWART,
    "james": JAMES,
    "fastmail": FASTMAIL,
}
