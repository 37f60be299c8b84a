"""`[jmap.capabilities]`: which capabilities are there, and what goes with each."""

from __future__ import annotations

from jmaplite.config.kinds import BOOLEAN
from jmaplite.config.sections import option, section

_JMAP = "urn:ietf:params:jmap:"

CORE = f"{_JMAP}core"

KNOWN = (
    CORE,
    *(f"{_JMAP}{name}" for name in ("mail", "submission", "vacationresponse", "blob", "quota", "sieve", "mdn")),
    *(f"{_JMAP}{name}" for name in ("smimeverify", "websocket", "webpush-vapid", "emailpush")),
)
"""Every capability that this server may have."""

NEEDS = {f"{_JMAP}{name}": f"{_JMAP}mail" for name in ("submission", "mdn", "smimeverify", "emailpush")}
"""Capabilities that mean nothing without another one."""


def urn(name: str) -> str | None:
    """The URN of a capability by itself or by the end of it, or None."""
    return next((one for one in KNOWN if name in (one, one.rpartition(":")[2])), None)


@section("jmap.capabilities")
class Capabilities:
    """Capabilities, by URN or by the end of it (`vacationresponse = false`).

    What is off is as if it had never been written: it is not announced, and its methods and properties do not exist.
    Without `mail` there is nothing of `submission`, `mdn`, `smimeverify` and `emailpush` either.
    """

    chosen: tuple[tuple[str, bool], ...] = option(
        "<id>", BOOLEAN, "Whether the capability of that name is there.", default=(), shown="true"
    )

    @property
    def off(self) -> frozenset[str]:
        """The URNs of capabilities that are switched off, those that need one of them included."""
        named = {urn(name) or name for name, on in self.chosen if not on}
        return frozenset(named | {needing for needing, needed in NEEDS.items() if needed in named})
