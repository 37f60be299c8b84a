"""docs/sieve.md tells of every capability and every limit."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from jmaplite.formats.sieve import CAPABILITIES, OPTIONAL_CAPABILITIES, Limits

PAGE = (Path(__file__).parents[3] / "docs" / "sieve.md").read_text("utf-8")


def section(title: str) -> list[list[str]]:
    """The cells of the table under a title."""
    text = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]


def test_every_capability_has_a_row() -> None:
    named = [row[0].strip("`") for row in section("Capabilities")]
    assert named == sorted(CAPABILITIES | OPTIONAL_CAPABILITIES)


def test_every_limit_has_a_row_with_its_default() -> None:
    told: dict[str, int] = {}
    for row in section("Limits"):
        names = re.findall(r"`(\w+)`", row[0])
        values = [int(value) for value in row[1].split(", ")]
        if len(values) == 1:
            values *= len(names)
        told |= dict(zip(names, values, strict=True)) if len(names) == len(values) else {}
    assert told == {each.name: each.default for each in fields(Limits) if isinstance(each.default, int)}
    assert "`protected_headers`" in PAGE
