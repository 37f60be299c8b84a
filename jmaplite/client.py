"""A small JMAP client: for mail from and to other servers, and for tests that need one."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, cast

CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"

_LONGEST = 512 << 20
"""Octets of an answer that are read at all."""

_TRIES = 6
_LONGEST_WAIT = 120.0
"""Seconds that are waited at a time, whatever a server asks for."""


class JMAPError(Exception):
    """A method was answered with an error, or a request with a problem: its type, and all that was said of it."""

    def __init__(self, type_name: str, details: Mapping[str, Any]) -> None:
        super().__init__(f"{type_name}: {details.get('description') or details.get('detail') or ''}".rstrip(": "))
        self.type = type_name
        self.details = details


class JMAPClient:
    """Speaks to a server as one user, with a bearer token or a name and password; `ca` is a file for https.

    `using` are the capabilities of requests: by default all that the session has. Who is `patient` waits where a server
    asks for it (429 or 503 with Retry-After). The credentials go where the session says, but by redirects to no other
    host, and never from https to http.
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
        patient: bool = False,
    ) -> None:
        if token is not None:
            self._authorization = f"Bearer {token}"
        else:
            self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._session_url = session_url
        context = ssl.create_default_context(cafile=ca)
        self._opener = urllib.request.build_opener(_Redirects, urllib.request.HTTPSHandler(context=context))
        self._patient = patient
        self._timeout = timeout
        self._using = using
        self._session: dict[str, Any] | None = None

    @property
    def session(self) -> dict[str, Any]:
        """The Session object (RFC 8620 §2), fetched once."""
        if self._session is None:
            self._session = _object(self._fetch("GET", self._session_url))
        return self._session

    @property
    def api_url(self) -> str:
        """Where requests go; some servers have it relative to where the session is."""
        return str(urllib.parse.urljoin(self._session_url, self.session["apiUrl"]))

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
        octets = self._fetch("POST", self.api_url, json.dumps(body).encode(), "application/json")
        return cast("list[list[Any]]", _object(octets)["methodResponses"])

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
        return str(_object(self._fetch("POST", url, octets, media_type))["blobId"])

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
        url = urllib.parse.urljoin(self._session_url, url)
        if not _may_follow(self._session_url, url):
            raise JMAPError("insecure", {"detail": f"it names {url}, where nobody should send credentials"})
        headers = {"Authorization": self._authorization}
        if media_type:
            headers["Content-Type"] = media_type
        for tries in range(_TRIES):
            request = urllib.request.Request(url, octets, headers, method=method)  # noqa: S310 - see _may_follow
            try:
                with self._opener.open(request, timeout=self._timeout) as response:
                    said = cast(bytes, response.read(_LONGEST + 1))
                if len(said) > _LONGEST:
                    raise JMAPError("tooLarge", {"detail": f"an answer has more than {_LONGEST} octets"})
                return said
            except urllib.error.HTTPError as error:
                wait = _wait(error)
                if not self._patient or wait is None or tries == _TRIES - 1:
                    raise _problem(error) from None
                error.close()
                time.sleep(wait)
            except urllib.error.URLError as error:
                host = urllib.parse.urlsplit(url).hostname
                raise ConnectionError(f"{host} cannot be reached: {error.reason}") from error
            except http.client.HTTPException as error:
                raise ConnectionError(f"the answer is no HTTP: {error!r}") from error
        raise AssertionError("the last try answers or raises")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to the same host only: all headers go along, and with them the credentials."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The request that follows; None where there is none."""
        before, after = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        is_same = before.hostname == after.hostname and (before.port == after.port or before.scheme != after.scheme)
        if req.get_method() != "GET" or not is_same or not _may_follow(req.full_url, newurl):
            fp.close()
            raise JMAPError("redirected", {"detail": f"it redirects to {newurl}; give that URL if you trust it"})
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _may_follow(before: str, after: str) -> bool:
    """Whether one URL may lead to another: by HTTP, and not to less security."""
    schemes = (urllib.parse.urlsplit(before).scheme, urllib.parse.urlsplit(after).scheme)
    return schemes in (("https", "https"), ("http", "https"), ("http", "http"))


def _wait(error: urllib.error.HTTPError) -> float | None:
    """How many seconds a server asks to wait, in numbers; None where trying again is no use."""
    asked = error.headers.get("Retry-After", "")
    if error.code not in (429, 503) or not (asked.isascii() and asked.isdigit()):
        return None
    return min(float(asked[:9]), _LONGEST_WAIT)


def _problem(error: urllib.error.HTTPError) -> JMAPError:
    with error:
        said = error.read(1 << 20)
    try:
        problem = _object(said)
    except JMAPError:
        problem = {"detail": said.decode("utf-8", "replace")[:1000], "status": error.code}
    return JMAPError(str(problem.get("type", f"http {error.code}")), problem)


def _object(octets: bytes) -> dict[str, Any]:
    """A JSON object. Raises JMAPError for anything else."""
    try:
        found = json.loads(octets)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise JMAPError("notJSON", {"detail": "an answer is no JSON object: is this the URL of a JMAP server?"})
    return found
