"""Email/set create (RFC 8621 §4.6): drafts made of Email objects, and every way in which one may be wrong."""

from __future__ import annotations

import email
import json
import re
from email import policy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jmaplite.datatypes.mail import MailSettings
from tests.mail.jmap import Client, Server, message

TEXT = "I have the most brilliant plan.  Let me tell you all about it.  What we do is, we"
HTML = (
    '<!DOCTYPE html><html><head><title></title><style type="text/css">div{font-size:16px}</style></head><body><div>'
    "I have the most <b>brilliant</b> plan.  Let me tell you all about it.  What we do is, we</div></body></html>"
)
PART_PROPERTIES = ["partId", "blobId", "size", "type", "charset", "name", "disposition", "cid", "language", "location"]


def create(client: Client, **properties: Any) -> dict[str, Any]:
    """What /set answers on one Email in the drafts Mailbox."""
    record = {"mailboxIds": {client.mailbox("drafts"): True}, **properties}
    return client.call("Email/set", create={"k": {name: item for name, item in record.items() if item is not ...}})


def created(client: Client, **properties: Any) -> dict[str, Any]:
    answer = create(client, **properties)
    assert answer["notCreated"] is None, answer["notCreated"]
    told: dict[str, Any] = answer["created"]["k"]
    check_message(octets_of(client, told["blobId"]))
    return told


def refused(client: Client, **properties: Any) -> dict[str, Any]:
    answer = create(client, **properties)
    assert answer["created"] is None
    assert answer["oldState"] == answer["newState"]
    error: dict[str, Any] = answer["notCreated"]["k"]
    return error


def wrong(client: Client, **properties: Any) -> list[str]:
    """The properties that an invalidProperties error names."""
    error = refused(client, **properties)
    assert error["type"] == "invalidProperties"
    named: list[str] = error["properties"]
    return named


def octets_of(client: Client, blob_id: str) -> bytes:
    with client.server.store.account(client.account).read() as tx:
        return client.server.blobs.read(tx, bytes.fromhex(blob_id[1:65]))


def check_message(octets: bytes) -> None:
    """A strict reader finds nothing wrong, and lines end and are as long as they should."""
    parsed = email.message_from_bytes(octets, policy=policy.default)
    assert [defect for part in parsed.walk() for defect in part.defects] == []
    assert octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r")
    assert max(map(len, octets.split(b"\r\n"))) <= 998


def read(client: Client, told: dict[str, Any], *names: str) -> dict[str, Any]:
    return client.get(
        "Email", told["id"], *names, fetchAllBodyValues=True, bodyProperties=[*PART_PROPERTIES, "subParts"]
    )


def shape(part: dict[str, Any]) -> Any:
    """The types of a tree of parts."""
    return [part["type"], *map(shape, part["subParts"])] if part["subParts"] is not None else part["type"]


def text_draft(value: str = TEXT, **properties: Any) -> dict[str, Any]:
    return {"textBody": [{"partId": "t", "type": "text/plain"}], "bodyValues": {"t": {"value": value}}, **properties}


def structure(part: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"bodyStructure": part, "bodyValues": {"t": {"value": TEXT}}, **properties}


