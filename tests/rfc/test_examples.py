"""examples.tsv names tests that are there, and every example that is run here."""

from __future__ import annotations

import ast
import csv
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def rows() -> list[dict[str, str]]:
    with (HERE / "examples.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", strict=True))


def tests_of(path: Path) -> set[str]:
    """The names of the tests in a module."""
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_test_that_is_named_exists() -> None:
    for row in rows():
        path, _, name = row["test"].partition("::")
        if name:
            assert name in tests_of(ROOT / path), row["test"]


def test_every_example_has_a_test_or_a_reason_to_have_none() -> None:
    assert len(rows()) > 40
    for row in rows():
        assert ("::" in row["test"]) != bool(row["reason"]), row


def test_every_test_of_an_example_here_is_in_the_table() -> None:
    named = {row["test"] for row in rows()}
    here = {f"tests/rfc/{path.name}::{name}" for path in HERE.glob("test_rfc*.py") for name in tests_of(path)}
    assert {test for test in here if test.partition("::test_")[2][0].isdigit()} <= named
