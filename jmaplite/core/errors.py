"""The three levels of JMAP errors, as exceptions (RFC 8620 §3.6, §5.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

URN = "urn:ietf:params:jmap:error:"


class RequestError(Exception):
    """The whole request is rejected: an HTTP status and a problem document (RFC 8620 §3.6.1, RFC 7807).

    `headers` are header lines for it, where it is carried by HTTP.
    """

    headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, type_name: str, detail: str, *, status: int = 400, limit: str | None = None) -> None:
        super().__init__(detail)
        self.type = URN + type_name
        self.detail = detail
        self.status = status
        self.limit = limit

    def to_json(self) -> dict[str, Any]:
        """The problem document."""
        problem: dict[str, Any] = {"type": self.type, "status": self.status, "detail": self.detail}
        if self.limit is not None:
            problem["limit"] = self.limit
        return problem


class MethodError(Exception):
    """One method call is rejected; the next one goes on (RFC 8620 §3.6.2)."""

    def __init__(self, type_name: str, description: str | None = None, **extra: Any) -> None:
        super().__init__(description or type_name)
        self.type = type_name
        self.description = description
        self.extra = extra

    def to_json(self) -> dict[str, Any]:
        """The arguments of the `error` response."""
        error: dict[str, Any] = {"type": self.type}
        if self.description is not None:
            error["description"] = self.description
        return error | self.extra


class SetError(Exception):
    """One record of a /set, /copy or /import is rejected; the others go on (RFC 8620 §5.3)."""

    def __init__(
        self,
        type_name: str,
        description: str | None = None,
        *,
        properties: Iterable[str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(description or type_name)
        self.type = type_name
        self.description = description
        self.properties = None if properties is None else sorted(set(properties))
        self.extra = extra

    def to_json(self) -> dict[str, Any]:
        """The SetError object."""
        error: dict[str, Any] = {"type": self.type}
        if self.description is not None:
            error["description"] = self.description
        if self.properties is not None:
            error["properties"] = self.properties
        return error | self.extra


def invalid_arguments(description: str) -> MethodError:
    """The error for an argument that is missing, unknown, of the wrong type or otherwise invalid."""
    return MethodError("invalidArguments", description)


def invalid_properties(description: str, *properties: str) -> SetError:
    """The error for a record that breaks its type's specification; names every property that does."""
    return SetError("invalidProperties", description, properties=properties)
