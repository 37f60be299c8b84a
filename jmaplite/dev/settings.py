"""The operations of the control API by which a fixture is another server for a while."""

from __future__ import annotations

from typing import Any

from jmaplite.dev.choosing import NotNow, chosen
from jmaplite.dev.fixture import CannotDo, Fixture
from jmaplite.dev.operations import Given, Member, Operation, Refused
from jmaplite.dev.profiles import PROFILES
from jmaplite.dev.quirks import MEANINGS, UnknownQuirk


def show_settings(fixture: Fixture, given: Given) -> Any:
    """What was chosen, and what there is to choose from."""
    return {
        **_choice(fixture),
        "profiles": {name: profile.title for name, profile in PROFILES.items()},
        "knownQuirks": dict(MEANINGS),
    }


def change_settings(fixture: Fixture, given: Given) -> Any:
    """Have other values for options, or be like another server."""
    profile = given.get("profile")
    if profile is not None and profile not in PROFILES:
        raise Refused(404, f"there is no profile {profile!r}: there are {', '.join(PROFILES)}")
    try:
        fixture.choose(chosen(fixture.choice, given.get("options", {}), profile, given.get("quirks")))
    except (CannotDo, NotNow, UnknownQuirk) as error:
        raise Refused(400, str(error)) from None
    return _choice(fixture)


def _choice(fixture: Fixture) -> dict[str, Any]:
    choice = fixture.choice
    return {"options": dict(choice.options), "profile": choice.profile, "quirks": list(choice.quirks)}


SETTINGS = (
    Operation("GET", "/settings", "What was chosen, and profiles and quirks to choose from.", show_settings),
    Operation(
        "PATCH",
        "/settings",
        "Have other values for options of the configuration, or look like another server.",
        change_settings,
        {
            "options": Member("Object", "values by the full names of options; null for that of the file"),
            "profile": Member("String", "another server to be like; what was chosen before is forgotten"),
            "quirks": Member("String[]", "quirks by name, in the place of those before or beside those of the profile"),
        },
    ),
)
