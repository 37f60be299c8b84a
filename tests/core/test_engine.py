"""Requests and their responses (RFC 8620 §1.8, §3, §4)."""

from __future__ import annotations

import gc
import json
import logging
import re
import threading
import uuid
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.core import engine as engine_module
from jmaplite.core.catalog import CORE, Capability, Catalog
from jmaplite.core.context import Arguments, Context, Method, Response
from jmaplite.core.engine import ANSWER_OCTETS, LARGE_OCTETS, Engine
from jmaplite.core.errors import MethodError, RequestError, SetError, invalid_arguments
from jmaplite.core.json import Fragment
from jmaplite.directory import DirectoryUnavailable, Principal
from jmaplite.store import StoreDamaged, StoreUnavailable, UnknownAccount

from .fakes import FakeStore, directory, services

CORE_URN = "urn:ietf:params:jmap:core"
TEST_URN = "https://example.org/test"
ANN = Principal("ann", emails=("ann@example.org",))
URL = "http://localhost:8080"

Handler = Callable[[Context, Arguments], Response]


def engine(store: FakeStore | None = None, **methods: Handler) -> Engine:
    """An engine with the core and methods of a capability of its own, `Foo_get` being Foo/get."""
    return limited({}, store, **methods)


def limited(limits: dict[str, Any], store: FakeStore | None = None, **methods: Handler) -> Engine:
    own = Capability(
        TEST_URN,
        lambda limits: {},
        lambda limits, access: {},
        tuple(Method(name.replace("_", "/"), TEST_URN, handler) for name, handler in methods.items()),
    )
    return Engine(services(store or FakeStore(), **limits), Catalog((CORE, own)), directory())


def process(server: Engine, request: Any) -> Any:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    return json.loads(server.process(ANN, URL, body))


def call(server: Engine, *calls: list[Any], **more: Any) -> list[Any]:
    answer = process(server, {"using": [CORE_URN, TEST_URN], "methodCalls": list(calls), **more})
    return cast(list[Any], answer["methodResponses"])


def error_of(server: Engine, request: Any) -> dict[str, Any]:
    with pytest.raises(RequestError) as error:
        process(server, request)
    problem = error.value.to_json()
    assert problem["status"] == error.value.status
    assert problem["type"].startswith("urn:ietf:params:jmap:error:")
    assert problem["detail"]
    return problem | {"type": problem["type"].removeprefix("urn:ietf:params:jmap:error:")}


def raising(error: BaseException) -> Handler:
    def handler(context: Context, arguments: Arguments) -> Response:
        raise error

    return handler


def noting(made: list[Any]) -> Handler:
    """A method that notes each `n` it is called with."""

    def handler(context: Context, arguments: Arguments) -> Response:
        made.append(arguments.get("n"))
        return {}

    return handler


def request(*calls: Any, using: Any = (CORE_URN,), **more: Any) -> dict[str, Any]:
    return {"using": using, "methodCalls": list(calls), **more}


# Core/echo and the Response object


def test_echo_answers_exactly_the_arguments_it_is_given() -> None:
    assert call(engine(), ["Core/echo", {"hello": True, "high": 5}, "b3ff"]) == [
        ["Core/echo", {"hello": True, "high": 5}, "b3ff"]
    ]


def test_the_example_of_the_rfc() -> None:
    server = engine(
        method1=lambda context, arguments: {"arg1": 3, "arg2": "foo"},
        method2=lambda context, arguments: [
            ("method2", {"isBlah": True}),
            ("anotherResponseFromMethod2", {"data": 10, "yetmoredata": "Hello"}),
        ],
    )
    answer = process(
        server,
        {
            "using": [CORE_URN, TEST_URN],
            "methodCalls": [
                ["method1", {"arg1": "arg1data", "arg2": "arg2data"}, "c1"],
                ["method2", {"arg1": "arg1data"}, "c2"],
                ["method3", {}, "c3"],
            ],
        },
    )
    assert answer == {
        "methodResponses": [
            ["method1", {"arg1": 3, "arg2": "foo"}, "c1"],
            ["method2", {"isBlah": True}, "c2"],
            ["anotherResponseFromMethod2", {"data": 10, "yetmoredata": "Hello"}, "c2"],
            ["error", {"type": "unknownMethod"}, "c3"],
        ],
        "sessionState": server.session(ANN, URL).state,
    }


