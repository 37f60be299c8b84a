"""The promise that JMAP is made for: what has changed, applied to the old answer, gives the new answer."""

from __future__ import annotations

import random
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jmaplite.datatypes.mail import MailSettings, conversations
from jmaplite.datatypes.mail.capability import Threading
from tests.mail.jmap import ALICE, BOB, Client, Server, message

WORDS = ["apple", "pear", "plum"]
KEYWORDS = ["$seen", "$flagged", "$draft", "work"]

FILTERS: list[Any] = [
    None,
    {"hasKeyword": "$flagged"},
    {"notKeyword": "$seen"},
    {"notKeyword": "work"},
    {"text": "apple"},
    {"subject": "pear", "hasKeyword": "$seen"},
    {"someInThreadHaveKeyword": "$flagged"},
    {"allInThreadHaveKeyword": "$seen"},
    {"noneInThreadHaveKeyword": "work"},
    {"operator": "OR", "conditions": [{"hasKeyword": "work"}, {"from": "ann"}]},
    {"operator": "NOT", "conditions": [{"hasKeyword": "$seen"}, {"text": "plum"}]},
    {"after": "2020-09-14T00:00:00Z", "minSize": 100},
    {"header": ["In-Reply-To"], "hasAttachment": False},
    {"operator": "OR", "conditions": [{"someInThreadHaveKeyword": "$seen"}, {"before": "2020-09-15T12:00:01Z"}]},
    {"operator": "OR", "conditions": []},
    "inbox",
    "archive and unseen",
    "other than trash",
]

SORTS: list[Any] = [
    None,
    [{"property": "receivedAt", "isAscending": False}],
    [{"property": "receivedAt", "isAscending": True}],
    [{"property": "subject"}, {"property": "receivedAt", "isAscending": False}],
    [{"property": "from", "collation": "i;ascii-casemap"}, {"property": "size", "isAscending": False}],
    [{"property": "hasKeyword", "keyword": "$flagged", "isAscending": False}],
    [{"property": "someInThreadHaveKeyword", "keyword": "$seen"}, {"property": "receivedAt"}],
    [{"property": "allInThreadHaveKeyword", "keyword": "work"}, {"property": "sentAt"}],
    [{"property": "to", "collation": "i;ascii-numeric"}, {"property": "hasKeyword", "keyword": "work"}],
    [{"property": "subject", "collation": "i;unicode-casemap", "isAscending": False}, {"property": "receivedAt"}],
]

MAILBOX_QUERIES: list[dict[str, Any]] = [
    {},
    {"sort": [{"property": "name"}]},
    {"sort": [{"property": "sortOrder"}, {"property": "name", "isAscending": False}]},
    {"filter": {"hasAnyRole": False}, "sort": [{"property": "name"}]},
    {"filter": {"name": "a"}, "sort": [{"property": "name"}], "sortAsTree": True},
    {"filter": {"isSubscribed": True}, "filterAsTree": True},
    {"filter": {"operator": "NOT", "conditions": [{"name": "box"}, {"role": "trash"}]}, "filterAsTree": True},
    {"sort": [{"property": "name", "collation": "i;ascii-numeric", "isAscending": False}], "sortAsTree": True},
    {"filter": {"parentId": None}, "sort": [{"property": "name"}], "sortAsTree": True, "filterAsTree": True},
]

THREADINGS = [Threading(), Threading(), Threading(max_emails=3), Threading(enabled=False)]


