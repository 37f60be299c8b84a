"""What everyday calls cost does not grow with the mailbox: counted in steps of the database's machine, not in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jmaplite.store.sqlite_transaction import SQLiteReader
from tests.mail.jmap import Client, Server

SMALL, LARGE = 400, 4000
NEWEST_FIRST = [{"property": "receivedAt", "isAscending": False}]


def moment(number: int) -> str:
    """A minute for each Email."""
    minutes = number
    return f"2020-01-{1 + minutes // 1440:02}T{minutes // 60 % 24:02}:{minutes % 60:02}:00Z"


def fill(client: Client, size: int) -> None:
    """Seen mail in the inbox, but for every fortieth; every hundredth is flagged. No two are in one Thread."""
    blob = client.upload(b"Subject: Hello\r\n\r\nHello, world.")
    inbox = client.mailbox("inbox")
    for start in range(0, size, 400):
        emails = {}
        for number in range(start, start + 400):
            keywords = ({"$seen": True} if number % 40 else {}) | ({} if number % 100 else {"$flagged": True})
            email = {"blobId": blob, "mailboxIds": {inbox: True}, "keywords": keywords, "receivedAt": moment(number)}
            emails[f"k{number}"] = email
        assert len(client.call("Email/import", emails=emails)["created"]) == 400


@dataclass
class Meter:
    """Counts the steps of everything that is read."""

    client: Client
    size: int
    steps: int = 0

    def __post_init__(self) -> None:
        account = self.client.server.store.account(self.client.account)
        with account.read() as tx:
            tx.value("SELECT 1")
            self._connection = tx._session.connection  # the one that is taken out of the pool next
        self._connection.set_progress_handler(self._count, 5)

    def _count(self) -> bool:
        self.steps += 5
        return False

    def measure(self, method: str, **arguments: Any) -> int:
        """The steps of a call that has been made once before."""
        self.client.call(method, **arguments)
        before = self.steps
        self.client.call(method, **arguments)
        assert self.steps > before
        return self.steps - before


@pytest.fixture(scope="module")
def meters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Meter, Meter]]:
    """Over a small mailbox and one that is ten times as large."""
    servers = [Server(Path(tmp_path_factory.mktemp("cost"))) for _ in range(2)]
    clients = [server.client() for server in servers]
    for client, size in zip(clients, (SMALL, LARGE), strict=True):
        fill(client, size)
    yield Meter(clients[0], SMALL), Meter(clients[1], LARGE)
    for server in servers:
        server.close()


INBOX = {"inMailbox": "M1"}
QUERIES: dict[str, dict[str, Any]] = {
    "inbox": {"filter": INBOX},
    "inbox, oldest first": {"filter": INBOX, "sort": [{"property": "receivedAt"}]},
    "inbox, total": {"filter": INBOX, "calculateTotal": True},
    "inbox, from the end": {"filter": INBOX, "position": -100},
    "inbox, threads": {"filter": INBOX, "collapseThreads": True},
    "inbox, threads, total": {"filter": INBOX, "collapseThreads": True, "calculateTotal": True},
    "inbox, threads, from the end": {"filter": INBOX, "collapseThreads": True, "position": -100},
    "inbox by subject, total only": {
        "filter": INBOX,
        "sort": [{"property": "subject"}],
        "limit": 0,
        "calculateTotal": True,
    },
    "inbox, threads, oldest first, total only": {
        "filter": INBOX,
        "sort": [{"property": "receivedAt"}],
        "limit": 0,
        "calculateTotal": True,
        "collapseThreads": True,
    },
    "everything": {"calculateTotal": True},
    "everything, threads": {"collapseThreads": True, "calculateTotal": True},
    "flagged": {"filter": {"hasKeyword": "$flagged"}, "limit": 4},
    "unseen in the inbox": {"filter": {"inMailbox": "M1", "notKeyword": "$seen"}, "limit": 4},
    "unseen in the inbox, nested": {
        "filter": {
            "operator": "AND",
            "conditions": [INBOX, {"operator": "AND", "conditions": [{"notKeyword": "$seen"}]}],
        },
        "limit": 4,
    },
    "not flagged in the inbox": {"filter": {"inMailbox": "M1", "notKeyword": "$flagged"}},
    "not in the trash": {"filter": {"inMailboxOtherThan": ["M6"]}},
    "either of two mailboxes": {"filter": {"operator": "OR", "conditions": [INBOX, {"inMailbox": "M2"}]}},
    "before a time": {"filter": {"inMailbox": "M1", "before": "2020-01-01T03:00:00Z"}},
    "large ones, of which there are none": {"filter": {"minSize": 1_000_000}},
    "small ones in the inbox, of which there are none": {"filter": {"maxSize": 1, "inMailbox": "M1"}},
    "with an attachment, of which there are none": {"filter": {"hasAttachment": True}},
    "a word": {"filter": {"text": "hello"}},
    "a word in the inbox": {"filter": {"text": "hello", "inMailbox": "M1"}},
    "a word in the inbox, threads": {"filter": {"text": "hello", "inMailbox": "M1"}, "collapseThreads": True},
}


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_page_costs_the_same_in_a_large_mailbox(meters: tuple[Meter, Meter], name: str) -> None:
    query = {"sort": NEWEST_FIRST, "limit": 50, **QUERIES[name]}

    def cost(meter: Meter) -> int:
        return meter.measure("Email/query", **query)

    small, large = map(cost, meters)
    assert large < 1.5 * small + 1000, (small, large)


def test_how_a_filter_is_nested_does_not_matter(meters: tuple[Meter, Meter]) -> None:
    """The rarest of the conditions leads, wherever it stands."""
    rare = {"hasKeyword": "$flagged"}
    nested = {"operator": "AND", "conditions": [INBOX, {"operator": "OR", "conditions": [rare]}]}
    costs = {
        meters[1].measure("Email/query", filter=wanted, sort=NEWEST_FIRST, calculateTotal=True)
        for wanted in (INBOX | rare, nested, {"operator": "AND", "conditions": [nested, {}]})
    }
    assert max(costs) < min(costs) + 50


@pytest.mark.parametrize("collapse", [False, True])
def test_a_page_costs_the_same_at_any_depth(meters: tuple[Meter, Meter], collapse: bool) -> None:
    def cost(meter: Meter, **more: Any) -> int:
        query = {"filter": INBOX, "sort": NEWEST_FIRST, "limit": 50, "collapseThreads": collapse, **more}
        return meter.measure("Email/query", **query)

    small = cost(meters[0])
    for meter in meters:
        deep = meter.size * 8 // 10
        anchor = meter.client.call("Email/query", filter=INBOX, sort=NEWEST_FIRST, position=deep, limit=1)["ids"][0]
        assert cost(meter, position=deep) < 2 * small + 3000
        assert cost(meter, anchor=anchor, anchorOffset=-5) < 2 * small + 3000


def test_reading_costs_the_same_in_a_large_mailbox(meters: tuple[Meter, Meter]) -> None:
    def cost(meter: Meter, method: str, **arguments: Any) -> int:
        return meter.measure(method, **arguments)

    ids = [meter.client.call("Email/query", sort=NEWEST_FIRST, limit=50)["ids"] for meter in meters]
    threads = [
        [email["threadId"] for email in meter.client.call("Email/get", ids=some, properties=["threadId"])["list"]]
        for meter, some in zip(meters, ids, strict=True)
    ]
    calls: list[list[tuple[str, dict[str, Any]]]] = [
        [("Mailbox/get", {})] * 2,
        [("Email/get", {"ids": some, "properties": ["subject", "from", "preview", "keywords"]}) for some in ids],
        [("Email/get", {"ids": some[:1], "fetchTextBodyValues": True}) for some in ids],
        [("Thread/get", {"ids": some}) for some in threads],
    ]
    for (method, small), (_, large) in calls:
        assert cost(meters[1], method, **large) < 1.5 * cost(meters[0], method, **small) + 1000


def test_changes_cost_the_same_in_a_large_mailbox(meters: tuple[Meter, Meter]) -> None:
    costs: dict[str, list[int]] = {}
    for meter in meters:
        client = meter.client
        states = {name: client.call(f"{name}/get", ids=[])["state"] for name in ("Email", "Thread", "Mailbox")}
        some = client.call("Email/query", sort=NEWEST_FIRST, limit=10)["ids"]
        client.call("Email/set", update={one: {"keywords/work": True} for one in some})
        for name, state in states.items():
            costs.setdefault(name, []).append(meter.measure(f"{name}/changes", sinceState=state))
        for collapse in (False, True):
            query = {"filter": INBOX, "sort": NEWEST_FIRST, "collapseThreads": collapse, "calculateTotal": True}
            cost = meter.measure("Email/queryChanges", sinceQueryState=states["Email"], **query)
            costs.setdefault(f"queryChanges {collapse}", []).append(cost)
    for name, (small, large) in costs.items():
        assert large < 1.5 * small + 1000, name


def test_common_queries_neither_scan_nor_sort(meters: tuple[Meter, Meter], monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan of the words' table is a look-up; the Mailboxes are few; so is what a rare size has left to be sorted."""
    original = SQLiteReader.rows
    plans: dict[str, list[str]] = {}

    def explained(self: SQLiteReader, sql: str, *parameters: Any) -> Any:
        plans[sql] = [row[3] for row in original(self, f"EXPLAIN QUERY PLAN {sql}", *parameters)]
        return original(self, sql, *parameters)

    monkeypatch.setattr(SQLiteReader, "rows", explained)
    for query in QUERIES.values():
        meters[0].client.call("Email/query", **{"sort": NEWEST_FIRST, "limit": 50, **query})
    assert len(plans) > 10
    for sql, plan in plans.items():
        sorts_few = "ORDER BY +s." in sql and any("email_size" in line for line in plan)
        bad = [line for line in plan if line.startswith("SCAN") or ("TEMP B-TREE" in line and not sorts_few)]
        assert not [line for line in bad if "VIRTUAL TABLE" not in line and line != "SCAN mailbox"], (sql, plan)