def test_the_first_draft_of_the_rfc_is_made(alice: Client) -> None:
    told = created(
        alice,
        keywords={"$seen": True, "$draft": True},
        **{"from": [{"name": "Joe Bloggs", "email": "joe@example.com"}]},
        subject="World domination",
        receivedAt="2018-07-10T01:03:11Z",
        sentAt="2018-07-10T11:03:11+10:00",
        bodyStructure={"type": "text/plain", "partId": "bd48", "header:Content-Language": "en"},
        bodyValues={"bd48": {"value": TEXT, "isTruncated": False}},
    )
    assert told.keys() == {"id", "blobId", "threadId", "size", "messageId"}
    octets = octets_of(alice, told["blobId"])
    assert len(octets) == told["size"]
    head, _, body = octets.decode().partition("\r\n\r\n")
    assert set(head.split("\r\n")) == {
        "From: Joe Bloggs <joe@example.com>",
        "Subject: World domination",
        "Date: Tue, 10 Jul 2018 11:03:11 +1000",
        f"Message-ID: <{told['messageId'][0]}>",
        "MIME-Version: 1.0",
        "Content-Language: en",
        "Content-Type: text/plain; charset=us-ascii",
    }
    assert body == TEXT
    found = read(
        alice, told, "keywords", "receivedAt", "sentAt", "textBody", "bodyValues", "blobId", "size", "threadId"
    )
    assert found["keywords"] == {"$seen": True, "$draft": True}
    assert (found["receivedAt"], found["sentAt"]) == ("2018-07-10T01:03:11Z", "2018-07-10T11:03:11+10:00")
    assert found["textBody"][0]["language"] == ["en"]
    assert found["bodyValues"] == {"1": {"value": TEXT, "isTruncated": False, "isEncodingProblem": False}}
    assert {name: found[name] for name in ("id", "blobId", "size", "threadId")}.items() <= told.items()
    assert alice.faults() == []


def test_the_second_draft_of_the_rfc_takes_the_place_of_the_first(alice: Client) -> None:
    first = created(alice, **text_draft(subject="World domination"))
    answer = alice.call(
        "Email/set",
        create={
            "k1546": {
                "mailboxIds": {alice.mailbox("drafts"): True},
                "keywords": {"$seen": True, "$draft": True},
                "from": [{"name": "Joe Bloggs", "email": "joe@example.com"}],
                "to": [{"name": "John", "email": "john@example.com"}],
                "subject": "World domination",
                "receivedAt": "2018-07-10T01:05:08Z",
                "sentAt": "2018-07-10T11:05:08+10:00",
                "bodyStructure": {
                    "type": "multipart/alternative",
                    "subParts": [
                        {"partId": "a49d", "type": "text/html", "header:Content-Language": "en"},
                        {"partId": "bd48", "type": "text/plain", "header:Content-Language": "en"},
                    ],
                },
                "bodyValues": {
                    "bd48": {"value": TEXT, "isTruncated": False},
                    "a49d": {"value": HTML, "isTruncated": False},
                },
            }
        },
        destroy=[first["id"]],
    )
    assert answer["destroyed"] == [first["id"]]
    found = read(alice, answer["created"]["k1546"], "bodyStructure", "bodyValues", "to")
    assert shape(found["bodyStructure"]) == ["multipart/alternative", "text/html", "text/plain"]
    assert [value["value"] for value in found["bodyValues"].values()] == [HTML, TEXT]
    assert found["to"] == [{"name": "John", "email": "john@example.com"}]


def test_what_is_left_out_is_told(alice: Client) -> None:
    told = created(alice)
    now = "2023-11-14T22:13:20Z"
    assert {"keywords": {}, "receivedAt": now, "sentAt": now}.items() <= told.items()
    assert re.fullmatch(r"[0-9a-f]{32}@example\.org", told["messageId"][0])
    found = read(alice, told, "keywords", "receivedAt", "sentAt", "messageId", "bodyStructure")
    assert {name: found[name] for name in ("keywords", "receivedAt", "sentAt", "messageId")}.items() <= told.items()
    assert shape(found["bodyStructure"]) == "text/plain"


def test_keywords_come_back_in_lower_case(alice: Client) -> None:
    assert created(alice, keywords={"$Draft": True})["keywords"] == {"$draft": True}


