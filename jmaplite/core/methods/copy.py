"""Foo/copy (RFC 8620 §5.4)."""

from __future__ import annotations

from typing import Any

from jmaplite.core.context import Access, Arguments, Context, Handler, Response
from jmaplite.core.errors import MethodError, SetError, invalid_arguments
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature, check_in_state, state, writable
from jmaplite.core.methods.implicit import implicit_set
from jmaplite.core.schema import REQUIRED, Argument, DataType
from jmaplite.store import Writer


def copy(data_type: DataType) -> Handler:
    """The /copy method of a type."""
    signature = Signature(
        {
            "fromAccountId": ACCOUNT_ID,
            "ifFromInState": Argument("String|null"),
            "accountId": ACCOUNT_ID,
            "ifInState": Argument("String|null"),
            "create": Argument("Id[String[*]]", REQUIRED),
            "onSuccessDestroyOriginal": Argument("Boolean", False),
            "destroyFromIfInState": Argument("String|null"),
        }
    )
    destroy = implicit_set(data_type)

    def run(ctx: Context, given: Arguments) -> Response:
        source = ctx.access(given.get("fromAccountId"), data_type.capability, argument="fromAccountId")
        target = ctx.access(given.get("accountId"), data_type.capability)
        arguments = signature.read(given)
        if source.account_id == target.account_id:
            raise invalid_arguments("accountId must be different to fromAccountId")
        if len(arguments["create"]) > ctx.limits.max_objects_in_set:
            raise MethodError("requestTooLarge", f"at most {ctx.limits.max_objects_in_set} objects to copy")
        writable(target)
        # Now: copies may have the creation ids of their originals.
        arguments["create"] = {name: _resolved(ctx, one) for name, one in arguments["create"].items()}
        originals, failed = _read(ctx, source, target, data_type, arguments)
        answer = _write(ctx, target, data_type, arguments, originals, failed)
        responses = [(f"{data_type.name}/copy", {"fromAccountId": source.account_id, **answer})]
        if arguments["onSuccessDestroyOriginal"] and answer["created"]:
            ids = [arguments["create"][creation_id]["id"] for creation_id in answer["created"]]
            in_state = arguments["destroyFromIfInState"]
            responses.append(destroy(ctx, {"accountId": source.account_id, "ifInState": in_state, "destroy": ids}))
        return responses

    return run


def _resolved(ctx: Context, given: dict[str, Any]) -> dict[str, Any]:
    """What is given for a copy, with the id of the original even if that was made in this request (RFC 8620 §3.3)."""
    original = given.get("id")
    return {**given, "id": ctx.resolved(original)} if isinstance(original, str) else given


def _read(
    ctx: Context, source: Access, target: Access, data_type: DataType, arguments: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, SetError]]:
    """What is to be copied of each original, and the errors of those that cannot be."""
    originals: dict[str, Any] = {}
    failed: dict[str, SetError] = {}
    with ctx.account(source).read() as tx:
        check_in_state(ctx, tx, data_type, arguments["ifFromInState"])
        for creation_id, given in arguments["create"].items():
            try:
                number = _number(data_type, given)
                if not data_type.records.exists(tx, number):
                    raise SetError("notFound")
                originals[creation_id] = data_type.records.original(ctx, source, target, tx, number)
            except SetError as error:
                failed[creation_id] = error
    return originals, failed


def _number(data_type: DataType, given: dict[str, Any]) -> int:
    if not isinstance(given.get("id"), str):
        raise SetError("invalidProperties", "the id of the original is missing", properties=["id"])
    number = data_type.parse_id(given["id"])
    if number is None:
        raise SetError("notFound")
    return number


def _write(
    ctx: Context,
    target: Access,
    data_type: DataType,
    arguments: dict[str, Any],
    originals: dict[str, Any],
    failed: dict[str, SetError],
) -> dict[str, Any]:
    """Make the copies; answers the arguments of the response but for fromAccountId."""

    def work(tx: Writer) -> dict[str, Any]:
        check_in_state(ctx, tx, data_type, arguments["ifInState"])
        old_state = state(ctx, tx, data_type)
        created, errors = {}, dict(failed)
        for creation_id, original in originals.items():
            given = {name: value for name, value in arguments["create"][creation_id].items() if name != "id"}
            try:
                with tx.savepoint():
                    number, told = data_type.records.insert_copy(ctx, target, tx, original, given)
                    data_type.check_rules(ctx, tx, number)
            except SetError as error:
                errors[creation_id] = error
                continue
            created[creation_id] = told
            ctx.created_ids[creation_id] = told["id"]
        return {
            "accountId": target.account_id,
            "oldState": old_state,
            "newState": state(ctx, tx, data_type),
            "created": created or None,
            "notCreated": {name: error.to_json() for name, error in errors.items()} or None,
        }

    return ctx.account(target).write(work)