def test_any_call_id_is_echoed_even_one_used_twice() -> None:
    ids = ["", "a", "a", "é\U0001f600", "x" * 1000, "\u0000"]
    answer = call(engine(), *(["Core/echo", {"n": n}, call_id] for n, call_id in enumerate(ids)))
    assert answer == [["Core/echo", {"n": n}, call_id] for n, call_id in enumerate(ids)]


def test_calls_are_made_one_after_the_other_in_order() -> None:
    made: list[int] = []
    server = engine(Foo_get=noting(made))
    call(server, *(["Foo/get", {"n": n}, str(n)] for n in range(16)))
    assert made == list(range(16))


def test_no_calls_have_no_responses() -> None:
    assert call(engine()) == []


def test_the_session_state_is_that_of_the_session_at_the_same_url() -> None:
    server = engine()
    for url in (URL, "https://example.org"):
        answer = json.loads(server.process(ANN, url, json.dumps(request()).encode()))
        assert answer["sessionState"] == server.session(ANN, url).state


def test_fragments_in_responses_are_spliced_in() -> None:
    server = engine(Foo_get=lambda context, arguments: {"list": [Fragment(b'{"id":"a"}')]})
    assert call(server, ["Foo/get", {}, "0"]) == [["Foo/get", {"list": [{"id": "a"}]}, "0"]]


def test_a_method_is_told_who_asks_for_which_accounts_with_what() -> None:
    seen: list[Context] = []

    def handler(context: Context, arguments: Arguments) -> Response:
        seen.append(context)
        return {}

    server = engine(Foo_get=handler)
    process(server, request(["Foo/get", {}, "0"], ["Foo/get", {}, "1"], using=[TEST_URN, TEST_URN]))
    assert seen[0] is seen[1]
    assert seen[0].user == "ann"
    assert seen[0].accounts == server.session(ANN, URL).accounts
    assert seen[0].using == {TEST_URN}
    assert seen[0].services is server.services
    assert seen[0].created_ids == {}


# createdIds


def creating(context: Context, arguments: Arguments) -> Response:
    context.created_ids.update(arguments["ids"])
    return {"seen": dict(context.created_ids)}


def test_created_ids_are_answered_only_if_given() -> None:
    server = engine(Foo_set=creating)
    calls = [["Foo/set", {"ids": {"k1": "f1"}}, "0"]]
    assert "createdIds" not in process(server, request(*calls, using=[TEST_URN]))
    assert process(server, request(*calls, using=[TEST_URN], createdIds={}))["createdIds"] == {"k1": "f1"}


def test_created_ids_hold_the_original_ones_and_the_new_and_are_seen_by_later_calls() -> None:
    server = engine(Foo_set=creating)
    answer = process(
        server,
        request(
            ["Foo/set", {"ids": {"k1": "f1", "k0": "f9"}}, "0"],
            ["Foo/set", {"ids": {"k2": "f2"}}, "1"],
            using=[TEST_URN],
            createdIds={"k0": "f0", "kept": "f5"},
        ),
    )
    assert answer["createdIds"] == {"k0": "f9", "kept": "f5", "k1": "f1", "k2": "f2"}
    assert answer["methodResponses"][1][1]["seen"] == answer["createdIds"]


# Request-level errors, in their order (§3.6.1)


