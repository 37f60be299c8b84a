"""Somebody who uses a server that runs in this process."""

from __future__ import annotations

import json
from typing import Any

from jmaplite.directory import Principal
from jmaplite.server import Server
from tests.mail.jmap import BASE

USING = [f"urn:ietf:params:jmap:{name}" for name in ("core", "mail", "submission")]


class Person:
    """A user of the server, straight into its engine."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        found = server.parts.directory.principal(name)
        assert isinstance(found, Principal)
        self._principal = found
        self._account = next(iter(server.parts.engine.accounts(found)))

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        request = {"using": USING, "methodCalls": [[method, {"accountId": self._account, **arguments}, "0"]]}
        answer = json.loads(self._server.parts.engine.process(self._principal, BASE, json.dumps(request).encode()))
        name, response, _ = answer["methodResponses"][0]
        assert name == method, response
        found: dict[str, Any] = response
        return found

    def send(self, subject: str, recipient: str, **parameters: str) -> str:
        """Submit a message; answers the id of the submission."""
        identity = self.call("Identity/get")["list"][0]
        box = self.call("Mailbox/query", filter={"role": "drafts"})["ids"][0]
        body = {"1": {"value": "Hello Bob"}}
        draft = {"mailboxIds": {box: True}, "subject": subject, "from": [{"email": identity["email"]}],
                 "to": [{"email": recipient}], "bodyValues": body, "textBody": [{"partId": "1"}]}  # fmt: skip
        email = self.call("Email/set", create={"e": draft})["created"]["e"]["id"]
        envelope = {"mailFrom": {"email": identity["email"]},
                    "rcptTo": [{"email": recipient, "parameters": parameters or None}]}  # fmt: skip
        create = {"identityId": identity["id"], "emailId": email, "envelope": envelope}
        answer = self.call("EmailSubmission/set", create={"s": create})
        assert answer["created"], answer
        return str(answer["created"]["s"]["id"])

    def submission(self, number: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("EmailSubmission/get", ids=[number])["list"][0]
        return found

    def inbox(self) -> list[dict[str, Any]]:
        box = self.call("Mailbox/query", filter={"role": "inbox"})["ids"][0]
        ids = self.call("Email/query", filter={"inMailbox": box})["ids"]
        found: list[dict[str, Any]] = self.call("Email/get", ids=ids, properties=["subject", "preview", "blobId"])[
            "list"
        ]
        return found
