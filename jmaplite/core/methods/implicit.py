"""The /set that another method ends with by itself (RFC 8620 §5.4, RFC 8621 §7.5, RFC 9007 §2.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jmaplite.core.context import Arguments, Context
from jmaplite.core.errors import MethodError
from jmaplite.core.methods.set import set_
from jmaplite.core.schema import DataType
from jmaplite.store import StoreError, UnknownAccount


def implicit_set(data_type: DataType) -> Callable[[Context, Arguments], tuple[str, dict[str, Any]]]:
    """The /set of a type that answers the name and arguments of a response, whatever goes wrong.

    What it follows is done, so no failure may hide that.
    """
    run = set_(data_type)

    def follow(ctx: Context, arguments: Arguments) -> tuple[str, dict[str, Any]]:
        try:
            return f"{data_type.name}/set", dict(run(ctx, arguments))
        except MethodError as error:
            return "error", error.to_json()
        except UnknownAccount:
            return "error", {"type": "accountNotFound"}
        except StoreError:
            return "error", {"type": "serverUnavailable"}

    return follow
