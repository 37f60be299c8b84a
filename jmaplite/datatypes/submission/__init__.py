"""JMAP Mail's submission (RFC 8621 §6, §7): Identity and EmailSubmission."""

from __future__ import annotations

from jmaplite.core.catalog import Capability
from jmaplite.core.methods import STANDARD
from jmaplite.datatypes.submission import sending as sending
from jmaplite.datatypes.submission.capability import SUBMISSION, SubmissionSettings
from jmaplite.datatypes.submission.identity import IDENTITY, match_identities
from jmaplite.datatypes.submission.submission import EMAIL_SUBMISSION

TYPES = (IDENTITY.freeze(), EMAIL_SUBMISSION.freeze())


def submission(settings: SubmissionSettings) -> Capability:
    """The capability `urn:ietf:params:jmap:submission` (RFC 8621 §1.3.2)."""
    return Capability(
        urn=SUBMISSION,
        session=lambda limits: {},
        account=lambda limits, access: {
            "maxDelayedSend": settings.max_delayed_send,
            "submissionExtensions": settings.extensions,
        },
        methods=tuple(method for kind in TYPES for method in kind.standard_methods(STANDARD)),
        types=TYPES,
        match=match_identities,
        owner_only=True,
    )


__all__ = ["EMAIL_SUBMISSION", "IDENTITY", "SUBMISSION", "TYPES", "SubmissionSettings", "submission"]
