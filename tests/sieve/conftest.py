"""A user with scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sieve.client import Scripter
from tests.submission.post import ALICE, PostOffice


@pytest.fixture
def alice(tmp_path: Path) -> Iterator[Scripter]:
    office = PostOffice(tmp_path)
    yield Scripter(office, ALICE)
    office.close()
