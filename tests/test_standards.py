"""docs/standards.tsv says what is true."""

from __future__ import annotations

import csv
from pathlib import Path

from jmaplite import datatypes
from jmaplite.core.catalog import Catalog
from jmaplite.push.capability import with_push
from jmaplite.push.subscription import PUSH_SUBSCRIPTION
from jmaplite.push.transports import push_capabilities

TABLE = Path(__file__).parent.parent / "docs" / "standards.tsv"


def everything() -> Catalog:
    """All that a server can do."""
    return Catalog(with_push((*datatypes.capabilities(), *push_capabilities()), PUSH_SUBSCRIPTION, str))


def rows() -> list[dict[str, str]]:
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_every_row_has_a_known_state() -> None:
    assert {row["state"] for row in rows()} <= {"yes", "partial", "no"}


def test_a_capability_is_announced_exactly_if_something_of_it_is_there() -> None:
    announced = set(everything().urns)

    assert announced == {row["capability"] for row in rows() if row["state"] != "no"}


def test_every_method_that_has_a_row_of_its_own_is_there_exactly_if_the_row_says_so() -> None:
    catalog = everything()
    for row in rows():
        if "/" in row["title"] and not row["title"].startswith("/"):
            assert (catalog.method(row["title"]) is not None) == (row["state"] != "no"), row["title"]


def test_every_data_type_has_a_row() -> None:
    titles = {row["title"] for row in rows()}

    for capability in everything().capabilities:
        assert {data_type.name for data_type in capability.types} <= titles | {"Email"}
