"""The capability of submission and its settings (RFC 8621 §1.3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jmaplite.core.context import Context

SUBMISSION = "urn:ietf:params:jmap:submission"


@dataclass(frozen=True, slots=True)
class SubmissionSettings:
    """Limits of sending, in octets, counts and seconds.

    `max_delayed_send` is 0 where messages are not held; `max_queued` is how many messages of one account may wait to be
    delivered. `suspended` names users who may not send at all now, each with a reason to show to them.
    """

    max_size: int = 75_000_000
    max_recipients: int = 1000
    max_delayed_send: int = 30 * 86400
    max_queued: int = 1000
    suspended: Mapping[str, str] = field(default_factory=dict)

    @property
    def extensions(self) -> dict[str, list[str]]:
        """submissionExtensions: what a client may put into the parameters of an envelope."""
        held = {"FUTURERELEASE": list[str]()} if self.max_delayed_send else {}
        return {**held, "SIZE": [str(self.max_size)]}


def submission_settings(ctx: Context) -> SubmissionSettings:
    """The settings of the server that a request came to."""
    found: SubmissionSettings = ctx.services.settings.get(SUBMISSION, _DEFAULTS)
    return found


_DEFAULTS = SubmissionSettings()
