"""How often somebody may ask, and how soon again after a log-in that failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.core.errors import RequestError
from jmaplite.web.rates import LONGEST_DELAY, PATIENCE, Bucket, Rates, is_own, network
from jmaplite.web.settings import Rate, RateLimits
from tests.web.serving import DEMO, Answer, Site, basic, problem, serving

PATH = "/.well-known/jmap"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_lets_through_what_it_holds_and_then_as_much_as_flows_in() -> None:
    clock = Clock()
    bucket = Bucket(Rate(3, 60), 10, clock)
    assert [bucket.take("a") for _ in range(3)] == [0, 0, 0]
    assert bucket.take("a") == pytest.approx(20)
    assert bucket.take("b") == 0
    clock.now += 20
    assert bucket.take("a") == 0
    assert bucket.wait("a") == pytest.approx(20)
    clock.now += 1000
    assert [bucket.take("a") > 0 for _ in range(4)] == [False, False, False, True]


@given(st.lists(st.tuples(st.text(), st.floats(0, 10))))
def test_a_bucket_keeps_no_more_than_it_may(asked: list[tuple[str, float]]) -> None:
    clock = Clock()
    bucket = Bucket(Rate(2, 1), 3, clock)
    for key, later in asked:
        clock.now += later
        bucket.take(key)
        assert len(bucket._full) <= 3


def refused(rates: Rates, address: str, name: str) -> bool:
    try:
        rates.attempt(address, name)
    except RequestError:
        return True
    return False


def test_the_delay_after_failures_grows_and_keeps_nobody_out_elsewhere() -> None:
    clock = Clock()
    rates = Rates(RateLimits(authentication=Rate(10_000, 1)), clock)
    for _ in range(PATIENCE):
        assert not refused(rates, "192.0.2.1", "jane")
        rates.failed("192.0.2.1", "jane")
    delays = []
    for _ in range(12):
        before = clock.now
        while refused(rates, "192.0.2.1", "jane"):
            assert not refused(rates, "192.0.2.2", "jane")
            assert not refused(rates, "192.0.2.1", "joe")
            clock.now += 1
        delays.append(clock.now - before)
        rates.failed("192.0.2.1", "jane")
    assert delays == sorted(delays)
    assert delays[0] == 1
    assert delays[-1] == LONGEST_DELAY
    clock.now += LONGEST_DELAY
    rates.succeeded("192.0.2.1", "jane")
    rates.failed("192.0.2.1", "jane")
    assert not refused(rates, "192.0.2.1", "jane")


def test_an_address_may_fail_so_often_whatever_the_names() -> None:
    clock = Clock()
    rates = Rates(RateLimits(authentication=Rate(10, 60)), clock)
    for number in range(10):
        assert not refused(rates, "192.0.2.1", f"{number}")
        rates.failed("192.0.2.1", f"{number}")
    assert refused(rates, "192.0.2.1", "jane")
    assert not refused(rates, "192.0.2.2", "jane")
    clock.now += 6
    assert not refused(rates, "192.0.2.1", "jane")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("not:an address", "not:another", False),
    ],
)
def test_a_network_of_ipv6_counts_as_one_address(one: str, other: str, same: bool) -> None:
    assert (network(one) == network(other)) is same


def test_a_machines_own_addresses_are_known() -> None:
    assert [is_own(one) for one in ("127.0.0.1", "::1", "", "::ffff:127.0.0.1", "192.0.2.1", "::2")] == [True] * 4 + [
        False
    ] * 2


PROXIED = 'proxy.trusted-networks = "127.0.0.0/8"'


def from_address(site: Site, address: str, authorization: str | None = DEMO) -> Answer:
    return site.ask("GET", PATH, authorization=authorization, X_Forwarded_For=address)


def limited(answer: Answer, limit: str) -> None:
    assert answer.status == 429
    assert problem(answer)["type"] == "urn:ietf:params:jmap:error:limit"
    assert answer.json["limit"] == limit
    assert int(answer.header("retry-after") or "0") >= 1


def test_a_user_may_ask_so_often(tmp_path: Path) -> None:
    with serving(tmp_path, 'rate-limit.account = "3/1h"') as site:
        assert [site.ask("GET", PATH).status for _ in range(3)] == [200] * 3
        limited(site.call(["Core/echo", {}, "0"]), "jmap.rate-limit.account")
        assert site.ask("GET", PATH, authorization=basic("zoë", "pässwörd")).status == 200


def test_a_stranger_may_ask_so_often(tmp_path: Path) -> None:
    with serving(tmp_path, 'rate-limit.anonymous = "3/1h"', PROXIED) as site:
        assert [from_address(site, "192.0.2.1", None).status for _ in range(3)] == [401] * 3
        limited(from_address(site, "192.0.2.1", None), "jmap.rate-limit.anonymous")
        assert from_address(site, "192.0.2.2", None).status == 401
        assert from_address(site, "192.0.2.1").status == 200


def test_an_address_that_guesses_has_to_wait_and_nobody_else(tmp_path: Path) -> None:
    with serving(tmp_path, 'rate-limit.authentication = "3/1h"', PROXIED) as site:
        assert from_address(site, "192.0.2.1").status == 200
        guesses = [from_address(site, "192.0.2.1", basic("demo", f"guess {n}")) for n in range(4)]
        assert [one.status for one in guesses[:3]] == [401] * 3
        limited(guesses[3], "jmap.rate-limit.authentication")
        limited(from_address(site, "192.0.2.1", basic("zoë", "pässwörd")), "jmap.rate-limit.authentication")
        assert from_address(site, "192.0.2.1").status == 200, "who is known already is let in"
        assert from_address(site, "192.0.2.2", basic("zoë", "pässwörd")).status == 200


def test_an_address_that_nobody_vouches_for_does_not_count(tmp_path: Path) -> None:
    """Whoever is no trusted proxy cannot choose its address, and so not escape by another one."""
    with serving(tmp_path) as site:
        statuses = [from_address(site, f"192.0.2.{n}", basic("demo", "guess")).status for n in range(PATIENCE + 1)]
        assert statuses == [401] * PATIENCE + [429]
        assert from_address(site, "192.0.2.1", basic("zoë", "pässwörd")).status == 200
