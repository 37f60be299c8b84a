"""jmapc, which speaks https only, reads, marks, writes and sends mail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jmapc import (
    Address,
    Client,
    Comparator,
    Email,
    EmailAddress,
    EmailBodyPart,
    EmailBodyValue,
    EmailQueryFilterCondition,
    EmailSubmission,
    Envelope,
    EventSourceConfig,
    MailboxQueryFilterCondition,
    Ref,
)
from jmapc.errors import InvalidArguments
from jmapc.methods import (
    EmailGet,
    EmailGetResponse,
    EmailQuery,
    EmailQueryResponse,
    EmailSet,
    EmailSetResponse,
    EmailSubmissionSet,
    EmailSubmissionSetResponse,
    IdentityGet,
    IdentityGetResponse,
    MailboxGet,
    MailboxGetResponse,
    MailboxQuery,
    MailboxQueryResponse,
    MailboxSet,
)

from tests.foreign.conftest import FRIEND, FRIEND_PASSWORD, Secure
from tests.live import PASSWORD, USER

pytestmark = pytest.mark.foreign

BARE = Comparator(
    property="receivedAt",
    is_ascending=False,
    anchor_offset=None,  # type: ignore[arg-type]
    calculate_total=None,  # type: ignore[arg-type]
    position=None,  # type: ignore[arg-type]
)
"""A Comparator without the arguments of /query that jmapc puts into it; what is None, it leaves out."""

DEADLINE = 30.0
"""Seconds after which mail is lost."""


@pytest.fixture
def demo(secure: Secure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """The demo user's client."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure.ca))
    client = Client.create_with_password(secure.url.removeprefix("https://"), USER, PASSWORD)
    yield client
    client.requests_session.close()