def test_every_header_property_is_written_and_read_back(alice: Client) -> None:
    people = [{"name": "Jörg «x»", "email": "j@example.de"}, {"name": None, "email": "b@example.org"}]
    given = {
        "from": people[:1],
        "sender": people[1:],
        "to": people,
        "cc": people,
        "bcc": people,
        "replyTo": people,
        "subject": "Grüße, =?utf-8?q?x?= \U0001f600",
        "sentAt": "2020-01-02T03:04:05-07:00",
        "messageId": ["a@b"],
        "inReplyTo": ["c@d"],
        "references": ["c@d", "e@f"],
        "header:X-Raw": " raw value",
        "header:X-Text:asText": "Text ü",
        "header:X-Addresses:asAddresses": people,
        "header:X-Groups:asGroupedAddresses": [{"name": "Ü", "addresses": people}, {"name": None, "addresses": people}],
        "header:X-Ids:asMessageIds": ["x@y"],
        "header:X-Date:asDate": "2020-01-02T03:04:05Z",
        "header:List-Post:asURLs": ["mailto:x@y", "http://z/?a=b,c"],
        "header:X-Many:all": [" a", " b"],
        "header:X-Many-Texts:asText:all": ["ä", "ö"],
        "header:Resent-To:asAddresses:all": [people, people[:1]],
    }
    told = created(alice, **given)
    assert read(alice, told, *given) == {"id": told["id"], **given}


def test_a_field_keeps_the_capitals_that_the_client_wrote(alice: Client) -> None:
    told = created(alice, **{"header:x-ODD:asText": "1"})
    assert {"name": "x-ODD", "value": " 1"} in read(alice, told, "headers")["headers"]


def test_properties_that_are_null_or_empty_make_no_field(alice: Client) -> None:
    told = created(alice, cc=None, bcc=[], subject=None, messageId=[], **{"header:X:asText": None, "header:Y:all": []})
    names = {field["name"] for field in read(alice, told, "headers")["headers"]}
    assert names == {"Date", "Message-ID", "MIME-Version", "Content-Type"}


def test_a_half_finished_draft_keeps_half_an_address(alice: Client) -> None:
    to = [{"name": None, "email": "joh"}, {"name": "No Address", "email": ""}, {"name": None, "email": "john smith"}]
    assert read(alice, created(alice, to=to), "to")["to"] == to


def test_a_message_id_and_date_on_the_body_structure_are_those_of_the_message(alice: Client) -> None:
    part = {"partId": "t", "header:Message-ID": " <a@b>", "header:Date:asDate": "2020-01-02T03:04:05Z"}
    told = created(alice, **structure(part))
    assert told.keys() & {"messageId", "sentAt"} == set()
    assert read(alice, told, "messageId", "sentAt") == {
        "id": told["id"],
        "messageId": ["a@b"],
        "sentAt": "2020-01-02T03:04:05Z",
    }


@pytest.mark.parametrize(
    "value", ["", "one line", "ends\n", "mit Ümlaut\n\n-- \nx", "\n\n", "x" * 3000, "a \n b\t\n=\n."]
)
def test_a_text_comes_back_as_it_was(alice: Client, value: str) -> None:
    told = created(alice, **text_draft(value))
    assert read(alice, told, "bodyValues")["bodyValues"]["1"]["value"] == value


def test_line_ends_of_every_kind_become_crlf(alice: Client) -> None:
    told = created(alice, **text_draft("a\nb\r\nc\rd"))
    assert octets_of(alice, told["blobId"]).endswith(b"\r\n\r\na\r\nb\r\nc\r\nd")


def test_text_html_and_attachments_are_put_together(alice: Client) -> None:
    image, sheet = alice.upload(b"\x89PNG"), alice.upload(b"PK\0")
    told = created(
        alice,
        textBody=[{"partId": "t", "type": "text/plain"}],
        htmlBody=[{"partId": "h", "type": "text/html"}],
        bodyValues={"t": {"value": "ü"}, "h": {"value": '<img src="cid:im%40x">'}},
        attachments=[
            {"blobId": image, "type": "image/png", "cid": "im@x", "name": "bild.png"},
            {"blobId": image, "type": "image/png", "cid": "other@x"},
            {"blobId": image, "type": "image/png", "cid": "im@x", "disposition": "attachment"},
            {"blobId": sheet, "name": "größe ☃.xls", "type": "application/vnd.ms-excel"},
            {"blobId": sheet},
        ],
    )
    found = read(alice, told, "bodyStructure", "textBody", "htmlBody", "attachments", "hasAttachment")
    related = ["multipart/related", "text/html", "image/png"]
    assert shape(found["bodyStructure"]) == [
        "multipart/mixed",
        ["multipart/alternative", "text/plain", related],
        "image/png",
        "image/png",
        "application/vnd.ms-excel",
        "application/octet-stream",
    ]
    assert [(part["disposition"], part["name"]) for part in found["attachments"]] == [
        ("inline", "bild.png"),
        ("attachment", None),
        ("attachment", None),
        ("attachment", "größe ☃.xls"),
        ("attachment", None),
    ]
    assert [part["size"] for part in found["attachments"]] == [4, 4, 4, 3, 3]
    assert found["hasAttachment"] is True
    assert b'multipart/related; type="text/html"' in octets_of(alice, told["blobId"])


