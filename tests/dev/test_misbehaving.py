"""Faults as clients see them, and the log of exchanges."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.dev.conftest import USING, Site


def body(site: Site, *methods: str) -> dict[str, Any]:
    calls = [[method, {"accountId": site.account()}, str(n)] for n, method in enumerate(methods)]
    return {"using": USING, "methodCalls": calls}


def test_a_method_fails_once_and_the_others_go_on(site: Site) -> None:
    error = {"type": "serverPartialFail", "description": "half of it"}
    site.control("POST", "/faults", {"match": {"method": "Email/query"}, "effect": {"methodError": error}, "times": 1})
    calls = body(site, "Mailbox/query", "Email/query", "Email/query")["methodCalls"]
    answers = site.jmap(*calls)
    assert [answer[0] for answer in answers] == ["Mailbox/query", "error", "Email/query"]
    assert answers[1][1] == error


def test_changes_cannot_be_calculated_on_demand(site: Site) -> None:
    state = site.call("Email/get", ids=[])["state"]
    site.control(
        "POST", "/faults", {"match": {"method": "*/changes"}, "effect": {"methodError": "cannotCalculateChanges"}}
    )
    assert site.call("Email/changes", sinceState=state) == {"type": "cannotCalculateChanges"}
    site.control("DELETE", "/faults")
    assert site.call("Email/changes", sinceState=state)["newState"] == state


def test_records_fail_and_are_not_made(site: Site) -> None:
    effect = {"setError": {"type": "overQuota", "description": "full"}, "of": "create"}
    site.control("POST", "/faults", {"match": {"method": "Mailbox/set"}, "effect": effect, "times": 1})
    before = len(site.call("Mailbox/get", ids=None)["list"])
    answer = site.call("Mailbox/set", create={"a": {"name": "A"}})
    assert (answer["created"], answer["notCreated"]) == (None, {"a": {"type": "overQuota", "description": "full"}})
    assert len(site.call("Mailbox/get", ids=None)["list"]) == before
    assert site.call("Mailbox/set", create={"a": {"name": "A"}})["created"]


def test_a_whole_request_fails_with_a_status(site: Site) -> None:
    site.control(
        "POST", "/faults", {"match": {"method": "Email/query"}, "effect": {"status": 503, "retryAfter": 7}, "times": 1}
    )
    request = body(site, "Email/query")
    status, problem, headers = site.ask("POST", "/jmap/", request, token="alice-token")
    assert (status, problem["status"], headers["retry-after"]) == (503, 503, "7")
    assert site.ask("POST", "/jmap/", request, token="alice-token")[0] == 200


@pytest.mark.parametrize("path", ["/jmap/", "/.well-known/jmap"])
def test_a_connection_is_cut_without_an_answer(site: Site, path: str) -> None:
    request = body(site, "Email/query")
    site.control("POST", "/faults", {"match": {"path": path}, "effect": {"cut": True}, "times": 1})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        site.ask("POST" if path == "/jmap/" else "GET", path, request, token="alice-token")
    assert site.session()


@pytest.mark.parametrize("effect", [{"truncate": 0.5}, {"garble": True}])
def test_an_answer_is_no_json(site: Site, effect: dict[str, Any]) -> None:
    request = body(site, "Email/query")
    site.control("POST", "/faults", {"match": {"method": "Email/*"}, "effect": effect, "times": 1})
    with pytest.raises(json.JSONDecodeError):
        site.ask("POST", "/jmap/", request, token="alice-token")


def test_a_download_ends_in_the_middle(site: Site) -> None:
    account = site.account()
    _, blob, _ = site.ask("POST", f"/jmap/upload/{account}/", raw=b"x" * 1000, token="alice-token")
    site.control("POST", "/faults", {"match": {"path": "/jmap/download/*"}, "effect": {"truncate": 0.5}, "times": 1})
    path = f"/jmap/download/{account}/{blob['blobId']}/x?type=text/plain"
    with pytest.raises(http.client.IncompleteRead) as broken:
        site.ask("GET", path, token="alice-token")
    assert len(broken.value.partial) == 500
    assert len(site.ask("GET", path, token="alice-token")[1]) == 1000


def test_a_log_in_fails_with_a_status(site: Site) -> None:
    site.control("POST", "/faults", {"match": {"path": "/.well-known/*"}, "effect": {"status": 401}, "times": 1})
    assert site.ask("GET", "/.well-known/jmap", token="alice-token")[0] == 401
    assert site.session()


def test_the_nth_call_fails(site: Site) -> None:
    match = {"method": "Core/echo", "nth": 2}
    site.control("POST", "/faults", {"match": match, "effect": {"methodError": "serverFail"}})
    names = [answer[0] for answer in site.jmap(*[["Core/echo", {}, str(n)] for n in range(3)])]
    assert names == ["Core/echo", "error", "Core/echo"]


def test_what_fired_is_told(site: Site) -> None:
    site.control("POST", "/faults", {"id": "mine", "effect": {"methodError": "serverFail"}, "times": 1})
    site.jmap(["Core/echo", {}, "0"])
    (rule,) = site.control("GET", "/faults")["faults"]
    assert (rule["id"], rule["fired"], rule["left"]) == ("mine", 1, 0)
    (exchange,) = site.control("GET", "/exchanges?method=Core/echo")["exchanges"]
    assert exchange["faults"] == ["mine"]


def test_exchanges_are_logged_with_calls_states_and_errors(site: Site) -> None:
    account = site.account()
    site.jmap(["Email/query", {"accountId": account, "limit": 1}, "a"], ["Email/fly", {"accountId": account}, "b"])
    (found,) = site.control("GET", "/exchanges?method=Email/query&user=alice@example.org")["exchanges"]
    first, second = found["calls"]
    assert (first["method"], first["accountId"], first["error"]) == ("Email/query", account, None)
    assert first["oldState"]
    assert (second["method"], second["error"]) == ("Email/fly", "unknownMethod")
    whole = site.control("GET", f"/exchanges/{found['id']}")
    assert whole["request"]["methodCalls"][0][0] == "Email/query"
    assert whole["response"]["methodResponses"][1][0] == "error"
    archive = site.control("GET", "/exchanges.har?method=Email/query")
    (entry,) = archive["log"]["entries"]
    assert json.loads(entry["request"]["postData"]["text"]) == whole["request"]
    assert [one["id"] for one in site.control("GET", "/exchanges?failed=true")["exchanges"]] == [found["id"]]
    site.control("DELETE", "/exchanges")
    assert site.control("GET", "/exchanges") == {"exchanges": []}


def test_uploads_downloads_and_sessions_are_logged_too(site: Site) -> None:
    site.ask("POST", f"/jmap/upload/{site.account()}/", raw=b"x", token="alice-token")
    site.ask("GET", "/jmap/download/u0/G0/x?type=a/b", token="alice-token")
    urls = [(one["url"].partition("/u")[0], one["status"]) for one in site.control("GET", "/exchanges")["exchanges"]]
    assert urls == [("/.well-known/jmap", 200), ("/jmap", 201), ("/jmap/download", 404)]


def test_control_is_not_logged_and_cannot_be_made_to_fail(site: Site) -> None:
    site.control("POST", "/faults", {"effect": {"status": 500}})
    assert site.ask("GET", "/.well-known/jmap", token="alice-token")[0] == 500
    site.control("DELETE", "/faults")
    assert len(site.control("GET", "/exchanges")["exchanges"]) == 1


def warnings(site: Site) -> list[str]:
    return [one["rule"] for exchange in site.control("GET", "/exchanges")["exchanges"] for one in exchange["warnings"]]


def test_an_unbounded_query_is_warned_of(site: Site) -> None:
    site.call("Email/query", limit=10)
    assert warnings(site) == []
    site.call("Email/query")
    assert warnings(site) == ["unbounded-query"]


def test_fetching_all_properties_of_many_is_warned_of(site: Site) -> None:
    site.control("POST", "/generate", {"account": "alice@example.org", "threads": 12})
    ids = site.call("Email/query", limit=100)["ids"]
    site.call("Email/get", ids=ids[::-1])
    site.call("Email/get", ids=ids[::-1], properties=["id"])
    assert warnings(site) == ["all-properties"]


def test_a_method_of_a_capability_not_in_use_is_warned_of(site: Site) -> None:
    site.jmap(["Email/get", {"accountId": site.account(), "ids": []}, "0"], using=["urn:ietf:params:jmap:core"])
    assert warnings(site) == ["missing-using"]


def test_stopping_in_the_middle_of_changes_is_warned_of(site: Site) -> None:
    state = site.call("Email/get", ids=[])["state"]
    site.control("POST", "/generate", {"account": "alice@example.org", "threads": 5})
    first = site.call("Email/changes", sinceState=state, maxChanges=2)
    assert first["hasMoreChanges"]
    site.call("Email/changes", sinceState=first["newState"], maxChanges=2)
    assert warnings(site) == []
    site.call("Email/changes", sinceState=state)
    assert warnings(site) == ["has-more-changes"]


def test_a_query_and_its_get_in_two_requests_are_warned_of(site: Site) -> None:
    site.control("POST", "/generate", {"account": "alice@example.org", "threads": 2})
    account = site.account()
    (answer,) = site.jmap(["Email/query", {"accountId": account, "limit": 5}, "0"])
    site.jmap(["Email/get", {"accountId": account, "ids": answer[1]["ids"], "properties": ["id"]}, "0"])
    assert warnings(site) == ["round-trip"]


def test_replacing_all_keywords_is_warned_of(site: Site) -> None:
    site.control("POST", "/generate", {"account": "alice@example.org", "threads": 1})
    number = site.call("Email/query", limit=1)["ids"][0]
    site.call("Email/set", update={number: {"keywords/$seen": True}})
    assert "whole-map" not in warnings(site)
    site.call("Email/set", update={number: {"keywords": {}}})
    assert warnings(site) == ["whole-map"]


def test_a_session_that_has_changed_is_to_be_fetched_again(site: Site) -> None:
    account = site.account()
    site.control("PATCH", "/settings", {"options": {"jmap.protocol.get.max-objects": 3}})
    echo = {"using": USING, "methodCalls": [["Email/get", {"accountId": account, "ids": []}, "0"]]}
    for _ in range(2):
        site.ask("POST", "/jmap/", echo, token="alice-token")
    assert warnings(site) == ["stale-session"]


def test_all_states_expire_and_nothing_else_changes(site: Site) -> None:
    site.control("POST", "/deliver", {"account": "alice@example.org", "text": "Subject: x\n\nx"})
    state = site.call("Email/get", ids=[])["state"]
    site.control(
        "POST", "/faults", {"match": {"method": "Email/changes"}, "effect": {"expireStates": True}, "times": 1}
    )
    assert site.call("Email/changes", sinceState=state)["type"] == "cannotCalculateChanges"
    state = site.call("Email/get", ids=[])["state"]
    assert site.call("Email/changes", sinceState=state)["newState"] == state
    assert site.count() == 1


def test_asking_again_for_changes_that_were_lost_is_warned_of(site: Site) -> None:
    state = site.call("Email/get", ids=[])["state"]
    site.control("POST", "/reset")
    for _ in range(2):
        site.call("Email/changes", sinceState=state)
    assert warnings(site) == ["state-lost"]


def test_limits_shrink_at_run_time(site: Site) -> None:
    account = site.account()
    site.control("PATCH", "/settings", {"options": {"jmap.protocol.request.max-calls": 1}})
    calls = [["Email/get", {"accountId": account, "ids": []}, str(number)] for number in range(2)]
    status, problem, _ = site.ask("POST", "/jmap/", {"using": USING, "methodCalls": calls}, token="alice-token")
    assert (status, problem["limit"]) == (400, "maxCallsInRequest")


def test_the_archive_is_one_that_other_tools_read(site: Site) -> None:
    """HAR 1.2: what has to be there, and of which kind."""
    site.ask("GET", "/jmap/download/u0/G0/x?type=a/b", token="alice-token")
    site.jmap(["Core/echo", {}, "0"])
    text = {"type": "string"}
    number = {"type": "number"}

    def item(**members: Any) -> dict[str, Any]:
        return {"type": "object", "required": list(members), "properties": members}

    rows = {"type": "array", "items": item(name=text, value=text)}
    message = {"httpVersion": text, "cookies": rows, "headers": rows, "headersSize": number, "bodySize": number}
    url = {"type": "string", "pattern": "^https?://"}
    request = item(method=text, url=url, queryString=rows, **message)
    content = item(size=number, mimeType=text)
    response = item(status=number, statusText=text, redirectURL=text, content=content, **message)
    timings = item(send=number, wait=number, receive=number)
    date = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
    entry = item(startedDateTime=date, time=number, request=request, response=response, cache={}, timings=timings)
    creator = item(name=text, version=text)
    log = item(version={"const": "1.2"}, creator=creator, entries={"type": "array", "items": entry, "minItems": 2})
    archive = site.control("GET", "/exchanges.har")
    Draft202012Validator(item(log=log)).validate(archive)
    assert {one["request"]["method"] for one in archive["log"]["entries"]} == {"GET", "POST"}
