"""Envelopes: what the server makes of a header, and what it takes from a client (RFC 8621 §7)."""

from __future__ import annotations

from email.headerregistry import Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.core.errors import SetError
from jmaplite.datatypes.submission.addresses import allows, is_address, plain
from jmaplite.datatypes.submission.capability import SubmissionSettings
from jmaplite.datatypes.submission.envelope import (
    check_envelope,
    envelope_of,
    faults,
    header_of,
    release_time,
    whole,
)
from jmaplite.datatypes.submission.parameters import check_recipient, others
from jmaplite.formats import compose

ADDRESSES = ("joe@example.org", "ann@example.org", "JOE@example.org", "joe@EXAMPLE.org", '"joe"@example.org',
             '"j o"@example.org', "x@other.example")  # fmt: skip
SOME = st.lists(st.sampled_from(ADDRESSES), min_size=1)
NOW = 1_700_000_000.0
SETTINGS = SubmissionSettings(max_delayed_send=86400)


def naive_key(address: str) -> tuple[str, str]:
    """An address as the standard library takes it apart: quoting undone, the domain blind to case."""
    parsed = Address(addr_spec=address)
    return parsed.username, parsed.domain.lower()


def naive_envelope(fields: list[tuple[str, list[str]]], identity: str) -> dict[str, Any]:
    """RFC 8621 §7 read aloud, over lists of addresses instead of octets."""
    senders = [addresses for name, addresses in fields if name == "Sender"]
    authors = [addresses for name, addresses in fields if name == "From"]
    found = (senders or authors)[-1][0]
    user, domain = naive_key(identity)
    same = [part.lower() for part in naive_key(found)] == [user.lower(), domain]
    recipients: list[str] = []
    for wanted in ("To", "Cc", "Bcc"):
        for name, addresses in fields:
            for address in addresses if name == wanted else ():
                if naive_key(address) not in map(naive_key, recipients):
                    recipients.append(address)
    return {
        "mailFrom": {"email": found if same else identity, "parameters": None},
        "rcptTo": [{"email": address, "parameters": None} for address in recipients],
    }


def octets_of(fields: list[tuple[str, list[str]]], *, groups: bool = False) -> bytes:
    lines = []
    for name, addresses in fields:
        items = [{"name": "Some, one" if n % 2 else None, "email": one} for n, one in enumerate(addresses)]
        form: tuple[str, Any] = ("Addresses", items)
        if groups and name in ("To", "Cc", "Bcc"):
            form = ("GroupedAddresses", [{"name": "They", "addresses": items}])
        lines.append(compose.field(name, *form))
    return b"".join(lines)


@given(
    st.lists(st.tuples(st.sampled_from(["To", "Cc", "Bcc"]), SOME), max_size=6),
    st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=2),
    st.lists(st.sampled_from(ADDRESSES), max_size=2),
    st.sampled_from(["joe@example.org", "ann@example.org"]),
    st.booleans(),
)
def test_the_envelope_is_what_the_rfc_says_of_the_header(
    recipients: list[tuple[str, list[str]]], authors: list[str], senders: list[str], identity: str, groups: bool
) -> None:
    fields = [*recipients, ("From", authors), *(("Sender", [sender]) for sender in senders)]
    header = header_of(octets_of(fields, groups=groups))
    assert envelope_of(header, identity) == naive_envelope(fields, identity)


@given(st.binary(max_size=200))
def test_any_header_is_judged_without_a_failure(octets: bytes) -> None:
    header = header_of(b"From: " + octets)
    faults(header, has_envelope=True)
    envelope_of(header, "joe@example.org")


@pytest.mark.parametrize(
    ("header", "wrong"),
    [
        (b"From: a@b.example\nTo: c@d.example\n", []),
        (b"To: c@d.example\n", ["from"]),
        (b"From: \n", ["from"]),
        (b"From: nobody\n", ["from"]),
        (b"From: undisclosed:;\n", ["from"]),
        (b"From: a@b.example\nFrom: a@b.example\n", ["from"]),
        (b"From: a@b.example, c@d.example\n", ["from"]),
        (b"From: a@b.example, c@d.example\nSender: a@b.example\n", []),
        (b"From: a@b.example\nSender: a@b.example, c@d.example\n", ["sender"]),
        (b"From: a@b.example\nSender: a@b.example\nSender: a@b.example\n", ["sender"]),
        (b"From: a@b.example\nSender:\n", ["sender"]),
        (b"From: a@b.example\nSubject: x\nSubject: y\nTo: c@d.example\nTo: e@f.example\n", ["subject", "to"]),
        (b"From: a@b.example\nCc: x@y\nCC: y@z\nBcc: x@y\nbcc: y@z\nDate: x\nDate: x\n", ["bcc", "cc", "sentAt"]),
        (b"From: a@b.example\nReceived: x\nReceived: y\nComments: x\nComments: y\n", []),
        (b"From: a@b.example\nDate: Wed, 1 Jan 2020 00:00:00 +0000\nMessage-ID: <a@b>\nReply-To: g:;\nBcc:\n", []),
        (b"From: a@b.example\nDate: tomorrow\nMessage-ID: a@b\n", ["messageId", "sentAt"]),
        (b"From: a@b.example\nTo: nobody, a@b\nCc: <@c>\nBcc: x@\nReply-To: me\n", ["bcc", "cc", "replyTo", "to"]),
    ],
)
def test_all_properties_that_make_an_email_invalid_are_named(header: bytes, wrong: list[str]) -> None:
    assert sorted(faults(header_of(header), has_envelope=True)) == wrong


