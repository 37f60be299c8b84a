"""JMAP for message disposition notifications (RFC 9007): nothing is stored, there are only methods."""

from __future__ import annotations

from jmaplite.core.catalog import Capability
from jmaplite.core.context import Method
from jmaplite.datatypes.mdn.parsing import parse
from jmaplite.datatypes.mdn.sending import send
from jmaplite.datatypes.mdn.values import MDN


def mdn() -> Capability:
    """The capability `urn:ietf:params:jmap:mdn` (RFC 9007 §1.3)."""
    return Capability(
        urn=MDN,
        session=lambda limits: {},
        account=lambda limits, access: {},
        methods=(Method("MDN/send", MDN, send), Method("MDN/parse", MDN, parse)),
        owner_only=True,
    )


__all__ = ["MDN", "mdn"]
