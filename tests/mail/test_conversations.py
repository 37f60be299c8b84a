"""Threads made anew, cleared, bounded and switched off (RFC 8621 §3); what clients are told of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jmaplite.datatypes.mail import MailSettings, conversations
from jmaplite.datatypes.mail.capability import MAIL, Threading
from jmaplite.datatypes.mail.verify import check
from tests.mail.jmap import Server, message

OFF = Threading(enabled=False)


class Site:
    """A server whose settings of Threads can be changed between messages."""

    def __init__(self, path: Path, threading: Threading) -> None:
        self.path = path
        self.open(threading)

    def open(self, threading: Threading) -> None:
        self.server = Server(self.path, settings=MailSettings(threading=threading))
        self.client = self.server.client()
        self.services = self.server.engine.services

    def reopen(self, threading: Threading) -> None:
        self.server.close()
        self.open(threading)

    def add(self, name: str, *references: str, subject: str = "Hello") -> str:
        """A message; answers its Thread."""
        octets = message(subject, message_id=f"{name}@x", references=[f"{one}@x" for one in references])
        return str(self.client.import_(octets)["threadId"])

    def groups(self) -> set[frozenset[str]]:
        """The Threads as the message ids of their Emails."""
        ids = self.client.call("Email/query", filter=None)["ids"]
        emails = self.client.call("Email/get", ids=ids, properties=["threadId", "messageId"])["list"]
        found: dict[str, set[str]] = {}
        for email in emails:
            found.setdefault(email["threadId"], set()).add(email["messageId"][0].partition("@")[0])
        return {frozenset(one) for one in found.values()}

    def rebuild(self) -> conversations.Told:
        told = conversations.rebuild(self.services, self.client.account)
        self.assert_sound()
        return told

    def assert_sound(self) -> None:
        with self.server.store.account(self.client.account).read() as tx:
            assert check(tx) == []


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "data", Threading())
    yield site
    site.server.close()


def groups(*words: str) -> set[frozenset[str]]:
    return {frozenset(word) for word in words}


def test_without_threading_every_message_is_a_thread_of_its_own(site: Site) -> None:
    site.reopen(OFF)
    site.add("a")
    site.add("b", "a")
    assert site.groups() == groups("a", "b")


def test_switched_on_again_it_threads_what_comes_from_then_on(site: Site) -> None:
    site.reopen(OFF)
    site.add("a")
    site.reopen(Threading())
    site.add("b", "a")
    site.add("c", "a")
    assert site.groups() == groups("a", "bc")


def test_a_rebuild_threads_what_is_there(site: Site) -> None:
    site.reopen(OFF)
    for name, *references in ["a"], ["b", "a"], ["c", "b"], ["z"]:
        site.add(name, *references)
    site.reopen(Threading())
    assert site.rebuild() == conversations.Told(threads=2, moved=2)
    assert site.groups() == groups("abc", "z")
    assert site.add("d", "c") == site.add("e", "a")
    assert site.groups() == groups("abcde", "z")


def test_an_email_whose_thread_changes_gets_a_new_id_and_the_other_keeps_its_own(site: Site) -> None:
    client = site.client
    site.reopen(OFF)
    site.add("a")
    site.add("b", "a")
    site.reopen(Threading())
    client = site.client
    before = client.call("Email/query", filter=None)["ids"]
    emails, threads = (client.call(f"{name}/get", ids=[])["state"] for name in ("Email", "Thread"))
    site.rebuild()
    changes = client.call("Email/changes", sinceState=emails)
    assert len(changes["created"]) == len(changes["destroyed"]) == 1
    assert set(changes["destroyed"]) < set(before)
    assert set(client.call("Email/query", filter=None)["ids"]) == set(before) - set(changes["destroyed"]) | set(
        changes["created"]
    )
    gone = client.call("Thread/changes", sinceState=threads)
    assert (len(gone["created"]), len(gone["updated"]), len(gone["destroyed"])) == (0, 1, 1)


def test_a_second_rebuild_changes_nothing(site: Site) -> None:
    for name, *references in ["a"], ["b", "a"], ["c", "b"], ["z"]:
        site.add(name, *references)
    state = site.client.call("Email/get", ids=[])["state"]
    assert site.rebuild() == conversations.Told(threads=2, moved=0)
    assert site.client.call("Email/get", ids=[])["state"] == state


def test_clear_makes_every_email_a_thread_of_its_own_until_a_rebuild(site: Site) -> None:
    for name, *references in ["a"], ["b", "a"], ["c", "b"]:
        site.add(name, *references)
    assert conversations.clear(site.services, site.client.account) == conversations.Told(threads=3, moved=2)
    site.assert_sound()
    assert site.groups() == groups("a", "b", "c")
    assert conversations.audit(site.services, site.client.account) != []
    site.rebuild()
    assert site.groups() == groups("abc")
    assert conversations.audit(site.services, site.client.account) == []


def test_a_thread_of_many_emails_is_put_together_in_steps(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that others may write in between."""
    monkeypatch.setattr(conversations, "_EMAILS", 2)
    written: list[int] = []
    write = conversations._write

    def counting(*given: Any) -> int:
        written.append(write(*given))
        return written[-1]

    monkeypatch.setattr(conversations, "_write", counting)
    site.reopen(OFF)
    for before, name in zip(" abcdefg", "abcdefgh", strict=True):
        site.add(name, before)
    site.reopen(Threading())
    assert site.rebuild() == conversations.Told(threads=1, moved=7)
    assert max(written) == 2
    assert site.groups() == groups("abcdefgh")
    assert conversations.audit(site.services, site.client.account) == []
    assert site.add("i", "c") == site.add("j", "h")
    assert site.groups() == groups("abcdefghij")


