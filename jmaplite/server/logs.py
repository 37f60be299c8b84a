"""The log, on standard error."""

from __future__ import annotations

import json
import logging
import time

from jmaplite.config import Config
from jmaplite.web import REQUEST_ID

_TALKATIVE = ("hpack", "h2", "hypercorn")
"""Loggers that would print the headers of requests, passwords and all, at the level debug."""

_VERBOSE = ("mail.log", "mail.debug", "watchfiles")
"""Loggers of libraries that tell of every line and every look, with addresses and the octets of mail."""

_chosen: set[str] = set()
"""Loggers with a level of their own."""


def log_to_standard_error(config: Config) -> None:
    """Log from the level and in the format that a configuration names."""
    handler = logging.StreamHandler()
    if config.log.format == "json":
        handler.setFormatter(JSONLines())
    else:
        handler.setFormatter(TextLines())
    root = logging.getLogger()
    others = root.handlers[:]
    root.setLevel(config.log.level.upper())
    root.addHandler(handler)
    for other in others:
        root.removeHandler(other)
        other.close()
    chosen = dict(config.log_levels.chosen)
    for name in _chosen - chosen.keys():
        logging.getLogger(name).setLevel(logging.NOTSET)
    for name, level in chosen.items():
        logging.getLogger(name).setLevel(level.upper())
    _chosen.clear()
    _chosen.update(chosen)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.root.level))
    for name in _VERBOSE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))


class TextLines(logging.Formatter):
    """Lines for people: time, level, logger, the id of the request if it is one's, message.

    Whatever a message holds, it is one line, and what follows of an error is indented: nobody can write lines of
    their own into the log.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record, and those of its traceback."""
        request = REQUEST_ID.get()
        beginning = f"{self.formatTime(record)} {record.levelname} {record.name}: {f'[{request}] ' if request else ''}"
        lines = [beginning + _on_one_line(record.getMessage())]
        if record.exc_info:
            lines += (f"    {_on_one_line(line)}" for line in self.formatException(record.exc_info).split("\n"))
        return "\n".join(lines)


class JSONLines(logging.Formatter):
    """A JSON object a line: time (UTC), level, logger, message; request, error and what else there is to a record."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := REQUEST_ID.get():
            line["request"] = request
        line |= getattr(record, "about", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _on_one_line(text: str) -> str:
    """A text without control characters, those of terminals included."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