class Replica:
    """What a client caches, brought up to date by changes only."""

    def __init__(self, client: Client, rnd: random.Random) -> None:
        self.client, self.rnd = client, rnd
        self.states = {name: client.call(f"{name}/get", ids=[])["state"] for name in ("Mailbox", "Thread", "Email")}
        self.records: dict[str, dict[str, Any]] = {"Mailbox": {}, "Thread": {}, "Email": {}}
        for box in client.call("Mailbox/get", ids=None)["list"]:
            self.records["Mailbox"][box["id"]] = box
        self.queries: list[tuple[str, dict[str, Any], str, list[str]]] = []

    def watch(self, data_type: str, arguments: dict[str, Any]) -> None:
        answer = self.client.call(f"{data_type}/query", **arguments, limit=1000, calculateTotal=True)
        assert answer["total"] == len(answer["ids"])
        self.queries.append((data_type, arguments, answer["queryState"], answer["ids"]))

    def synchronise(self) -> None:
        for name in self.records:
            self._changes(name)
        self.queries = [self._query_changes(*query) for query in self.queries]

    def _changes(self, name: str) -> None:
        most = self.rnd.choice([None, 1, 2, 5])
        known = self.records[name]
        updated_before: set[str] = set()
        while True:
            answer = self.client.call(f"{name}/changes", sinceState=self.states[name], maxChanges=most)
            count = len(answer["created"]) + len(answer["updated"]) + len(answer["destroyed"])
            assert most is None or count <= most
            assert not set(answer["created"]) & updated_before
            updated_before |= set(answer["updated"])
            assert set(answer["updated"]) <= known.keys()
            if answer.get("updatedProperties"):
                self._refresh(name, answer["updated"], answer["updatedProperties"])
            else:
                self._refresh(name, answer["updated"], None)
            self._refresh(name, answer["created"], None)
            for record_id in answer["destroyed"]:
                known.pop(record_id, None)
            self.states[name] = answer["newState"]
            if not answer["hasMoreChanges"]:
                return

    def _refresh(self, name: str, ids: list[str], properties: list[str] | None) -> None:
        if name == "Email":
            properties = ["mailboxIds", "keywords", "threadId", "receivedAt"]
        answer = self.client.call(f"{name}/get", ids=ids, properties=properties)
        for record in answer["list"]:
            self.records[name].setdefault(record["id"], {}).update(record)
        for record_id in answer["notFound"]:
            self.records[name].pop(record_id, None)

    def _query_changes(
        self, data_type: str, arguments: dict[str, Any], state: str, ids: list[str]
    ) -> tuple[str, dict[str, Any], str, list[str]]:
        answer = self.client.call(f"{data_type}/queryChanges", **arguments, sinceQueryState=state, calculateTotal=True)
        now = [record_id for record_id in ids if record_id not in set(answer["removed"])]
        assert [item["index"] for item in answer["added"]] == sorted(item["index"] for item in answer["added"])
        for item in answer["added"]:
            assert item["id"] not in now
            now.insert(item["index"], item["id"])
        assert len(now) == answer["total"]
        return data_type, arguments, answer["newQueryState"], now

    def check(self) -> None:
        for name, known in self.records.items():
            if name == "Mailbox":
                fresh = {box["id"]: box for box in self.client.call("Mailbox/get", ids=None)["list"]}
                assert fresh == known
                continue
            properties = ["mailboxIds", "keywords", "threadId", "receivedAt"] if name == "Email" else None
            answer = self.client.call(f"{name}/get", ids=list(known), properties=properties)
            assert answer["notFound"] == []
            assert {record["id"]: record for record in answer["list"]} == known
        everything = self.client.call("Email/query", limit=1000)["ids"]
        assert set(everything) == self.records["Email"].keys()
        for data_type, arguments, state, ids in self.queries:
            fresh = self.client.call(f"{data_type}/query", **arguments, limit=1000)
            assert (fresh["queryState"], fresh["ids"]) == (state, ids), arguments


