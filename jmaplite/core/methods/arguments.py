"""Arguments of methods: every name known, every kind right, every default filled in (RFC 8620 §3.5, §3.9)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jmaplite.core import history
from jmaplite.core.context import Access, Arguments, Context
from jmaplite.core.errors import MethodError, invalid_arguments
from jmaplite.core.kinds import Checker, compile_kind
from jmaplite.core.schema import REQUIRED, Argument, DataType
from jmaplite.store import Reader

ACCOUNT_ID = Argument("Id", REQUIRED)


def account_argument(data_type: DataType) -> dict[str, Argument]:
    """The argument `accountId` where a type's methods take it."""
    return {} if data_type.user_level else {"accountId": ACCOUNT_ID}


def access_of(ctx: Context, data_type: DataType, given: Arguments) -> Access:
    """The account that a call is about. Raises MethodError as Context.access does."""
    return ctx.own_access() if data_type.user_level else ctx.access(given.get("accountId"), data_type.capability)


class Signature:
    """The arguments that a method takes."""

    def __init__(self, arguments: Mapping[str, Argument], kinds: Mapping[str, Any] | None = None) -> None:
        self.arguments = arguments
        self._arguments: dict[str, tuple[str, Any, Checker]] = {
            name: (argument.kind, argument.default, compile_kind(argument.kind, kinds or {}))
            for name, argument in arguments.items()
        }

    def read(self, given: Arguments) -> dict[str, Any]:
        """All arguments with defaults filled in. Raises MethodError: invalidArguments."""
        values = {}
        for name, (kind, default, check) in self._arguments.items():
            if name not in given:
                if default is REQUIRED:
                    raise invalid_arguments(f"{name} is missing")
                values[name] = default
            elif check(given[name]):
                values[name] = given[name]
            else:
                raise invalid_arguments(f"{name} must be {kind}")
        if not given.keys() <= self._arguments.keys():
            unknown = next(name for name in given if name not in self._arguments)
            raise invalid_arguments(f"unknown argument {unknown!r}"[:200])
        return values


@lru_cache(maxsize=1024)
def state_string(epoch: str, value: int) -> str:
    """The state string of a type with a change value, in a store of an epoch."""
    return f"{epoch}-{value}"


def state(ctx: Context, tx: Reader, data_type: DataType) -> str:
    """The state string of a type in an account: the store's epoch and the type's own highest value."""
    return state_string(ctx.services.store.epoch, tx.state(data_type.name))


def parse_state(ctx: Context, tx: Reader, data_type: DataType, text: str) -> int:
    """The value of a state string. Raises MethodError: cannotCalculateChanges when it is not, or no longer, known."""
    epoch, _, digits = text.rpartition("-")
    if epoch != ctx.services.store.epoch or not digits.isdecimal() or not digits.isascii() or len(digits) > 19:
        raise MethodError("cannotCalculateChanges", "this state is not one of this server's")
    value = int(digits)
    if value > tx.state(data_type.name) or str(value) != digits:
        raise MethodError("cannotCalculateChanges", "this state is not one of this server's")
    if value < history.floor(tx, data_type.name):
        raise MethodError("cannotCalculateChanges", "this state is older than the history that is kept")
    return value


def check_in_state(ctx: Context, tx: Reader, data_type: DataType, wanted: str | None) -> None:
    """Raises MethodError stateMismatch unless the state is the wanted one (RFC 8620 §5.3)."""
    if wanted is not None and wanted != state(ctx, tx, data_type):
        raise MethodError("stateMismatch")


def writable(access: Access) -> None:
    """Raises MethodError accountReadOnly."""
    if access.is_read_only:
        raise MethodError("accountReadOnly")
