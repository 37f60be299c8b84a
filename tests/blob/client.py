"""A client that puts blobs together and reads them by method calls."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from jmaplite.datatypes.blob import BLOB
from jmaplite.datatypes.mail import MAIL
from tests.mail.jmap import CORE, TEAM, Client


class BlobClient(Client):
    """A client whose requests use the blob capability too."""

    def request(self, *calls: list[Any], **more: Any) -> dict[str, Any]:
        return super().request(*calls, **{"using": [CORE, MAIL, BLOB], **more})

    def team(self) -> BlobClient:
        """The same user, with calls about the account that is shared with the team."""
        accounts = self.session["accounts"].items()
        shared = next(account for account, one in accounts if one["name"] == TEAM.name)
        return BlobClient(self.server, self.principal, shared)

    def put_together(self, *sources: Any, **more: Any) -> dict[str, Any]:
        """Blob/upload of one blob; octets stand for themselves. Answers what was created."""
        answer = self.call("Blob/upload", create={"k": {"data": [source(one) for one in sources], **more}})
        assert answer["notCreated"] is None, answer
        created: dict[str, Any] = answer["created"]["k"]
        return created

    def refused(self, upload: Any) -> dict[str, Any]:
        """The SetError of an UploadObject."""
        answer = self.call("Blob/upload", create={"k": upload})
        assert answer["created"] is None, answer
        error: dict[str, Any] = answer["notCreated"]["k"]
        return error

    def blob(self, blob_id: str, *properties: str, **more: Any) -> dict[str, Any]:
        """One blob by Blob/get."""
        answer = self.call("Blob/get", ids=[blob_id], properties=list(properties) or None, **more)
        assert answer["notFound"] == []
        assert len(answer["list"]) == 1
        found: dict[str, Any] = answer["list"][0]
        return found

    def octets(self, blob_id: str, **more: Any) -> bytes:
        """The octets of a blob."""
        return b64decode(self.blob(blob_id, "data:asBase64", **more)["data:asBase64"])


def source(one: Any) -> Any:
    """A DataSourceObject; octets become one."""
    return {"data:asBase64": b64encode(one).decode()} if isinstance(one, bytes) else one