class History:
    """A client that does things at random."""

    def __init__(self, client: Client, rnd: random.Random) -> None:
        self.client, self.rnd = client, rnd
        self.other = next(number for number in client.session["accounts"] if number != client.account)
        self.message_ids: list[tuple[str, str]] = []

    def ids(self, data_type: str) -> list[str]:
        found: list[str] = self.client.call(f"{data_type}/query", limit=1000)["ids"]
        return found

    def step(self) -> None:
        rnd = self.rnd
        action = rnd.choice([self.import_, self.import_, self.import_, self.flag, self.flag, self.move, self.destroy,
                             self.copy, self.change_mailboxes, self.several, self.rethread])  # fmt: skip
        action()

    def some(self, values: list[str]) -> dict[str, bool]:
        return dict.fromkeys(self.rnd.sample(values, self.rnd.randint(1, min(3, len(values)))), True)

    def import_(self) -> None:
        rnd = self.rnd
        own = f"x{rnd.randrange(1 << 40)}@example.com"
        subject, references = rnd.choice(WORDS), []
        if self.message_ids and rnd.random() < 0.6:
            picked = rnd.sample(self.message_ids, rnd.randint(1, min(2, len(self.message_ids))))
            subject, references = picked[0][1], [message_id for message_id, _ in picked]
        elif rnd.random() < 0.3:
            references = [f"missing{rnd.randrange(3)}@example.com"]
        self.message_ids.append((own, subject))
        octets = message(
            rnd.choice(["", "Re: "]) + subject,
            " ".join(rnd.choices(WORDS, k=4)),
            message_id=own,
            references=references,
            sender=rnd.choice(["Ann <ann@example.com>", "ben@example.com"]),
        )
        email = {
            "blobId": self.client.upload(octets),
            "mailboxIds": self.some(self.ids("Mailbox")),
            "keywords": self.some(KEYWORDS) if rnd.random() < 0.7 else {},
            "receivedAt": f"2020-09-{rnd.randint(13, 16)}T12:00:0{rnd.randint(0, 3)}Z",
        }
        self.client.call("Email/import", emails={"k": email})

    def flag(self) -> None:
        update = {}
        for email in self.pick("Email"):
            update[email] = {f"keywords/{self.rnd.choice([*KEYWORDS, 'WORK'])}": self.rnd.choice([True, None])}
        in_state = self.client.call("Email/get", ids=[])["state"] if self.rnd.random() < 0.3 else None
        self.client.try_call("Email/set", update=update, ifInState=in_state)

    def move(self) -> None:
        boxes = self.ids("Mailbox")
        self.client.call("Email/set", update={email: {"mailboxIds": self.some(boxes)} for email in self.pick("Email")})

    def several(self) -> None:
        """Keywords and Mailboxes at once, while another Email ends."""
        boxes = self.ids("Mailbox")
        patch = {"mailboxIds": self.some(boxes), f"keywords/{self.rnd.choice(KEYWORDS)}": self.rnd.choice([True, None])}
        update = dict.fromkeys(self.pick("Email"), patch)
        self.client.call("Email/set", update=update, destroy=self.pick("Email")[:1])

    def destroy(self) -> None:
        self.client.call("Email/set", destroy=self.pick("Email"))

    def copy(self) -> None:
        """From the other account and back again."""
        rnd, client = self.rnd, self.client
        here, there = client.account, self.other
        if rnd.random() < 0.5:
            here, there = there, here
        picked = client.call("Email/query", accountId=there, limit=20)["ids"][:3]
        boxes = self.some(client.call("Mailbox/query", accountId=here)["ids"])
        create = {f"k{at}": {"id": email, "mailboxIds": boxes} for at, email in enumerate(picked)}
        client.call(
            "Email/copy",
            accountId=here,
            fromAccountId=there,
            create=create,
            onSuccessDestroyOriginal=rnd.random() < 0.5,
        )

    def rethread(self) -> None:
        """What `jmaplite conversations` does: Emails whose Thread changes get new ids."""
        work = self.rnd.choice([conversations.rebuild, conversations.clear])
        work(self.client.server.engine.services, self.client.account)

    def pick(self, data_type: str) -> list[str]:
        ids = self.ids(data_type)
        return self.rnd.sample(ids, min(len(ids), self.rnd.randint(1, 3)))

    def change_mailboxes(self) -> None:
        rnd, boxes = self.rnd, self.ids("Mailbox")
        kind = rnd.randrange(5)
        if kind == 0:
            self.client.call(
                "Mailbox/set",
                create={"n": {"name": f"box {rnd.randrange(99)}", "parentId": rnd.choice([None, *boxes])}},
            )
        elif kind == 1:
            change = rnd.choice(
                [
                    {"name": f"other {rnd.randrange(99)}"},
                    {"sortOrder": rnd.randrange(9)},
                    {"parentId": rnd.choice([None, *boxes])},
                    {"isSubscribed": rnd.random() < 0.5},
                ]
            )
            self.client.call("Mailbox/set", update={rnd.choice(boxes): change})
        elif kind == 2 and len(boxes) > 1:
            # Those that filters name go as well as others.
            self.client.call("Mailbox/set", destroy=[rnd.choice(boxes)], onDestroyRemoveEmails=rnd.random() < 0.7)
        elif kind == 3:
            trash = [box["id"] for box in self.client.call("Mailbox/get")["list"] if box["role"] == "trash"]
            update: dict[str, Any] = {box: {"role": None} for box in trash}
            update[rnd.choice(boxes)] = {"role": "trash"}
            self.client.call("Mailbox/set", update=update)