def test_recipients_that_are_no_addresses_are_told_of_the_envelope_that_is_made_of_them() -> None:
    header = header_of(b"From: a@b.example\nTo: nobody\nReply-To: me\n")
    assert faults(header, has_envelope=False) == ["replyTo"]


def test_the_identity_of_a_domain_cannot_stand_in_for_a_sender_elsewhere() -> None:
    header = header_of(b"From: joe@example.org\nSender: x@other.example\n")
    with pytest.raises(SetError) as raised:
        envelope_of(header, "*@example.org")
    assert raised.value.type == "forbiddenMailFrom"
    assert envelope_of(header_of(b"From: joe@example.org\n"), "*@example.org")["mailFrom"]["email"] == "joe@example.org"


@pytest.mark.parametrize(
    "address",
    ["a@b", "first.last@example.org", "a+b=c!#$%&'*/?^_`{|}~-@example.org", '"quo ted\\" @"@example.org', "1@2.3",
     "x@[192.0.2.1]", "x@[IPv6:2001:db8::1]", "jörg@müller.example", "x@xn--mller-kva.example", "用户@例子.example"],
)  # fmt: skip
def test_a_mailbox_of_smtp_is_an_address(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    "address",
    ["", "@", "a@", "@b", "a", "a b@c", "a@b c", "a..b@c", ".a@b", "a.@b", "a@b.", "a@.b", "a@b..c", "a@-b", "a@b-",
     "<a@b>", "A <a@b>", "a@b,c@d", "a@b\r\nRCPT TO:<x@y>", "a\0@b", "a@b\n", '"a@b', '"a"b"@c', "x@[1.2.3]",
     "x@[IPv6:1.2.3.4]", "x@[fe80::1]", "x@[IPv6:fe80::1%eth0]", "a\u00a0b@c", "a@b\u2028", "a@b\x85",
     "x" * 65 + "@example.org", "x@" + "a." * 130 + "b", "x@" + "a" * 64, "a(comment)@b", "\ud800@b"],
)  # fmt: skip
def test_anything_else_is_no_address(address: str) -> None:
    assert not is_address(address)


def test_all_forms_of_quoting_are_the_same_address() -> None:
    assert plain('"joe"@Example.ORG') == plain('"j\\oe"@example.org') == "joe@example.org"
    assert plain('"a b"@x') == plain('"a\\ b"@x') == '"a b"@x'
    assert plain('"a\\"b"@x') == '"a\\"b"@x'
    assert plain("Joe@x") != plain("joe@x")


def test_a_pattern_covers_its_domain_and_nothing_beneath() -> None:
    assert allows("*@example.org", "x@EXAMPLE.org")
    assert not allows("*@example.org", "x@sub.example.org")
    assert not allows("*@example.org", "*@example.com")
    assert not allows("x@example.org", "*@example.org")


def refusal(envelope: dict[str, Any], **settings: Any) -> dict[str, Any]:
    with pytest.raises(SetError) as raised:
        check_envelope(whole(envelope), ("joe@example.org", "*@joe.example"), SubmissionSettings(**settings))
    return raised.value.to_json()


def addressed(*recipients: str, sender: str = "joe@example.org") -> dict[str, Any]:
    return {"mailFrom": {"email": sender}, "rcptTo": [{"email": recipient} for recipient in recipients]}


def test_each_mistake_in_an_envelope_has_its_own_error() -> None:
    assert refusal(addressed("a@b", sender="nobody"))["properties"] == ["envelope"]
    assert refusal(addressed("a@b", sender="ann@example.org"))["type"] == "forbiddenMailFrom"
    assert refusal(addressed())["type"] == "noRecipients"
    assert refusal(addressed("a@b", "c@d", "e@f"), max_recipients=2) == {
        "type": "tooManyRecipients",
        "maxRecipients": 2,
    }
    assert refusal(addressed("a@b", "c", "d@", "c")) == {"type": "invalidRecipients", "invalidRecipients": ["c", "d@"]}
    check_envelope(whole(addressed("a@b", sender="any@joe.example")), ("*@joe.example",), SETTINGS)


def test_nothing_need_be_returned_to() -> None:
    check_envelope(whole(addressed("a@b", sender="")), (), SETTINGS)


