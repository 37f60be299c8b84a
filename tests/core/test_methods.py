"""The standard methods, by way of the RFC's own example: a type Todo (RFC 8620 §5.7)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jmaplite.core.catalog import CORE, Capability, Catalog
from jmaplite.core.conditions import Scan
from jmaplite.core.context import Access, Context, Services
from jmaplite.core.engine import Engine
from jmaplite.core.errors import SetError
from jmaplite.core.limits import Limits
from jmaplite.core.methods import STANDARD
from jmaplite.core.records import Records
from jmaplite.core.schema import CORE_TABLES, DataType, DescriptionError, Property, Sort
from jmaplite.directory import Principal
from jmaplite.store import Reader, Schema, Writer
from jmaplite.store.sqlite import SQLiteStore

TODO_URN = "urn:example:todo"
BASE = "http://127.0.0.1"
USER = Principal("user", member_of=("team",))
TEAM = Principal("team", kind="group")


class TodoRecords(Records):
    """Todos; the server thinks that each letter of a title takes a minute."""

    def insert(
        self, ctx: Context, access: Access, tx: Writer, record: Mapping[str, Any], prepared: Any
    ) -> tuple[int, dict[str, Any]]:
        estimate = {"neuralNetworkTimeEstimation": 60 * len(record["title"])}
        return super().insert(ctx, access, tx, {**record, **estimate}, prepared)

    def update(
        self, ctx: Context, access: Access, tx: Writer, number: int, changes: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        if "title" not in changes:
            return super().update(ctx, access, tx, number, changes)
        told = {"neuralNetworkTimeEstimation": 60 * len(changes["title"])}
        super().update(ctx, access, tx, number, {**changes, **told})
        return told


def todo_type() -> DataType:
    todo = DataType(
        "Todo",
        TODO_URN,
        prefix="d",
        methods=("get", "changes", "set", "copy", "query", "queryChanges"),
        properties={
            "title": Property("String", index=True),
            "keywords": Property("String[Boolean]", default={}),
            "neuralNetworkTimeEstimation": Property("UnsignedInt", default=0, server_set=True),
            "subTodoIds": Property("Id[]|null", default=None, refers="Todo"),
            "madeFor": Property("String|null", default=None, immutable=True),
            "isMuted": Property("Boolean", default=False, per_user=True),
        },
        sorts={"title": Sort("{a}.title", text="{a}.title", mutable=frozenset({"title"}))},
    )
    todo.records = TodoRecords(todo)

    @todo.rule("title")
    def title_is_unique(ctx: Context, tx: Writer, number: int) -> None:
        sql = "SELECT 1 FROM todo a JOIN todo b ON b.title=a.title AND b.id<>a.id WHERE a.account=? AND a.id=?"
        if tx.value(sql, tx.account, number) is not None:
            raise SetError("invalidProperties", properties=["title"])

    @todo.condition("hasKeyword", "String")
    def has_keyword(ctx: Context, tx: Reader, value: str) -> Scan:
        return Scan("{a}.keywords LIKE ?", (f'%"{value}"%',), mutable=frozenset({"keywords"}))

    return todo.freeze()


class People:
    def principal(self, name: str) -> Principal | None:
        return {"user": USER, "team": TEAM}.get(name)


@dataclass
class Todos:
    """An engine that knows Todos only, and a user of it."""

    path: Path
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        todo = todo_type()
        methods = todo.standard_methods(STANDARD)
        capability = Capability(TODO_URN, lambda limits: {}, lambda limits, access: {}, methods, (todo,))
        catalog = Catalog((CORE, capability))
        self.store = SQLiteStore(self.path, Schema((*CORE_TABLES, *todo.tables())))
        services = Services(self.store, None, self.limits, lambda: 0.0)  # type: ignore[arg-type]
        self.engine = Engine(services, catalog, People())  # type: ignore[arg-type]
        self.account, self.team = self.engine.session(USER, BASE).accounts

    def request(self, *calls: list[Any], **more: Any) -> list[Any]:
        """The responses to calls, which get the account unless they name one."""
        calls = tuple([name, {"accountId": self.account, **arguments}, call_id] for name, arguments, call_id in calls)
        body = {"using": [CORE.urn, TODO_URN], "methodCalls": calls, **more}
        answer: dict[str, Any] = json.loads(self.engine.process(USER, BASE, json.dumps(body).encode()))
        found: list[Any] = answer["methodResponses"]
        return found

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        name, answer, _ = self.request([method, arguments, "c"])[0]
        assert name == method, answer
        found: dict[str, Any] = answer
        return found

    def make(self, title: str, **more: Any) -> str:
        return str(self.call("Todo/set", create={"k": {"title": title, **more}})["created"]["k"]["id"])


@pytest.fixture
def todos(tmp_path: Path) -> Iterator[Todos]:
    found = Todos(tmp_path)
    yield found
    found.store.close()


def test_the_query_and_the_get_of_the_example(todos: Todos) -> None:
    piano = todos.make("Practise Piano", keywords={"music": True, "mozart": True})
    video = todos.make("Watch Daft Punk music video", keywords={"video": True})
    todos.make("Sleep")
    wanted = {"operator": "OR", "conditions": [{"hasKeyword": "music"}, {"hasKeyword": "video"}]}
    reference = {"resultOf": "0", "name": "Todo/query", "path": "/ids"}
    query = {"filter": wanted, "sort": [{"property": "title"}], "position": 0, "limit": 10}
    queried, got = todos.request(["Todo/query", query, "0"], ["Todo/get", {"#ids": reference}, "1"])
    assert queried[1]["ids"] == [piano, video]
    assert [todo["title"] for todo in got[1]["list"]] == ["Practise Piano", "Watch Daft Punk music video"]
    assert got[1]["list"][0] == {
        "id": piano,
        "title": "Practise Piano",
        "keywords": {"music": True, "mozart": True},
        "neuralNetworkTimeEstimation": 840,
        "subTodoIds": None,
        "madeFor": None,
        "isMuted": False,
    }


def test_what_the_server_changed_unasked_is_told(todos: Todos) -> None:
    piano = todos.make("Piano")
    assert todos.call("Todo/set", update={piano: {"title": "Organ!", "keywords/bach": True}})["updated"] == {
        piano: {"neuralNetworkTimeEstimation": 360}
    }
    assert todos.call("Todo/set", update={piano: {"keywords/bach": None}})["updated"] == {piano: None}


def test_the_whole_object_and_the_smallest_patch_have_the_same_effect(todos: Todos) -> None:
    for number, patch in enumerate(
        [{"keywords/chopin": True, "keywords/mozart": None}, {"keywords": {"chopin": True}}]
    ):
        piano = todos.make(f"Piano {number}", keywords={"mozart": True})
        whole = todos.call("Todo/get", ids=[piano])["list"][0]
        changes = patch if number == 0 else whole | patch
        assert todos.call("Todo/set", update={piano: changes})["updated"] == {piano: None}
        assert todos.call("Todo/get", ids=[piano])["list"] == [whole | {"keywords": {"chopin": True}}]


def test_a_server_set_value_that_was_true_before_the_patch_may_be_given(todos: Todos) -> None:
    piano = todos.make("Piano")
    same = {"title": "Organ!", "neuralNetworkTimeEstimation": 300}
    assert todos.call("Todo/set", update={piano: same})["updated"] == {piano: {"neuralNetworkTimeEstimation": 360}}
    answer = todos.call("Todo/set", update={piano: same})
    assert answer["notUpdated"][piano]["properties"] == ["neuralNetworkTimeEstimation"]


def test_an_immutable_property_is_set_once(todos: Todos) -> None:
    piano = todos.make("Piano", madeFor="Ann")
    assert todos.call("Todo/set", update={piano: {"madeFor": "Ann"}})["updated"] == {piano: None}
    for value in ("Ben", None):
        answer = todos.call("Todo/set", update={piano: {"madeFor": value}})
        assert answer["notUpdated"][piano]["properties"] == ["madeFor"]


def test_a_list_of_ids_may_have_creation_ids(todos: Todos) -> None:
    piano = todos.make("Piano")
    answer = todos.call("Todo/set", create={"k15": {"title": "Scales"}}, update={piano: {"subTodoIds": ["#k15"]}})
    made = answer["created"]["k15"]["id"]
    assert answer["updated"] == {piano: None}
    assert todos.call("Todo/get", ids=[piano])["list"][0]["subTodoIds"] == [made]
    answer = todos.call("Todo/set", create={"a": {"title": "A", "subTodoIds": ["#b", piano]}, "b": {"title": "B"}})
    assert answer["created"]["a"]["subTodoIds"] == [answer["created"]["b"]["id"], piano]
    answer = todos.call("Todo/set", create={"a": {"title": "C", "subTodoIds": ["#none"]}})
    assert answer["notCreated"]["a"]["properties"] == ["subTodoIds"]


@pytest.mark.parametrize("patch", [{"subTodoIds/0": "x"}, {"subTodoIds/-": "x"}, {"subTodoIds/0/x": None}])
def test_nothing_is_patched_inside_an_array(todos: Todos, patch: dict[str, Any]) -> None:
    piano = todos.make("Piano", subTodoIds=[todos.make("Scales")])
    assert todos.call("Todo/set", update={piano: patch})["notUpdated"][piano]["type"] == "invalidPatch"


def test_the_example_s_changes(todos: Todos) -> None:
    todos.make("Piano", keywords={"music": True})
    video = todos.make("Video", keywords={"music": True})
    query = {"filter": {"hasKeyword": "music"}, "sort": [{"property": "title"}]}
    state, query_state = todos.call("Todo/get")["state"], todos.call("Todo/query", **query)["queryState"]
    todos.call("Todo/set", destroy=[video])
    changes = todos.call("Todo/changes", sinceState=state, maxChanges=50)
    assert (changes["created"], changes["updated"], changes["destroyed"]) == ([], [], [video])
    changes = todos.call("Todo/queryChanges", **query, sinceQueryState=query_state, maxChanges=50)
    assert (changes["removed"], changes["added"]) == ([video], [])


def test_the_example_s_move_to_another_account(todos: Todos) -> None:
    piano = todos.make("Piano", keywords={"music": True}, isMuted=True)
    arguments = {"accountId": todos.team, "fromAccountId": todos.account, "onSuccessDestroyOriginal": True}
    copied, destroyed = todos.request(
        ["Todo/copy", {**arguments, "create": {"k": {"id": piano, "title": "Organ"}}}, "0"]
    )
    told = copied[1]["created"]["k"]
    assert told == {"id": told["id"], "neuralNetworkTimeEstimation": 300}
    assert (destroyed[0], destroyed[1]["destroyed"], destroyed[2]) == ("Todo/set", [piano], "0")
    made = todos.call("Todo/get", accountId=todos.team, ids=[told["id"]])["list"][0]
    assert (made["title"], made["keywords"], made["isMuted"]) == ("Organ", {"music": True}, True)


def test_a_copy_keeps_the_rules_of_its_type(todos: Todos) -> None:
    piano = todos.make("Piano")
    arguments = {"accountId": todos.team, "fromAccountId": todos.account}
    answer = todos.call("Todo/copy", **arguments, create={"a": {"id": piano}, "b": {"id": piano}})
    assert answer["created"].keys() == {"a"}
    assert answer["notCreated"]["b"]["properties"] == ["title"]
    wrong = {"id": piano, "title": 1, "neuralNetworkTimeEstimation": 1}
    answer = todos.call("Todo/copy", **arguments, create={"k": wrong})
    assert answer["notCreated"]["k"]["properties"] == ["neuralNetworkTimeEstimation", "title"]


def test_what_a_record_refers_to_must_be_in_the_account_it_is_copied_to(todos: Todos) -> None:
    piano = todos.make("Piano", subTodoIds=[todos.make("Scales")])
    arguments = {"accountId": todos.team, "fromAccountId": todos.account}
    answer = todos.call("Todo/copy", **arguments, create={"k": {"id": piano}})
    assert answer["notCreated"]["k"]["properties"] == ["subTodoIds"]
    assert todos.call("Todo/copy", **arguments, create={"k": {"id": piano, "subTodoIds": None}})["created"]


def test_a_method_error_leaves_everything_as_it_was(todos: Todos) -> None:
    before = todos.call("Todo/get")
    answer = todos.request(["Todo/set", {"create": {"k": {"title": "x"}}, "destroy": ["a b"]}, "0"])
    assert answer[0][1]["type"] == "invalidArguments"
    assert todos.call("Todo/get") == before


def described(**changes: Any) -> DataType:
    todo = todo_type()
    for name, value in changes.items():
        setattr(todo, name, value)
    return todo


@pytest.mark.parametrize(
    "changes",
    [{"properties": {"x": Property("Nonsense")}}, {"properties": {"x": Property("String", default=1)}},
     {"properties": {"x": Property("String[]", index=True)}}, {"properties": {"x": Property("String", stored=False)}},
     {"properties": {"x": Property("String", refers="Todo")}}, {"methods": ("get", "put")}, {"prefix": "do"},
     {"prefix": "1"}],
)  # fmt: skip
def test_a_description_that_contradicts_itself_is_found_at_the_start(changes: dict[str, Any]) -> None:
    with pytest.raises(DescriptionError):
        described(**changes).freeze()


def test_a_condition_cannot_be_called_operator() -> None:
    with pytest.raises(DescriptionError):
        todo_type().condition("operator", "String")(lambda ctx, tx, value: Scan("1=1"))
