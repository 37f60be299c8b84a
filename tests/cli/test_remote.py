"""`jmaplite import jmap` and `export jmap`: between this server and another, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jmaplite.client import JMAPClient
from jmaplite.datatypes.mail.transfer.names import MailboxAt, paths_for_others
from jmaplite.dev.exchanges import Wanted
from jmaplite.dev.in_process import FixtureServer
from jmaplite.formats.mailboxes import Flags, Folder, Incoming
from tests.cli.mail_site import Site, message


@pytest.fixture(scope="module")
def other() -> Iterator[FixtureServer]:
    with FixtureServer() as server:
        yield server


class There:
    """An account on the other server, with a token in a file."""

    def __init__(self, server: FixtureServer, folder: Path) -> None:
        self.server = server
        self.user = server.make_user()
        self.client: JMAPClient = server.client(self.user.token)
        self.token = folder / "token"
        self.token.write_text(self.user.token + "\n")

    def deliver(self, octets: bytes, path: tuple[str, ...] = (), *keywords: str, received: int = 1_000_000_000) -> None:
        fixture = self.server.fixture
        owner = fixture.owner(self.user.name)
        fixture.deliver(owner, octets, path=path, keywords=frozenset(keywords), received=received)

    def run(self, site: Site, verb: str) -> tuple[int, str]:
        words = (verb, "jmap", "--account", "ann", "--token-file", str(self.token), self.server.url)
        result = site.run(*words)
        return result.exit_code, result.output


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site.make(tmp_path)


@pytest.fixture
def there(other: FixtureServer, tmp_path: Path) -> There:
    return There(other, tmp_path)


def test_an_account_comes_with_mailboxes_keywords_and_times(site: Site, there: There) -> None:
    there.deliver(message(1), (), "$seen", received=1_000_000_001)
    there.deliver(message(2), ("Lists", "jmap"), "$flagged", received=1_000_000_002)
    code, output = there.run(site, "import")
    assert code == 0, output
    assert "2 imported" in output
    mail = site.mail()
    assert {(tuple(sorted(one.mailboxes)), tuple(one.keywords), one.received) for one in mail.values()} == {
        (("Inbox",), ("$seen",), 1_000_000_001),
        (("Lists/jmap",), ("$flagged",), 1_000_000_002),
    }
    assert set(mail) == {message(1), message(2)}
    assert "Drafts" in site.folders()


def test_an_email_in_several_mailboxes_is_one_here_too(site: Site, there: There) -> None:
    there.deliver(message(1))
    (number,) = there.client.call("Email/query", limit=5)["ids"]
    patch = {f"mailboxIds/{there.client.mailbox('archive')}": True}
    there.client.call("Email/set", update={number: patch})
    there.run(site, "import")
    (mail,) = site.mail().values()
    assert mail.mailboxes == {"Inbox", "Archive"}


def test_a_second_run_fetches_only_what_is_new(site: Site, there: There) -> None:
    for number in range(3):
        there.deliver(message(number))
    there.run(site, "import")
    there.deliver(message(9))
    there.server.fixture.exchanges.clear()
    code, output = there.run(site, "import")
    assert code == 0
    assert "1 imported, 0 already there" in output
    urls = [one.url for one in there.server.fixture.exchanges.find(_all())]
    assert sum("/download/" in url for url in urls) == 1


def test_identities_come_where_the_user_has_their_address(site: Site, there: There) -> None:
    identity = there.client.call("Identity/get", ids=None)["list"][0]
    there.client.call("Identity/set", update={identity["id"]: {"name": "Ann", "textSignature": "-- Ann"}})
    code, output = there.run(site, "import")
    assert (code, "0 identities" in output) == (0, True)


def test_mail_goes_to_another_server_and_does_not_go_twice(site: Site, there: There) -> None:
    flagged = Flags(frozenset({"$flagged"}))
    site.bring(
        Incoming("", message(1), (), flagged, received=1_000_000_001),
        Incoming("", message(2), ("Work", "Plans"), received=1_000_000_002),
    )
    code, output = there.run(site, "export")
    assert code == 0, output
    ids = there.client.call("Email/query", limit=10, sort=[{"property": "receivedAt"}])["ids"]
    properties = ["keywords", "receivedAt", "subject", "mailboxIds"]
    first, second = there.client.call("Email/get", ids=ids, properties=properties)["list"]
    assert (first["subject"], first["keywords"], first["receivedAt"]) == (
        "message 1",
        {"$flagged": True},
        "2001-09-09T01:46:41Z",
    )
    boxes = {box["id"]: box for box in there.client.call("Mailbox/get", ids=None)["list"]}
    (plans,) = (boxes[number] for number in second["mailboxIds"])
    assert (plans["name"], boxes[plans["parentId"]]["name"]) == ("Plans", "Work")
    code, output = there.run(site, "export")
    assert (code, "0 imported" in output) == (0, True)
    assert len(there.client.call("Email/query", limit=10)["ids"]) == 2


def test_mailboxes_go_there_by_their_roles_and_without_mail_too(site: Site, there: There) -> None:
    site.bring(Incoming("", message(1), ("Inbox", "Later")), Incoming("", message(2), ("Sent", "Old")))
    with site.transfer() as mail:
        owner = mail.owner("ann")
        list(mail.run(owner, [Folder("", ("Empty",))]))
    code, output = there.run(site, "export")
    assert code == 0, output
    boxes = {box["id"]: box for box in there.client.call("Mailbox/get", ids=None)["list"]}
    found = {
        (boxes[box["parentId"]]["role"] if box["parentId"] else None, box["name"]): box["totalEmails"]
        for box in boxes.values()
        if not box["role"]
    }
    assert found == {("inbox", "Later"): 1, ("sent", "Old"): 1, (None, "Empty"): 0}
    there.client.call("Mailbox/set", update={there.client.mailbox("sent"): {"name": "Gesendet"}})
    there.run(site, "import")
    assert {"Inbox/Later", "Sent/Old", "Empty"} <= set(site.folders())
    assert "Gesendet" not in site.folders()


def test_a_role_is_what_a_mailbox_is_known_by_there_too() -> None:
    boxes = [
        MailboxAt(1, ("Eingang",), "inbox", 0),
        MailboxAt(2, ("Eingang", "Gesendet"), "sent", 0),
        MailboxAt(3, ("Eingang", "Gesendet", "Alt"), None, 0),
        MailboxAt(4, ("Eingang", "Rest"), None, 0),
        MailboxAt(5, ("Rest",), "important", 0),
    ]
    assert paths_for_others(boxes) == {1: (), 2: ("Sent",), 3: ("Sent", "Alt"), 4: ("Inbox", "Rest"), 5: ("Rest",)}


def test_a_server_that_gives_little_at_a_time_gives_all(site: Site, there: There) -> None:
    for number in range(5):
        there.deliver(message(number), (f"Box {number}",))
    refusal = {"match": {"method": "Mailbox/get"}, "effect": {"methodError": "requestTooLarge"}, "times": 1}
    there.server.fixture.faults.add(refusal)
    code, output = there.run(site, "import")
    assert code == 0, output
    assert {f"Box {number}" for number in range(5)} <= set(site.folders())
    assert len(site.mail()) == 5


def test_what_the_other_server_refuses_is_told(site: Site, there: There) -> None:
    there.token.write_text("wrong")
    code, output = there.run(site, "import")
    assert code == 1
    assert "the other server says" in output
    assert "Traceback" not in output


def test_a_message_that_cannot_be_fetched_is_told_and_comes_with_the_next_run(site: Site, there: There) -> None:
    there.deliver(message(1))
    there.deliver(message(2))
    faults = there.server.fixture.faults
    rule = faults.add({"match": {"path": "/jmap/download/*"}, "effect": {"status": 500}, "times": 1})
    try:
        code, output = there.run(site, "import")
        assert (code, "1 imported" in output, "1 failed" in output) == (1, True, True)
    finally:
        faults.remove(rule.id)
    code, output = there.run(site, "import")
    assert (code, "1 imported" in output) == (0, True)
    assert len(site.mail()) == 2


def test_a_server_that_is_not_there_is_told(site: Site, there: There) -> None:
    words = ("import", "jmap", "--account", "ann", "--token-file", str(there.token), "http://127.0.0.1:1/")
    result = site.run(*words)
    assert result.exit_code == 1
    assert result.output.startswith("Error: 127.0.0.1 cannot be reached: ")


def _all() -> Wanted:
    return Wanted(limit=2000)
