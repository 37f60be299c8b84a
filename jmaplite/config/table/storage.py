"""Where mail is kept, what is logged, and what only a test fixture has."""

from __future__ import annotations

from pathlib import Path

from jmaplite.config.kinds import BOOLEAN, MOMENT, PATH, STRING, at_least, choice, many
from jmaplite.config.sections import option, section

_SERVERS = ("postgresql", "mysql", "foundationdb", "rocksdb")
"""Kinds of store that Stalwart has besides."""


@section("store")
class Store:
    """Where mail is kept."""

    type: str = option(
        "type",
        choice("sqlite", refused=dict.fromkeys(_SERVERS, "is not there yet: mail is kept in SQLite")),
        "The kind of store: `sqlite` is a directory of database files.",
        default="sqlite",
    )
    path: Path = option("path", PATH, "The directory of the store.", default=Path("data"))


@section("log")
class Log:
    """What is logged, to standard error."""

    level: str = option(
        "level",
        choice("debug", "info", "warning", "error"),
        "The least severity that is logged.",
        default="info",
    )
    format: str = option(
        "format", choice("text", "json"), "Lines for people, or one JSON object a line.", default="text"
    )
    access: bool = option(
        "access",
        BOOLEAN,
        "A line for each request, at level info: from whom, what kind, status, octets, time. No bodies, no secrets.",
        default=False,
    )


@section("log.levels")
class LogLevels:
    """The least severity of single parts of the server, as in `"jmaplite.web" = "debug"`."""

    chosen: tuple[tuple[str, str], ...] = option(
        "<id>", choice("debug", "info", "warning", "error"), "That of the part of this name.", default=(), shown="level"
    )


@section("dev")
class Dev:
    """What only a fixture for tests of JMAP clients needs. Never for mail that matters."""

    enable: bool = option("enable", BOOLEAN, "Whether any of this is there.", default=False)
    control: bool = option("control", BOOLEAN, "The control API.", default=True)
    inspector: bool = option(
        "inspector", BOOLEAN, "The inspector, a web page at /dev/ that needs the control API.", default=True
    )
    auto_provision: bool = option(
        "auto-provision", BOOLEAN, "Make every user at the first log-in, whatever the password.", default=False
    )
    temporary: bool = option(
        "temporary",
        BOOLEAN,
        "What is stored need not outlive a crash of the machine: nothing waits for the disk.",
        default=False,
    )
    seed: str = option(
        "seed", STRING, "Begin ids, states and made-up mail from this, so that they are the same each time.", default=""
    )
    now: float | None = option(
        "now",
        MOMENT,
        "When the clock stands still from the beginning, until it is set or goes on.",
        default=None,
        shown="never",
    )
    threads: int = option(
        "threads", at_least(0), "Threads of made-up mail that each user has at the beginning.", default=0
    )
    mail: tuple[Path, ...] = option(
        "mail",
        many(PATH),
        "Messages to begin with: files in mbox or EML, Maildirs, or directories of such.",
        default=(),
    )