def test_a_request_that_is_too_large_is_not_even_parsed() -> None:
    server = limited({"max_size_request": 100})
    assert error_of(server, b"{" * 101) == {
        "type": "limit",
        "limit": "maxSizeRequest",
        "status": 400,
        "detail": "The request is larger than 100 octets.",
    }
    body = json.dumps(request()).encode()
    assert process(server, body.ljust(100))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"using":[],"using":[],"methodCalls":[]}',
        b'{"using":["\xff"]}',
        b'["\\ud800"]',
    ],
)
def test_what_is_not_i_json_is_not_json(body: bytes) -> None:
    problem = error_of(engine(), body)
    assert problem["type"] == "notJSON"
    assert problem["status"] == 400


def test_deep_nesting_is_not_json() -> None:
    for levels in (300, 1000, 100_000):
        body = b'{"using":[],"methodCalls":[["Core/echo",' + b'{"a":' * levels + b"1" + b"}" * levels + b',"0"]]}'
        assert error_of(engine(), body)["type"] == "notJSON"


@pytest.mark.parametrize("value", [None, 5, "text", [], True, [{"using": [], "methodCalls": []}]])
def test_a_request_is_an_object(value: Any) -> None:
    assert error_of(engine(), value)["type"] == "notRequest"


@pytest.mark.parametrize(
    "change",
    [
        {"using": None},
        {"using": CORE_URN},
        {"using": {CORE_URN: True}},
        {"using": [5]},
        {"using": [CORE_URN, None]},
        {"using": [[CORE_URN]]},
        {"methodCalls": None},
        {"methodCalls": {}},
        {"methodCalls": [None]},
        {"methodCalls": ["Core/echo"]},
        {"methodCalls": [[]]},
        {"methodCalls": [["Core/echo", {}]]},
        {"methodCalls": [["Core/echo", {}, "0", "1"]]},
        {"methodCalls": [["Core/echo", {}, 0]]},
        {"methodCalls": [["Core/echo", {}, None]]},
        {"methodCalls": [["Core/echo", [], "0"]]},
        {"methodCalls": [["Core/echo", None, "0"]]},
        {"methodCalls": [[5, {}, "0"]]},
        {"methodCalls": [{"0": "Core/echo", "1": {}, "2": "0"}]},
        {"methodCalls": [["Core/echo", {}, "0"], ["Core/echo", {}]]},
        {"createdIds": None},
        {"createdIds": []},
        {"createdIds": "x"},
        {"createdIds": {"k": 5}},
        {"createdIds": {"k": None}},
        {"createdIds": {"k": ""}},
        {"createdIds": {"": "a"}},
        {"createdIds": {"#k": "a"}},
        {"createdIds": {"k": "a b"}},
    ],
)
def test_what_does_not_match_the_type_of_a_request_is_no_request(change: dict[str, Any]) -> None:
    assert error_of(engine(), request() | change)["type"] == "notRequest"


@pytest.mark.parametrize("missing", ["using", "methodCalls"])
def test_using_and_method_calls_must_be_given(missing: str) -> None:
    value = request()
    del value[missing]
    assert error_of(engine(), value)["type"] == "notRequest"


def test_other_properties_of_a_request_are_ignored() -> None:
    assert process(engine(), request(x=5, clientContext={"a": None}))["methodResponses"] == []


def test_an_unknown_capability_is_named() -> None:
    problem = error_of(engine(), request(using=[CORE_URN, "https://example.com/apis/foobar"]))
    assert problem == {
        "type": "unknownCapability",
        "status": 400,
        "detail": "The Request object used capability 'https://example.com/apis/foobar', "
        "which is not supported by this server.",
    }


def test_capabilities_are_case_sensitive() -> None:
    assert error_of(engine(), request(using=[CORE_URN.upper()]))["type"] == "unknownCapability"


def test_too_many_calls_are_a_limit() -> None:
    server = limited({"max_calls_in_request": 2})
    echo = ["Core/echo", {}, "0"]
    assert len(call(server, echo, echo)) == 2
    problem = error_of(server, request(echo, echo, echo))
    assert (problem["type"], problem["limit"], problem["status"]) == ("limit", "maxCallsInRequest", 400)


