"""The examples of RFC 8620 in which HTTP has a part: the Session object (§2.1), request-level errors (§3.6.1.1)."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from typing import Any
from urllib.parse import urlsplit

from tests.live import PASSWORD, USER, Live

CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"
FOOBAR = "https://example.com/apis/foobar"


def ask(live: Live, method: str, path: str, body: Any = None) -> tuple[int, str, Any]:
    """Status, media type and JSON of a response."""
    credentials = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(urlsplit(live.url).netloc, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, str(answer.headers.get_content_type()), json.loads(answer.read())
    finally:
        connection.close()


def test_2_1_the_session(live: Live) -> None:
    status, media_type, session = ask(live, "GET", "/.well-known/jmap")
    assert (status, media_type) == (200, "application/json")
    assert session.keys() == {
        "capabilities", "accounts", "primaryAccounts", "username", "apiUrl", "downloadUrl", "uploadUrl",
        "eventSourceUrl", "state", "ticketUrl",
    }  # fmt: skip
    # The example prints maxConcurrentRequest; the property that §2 describes is maxConcurrentRequests.
    assert session["capabilities"][CORE].keys() == {
        "maxSizeUpload", "maxConcurrentUpload", "maxSizeRequest", "maxConcurrentRequests", "maxCallsInRequest",
        "maxObjectsInGet", "maxObjectsInSet", "collationAlgorithms",
    }  # fmt: skip
    assert {"i;ascii-numeric", "i;ascii-casemap", "i;unicode-casemap"} <= {
        *session["capabilities"][CORE]["collationAlgorithms"]
    }
    assert session["capabilities"][MAIL] == {}
    own, shared = session["primaryAccounts"][MAIL], session["accounts"].keys() - {session["primaryAccounts"][MAIL]}
    assert len(shared) == 1
    for account_id, is_personal in ((own, True), (*shared, False)):
        account = session["accounts"][account_id]
        assert account.keys() == {"name", "isPersonal", "isReadOnly", "accountCapabilities"}
        assert (account["isPersonal"], account["isReadOnly"]) == (is_personal, False)
        assert account["accountCapabilities"][MAIL].keys() >= {"maxMailboxesPerEmail", "maxMailboxDepth"}
        # Not in the example; but Blob/copy is a method of the core that the user may use with every account (§2, §6.3).
        assert account["accountCapabilities"][CORE] == {}
        assert account["accountCapabilities"].keys() <= session["capabilities"].keys()
    assert session["primaryAccounts"].keys() == session["accounts"][own]["accountCapabilities"].keys() - {CORE}
    assert session["username"] == USER
    assert session["apiUrl"].startswith(live.url)
    for name, variables in {
        "downloadUrl": ("{accountId}", "{blobId}", "{name}", "{type}"),
        "uploadUrl": ("{accountId}",),
        "eventSourceUrl": ("{types}", "{closeafter}", "{ping}"),
    }.items():
        assert session[name].startswith(live.url)
        assert all(session[name].count(variable) == 1 for variable in variables)


def test_capabilities_are_registered_ones(live: Live) -> None:
    """RFC 8620 §1.8: those of vendors are URLs of their domains. We have none, so what is our own is no capability."""
    _, _, session = ask(live, "GET", "/.well-known/jmap")
    assert {urn.rpartition(":")[0] for urn in session["capabilities"]} == {"urn:ietf:params:jmap"}


def test_3_6_1_1_a_capability_that_is_not_supported(live: Live) -> None:
    body = {"using": [CORE, FOOBAR], "methodCalls": [["Core/echo", {}, "0"]]}
    status, media_type, problem = ask(live, "POST", "/jmap/", body)
    assert (status, media_type) == (400, "application/problem+json")
    assert problem == {
        "type": "urn:ietf:params:jmap:error:unknownCapability",
        "status": 400,
        "detail": f"The Request object used capability '{FOOBAR}', which is not supported by this server.",
    }


def test_4_1_echo(live: Live) -> None:
    call = ["Core/echo", {"hello": True, "high": 5}, "b3ff"]
    status, _, answer = ask(live, "POST", "/jmap/", {"using": [CORE], "methodCalls": [call]})
    _, _, session = ask(live, "GET", "/.well-known/jmap")
    assert status == 200
    assert answer == {"methodResponses": [call], "sessionState": session["state"]}