def test_a_parameter_of_a_recipient_is_of_no_extension_that_is_announced() -> None:
    envelope = addressed()
    envelope["rcptTo"] = [{"email": "a@b", "parameters": {"NOTIFY": "NEVER"}}]
    assert refusal(envelope)["properties"] == ["envelope"]
    envelope["rcptTo"][0]["parameters"] = {}
    check_envelope(whole(envelope), ("joe@example.org",), SETTINGS)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (None, 1_700_000_000),
        ({}, 1_700_000_000),
        ({"HOLDFOR": "1"}, 1_700_000_001),
        ({"holdfor": "86400"}, 1_700_086_400),
        ({"HOLDUNTIL": "2023-11-14T22:13:30Z"}, 1_700_000_010),
        ({"HOLDUNTIL": "2023-11-14T22:13:30.5Z"}, 1_700_000_011),
        ({"HOLDUNTIL": "2023-11-15T22:13:20Z"}, 1_700_086_400),
        ({"HOLDUNTIL": "2020-01-01T00:00:00Z"}, 1_700_000_000),
        ({"SIZE": "1000", "HOLDFOR": "2"}, 1_700_000_002),
    ],
)
def test_parameters_say_when_a_message_is_released(parameters: dict[str, str | None] | None, expected: int) -> None:
    assert release_time(parameters, SETTINGS, NOW) == expected


@pytest.mark.parametrize(
    "parameters",
    [
        {"HOLDFOR": None}, {"HOLDFOR": ""}, {"HOLDFOR": "0"}, {"HOLDFOR": "-1"}, {"HOLDFOR": "86401"},
        {"HOLDFOR": "01"}, {"HOLDFOR": "1.5"}, {"HOLDFOR": "9" * 10}, {"HOLDFOR": "١"}, {"HOLDFOR": "5\n"},
        {"HOLDUNTIL": None}, {"HOLDUNTIL": "tomorrow"}, {"HOLDUNTIL": "2023-11-15T22:13:21Z"},
        {"HOLDUNTIL": "2023-11-14T23:13:30+01:00"}, {"HOLDUNTIL": "9999-12-31T23:59:59Z"},
        {"HOLDFOR": "1", "HOLDUNTIL": "2023-11-14T22:13:30Z"}, {"HOLDFOR": "1", "holdfor": "1"},
        {"SIZE": None}, {"SIZE": "big"}, {"RET": "HDRS"}, {"BODY": "8BITMIME"}, {"AUTH": "<>"}, {"X Y": "1"},
    ],
)  # fmt: skip
def test_parameters_that_are_wrong_or_not_announced_are_refused(parameters: dict[str, str | None]) -> None:
    with pytest.raises(SetError) as raised:
        release_time(parameters, SETTINGS, NOW)
    assert (raised.value.type, raised.value.properties) == ("invalidProperties", ["envelope"])


def test_which_extensions_clients_may_use_is_configured() -> None:
    """RFC 8621 §1.3.2: new ones need no change of the code."""
    offers = {"DSN": (), "DELIVERBY": ("240",), "XYZ": (), "SIZE": ("1",)}
    settings = SubmissionSettings(passed_on=("DELIVERBY", "SIZE", "NOWHERE"), offers=lambda: offers)
    assert settings.extensions == {"FUTURERELEASE": [], "SIZE": ["75000000"], "DELIVERBY": ["240"]}


DELIVER_BY = SubmissionSettings(passed_on=("DELIVERBY",), offers=lambda: {"DELIVERBY": (), "DSN": ()})


def test_parameters_of_extensions_that_are_not_known_are_passed_on() -> None:
    of_sender = {"BY": "120;R", "HOLDFOR": "1", "X-FLAG": None}
    assert release_time(of_sender, DELIVER_BY, NOW) == NOW + 1
    check_recipient({"X-A": "1"}, DELIVER_BY.extensions)
    assert others(of_sender) == ["BY=120;R", "X-FLAG"]
    assert others({"X-A": "1", "NOTIFY": "NEVER"}) == ["X-A=1"]
    with pytest.raises(SetError):
        release_time({"BY": "120;R"}, SubmissionSettings(offers=DELIVER_BY.offers), NOW)


@pytest.mark.parametrize(
    ("name", "value"),
    [("BY", ""), ("BY", "1 2"), ("BY", "1=2"), ("BY", "ä"), ("B Y", "1"), ("", "1"), ("BODY", "8BITMIME"),
     ("AUTH", "<>"), ("SMTPUTF8", None), ("RET", "HDRS"), ("NOTIFY", "NEVER")],
)  # fmt: skip
def test_not_everything_may_be_a_parameter_that_is_not_known(name: str, value: str | None) -> None:
    with pytest.raises(SetError):
        release_time({name: value}, DELIVER_BY, NOW)


def test_a_part_of_a_second_is_waited_for() -> None:
    assert release_time({"HOLDFOR": "1"}, SETTINGS, NOW + 0.5) == NOW + 2


def test_a_declared_size_that_is_too_large_is_refused_with_the_limit() -> None:
    with pytest.raises(SetError) as raised:
        release_time({"SIZE": "1001"}, SubmissionSettings(max_size=1000), NOW)
    assert (raised.value.type, raised.value.extra) == ("tooLarge", {"maxSize": 1000})


def test_messages_are_not_held_where_that_is_switched_off() -> None:
    settings = SubmissionSettings(max_delayed_send=0)
    assert settings.extensions.keys() == {"SIZE"}
    with pytest.raises(SetError):
        release_time({"HOLDFOR": "1"}, settings, NOW)
