"""A server that pushes, and a client with devices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from jmaplite import datatypes
from jmaplite.blobs.embedded import TABLES, EmbeddedBlobs
from jmaplite.core.catalog import CORE as CORE_CAPABILITY
from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Services
from jmaplite.core.engine import Engine
from jmaplite.datatypes.mail import MAIL
from jmaplite.directory import Directory, Principal
from jmaplite.directory.memory import Entry, MemoryDirectory
from jmaplite.directory.passwords import credential as password_of
from jmaplite.push.capability import EMAIL_PUSH, SubscriptionSettings, with_push
from jmaplite.push.client import Client as HTTPClient
from jmaplite.push.client import Resolver
from jmaplite.push.desk import Desk, Pace
from jmaplite.push.subscription import PUSH_SUBSCRIPTION
from jmaplite.push.vapid import Vapid, new_key
from jmaplite.push.webpush import Equipment, WebPush
from jmaplite.store.sqlite import SQLiteStore
from tests.mail.jmap import ALICE, BASE, BOB, CORE, TEAM, Client, Server
from tests.push.receiver import Push, Reader, Receiver, on_loopback, trusting

SECRET = "secret"
PEOPLE = (Entry(ALICE, (SECRET,)), Entry(BOB, (SECRET,)), Entry(TEAM))
URL = "https://push.example.com/device"


@dataclass
class PushServer(Server):
    """An engine with push subscriptions."""

    max_total: int = 100
    verify_gap: float = 60.0
    allow_private: bool = False
    people: tuple[Entry, ...] = PEOPLE

    def __post_init__(self) -> None:
        everything = datatypes.capabilities(self.settings)
        for_schema = Catalog(with_push(everything, PUSH_SUBSCRIPTION, str))
        self.store = SQLiteStore(self.path, datatypes.schema(for_schema, TABLES))
        self.blobs = EmbeddedBlobs(self.path)
        contact = "mailto:postmaster@example.org"
        self.vapid = Vapid(lambda: self.store.secret("vapid.pem", new_key), contact, lambda: self.now)
        self.catalog = Catalog(with_push(everything, PUSH_SUBSCRIPTION, lambda: self.vapid.application_server_key))
        subscriptions = SubscriptionSettings(self.catalog, self.max_total, self.verify_gap, self.allow_private)
        settings = {MAIL: self.settings, CORE_CAPABILITY.urn: subscriptions}
        self.services = Services(self.store, self.blobs, self.limits, lambda: self.now, settings)
        self.install(MemoryDirectory(self.people))

    def install(self, directory: Directory) -> None:
        """Ask another directory from now on."""
        self.engine = Engine(self.services, self.catalog, directory)

    @contextmanager
    def sending(self, resolve: Resolver = on_loopback, *, timeout: float = 20.0, **pace: float) -> Iterator[WebPush]:
        """A sender at work."""
        desk = Desk(self.engine, self.vapid, Pace(**pace))  # type: ignore[arg-type]
        client = HTTPClient(resolve, timeout=timeout, allow_private=self.allow_private, tls=trusting())
        sender = WebPush(self.store.feed, lambda: self.now, Equipment(desk, client, glance=0.01))
        sender.start()
        try:
            yield sender
        finally:
            sender.stop()

    def device(self, principal: Principal = ALICE, credential: str = "") -> Device:
        """A client that has logged in, with its password if nothing else is said."""
        return Device(self, replace(principal, credential=credential or password_of(principal.name, SECRET)))


@dataclass
class Device(Client):
    """A client that subscribes."""

    using: list[str] = field(default_factory=lambda: [CORE, MAIL, EMAIL_PUSH])
    reader: Reader = field(default_factory=Reader)

    def request(self, *calls: list[Any], **more: Any) -> dict[str, Any]:
        body = {"using": self.using, "methodCalls": list(calls), **more}
        octets = json.dumps(body).encode()
        answer: dict[str, Any] = json.loads(self.server.engine.process(self.principal, BASE, octets))
        return answer

    def try_call(self, method: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
        if method.startswith("PushSubscription/"):
            name, answer, _ = self.request([method, arguments, "c"])["methodResponses"][0]
            return name, answer
        return super().try_call(method, **arguments)

    def subscribe(self, url: str = URL, **properties: Any) -> dict[str, Any]:
        """What the server tells of a subscription that it makes."""
        answer = self.call("PushSubscription/set", create={"k": {"deviceClientId": "d", "url": url, **properties}})
        assert answer["created"], answer
        made: dict[str, Any] = answer["created"]["k"]
        return made

    def refused(self, **properties: Any) -> dict[str, Any]:
        """The SetError for a subscription that the server does not make."""
        given = {"deviceClientId": "d", "url": URL, **properties}
        answer = self.call("PushSubscription/set", create={"k": given})
        assert answer["created"] is None, answer
        error: dict[str, Any] = answer["notCreated"]["k"]
        return error

    def update(self, record_id: str, **patch: Any) -> dict[str, Any] | None:
        """What the server tells of an update that it makes."""
        answer = self.call("PushSubscription/set", update={record_id: patch})
        assert answer["notUpdated"] is None, answer
        told: dict[str, Any] | None = answer["updated"][record_id]
        return told

    def not_updated(self, record_id: str, **patch: Any) -> dict[str, Any]:
        answer = self.call("PushSubscription/set", update={record_id: patch})
        assert answer["updated"] is None, answer
        error: dict[str, Any] = answer["notUpdated"][record_id]
        return error

    def subscriptions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("PushSubscription/get", ids=None)["list"]
        return found

    def subscribed(self, receiver: Receiver, **properties: Any) -> str:
        """The id of a subscription that has been verified, while a sender is at work."""
        record_id = str(self.subscribe(receiver.url, **properties)["id"])
        self.verify(record_id, receiver.next())
        return record_id

    def verify(self, record_id: str, push: Push) -> None:
        found = push.read(self.reader if "content-encoding" in push.headers else None)
        assert found.keys() == {"@type", "pushSubscriptionId", "verificationCode"}
        assert (found["@type"], found["pushSubscriptionId"]) == ("PushVerification", record_id)
        self.update(record_id, verificationCode=found["verificationCode"])

    def change(self, name: str) -> None:
        """Change something: make a Mailbox."""
        answer = self.call("Mailbox/set", create={"m": {"name": name}})
        assert answer["created"], answer

    def state(self, data_type: str) -> str:
        return str(self.call(f"{data_type}/get", ids=[])["state"])

    def row(self, column: str) -> Any:
        """A column of the only subscription in the account."""
        with self.server.store.account(self.account).read() as tx:
            return tx.value(f"SELECT {column} FROM push_subscription WHERE account=?", tx.account)