def test_request_level_errors_have_an_order() -> None:
    server = limited({"max_calls_in_request": 0, "max_size_request": 200})
    bad_call = ["Core/echo", {}]
    assert error_of(server, b"{" + b" " * 200)["limit"] == "maxSizeRequest"
    assert error_of(server, b'{"using":["x"],"methodCalls":[1],}')["type"] == "notJSON"
    assert error_of(server, request(bad_call, using=["x"]))["type"] == "notRequest"
    assert error_of(server, request(["Core/echo", {}, "0"], using=["x"]))["type"] == "unknownCapability"
    assert error_of(server, request(["Core/echo", {}, "0"]))["limit"] == "maxCallsInRequest"


def test_a_request_that_is_rejected_runs_no_method_and_asks_no_store() -> None:
    made: list[int] = []
    store = FakeStore()
    server = engine(store, Foo_get=noting(made))
    error_of(server, request(["Foo/get", {}, "0"], ["Foo/get"], using=[TEST_URN]))
    error_of(server, request(["Foo/get", {}, "0"], using=[TEST_URN, "x"]))
    assert made == []
    assert store.calls == []


def test_a_long_capability_is_not_repeated_at_length() -> None:
    assert len(error_of(engine(), request(using=["x" * 1_000_000]))["detail"]) < 400


def test_accounts_that_cannot_be_reached_make_the_whole_request_unavailable() -> None:
    problem = error_of(engine(FakeStore(unavailable=True)), request())
    assert (problem["type"], problem["status"]) == ("serverUnavailable", 503)


# Method-level errors (§1.8, §3.6.2)


