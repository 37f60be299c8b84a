"""EmailSubmission/set (RFC 8621 §7.5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jmaplite.datatypes.submission import SUBMISSION, SubmissionSettings
from tests.mail.jmap import message
from tests.submission.post import ALICE, CAROL, Mailer, PostOffice, envelope

SENT_AT = "2023-11-14T22:13:20Z"
"""What the clock of the tests shows."""


def test_the_account_announces_what_may_be_asked_for(alice: Mailer) -> None:
    assert alice.session["capabilities"][SUBMISSION] == {}
    assert alice.session["accounts"][alice.account]["accountCapabilities"][SUBMISSION] == {
        "maxDelayedSend": 2_592_000,
        "submissionExtensions": {"FUTURERELEASE": [], "SIZE": ["75000000"]},
    }


def test_created_has_every_property_that_the_client_did_not_send(alice: Mailer) -> None:
    email = alice.draft(to="bob@example.org, x@elsewhere.example", more="Bcc: carol@example.org")
    told = alice.submit(email)
    queued = {"smtpReply": "250 2.1.5 Accepted, in the queue", "delivered": "queued", "displayed": "unknown"}
    recipients = ["bob@example.org", "x@elsewhere.example", "carol@example.org"]
    assert told == {
        "id": told["id"],
        "threadId": alice.get("Email", email, "threadId")["threadId"],
        "envelope": envelope(*recipients),
        "sendAt": SENT_AT,
        "undoStatus": "pending",
        "deliveryStatus": dict.fromkeys(recipients, queued),
        "dsnBlobIds": [],
        "mdnBlobIds": [],
    }
    assert alice.submission(told["id"]) == {**told, "identityId": alice.identity(), "emailId": email}


def test_sending_as_in_the_example_of_the_rfc(alice: Mailer) -> None:
    """RFC 8621 §7.5.1, with the ids of this server."""
    email, drafts, sent = alice.draft(to="bob@example.org"), alice.mailbox("drafts"), alice.mailbox("sent")
    states = alice.state("EmailSubmission"), alice.state("Email")
    call = ["EmailSubmission/set", {
        "accountId": alice.account,
        "create": {
            "k1490": {
                "identityId": alice.identity(),
                "emailId": email,
                "envelope": {
                    "mailFrom": {"email": "a.smith@example.org", "parameters": None},
                    "rcptTo": [{"email": "bob@example.org", "parameters": None}],
                },
            }
        },
        "onSuccessUpdateEmail": {
            "#k1490": {f"mailboxIds/{drafts}": None, f"mailboxIds/{sent}": True, "keywords/$draft": None}
        },
    }, "0"]  # fmt: skip

    (name, first, call_id), (implicit, second, implicit_id) = alice.request(call)["methodResponses"]

    assert (name, call_id, implicit, implicit_id) == ("EmailSubmission/set", "0", "Email/set", "0")
    assert first["accountId"] == second["accountId"] == alice.account
    assert (first["oldState"], first["newState"]) == (states[0], alice.state("EmailSubmission"))
    assert first["created"].keys() == {"k1490"}
    assert (second["oldState"], second["newState"]) == (states[1], alice.state("Email"))
    assert second["updated"] == {email: None}
    found = alice.get("Email", email, "mailboxIds", "keywords")
    assert (found["mailboxIds"], found["keywords"]) == ({sent: True}, {})


def test_a_suspended_user_is_told_why_as_in_the_example_of_the_rfc(tmp_path: Path) -> None:
    reason = "Verzeihung, wegen verdaechtiger Aktivitaeten Ihres Benutzerkontos haben wir den Versand gesperrt."
    office = PostOffice(tmp_path, sending=SubmissionSettings(suspended={"alice": reason}))
    alice = office.mailer()
    email, before = alice.draft(), alice.state("EmailSubmission")
    responses = alice.request(
        ["EmailSubmission/set", {
            "accountId": alice.account,
            "create": {"k1490": {"identityId": alice.identity(), "emailId": email}},
            "onSuccessUpdateEmail": {"#k1490": {"keywords/$draft": None}},
        }, "0"]
    )["methodResponses"]  # fmt: skip
    assert [name for name, _, _ in responses] == ["EmailSubmission/set"]
    answer = responses[0][1]
    assert answer["oldState"] == answer["newState"] == before
    assert answer["notCreated"] == {"k1490": {"type": "forbiddenToSend", "description": reason}}
    assert alice.get("Email", email, "keywords")["keywords"] == {"$draft": True}
    office.close()


# References between records


def test_a_draft_is_made_and_sent_in_one_request(alice: Mailer) -> None:
    drafts, blob = alice.mailbox("drafts"), alice.upload(message(sender="alice@example.org", to="bob@example.org"))
    responses = alice.request(
        ["Identity/set", {"accountId": alice.account, "create": {"i": {"email": "alice@example.org"}}}, "0"],
        ["Email/import", {"accountId": alice.account, "emails": {
            "m": {"blobId": blob, "mailboxIds": {drafts: True}, "keywords": {"$draft": True}}}}, "1"],
        ["EmailSubmission/set", {
            "accountId": alice.account,
            "create": {"m": {"identityId": "#i", "emailId": "#m"}},
            "onSuccessUpdateEmail": {"#m": {"keywords/$draft": None, "keywords/$seen": True}},
        }, "2"],
    )["methodResponses"]  # fmt: skip
    imported, submitted, updated = (response for _, response, _ in responses[1:])
    email = imported["created"]["m"]["id"]
    assert submitted["created"]["m"]["emailId"] == email
    assert updated["updated"] == {email: None}
    assert alice.get("Email", email, "keywords")["keywords"] == {"$seen": True}


def test_the_email_may_be_destroyed_when_it_is_sent(office: PostOffice, alice: Mailer, bob: Mailer) -> None:
    email = alice.draft(to="bob@example.org")
    create = {"s": {"identityId": alice.identity(), "emailId": email}}
    arguments = {"accountId": alice.account, "create": create, "onSuccessDestroyEmail": ["#s", "#s"]}
    (_, first, _), (name, second, _) = alice.request(["EmailSubmission/set", arguments, "0"])["methodResponses"]
    assert (name, second["destroyed"]) == ("Email/set", [email])
    assert alice.call("Email/get", ids=[email])["notFound"] == [email]
    office.deliver()
    assert len(bob.received()) == 1
    record = alice.submission(first["created"]["s"]["id"])
    assert record["emailId"] == email
    assert record["deliveryStatus"]["bob@example.org"]["delivered"] == "yes"


def test_emails_follow_updates_and_destructions_of_submissions_too(alice: Mailer) -> None:
    canceled, ended, kept = alice.draft(), alice.draft(), alice.draft()
    first, second, third = (alice.submit(email)["id"] for email in (canceled, ended, kept))
    arguments = {
        "accountId": alice.account,
        "update": {first: {"undoStatus": "canceled"}, third: {"undoStatus": "final"}},
        "destroy": [second],
        "onSuccessUpdateEmail": {
            first: {"keywords/work": True},
            third: {"keywords/work": True},
            "S123456": {"keywords/work": True},
            "#unknown": {"keywords/work": True},
        },
        "onSuccessDestroyEmail": [second],
    }
    (_, answer, _), (_, implicit, _) = alice.request(["EmailSubmission/set", arguments, "0"])["methodResponses"]
    assert (list(answer["updated"]), answer["destroyed"], list(answer["notUpdated"])) == ([first], [second], [third])
    assert (implicit["updated"], implicit["destroyed"]) == ({canceled: None}, [ended])
    assert alice.get("Email", kept, "keywords")["keywords"] == {"$draft": True}


def test_a_submission_that_is_made_and_destroyed_at_once_still_changes_its_email(alice: Mailer) -> None:
    email = alice.draft()
    arguments = {
        "accountId": alice.account,
        "create": {"s": {"identityId": alice.identity(), "emailId": email}},
        "destroy": ["#s"],
        "onSuccessUpdateEmail": {"#s": {"keywords/$draft": None}},
    }
    (_, answer, _), (_, implicit, _) = alice.request(["EmailSubmission/set", arguments, "0"])["methodResponses"]
    assert answer["destroyed"] == [answer["created"]["s"]["id"]]
    assert implicit["updated"] == {email: None}


def test_two_submissions_of_one_email_change_it_together(alice: Mailer) -> None:
    email = alice.draft()
    create = {"identityId": alice.identity(), "emailId": email}
    arguments = {
        "accountId": alice.account,
        "create": {"a": create, "b": create},
        "onSuccessUpdateEmail": {"#a": {"keywords/$draft": None}, "#b": {"keywords/work": True}},
    }
    (_, _, _), (_, implicit, _) = alice.request(["EmailSubmission/set", arguments, "0"])["methodResponses"]
    assert implicit["updated"] == {email: None}
    assert alice.get("Email", email, "keywords")["keywords"] == {"work": True}


def test_an_implicit_change_that_is_refused_leaves_the_submission(alice: Mailer) -> None:
    email = alice.draft()
    arguments = {
        "accountId": alice.account,
        "create": {"s": {"identityId": alice.identity(), "emailId": email}},
        "onSuccessUpdateEmail": {"#s": {"mailboxIds": {}}},
    }
    (_, answer, _), (_, implicit, _) = alice.request(["EmailSubmission/set", arguments, "0"])["methodResponses"]
    assert answer["created"]
    assert implicit["notUpdated"][email]["type"] == "invalidProperties"


@pytest.mark.parametrize(
    "arguments",
    [{"onSuccessUpdateEmail": []}, {"onSuccessUpdateEmail": {"#s": 1}}, {"onSuccessDestroyEmail": "S1"},
     {"onSuccessDestroyEmail": [1]}, {"onSuccess": {}}],
)  # fmt: skip
def test_arguments_of_another_kind_are_invalid(alice: Mailer, arguments: dict[str, Any]) -> None:
    email = alice.draft()
    create = {"s": {"identityId": alice.identity(), "emailId": email}}
    assert alice.error("EmailSubmission/set", create=create, **arguments) == "invalidArguments"
    assert alice.call("EmailSubmission/get")["list"] == []


def test_more_emails_than_one_call_may_change_are_too_many(alice: Mailer) -> None:
    ids = [f"S{number:x}" for number in range(1, 502)]
    assert alice.error("EmailSubmission/set", onSuccessDestroyEmail=ids) == "requestTooLarge"


# What is refused


def test_every_invalid_property_is_named(alice: Mailer) -> None:
    email, identity = alice.draft(), alice.identity()
    for properties, wrong in (
        ({}, ["emailId", "identityId"]),
        ({"identityId": identity, "emailId": "E999999"}, ["emailId"]),
        ({"identityId": "I999999", "emailId": email}, ["identityId"]),
        ({"identityId": email, "emailId": identity}, ["emailId", "identityId"]),
        ({"identityId": identity, "emailId": "#nothing"}, ["emailId"]),
        ({"identityId": identity, "emailId": email, "undoStatus": "pending"}, ["undoStatus"]),
        ({"emailId": email, "undoStatus": "final", "sendAt": SENT_AT}, ["identityId", "sendAt", "undoStatus"]),
        ({"identityId": identity, "emailId": email, "envelope": {"mailFrom": {"email": "x@y"}}}, ["envelope"]),
        ({"identityId": identity, "emailId": email, "envelope": envelope("b@c.example", HOLDFOR="x")}, ["envelope"]),
        ({"identityId": identity, "emailId": email, "threadId": "T1", "deliveryStatus": None, "dsnBlobIds": []},
         ["deliveryStatus", "dsnBlobIds", "threadId"]),
    ):  # fmt: skip
        error = alice.call("EmailSubmission/set", create={"s": properties})["notCreated"]["s"]
        assert (error["type"], error["properties"]) == ("invalidProperties", wrong)


def test_the_email_of_another_account_cannot_be_found(alice: Mailer, bob: Mailer) -> None:
    email = [bob.draft() for _ in range(3)][-1]
    assert alice.refused(email)["properties"] == ["emailId"]


def test_a_message_that_is_too_large_is_refused_with_the_limit(tmp_path: Path) -> None:
    office = PostOffice(tmp_path, sending=SubmissionSettings(max_size=1000))
    alice = office.mailer()
    error = alice.refused(alice.draft(body="x" * 1000))
    assert (error["type"], error["maxSize"]) == ("tooLarge", 1000)
    alice.submit(alice.draft())
    office.close()


def test_an_email_that_is_no_message_to_send_names_all_its_invalid_properties(alice: Mailer) -> None:
    octets = b"Sender: a@b.example, c@d.example\r\nSubject: x\r\nSubject: y\r\nTo: bob@example.org\r\n\r\nHello\r\n"
    error = alice.refused(alice.draft(octets), envelope=envelope("bob@example.org"))
    assert (error["type"], error["properties"]) == ("invalidEmail", ["from", "sender", "subject"])


def test_a_draft_may_be_half_finished_until_it_is_sent(alice: Mailer) -> None:
    """RFC 8621 §4.6: the message is checked for strict conformance when it is submitted."""
    email = alice.draft(to="Bob at home", more="Reply-To: me")
    error = alice.refused(email, envelope=envelope("bob@example.org"))
    assert (error["type"], error["properties"]) == ("invalidEmail", ["replyTo", "to"])
    octets = b"From: a.smith@example.org\r\nTo: bob@example.org\r\nDate: now\r\n\r\nHello\r\n"
    assert alice.refused(alice.draft(octets))["properties"] == ["sentAt"]


def test_several_senders_are_refused_and_several_authors_need_a_sender(alice: Mailer) -> None:
    two = "alice@example.org, a.smith@example.org"
    assert alice.refused(alice.draft(sender=two))["properties"] == ["from"]
    assert alice.refused(alice.draft(more=f"Sender: {two}"))["properties"] == ["sender"]


def test_a_message_from_others_is_forbidden_whatever_its_envelope_says(alice: Mailer) -> None:
    for sender in ("bob@example.org", "alice@example.org", "a.smith@example.org.example"):
        email = alice.draft(sender=sender)
        assert alice.refused(email, envelope=envelope("bob@example.org"))["type"] == "forbiddenFrom"
        assert alice.refused(email)["type"] == "forbiddenFrom"
    two = alice.draft(sender="a.smith@example.org, bob@example.org", more="Sender: a.smith@example.org")
    assert alice.refused(two)["type"] == "forbiddenFrom"


def test_a_domain_of_ones_own_covers_any_sender_in_it(office: PostOffice) -> None:
    carol = office.mailer(CAROL)
    email = carol.draft(sender="Sales <sales@carol.example>")
    wild = carol.identity("*@carol.example")
    assert carol.submit(email, identityId=wild)["envelope"]["mailFrom"]["email"] == "sales@carol.example"


def test_a_sender_that_the_identity_does_not_allow_gives_way_to_the_identity(alice: Mailer) -> None:
    email = alice.draft(more="Sender: secretary@example.com")
    assert alice.submit(email)["envelope"]["mailFrom"] == {"email": "a.smith@example.org", "parameters": None}
    email = alice.draft(more="Sender: Me <A.Smith@Example.org>")
    assert alice.submit(email)["envelope"]["mailFrom"] == {"email": "A.Smith@Example.org", "parameters": None}


def test_the_return_address_must_be_ones_own(alice: Mailer) -> None:
    email = alice.draft()
    error = alice.refused(email, envelope=envelope("bob@example.org", sender="bob@example.org"))
    assert error["type"] == "forbiddenMailFrom"
    for sender in ("alice@example.org", ""):
        alice.submit(email, envelope=envelope("bob@example.org", sender=sender))


def test_an_identity_whose_address_was_taken_away_cannot_be_sent_from(office: PostOffice, alice: Mailer) -> None:
    identity, email = alice.identity(), alice.draft()
    moved = office.mailer(ALICE.__class__("alice", emails=("alice@example.org",)))
    assert moved.refused(email, identityId=identity)["type"] == "forbiddenFrom"


def test_recipients_that_are_none_too_many_or_invalid_are_refused(tmp_path: Path) -> None:
    office = PostOffice(tmp_path, sending=SubmissionSettings(max_recipients=2))
    alice = office.mailer()
    assert alice.refused(alice.draft(to="undisclosed-recipients:;"))["type"] == "noRecipients"
    error = alice.refused(alice.draft(to="a@b.example, c@d.example", more="Cc: e@f.example"))
    assert (error["type"], error["maxRecipients"]) == ("tooManyRecipients", 2)
    error = alice.refused(alice.draft(to="a@b.example, nobody"))
    assert (error["type"], error["invalidRecipients"]) == ("invalidRecipients", ["nobody"])
    alice.submit(alice.draft(to="a@b.example", more="Cc: A@B.example, a@b.EXAMPLE"))
    office.close()


def test_a_queue_that_is_full_takes_no_more(tmp_path: Path) -> None:
    office = PostOffice(tmp_path, sending=SubmissionSettings(max_queued=1))
    alice = office.mailer()
    alice.submit(alice.draft(to="bob@example.org"))
    assert alice.refused(alice.draft())["type"] == "overQuota"
    office.deliver()
    alice.submit(alice.draft())
    office.close()


# Updates and destructions


def test_only_the_undo_status_can_be_changed_and_only_to_canceled(alice: Mailer) -> None:
    number = alice.submit(alice.draft())["id"]
    record = alice.submission(number)
    assert alice.call("EmailSubmission/set", update={number: record})["updated"] == {number: None}
    for patch, wrong in (
        ({"undoStatus": "final"}, "undoStatus"),
        ({"undoStatus": "cancelled"}, "undoStatus"),
        ({"undoStatus": None}, None),
        ({"undoStatus": 1}, "undoStatus"),
        ({"identityId": alice.identity("alice@example.org")}, "identityId"),
        ({"envelope": None}, "envelope"),
        ({"deliveryStatus": None}, "deliveryStatus"),
        ({"sendAt": "2030-01-01T00:00:00Z"}, "sendAt"),
    ):
        answer = alice.call("EmailSubmission/set", update={number: patch})
        if wrong is None:
            assert answer["updated"] == {number: None}
        else:
            assert answer["notUpdated"][number]["properties"] == [wrong]
    assert alice.submission(number) == record


def test_a_canceled_submission_is_delivered_to_nobody(office: PostOffice, alice: Mailer, bob: Mailer) -> None:
    number = alice.submit(alice.draft(to="bob@example.org"))["id"]
    answer = alice.cancel(number)
    status = {"smtpReply": "550 5.7.0 Canceled by the sender", "delivered": "no", "displayed": "unknown"}
    assert answer["updated"] == {number: {"deliveryStatus": {"bob@example.org": status}}}
    office.deliver()
    assert bob.received() == []
    record = alice.submission(number)
    assert (record["undoStatus"], record["deliveryStatus"]) == ("canceled", {"bob@example.org": status})
    assert alice.cancel(number)["updated"] == {number: None}
    back = alice.call("EmailSubmission/set", update={number: {"undoStatus": "pending"}})
    assert back["notUpdated"][number]["properties"] == ["undoStatus"]


def test_what_has_been_delivered_cannot_be_unsent(office: PostOffice, alice: Mailer) -> None:
    number = alice.submit(alice.draft(to="bob@example.org, x@elsewhere.example"))["id"]
    office.deliver()
    assert alice.cancel(number)["notUpdated"][number]["type"] == "cannotUnsend"
    assert alice.submission(number)["undoStatus"] == "final"


def test_mail_that_still_waits_for_a_relay_can_be_canceled(office: PostOffice, alice: Mailer) -> None:
    number = alice.submit(alice.draft(to="x@elsewhere.example"))["id"]
    office.deliver()
    assert alice.submission(number)["undoStatus"] == "pending"
    assert alice.cancel(number)["updated"]
    assert office.queued(alice.account) == 0


def test_destroying_a_submission_delivers_it_all_the_same(office: PostOffice, alice: Mailer, bob: Mailer) -> None:
    number = alice.submit(alice.draft(to="bob@example.org"))["id"]
    assert alice.call("EmailSubmission/set", destroy=[number, "S999999"]) | {"oldState": "", "newState": ""} == {
        "accountId": alice.account, "oldState": "", "newState": "", "created": None, "updated": None,
        "destroyed": [number], "notCreated": None, "notUpdated": None,
        "notDestroyed": {"S999999": {"type": "notFound"}},
    }  # fmt: skip
    office.deliver()
    assert len(bob.received()) == 1
    with office.store.account(alice.account).read() as tx:
        assert tx.rows("SELECT id FROM outgoing_recipient WHERE account=?", tx.account) == []
    assert alice.call("EmailSubmission/get", ids=[number])["notFound"] == [number]


def test_destroying_a_submission_that_is_done_leaves_nothing(office: PostOffice, alice: Mailer) -> None:
    number = alice.submit(alice.draft(to="bob@example.org"))["id"]
    office.deliver()
    alice.call("EmailSubmission/set", destroy=[number])
    with office.store.account(alice.account).read() as tx:
        assert tx.rows("SELECT id FROM outgoing_recipient WHERE account=?", tx.account) == []
        assert tx.rows("SELECT id FROM outgoing WHERE account=?", tx.account) == []
        assert tx.rows("SELECT 1 FROM blob_reference WHERE account=? AND type='EmailSubmission'", tx.account) == []
