"""The Email/set that other methods end with by themselves (RFC 8621 §7.5, RFC 9007 §2.1)."""

from __future__ import annotations

from typing import Any

from jmaplite.core.context import Arguments, Context
from jmaplite.core.errors import MethodError
from jmaplite.core.methods import STANDARD
from jmaplite.datatypes.mail.email import EMAIL
from jmaplite.store import StoreError, UnknownAccount

_SET = STANDARD["set"](EMAIL)


def set_emails(ctx: Context, arguments: Arguments) -> tuple[str, dict[str, Any]]:
    """The name and arguments of the response; what it follows is done, so no failure may hide that."""
    try:
        return "Email/set", dict(_SET(ctx, arguments))
    except MethodError as error:
        return "error", error.to_json()
    except UnknownAccount:
        return "error", {"type": "accountNotFound"}
    except StoreError:
        return "error", {"type": "serverUnavailable"}