@pytest.fixture
def friend(secure: Secure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """The client of the other user."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure.ca))
    client = Client.create_with_password(secure.url.removeprefix("https://"), FRIEND, FRIEND_PASSWORD)
    yield client
    client.requests_session.close()


def mailbox(client: Client, role: str) -> str:
    """The id of the mailbox with a role."""
    answer = client.request(MailboxQuery(filter=MailboxQueryFilterCondition(role=role)), raise_errors=True)
    assert isinstance(answer, MailboxQueryResponse)
    assert isinstance(answer.ids, list)
    (found,) = answer.ids
    return found


def test_jmapc_lists_mailboxes(demo: Client) -> None:
    answer = demo.request(MailboxGet(ids=None), raise_errors=True)

    assert isinstance(answer, MailboxGetResponse)
    assert demo.jmap_session.username == USER
    assert {box.role for box in answer.data} >= {"inbox", "drafts", "sent", "trash"}


def test_jmapc_queries_and_reads_messages_in_one_request(demo: Client) -> None:
    answers = demo.request(
        [
            EmailQuery(
                filter=EmailQueryFilterCondition(in_mailbox=mailbox(demo, "inbox")),
                sort=[BARE],
                limit=5,
            ),
            EmailGet(ids=Ref("/ids"), fetch_text_body_values=True),
        ],
        raise_errors=True,
    )

    emails = answers[1].response
    assert isinstance(emails, EmailGetResponse)
    assert len(emails.data) == 5
    assert all(email.subject and email.mail_from and email.preview and email.body_values for email in emails.data)
    received = [email.received_at for email in emails.data if email.received_at]
    assert received == sorted(received, reverse=True)


def test_jmapcs_own_comparators_are_refused_for_what_they_carry(demo: Client) -> None:
    answer = demo.request(EmailQuery(sort=[Comparator(property="receivedAt")]))

    assert isinstance(answer, InvalidArguments)
    assert answer.description is not None
    assert "anchorOffset" in answer.description


def test_jmapcs_own_comparators_sort_where_lenient_sort_is_on(
    secure_lenient: Secure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure_lenient.ca))
    client = Client.create_with_password(secure_lenient.url.removeprefix("https://"), USER, PASSWORD)
    with client.requests_session:
        answer = client.request(EmailQuery(sort=[Comparator(property="size")]), raise_errors=True)
        assert isinstance(answer, EmailQueryResponse)
        emails = client.request(EmailGet(ids=answer.ids, properties=["size"]), raise_errors=True)
    assert isinstance(emails, EmailGetResponse)
    sizes = [email.size or 0 for email in emails.data]
    assert len(sizes) > 5
    assert sizes == sorted(sizes)


def test_jmapc_sets_a_keyword(demo: Client) -> None:
    found = demo.request(
        EmailQuery(filter=EmailQueryFilterCondition(not_keyword="$flagged"), limit=1), raise_errors=True
    )
    assert isinstance(found, EmailQueryResponse)
    assert isinstance(found.ids, list)
    (marked,) = found.ids

    demo.request(EmailSet(update={marked: {"keywords/$flagged": True}}), raise_errors=True)

    answer = demo.request(EmailGet(ids=[marked], properties=["keywords"]), raise_errors=True)
    assert isinstance(answer, EmailGetResponse)
    assert (answer.data[0].keywords or {})["$flagged"] is True


@pytest.mark.parametrize("name", ["notes.txt", "no-type-is-known"])
def test_jmapc_uploads_a_file_and_downloads_the_same(demo: Client, tmp_path: Path, name: str) -> None:
    octets = b"the same line again and again\n" * 1000
    (tmp_path / name).write_bytes(octets)

    blob = demo.upload_blob(tmp_path / name)
    part = EmailBodyPart(blob_id=blob.id, name=name, type="text/plain")
    demo.download_attachment(part, tmp_path / "downloaded")

    assert blob.size == len(octets)
    assert (tmp_path / "downloaded").read_bytes() == octets


def test_jmapc_sends_a_draft_which_arrives(demo: Client, friend: Client) -> None:
    identities = demo.request(IdentityGet(), raise_errors=True)
    assert isinstance(identities, IdentityGetResponse)
    identity = next(one for one in identities.data if one.email == USER)
    drafts, sent = mailbox(demo, "drafts"), mailbox(demo, "sent")
    draft = Email(
        mailbox_ids={drafts: True},
        keywords={"$draft": True},
        mail_from=[EmailAddress(name="Demo User", email=USER)],
        to=[EmailAddress(email=FRIEND)],
        subject="Sent by jmapc",
        body_values={"text": EmailBodyValue(value="Grüße aus Köln\n")},
        text_body=[EmailBodyPart(part_id="text", type="text/plain")],
    )
    submission = EmailSubmission(
        identity_id=identity.id,
        email_id="#draft",
        envelope=Envelope(mail_from=Address(email=USER), rcpt_to=[Address(email=FRIEND)]),
    )

    created, submitted, moved = (
        answer.response
        for answer in demo.request(
            [
                EmailSet(create={"draft": draft}),
                EmailSubmissionSet(
                    create={"sending": submission},
                    on_success_update_email={
                        "#sending": {f"mailboxIds/{drafts}": None, f"mailboxIds/{sent}": True, "keywords/$draft": None}
                    },
                ),
            ],
            raise_errors=True,
        )
    )

    assert isinstance(created, EmailSetResponse)
    assert created.created is not None
    assert isinstance(submitted, EmailSubmissionSetResponse)
    assert submitted.created is not None
    assert list(submitted.created) == ["sending"]
    assert isinstance(moved, EmailSetResponse)
    assert moved.updated is not None
    email = arrival(friend, "Sent by jmapc")
    assert [value.value for value in (email.body_values or {}).values()] == ["Grüße aus Köln\n"]


def arrival(client: Client, subject: str) -> Email:
    """The one message with a subject in the inbox, once it is there."""
    asked = [
        EmailQuery(filter=EmailQueryFilterCondition(in_mailbox=mailbox(client, "inbox"), text=subject)),
        EmailGet(ids=Ref("/ids"), fetch_text_body_values=True),
    ]
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        answer = client.request(asked, raise_errors=True)[1].response
        assert isinstance(answer, EmailGetResponse)
        if answer.data:
            (email,) = answer.data
            assert email.subject == subject
            return email
        time.sleep(0.05)
    raise AssertionError(f"{subject!r} has not arrived")


def test_jmapc_is_told_of_changes_and_of_what_it_has_missed(demo: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = mailbox(demo, "inbox")
    client = Client(demo._host, demo._auth, last_event_id="unknown", event_source_config=EventSourceConfig("Mailbox"))
    events = client.events
    everything = next(events)
    demo.request(MailboxSet(update={inbox: {"sortOrder": 7}}), raise_errors=True)
    changed = next(events)
    client._events.resp.close()  # type: ignore[union-attr]
    demo.request(MailboxSet(update={inbox: {"sortOrder": 0}}), raise_errors=True)
    again = Client(demo._host, demo._auth, last_event_id=changed.id, event_source_config=EventSourceConfig("Mailbox"))
    missed = next(again.events)
    again._events.resp.close()  # type: ignore[union-attr]

    account = demo.account_id
    answer = demo.request(MailboxGet(ids=[]), raise_errors=True)
    assert isinstance(answer, MailboxGetResponse)
    states = [one.data.changed[account].mailbox for one in (everything, changed, missed)]
    assert len({*states}) == 3
    assert states[-1] == answer.state
