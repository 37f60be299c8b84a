"""JMAP for Quotas: `urn:ietf:params:jmap:quota` (RFC 9425)."""

from __future__ import annotations

from collections.abc import Iterable

from jmaplite.core.catalog import Capability
from jmaplite.core.methods import STANDARD
from jmaplite.core.schema import DataType
from jmaplite.datatypes.quota.quota import QUOTA, describe


def quota(types: Iterable[DataType]) -> Capability:
    """The capability (RFC 9425 §2.1); those of the types that use quota are named by the Quota of an account."""
    described = describe(types)
    return Capability(
        urn=QUOTA,
        session=lambda limits: {},
        account=lambda limits, access: {},
        methods=described.standard_methods(STANDARD),
        types=(described,),
    )


__all__ = ["QUOTA", "quota"]
