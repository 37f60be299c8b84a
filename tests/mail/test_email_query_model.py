"""Email/query against a plain model: RFC 8621 §4.4 in a few lines of Python, over what Email/get answers."""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cmp_to_key
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mail.jmap import Client, Server, message

ROLES = ["inbox", "archive", "trash", "junk"]
WORDS = ["apple", "pear", "plum", "Ünder", "x1"]
KEYWORDS = ["$seen", "$flagged", "work"]
PEOPLE = ["Ann <ann@example.com>", "ben@example.com", "Émile <emile@example.org>", '"" <carl@example.com>']
Email = dict[str, Any]
PROPERTIES = [
    "mailboxIds", "keywords", "threadId", "receivedAt", "size", "from", "to", "subject", "sentAt", "hasAttachment",
    "header:List-Id:all", "textBody", "bodyValues",
]  # fmt: skip


def fill(client: Client) -> None:
    """Mail with many ties and a few Threads."""
    rnd = random.Random(1)
    boxes = [client.mailbox(role) for role in ROLES]
    for number in range(60):
        subject = rnd.choice(WORDS)
        references = [f"root-{subject}-{rnd.randrange(4)}@x"] if rnd.random() < 0.6 else []
        octets = message(
            "=?utf-8?q?" + "".join(f"={octet:02X}" for octet in f"{rnd.choice(['', 'Re: '])}{subject}".encode()) + "?=",
            " ".join(rnd.choices(["apple", "pear", "plum", "fig"], k=3)),
            message_id=f"m{number}@x",
            references=references,
            sender=encoded(rnd.choice(PEOPLE)),
            to=encoded(rnd.choice([*PEOPLE, ""])),
            date=1_500_000_000 + rnd.randrange(5),
            more=rnd.choice(["X-A: b", "List-Id: Fruit <fruit.example.com>"]),
        )
        client.import_(
            octets,
            mailboxes=rnd.sample(boxes, rnd.randint(1, 2)),
            keywords=rnd.sample(KEYWORDS, rnd.randint(0, 3)),
            received=f"2020-01-01T00:00:0{rnd.randrange(6)}Z",
        )


def encoded(address: str) -> str:
    return address.replace("Émile", "=?utf-8?q?=C3=89mile?=")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory))
        found = server.client()
        fill(found)
        found.session["roles"] = {name: found.mailbox(name) for name in ROLES}
        yield found
        server.close()


@pytest.fixture(scope="module")
def emails(client: Client) -> list[Email]:
    """Every Email, in the order of its arrival."""
    found: list[Email] = client.call("Email/get", properties=PROPERTIES, fetchTextBodyValues=True)["list"]
    return sorted(found, key=lambda email: (email["receivedAt"], int(email["id"][1:], 16)))


# Filters

keyword = st.sampled_from([*KEYWORDS, "$SEEN", "none"])
moment = st.sampled_from([f"2020-01-01T00:00:0{second}{part}Z" for second in range(7) for part in ("", ".5")])
role = st.sampled_from(ROLES)
words = st.sampled_from(
    ["apple", "pear plum", '"apple pear"', "FIG", "example", "ann", "émile", "zebra", "under", "apple ann"]
)
CONDITIONS: dict[str, Any] = {
    "inMailbox": role,
    "inMailboxOtherThan": st.lists(role, max_size=3),
    "before": moment,
    "after": moment,
    "minSize": st.integers(0, 59),
    "maxSize": st.integers(0, 59),
    "allInThreadHaveKeyword": keyword,
    "someInThreadHaveKeyword": keyword,
    "noneInThreadHaveKeyword": keyword,
    "hasKeyword": keyword,
    "notKeyword": keyword,
    "hasAttachment": st.booleans(),
    "text": words,
    "from": words,
    "to": words,
    "subject": words,
    "body": words,
    "header": st.sampled_from([["List-Id"], ["list-id", "fruit"], ["list-id", "none"], ["X-None"]]),
}
condition = st.lists(st.sampled_from(sorted(CONDITIONS)), unique=True, max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: CONDITIONS[name] for name in names})
)
one = st.one_of(st.sampled_from([{"inMailbox": name} for name in ROLES]), condition)
operator = st.sampled_from(["AND", "OR", "NOT"])
filters = st.one_of(
    st.none(),
    st.recursive(
        one,
        lambda inner: st.fixed_dictionaries({"operator": operator, "conditions": st.lists(inner, max_size=3)}),
        max_leaves=6,
    ),
)


