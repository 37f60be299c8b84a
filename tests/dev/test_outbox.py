"""Mail to elsewhere in a fixture: captured, and failing on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from jmaplite.client import JMAPClient
from jmaplite.dev.clock import Clock
from jmaplite.dev.in_process import FixtureServer
from jmaplite.dev.outbox import DELAY_SECONDS, DevOutbox
from tests.dev.conftest import Site


def send(client: JMAPClient, *recipients: str, subject: str = "Hello", **of_recipient: str) -> str:
    """Submit a message; answers the id of the submission."""
    identity = client.call("Identity/get")["list"][0]
    draft = {
        "mailboxIds": {client.mailbox("drafts"): True},
        "subject": subject,
        "from": [{"email": identity["email"]}],
        "to": [{"email": one} for one in recipients],
        "bodyValues": {"1": {"value": "the text"}},
        "textBody": [{"partId": "1"}],
    }
    email = client.call("Email/set", create={"e": draft})["created"]["e"]["id"]
    envelope = {
        "mailFrom": {"email": identity["email"]},
        "rcptTo": [{"email": one, "parameters": of_recipient or None} for one in recipients],
    }
    create = {"s": {"identityId": identity["id"], "emailId": email, "envelope": envelope}}
    return str(client.call("EmailSubmission/set", create=create)["created"]["s"]["id"])


def waited(server: FixtureServer, client: JMAPClient, number: str, pointer: str, wanted: Any) -> dict[str, Any]:
    """The submission once a value of it is what is wanted."""
    import json
    import urllib.request

    body = {"user": client.session["username"], "method": "EmailSubmission/get", "arguments": {"ids": [number]},
            "pointer": f"/list/0/{pointer}", "equals": wanted, "timeout": 30}  # fmt: skip
    request = urllib.request.Request(
        f"{server.control_url}/wait", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
    found: dict[str, Any] = client.call("EmailSubmission/get", ids=[number])["list"][0]
    return found


def test_what_goes_elsewhere_is_captured(jmap_client: JMAPClient, jmap_outbox: DevOutbox) -> None:
    send(jmap_client, "x@there.example", "y@there.example", subject="Lunch", NOTIFY="NEVER")
    (message,) = jmap_outbox.wait()
    assert message.addresses == ("x@there.example", "y@there.example")
    assert message.sender == jmap_client.call("Identity/get")["list"][0]["email"]
    assert message.recipients[0][1] == {"NOTIFY": "NEVER", "ORCPT": "rfc822;x@there.example"}
    assert b"the text" in message.octets
    assert message.to_json()["subject"] == "Lunch"
    assert jmap_outbox.messages("X@there.example") == [message]
    assert jmap_outbox.messages("z@there.example") == []
    jmap_outbox.clear()
    assert jmap_outbox.messages() == []


def test_an_address_may_fail_at_once(
    jmap_server: FixtureServer, jmap_client: JMAPClient, jmap_outbox: DevOutbox
) -> None:
    number = send(jmap_client, "permerror@there.example", "ok@there.example")
    record = waited(jmap_server, jmap_client, number, "deliveryStatus/permerror@there.example/delivered", "no")
    assert record["deliveryStatus"]["permerror@there.example"]["smtpReply"].startswith("550 5.1.1 ")
    assert jmap_outbox.wait()[0].addresses == ("ok@there.example",)


def test_an_address_may_fail_for_now(
    jmap_server: FixtureServer, jmap_client: JMAPClient, jmap_clock: Clock, jmap_outbox: DevOutbox
) -> None:
    number = send(jmap_client, "temperror@there.example")
    at = "deliveryStatus/temperror@there.example"
    waited(jmap_server, jmap_client, number, f"{at}/smtpReply", "451 4.2.0 This mailbox is busy, and always will be")
    jmap_clock.advance(5 * 86400)
    record = waited(jmap_server, jmap_client, number, f"{at}/delivered", "no")
    assert record["undoStatus"] == "final"


def test_an_address_may_fail_later(
    jmap_server: FixtureServer, jmap_client: JMAPClient, jmap_clock: Clock, jmap_outbox: DevOutbox
) -> None:
    jmap_clock.freeze()
    number = send(jmap_client, "delay@there.example")
    at = "deliveryStatus/delay@there.example/delivered"
    assert waited(jmap_server, jmap_client, number, at, "unknown")["dsnBlobIds"] == []
    jmap_clock.advance(DELAY_SECONDS)
    assert len(waited(jmap_server, jmap_client, number, at, "no")["dsnBlobIds"]) == 1


def test_the_outbox_is_read_and_emptied_over_http(site: Site) -> None:
    from jmaplite.delivery import Parcel

    parcel = Parcel(
        "a@example.org", {"RET": "FULL"}, [("x@there.example", {})], b"Subject: =?utf-8?q?=C3=A4?=\r\n\r\nHi"
    )
    assert [one.text for one in site.fixture.outbox.send(parcel)] == ["250 2.0.0 Captured"]
    status, answer, _ = site.ask("GET", "/dev/api/outbox?wait=5&recipient=x@there.example")
    (message,) = answer["messages"]
    assert (status, message["subject"], message["from"]) == (200, "ä", "a@example.org")
    assert message["recipients"] == [{"address": "x@there.example", "parameters": {}}]
    assert site.ask("GET", "/dev/api/outbox?recipient=y@there.example")[1] == {"messages": []}
    assert site.ask("DELETE", "/dev/api/outbox")[0] == 200
    assert site.ask("GET", "/dev/api/outbox")[1] == {"messages": []}


def test_whoever_waits_for_mail_holds_up_nobody(site: Site) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from jmaplite.delivery import Parcel

    with ThreadPoolExecutor(40) as threads:
        waiting = [threads.submit(site.ask, "GET", "/dev/api/outbox?wait=30") for _ in range(40)]
        assert site.control("GET", "/clock")
        site.fixture.outbox.send(Parcel("a@example.org", {}, [("x@there.example", {})], b"Subject: x\r\n\r\nHi"))
        assert {len(one.result()[1]["messages"]) for one in waiting} == {1}


@pytest.mark.parametrize("query", ["wait=x", "atLeast=-1", "what=1"])
def test_a_wrong_question_is_refused(site: Site, query: str) -> None:
    assert site.ask("GET", f"/dev/api/outbox?{query}")[0] == 400
