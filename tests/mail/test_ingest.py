"""What is worked out of a message when it comes in."""

from __future__ import annotations

from tests.mail.jmap import Client, message


def test_lines_of_the_body_that_look_like_header_fields_are_not(alice: Client) -> None:
    body = (
        "-----Original Message-----\r\nFrom: Mallory <mallory@example.com>\r\nSubject: Other\r\nDate: never\r\n\r\nHi"
    )

    email = alice.import_(message("Mine", body, sender="Joe <joe@example.com>", message_id="one@example.com"))

    got = alice.get("Email", email["id"], "from", "subject", "sentAt", "messageId", "header:From:asAddresses:all")
    assert got["from"] == [{"name": "Joe", "email": "joe@example.com"}]
    assert got["header:From:asAddresses:all"] == [got["from"]]
    assert (got["subject"], got["sentAt"]) == ("Mine", "2020-09-13T12:26:40Z")
    assert got["messageId"] == ["one@example.com"]
    assert alice.call("Email/query", filter={"header": ["Subject", "Other"]})["ids"] == []
    assert alice.call("Email/query", filter={"from": "mallory"})["ids"] == []
    assert alice.call("Email/query", filter={"body": "mallory"})["ids"] == [email["id"]]
