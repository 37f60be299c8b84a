"""Clients that others wrote log in, list mailboxes and read messages."""

from __future__ import annotations

import pytest
from jmap.auth import BasicAuth
from jmap.client import JMAPClient
from jmap_engine import JMAPClient as Engine

from tests.live import PASSWORD, USER, Live

pytestmark = pytest.mark.foreign


def test_jmaplib_lists_mailboxes_and_reads_messages(live: Live) -> None:
    with JMAPClient.connect(f"{live.url}/.well-known/jmap", auth=BasicAuth(USER, PASSWORD)) as client:
        with client.batch() as batch:
            boxes = batch.mail.mailbox.get(ids=None)
        inbox = next(box for box in boxes.result.items if box.role == "inbox")
        with client.batch() as batch:
            found = batch.mail.email.query(
                filter={"inMailbox": inbox.id}, sort=[{"property": "receivedAt", "isAscending": False}], limit=10
            )
            emails = batch.mail.email.get(ids=found.ref_ids(), properties=["subject", "from", "receivedAt", "preview"])

    assert inbox.total_emails == 16
    assert len(emails.result.items) == 10
    assert all(email.subject and email.from_ and email.preview for email in emails.result.items)


def test_jmaplib_reads_a_body_and_marks_the_message_read(live: Live) -> None:
    with JMAPClient.connect(f"{live.url}/.well-known/jmap", auth=BasicAuth(USER, PASSWORD)) as client:
        with client.batch() as batch:
            found = batch.mail.email.query(filter={"notKeyword": "$seen"}, limit=1)
            emails = batch.mail.email.get(
                ids=found.ref_ids(), properties=["textBody", "bodyValues", "keywords"], fetchTextBodyValues=True
            )
        email = emails.result.items[0]
        with client.batch() as batch:
            batch.mail.email.set(update={email.id: {"keywords/$seen": True}})
        with client.batch() as batch:
            again = batch.mail.email.get(ids=[email.id], properties=["keywords"])

    assert email.body_values
    assert again.result.items[0].keywords == {**email.keywords, "$seen": True}


def test_jmap_engine_lists_mailboxes_and_reads_messages(live: Live) -> None:
    client = Engine(base_url=live.url, username=USER, password=PASSWORD)
    client.connect()

    boxes = client.get_mailboxes()
    inbox = next(box for box in boxes if box["role"] == "inbox")
    ids = client.query_emails(filter={"inMailbox": inbox["id"]}, limit=10)
    emails = client.get_emails(ids, properties=["subject", "from", "preview"])

    assert len(emails) == 10
    assert all(email["subject"] and email["from"][0]["email"] for email in emails)