def test_html_alone_stands_alone(alice: Client) -> None:
    told = created(alice, htmlBody=[{"partId": "h"}], bodyValues={"h": {"value": "<p>"}})
    assert shape(read(alice, told, "bodyStructure")["bodyStructure"]) == "text/html"


def test_attachments_need_no_text(alice: Client) -> None:
    told = created(alice, attachments=[{"blobId": alice.upload(b"%PDF"), "type": "application/pdf"}])
    assert shape(read(alice, told, "bodyStructure")["bodyStructure"]) == ["multipart/mixed", "application/pdf"]


def test_every_property_of_a_part_comes_back(alice: Client) -> None:
    part = {
        "blobId": alice.upload("Grüße".encode("latin-1")),
        "size": 99,
        "type": "text/plain",
        "charset": "iso-8859-1",
        "name": 'a "b" ü.txt',
        "disposition": "inline",
        "cid": "x@y",
        "language": ["de", "en-GB"],
        "location": "https://example.org/" + "x" * 200,
    }
    told = created(alice, bodyStructure={"type": "multipart/mixed", "subParts": [part]})
    found = read(alice, told, "bodyStructure", "bodyValues")
    assert found["bodyValues"]["1"]["value"] == "Grüße"
    for name in part.keys() - {"blobId", "size"}:
        assert found["bodyStructure"]["subParts"][0][name] == part[name]


def test_a_name_without_a_disposition_gives_none(alice: Client) -> None:
    told = created(alice, bodyStructure={"blobId": alice.upload(b"x"), "type": "image/png", "name": "ü.png"})
    root = read(alice, told, "bodyStructure")["bodyStructure"]
    assert (root["name"], root["disposition"]) == ("ü.png", None)


def test_the_charset_of_a_text_blob_is_told_if_it_is_plain(alice: Client) -> None:
    parts = [{"blobId": alice.upload(octets), "type": "text/plain"} for octets in (b"x", "ü".encode(), b"\xfc")]
    told = created(alice, bodyStructure={"type": "multipart/mixed", "subParts": parts})
    found = read(alice, told, "bodyStructure")["bodyStructure"]["subParts"]
    assert [part["charset"] for part in found] == ["us-ascii", "utf-8", "us-ascii"]


def test_parts_of_other_messages_can_be_attached(alice: Client) -> None:
    first = created(
        alice, **text_draft("Grüße", attachments=[{"blobId": alice.upload(b"\0\1\2"), "type": "image/png"}])
    )
    parts = read(alice, first, "textBody", "attachments")
    told = created(
        alice,
        attachments=[
            {"blobId": parts["textBody"][0]["blobId"], "type": "text/plain"},
            {"blobId": parts["attachments"][0]["blobId"], "type": "image/png"},
            {"blobId": first["blobId"], "type": "message/rfc822"},
        ],
    )
    found = read(alice, told, "attachments", "bodyValues")
    assert [part["size"] for part in found["attachments"]] == [7, 3, first["size"]]
    assert found["bodyValues"]["1"]["value"] == "Grüße"


def test_an_attached_message_is_not_encoded(alice: Client) -> None:
    blob = alice.upload(message(body="Grüße", more="Content-Type: text/plain; charset=utf-8"))
    told = created(alice, attachments=[{"blobId": blob, "type": "message/rfc822"}])
    octets = octets_of(alice, told["blobId"])
    assert octets.count(b"Content-Transfer-Encoding: 8bit\r\n") == 2
    assert "Grüße".encode() in octets