def test_a_method_of_a_capability_that_is_not_used_is_unknown() -> None:
    server = engine(Foo_get=lambda context, arguments: {})
    calls = [["Foo/get", {}, "0"], ["Core/echo", {}, "1"], ["Nope/get", {}, "2"], ["core/echo", {}, "3"]]
    unknown = {"type": "unknownMethod"}
    answers: dict[tuple[str, ...], list[dict[str, Any]]] = {
        (): [unknown, unknown],
        (CORE_URN,): [unknown, {}],
        (TEST_URN,): [{}, unknown],
        (TEST_URN, CORE_URN): [{}, {}],
    }
    for using, (foo, echo) in answers.items():
        found = [answer[1] for answer in process(server, request(*calls, using=using))["methodResponses"]]
        assert found == [foo, echo, unknown, unknown]


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (MethodError("forbidden"), {"type": "forbidden"}),
        (invalid_arguments("no"), {"type": "invalidArguments", "description": "no"}),
        (MethodError("stateMismatch", None, extra=5), {"type": "stateMismatch", "extra": 5}),
        (StoreUnavailable("disk full at /secret"), {"type": "serverUnavailable"}),
        (DirectoryUnavailable(), {"type": "serverUnavailable"}),
    ],
)
def test_an_error_takes_the_place_of_the_response_and_the_next_call_goes_on(
    error: Exception, answer: dict[str, Any]
) -> None:
    server = engine(Foo_get=raising(error))
    assert call(server, ["Core/echo", {}, "0"], ["Foo/get", {}, "1"], ["Core/echo", {}, "2"]) == [
        ["Core/echo", {}, "0"],
        ["error", answer, "1"],
        ["Core/echo", {}, "2"],
    ]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("secret"),
        KeyError("secret"),
        RecursionError("secret"),
        MemoryError(),
        StoreDamaged("secret"),
        SetError("forbidden", "secret"),
        RequestError("notJSON", "secret"),
    ],
)
def test_what_nobody_expected_is_a_server_fail_with_a_mark_that_is_in_the_log(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    server = engine(Foo_get=raising(error))
    with caplog.at_level(logging.ERROR):
        (name, answer, call_id), after = call(server, ["Foo/get", {"a": "body"}, "id1"], ["Core/echo", {}, "2"])
    assert (name, answer["type"], call_id) == ("error", "serverFail", "id1")
    assert after[0] == "Core/echo"
    assert "secret" not in answer["description"]
    mark = re.search(r"[0-9a-f]{8}", answer["description"])
    assert mark
    (record,) = caplog.records
    assert mark.group() in record.getMessage()
    assert "Foo/get" in record.getMessage()
    assert record.exc_info
    assert record.exc_info[1] is error
    assert "body" not in caplog.text


def test_an_account_that_went_is_not_found_and_the_session_is_built_anew() -> None:
    store = FakeStore()
    server = engine(store, Foo_get=raising(UnknownAccount("a1")))
    assert call(server, ["Foo/get", {}, "0"]) == [["error", {"type": "accountNotFound"}, "0"]]
    store.owners.clear()
    store.calls.clear()
    server.session(ANN, URL)
    assert "create_account ann" in store.calls


def test_a_response_that_is_no_json_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    server = engine(Foo_get=lambda context, arguments: {"list": [{1, 2}]})
    answer = call(server, ["Core/echo", {"a": 1}, "0"], ["Foo/get", {}, "1"], ["Core/echo", {"b": 1}, "2"])
    assert answer[0] == ["Core/echo", {"a": 1}, "0"]
    assert answer[1][0] == "error"
    assert answer[1][1]["type"] == "serverFail"
    assert answer[2] == ["Core/echo", {"b": 1}, "2"]
    assert len(caplog.records) == 1


def test_what_is_not_for_methods_to_catch_is_not_caught() -> None:
    with pytest.raises(KeyboardInterrupt):
        call(engine(Foo_get=raising(KeyboardInterrupt())), ["Foo/get", {}, "0"])


# References to previous results (§3.7); the rest of it is in test_references


def test_an_argument_may_be_taken_from_an_earlier_result() -> None:
    server = engine(Foo_query=lambda context, arguments: {"list": [Fragment(b'{"id":"f1"}'), {"id": "f2"}]})
    reference = {"resultOf": "0", "name": "Foo/query", "path": "/list/*/id"}
    answer = call(server, ["Foo/query", {}, "0"], ["Core/echo", {"#ids": reference, "a": 1}, "1"])
    assert answer[1] == ["Core/echo", {"ids": ["f1", "f2"], "a": 1}, "1"]


def test_a_reference_that_does_not_resolve_keeps_the_method_from_running() -> None:
    made: list[int] = []
    server = engine(Foo_get=noting(made))
    later = {"resultOf": "2", "name": "Core/echo", "path": ""}
    both = {"resultOf": "0", "name": "Core/echo", "path": ""}
    answer = call(
        server,
        ["Core/echo", {}, "0"],
        ["Foo/get", {"#ids": later}, "1"],
        ["Core/echo", {}, "2"],
        ["Foo/get", {"#ids": both, "ids": None}, "3"],
    )
    assert [response[0] for response in answer] == ["Core/echo", "error", "Core/echo", "error"]
    assert answer[1][1]["type"] == "invalidResultReference"
    assert answer[3][1]["type"] == "invalidArguments"
    assert made == []


def test_a_reference_may_take_a_response_of_an_implicit_call_only_if_it_is_the_first() -> None:
    server = engine(Foo_copy=lambda context, arguments: [("Foo/copy", {"a": 1}), ("Foo/set", {"a": 2})])
    first = {"resultOf": "0", "name": "Foo/copy", "path": "/a"}
    second = {"resultOf": "0", "name": "Foo/set", "path": "/a"}
    answer = call(server, ["Foo/copy", {}, "0"], ["Core/echo", {"#x": first}, "1"], ["Core/echo", {"#x": second}, "2"])
    assert answer[2] == ["Core/echo", {"x": 1}, "1"]
    assert answer[3][1]["type"] == "invalidResultReference"


def test_an_unknown_method_is_unknown_before_its_references_are_looked_at() -> None:
    assert call(engine(), ["Nope/get", {"#ids": 5}, "0"]) == [["error", {"type": "unknownMethod"}, "0"]]


def test_references_that_nest_deeper_with_each_call_do_not_break_the_response() -> None:
    deep: Any = {}
    for _ in range(248):
        deep = {"a": deep}
    calls = [["Core/echo", deep, "0"]]
    for number in range(1, 16):
        reference = {"resultOf": str(number - 1), "name": "Core/echo", "path": ""}
        calls.append(["Core/echo", {"#a": reference}, str(number)])
    answer = call(engine(), *calls)
    assert len(answer) == 16
    assert answer[0][1] == deep
    assert {response[0] for response in answer} == {"Core/echo", "error"}


def test_a_small_limit_on_requests_does_not_limit_references() -> None:
    server = limited({"max_size_request": 400}, Foo_query=lambda context, arguments: {"ids": ["m1"] * 500})
    reference = {"resultOf": "0", "name": "Foo/query", "path": "/ids"}
    assert call(server, ["Foo/query", {}, "0"], ["Core/echo", {"#ids": reference}, "1"])[1][1]["ids"] == ["m1"] * 500


# How much one request is answered


def much(context: Context, arguments: Arguments) -> Response:
    return {"list": [Fragment(b'"' + b"x" * 1_000_000 + b'"')] * arguments.get("times", 16)}


def test_the_answers_to_one_request_are_bounded_altogether() -> None:
    server = limited({"max_size_upload": 1000}, Foo_get=much, Foo_query=lambda context, arguments: {"ids": ["f1"]})
    calls = [["Foo/get", {}, str(n)] for n in range(6)]
    body = json.dumps(request(*calls, ["Foo/query", {}, "6"], using=[TEST_URN])).encode()
    document = server.process(ANN, URL, body)
    assert len(document) < ANSWER_OCTETS + 1000
    answer = json.loads(document)["methodResponses"]
    assert [response[0] for response in answer] == ["Foo/get"] * 4 + ["error"] * 2 + ["Foo/query"]
    assert [response[2] for response in answer] == [str(n) for n in range(7)]
    assert answer[4][1]["type"] == "requestTooLarge"
    assert answer[4][1]["description"]


def test_two_of_the_largest_uploads_may_be_answered() -> None:
    server = limited({"max_size_upload": 35_000_000}, Foo_get=much)
    answer = call(server, ["Foo/get", {"times": 69}, "0"], ["Foo/get", {"times": 2}, "1"])
    assert [response[0] for response in answer] == ["Foo/get", "error"]


@pytest.mark.parametrize("verb", ["set", "copy", "import", "upload", "anythingElse"])
def test_what_a_method_has_done_is_answered_whatever_else_is_answered(verb: str) -> None:
    def change(context: Context, arguments: Arguments) -> Response:
        return {"created": {"k": "x" * 3_000_000}}

    server = limited({"max_size_upload": 1000}, None, Foo_get=much, **{f"Foo_{verb}": change})
    calls = [["Foo/get", {"times": 66}, "0"], [f"Foo/{verb}", {}, "1"], ["Foo/get", {"times": 1}, "2"]]
    assert [response[0] for response in call(server, *calls)] == ["Foo/get", f"Foo/{verb}", "error"]


def test_what_was_left_out_of_the_answer_is_no_earlier_result() -> None:
    server = limited({"max_size_upload": 1000}, Foo_get=much)
    reference = {"resultOf": "0", "name": "Foo/get", "path": "/list/0"}
    answer = call(server, ["Foo/get", {"times": 68}, "0"], ["Core/echo", {"#a": reference}, "1"])
    assert answer[0][1]["type"] == "requestTooLarge"
    assert answer[1][1]["type"] == "invalidResultReference"


def test_a_response_that_nothing_refers_to_is_let_go_of_once_it_is_written_out() -> None:
    watched: list[weakref.ref[uuid.UUID]] = []
    alive: list[bool] = []

    def handler(context: Context, arguments: Arguments) -> Response:
        alive[:] = [one() is not None for one in watched]
        item = uuid.UUID(int=5)
        watched.append(weakref.ref(item))
        return {"list": [item]}

    call(engine(Foo_get=handler), ["Foo/get", {}, "0"], ["Foo/get", {}, "1"])
    assert alive == [False]


# Concurrency (§3.10, the limits of §2)


@pytest.mark.parametrize(
    ("kind", "limit"), [("request_slot", "maxConcurrentRequests"), ("upload_slot", "maxConcurrentUpload")]
)
def test_each_user_has_so_many_slots_and_no_more(kind: str, limit: str) -> None:
    server = limited({"max_concurrent_requests": 2, "max_concurrent_upload": 2})
    slot = getattr(server, kind)
    with ExitStack() as stack:
        stack.enter_context(slot("ann"))
        stack.enter_context(slot("ann"))
        with pytest.raises(RequestError) as error, slot("ann"):
            pass
        stack.enter_context(slot("bob"))
    assert error.value.to_json()["limit"] == limit
    assert error.value.to_json()["type"] == "urn:ietf:params:jmap:error:limit"
    assert error.value.status == 400
    with slot("ann"), slot("ann"):
        pass


def test_a_slot_comes_back_when_what_held_it_fails() -> None:
    server = limited({"max_concurrent_requests": 1})
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), server.request_slot("ann"):
            raise ZeroDivisionError
    with server.request_slot("ann"):
        pass


