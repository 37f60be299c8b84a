"""A client of somebody whose account has a quota."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

from jmaplite.core.session import MAX_AGE
from jmaplite.datatypes.mail import MAIL
from jmaplite.datatypes.quota import QUOTA
from tests.mail.jmap import ALICE, CORE, Client, Server, message

LIMIT = 10_000


class QuotaClient(Client):
    """A client whose requests use the quota capability too."""

    def request(self, *calls: list[Any], **more: Any) -> dict[str, Any]:
        return super().request(*calls, **{"using": [CORE, MAIL, QUOTA], **more})

    def quota(self) -> dict[str, Any]:
        """The only Quota."""
        [found] = self.call("Quota/get", ids=None)["list"]
        answer: dict[str, Any] = found
        return answer

    def used(self) -> int:
        """What the Quota says is used."""
        return int(self.quota()["used"])

    def held(self) -> int:
        """What the Emails take up, by their own account."""
        ids = self.call("Email/query")["ids"]
        return sum(email["size"] for email in self.call("Email/get", ids=ids, properties=["size"])["list"])


def alice_with(server: Server, quota: int) -> QuotaClient:
    """Alice, whose account may hold so many octets from now on (0: as many as she likes)."""
    server.now += MAX_AGE
    return QuotaClient(server, replace(ALICE, quota=quota))


_numbers = count(1)


def sized(octets: int, *, message_id: str = "", **more: Any) -> bytes:
    """A message of so many octets."""
    message_id = message_id or f"sized{next(_numbers):06}@example.com"
    rest = octets - len(message(body="", message_id=message_id, **more))
    return message(body="x" * rest, message_id=message_id, **more)
