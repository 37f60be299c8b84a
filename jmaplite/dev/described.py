"""What a server's methods and data types are made of, out of their descriptions: for a page that completes names."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import getclosurevars, isfunction
from typing import Any

from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Handler, Method
from jmaplite.core.methods.arguments import Signature
from jmaplite.core.schema import REQUIRED, Argument, DataType, Property


def described(catalog: Catalog) -> dict[str, Any]:
    """Capabilities, methods with their arguments, and types with properties, filter conditions and sort orders."""
    types: dict[str, DataType] = {kind.name: kind for one in catalog.capabilities for kind in one.types}
    return {
        "capabilities": list(catalog.urns),
        "methods": {method.name: _method(method) for one in catalog.capabilities for method in one.methods},
        "types": {name: _type(kind) for name, kind in sorted(types.items())},
        "signals": [name for one in catalog.capabilities for name in one.signals],
    }


def _method(method: Method) -> dict[str, Any]:
    return {
        "capability": method.capability,
        "type": method.name.partition("/")[0],
        "arguments": {name: _argument(one) for name, one in _signature(method.handler).items()},
    }


def _signature(handler: Handler) -> Mapping[str, Argument]:
    """What a method reads its arguments with: the Signature that its handler refers to."""
    if not isfunction(handler):
        return {}
    seen = getclosurevars(handler)
    for value in (*seen.nonlocals.values(), *seen.globals.values()):
        if isinstance(value, Signature):
            return value.arguments
    return {}


def _argument(one: Argument) -> dict[str, Any]:
    return {"kind": one.kind, "required": one.default is REQUIRED}


def _type(kind: DataType) -> dict[str, Any]:
    return {
        "capability": kind.capability,
        "userLevel": kind.user_level,
        "properties": {
            "id": {"kind": "Id", "serverSet": True, "immutable": True, "required": False},
            **{name: _property(one) for name, one in kind.properties.items() if not one.secret},
        },
        "filter": {name: one.kind for name, one in kind.conditions.items()},
        "sort": list(kind.sorts),
        "kinds": {name: dict(one) for name, one in kind.kinds.items() if isinstance(one, Mapping)},
    }


def _property(one: Property) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "serverSet": one.server_set,
        "immutable": one.immutable,
        "required": one.default is REQUIRED and not one.server_set,
    }
