"""The capability `urn:ietf:params:jmap:blob` (RFC 9404 §3.1)."""

from __future__ import annotations

from jmaplite import datatypes
from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Access
from jmaplite.core.limits import Limits
from jmaplite.datatypes.blob import BLOB
from jmaplite.datatypes.mail import MAIL
from tests.blob.client import BlobClient


def test_the_session_has_it_empty_and_every_account_with_its_limits(alice: BlobClient) -> None:
    session = alice.session

    assert session["capabilities"][BLOB] == {}
    assert session["primaryAccounts"][BLOB] == alice.account
    for account in session["accounts"].values():
        value = account["accountCapabilities"][BLOB]
        assert value["maxSizeBlobSet"] == Limits().max_size_upload
        assert value["maxDataSources"] >= 64
        assert {"Mailbox", "Thread", "Email"} <= set(value["supportedTypeNames"])
        assert {"sha", "sha-256", "md5"} <= set(value["supportedDigestAlgorithms"])


def test_types_are_announced_only_where_their_capability_is() -> None:
    capability = Catalog(datatypes.capabilities()).capability(BLOB)
    assert capability is not None
    assert capability.account is not None

    def names(*urns: str) -> list[str]:
        assert capability.account is not None
        found: list[str] = capability.account(Limits(), Access("a", "a", True, False, frozenset(urns)))[
            "supportedTypeNames"
        ]
        return found

    assert names(BLOB) == []
    assert names(BLOB, MAIL) == ["Mailbox", "Thread", "Email"]