def test_a_content_type_can_be_given_as_a_header_field(alice: Client) -> None:
    part = {"partId": "t", "header:Content-Type": "text/calendar; method=REQUEST", "disposition": "inline"}
    told = created(alice, bodyStructure=part, bodyValues={"t": {"value": "BEGIN:VCALENDAR\nü"}})
    root = read(alice, told, "bodyStructure", "bodyValues")
    assert root["bodyStructure"]["type"] == "text/calendar"
    assert root["bodyStructure"]["charset"] == "utf-8"
    assert root["bodyValues"] == {} or root["bodyValues"]["1"]["value"] == "BEGIN:VCALENDAR\nü"
    assert b"method=REQUEST" in octets_of(alice, told["blobId"])


LEAF = {"partId": "t"}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"headers": []}, ["headers"]),
        (structure({**LEAF, "headers": []}), ["bodyStructure/headers"]),
        ({"from": [], "header:From": " x"}, ["from", "header:From"]),
        ({"subject": "x", "header:subject:asText": "y"}, ["header:subject:asText", "subject"]),
        ({"header:X": " x", "header:x:asText": "y"}, ["header:X", "header:x:asText"]),
        ({"header:X": " x", "header:x:all": [" y"]}, ["header:X", "header:x:all"]),
        (
            structure({**LEAF, "type": "text/plain", "header:Content-Type": " text/plain"}),
            ["bodyStructure/header:Content-Type", "bodyStructure/type"],
        ),
        (
            structure({**LEAF, "language": ["en"], "header:content-language": "de"}),
            ["bodyStructure/header:content-language", "bodyStructure/language"],
        ),
        (
            structure({**LEAF, "name": "x", "header:Content-Disposition": " inline"}),
            ["bodyStructure/header:Content-Disposition", "bodyStructure/name"],
        ),
        ({"header:From:asDate": "2020-01-01T00:00:00Z"}, ["header:From:asDate"]),
        ({"header:Subject:asAddresses": []}, ["header:Subject:asAddresses"]),
        ({"header:X:asNothing": "x"}, ["header:X:asNothing"]),
        ({"header:Content-Type": " text/plain"}, ["header:Content-Type"]),
        ({"header:content-foo:asText": "x"}, ["header:content-foo:asText"]),
        (structure(LEAF, textBody=[LEAF]), ["bodyStructure", "textBody"]),
        (structure(LEAF, htmlBody=[], attachments=[]), ["attachments", "bodyStructure", "htmlBody"]),
        (structure({**LEAF, "header:Subject": " x"}, subject="y"), ["bodyStructure/header:Subject"]),
        (text_draft(textBody=[]), ["textBody"]),
        (text_draft(textBody=[LEAF, LEAF]), ["textBody"]),
        (text_draft(textBody=[{**LEAF, "type": "text/html"}]), ["textBody/0/type"]),
        (text_draft(textBody=[{**LEAF, "header:Subject": "x"}], subject="y"), ["textBody/0/header:Subject"]),
        ({"htmlBody": [{**LEAF, "type": "text/plain"}], "bodyValues": {"t": {"value": ""}}}, ["htmlBody/0/type"]),
        (structure({**LEAF, "blobId": "G1"}), ["bodyStructure/blobId", "bodyStructure/partId"]),
        (structure({"type": "text/plain"}), ["bodyStructure/blobId", "bodyStructure/partId"]),
        (structure({"partId": "x"}), ["bodyStructure/partId"]),
        ({"bodyStructure": LEAF}, ["bodyStructure/partId"]),
        (structure({**LEAF, "charset": "utf-8"}), ["bodyStructure/charset"]),
        (structure({**LEAF, "size": 5}), ["bodyStructure/size"]),
        (
            structure({"type": "multipart/mixed", "subParts": [{**LEAF, "charset": "utf-8"}]}),
            ["bodyStructure/subParts/0/charset"],
        ),
        (
            structure({**LEAF, "header:Content-Transfer-Encoding": " 8bit"}),
            ["bodyStructure/header:Content-Transfer-Encoding"],
        ),
        (structure(LEAF, bodyValues={"t": {"value": "", "isTruncated": True}}), ["bodyValues/t/isTruncated"]),
        (
            structure(LEAF, bodyValues={"t": {"value": "", "isEncodingProblem": True}}),
            ["bodyValues/t/isEncodingProblem"],
        ),
        (structure(LEAF, bodyValues={"t": {}}), ["bodyValues/t/value"]),
        (structure(LEAF, bodyValues={"t": "x"}), ["bodyValues/t"]),
        (structure(LEAF, bodyValues=[]), ["bodyStructure/partId", "bodyValues"]),
        (structure({"type": "multipart/mixed"}), ["bodyStructure/subParts"]),
        (structure({"type": "multipart/mixed", "subParts": []}), ["bodyStructure/subParts"]),
        (
            structure({"type": "multipart/mixed", "partId": "t", "subParts": [LEAF]}),
            ["bodyStructure/partId"],
        ),
        (structure({**LEAF, "type": "text/plain", "subParts": [{"partId": "t"}]}), ["bodyStructure/subParts"]),
        (structure({"subParts": [LEAF, LEAF]}), ["bodyStructure/subParts/1/partId"]),
        (structure({"subParts": [LEAF, 5]}), ["bodyStructure/subParts/1"]),
        (structure({**LEAF, "unknown": 1}), ["bodyStructure/unknown"]),
        (structure({**LEAF, "type": "nonsense"}), ["bodyStructure/type"]),
        (structure({**LEAF, "type": "text/plain; charset=x"}), ["bodyStructure/type"]),
        (structure({**LEAF, "type": "text/plain\r\nX: y"}), ["bodyStructure/type"]),
        (structure({**LEAF, "name": "a\r\nX: y"}), ["bodyStructure/name"]),
        (structure({**LEAF, "disposition": "inline\r\nX: y"}), ["bodyStructure/disposition"]),
        (structure({**LEAF, "cid": "a>\r\nX: <y"}), ["bodyStructure/cid"]),
        (structure({**LEAF, "language": ["en\r\nX: y"]}), ["bodyStructure/language"]),
        (structure({**LEAF, "location": "a\r\nX: y"}), ["bodyStructure/location"]),
        (structure({**LEAF, "name": 5}), ["bodyStructure/name"]),
        (
            structure({"header:Content-Type": " multipart/mixed; boundary=x", "subParts": [LEAF]}),
            ["bodyStructure/header:Content-Type"],
        ),
        (
            structure({**LEAF, "header:Content-Type": " text/plain; charset=iso-8859-1"}),
            ["bodyStructure/header:Content-Type"],
        ),
        ({"attachments": {}}, ["attachments"]),
        ({"attachments": ["x"]}, ["attachments/0"]),
        ({"subject": "a\r\nBcc: x@y"}, ["subject"]),
        ({"subject": 5}, ["subject"]),
        ({"to": [{"name": "x"}]}, ["to"]),
        ({"to": [{"email": "a@b>, <c@d"}]}, ["to"]),
        ({"to": "a@b"}, ["to"]),
        ({"sentAt": "yesterday"}, ["sentAt"]),
        ({"messageId": ["<a@b>"]}, ["messageId"]),
        ({"header:X": " a\r\nBcc: b"}, ["header:X"]),
        ({"header:X:all": " a"}, ["header:X:all"]),
        ({"header:X Y": " a"}, ["header:X Y"]),
        ({"id": "E1", "blobId": "G1", "threadId": "T1", "size": 1}, ["blobId", "id", "size", "threadId"]),
        ({"preview": "", "hasAttachment": False}, ["hasAttachment", "preview"]),
        ({"nonsense": 1}, ["nonsense"]),
        ({"mailboxIds": ...}, ["mailboxIds"]),
        ({"mailboxIds": {}}, ["mailboxIds"]),
        ({"mailboxIds": {"M999": True}}, ["mailboxIds"]),
        ({"keywords": {"a b": True}}, ["keywords"]),
        ({"keywords": {"a": False}}, ["keywords"]),
        ({"receivedAt": "2020-01-01T00:00:00+01:00"}, ["receivedAt"]),
        (
            structure({**LEAF, "size": 5}, subject=5, mailboxIds=..., keywords=5),
            ["bodyStructure/size", "keywords", "mailboxIds", "subject"],
        ),
    ],
    ids=lambda value: json.dumps(value, default=str)[:60],
)
def test_what_the_rfc_forbids_is_refused_by_name(
    alice: Client, properties: dict[str, Any], expected: list[str]
) -> None:
    assert wrong(alice, **properties) == expected


