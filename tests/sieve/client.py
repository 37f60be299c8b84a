"""A client that keeps scripts."""

from __future__ import annotations

import json
from typing import Any

from jmaplite.datatypes.blob.capability import BLOB
from jmaplite.datatypes.mail import MAIL
from jmaplite.datatypes.quota import QUOTA
from jmaplite.datatypes.sieve import SIEVE
from tests.mail.jmap import BASE, CORE
from tests.submission.post import Mailer


class Scripter(Mailer):
    """A client that uses the capability of Sieve."""

    def request(self, *calls: list[Any], **more: Any) -> dict[str, Any]:
        body = {"using": [CORE, MAIL, SIEVE, BLOB, QUOTA], "methodCalls": list(calls), **more}
        octets = json.dumps(body).encode()
        answer: dict[str, Any] = json.loads(self.server.engine.process(self.principal, BASE, octets))
        return answer

    def set(self, **arguments: Any) -> dict[str, Any]:
        """SieveScript/set."""
        return self.call("SieveScript/set", **arguments)

    def try_make(self, content: str | bytes, name: str | None = None, **more: Any) -> dict[str, Any]:
        """The answer to making the script `s`."""
        octets = content.encode() if isinstance(content, str) else content
        return self.set(create={"s": {"name": name, "blobId": self.upload(octets)}}, **more)

    def make(self, content: str | bytes = "keep;", name: str | None = None, **more: Any) -> str:
        """The id of a script that is made."""
        answer = self.try_make(content, name, **more)
        assert answer["created"], answer
        return str(answer["created"]["s"]["id"])

    def refusal(self, content: str | bytes = "keep;", name: str | None = None) -> dict[str, Any]:
        """The SetError that a script is refused with."""
        answer = self.try_make(content, name)
        assert answer["created"] is None
        error: dict[str, Any] = answer["notCreated"]["s"]
        return error

    def actives(self) -> list[str]:
        """The ids of scripts that are active."""
        found = self.call("SieveScript/query", filter={"isActive": True})["ids"]
        assert isinstance(found, list)
        return found
