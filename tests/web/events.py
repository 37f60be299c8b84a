"""As much of an EventSource as a test needs (HTML Living Standard §9.2.6)."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.web.serving import DEMO, Site

PATH = "/jmap/eventsource/"


@dataclass(frozen=True)
class Event:
    """One event; `kind` is empty where there is only an id."""

    kind: str
    id: str
    data: str

    @property
    def changed(self) -> Any:
        found = json.loads(self.data)
        assert found.keys() == {"@type", "changed"}
        assert found["@type"] == "StateChange"
        return found["changed"]


@dataclass
class Stream:
    """An answer that is read event by event."""

    response: http.client.HTTPResponse
    socket: socket.socket
    last_id: str = ""

    def block(self) -> Event | None:
        """What comes up to the next empty line; None at the end of the stream."""
        fields = {"event": "", "id": "", "data": ""}
        while line := self.response.readline().decode().rstrip("\n"):
            if line == ":":
                continue
            name, _, value = line.partition(": ")
            assert fields.get(name) == "", line
            fields[name] = value
        if not any(fields.values()) and self.response.isclosed():
            return None
        self.last_id = fields["id"] or self.last_id
        return Event(fields["event"], fields["id"], fields["data"])

    def next(self) -> Event:
        """The next event."""
        found = self.block()
        assert found is not None
        return found if found.data else self.next()


@contextmanager
def stream(
    site: Site,
    types: str = "*",
    closeafter: str = "no",
    ping: int | str = 0,
    *,
    more: str = "",
    last: str = "",
    **headers: str,
) -> Iterator[Stream]:
    """A stream of the demo user's."""
    connection = site.connect()
    if last:
        headers["Last_Event_ID"] = last
    sent = {"Authorization": DEMO, **{name.replace("_", "-"): value for name, value in headers.items()}}
    path = f"{PATH}?types={types}&closeafter={closeafter}&ping={ping}{more}"
    try:
        connection.request("GET", path, headers={name: value for name, value in sent.items() if value})
        inner = connection.sock
        response = connection.getresponse()
        assert response.status == 200, response.read()
        yield Stream(response, inner)
    finally:
        connection.close()
        response.close()
