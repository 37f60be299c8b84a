"""Clients that do not stop asking."""

from __future__ import annotations

import json
import threading
from typing import Any

from tests.web.serving import DEMO, Site

CORE = "urn:ietf:params:jmap:core"


class Load:
    """Clients that ask, stream and send without a pause, on connections that they keep."""

    def __init__(self, site: Site, clients: int) -> None:
        self.site = site
        self.answered = 0
        self.failures: list[Any] = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        self._threads.append(threading.Thread(target=self._send))

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        connection = self.site.connect()
        headers = {"Authorization": DEMO, "Content-Type": "application/json"}
        body = json.dumps({"using": [CORE], "methodCalls": [["Core/echo", {"x": 1}, "0"]]})
        try:
            connection.connect()
            own = connection.sock.getsockname()
            while not self._stopped.is_set():
                connection.request("POST", "/jmap/", body, headers)
                response = connection.getresponse()
                if response.status != 200 or b'"x":1' not in response.read():
                    self.failures.append(response.status)
                if connection.sock is None or connection.sock.getsockname() != own:
                    self.failures.append("the connection was ended")
                self.answered += 1
        except Exception as error:
            self.failures.append(error)
        finally:
            connection.close()

    def _send(self) -> None:
        try:
            with self.site.socket() as connection:
                head = f"POST /jmap/upload/{self.site.account}/ HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\n"
                connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
                while not self._stopped.wait(0.02):
                    connection.sendall(b"1\r\nx\r\n")
                connection.sendall(b"0\r\n\r\n")
                if (answer := connection.recv(12)) != b"HTTP/1.1 201":
                    self.failures.append(answer)
        except Exception as error:
            self.failures.append(error)
