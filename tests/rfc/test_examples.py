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


def names_in(path: Path) -> set[str]:
    """The names of the tests in a module."""
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_example_names_a_test_that_exists_or_says_why_there_is_none() -> None:
    assert len(rows()) > 50
    for row in rows():
        path, is_test, name = row["test"].partition("::")
        if is_test:
            assert name in names_in(ROOT / path), row["test"]
        else:
            assert row["test"].endswith("."), f"{row['example']}: neither a test nor a sentence"


def test_every_test_of_an_example_here_is_in_the_table() -> None:
    named = {row["test"] for row in rows()}
    here = {f"tests/rfc/{path.name}::{name}" for path in HERE.glob("test_rfc*.py") for name in names_in(path)}
    assert {test for test in here if test.partition("::test_")[2][0].isdigit()} <= named
