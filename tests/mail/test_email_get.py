"""Email/get (RFC 8621 §4.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jmaplite.datatypes.mail import MailSettings
from tests.mail.jmap import Client, Server, message

DEFAULT = [
    "id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt", "messageId", "inReplyTo", "references",
    "sender", "from", "to", "cc", "bcc", "replyTo", "subject", "sentAt", "hasAttachment", "preview", "bodyValues",
    "textBody", "htmlBody", "attachments",
]  # fmt: skip
DEFAULT_BODY = ["partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language", "location"]

MIXED = (
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße, plain text.\r\n"
    "--b\r\nContent-Type: text/html; charset=utf-8\r\nX-Own: yes\r\n\r\n<p>Some <a href='https://example.com'>link</a></p>\r\n"
    "--b\r\nContent-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment\r\n\r\n1,2\r\n"
    "--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--"
)


@pytest.fixture
def mixed(alice: Client) -> str:
    """An Email with parts: plain text, HTML, a text as attachment, and a PDF."""
    more = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b"
    return str(alice.import_(message("Mixed", MIXED, more=more))["id"])


def test_the_default_properties_are_those_of_the_specification(alice: Client, mixed: str) -> None:
    for arguments in ({}, {"properties": None}):
        found = alice.call("Email/get", ids=[mixed], **arguments)["list"][0]
        assert list(found) == DEFAULT
        assert found["bodyValues"] == {}


def test_every_property_may_be_fetched(alice: Client, mixed: str) -> None:
    for name in [*DEFAULT, "headers", "bodyStructure", "header:From", "header:From:asAddresses:all"]:
        assert alice.get("Email", mixed, name).keys() == {"id", name}


def test_metadata(alice: Client) -> None:
    octets = message("Metadata", message_id="m@x")
    boxes = [alice.mailbox("inbox"), alice.mailbox("archive")]
    made = alice.import_(octets, mailboxes=boxes, keywords=["$seen"], received="2020-02-29T12:34:56Z")
    found = alice.get("Email", made["id"])
    assert {name: found[name] for name in made} == made
    assert made.keys() == {"id", "blobId", "threadId", "size"}
    assert found["size"] == len(octets)
    assert found["mailboxIds"] == dict.fromkeys(boxes, True)
    assert found["keywords"] == {"$seen": True}
    assert found["receivedAt"] == "2020-02-29T12:34:56Z"


def test_convenience_properties_are_the_header_s_parsed_forms(alice: Client) -> None:
    octets = (
        b'From: =?utf-8?q?J=C3=B6rg?= <j@example.com>\r\nFrom: "Last, One" <last@example.com>\r\nSender: s@x\r\n'
        b"To: friends: a@x, B <b@x>;\r\nCc: c@x\r\nBcc: d@x\r\nReply-To: r@x\r\nSubject: =?utf-8?q?Caf=C3=A9?=\r\n"
        b"Message-ID: <m@x>\r\nIn-Reply-To: <p@x>\r\nReferences: <o@x> <p@x>\r\n"
        b"Date: Sat, 01 Feb 2020 10:00:00 +0100\r\n\r\n"
    )
    made = alice.import_(octets)["id"]
    forms = {
        "messageId": "header:Message-ID:asMessageIds", "inReplyTo": "header:In-Reply-To:asMessageIds",
        "references": "header:References:asMessageIds", "sender": "header:Sender:asAddresses",
        "from": "header:From:asAddresses", "to": "header:To:asAddresses", "cc": "header:Cc:asAddresses",
        "bcc": "header:Bcc:asAddresses", "replyTo": "header:Reply-To:asAddresses", "subject": "header:Subject:asText",
        "sentAt": "header:Date:asDate",
    }  # fmt: skip
    found = alice.get("Email", made, *forms, *forms.values())
    assert all(found[name] == found[form] for name, form in forms.items())
    assert found["from"] == [{"name": "Last, One", "email": "last@example.com"}]
    assert found["to"] == [{"name": None, "email": "a@x"}, {"name": "B", "email": "b@x"}]
    assert (found["subject"], found["sentAt"]) == ("Café", "2020-02-01T10:00:00+01:00")
    bare = alice.get("Email", alice.import_(b"X: y\r\n\r\n")["id"], *forms, *forms.values())
    assert {value for name, value in bare.items() if name != "id"} == {None}


def test_a_header_property_is_answered_under_the_name_asked_for(alice: Client, mixed: str) -> None:
    names = ["header:SUBJECT", "header:subject", "header:sUbJeCt:asText", "header:X-NONE", "header:x-none:all"]
    found = alice.get("Email", mixed, *names)
    assert found == {
        "id": mixed,
        "header:SUBJECT": " Mixed",
        "header:subject": " Mixed",
        "header:sUbJeCt:asText": "Mixed",
        "header:X-NONE": None,
        "header:x-none:all": [],
    }


def test_the_last_instance_or_all_in_their_order(alice: Client) -> None:
    made = alice.import_(message(more="X-A: one\r\nx-a: two\r\nX-A: <three@x>"))["id"]
    found = alice.get("Email", made, "header:X-A", "header:X-A:all", "header:X-A:asText:all", "header:X-A:asMessageIds")
    assert found["header:X-A"] == " <three@x>"
    assert found["header:X-A:all"] == [" one", " two", " <three@x>"]
    assert found["header:X-A:asText:all"] == ["one", "two", "<three@x>"]
    assert found["header:X-A:asMessageIds"] == ["three@x"]


def test_headers_are_in_their_order_and_capitals(alice: Client) -> None:
    made = alice.import_(b"B: 2\r\na: 1\r\nB:\r\n 3\r\n\r\nbody")["id"]
    assert alice.get("Email", made, "headers")["headers"] == [
        {"name": "B", "value": " 2"},
        {"name": "a", "value": " 1"},
        {"name": "B", "value": "\r\n 3"},
    ]


ALLOWED = {
    "asText": ["Subject", "Comments", "Keywords", "List-Id"],
    "asAddresses": ["From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-From", "Resent-Sender", "Resent-Reply-To",
                    "Resent-To", "Resent-Cc", "Resent-Bcc"],
    "asMessageIds": ["Message-ID", "In-Reply-To", "References", "Resent-Message-ID"],
    "asDate": ["Date", "Resent-Date"],
    "asURLs": ["List-Help", "List-Unsubscribe", "List-Subscribe", "List-Post", "List-Owner", "List-Archive"],
}  # fmt: skip
ALLOWED["asGroupedAddresses"] = ALLOWED["asAddresses"]
# List-Id is defined in neither RFC 5322 nor RFC 2369, so it may be fetched in every form.
RESTRICTED = sorted({name for names in ALLOWED.values() for name in names} - {"List-Id"} | {"Received", "Return-Path"})


@pytest.mark.parametrize("form", sorted(ALLOWED))
def test_a_form_is_refused_where_it_makes_no_sense(alice: Client, mixed: str, form: str) -> None:
    for name in RESTRICTED:
        for spelled in (name, name.lower(), name.upper()):
            for suffix in ("", ":all"):
                asked = f"header:{spelled}:{form}{suffix}"
                if name in ALLOWED[form]:
                    assert asked in alice.get("Email", mixed, asked)
                    assert asked in alice.get("Email", mixed, "bodyStructure", bodyProperties=[asked])["bodyStructure"]
                else:
                    assert alice.error("Email/get", ids=[], properties=[asked]) == "invalidArguments", asked
                    assert alice.error("Email/get", ids=[], bodyProperties=[asked]) == "invalidArguments", asked
    for name in ("X-Own", "List-Id"):
        assert f"header:{name}:{form}" in alice.get("Email", mixed, f"header:{name}:{form}")


@pytest.mark.parametrize(
    "name",
    ["header:", "header::all", "header:Subject:", "header:Subject:asNonsense",
     "header:Subject:astext", "header:Subject:all:asText",
     "header:Subject:all:all", "header:Sub ject", "header:Sübject",
     "header:Subject:asText:asText", "Header:Subject", "header:Subject:All"],
)  # fmt: skip
def test_a_misspelled_header_property_is_refused(alice: Client, mixed: str, name: str) -> None:
    assert alice.error("Email/get", ids=[mixed], properties=[name]) == "invalidArguments"
    assert alice.error("Email/get", ids=[mixed], bodyProperties=[name]) == "invalidArguments"


def test_as_raw_is_the_same_as_no_form(alice: Client, mixed: str) -> None:
    found = alice.get("Email", mixed, "header:From:asRaw", "header:From", "header:From:asRaw:all")
    assert found["header:From:asRaw"] == found["header:From"] == found["header:From:asRaw:all"][0]


# Body parts


def test_the_default_properties_of_a_part(alice: Client, mixed: str) -> None:
    found = alice.get("Email", mixed, "bodyStructure", "textBody", "htmlBody", "attachments")
    parts = [*found["textBody"], *found["htmlBody"], *found["attachments"]]
    assert [list(part) for part in parts] == [DEFAULT_BODY] * len(parts)
    assert list(found["bodyStructure"]) == [*DEFAULT_BODY, "subParts"]
    assert [part["type"] for part in found["bodyStructure"]["subParts"]] == [
        "text/plain",
        "text/html",
        "text/csv",
        "application/pdf",
    ]
    root = found["bodyStructure"]
    assert (root["type"], root["partId"], root["blobId"]) == ("multipart/mixed", None, None)
    assert all(part["partId"] and part["blobId"] for part in root["subParts"])
    assert [part["type"] for part in found["attachments"]] == ["text/csv", "application/pdf"]
    assert found["attachments"][1]["size"] == 3


def test_body_properties_are_those_asked_for(alice: Client, mixed: str) -> None:
    found = alice.get(
        "Email", mixed, "htmlBody", bodyProperties=["type", "type", "header:x-OWN:asText", "headers", "subParts"]
    )
    assert found["htmlBody"][1] == {
        "type": "text/html",
        "header:x-OWN:asText": "yes",
        "headers": [{"name": "Content-Type", "value": " text/html; charset=utf-8"}, {"name": "X-Own", "value": " yes"}],
        "subParts": None,
    }
    assert alice.get("Email", mixed, "textBody", bodyProperties=[])["textBody"][0] == {}


@pytest.mark.parametrize("wrong", [["nonsense"], ["subject"], ["header:From:asDate"], [""], "type", None, [1]])
def test_unknown_body_properties_are_refused(alice: Client, mixed: str, wrong: Any) -> None:
    for ids in ([mixed], [], None):
        assert alice.error("Email/get", ids=ids, bodyProperties=wrong) == "invalidArguments"


def values(client: Client, record_id: str, **arguments: Any) -> dict[str, Any]:
    """The bodyValues by the types of their parts."""
    found = client.get("Email", record_id, "bodyValues", "bodyStructure", **arguments)
    types = {part["partId"]: part["type"] for part in found["bodyStructure"]["subParts"]}
    return {types[number]: value for number, value in found["bodyValues"].items()}


def test_which_body_values_come(alice: Client) -> None:
    alternative = (
        "--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--b--"
    )
    more = "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b"
    made = alice.import_(message(body=alternative, more=more))["id"]
    assert values(alice, made) == {}
    assert values(alice, made, fetchTextBodyValues=True).keys() == {"text/plain"}
    assert values(alice, made, fetchHTMLBodyValues=True).keys() == {"text/html"}
    assert values(alice, made, fetchHTMLBodyValues=True, fetchTextBodyValues=True).keys() == {"text/plain", "text/html"}
    assert values(alice, made, fetchAllBodyValues=True).keys() == {"text/plain", "text/html"}
    assert values(alice, made, fetchTextBodyValues=True)["text/plain"] == {
        "value": "plain",
        "isEncodingProblem": False,
        "isTruncated": False,
    }


def test_all_body_values_are_those_of_text_parts(alice: Client, mixed: str) -> None:
    assert values(alice, mixed, fetchAllBodyValues=True).keys() == {"text/plain", "text/html", "text/csv"}
    assert values(alice, mixed, fetchTextBodyValues=True).keys() == {"text/plain", "text/html"}


def test_body_values_come_only_if_they_are_asked_for(alice: Client, mixed: str) -> None:
    assert "bodyValues" not in alice.get("Email", mixed, "subject", fetchAllBodyValues=True)


@pytest.mark.parametrize("most", range(1, 60))
def test_a_truncated_value_is_valid_and_short_enough(alice: Client, mixed: str, most: int) -> None:
    whole = values(alice, mixed, fetchAllBodyValues=True)
    for kind, found in values(alice, mixed, fetchAllBodyValues=True, maxBodyValueBytes=most).items():
        value = whole[kind]["value"]
        assert len(found["value"].encode()) <= most
        assert value.startswith(found["value"])
        assert found["isTruncated"] == (len(value.encode()) > most)
        if kind == "text/plain" and found["isTruncated"]:
            assert len(found["value"].encode()) >= most - 3
        if kind == "text/html":
            assert found["value"].count("<") == found["value"].count(">")


def test_zero_does_not_truncate(alice: Client, mixed: str) -> None:
    found = values(alice, mixed, fetchAllBodyValues=True, maxBodyValueBytes=0)
    assert found == values(alice, mixed, fetchAllBodyValues=True)
    assert not any(value["isTruncated"] for value in found.values())


@pytest.mark.parametrize(
    "arguments",
    [{"maxBodyValueBytes": -1}, {"maxBodyValueBytes": None}, {"maxBodyValueBytes": 1.5}, {"fetchTextBodyValues": None},
     {"fetchHTMLBodyValues": 1}, {"fetchAllBodyValues": "true"}, {"fetchHtmlBodyValues": True}],
)  # fmt: skip
def test_arguments_of_the_wrong_kind_are_refused(alice: Client, arguments: dict[str, Any]) -> None:
    assert alice.error("Email/get", ids=[], **arguments) == "invalidArguments"


def test_line_ends_charsets_and_problems_of_values(alice: Client) -> None:
    cases = {
        b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\na\xe9\r\nb": ("aé\nb", False),
        b"Content-Type: text/plain; charset=utf-8\r\n\r\na\xff": ("a\ufffd", True),
        b"Content-Type: text/plain; charset=x-unknown\r\n\r\nabc": ("abc", True),
        b"Content-Transfer-Encoding: x-unknown\r\n\r\nabc": ("abc", True),
        b"Content-Transfer-Encoding: base64\r\n\r\nYWJj": ("abc", False),
    }
    for octets, (value, problem) in cases.items():
        found = alice.get("Email", alice.import_(octets)["id"], "bodyValues", fetchAllBodyValues=True)["bodyValues"]
        assert list(found.values()) == [{"value": value, "isEncodingProblem": problem, "isTruncated": False}]


def test_charsets_need_not_be_guessed(tmp_path: Path) -> None:
    """RFC 8621 §9.1, by Email/get and Email/parse alike."""
    octets = b"Content-Type: text/plain\r\n\r\na\xe9"
    for guess, value in ((True, "aé"), (False, "a\ufffd")):
        server = Server(tmp_path / str(guess), settings=MailSettings(guess_charsets=guess))
        client = server.client()
        made = client.import_(octets)
        found = client.get("Email", made["id"], "bodyValues", fetchAllBodyValues=True)["bodyValues"]
        parsed = client.call("Email/parse", blobIds=[made["blobId"]], fetchAllBodyValues=True)["parsed"]
        assert found == {"1": {"value": value, "isEncodingProblem": True, "isTruncated": False}}
        assert parsed[made["blobId"]]["bodyValues"] == found
        server.close()


def test_only_the_octets_that_are_needed_are_read(alice: Client, mixed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a list shows is read without the message, header fields without its body."""
    read: list[tuple[int, int | None]] = []
    blobs = alice.server.blobs
    original = blobs.read

    def spy(tx: Any, digest: bytes, start: int = 0, length: int | None = None) -> bytes:
        read.append((start, length))
        return original(tx, digest, start, length)

    monkeypatch.setattr(blobs, "read", spy)
    alice.get(
        "Email", mixed, *[name for name in DEFAULT if name not in ("bodyValues", "textBody", "htmlBody", "attachments")]
    )
    alice.get("Email", mixed, "bodyStructure", "textBody", "attachments", "bodyValues")
    assert read == []
    alice.get("Email", mixed, "headers", "header:X-None")
    assert len(read) == 1
    assert read[0][1] is not None


def test_there_may_be_many_properties_but_not_endlessly_many(alice: Client, mixed: str) -> None:
    names = [f"header:X-{number}" for number in range(1000)]
    assert len(alice.get("Email", mixed, *names)) == 1001
    assert alice.error("Email/get", ids=[], properties=[*names, "id"]) == "invalidArguments"
    assert len(alice.get("Email", mixed, "textBody", bodyProperties=names)["textBody"][0]) == 1000
    assert alice.error("Email/get", ids=[], bodyProperties=[*names, "type"]) == "invalidArguments"
    assert alice.error("Email/get", ids=[], properties=["header:" + "x" * 5000]) == "invalidArguments"
