"""How a project tests its JMAP client: `pip install pytest jmaplite`, and `pytest` in this directory.

The fixtures come with jmaplite. Here its own small client stands for the one that is tested.
"""

import pytest

from jmaplite.client import JMAPError

MESSAGE = """\
From: Ada <ada@example.net>
To: you@example.org
Subject: Lunch?
Message-ID: <lunch@example.net>

At one?
"""


def test_new_mail_is_found(jmap_account, jmap_client):
    jmap_account.deliver(MESSAGE)
    (number,) = jmap_client.call("Email/query", limit=10)["ids"]
    (email,) = jmap_client.call("Email/get", ids=[number], properties=["subject"])["list"]
    assert email["subject"] == "Lunch?"


def test_each_test_has_an_account_of_its_own(jmap_client):
    assert jmap_client.call("Email/query", limit=10)["ids"] == []


def test_what_happens_when_the_server_fails(jmap_client, jmap_faults):
    jmap_faults.add({"methodError": "serverFail"}, times=1, method="Email/query")
    with pytest.raises(JMAPError) as failed:
        jmap_client.call("Email/query", limit=10)
    assert failed.value.type == "serverFail"
    assert jmap_client.call("Email/query", limit=10)["ids"] == []


def test_what_happens_when_changes_are_lost(jmap_account, jmap_client, jmap_faults):
    state = jmap_client.call("Email/get", ids=[])["state"]
    jmap_account.generate(threads=3)
    jmap_faults.add({"methodError": "cannotCalculateChanges"}, method="*/changes")
    with pytest.raises(JMAPError, match="cannotCalculateChanges"):
        jmap_client.call("Email/changes", sinceState=state)


def test_mail_of_the_future(jmap_account, jmap_client, jmap_clock):
    jmap_clock.freeze(2_000_000_000)
    jmap_account.deliver(MESSAGE)
    emails = jmap_client.call("Email/get", ids=jmap_client.call("Email/query", limit=1)["ids"])["list"]
    assert emails[0]["receivedAt"] == "2033-05-18T03:33:20Z"


def test_a_fault_in_the_middle_of_many_calls(jmap_client, jmap_faults):
    rule = jmap_faults.add({"status": 503, "retryAfter": 1}, method="Core/echo", nth=2)
    jmap_client.call("Core/echo", hello=True)
    with pytest.raises(JMAPError):
        jmap_client.call("Core/echo", hello=True)
    assert jmap_client.call("Core/echo", hello=True) == {"hello": True}
    assert jmap_faults.fired(rule) == 1
