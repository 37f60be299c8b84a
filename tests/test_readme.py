"""What the README shows works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jmaplite.cli import COMMANDS
from tests.live import jmaplite

README = (Path(__file__).parent.parent / "README.md").read_text()


@pytest.mark.parametrize("example", re.findall(r"^```toml\n(.*?)^```$", README, re.M | re.S))
def test_every_configuration_shown_is_one(tmp_path: Path, example: str) -> None:
    (tmp_path / "config.toml").write_text(example.replace(":8080", ":0"))

    told = jmaplite("check-config", tmp_path / "config.toml")

    assert (told.returncode, told.stdout.strip()) == (0, "OK")


def test_every_command_is_listed_and_no_other() -> None:
    listed = set(re.findall(r"^\| `jmaplite ([a-z-]+)", README, re.M))

    assert listed == set(COMMANDS)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([a-zA-Z][^):]*)\)", README))))
def test_every_file_that_is_pointed_to_is_there(target: str) -> None:
    assert (Path(__file__).parent.parent / target).exists()
