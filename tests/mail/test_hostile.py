"""Bad input is normal input: every request has its right error or its answer, and nothing is answered serverFail."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jmaplite.core.errors import RequestError
from jmaplite.datatypes.mail import EMAIL, MAIL, MAILBOX
from tests.mail.jmap import BASE, CORE, Client, Server, message

METHODS = [
    *(f"{name}/{verb}" for name in ("Mailbox", "Thread", "Email") for verb in ("get", "changes")),
    *(f"{name}/{verb}" for name in ("Mailbox", "Email") for verb in ("set", "query", "queryChanges")),
    "Email/copy",
    "Email/import",
    "Core/echo",
    "Email/nothing",
]

NAMES = [
    "accountId", "ids", "properties", "sinceState", "maxChanges", "ifInState", "create", "update", "destroy", "filter",
    "sort", "position", "anchor", "anchorOffset", "limit", "calculateTotal", "collapseThreads", "sinceQueryState",
    "upToId", "emails", "fromAccountId", "onSuccessDestroyOriginal", "bodyProperties", "fetchAllBodyValues",
    "maxBodyValueBytes", "onDestroyRemoveEmails", "sortAsTree", "filterAsTree", "#ids",
]  # fmt: skip

WORDS = [
    "E1", "M1", "M2", "T1", "#k", "singleton", "AND", "OR", "NOT", "operator", "conditions", "property", "receivedAt",
    "isAscending", "collation", "i;ascii-casemap", "keyword", "$seen", "keywords/$seen", "keywords", "mailboxIds",
    "mailboxIds/M2", "header:From:asAddresses", "header:x:all", "header:Subject:asDate", "bodyValues", "textBody",
    "2020-01-01T00:00:00Z", "blobId", "\x00", "😀", '"', "'", "%", "_", "\\", "a*", "NEAR(", "resultOf", "name", "path",
    "/list/*/id", "parentId", "role", "inbox", *EMAIL.conditions, *MAILBOX.conditions, *EMAIL.properties,
    *EMAIL.sorts, *MAILBOX.properties,
]  # fmt: skip

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cn"]), max_size=12)
"""What I-JSON may hold (RFC 7493 §2.1)."""

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70).filter(lambda n: abs(n) < 1 << 64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(WORDS),
    texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from([*WORDS, *NAMES]), inner, max_size=4)
    ),
    max_leaves=12,
)
arguments = st.dictionaries(st.sampled_from(NAMES), values, max_size=6)
calls = st.lists(st.tuples(st.sampled_from(METHODS), arguments, st.sampled_from(["0", "1", "k"])), max_size=4)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory))
        client = server.client()
        for index in range(5):
            client.import_(message(f"m{index}", "apple pear"), keywords=["$seen"] if index % 2 else [])
        yield client
        server.close()


@settings(max_examples=600)
@given(calls=calls, with_account=st.booleans())
def test_no_arguments_make_a_method_fail(client: Client, calls: list[Any], with_account: bool) -> None:
    for _, given_arguments, _ in calls:
        if with_account:
            given_arguments["accountId"] = client.account
    answer = client.request(*[list(call) for call in calls])

    for name, arguments_, _ in answer["methodResponses"]:
        assert (name, arguments_.get("type")) != ("error", "serverFail"), arguments_
    assert len(answer["methodResponses"]) >= len(calls)


@settings(max_examples=300)
@given(wanted=values, sort=values, collapse=st.booleans(), text=texts)
def test_no_filter_or_sort_makes_a_query_fail(
    client: Client, wanted: Any, sort: Any, collapse: bool, text: str
) -> None:
    for filter_ in (wanted, {"text": text}, {"operator": "NOT", "conditions": [wanted, {"subject": text}]}):
        for data_type in ("Email", "Mailbox"):
            more = {"collapseThreads": collapse} if data_type == "Email" else {"sortAsTree": collapse}
            _, answer = client.try_call(f"{data_type}/query", filter=filter_, sort=sort, calculateTotal=True, **more)
            assert answer.get("type") != "serverFail", answer


@settings(max_examples=300)
@given(changes=st.dictionaries(st.sampled_from(WORDS), values, max_size=4), create=values)
def test_no_patch_or_record_makes_a_set_fail(client: Client, changes: dict[str, Any], create: Any) -> None:
    state = client.call("Email/get", ids=[])["state"]
    for data_type, record_id in (("Email", "E1"), ("Mailbox", "M2")):
        ids = client.call(f"{data_type}/query")["ids"]
        record_id = ids[0] if ids else record_id
        _, answer = client.try_call(
            f"{data_type}/set", update={record_id: changes}, create={"k": create}, ifInState="other"
        )
        assert answer["type"] in ("stateMismatch", "invalidArguments", "requestTooLarge"), answer
        _, answer = client.try_call(f"{data_type}/set", update={record_id: changes}, create={"k": create})
        assert answer.get("type") != "serverFail", answer
    assert client.call("Email/changes", sinceState=state)["hasMoreChanges"] is False


@settings(max_examples=300)
@given(octets=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode())))
def test_octets_that_are_no_request_are_refused(client: Client, octets: bytes) -> None:
    with pytest.raises(RequestError) as raised:
        client.server.engine.process(client.principal, BASE, octets)

    assert 400 <= raised.value.status < 500


HOSTILE = {
    "hardly a header": b"x:\r\n\r\njust a body\r\n",
    "only a header": b"Subject: x",
    "NULs": b"Subject: a\x00b\r\nFrom: \x00\r\n\r\n\x00\x00body\x00",
    "ten thousand nested parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(10_000)
    ),
    "a 5 MB header line": b"Subject: " + b"x" * 5_000_000 + b"\r\n\r\nbody",
    "a 5 MB address list": b"To: " + b"a@example.com, " * 330_000 + b"\r\n\r\nbody",
    "an unknown charset": b"Content-Type: text/plain; charset=klingon\r\n\r\n\xff\xfe\xfd",
    "a cut multipart": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p",
    "a header of 100,000 fields": b"X: y\r\n" * 100_000 + b"\r\nbody",
    "odd charsets": b"Subject: =?utf-7?q?+ADw-?= =?x?z?y?=\r\nContent-Transfer-Encoding: x-zip\r\n\r\n\x80",
    "dates far away": b"Date: Fri, 31 Dec 9999 23:59:59 -2359\r\nReceived: x; 1 Jan 0000 00:00:00 +0000\r\n\r\n.",
    "lone surrogates": "Subject: \ud800\r\n\r\n\udfff".encode("utf-8", "surrogatepass"),
    "noncharacters": "Subject: \ufffe\uffff\r\n\r\n\U0010ffff".encode(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_are_read_as_well_as_possible(alice: Client, name: str) -> None:
    made = alice.import_(HOSTILE[name])

    whole = alice.call(
        "Email/get",
        ids=[made["id"]],
        properties=[*EMAIL.properties, "header:Subject:asText:all", "header:To:asGroupedAddresses"],
        bodyProperties=["partId", "blobId", "size", "headers", "name", "type", "charset", "header:Content-Type"],
        fetchAllBodyValues=True,
        maxBodyValueBytes=1000,
    )
    assert whole["list"][0]["size"] == len(HOSTILE[name])
    json.dumps(whole).encode("utf-8")
    assert alice.faults() == []
    alice.call("Email/set", destroy=[made["id"]])
    assert alice.faults() == []


def test_an_id_of_a_megabyte_is_no_id(alice: Client) -> None:
    long = "E" * 1_000_000
    assert alice.error("Email/get", ids=[long]) == "invalidArguments"
    assert alice.error("Email/set", destroy=[long]) == "invalidArguments"
    assert alice.error("Email/query", anchor=long) == "invalidArguments"
    assert alice.error("Email/get", accountId=long, ids=[]) in ("invalidArguments", "accountNotFound")


def test_capabilities_that_a_request_does_not_use_are_not_there(alice: Client) -> None:
    body = json.dumps({"using": [CORE], "methodCalls": [["Email/get", {"accountId": alice.account}, "0"]]}).encode()

    answer = json.loads(alice.server.engine.process(alice.principal, BASE, body))

    assert answer["methodResponses"] == [["error", {"type": "unknownMethod"}, "0"]]
    assert MAIL in alice.session["capabilities"]