def test_users_who_have_nothing_under_way_are_not_remembered() -> None:
    server = engine()
    for number in range(10):
        with server.request_slot(f"user{number}"):
            pass
    assert not server._requests._running


def test_requests_and_uploads_are_counted_apart() -> None:
    server = limited({"max_concurrent_requests": 1, "max_concurrent_upload": 1})
    with server.request_slot("ann"), server.upload_slot("ann"):
        pass


def test_requests_of_several_threads_do_not_wait_for_each_other() -> None:
    together = threading.Barrier(3)

    def handler(context: Context, arguments: Arguments) -> Response:
        together.wait(timeout=30)
        context.created_ids["k"] = arguments["id"]
        return {"id": arguments["id"]}

    server = engine(Foo_get=handler)

    def run(number: int) -> Any:
        return process(server, request(["Foo/get", {"id": f"f{number}"}, "0"], using=[TEST_URN], createdIds={}))

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(run, range(3)))
    assert [answer["createdIds"]["k"] for answer in answers] == ["f0", "f1", "f2"]


def test_large_requests_are_parsed_one_after_the_other_and_without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    alone: list[tuple[int, bool, bool]] = []

    def noted(octets: bytes) -> Any:
        alone.append((len(octets), engine_module._one_at_a_time.locked(), gc.isenabled()))
        return json.loads(octets)

    monkeypatch.setattr(engine_module, "loads", noted)
    for size in (LARGE_OCTETS - 1, LARGE_OCTETS):
        process(engine(), json.dumps(request()).encode().ljust(size))
    assert alone == [(LARGE_OCTETS - 1, False, True), (LARGE_OCTETS, True, False)]
    assert gc.isenabled()


def test_a_large_request_that_is_no_json_keeps_no_other_waiting() -> None:
    for _ in range(2):
        assert error_of(engine(), b"{" * LARGE_OCTETS)["type"] == "notJSON"
        assert gc.isenabled()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([CORE_URN, "Core/echo", "0", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["using", "methodCalls", "createdIds", "#a", "resultOf", "path"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(
    st.fixed_dictionaries({"using": st.just([CORE_URN]), "methodCalls": st.lists(json_values, max_size=3)})
    | json_values
)
def test_any_json_is_answered_or_rejected(value: Any) -> None:
    try:
        answer = process(engine(), value)
    except RequestError:
        return
    assert len(answer["methodResponses"]) >= len(value["methodCalls"])
