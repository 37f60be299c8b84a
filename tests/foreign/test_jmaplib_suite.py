"""jmaplib's own tests against a live server, all of them, with a list of those that this server cannot pass yet."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.foreign.conftest import FRIEND, FRIEND_PASSWORD, Secure, Told, fetch, run
from tests.live import PASSWORD, USER

pytestmark = pytest.mark.foreign

NOT_YET = {
    "contacts (RFC 9610)": {
        "TestContactCards.test_a_card_built_from_models_comes_back_as_models",
    },
    "calendars": {
        "TestCalendarEvents.test_an_event_built_from_models_comes_back_as_models",
        "TestExpandingQueries.test_a_week_in_local_time_is_answered",
        "TestExpandingQueries.test_a_window_past_the_advertised_limit_never_leaves",
    },
}
"""What is lacking, and the tests that skip themselves or fail for lack of it. One that passes has to go from here."""

NEVER = {
    "it is about queries whose changes cannot be calculated, and there are none here": {
        "TestQueryView.test_an_uncacheable_query_is_refused_before_the_round_trip",
    },
}
"""Why a test has nothing to test here, and skips itself."""

TESTS = 58
"""How many tests the suite had at least when this was written."""


@dataclass(frozen=True, slots=True)
class People:
    """Where the Session is, the file of the CA, and two users with their passwords."""

    session: str
    ca: str
    first: tuple[str, str]
    second: tuple[str, str]


@pytest.fixture(scope="session")
def suite(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of the jmaplib that is installed, unpacked; its wheel has no tests."""
    name = f"jmaplib-{version('jmaplib')}"
    unpacked = installed / name
    if not unpacked.exists():
        folder = tmp_path_factory.mktemp("jmaplib")
        download = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
        fetch([*download, name.replace("-", "==")], folder, "PyPI")
        with tarfile.open(folder / f"{name}.tar.gz") as archive:
            # Pythons before 3.11.4 know no filters; those after want to be told one.
            archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
            archive.extractall(folder)
        shutil.move(folder / name, unpacked)
    return unpacked


@pytest.fixture(params=["serve", "dev"])
def people(request: pytest.FixtureRequest) -> People:
    """Two users of a server, which is as configured or a fixture as it comes."""
    if request.param == "dev":
        told: Told = request.getfixturevalue("dev")
        first, second = ((one["name"], one["password"]) for one in told.users)
        return People(told.session, str(told.ca), first, second)
    secure: Secure = request.getfixturevalue("secure")
    return People(f"{secure.url}/.well-known/jmap", str(secure.ca), (USER, PASSWORD), (FRIEND, FRIEND_PASSWORD))


def test_jmaplibs_own_live_suite_passes_but_for_what_this_server_lacks(
    suite: Path, people: People, tmp_path: Path
) -> None:
    """Some of its tests give a server a fixed time. What fails is tried once more, by itself."""
    settings = tmp_path / "pytest.ini"
    settings.write_text(
        "[pytest]\nmarkers =\n    integration: needs a live server\nasyncio_default_fixture_loop_scope = function\n"
    )
    report = tmp_path / "report.xml"
    environment = {
        **os.environ,
        "JMAP_TEST_URL": people.session,
        "JMAP_TEST_CA": people.ca,
        "JMAP_TEST_USER": people.first[0],
        "JMAP_TEST_PASS": people.first[1],
        "JMAP_TEST_USER2": people.second[0],
        "JMAP_TEST_PASS2": people.second[1],
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
    }
    options = [f"--config-file={settings}", f"--rootdir={suite}", f"--junitxml={report}"]
    options += ["-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        *options,
        "-p",
        "no:cacheprovider",
        "-p",
        "pytest_asyncio",
        "-m",
        "integration",
    ]

    done = run([*command, "tests/integration"], suite, environment)

    assert report.exists(), done.stdout + done.stderr
    outcomes = read(report)
    failed = {test for test, (found, _) in outcomes.items() if found == "failed"} - names(NOT_YET)
    if failed:
        methods = " or ".join(sorted(test.partition(".")[2] for test in failed))
        done = run([*command, "-k", methods, "tests/integration"], suite, environment, timeout=50)
        outcomes |= {test: found for test, found in read(report).items() if test in failed}
    by_outcome = {
        outcome: {test for test, (found, _) in outcomes.items() if found == outcome}
        for outcome in ("passed", "skipped", "failed")
    }
    assert len(outcomes) >= TESTS
    assert names(NOT_YET) - set(outcomes) == set()
    assert by_outcome["passed"] & names(NOT_YET) == set(), "these pass now: take them out of NOT_YET"
    assert by_outcome["failed"] - names(NOT_YET) == set(), done.stdout
    assert by_outcome["skipped"] - names(NOT_YET) == names(NEVER), outcomes


def names(listed: dict[str, set[str]]) -> set[str]:
    """The tests listed, whatever the reason."""
    return set().union(*listed.values())


def read(report: Path) -> dict[str, tuple[str, str]]:
    """How each test of a JUnit report ended, and why, by `Class.test`."""
    cases: Iterable[ElementTree.Element] = ElementTree.parse(report).iter("testcase")
    return {f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}": outcome(case) for case in cases}


def outcome(case: ElementTree.Element) -> tuple[str, str]:
    """`passed`, `skipped` or `failed`, with the reason."""
    for child in case:
        if child.tag in ("skipped", "failure", "error"):
            return ("skipped" if child.tag == "skipped" else "failed"), child.get("message", "")
    return "passed", ""