@pytest.mark.parametrize("work", [conversations.rebuild, conversations.clear])
def test_mail_may_go_while_threads_are_made_anew(site: Site, work: Callable[..., conversations.Told]) -> None:
    """Nothing leads to a Thread that has ended between the look and the change."""
    site.add("a")
    site.add("b", "a")
    ids = site.client.call("Email/query", filter=None)["ids"]

    def clock() -> float:
        if ids:
            site.client.call("Email/set", destroy=[ids.pop() for _ in range(len(ids))])
        return site.server.now

    work(replace(site.services, clock=clock), site.client.account)
    assert ids == []
    site.add("c", "b")
    site.assert_sound()
    assert site.groups() == groups("c")


def test_messages_stay_together_whose_link_is_gone(site: Site) -> None:
    site.add("a")
    site.add("b")
    site.add("d", "a", "b")
    query = site.client.call("Email/query", filter={"header": ["Message-ID", "d@x"]})
    site.client.call("Email/set", destroy=query["ids"])
    assert conversations.audit(site.services, site.client.account) == []
    assert site.rebuild().moved == 0
    assert site.groups() == groups("ab")


def test_a_full_thread_is_followed_by_another(site: Site) -> None:
    site.reopen(Threading(max_emails=3))
    names = "abcdefgh"
    for at, name in enumerate(names):
        site.add(name, *names[:at])
    assert site.groups() == groups("abc", "def", "gh")
    assert conversations.audit(site.services, site.client.account) == []
    assert site.rebuild().moved == 0


def test_threads_are_not_joined_beyond_the_bound(site: Site) -> None:
    site.reopen(Threading(max_emails=3))
    for name, *references in ["a"], ["b", "a"], ["y"], ["z", "y"]:
        site.add(name, *references)
    site.add("m", "a", "y")
    assert sorted(map(len, site.groups())) == [2, 3]
    site.assert_sound()


@pytest.mark.parametrize("most", [0, 3])
def test_a_rebuild_makes_what_coming_in_makes(site: Site, most: int) -> None:
    """Random references: mail that comes in, and mail that is threaded afterwards, is in the same Threads."""
    chance = random.Random(most)
    names = [f"m{number}" for number in range(60)]
    mail = [
        (name, chance.sample(names[: at + 3], k=min(at, chance.choice([0, 0, 1, 2])))) for at, name in enumerate(names)
    ]
    site.reopen(Threading(max_emails=most))
    for name, references in mail:
        site.add(name, *references)
    expected = site.groups()
    conversations.clear(site.services, site.client.account)
    site.rebuild()
    assert site.groups() == expected
    assert conversations.audit(site.services, site.client.account) == []


def test_message_ids_of_mail_that_is_gone_are_forgotten_in_time(site: Site) -> None:
    threading = Threading(expire_after=1000)
    site.add("a")
    site.add("b", "a")
    site.add("c", "b")
    gone = site.client.call("Email/query", filter={"header": ["Message-ID", "c@x"]})["ids"]
    site.client.call("Email/set", destroy=gone)
    account = site.server.store.account(site.client.account)
    now = int(site.server.now)
    assert account.write(lambda tx: conversations.forget(tx, threading, now + 1000)) == 0
    assert account.write(lambda tx: conversations.forget(tx, threading, now + 1001)) == 1
    assert account.write(lambda tx: conversations.forget(tx, threading, now + 1002)) == 0
    site.add("d", "c")
    site.add("e", "b")
    assert site.groups() == groups("abe", "d")


def test_only_counted_keywords_are_looked_for_in_threads(site: Site) -> None:
    site.reopen(Threading(counted_keywords=frozenset({"$flagged"})))
    client = site.client
    for name in ("all", "some", "none"):
        condition = f"{name}InThreadHaveKeyword"
        assert client.error("Email/query", filter={condition: "$answered"}) == "unsupportedFilter"
        for keyword in ("$seen", "$Flagged"):
            client.call("Email/query", filter={condition: keyword})
    sort = {"property": "someInThreadHaveKeyword", "keyword": "$answered"}
    assert client.error("Email/query", sort=[sort]) == "unsupportedSort"
    client.call("Email/query", sort=[sort | {"keyword": "$flagged"}])
    client.call("Email/query", filter={"hasKeyword": "$answered"})


def test_other_settings_of_mail_are_the_same(site: Site) -> None:
    assert site.services.settings[MAIL] == MailSettings()


def test_dump_lists_threads_with_their_emails(site: Site) -> None:
    thread = site.add("a")
    site.add("b", "a", subject="Re: Hello")
    (listed,) = conversations.dump(site.services, site.client.account)
    assert listed.id == thread
    assert [(one[1], one[2]) for one in listed.emails] == [(("a@x",), "Hello"), (("b@x",), "Re: Hello")]
    emails = site.client.call("Thread/get", ids=[thread])["list"][0]["emailIds"]
    assert [one[0] for one in listed.emails] == emails