def test_parts_nested_too_deep_or_too_many_are_refused(alice: Client) -> None:
    part: dict[str, Any] = LEAF
    for _ in range(60):
        part = {"type": "multipart/mixed", "subParts": [part]}
    assert len(wrong(alice, **structure(part))) == 1
    parts = [{"partId": str(number)} for number in range(1200)]
    values = {str(number): {"value": ""} for number in range(1200)}
    assert wrong(alice, bodyStructure={"subParts": parts}, bodyValues=values)


def test_every_blob_that_is_not_there_is_told(alice: Client, bob: Client) -> None:
    there, of_bob = alice.upload(b"x"), bob.upload(b"of bob")
    gone = "G" + "0" * 64
    ids = [there, gone, of_bob, f"{there}-0-2-n", f"{there}-1-1-n", "nonsense", gone, f"{there}-0-1-n"]
    error = refused(alice, attachments=[{"blobId": blob_id} for blob_id in ids])
    assert error["type"] == "blobNotFound"
    assert error["notFound"] == [gone, of_bob, f"{there}-0-2-n", f"{there}-1-1-n", "nonsense"]


def test_too_many_keywords_or_mailboxes_are_refused(alice: Client) -> None:
    assert refused(alice, keywords={f"k{number}": True for number in range(200)})["type"] == "tooManyKeywords"


