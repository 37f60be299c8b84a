"""What `jmaplite check-config --online` asks the world: whether the directory in use answers."""

from __future__ import annotations

from jmaplite.config import Config, Mistake
from jmaplite.config.settings import Settings
from jmaplite.server.directories import faults


def directories_that_are_away(config: Config, settings: Settings) -> list[Mistake]:
    """A mistake for each thing that is wrong with the directory in use when it is asked."""
    place = settings.instances("directory.<id>")[config.jmap.directory,]
    key = f"directory.{config.jmap.directory}"
    return [Mistake(place.line, key, fault, place.file) for fault in faults(config)]
