"""Whoever is told of changes, however often it goes and comes back by another way, knows every state at last."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.web.events import stream
from tests.web.serving import Site, serving, until
from tests.web.sockets import MAIL, opened

THROTTLES = 'event-source.throttle = "20ms"\nweb-socket.throttle = "5ms"'
TYPES = ("Mailbox", "Email", "Thread")
WRITES = 60
WRITERS = 3


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site"), THROTTLES) as site:
        yield site


class Reader:
    """A client that keeps, of all that it is told, the last of each; and goes as often as it likes."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site = site
        self.random = random.Random(seed)
        self.known: dict[str, dict[str, str]] = {}
        self.place = "nowhere"
        self.is_over = threading.Event()

    def run(self) -> None:
        """Watch until it is over, and once more from where that left off."""
        while not self.is_over.is_set():
            self.random.choice((self.by_stream, self.by_one_event, self.by_socket))(self.random.randrange(1, 4))

    def hear(self, changed: dict[str, dict[str, str]], place: str) -> None:
        for account_id, states in changed.items():
            self.known.setdefault(account_id, {}).update(states)
        self.place = place

    def by_stream(self, events: int) -> None:
        with stream(self.site, last=self.place) as source:
            source.socket.settimeout(0.2)
            try:
                for _ in range(events):
                    event = source.block()
                    if event is not None and event.data:
                        self.hear(event.changed, event.id)
            except TimeoutError:
                pass

    def by_one_event(self, events: int) -> None:
        with stream(self.site, closeafter="state", last=self.place) as source:
            source.socket.settimeout(0.2)
            try:
                while (event := source.block()) is not None:
                    if event.data:
                        self.hear(event.changed, event.id)
            except TimeoutError:
                pass

    def by_socket(self, events: int) -> None:
        with opened(self.site) as client:
            client.tell({"@type": "WebSocketPushEnable", "dataTypes": None, "pushState": self.place})
            client.socket.settimeout(0.2)
            try:
                for _ in range(events):
                    told = client.hear()
                    self.hear(told["changed"], told["pushState"])
            except TimeoutError:
                pass


def write(site: Site, accounts: list[str], seed: int) -> None:
    """Change Mailboxes, and make, change and destroy Emails, in one account or another."""
    rng = random.Random(seed)
    blob = site.upload(b"Subject: x\r\n\r\ny")
    for number in range(WRITES):
        account = rng.choice(accounts)
        box = call(site, "Mailbox/set", account, create={"a": {"name": f"{seed}-{number}"}})["created"]["a"]["id"]
        if account == accounts[0]:
            made = call(site, "Email/import", account, emails={"a": {"blobId": blob, "mailboxIds": {box: True}}})
            email = made["created"]["a"]["id"]
            call(site, "Email/set", account, update={email: {"keywords/$seen": True}})
        if rng.random() < 0.5:
            call(site, "Mailbox/set", account, destroy=[box], onDestroyRemoveEmails=True)


def call(site: Site, name: str, account: str, **arguments: Any) -> Any:
    answer = site.call([name, {"accountId": account, **arguments}, "0"], using=(MAIL,))
    if answer.status == 400:  # too many at the same time
        return call(site, name, account, **arguments)
    ((said, found, _),) = answer.json["methodResponses"]
    assert said == name, found
    return found


def test_a_client_that_comes_and_goes_at_random_never_misses_a_state(site: Site) -> None:
    accounts = sorted(site.session["accounts"], key=lambda one: one != site.account)
    readers = [Reader(site, seed) for seed in range(4)]
    reading = [threading.Thread(target=reader.run) for reader in readers]
    writing = [threading.Thread(target=write, args=(site, accounts, seed)) for seed in range(WRITERS)]
    for thread in (*reading, *writing):
        thread.start()
    for thread in writing:
        thread.join()
    wanted = {
        account: {name: call(site, f"{name}/get", account, ids=[])["state"] for name in TYPES} for account in accounts
    }

    def is_known(reader: Reader) -> bool:
        return all(
            reader.known.get(account, {}).get(name) == state
            for account, states in wanted.items()
            for name, state in states.items()
        )

    try:
        for reader in readers:
            until(lambda reader=reader: is_known(reader))  # type: ignore[misc]
    finally:
        for reader in readers:
            reader.is_over.set()
        for thread in reading:
            thread.join()


def test_two_streams_are_told_the_same_in_the_end(site: Site) -> None:
    """The place that one transport tells is understood by the other."""
    with opened(site) as client:
        client.tell({"@type": "WebSocketPushEnable", "dataTypes": ["Mailbox"], "pushState": "nowhere"})
        place = client.hear()["pushState"]
    state = call(site, "Mailbox/set", site.account, create={"a": {"name": "last"}})["newState"]
    with stream(site, "Mailbox", last=place) as source:
        told = source.next()
    assert told.changed == {site.account: {"Mailbox": state}}
    with opened(site) as client:
        client.tell({"@type": "WebSocketPushEnable", "dataTypes": None, "pushState": told.id})
        assert client.ask()["@type"] == "Response"
