"""No way into an account goes beyond its quota (RFC 8620 §5.3 overQuota), and what is used is always right."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jmaplite import datatypes
from jmaplite.core import quota
from jmaplite.core.catalog import Catalog
from jmaplite.core.engine import Engine
from jmaplite.core.errors import SetError
from jmaplite.datatypes.mail import MAIL
from jmaplite.datatypes.quota import QUOTA
from jmaplite.store import Writer
from tests.cli.mail_site import CONFIG, Site, separated
from tests.cli.mail_site import message as numbered
from tests.mail.jmap import ALICE, BASE, CORE, TEAM, People, Server, message
from tests.quota.client import LIMIT, QuotaClient, alice_with, sized


def draft(client: QuotaClient, text: str) -> dict[str, Any]:
    """An Email to be created."""
    return {
        "mailboxIds": {client.mailbox("drafts"): True},
        "bodyValues": {"t": {"value": text}},
        "textBody": [{"partId": "t", "type": "text/plain"}],
    }


def email_import(client: QuotaClient, *messages: bytes) -> dict[str, Any]:
    """The answer to an Email/import of messages, named k0, k1 and so on."""
    inbox = client.mailbox("inbox")
    emails = {
        f"k{number}": {"blobId": client.upload(octets), "mailboxIds": {inbox: True}}
        for number, octets in enumerate(messages)
    }
    return client.call("Email/import", emails=emails)


def states(client: QuotaClient) -> list[str]:
    """The states of all that a message changes."""
    names = ("Email", "Thread", "Mailbox", "Quota")
    return [client.call(f"{name}/get", ids=[])["state"] for name in names]


def test_an_import_fills_the_quota_to_the_last_octet(alice: QuotaClient) -> None:
    assert email_import(alice, sized(LIMIT))["notCreated"] is None
    assert alice.used() == LIMIT


def test_an_import_beyond_the_quota_is_over_quota_and_changes_nothing(alice: QuotaClient) -> None:
    alice.import_(sized(500))
    before = states(alice)

    answer = email_import(alice, sized(LIMIT - 499))

    assert answer["created"] is None
    assert answer["notCreated"]["k0"]["type"] == "overQuota"
    assert states(alice) == before
    assert (alice.used(), alice.faults()) == (500, [])


def test_of_several_messages_those_that_fit_are_imported(alice: QuotaClient) -> None:
    answer = email_import(alice, sized(6000), sized(6000), sized(4000), sized(1000))

    assert sorted(answer["created"]) == ["k0", "k2"]
    assert {error["type"] for error in answer["notCreated"].values()} == {"overQuota"}
    assert (alice.used(), alice.faults()) == (LIMIT, [])


def test_an_email_created_counts_and_is_refused_when_there_is_no_room(alice: QuotaClient) -> None:
    answer = alice.call("Email/set", create={"small": draft(alice, "x"), "large": draft(alice, "x" * LIMIT)})

    assert list(answer["created"]) == ["small"]
    assert answer["notCreated"]["large"]["type"] == "overQuota"
    assert alice.used() == answer["created"]["small"]["size"] == alice.held()
    assert alice.faults() == []


def test_a_copy_counts_in_the_account_that_it_is_copied_to(server: Server, alice: QuotaClient) -> None:
    team_id = next(id_ for id_, one in alice.session["accounts"].items() if one["name"] == TEAM.name)
    team = QuotaClient(server, alice.principal, team_id)
    small, large = team.import_(sized(1000))["id"], team.import_(sized(LIMIT))["id"]
    box = {alice.mailbox("inbox"): True}
    create = {"s": {"id": small, "mailboxIds": box}, "l": {"id": large, "mailboxIds": box}}

    answer = alice.call("Email/copy", fromAccountId=team.account, create=create)

    assert list(answer["created"]) == ["s"]
    assert answer["notCreated"]["l"]["type"] == "overQuota"
    assert alice.used() == 1000
    assert alice.faults() == team.faults() == []


def test_what_is_destroyed_makes_room(alice: QuotaClient) -> None:
    made = alice.import_(sized(LIMIT))

    assert email_import(alice, message())["created"] is None
    alice.call("Email/set", destroy=[made["id"]])
    assert alice.used() == 0
    assert email_import(alice, message())["notCreated"] is None


def test_a_mailbox_destroyed_with_its_emails_makes_room(alice: QuotaClient) -> None:
    box = alice.call("Mailbox/set", create={"k": {"name": "Full"}})["created"]["k"]["id"]
    alice.import_(sized(4000), mailboxes=[box])
    alice.import_(sized(1000), mailboxes=[box, alice.mailbox("inbox")])

    alice.call("Mailbox/set", destroy=[box], onDestroyRemoveEmails=True)

    assert alice.used() == 1000


def test_the_same_message_twice_counts_twice(alice: QuotaClient) -> None:
    octets = sized(1000)
    alice.import_(octets)
    alice.import_(octets)

    assert alice.used() == alice.held() == 2000


def test_threads_that_become_one_take_up_what_they_took(alice: QuotaClient) -> None:
    alice.import_(sized(500, message_id="one@x"))
    alice.import_(sized(500, message_id="two@x"))
    alice.import_(sized(500, message_id="three@x", references=["one@x", "two@x"]))

    assert alice.used() == alice.held() == 1500


def test_a_limit_below_what_is_held_refuses_more_and_nothing_else(server: Server, alice: QuotaClient) -> None:
    made = alice.import_(sized(2000))
    alice = alice_with(server, 1000)

    assert (alice.used(), alice.quota()["hardLimit"]) == (2000, 1000)
    assert email_import(alice, message())["notCreated"]["k0"]["type"] == "overQuota"
    update = alice.call("Email/set", update={made["id"]: {"keywords/$seen": True}})
    assert list(update["updated"]) == [made["id"]]


def test_no_limit_refuses_nothing(server: Server) -> None:
    alice = alice_with(server, 0)

    assert email_import(alice, sized(3 * LIMIT))["notCreated"] is None


def test_the_quota_of_a_group_is_that_of_its_account(server: Server) -> None:
    class Limited(People):
        def principal(self, name: str) -> Any:
            found = super().principal(name)
            return replace(found, quota=1000) if found is not None and found.kind == "group" else found

    catalog = Catalog(datatypes.capabilities())
    server.engine = Engine(server.engine.services, catalog, Limited())  # type: ignore[arg-type]
    alice = QuotaClient(server, ALICE)
    team_id = next(id_ for id_, one in alice.session["accounts"].items() if not one["isPersonal"])
    team = QuotaClient(server, ALICE, team_id)

    assert email_import(alice, sized(2000))["notCreated"] is None
    assert email_import(team, sized(2000))["notCreated"]["k0"]["type"] == "overQuota"
    assert team.quota()["hardLimit"] == 1000


def test_the_quota_holds_even_if_nobody_may_ask_for_it(server: Server) -> None:
    catalog = Catalog(datatypes.capabilities()).without([QUOTA])
    server.engine = Engine(server.engine.services, catalog, People())  # type: ignore[arg-type]
    alice = alice_with(server, 1000)
    octets = sized(2000)
    email = {"blobId": alice.upload(octets), "mailboxIds": {"M1": True}}

    call = ["Email/import", {"accountId": alice.account, "emails": {"k": email}}, "c"]
    answer = alice.request(call, using=[CORE, MAIL])["methodResponses"][0][1]

    assert QUOTA not in server.engine.session(ALICE, BASE).to_json()["capabilities"]
    assert answer["notCreated"]["k"]["type"] == "overQuota"


def test_uploads_do_not_count(alice: QuotaClient) -> None:
    alice.upload(b"x" * 2 * LIMIT)

    assert alice.used() == 0


def test_the_servers_own_check_finds_a_count_that_is_wrong(alice: QuotaClient) -> None:
    alice.import_(sized(1000))

    def spoil(tx: Writer) -> None:
        tx.execute("UPDATE usage SET octets=octets+1 WHERE account=?", tx.account)

    alice.server.store.account(alice.account).write(spoil)

    assert alice.faults() == ["the Emails have 1000 octets, but 1001 are counted against the quota"]


def test_what_a_part_of_the_work_took_is_given_back_when_it_is_undone(alice: QuotaClient) -> None:
    account = alice.server.store.account(alice.account)

    def work(tx: Writer) -> None:
        quota.take(tx, "Email", 10)
        try:
            with tx.savepoint():
                quota.take(tx, "Email", 500)
                raise LookupError
        except LookupError:
            quota.take(tx, "Email", 1)

    account.write(work)

    assert alice.used() == 11


def test_a_limit_holds_from_the_moment_it_is_there(alice: QuotaClient) -> None:
    account = alice.server.store.account(alice.account)

    def work(tx: Writer) -> None:
        quota.take(tx, "Email", 600)
        quota.settle(tx, 1000)
        quota.take(tx, "Email", 400)
        with pytest.raises(SetError, match="1000 octets, of which 1000 are taken"):
            quota.take(tx, "Email", 1)

    account.write(work)

    assert (alice.used(), alice.quota()["hardLimit"]) == (1000, 1000)


def test_a_command_line_import_tells_what_there_was_no_room_for(tmp_path: Path) -> None:
    room = 2 * len(numbered(1))
    site = Site.make(tmp_path, CONFIG.replace('name = "ann"', f'name = "ann"\nquota = {room}'))
    (tmp_path / "a.mbox").write_bytes(separated(numbered(1), numbered(2), numbered(3)))

    result = site.run("import", "mbox", "--account", "ann", tmp_path / "a.mbox")

    assert result.exit_code == 1
    assert result.stdout.startswith("2 imported, 0 already there, 1 failed; ")
    assert f"the account may hold {room} octets, of which {room} are taken" in result.stdout + result.stderr
    assert site.mail().keys() == {numbered(1), numbered(2)}
    assert site.run("verify", "--account", "ann").exit_code == 0


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_used_is_what_the_emails_take_up_after_any_history(rnd: random.Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            _live(server, rnd)
        finally:
            server.close()


def _live(server: Server, rnd: random.Random) -> None:
    limit = LIMIT
    alice = alice_with(server, limit)
    cached = {quota["id"]: quota for quota in alice.call("Quota/get", ids=None)["list"]}
    state = alice.call("Quota/get", ids=[])["state"]
    for _ in range(15):
        choice = rnd.randrange(5)
        ids = alice.call("Email/query")["ids"]
        before = alice.held()
        if choice <= 1:
            messages = [sized(rnd.randrange(300, 4000)) for _ in range(rnd.randrange(1, 5))]
            email_import(alice, *messages)
        elif choice == 2:
            alice.call("Email/set", create={"k": draft(alice, "x" * rnd.randrange(3000))})
        elif choice == 3:
            alice.call("Email/set", destroy=rnd.sample(ids, min(len(ids), 2)), create={"k": draft(alice, "y" * 900)})
        else:
            limit = rnd.choice([0, 3000, LIMIT])
            alice = alice_with(server, limit)
        assert not limit or alice.held() <= max(limit, before)
        changes = alice.call("Quota/changes", sinceState=state)
        state = changes["newState"]
        for quota_id in changes["destroyed"]:
            del cached[quota_id]
        got = alice.call("Quota/get", ids=changes["updated"], properties=changes["updatedProperties"])
        for one in [*got["list"], *alice.call("Quota/get", ids=changes["created"])["list"]]:
            cached.setdefault(one["id"], {}).update(one)
        assert cached == {one["id"]: one for one in alice.call("Quota/get", ids=None)["list"]}
        assert [one["used"] for one in cached.values()] == ([alice.held()] if limit else [])
    assert alice.faults() == []