def matches(email: Email, wanted: Any, thread: list[Email]) -> bool:
    if "operator" in wanted:
        each = [matches(email, inner, thread) for inner in wanted["conditions"]]
        return {"AND": all(each), "OR": any(each), "NOT": not any(each)}[wanted["operator"]]
    return all(fulfils(email, name, value, thread) for name, value in wanted.items())


def fulfils(email: Email, name: str, value: Any, thread: list[Email]) -> bool:
    if name.endswith("InThreadHaveKeyword"):
        having = [value.lower() in sibling["keywords"] for sibling in thread]
        return {"all": all(having), "some": any(having), "none": not any(having)}[name[:-19]]
    if name in ("text", "from", "to", "subject", "body"):
        return contains(email, name, value)
    if name == "header":
        fields = email["header:List-Id:all"] if value[0].lower() == "list-id" else []
        return any(len(value) == 1 or value[1] in field.lower() for field in fields)
    simple: dict[str, Callable[[], bool]] = {
        "inMailbox": lambda: value in email["mailboxIds"],
        "inMailboxOtherThan": lambda: bool(email["mailboxIds"].keys() - set(value)),
        "before": lambda: datetime.fromisoformat(email["receivedAt"]) < datetime.fromisoformat(value),
        "after": lambda: datetime.fromisoformat(email["receivedAt"]) >= datetime.fromisoformat(value),
        "minSize": lambda: email["size"] >= value,
        "maxSize": lambda: email["size"] < value,
        "hasKeyword": lambda: value.lower() in email["keywords"],
        "notKeyword": lambda: value.lower() not in email["keywords"],
        "hasAttachment": lambda: email["hasAttachment"] == value,
    }
    return simple[name]()


def tokens(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("ü", "u").replace("é", "e"))


def contains(email: Email, name: str, value: str) -> bool:
    people = {
        field: " ".join(f"{one['name'] or ''} {one['email']}" for one in email[field] or ()) for field in ("from", "to")
    }
    columns = {
        **people,
        "subject": email["subject"],
        "body": email["bodyValues"][email["textBody"][0]["partId"]]["value"],
    }
    places = list(columns.values()) if name == "text" else [columns[name]]
    phrases = [tokens(value)] if value.startswith('"') else [[word] for word in tokens(value)]
    return all(any(has_phrase(tokens(place), phrase) for place in places) for phrase in phrases)


def has_phrase(text: list[str], phrase: list[str]) -> bool:
    return any(text[start : start + len(phrase)] == phrase for start in range(len(text)))


# Sorts

comparator = st.one_of(
    st.fixed_dictionaries(
        {
            "property": st.sampled_from(["receivedAt", "size", "sentAt", "from", "to", "subject"]),
            "isAscending": st.booleans(),
        },
        optional={"collation": st.sampled_from(["i;unicode-casemap", "i;ascii-casemap"])},
    ),
    st.fixed_dictionaries(
        {
            "property": st.sampled_from(["hasKeyword", "allInThreadHaveKeyword", "someInThreadHaveKeyword"]),
            "isAscending": st.booleans(),
            "keyword": keyword,
        }
    ),
)
sorts = st.one_of(
    st.none(),
    st.sampled_from([[{"property": "receivedAt", "isAscending": ascending}] for ascending in (True, False)]),
    st.lists(comparator, max_size=3),
)


