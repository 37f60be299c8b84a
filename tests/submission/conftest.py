"""A post office, and those who use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.submission.post import ALICE, BOB, Mailer, PostOffice


@pytest.fixture
def office(tmp_path: Path) -> Iterator[PostOffice]:
    office = PostOffice(tmp_path)
    yield office
    office.close()


@pytest.fixture
def alice(office: PostOffice) -> Mailer:
    return office.mailer(ALICE)


@pytest.fixture
def bob(office: PostOffice) -> Mailer:
    return office.mailer(BOB)
