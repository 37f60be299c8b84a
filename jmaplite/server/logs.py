"""The log, on standard error."""

from __future__ import annotations

import json
import logging
import time

from jmaplite.config import Config

_TALKATIVE = ("hpack", "h2", "hypercorn")
"""Loggers that would print the headers of requests, passwords and all, at the level debug."""


def log_to_standard_error(config: Config) -> None:
    """Log from the level and in the format that a configuration names."""
    handler = logging.StreamHandler()
    if config.log.format == "json":
        handler.setFormatter(JSONLines())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    others = root.handlers[:]
    root.setLevel(config.log.level.upper())
    root.addHandler(handler)
    for other in others:
        root.removeHandler(other)
        other.close()
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.root.level))


class JSONLines(logging.Formatter):
    """A JSON object a line: time (UTC), level, logger, message, and error where there is a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)
