"""Calls that are nearly right: every argument has its name, and mostly its kind. None is answered serverFail.

What is told beside is checked too: a state is that of /get, what was made can be fetched, and the store is whole.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mail.jmap import BASE, message
from tests.submission.post import Mailer, PostOffice

URN = "urn:ietf:params:jmap:"
USING = [URN + name for name in ("core", "mail", "submission", "vacationresponse", "blob", "quota")]

STRINGS = [
    "", "a", "$seen", "$Flagged", "a b", "name", "subject", "header:Subject", "header:X:asText:all",
    "2020-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:60Z",
    "2020-01-01T00:00:00.5Z", "☃", "\ufeff", "a\0b", "a\r\nb", "x" * 300, "~", "~2", "/", "a/b", "pending",
    "canceled", "inbox", "trash", "text/plain", "text/html", "multipart/mixed", "1", '"open', '"', "'", "%", "_",
    "\\", "*", "NEAR(", "alice@example.org", "*@carol.example", "i;ascii-numeric", "i;unicode-casemap", "data",
    "digest:sha", "Email", "singleton", "#k", "nope", "E999", "M1", "T1", "I1",
]  # fmt: skip
INTEGERS = [0, 1, -1, 2, 100, 500, 501, 2**31, 2**53 - 1, 1 - 2**53, 2**53, 2**63, 1.5, 1e300]
DATES = STRINGS[9:14]
SORTS = [
    "receivedAt", "size", "from", "to", "subject", "sentAt", "hasKeyword", "allInThreadHaveKeyword",
    "someInThreadHaveKeyword", "name", "sortOrder", "sendAt", "emailId", "used",
]  # fmt: skip
CONDITIONS = [
    "inMailbox", "inMailboxOtherThan", "before", "after", "minSize", "maxSize", "hasKeyword", "notKeyword", "header",
    "allInThreadHaveKeyword", "someInThreadHaveKeyword", "noneInThreadHaveKeyword", "hasAttachment", "text", "from",
    "to", "cc", "bcc", "subject", "body", "parentId", "name", "role", "hasAnyRole", "isSubscribed", "identityIds",
    "emailIds", "threadIds", "undoStatus", "scope", "type", "resourceType",
]  # fmt: skip
PATHS = [
    "keywords/$seen", "keywords/a~1b", "keywords", "mailboxIds", "mailboxIds/M1", "mailboxIds/#k", "subject", "name",
    "parentId", "role", "sortOrder", "isSubscribed", "undoStatus", "isEnabled", "fromDate", "textBody", "bcc",
    "replyTo", "bodyStructure", "from/0", "header:Subject", "bodyValues/1/value", "myRights/mayDelete", "id",
]  # fmt: skip

Make = Callable[[], Any]


class Shapes:
    """Arguments by their names, made at random; one in eight is something else altogether."""

    def __init__(self, rnd: Random, client: Mailer, ids: list[str]) -> None:
        self.rnd, self.client, self.ids = rnd, client, ids

    def call(self) -> list[Any]:
        made = {
            "get": {
                "ids": self.some_ids,
                "properties": self.strings,
                "bodyProperties": self.strings,
                "offset": self.number,
                "fetchAllBodyValues": self.flag,
                "maxBodyValueBytes": self.number,
                "length": self.number,
            },
            "changes": {"sinceState": self.state, "maxChanges": self.number},
            "query": {
                **self.asked(),
                "position": self.number,
                "anchor": self.id,
                "anchorOffset": self.number,
                "limit": self.number,
            },
            "queryChanges": {
                **self.asked(),
                "sinceQueryState": self.state,
                "maxChanges": self.number,
                "upToId": self.id,
            },
            "set": {
                "create": lambda: {"k": self.record(), "l": self.record()},
                "update": lambda: {self.id(): self.patch()},
                "destroy": lambda: [self.id()],
                "ifInState": self.state,
                "onDestroyRemoveEmails": self.flag,
                "onSuccessUpdateEmail": lambda: {"#k": self.patch()},
                "onSuccessDestroyEmail": lambda: ["#l"],
            },
            "copy": {
                "fromAccountId": self.account,
                "create": lambda: {"k": self.record() | {"id": self.id()}},
                "blobIds": self.some_ids,
                "onSuccessDestroyOriginal": self.flag,
            },
            "import": {"emails": lambda: {"k": self.record() | {"blobId": self.id()}}},
            "parse": {"blobIds": self.some_ids, "properties": self.strings, "fetchAllBodyValues": self.flag},
            "lookup": {"ids": self.some_ids, "typeNames": lambda: ["Email"]},
            "upload": {"create": lambda: {"k": self.data(), "l": self.data()}},
            "snippets": {"filter": self.filter, "emailIds": self.some_ids},
        }
        name = self.rnd.choice(list(TAKEN))
        arguments = made[{"SearchSnippet/get": "snippets"}.get(name, name.partition("/")[2])]
        needed = ("sinceState", "sinceQueryState", "fromAccountId", "emails", "blobIds", "typeNames", "emailIds")
        chosen = [one for one in arguments if one in needed or (self.rnd.random() < 0.4 and one in TAKEN[name])]
        chosen = [one for one in chosen if one in TAKEN[name]]
        return [name, {"accountId": self.account(), **{one: self.mostly(arguments[one]) for one in chosen}}]

    def mostly(self, make: Make) -> Any:
        return make() if self.rnd.random() < 0.875 else self.anything()

    def anything(self, depth: int = 0) -> Any:
        rnd = self.rnd
        makes: list[Make] = [lambda: None, self.flag, self.number, self.string, self.id]
        if depth < 2:
            makes += [lambda: [self.anything(depth + 1)], lambda: {self.string(): self.anything(depth + 1)}]
        return rnd.choice(makes)()

    def string(self) -> str:
        return self.rnd.choice(STRINGS)

    def strings(self) -> list[str]:
        return [self.string()]

    def number(self) -> Any:
        return self.rnd.choice(INTEGERS)

    def date(self) -> str:
        return self.rnd.choice(DATES)

    def flag(self) -> bool:
        return self.rnd.random() < 0.7

    def id(self) -> str:
        return self.rnd.choice(self.ids) if self.rnd.random() < 0.8 else self.string()

    def some_ids(self) -> list[str]:
        return [self.id() for _ in range(self.rnd.randrange(4))]

    def account(self) -> str:
        return (
            self.client.account if self.rnd.random() < 0.9 else self.rnd.choice(list(self.client.session["accounts"]))
        )

    def state(self) -> str:
        return self.client.state(self.rnd.choice(["Email", "Mailbox", "Identity"])) if self.flag() else self.string()

    def asked(self) -> dict[str, Make]:
        return {
            "filter": self.filter,
            "sort": self.sort,
            "calculateTotal": self.flag,
            "collapseThreads": self.flag,
            "sortAsTree": self.flag,
            "filterAsTree": self.flag,
        }

    def sort(self) -> list[Any]:
        name = self.rnd.choice(SORTS)
        one = {"property": name, "isAscending": self.flag(), "collation": "i;ascii-numeric"}
        return [one | {"keyword": "$seen"} if name.endswith("Keyword") else one]

    def filter(self, depth: int = 0) -> Any:
        if depth < 3 and self.rnd.random() < 0.3:
            conditions = [self.filter(depth + 1) for _ in range(self.rnd.randrange(3))]
            return {"operator": self.rnd.choice(["AND", "OR", "NOT"]), "conditions": conditions}
        name = self.rnd.choice(CONDITIONS)
        kinds: list[Make] = [self.string, self.id, self.some_ids, self.number, self.flag, self.date]
        return {name: self.rnd.choice(kinds)()}

    def patch(self) -> dict[str, Any]:
        return {self.rnd.choice([*PATHS, *STRINGS]): self.anything() for _ in range(self.rnd.randint(1, 2))}

    def record(self) -> dict[str, Any]:
        """A record of any type: the properties of most are in it, those of the others are refused."""
        rnd = self.rnd
        addresses = [{"name": self.string(), "email": rnd.choice(["alice@example.org", self.string()])}]
        email: dict[str, Make] = {
            "keywords": lambda: {self.string(): True},
            "receivedAt": self.date,
            "from": lambda: addresses,
            "subject": self.string,
            "sentAt": self.date,
            "messageId": self.strings,
            "textBody": lambda: [self.part()],
            "htmlBody": lambda: [self.part()],
            "attachments": lambda: [self.part()],
            "bodyStructure": self.part,
            "bodyValues": lambda: {"1": {"value": self.string()}},
            "header:X-A:asText": self.string,
            "header:X-G:asGroupedAddresses": lambda: [{"name": self.string(), "addresses": addresses}],
        }
        box: dict[str, Make] = {"name": self.string, "parentId": self.id, "role": self.string, "sortOrder": self.number}
        identity: dict[str, Make] = {
            "email": lambda: "alice@example.org",
            "bcc": lambda: addresses,
            "name": self.string,
        }
        to_send: dict[str, Make] = {"identityId": self.id, "emailId": self.id, "envelope": self.envelope}
        shape, always = rnd.choice(
            [(email, ["mailboxIds"]), (box, ["name"]), (identity, ["email"]), (to_send, list(to_send))]
        )
        shape = shape | {"mailboxIds": lambda: {rnd.choice(self.ids[:6]): True}}
        return {name: self.mostly(make) for name, make in shape.items() if name in always or rnd.random() < 0.2}

    def envelope(self) -> Any:
        parameters = [None, {"HOLDFOR": self.string()}, {"HOLDUNTIL": self.date()}, {self.string(): None}]
        sender = {"email": self.rnd.choice(["alice@example.org", ""]), "parameters": self.rnd.choice(parameters)}
        return {"mailFrom": sender, "rcptTo": [{"email": self.rnd.choice(["bob@example.org", self.string()])}]}

    def part(self, depth: int = 0) -> dict[str, Any]:
        shape: dict[str, Make] = {
            "partId": lambda: "1",
            "blobId": self.id,
            "type": lambda: self.rnd.choice(STRINGS[26:29]),
            "name": self.string,
            "disposition": lambda: "inline",
            "cid": self.string,
            "location": self.string,
            "header:Content-Type": self.string,
            "subParts": lambda: [self.part(depth + 1)] if depth < 3 else [],
        }
        return {name: self.mostly(make) for name, make in shape.items() if self.rnd.random() < 0.3}

    def data(self) -> dict[str, Any]:
        sources = [
            {"data:asText": self.string()},
            {"data:asBase64": self.string()},
            {"blobId": self.id(), "offset": self.number(), "length": self.number()},
        ]
        return {"data": [self.rnd.choice(sources)], "type": self.string()}


ASKED = {"filter", "sort", "calculateTotal"}
QUERY = ASKED | {"position", "anchor", "anchorOffset", "limit"}
QUERY_CHANGES = ASKED | {"sinceQueryState", "maxChanges", "upToId"}
BODY = {"properties", "bodyProperties", "fetchAllBodyValues", "maxBodyValueBytes"}
SET = {"create", "update", "destroy", "ifInState"}
TAKEN: dict[str, set[str]] = {
    "Email/get": {"ids"} | BODY,
    "Email/changes": {"sinceState", "maxChanges"},
    "Email/query": QUERY | {"collapseThreads"},
    "Email/queryChanges": QUERY_CHANGES | {"collapseThreads"},
    "Email/set": SET,
    "Email/copy": {"fromAccountId", "create", "onSuccessDestroyOriginal"},
    "Email/import": {"emails"},
    "Email/parse": {"blobIds"} | BODY,
    "SearchSnippet/get": {"filter", "emailIds"},
    "Thread/get": {"ids"},
    "Thread/changes": {"sinceState"},
    "Mailbox/get": {"ids", "properties"},
    "Mailbox/changes": {"sinceState", "maxChanges"},
    "Mailbox/query": QUERY | {"sortAsTree", "filterAsTree"},
    "Mailbox/queryChanges": QUERY_CHANGES | {"sortAsTree", "filterAsTree"},
    "Mailbox/set": SET | {"onDestroyRemoveEmails"},
    "Identity/set": SET,
    "Identity/changes": {"sinceState"},
    "EmailSubmission/get": {"ids"},
    "EmailSubmission/query": QUERY,
    "EmailSubmission/queryChanges": QUERY_CHANGES,
    "EmailSubmission/set": SET | {"onSuccessUpdateEmail", "onSuccessDestroyEmail"},
    "VacationResponse/set": SET,
    "Quota/query": QUERY,
    "Blob/get": {"ids", "properties", "offset", "length"},
    "Blob/lookup": {"ids", "typeNames"},
    "Blob/upload": {"create"},
    "Blob/copy": {"fromAccountId", "blobIds"},
}


@pytest.fixture(scope="module")
def client() -> Iterator[Mailer]:
    with tempfile.TemporaryDirectory() as directory:
        office = PostOffice(Path(directory))
        yield office.mailer()
        office.close()


def known_ids(client: Mailer) -> list[str]:
    """Mailboxes first, then Emails, Identities, submissions and blobs."""
    found = [str(box["id"]) for box in client.call("Mailbox/get", ids=None)["list"]][:6]
    emails = client.call("Email/query", limit=4)["ids"]
    while len(emails) < 3:
        emails.append(client.import_(message())["id"])
    found += [*emails, client.identity(), *client.call("EmailSubmission/query", limit=2)["ids"]]
    return [*found, *(client.upload(octets) for octets in (message(), b"x", b""))]


@settings(max_examples=400)
@given(seed=st.integers(0, 1 << 64))
def test_calls_that_are_nearly_right_never_make_the_server_fail(client: Mailer, seed: int) -> None:
    rnd = Random(seed)
    shapes = Shapes(rnd, client, known_ids(client))
    calls = [[*shapes.call(), str(number)] for number in range(rnd.randint(1, 6))]
    responses = process(client, *calls)
    for _, arguments, call_id in responses:
        assert arguments.get("type") != "serverFail", [call for call in calls if call[2] == call_id]
    name, arguments, _ = responses[-1]
    if name.endswith("/set"):
        made = [told["id"] for told in (arguments["created"] or {}).values()]
        get = [name.replace("/set", "/get"), {"accountId": arguments["accountId"], "ids": made}, "0"]
        [[_, got, _]] = process(client, get)
        assert (got["state"], [one["id"] for one in got["list"]]) == (arguments["newState"], made)
    assert client.faults() == []


def process(client: Mailer, *calls: list[Any]) -> list[Any]:
    """The responses to calls that may use every capability."""
    body = json.dumps({"using": USING, "methodCalls": calls}).encode()
    answer = json.loads(client.server.engine.process(client.principal, BASE, body))
    found: list[Any] = answer["methodResponses"]
    return found
