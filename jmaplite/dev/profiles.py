"""Profiles: limits and capabilities that other servers announce, so that clients meet them here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Profile:
    """Another server: values of options by their full names."""

    title: str
    options: Mapping[str, Any] = field(default_factory=dict)


PROFILES = {
    "jmaplite": Profile("This server as it is."),
    "cyrus": Profile(
        "Cyrus IMAP 3: large limits, no PushSubscription, conversations that end at a hundred messages.",
        {
            "jmap.protocol.get.max-objects": 4096,
            "jmap.protocol.set.max-objects": 4096,
            "jmap.protocol.request.max-calls": 50,
            "jmap.protocol.request.max-size": 10_485_760,
            "jmap.protocol.request.max-concurrent": 5,
            "jmap.protocol.upload.max-size": 1_073_741_824,
            "jmap.protocol.upload.max-concurrent": 5,
            "jmap.email.max-attachment-size": 10_485_760,
            "conversations.max-thread": 100,
        },
    ),
    "stalwart": Profile(
        "Stalwart 0.11: the limits of its documents.",
        {
            "jmap.protocol.get.max-objects": 500,
            "jmap.protocol.set.max-objects": 500,
            "jmap.protocol.request.max-calls": 16,
            "jmap.protocol.request.max-size": 10_000_000,
            "jmap.protocol.request.max-concurrent": 4,
            "jmap.protocol.upload.max-size": 50_000_000,
            "jmap.protocol.upload.max-concurrent": 4,
            "jmap.email.max-attachment-size": 50_000_000,
        },
    ),
    "james": Profile(
        "Apache James: small uploads, no Blob methods.",
        {
            "jmap.protocol.get.max-objects": 500,
            "jmap.protocol.set.max-objects": 500,
            "jmap.protocol.request.max-calls": 16,
            "jmap.protocol.request.max-size": 10_000_000,
            "jmap.protocol.request.max-concurrent": 4,
            "jmap.protocol.upload.max-size": 31_457_280,
            "jmap.protocol.upload.max-concurrent": 4,
            "jmap.protocol.query.max-results": 256,
            "jmap.email.max-attachment-size": 20_000_000,
            "jmap.mailbox.max-name-length": 200,
            "jmap.capabilities.blob": False,
        },
    ),
    "fastmail": Profile(
        "Fastmail: large requests, many objects, no Blob methods.",
        {
            "jmap.protocol.get.max-objects": 4096,
            "jmap.protocol.set.max-objects": 4096,
            "jmap.protocol.request.max-calls": 50,
            "jmap.protocol.request.max-size": 10_000_000,
            "jmap.protocol.request.max-concurrent": 10,
            "jmap.protocol.upload.max-size": 250_000_000,
            "jmap.protocol.upload.max-concurrent": 10,
            "jmap.email.max-attachment-size": 50_000_000,
            "jmap.mailbox.max-name-length": 490,
            "jmap.capabilities.blob": False,
            "jmap.capabilities.quota": False,
        },
    ),
}