def test_a_mailbox_made_in_the_same_request_is_referred_to_by_its_creation_id(alice: Client) -> None:
    calls = [
        ["Mailbox/set", {"accountId": alice.account, "create": {"m": {"name": "New"}}}, "0"],
        ["Email/set", {"accountId": alice.account, "create": {"k": {"mailboxIds": {"#m": True}}}}, "1"],
    ]
    answer = alice.request(*calls)["methodResponses"]
    box, told = answer[0][1]["created"]["m"]["id"], answer[1][1]["created"]["k"]
    assert alice.get("Email", told["id"], "mailboxIds")["mailboxIds"] == {box: True}


def test_a_message_beyond_the_limits_is_too_large(server: Server) -> None:
    server.settings = MailSettings(max_size_email=5000, max_size_attachments_per_email=2000)
    server.close()
    server.__post_init__()
    alice = server.client()
    small, large = alice.upload(b"\0" * 900), alice.upload(b"\0" * 1500)
    assert refused(alice, attachments=[{"blobId": small}, {"blobId": large}])["type"] == "tooLarge"
    assert refused(alice, attachments=[{"blobId": small}] * 3)["type"] == "tooLarge"
    assert refused(alice, **text_draft("x" * 5000))["type"] == "tooLarge"
    created(alice, attachments=[{"blobId": small}] * 2)


def test_one_request_makes_messages_of_four_times_the_largest_size(server: Server) -> None:
    server.settings = MailSettings(max_size_email=5000)
    server.close()
    server.__post_init__()
    alice = server.client()
    drafts = {alice.mailbox("drafts"): True}
    records = {f"k{number}": {"mailboxIds": drafts, **text_draft("x" * 4000)} for number in range(6)}
    calls = [["Email/set", {"accountId": alice.account, "create": records}, name] for name in "ab"]
    first, second = (response[1] for response in alice.request(*calls)["methodResponses"])
    assert first["created"].keys() == {"k0", "k1", "k2", "k3", "k4"}
    assert {name: error["type"] for name, error in first["notCreated"].items()} == {"k5": "rateLimit"}
    assert {error["type"] for error in second["notCreated"].values()} == {"rateLimit"}
    created(alice, **text_draft("x" * 4000))
    assert alice.faults() == []


