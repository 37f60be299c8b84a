"""What is kept of scripts that were parsed."""

from __future__ import annotations

import pytest

from jmaplite.datatypes.sieve import SieveSettings
from jmaplite.datatypes.sieve.parsed import parsed
from jmaplite.formats.sieve import SieveError

SETTINGS = SieveSettings()


class Blob:
    """Octets under a digest that nothing else has, and how often they are read."""

    def __init__(self, digest: str, octets: bytes) -> None:
        self.digest = f"{digest} of {__name__}".encode()
        self.octets = octets
        self.count = 0

    def read(self) -> bytes:
        self.count += 1
        return self.octets

    def run(self) -> None:
        parsed(SETTINGS, self.digest, self.read)


def test_what_runs_often_is_parsed_once_be_it_a_script_or_not() -> None:
    good, bad = Blob("good", b"keep;"), Blob("bad", b"nothing;")
    for _ in range(3):
        good.run()
        with pytest.raises(SieveError):
            bad.run()
    assert (good.count, bad.count) == (1, 1)


def test_scripts_are_kept_up_to_a_million_octets_together() -> None:
    """In memory they are much more than that."""
    first, *others = (Blob(str(number), b"#" * 60_000) for number in range(18))
    for each in (first, *others[:15], first, *others[15:], first):
        each.run()
    assert first.count == 1, "it was used lately"
    others[0].run()
    assert others[0].count == 2
