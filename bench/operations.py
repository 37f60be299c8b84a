"""What is timed: the operations of a mail client, by name."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from bench.client import Client, ref

LIST = [
    "id", "threadId", "mailboxIds", "keywords", "from", "to", "subject", "receivedAt", "preview", "size",
    "hasAttachment",
]  # fmt: skip
NEWEST = [{"property": "receivedAt", "isAscending": False}]

Operation = Callable[[int], Any]


def operations(client: Client, common: list[str], number: int) -> dict[str, tuple[str, Operation]]:
    """Each operation: what it is, and the function that does it once; it is given how many times it was done."""
    boxes = client.call(("Mailbox/get", {}))[0]["list"]
    inbox = next(box["id"] for box in boxes if box["role"] == "inbox")
    inside = {"inMailbox": inbox}
    first = client.call(("Email/query", {"filter": inside, "sort": NEWEST, "limit": 4000, "calculateTotal": True}))[0]
    ids, total = first["ids"], first["total"]
    people = [word["from"][0]["name"].split()[0] for word in _some(client, ids)]
    since = client.call(("Email/get", {"ids": []}))[0]["state"]
    rnd = random.Random(5)
    call = client.call

    def query(**more: Any) -> tuple[str, dict[str, Any]]:
        return "Email/query", {"filter": inside, "sort": NEWEST, "limit": 50, **more}

    def page(position: int) -> Operation:
        return lambda i: call(query(position=position, calculateTotal=True))

    def flag(i: int) -> None:
        call(("Email/set", {"update": {ids[i % len(ids)]: {"keywords/$flagged": True if i % 2 else None}}}))

    def import_one(i: int) -> None:
        octets = f"From: a@example.com\r\nSubject: bench {i} {rnd.random()}\r\n\r\nHello\r\n".encode()
        email = {"blobId": client.upload(octets), "mailboxIds": {inbox: True}}
        call(("Email/import", {"emails": {"k": email}}))

    open_inbox: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Mailbox/get", {}),
        query(collapseThreads=True, calculateTotal=True),
        ("Email/get", {"#ids": ref("1", "Email/query", "/ids"), "properties": ["threadId"]}),
        ("Thread/get", {"#ids": ref("2", "Email/get", "/list/*/threadId")}),
        ("Email/get", {"#ids": ref("3", "Thread/get", "/list/*/emailIds"), "properties": LIST}),
    )
    list_50 = (query(), ("Email/get", {"#ids": ref("0", "Email/query", "/ids"), "properties": LIST}))
    reading = [*LIST, "bodyValues", "textBody", "htmlBody", "attachments", "headers"]

    def read(i: int) -> None:
        call(("Email/get", {"ids": [rnd.choice(ids)], "fetchAllBodyValues": True, "properties": reading}))

    def search(condition: str, words: list[str]) -> Operation:
        return lambda i: call(query(filter={condition: words[i % len(words)]}))

    unseen = {"operator": "AND", "conditions": [inside, {"notKeyword": "$seen"}]}
    return {
        "echo": ("Core/echo", lambda i: call(("Core/echo", {}))),
        "mailboxes": ("Mailbox/get, all", lambda i: call(("Mailbox/get", {}))),
        "query": ("Email/query, inbox by date, 50", lambda i: call(query())),
        "total": ("the same with calculateTotal", page(0)),
        "threads": ("the same with collapseThreads", lambda i: call(query(collapseThreads=True))),
        "deep": ("page at 80 % depth with total", page(total * 4 // 5)),
        "anchor": ("page at an anchor", lambda i: call(query(anchor=ids[len(ids) // 2], anchorOffset=-5))),
        "open": ("open the inbox", lambda i: call(*open_inbox)),
        "list": ("list 50 messages", lambda i: call(*list_50)),
        "read": ("read one message with bodies", read),
        "text": ("text search, common word, newest 50", search("text", common)),
        "rare": ("text search, one hit", search("text", [f"unique{i * 7 % number}word" for i in range(97)])),
        "from": ("from: search", search("from", people)),
        "unseen": ("unseen in inbox", lambda i: call(query(filter=unseen))),
        "flag": ("set a flag, durable", flag),
        "changes": (
            "Email/changes, at most 500 changes",
            lambda i: call(("Email/changes", {"sinceState": since, "maxChanges": 500})),
        ),
        "import": ("upload and import one message, durable", import_one),
    }


def _some(client: Client, ids: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call(("Email/get", {"ids": ids[:40:10], "properties": ["from"]}))[0]["list"]
    return found
