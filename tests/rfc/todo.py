"""Todo, the type that RFC 8620 §5.7 supposes: a data type is one file, and one line where it is listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jmaplite.core.catalog import Capability
from jmaplite.core.conditions import Scan
from jmaplite.core.context import Access, Context
from jmaplite.core.methods import STANDARD
from jmaplite.core.records import Records
from jmaplite.core.schema import DataType, Property, Sort
from jmaplite.store import Reader

TODO_URN = "https://example.com/apis/todo"

TODO = DataType(
    "Todo",
    TODO_URN,
    prefix="d",
    methods=("get", "changes", "set", "copy", "query", "queryChanges"),
    properties={
        "title": Property("String", collated=True),
        "keywords": Property("String[true]", default={}),
        "neuralNetworkTimeEstimation": Property("Number", server_set=True, stored=False),
        "subTodoIds": Property("Id[]|null", default=None, refers="Todo"),
    },
    kinds={"true": lambda value: value is True},
    sorts={"title": Sort("{a}.title_key", text="{a}.title", mutable=frozenset({"title"}))},
)


TODO.records = Records(TODO)

_SECONDS = {"beethoven": 900, "chopin": 2700, "liszt": 900, "mozart": 900, "rachmaninov": 900, "video": 18000}


@TODO.compute("neuralNetworkTimeEstimation")
def neural_network_time_estimation(
    ctx: Context, access: Access, tx: Reader, number: int, record: Mapping[str, Any]
) -> int:
    """What the words of title and keywords take, in seconds."""
    return sum(_SECONDS.get(word, 0) for word in {*record["title"].lower().split(), *record["keywords"]})


@TODO.condition("hasKeyword", "String")
def has_keyword(ctx: Context, tx: Reader, value: str) -> Scan:
    """Todos with the given keyword."""
    where = "EXISTS (SELECT 1 FROM json_each({a}.keywords) k WHERE k.key=?)"
    return Scan(where, (value,), mutable=frozenset({"keywords"}))


def todo() -> Capability:
    """The capability that Todo belongs to."""
    methods = TODO.freeze().standard_methods(STANDARD)
    return Capability(TODO_URN, lambda limits: {}, lambda limits, access: {}, methods, (TODO,))
