"""A small JMAP client: for mail from and to other servers, and for tests that need one."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, cast

CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"


class JMAPError(Exception):
    """A method was answered with an error, or a request with a problem: its type, and all that was said of it."""

    def __init__(self, type_name: str, details: Mapping[str, Any]) -> None:
        super().__init__(f"{type_name}: {details.get('description') or details.get('detail') or ''}".rstrip(": "))
        self.type = type_name
        self.details = details


class JMAPClient:
    """Speaks to a server as one user, with a bearer token or a name and password; `ca` is a file for https.

    `using` are the capabilities of requests: by default all that the session has.
    """

    def __init__(
        self,
        session_url: str,
        *,
        token: str | None = None,
        user: str = "",
        password: str = "",
        ca: str | None = None,
        using: Sequence[str] | None = None,
        timeout: float = 30,
    ) -> None:
        if token is not None:
            self._authorization = f"Bearer {token}"
        else:
            self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._session_url = session_url
        self._context = ssl.create_default_context(cafile=ca) if ca else None
        self._timeout = timeout
        self._using = using
        self._session: dict[str, Any] | None = None

    @property
    def session(self) -> dict[str, Any]:
        """The Session object (RFC 8620 §2), fetched once."""
        if self._session is None:
            self._session = cast("dict[str, Any]", json.loads(self._fetch("GET", self._session_url)))
        return self._session

    @property
    def account_id(self) -> str:
        """The primary account for mail."""
        return str(self.session["primaryAccounts"][MAIL])

    def refresh(self) -> dict[str, Any]:
        """Fetch the Session object again."""
        self._session = None
        return self.session

    def request(self, *calls: Sequence[Any], created_ids: Mapping[str, str] | None = None) -> list[list[Any]]:
        """Make method calls, each [name, arguments, call id]; answers the method responses, errors too.

        Raises JMAPError for a request that is rejected.
        """
        using = list(self._using if self._using is not None else self.session["capabilities"])
        body: dict[str, Any] = {"using": using, "methodCalls": [list(call) for call in calls]}
        if created_ids is not None:
            body["createdIds"] = dict(created_ids)
        octets = self._fetch("POST", self.session["apiUrl"], json.dumps(body).encode(), "application/json")
        return cast("list[list[Any]]", json.loads(octets)["methodResponses"])

    def call(self, method: str, /, **arguments: Any) -> dict[str, Any]:
        """Make one method call, for the user's own account unless `accountId` is given; answers its response.

        Raises JMAPError for an error.
        """
        if not method.startswith("Core/") and not method.startswith("PushSubscription/"):
            arguments.setdefault("accountId", self.account_id)
        name, answer, _ = self.request([method, arguments, "0"])[0]
        if name == "error":
            raise JMAPError(answer["type"], answer)
        return cast("dict[str, Any]", answer)

    def upload(self, octets: bytes, media_type: str = "application/octet-stream", account_id: str = "") -> str:
        """Upload a blob; answers its id (RFC 8620 §6.1)."""
        url = self.session["uploadUrl"].replace("{accountId}", account_id or self.account_id)
        return str(json.loads(self._fetch("POST", url, octets, media_type))["blobId"])

    def download(self, blob_id: str, media_type: str = "application/octet-stream", account_id: str = "") -> bytes:
        """Download a blob (RFC 8620 §6.2)."""
        url = self.session["downloadUrl"]
        values = {"accountId": account_id or self.account_id, "blobId": blob_id, "name": "blob", "type": media_type}
        for name, value in values.items():
            url = url.replace(f"{{{name}}}", urllib.parse.quote(value, safe=""))
        return self._fetch("GET", url)

    def mailbox(self, role: str) -> str:
        """The id of the Mailbox of a role. Raises LookupError if there is none."""
        for box in self.call("Mailbox/get", ids=None, properties=["role"])["list"]:
            if box["role"] == role:
                return str(box["id"])
        raise LookupError(f"there is no mailbox with the role {role}")

    def _fetch(self, method: str, url: str, octets: bytes | None = None, media_type: str = "") -> bytes:
        headers = {"Authorization": self._authorization}
        if media_type:
            headers["Content-Type"] = media_type
        request = urllib.request.Request(url, octets, headers, method=method)  # noqa: S310 - it is where the test says
        try:
            with urllib.request.urlopen(request, timeout=self._timeout, context=self._context) as response:  # noqa: S310
                return cast(bytes, response.read())
        except urllib.error.HTTPError as error:
            with error:
                said = error.read()
            try:
                problem = json.loads(said)
            except ValueError:
                problem = {"detail": said.decode("utf-8", "replace"), "status": error.code}
            raise JMAPError(problem.get("type", f"http {error.code}"), problem) from None
