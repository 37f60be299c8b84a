"""MDN/send and MDN/parse (RFC 9007), over the wire: mail in by LMTP, methods by HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.scripts import SENDER, USING, Post, message, scripting, wait_until
from tests.formats.test_mdn import EXAMPLE

MDN = "urn:ietf:params:jmap:mdn"
ASKING = f"Disposition-Notification-To: X <{SENDER}>"
SEEN = {"actionMode": "manual-action", "sendingMode": "mdn-sent-manually", "type": "displayed"}
AUTOMATIC = {"actionMode": "automatic-action", "sendingMode": "mdn-sent-automatically", "type": "processed"}


@pytest.fixture
def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    with scripting(tmp_path, monkeypatch) as post:
        yield post


def email(post: Post, octets: bytes | None = None, user: str = "ann") -> str:
    """The id of the only Email that has come in; brought if it is told."""
    if octets is not None:
        assert post.bring(octets, f"{user}@example.org") == {}
    (found,) = post.call("Email/query", user)["ids"]
    return str(found)


def identity(post: Post, user: str = "ann") -> str:
    return str(post.call("Identity/get", user, ids=None)["list"][0]["id"])


def send(post: Post, for_email: str, *, keyword: bool = True, user: str = "ann", **properties: Any) -> list[Any]:
    """The responses to MDN/send of one notification `k`."""
    record = {"forEmailId": for_email, "disposition": SEEN, **properties}
    arguments = {
        "identityId": identity(post, user),
        "send": {"k": record},
        "onSuccessUpdateEmail": {"#k": {"keywords/$mdnsent": True}} if keyword else {},
    }
    return post.request(user, ("MDN/send", arguments))


def refusal(post: Post, for_email: str, **properties: Any) -> str:
    """The type of the SetError of one notification."""
    (response,) = send(post, for_email, **properties)
    assert response[0] == "MDN/send"
    assert response[1]["sent"] is None
    return str(response[1]["notSent"]["k"]["type"])


def test_the_capability_is_announced(post: Post) -> None:
    """RFC 9007 §1.3."""
    session = post._fetch("/.well-known/jmap", "ann")
    assert session["capabilities"][MDN] == {}
    assert session["accounts"][post.session("ann")]["accountCapabilities"][MDN] == {}


def test_the_example_of_sending(post: Post) -> None:
    """RFC 9007 §3.1."""
    octets = message("World domination", ASKING)
    wanted = email(post, octets)
    record: dict[str, Any] = {
        "subject": "Read receipt for: World domination",
        "textBody": "This receipt shows that the email has been\n displayed on your recipient's computer.",
        "reportingUA": "joes-pc.cs.example.com; Foomail 97.1",
        "extension": {"EXTENSION-EXAMPLE": "example.com"},
    }
    sent, updated = send(post, wanted, **record)
    assert sent[0] == "MDN/send"
    assert sent[1]["notSent"] is None
    assert sent[1]["sent"]["k"] == {
        "includeOriginalMessage": False,
        "finalRecipient": "rfc822; ann@example.org",
        "originalMessageId": "<Worlddomination@example.net>",
    }
    assert updated[0] == "Email/set"
    assert set(updated[1]["updated"]) == {wanted}
    assert updated[2] == sent[2]
    assert post.call("Email/get", ids=[wanted])["list"][0]["keywords"] == {"$mdnsent": True}
    (out,) = post.sent()
    assert (out.sender, out.recipients) == ("", [SENDER])
    told = out.message
    assert told["Content-Type"].params["report-type"] == "disposition-notification"
    assert told["Subject"] == record["subject"]
    assert told["From"].addresses[0].addr_spec == "ann@example.org"
    assert "Disposition-Notification-To" not in told
    text, status = told.iter_parts()
    assert text.get_content().splitlines() == str(record["textBody"]).splitlines()
    assert b"EXTENSION-EXAMPLE: example.com\r\n" in out.octets
    assert b"Final-Recipient: rfc822; ann@example.org\r\n" in out.octets
    assert b"Disposition: manual-action/MDN-sent-manually; displayed\r\n" in out.octets
    assert status.get_content_type() == "message/disposition-notification"
    # And once more (RFC 9007 §3.1).
    assert refusal(post, wanted) == "mdnAlreadySent"
    assert len(post.sent()) == 1


def test_defaults_are_told(post: Post) -> None:
    wanted = email(post, message("Hello", ASKING, "Original-Recipient: rfc822;ann@elsewhere.example"))
    told = send(post, wanted, includeOriginalMessage=True)[0][1]["sent"]["k"]
    assert told["subject"] == "Read receipt: Hello"
    assert told["textBody"]
    assert told["originalRecipient"] == "rfc822;ann@elsewhere.example"
    assert told["originalMessageId"] == "<Hello@example.net>"
    assert "includeOriginalMessage" not in told
    (out,) = post.sent()
    original = list(out.message.iter_parts())[2]
    assert original.get_content_type() == "message/rfc822"
    assert out.message["In-Reply-To"] == "<Hello@example.net>"


def test_nothing_is_sent_unless_the_keyword_is_set(post: Post) -> None:
    """RFC 9007 §2.1."""
    wanted = email(post, message("Hello", ASKING))
    (response,) = send(post, wanted, keyword=False)
    assert (response[0], response[1]["type"]) == ("error", "invalidArguments")
    record = {"forEmailId": wanted, "disposition": SEEN}
    base: dict[str, Any] = {"identityId": identity(post), "send": {"k": record}}
    for patch in ({"keywords/$seen": True}, {"keywords/$mdnsent": None}, {"keywords": {"$seen": True}}):
        (response,) = post.request("ann", ("MDN/send", {**base, "onSuccessUpdateEmail": {"#k": patch}}))
        assert response[1]["type"] == "invalidArguments"
    assert post.sent() == []
    whole = {"keywords": {"$mdnsent": True, "$seen": True}}
    _sent, updated = post.request("ann", ("MDN/send", {**base, "onSuccessUpdateEmail": {"#k": whole}}))
    assert updated[1]["notUpdated"] is None
    assert post.call("Email/get", ids=[wanted])["list"][0]["keywords"] == {"$mdnsent": True, "$seen": True}


def test_what_was_sent_is_marked_whatever_becomes_of_the_rest(post: Post) -> None:
    wanted = email(post, message("Hello", ASKING))
    arguments = {
        "identityId": identity(post),
        "send": {"k": {"forEmailId": wanted, "disposition": SEEN}},
        "onSuccessUpdateEmail": {"#k": {"keywords/$mdnsent": True, "mailboxIds": {}}},
    }
    sent, updated = post.request("ann", ("MDN/send", arguments))
    assert sent[1]["sent"]
    assert updated[1]["notUpdated"]
    assert refusal(post, wanted) == "mdnAlreadySent"


@pytest.mark.parametrize(
    ("properties", "wrong"),
    [
        ({"disposition": {**SEEN, "type": "Displayed"}}, "disposition"),
        ({"disposition": {**SEEN, "actionMode": "no"}}, "disposition"),
        ({"disposition": {"type": "displayed"}}, "disposition"),
        ({"disposition": None}, "disposition"),
        ({"mdnGateway": "x"}, "mdnGateway"),
        ({"originalRecipient": "rfc822; x@y"}, "originalRecipient"),
        ({"originalMessageId": "<x@y>"}, "originalMessageId"),
        ({"error": ["x"]}, "error"),
        ({"unknown": 1}, "unknown"),
        ({"forEmailId": None}, "forEmailId"),
        ({"subject": "a\r\nBcc: x@example.com"}, "subject"),
        ({"reportingUA": "a\r\nDisposition: x"}, "reportingUA"),
        ({"extensionFields": {"Disposition": "x"}}, "extensionFields"),
        ({"extensionFields": {"a b": "x"}}, "extensionFields"),
        ({"extensionFields": {"X-A": "x\r\n\r\ny"}}, "extensionFields"),
        ({"finalRecipient": "ann@example.org"}, "finalRecipient"),
    ],
)
def test_what_is_no_mdn_is_refused(post: Post, properties: dict[str, Any], wrong: str) -> None:
    wanted = email(post, message("Hello", ASKING))
    (response,) = send(post, wanted, **properties)
    error = response[1]["notSent"]["k"]
    assert (error["type"], error["properties"]) == ("invalidProperties", [wrong])


@pytest.mark.parametrize(
    "header",
    [
        "X-Nothing: x",
        "Disposition-Notification-To: nobody",
        "Disposition-Notification-To: ",
        f"{ASKING}\r\n{ASKING}",
    ],
)
def test_nobody_is_told_who_has_not_asked(post: Post, header: str) -> None:
    assert refusal(post, email(post, message("Hello", header))) == "notFound"
    assert post.sent() == []


def test_an_email_or_identity_that_is_not_there_is_told(post: Post) -> None:
    wanted = email(post, message("Hello", ASKING))
    assert refusal(post, "E0") == "notFound"
    base: dict[str, Any] = {"send": {"k": {"forEmailId": wanted, "disposition": SEEN}}}
    base["onSuccessUpdateEmail"] = {"#k": {"keywords/$mdnsent": True}}
    for more in ({"identityId": "I0"}, {"identityId": "nobody"}, {"identityId": identity(post), "accountId": "u0"}):
        (response,) = post.request("ann", ("MDN/send", {**base, **more}))
        assert (response[0], response[1]["type"]) == ("error", "invalidArguments")
    (response,) = post.request("ann", ("MDN/parse", {"accountId": "u0", "blobIds": []}))
    assert response[1]["type"] == "invalidArguments"


def test_the_final_recipient_is_one_of_the_users_addresses(post: Post) -> None:
    """RFC 9007 §5."""
    wanted = email(post, message("Hello", ASKING))
    assert refusal(post, wanted, finalRecipient="rfc822; bob@example.org") == "forbiddenFrom"
    send(post, wanted, finalRecipient="rfc822;A@example.org")
    assert b"Final-Recipient: rfc822;A@example.org\r\n" in post.sent()[0].octets


def test_automatic_notifications_go_only_where_the_message_came_from(post: Post) -> None:
    """RFC 8098 §2.1."""
    elsewhere = email(post, message("Hello", "Disposition-Notification-To: y@example.net"))
    assert refusal(post, elsewhere, disposition=AUTOMATIC) == "forbidden"
    assert send(post, elsewhere)[0][1]["sent"]
    post.call("Email/set", destroy=[elsewhere])
    several = email(post, message("Two", f"{ASKING}, y@example.net"))
    assert refusal(post, several, disposition=AUTOMATIC) == "forbidden"
    assert send(post, several)[0][1]["sent"]
    assert post.sent()[-1].recipients == [SENDER, "y@example.net"]
    post.call("Email/set", destroy=[several])
    assert send(post, email(post, message("Three", ASKING)), disposition=AUTOMATIC)[0][1]["sent"]
    assert post.sent()[-1].message["Auto-Submitted"] == "auto-replied"


def test_a_notification_is_not_answered_by_one(post: Post) -> None:
    """RFC 8098 §2.1."""
    octets = EXAMPLE.replace(b"\n", b"\r\n").replace(b"MIME-Version", ASKING.encode() + b"\r\nMIME-Version", 1)
    assert refusal(post, email(post, octets)) == "forbidden"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("signed-receipt-protocol=optional,pkcs7-signature; a = Required , b", "forbidden"),
        ("signed-receipt-protocol=optional,pkcs7-signature; a=optional,required", None),
    ],
)
def test_what_a_message_requires_of_a_notification_is_not_ignored(
    post: Post, options: str, expected: str | None
) -> None:
    """RFC 8098 §2.2."""
    found = email(post, message("Hello", ASKING, f"Disposition-Notification-Options: {options}"))
    if expected is not None:
        assert refusal(post, found) == expected
    else:
        assert send(post, found)[0][1]["sent"]


def test_sending_takes_the_capability_of_mail_too(post: Post) -> None:
    """RFC 9007 §2.1."""
    using = [one for one in USING if not one.endswith(":mail")]
    (response,) = post.request("ann", ("MDN/send", {}), using=using)
    assert (response[0], response[1]["type"]) == ("error", "unknownMethod")


def upload(post: Post, octets: bytes, user: str = "ann") -> str:
    answer = post.call("Blob/upload", user, create={"b": {"data": [{"data:asText": octets.decode()}]}})
    return str(answer["created"]["b"]["id"])


def test_the_examples_of_parsing(post: Post) -> None:
    """RFC 9007 §3.3."""
    good, bad = upload(post, EXAMPLE), upload(post, message())
    nothing = "0f9f65ab-dc7b-4146-850f-6e4881093965"
    answer = post.call("MDN/parse", blobIds=[good, bad, nothing])
    assert (answer["notParsable"], answer["notFound"]) == ([bad], [nothing])
    told = answer["parsed"][good]
    assert told.pop("textBody").startswith("The message sent on 1995 Sep 19")
    assert told == {
        "forEmailId": None,
        "subject": "Disposition notification",
        "includeOriginalMessage": True,
        "reportingUA": "joes-pc.cs.example.com; Foomail 97.1",
        "disposition": SEEN,
        "mdnGateway": None,
        "originalRecipient": "rfc822;Joe_Recipient@example.com",
        "finalRecipient": "rfc822;Joe_Recipient@example.com",
        "originalMessageId": "<199509192301.23456@example.org>",
        "error": None,
        "extensionFields": None,
    }
    nothing_else = post.call("MDN/parse", blobIds=[])
    assert (nothing_else["parsed"], nothing_else["notParsable"], nothing_else["notFound"]) == (None, None, None)


def test_a_notification_that_says_what_an_mdn_cannot_is_not_parsable(post: Post) -> None:
    denied = upload(post, EXAMPLE.replace(b"; displayed", b"; denied"))
    assert post.call("MDN/parse", blobIds=[denied])["notParsable"] == [denied]


def test_only_so_many_are_parsed_at_once(post: Post) -> None:
    (response,) = post.request("ann", ("MDN/parse", {"blobIds": [f"G{n}" for n in range(1000)]}))
    assert response[1]["type"] == "requestTooLarge"


def test_a_receipt_comes_back_to_the_message_that_was_sent(post: Post) -> None:
    """RFC 9007 §3.2 and §3.3: asked for, sent and found, all within one server."""
    post.session("bob")
    boxes = post.boxes()
    draft = {
        "mailboxIds": {boxes["Drafts"]: True},
        "from": [{"email": "ann@example.org"}],
        "to": [{"email": "bob@example.org"}],
        "header:Disposition-Notification-To:asText": "ann@example.org",
        "subject": "World domination",
        "textBody": [{"partId": "1", "type": "text/plain"}],
        "bodyValues": {"1": {"value": "now"}},
    }
    submission = {"identityId": identity(post), "emailId": "#d"}
    made, submitted = post.request(
        "ann", ("Email/set", {"create": {"d": draft}}), ("EmailSubmission/set", {"create": {"s": submission}})
    )
    email_id, submission_id = made[1]["created"]["d"]["id"], submitted[1]["created"]["s"]["id"]
    wait_until(post, lambda: bool(post.mail.emails("bob")))
    (received,) = post.call("Email/query", "bob")["ids"]
    assert send(post, received, user="bob")[0][1]["sent"]
    wait_until(post, lambda: len(post.mail.emails("ann")) == 2)
    (found,) = post.call("EmailSubmission/get", ids=[submission_id])["list"]
    assert found["deliveryStatus"]["bob@example.org"]["displayed"] == "yes"
    (blob,) = found["mdnBlobIds"]
    told = post.call("MDN/parse", blobIds=[blob])["parsed"][blob]
    assert told["forEmailId"] == email_id
    assert told["finalRecipient"] == "rfc822; bob@example.org"
