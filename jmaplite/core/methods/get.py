"""Foo/get (RFC 8620 §5.1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from jmaplite.core.context import Arguments, Context, Handler, Response
from jmaplite.core.errors import MethodError, invalid_arguments
from jmaplite.core.methods.arguments import Signature, access_of, account_argument, state
from jmaplite.core.schema import Argument, DataType

MOST_PROPERTIES = 1000
"""How many properties may be asked for: a type with names by pattern has no end of them."""


def get(data_type: DataType) -> Handler:
    """The /get method of a type."""
    signature = Signature(
        {
            **account_argument(data_type),
            "ids": Argument("Id[]|null"),
            "properties": Argument("String[]|null"),
            **data_type.get_arguments,
        },
        data_type.kinds,
    )

    def run(ctx: Context, given: Arguments) -> Response:
        access = access_of(ctx, data_type, given)
        arguments = signature.read(given)
        properties = wanted_properties(data_type, arguments["properties"], ctx.using)
        ids = arguments["ids"]
        most = ctx.limits.max_objects_in_get
        if ids is not None and len(ids) > most:
            raise MethodError("requestTooLarge", f"at most {most} ids")
        with ctx.account(access).read() as tx:
            if ids is None:
                numbers = data_type.records.numbers(tx, most + 1)
                if len(numbers) > most:
                    raise MethodError("requestTooLarge", f"there are more than {most} records; ask for them by id")
            else:
                numbers = known_numbers(data_type, ids)
            found = data_type.records.read(ctx, access, tx, numbers, properties, arguments)
            current = state(ctx, tx, data_type)
        return {
            **({} if data_type.user_level else {"accountId": access.account_id, "state": current}),
            "list": [found[number] for number in numbers if number in found],
            "notFound": not_found(data_type, ids or (), found),
        }

    return run


def wanted_properties(data_type: DataType, properties: list[str] | None, using: Collection[str]) -> tuple[str, ...]:
    """The properties to answer, without repetitions, to a request that uses these capabilities.

    Raises MethodError: invalidArguments for an unknown one, or for too many; forbidden for a secret one.
    """
    if properties is None:
        return data_type.offered(using)
    if len(properties) > MOST_PROPERTIES:
        raise invalid_arguments(f"properties: more than {MOST_PROPERTIES}")
    for name in properties:
        if not data_type.known(name) or data_type.withheld(name, using):
            raise invalid_arguments(f"properties: {data_type.name} has no property {name!r}"[:200])
        if name in data_type.properties and data_type.properties[name].secret:
            raise MethodError("forbidden", f"the {name} of a {data_type.name} is not told")
    return tuple(dict.fromkeys(properties))


def known_numbers(data_type: DataType, ids: Iterable[str]) -> list[int]:
    """The numbers of ids that could be records', each once."""
    numbers = (data_type.parse_id(value) for value in ids)
    return list(dict.fromkeys(number for number in numbers if number is not None))


def not_found(data_type: DataType, ids: Iterable[str], found: dict[int, Any]) -> list[str]:
    """The ids that no record was found for, each once."""
    return [value for value in dict.fromkeys(ids) if data_type.parse_id(value) not in found]
