"""JMAP for Sieve scripts (RFC 9661)."""

from __future__ import annotations

from jmaplite.core.catalog import Capability
from jmaplite.core.methods import STANDARD
from jmaplite.datatypes.sieve import setting as setting
from jmaplite.datatypes.sieve.capability import IMPLEMENTATION, SIEVE, SieveSettings, sieve_settings
from jmaplite.datatypes.sieve.script import SIEVE_SCRIPT

TYPES = (SIEVE_SCRIPT.freeze(),)


def sieve(settings: SieveSettings) -> Capability:
    """The capability `urn:ietf:params:jmap:sieve` (RFC 9661 §1.2.1)."""
    return Capability(
        urn=SIEVE,
        session=lambda limits: {"implementation": IMPLEMENTATION},
        account=lambda limits, access: settings.announced(),
        methods=SIEVE_SCRIPT.standard_methods(STANDARD),
        types=TYPES,
        owner_only=True,
    )


__all__ = ["IMPLEMENTATION", "SIEVE", "SIEVE_SCRIPT", "SieveSettings", "sieve", "sieve_settings"]