def test_messages_that_turn_out_too_large_count_as_made(server: Server) -> None:
    server.settings = MailSettings(max_size_email=5000)
    server.close()
    server.__post_init__()
    alice = server.client()
    drafts = {alice.mailbox("drafts"): True}
    records = {f"k{number}": {"mailboxIds": drafts, **text_draft("x\n" * 5000)} for number in range(3)}
    errors = alice.call("Email/set", create=records)["notCreated"]
    assert [errors[name]["type"] for name in records] == ["tooLarge", "tooLarge", "rateLimit"]


def test_bcc_is_kept_in_the_draft(alice: Client) -> None:
    told = created(alice, bcc=[{"email": "secret@example.org"}])
    assert b"Bcc: secret@example.org\r\n" in octets_of(alice, told["blobId"])


def test_a_draft_is_found_by_its_words_and_joins_its_thread(alice: Client) -> None:
    first = alice.import_(message("Plans", message_id="first@example.com"))
    told = created(alice, **text_draft(subject="Re: Plans", inReplyTo=["first@example.com"]))
    assert told["threadId"] == first["threadId"]
    assert alice.call("Email/query", filter={"body": "brilliant"})["ids"] == [told["id"]]
    assert alice.faults() == []


STRINGS = st.text(st.characters(exclude_categories=("Cs", "Cn")), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | STRINGS | st.sampled_from(["t", "text/plain", "multipart/x"])
ADDRESSES = st.lists(st.fixed_dictionaries({"email": STRINGS}, optional={"name": st.none() | STRINGS}), max_size=3)
HEADER_NAMES = st.builds(
    "header:{}{}{}".format,
    st.sampled_from(["X", "Subject", "From", "Content-Type", "Content-Disposition", "Date", "MIME-Version"]),
    st.sampled_from(["", ":asText", ":asAddresses", ":asGroupedAddresses", ":asDate", ":asURLs", ":asMessageIds"]),
    st.sampled_from(["", ":all"]),
)


def parts(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["partId", "type", "name", "charset", "disposition", "cid", "language", "location", "size"])
    return st.builds(
        lambda leaf, more, inside: {**leaf, **more, **({} if inside is None else {"subParts": inside})},
        st.sampled_from([{}, {"partId": "t"}, {"partId": "u"}]),
        st.dictionaries(names | HEADER_NAMES, SCALARS, max_size=2),
        st.none() | st.lists(inner, max_size=3),
    )


VALUES = st.recursive(
    SCALARS | ADDRESSES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3) | parts(inner),
    max_leaves=12,
)
TREES = st.recursive(parts(st.just({"partId": "t"})), parts, max_leaves=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    fields=st.dictionaries(
        st.sampled_from(["from", "to", "subject", "messageId", "sentAt"]) | HEADER_NAMES, VALUES, max_size=3
    ),
    body=st.dictionaries(
        st.sampled_from(["bodyStructure", "textBody", "attachments", "keywords"]), TREES | VALUES, max_size=2
    ),
    text=STRINGS,
)
def test_any_email_object_becomes_a_sound_message_or_is_refused(
    alice: Client, fields: dict[str, Any], body: dict[str, Any], text: str
) -> None:
    values = {"t": {"value": text}, "u": {"value": text}}
    answer = create(alice, **fields, **body, bodyValues=values)
    if answer["created"]:
        octets = octets_of(alice, answer["created"]["k"]["blobId"])
        assert octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r")
        assert max(map(len, octets.split(b"\r\n"))) <= 998
        names = re.findall(rb"^([!-9;-~]+):", octets.partition(b"\r\n\r\n")[0], re.M)
        assert len(names) == len(
            octets.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b"").replace(b"\r\n\t", b"").split(b"\r\n")
        )
    else:
        assert answer["notCreated"]["k"]["type"] == "invalidProperties"
        assert answer["notCreated"]["k"]["properties"]
