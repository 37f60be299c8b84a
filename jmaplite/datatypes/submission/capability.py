"""The capability of submission and its settings (RFC 8621 §1.3.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from jmaplite.core.context import Context

SUBMISSION = "urn:ietf:params:jmap:submission"

PASSED_ON = ("DSN", "MT-PRIORITY", "REQUIRETLS")
"""Extensions whose parameters are known (RFC 3461, RFC 6710, RFC 8689)."""


@dataclass(frozen=True, slots=True)
class SubmissionSettings:
    """Limits of sending, in octets, counts and seconds.

    `max_delayed_send` is 0 where messages are not held; `max_queued` is how many messages of one account may wait to be
    delivered. `suspended` names users who may not send at all now, each with a reason to show to them. `rate` is how
    many recipients one account may send to in how many seconds (0: as many as it likes). `passed_on` are the extensions
    of SMTP that clients may use where the relay offers them; `offers` answers which it does, with their arguments.
    """

    max_size: int = 75_000_000
    max_recipients: int = 1000
    max_delayed_send: int = 30 * 86400
    max_queued: int = 1000
    suspended: Mapping[str, str] = field(default_factory=dict)
    rate: tuple[int, float] = (0, 1.0)
    passed_on: Sequence[str] = PASSED_ON
    offers: Callable[[], Mapping[str, Sequence[str]]] = field(default=dict)

    @property
    def extensions(self) -> dict[str, list[str]]:
        """submissionExtensions: what a client may put into the parameters of an envelope."""
        held = {"FUTURERELEASE": list[str]()} if self.max_delayed_send else {}
        offered = self.offers()
        passed = {name: list(offered[name]) for name in self.passed_on if name in offered}
        return {**passed, **held, "SIZE": [str(self.max_size)]}


def submission_settings(ctx: Context) -> SubmissionSettings:
    """The settings of the server that a request came to."""
    found: SubmissionSettings = ctx.services.settings.get(SUBMISSION, _DEFAULTS)
    return found


_DEFAULTS = SubmissionSettings()
