"""What holds for every test: no network but loopback, no settings from outside, no skip that goes unnoticed.

A test that needs something from outside Python says so with `pytest.skip("needs postfix")`. Such skips are
listed at the end of the run; with JMAPLITE_REQUIRE_ALL=1 in the environment they are failures. Only tests
marked `corpus`, whose mail cannot be installed, may be skipped then.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest
from hypothesis.internal.conjecture import providers

REQUIRE_ALL = os.environ.get("JMAPLITE_REQUIRE_ALL", "") not in ("", "0")

# Machines differ in speed, so no example fails for being slow, nor for being made slowly. The examples are the same in
# every run, so that it is a change that turns a run red; `make fuzz` takes others each time, and prints how to run
# again one that fails.
SLOW = (hypothesis.HealthCheck.too_slow,)
hypothesis.settings.register_profile("jmaplite", deadline=None, suppress_health_check=SLOW, derandomize=True)
hypothesis.settings.register_profile("fuzz", deadline=None, suppress_health_check=SLOW, print_blob=True)
hypothesis.settings.load_profile("jmaplite")


class NetworkUsed(RuntimeError):
    """A test tried to reach another machine. Not an OSError: nothing may take it for a broken connection."""


def is_local(host: object) -> bool:
    """Whether a host of a socket address or of a name look-up is this machine."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is None or host in ("", "localhost") or (isinstance(host, str) and host.endswith(".localhost")):
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def refuse_network(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook that raises NetworkUsed for what would leave this machine."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        # A path is a Unix socket, and sendmsg on a connected socket has no address.
        if isinstance(address, tuple) and not is_local(address[0]):
            raise NetworkUsed(f"{event} {address!r}")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not is_local(args[0]):
        raise NetworkUsed(f"{event} {args[0]!r}")


sys.addaudithook(refuse_network)


def pytest_configure(config: pytest.Config) -> None:
    """Where examples are the same in every run, they hold no values from our modules: which are there is by chance."""
    if config.getoption("--hypothesis-profile") != "fuzz" and hasattr(providers, "_get_local_constants"):
        providers._get_local_constants = providers.Constants  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own environment changes no test."""
    monkeypatch.delenv("JMAPLITE_CONFIG", raising=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With JMAPLITE_REQUIRE_ALL a skipped test is a failed test."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail") and not item.get_closest_marker("corpus"):
        refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """With JMAPLITE_REQUIRE_ALL a module that is skipped as a whole is an error."""
    report = yield
    if REQUIRE_ALL and report.skipped:
        refuse_skip(report)
    return report


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a report of a skip into one of a failure that tells the reason."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid} did not run, and JMAPLITE_REQUIRE_ALL is set. {reason}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly how much was not tested."""
    skipped = len(terminalreporter.stats.get("skipped", ()))
    if skipped:
        terminalreporter.section("NOT EVERYTHING WAS TESTED", sep="!", yellow=True, bold=True)
        terminalreporter.line(
            f"{skipped} skipped, for the reasons below. .ci/run installs what they miss; "
            "JMAPLITE_REQUIRE_ALL=1 makes such skips failures."
        )
