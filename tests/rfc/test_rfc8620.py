"""The examples of RFC 8620 for which a data type is needed: above all Todo (§5.7), whose description is in `todo`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mail.jmap import BOB, message
from tests.rfc.conftest import ExampleClient

PIANO = dict.fromkeys(["music", "beethoven", "mozart", "liszt", "rachmaninov"], True)
VIDEO = dict.fromkeys(["music", "video", "trance"], True)
MUSIC_OR_VIDEO = {
    "filter": {"operator": "OR", "conditions": [{"hasKeyword": "music"}, {"hasKeyword": "video"}]},
    "sort": [{"property": "title"}],
}
WHOLE = {
    "title": "Practise Piano",
    "keywords": dict.fromkeys(["music", "beethoven", "chopin", "liszt", "rachmaninov"], True),
}
PATCH = {"keywords/chopin": True, "keywords/mozart": None}


def reference(result_of: str, name: str, path: str) -> dict[str, str]:
    return {"resultOf": result_of, "name": name, "path": path}


def test_3_7_the_emails_of_the_first_threads_of_the_inbox(alice: ExampleClient) -> None:
    threads = []
    for number in range(1, 13):
        asked = message(f"Subject {number}", message_id=f"{number}@x")
        answered = message(f"Re: Subject {number}", references=[f"{number}@x"])
        days = (f"2020-01-{number:02}T00:00:00Z", f"2020-02-{number:02}T00:00:00Z")
        made = [alice.import_(octets, received=day) for octets, day in zip((asked, answered), days, strict=True)]
        threads.append([email["id"] for email in made])
    query = {
        "filter": {"inMailbox": alice.mailbox("inbox")},
        "sort": [{"property": "receivedAt", "isAscending": False}],
        "collapseThreads": True,
        "position": 0,
        "limit": 10,
        "calculateTotal": True,
    }
    properties = ["from", "receivedAt", "subject"]
    queried, _, got, emails = alice.send(
        ["Email/query", query, "t0"],
        ["Email/get", {"#ids": reference("t0", "Email/query", "/ids"), "properties": ["threadId"]}, "t1"],
        ["Thread/get", {"#ids": reference("t1", "Email/get", "/list/*/threadId")}, "t2"],
        ["Email/get", {"#ids": reference("t2", "Thread/get", "/list/*/emailIds"), "properties": properties}, "t3"],
    )
    newest_first = threads[:1:-1]
    assert (queried["ids"], queried["total"]) == ([answer for _, answer in newest_first], 12)
    assert [thread["emailIds"] for thread in got["list"]] == newest_first
    assert [email["id"] for email in emails["list"]] == [each for thread in newest_first for each in thread]
    assert all(email.keys() == {"id", *properties} for email in emails["list"])


@pytest.fixture
def ids(alice: ExampleClient) -> list[str]:
    """The ids of the Todos with music or video, by title; more of them than the example asks for."""
    titles = [("Practise Piano", PIANO), ("Watch Daft Punk music video", VIDEO)]
    titles += [(f"watch video {number:02}", {"video": True}) for number in range(10)]
    create = {f"k{n}": {"title": title, "keywords": keywords} for n, (title, keywords) in enumerate(reversed(titles))}
    made = alice.call("Todo/set", create=create | {"other": {"title": "Sleep"}})["created"]
    return [made[f"k{n}"]["id"] for n in reversed(range(len(titles)))]


def test_5_7_query_and_get(alice: ExampleClient, ids: list[str]) -> None:
    query = {**MUSIC_OR_VIDEO, "position": 0, "limit": 10}
    queried, got = alice.send(
        ["Todo/query", query, "0"], ["Todo/get", {"#ids": reference("0", "Todo/query", "/ids")}, "1"]
    )
    assert queried.pop("queryState")
    assert queried == {"accountId": alice.account, "canCalculateChanges": True, "position": 0, "ids": ids[:10]}
    assert [todo["id"] for todo in got.pop("list")[:2]] == ids[:2]
    assert got == {"accountId": alice.account, "state": alice.state("Todo"), "notFound": []}
    assert alice.get("Todo", ids[0]) == {
        "id": ids[0],
        "title": "Practise Piano",
        "keywords": PIANO,
        "neuralNetworkTimeEstimation": 3600,
        "subTodoIds": None,
    }
    assert alice.get("Todo", ids[1]) == {
        "id": ids[1],
        "title": "Watch Daft Punk music video",
        "keywords": VIDEO,
        "neuralNetworkTimeEstimation": 18000,
        "subTodoIds": None,
    }


@pytest.mark.parametrize("changes", [PATCH, WHOLE], ids=["minimal patch", "whole object"])
def test_5_7_set_update(alice: ExampleClient, ids: list[str], changes: dict[str, Any]) -> None:
    """The whole object has the estimation that the server knows: any other would be refused (§5.3)."""
    if changes is WHOLE:
        changes = {"id": ids[0], **WHOLE, "neuralNetworkTimeEstimation": 3600}
    state = alice.state("Todo")
    [answer] = alice.send(["Todo/set", {"ifInState": state, "update": {ids[0]: changes}}, "0"])
    assert answer == {
        "accountId": alice.account,
        "oldState": state,
        "newState": alice.state("Todo"),
        "created": None,
        "updated": {ids[0]: {"neuralNetworkTimeEstimation": 5400}},
        "destroyed": None,
        "notCreated": None,
        "notUpdated": None,
        "notDestroyed": None,
    }
    assert answer["newState"] != state
    assert alice.get("Todo", ids[0], *WHOLE) == {"id": ids[0], **WHOLE}


def test_5_7_set_update_with_the_estimation_as_it_is_printed(alice: ExampleClient, ids: list[str]) -> None:
    """The example says 360 where the server had said 3600; by the words of §5.3 that is not allowed."""
    whole = {"id": ids[0], **WHOLE, "neuralNetworkTimeEstimation": 360}
    [answer] = alice.send(["Todo/set", {"update": {ids[0]: whole}}, "0"])
    assert answer["updated"] is None
    assert answer["notUpdated"][ids[0]]["type"] == "invalidProperties"
    assert answer["notUpdated"][ids[0]]["properties"] == ["neuralNetworkTimeEstimation"]


def test_5_7_set_with_a_creation_id(alice: ExampleClient, ids: list[str]) -> None:
    [answer] = alice.send(
        [
            "Todo/set",
            {"create": {"k15": {"title": "Warm up with scales"}}, "update": {ids[0]: {"subTodoIds": ["#k15"]}}},
            "0",
        ]
    )
    scales = answer["created"]["k15"]["id"]
    assert answer["created"] == {
        "k15": {"id": scales, "keywords": {}, "neuralNetworkTimeEstimation": 0, "subTodoIds": None}
    }
    assert answer["updated"] == {ids[0]: None}
    assert alice.get("Todo", ids[0], "subTodoIds")["subTodoIds"] == [scales]


def test_creates_are_put_in_order_whatever_order_they_are_given_in(alice: ExampleClient) -> None:
    """RFC 8620 §5.3: creates happen before their creation ids are referenced by another in the same call."""
    create = {
        "k1": {"title": "Practise", "subTodoIds": ["#k2", "#k3"]},
        "k2": {"title": "Warm up", "subTodoIds": ["#k3"]},
        "k3": {"title": "Sit down"},
    }
    answer = alice.call("Todo/set", create=create)
    assert answer["notCreated"] is None
    made = {name: told["id"] for name, told in answer["created"].items()}
    assert alice.get("Todo", made["k1"], "subTodoIds")["subTodoIds"] == [made["k2"], made["k3"]]
    assert alice.get("Todo", made["k2"], "subTodoIds")["subTodoIds"] == [made["k3"]]


def test_todos_that_would_be_beneath_each_other_are_not_created(alice: ExampleClient) -> None:
    create = {
        name: {"title": name, "subTodoIds": [f"#{other}"]} for name, other in (("a", "b"), ("b", "a"), ("c", "c"))
    }
    answer = alice.call("Todo/set", create={**create, "d": {"title": "d"}})
    assert answer["created"].keys() == {"d"}
    assert {error["type"] for error in answer["notCreated"].values()} == {"invalidProperties"}
    assert [error["properties"] for error in answer["notCreated"].values()] == [["subTodoIds"]] * 3


def test_5_7_changes_and_query_changes(alice: ExampleClient, ids: list[str]) -> None:
    state = alice.state("Todo")
    query_state = alice.call("Todo/query", **MUSIC_OR_VIDEO)["queryState"]
    alice.call("Todo/set", destroy=[ids[1]])
    changes, query_changes = alice.send(
        ["Todo/changes", {"sinceState": state, "maxChanges": 50}, "0"],
        ["Todo/queryChanges", {**MUSIC_OR_VIDEO, "sinceQueryState": query_state, "maxChanges": 50}, "1"],
    )
    assert changes == {
        "accountId": alice.account,
        "oldState": state,
        "newState": alice.state("Todo"),
        "hasMoreChanges": False,
        "created": [],
        "updated": [],
        "destroyed": [ids[1]],
    }
    # The example prints null for added, which §5.6 says is an AddedItem[].
    assert query_changes == {
        "accountId": alice.account,
        "oldQueryState": query_state,
        "newQueryState": alice.call("Todo/query", **MUSIC_OR_VIDEO)["queryState"],
        "removed": [ids[1]],
        "added": [],
    }


def test_5_7_another_user_s_change_is_seen(alice: ExampleClient) -> None:
    """The other user of the example, in the account that both have access to."""
    team = alice.team()
    video = team.call("Todo/set", create={"k": {"title": "Listen to Daft Punk", "keywords": VIDEO}})["created"]["k"]
    state = team.state("Todo")
    ExampleClient(alice.server, BOB, team.account).call("Todo/set", destroy=[video["id"]])
    assert team.state("Todo") != state
    assert team.call("Todo/changes", sinceState=state, maxChanges=50)["destroyed"] == [video["id"]]


def test_5_7_copy_to_another_account(alice: ExampleClient, ids: list[str]) -> None:
    team = alice.team()
    before, team_before = alice.state("Todo"), team.state("Todo")
    arguments = {
        "fromAccountId": alice.account,
        "accountId": team.account,
        "create": {"k5122": {"id": ids[0]}},
        "onSuccessDestroyOriginal": True,
    }
    copied, destroyed = alice.responses(["Todo/copy", arguments, "0"])
    made = copied[1]["created"]["k5122"]["id"]
    assert copied == [
        "Todo/copy",
        {
            "fromAccountId": alice.account,
            "accountId": team.account,
            "oldState": team_before,
            "newState": team.state("Todo"),
            "created": {"k5122": {"id": made, "neuralNetworkTimeEstimation": 3600}},
            "notCreated": None,
        },
        "0",
    ]
    assert destroyed == [
        "Todo/set",
        {
            "accountId": alice.account,
            "oldState": before,
            "newState": alice.state("Todo"),
            "created": None,
            "updated": None,
            "destroyed": [ids[0]],
            "notCreated": None,
            "notUpdated": None,
            "notDestroyed": None,
        },
        "0",
    ]
    assert team.get("Todo", made, "title", "keywords") == {"id": made, "title": "Practise Piano", "keywords": PIANO}
    assert alice.call("Todo/get", ids=[ids[0]])["notFound"] == [ids[0]]
