"""The capability of Sieve scripts and its settings (RFC 9661 §1.2.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jmaplite import __version__
from jmaplite.core.context import Services
from jmaplite.formats import sieve

SIEVE = "urn:ietf:params:jmap:sieve"

IMPLEMENTATION = f"jmaplite {__version__}"
"""What Sieve is run by, for people."""


@dataclass(frozen=True, slots=True)
class SieveSettings:
    """What scripts may be and do; `max_name` in octets.

    `subject` and `prefix` are those of automatic answers: in place of none, and before that of the message.
    """

    limits: sieve.Limits = field(default_factory=sieve.Limits)
    capabilities: frozenset[str] = sieve.CAPABILITIES
    methods: tuple[str, ...] = sieve.NOTIFICATION_METHODS
    max_name: int = 512
    max_scripts: int = 256
    subject: str = "Automated reply"
    prefix: str = "Auto: "

    def announced(self) -> dict[str, Any]:
        """What accountCapabilities tell."""
        return {
            "maxSizeScriptName": self.max_name,
            "maxSizeScript": self.limits.script_size,
            "maxNumberScripts": self.max_scripts,
            "maxNumberRedirects": self.limits.redirects,
            "sieveExtensions": sorted(self.capabilities),
            "notificationMethods": list(self.methods) or None,
            "externalLists": None,
        }


_DEFAULTS = SieveSettings()


def sieve_settings(services: Services) -> SieveSettings:
    """The settings of a server."""
    found: SieveSettings = services.settings.get(SIEVE, _DEFAULTS)
    return found