def queries_of(client: Client) -> list[Any]:
    roles = {box["role"]: box["id"] for box in client.call("Mailbox/get")["list"]}
    named = {
        "inbox": {"inMailbox": roles["inbox"]},
        "archive and unseen": {"inMailbox": roles["archive"], "notKeyword": "$seen"},
        "other than trash": {"inMailboxOtherThan": [roles["trash"], roles["junk"]]},
    }
    return [named[item] if isinstance(item, str) else item for item in FILTERS]


def watch_everything(replica: Replica, rnd: random.Random, filters: list[Any]) -> None:
    for wanted in filters:
        for sort in rnd.sample(SORTS, 3):
            arguments = {"filter": wanted, "sort": sort, "collapseThreads": rnd.random() < 0.5}
            replica.watch("Email", arguments)
    for arguments in MAILBOX_QUERIES:
        replica.watch("Mailbox", arguments)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 32))
def test_changes_applied_to_the_old_answer_give_the_new_answer(seed: int) -> None:
    rnd = random.Random(seed)
    with tempfile.TemporaryDirectory() as directory:

        def opened() -> Server:
            return Server(Path(directory), settings=MailSettings(threading=rnd.choice(THREADINGS)))

        server = opened()
        client = server.client()
        history = History(client, rnd)
        replica = Replica(client, rnd)
        filters = queries_of(client)
        for _ in range(rnd.randint(0, 10)):
            history.step()
        replica.synchronise()
        watch_everything(replica, rnd, filters)
        for _ in range(rnd.randint(1, 4)):
            for _ in range(rnd.randint(1, 12)):
                history.step()
            if rnd.random() < 0.2:
                server.close()
                client.server = server = opened()
            replica.synchronise()
            replica.check()
            assert client.faults() == []
        server.close()


@pytest.mark.parametrize("seed", range(6))
def test_a_client_that_follows_while_others_are_at_work_comes_to_the_truth(server: Server, seed: int) -> None:
    """Alice and Bob change their team's account in threads of their own."""
    clients = [server.client(principal) for principal in (ALICE, BOB, ALICE)]
    team = next(number for number, account in clients[0].session["accounts"].items() if not account["isPersonal"])
    for client in clients:
        client.account = team
    errors: list[BaseException] = []

    def work(client: Client, seed: int) -> None:
        history = History(client, random.Random(seed))
        try:
            for _ in range(40):
                history.step()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(client, 10 * seed + at)) for at, client in enumerate(clients[:2])]
    follower = clients[2]
    rnd = random.Random(seed)
    replica = Replica(follower, rnd)
    watch_everything(replica, rnd, queries_of(follower))
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        replica.synchronise()
    assert errors == []
    replica.synchronise()
    replica.check()
    assert follower.faults() == []
