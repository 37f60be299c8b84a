"""What one value alone cannot tell of directories: what their type needs, and people who must be different."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from jmaplite.config.kinds import quoted
from jmaplite.config.mistakes import Place
from jmaplite.config.settings import Names, Setting, Settings, dotted

_DIRECTORY = "directory.<id>"
_PEOPLE = ("directory.<id>.principals[]", "directory.<id>.users[]", "directory.<id>.groups[]")


def wrong(settings: Settings, setting: Setting, message: str, element: int | None = None) -> None:
    """Note that a setting, or one element of it, cannot stay as it is."""
    settings.mistake(setting.place if element is None else setting.places[element], setting.key, message)


def _people(settings: Settings, name: str) -> list[tuple[Names, Setting]]:
    """An option of principals, in the order of the lines; the names end in the section and the number there."""
    found = [
        ((names[0], section, names[1]), setting)
        for section in _PEOPLE
        for names, setting in settings.all(f"{section}.{name}").items()
    ]
    return sorted(found, key=lambda item: settings.order(item[1].place))


def _principals_differ(settings: Settings) -> None:
    """Within a directory, names differ, addresses differ, and nobody's name is another's address."""
    first: dict[tuple[object, str], tuple[Names, Place]] = {}
    for names, name in _people(settings, "name"):
        key = (names[0], name.value)
        if key in first:
            wrong(
                settings,
                name,
                f"{quoted(name.value)} is the name of another principal on {first[key][1].seen_from(name.place)}",
            )
        else:
            first[key] = (names, name.place)
    folded = {(directory, _folded(name)): whose for (directory, name), whose in first.items()}
    for names, emails in _people(settings, "email"):
        for element, address in enumerate(emails.value):
            key = (names[0], _folded(address))
            whose, place = folded.setdefault(key, (names, emails.places[element]))
            if whose != names:
                wrong(
                    settings,
                    emails,
                    f"{quoted(address)} belongs to another principal, on {place.seen_from(emails.places[element])}",
                    element,
                )


def _folded(address: str) -> str:
    return unicodedata.normalize("NFC", address).casefold()


def _groups_exist(settings: Settings) -> None:
    types = {names: kind.value for names, kind in _people(settings, "type")}
    known = {
        (names[0], name.value): "group" if names[1] == _PEOPLE[2] else types.get(names, "individual")
        for names, name in _people(settings, "name")
    }
    for names, member_of in _people(settings, "member-of"):
        for element, group in enumerate(member_of.value):
            kind = known.get((names[0], group))
            if kind is None:
                wrong(settings, member_of, f"there is no group {quoted(group)}", element)
            elif kind != "group":
                message = f"{quoted(group)} is of type {quoted(kind)}, and only a group has members"
                wrong(settings, member_of, message, element)
    for names, group in settings.all(f"{_DIRECTORY}.options.superuser-group").items():
        if known.get((names[0], group.value)) != "group" and _type(settings, names) == "memory":
            wrong(settings, group, f"there is no group {quoted(group.value)}")


def _type(settings: Settings, names: Names) -> str:
    """The type of a directory; empty when it is missing or wrong."""
    kind = settings.get(f"{_DIRECTORY}.type", names)
    return str(kind.value) if kind else ""


_ONLY: dict[str, tuple[str, ...]] = {
    "memory": (*_PEOPLE, f"{_DIRECTORY}.options.superuser-group"),
    "sql": (f"{_DIRECTORY}.query.", f"{_DIRECTORY}.columns.", f"{_DIRECTORY}.store"),
    "ldap": tuple(
        f"{_DIRECTORY}.{name}"
        for name in ("base-dn", "timeout", "bind.", "tls.", "filter.", "attributes.", "object-classes.")
    ),
}
"""Types of directories, and how the names of the options begin that only they have."""

_NEEDED = {"sql": ("url", "query.name"), "ldap": ("url", "base-dn", "filter.name")}

_SCHEMES = {"sql": ("sqlite", "postgresql", "postgres"), "ldap": ("ldap", "ldaps", "ldapi")}


def _directories_have_what_their_type_needs(settings: Settings) -> None:
    for names, place in settings.instances(_DIRECTORY).items():
        kind = _type(settings, names)
        for name in _NEEDED.get(kind, ()):
            if not settings.was_wrong(f"{_DIRECTORY}.{name}", names):
                key = dotted(("directory", names[0], *name.split(".")))
                settings.mistake(place, key, f"a directory of type {kind} needs it")
        url = settings.get(f"{_DIRECTORY}.url", names)
        if url is not None and kind and url.value.partition("://")[0] not in _SCHEMES.get(kind, ()):
            wanted = " or ".join(f"{scheme}://" for scheme in _SCHEMES.get(kind, ()))
            message = f"begins with {wanted} where the type is {kind}" if wanted else f"means nothing with type {kind}"
            wrong(settings, url, message)


def _directories_have_nothing_of_another_type(settings: Settings) -> None:
    for other, beginnings in _ONLY.items():
        for names, setting in settings.beginning(beginnings):
            kind = _type(settings, names[:1])
            if kind and kind != other:
                wrong(settings, setting, f"is for directories of type {other}, and this one is of type {kind}")


def _queries_take_one_value(settings: Settings) -> None:
    for beginning in ("query.", "filter.", "bind.auth.dn"):
        for _, setting in settings.beginning((f"{_DIRECTORY}.{beginning}",)):
            if setting.key.endswith(".principals"):
                continue  # it is asked for everybody
            if "?" not in setting.value and "$1" not in setting.value:
                wrong(settings, setting, "needs a ? where the value goes that is looked for")


CHECKS: tuple[Callable[[Settings], None], ...] = (
    _principals_differ,
    _groups_exist,
    _directories_have_what_their_type_needs,
    _directories_have_nothing_of_another_type,
    _queries_take_one_value,
)