def sort_value(email: Email, wanted: dict[str, Any], thread: list[Email]) -> Any:
    name = wanted["property"]
    if "keyword" in wanted:
        keyword = wanted["keyword"].lower()
        if name == "hasKeyword":
            return keyword in email["keywords"]
        return (all if name.startswith("all") else any)(keyword in sibling["keywords"] for sibling in thread)
    if name == "sentAt":
        return datetime.fromisoformat(email["sentAt"])
    if name not in ("from", "to", "subject"):
        return email[name]
    if name == "subject":
        text = email["subject"].removeprefix("Re: ")
    else:
        text = (email[name][0]["name"] or email[name][0]["email"]) if email[name] else ""
    if wanted.get("collation") == "i;ascii-casemap":
        return text.encode().upper()
    return text.upper().replace("É", "E\u0301").replace("Ü", "U\u0308")


def in_order(emails: list[Email], sort: Any, threads: dict[str, list[Email]]) -> list[Email]:
    """Sorted; what is equal by all comparators comes the newest first, unless the last of them is an ascending date."""
    comparators = sort or []
    last = comparators[-1] if comparators else {}
    newest_first = not (last.get("property") == "receivedAt" and last["isAscending"])

    def compare(one: Email, other: Email) -> int:
        for wanted in comparators:
            a, b = (sort_value(email, wanted, threads[email["threadId"]]) for email in (one, other))
            if a != b:
                return -1 if (a < b) == wanted["isAscending"] else 1
        return 0

    return sorted(emails[::-1] if newest_first else emails, key=cmp_to_key(compare))


def model(emails: list[Email], wanted: Any, sort: Any, *, collapse: bool) -> list[str]:
    threads: dict[str, list[Email]] = {}
    for email in emails:
        threads.setdefault(email["threadId"], []).append(email)
    found = [email for email in emails if matches(email, wanted or {}, threads[email["threadId"]])]
    ordered = in_order(found, sort, threads)
    if not collapse:
        return [email["id"] for email in ordered]
    first: dict[str, str] = {}
    for email in ordered:
        first.setdefault(email["threadId"], email["id"])
    return list(first.values())


def resolved(wanted: Any, ids: dict[str, str], sizes: list[int]) -> Any:
    """A filter with the ids of Mailboxes for their roles, and sizes for their places."""
    if not isinstance(wanted, dict):
        return wanted
    if "operator" in wanted:
        return wanted | {"conditions": [resolved(inner, ids, sizes) for inner in wanted["conditions"]]}
    found = dict(wanted)
    if "inMailbox" in found:
        found["inMailbox"] = ids[found["inMailbox"]]
    if "inMailboxOtherThan" in found:
        found["inMailboxOtherThan"] = [ids[name] for name in found["inMailboxOtherThan"]]
    return found | {name: sizes[found[name]] for name in ("minSize", "maxSize") if name in found}


@settings(max_examples=400)
@given(
    wanted=filters,
    sort=sorts,
    collapse=st.booleans(),
    position=st.integers(-70, 70),
    limit=st.one_of(st.none(), st.integers(0, 70)),
)
def test_the_results_are_those_of_the_model(
    client: Client,
    emails: list[Email],
    wanted: Any,
    sort: Any,
    collapse: bool,
    position: int,
    limit: int | None,
) -> None:
    wanted = resolved(wanted, client.session["roles"], sorted(email["size"] for email in emails))
    query = {"filter": wanted, "sort": sort, "collapseThreads": collapse}
    expected = model(emails, wanted, sort, collapse=collapse)
    answer = client.call("Email/query", **query, calculateTotal=True)
    assert (answer["ids"], answer["total"]) == (expected, len(expected))
    page = client.call("Email/query", **query, position=position, limit=limit)
    start = position if position >= 0 else max(0, len(expected) + position)
    assert page["ids"] == expected[start:][:limit]
    if expected:
        anchor = expected[position % len(expected)]
        page = client.call("Email/query", **query, anchor=anchor, anchorOffset=-1, limit=2)
        start = max(0, position % len(expected) - 1)
        assert page["ids"] == expected[start : start + 2]
