"""What `jmaplite check-config --online` asks the world: whether the directory in use answers."""

from __future__ import annotations

from jmaplite.config import Config, Mistake
from jmaplite.config.settings import Settings
from jmaplite.directory import DirectoryUnavailable
from jmaplite.server.directories import directory


def directories_that_are_away(config: Config, settings: Settings) -> list[Mistake]:
    """A mistake for the directory in use if it does not answer."""
    place = settings.instances("directory.<id>")[config.jmap.directory,]
    try:
        directory(config).principal("\N{SNOWMAN}")
    except DirectoryUnavailable as error:
        return [Mistake(place.line, f"directory.{config.jmap.directory}", f"does not answer: {error}", place.file)]
    return []
