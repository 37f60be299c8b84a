"""One keep-alive connection to a JMAP server."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

CORE, MAIL = "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"
SUBMISSION, SIEVE = "urn:ietf:params:jmap:submission", "urn:ietf:params:jmap:sieve"


def ref(result_of: str, name: str, path: str) -> dict[str, str]:
    """A ResultReference."""
    return {"resultOf": result_of, "name": name, "path": path}


class Client:
    """Calls and uploads for one account."""

    def __init__(self, url: str, user: str, password: str) -> None:
        where = urlsplit(url)
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=120)
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        session = json.loads(self._http("GET", "/.well-known/jmap"))
        self.account: str = session["primaryAccounts"][MAIL]
        self.accounts: list[str] = list(session["accounts"])
        self._api = urlsplit(session["apiUrl"]).path
        self._upload = urlsplit(session["uploadUrl"].replace("{accountId}", self.account)).path

    def call(self, *calls: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Method calls with ids "0", "1", ...; answers the arguments of the responses. Exits on an error."""
        invocations = [[name, {"accountId": self.account, **given}, str(at)] for at, (name, given) in enumerate(calls)]
        body = json.dumps({"using": [CORE, MAIL, SUBMISSION, SIEVE], "methodCalls": invocations}).encode()
        answer = json.loads(self._http("POST", self._api, body, "application/json"))
        for name, arguments, _ in answer["methodResponses"]:
            if name == "error":
                raise SystemExit(f"error: {arguments}")
        return [arguments for _, arguments, _ in answer["methodResponses"]]

    def upload(self, octets: bytes) -> str:
        """The blobId of octets uploaded."""
        return str(json.loads(self._http("POST", self._upload, octets, "message/rfc822"))["blobId"])

    def _http(self, method: str, path: str, body: bytes | None = None, content_type: str | None = None) -> bytes:
        headers = {"Authorization": self._authorization, "Accept-Encoding": "gzip"}
        if content_type:
            headers["Content-Type"] = content_type
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        octets = response.read()
        if response.headers.get("Content-Encoding") == "gzip":
            octets = gzip.decompress(octets)
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {octets[:300]!r}")
        return octets
