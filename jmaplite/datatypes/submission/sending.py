"""EmailSubmission/set, with the implicit Email/set that follows it (RFC 8621 §7.5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jmaplite.core.context import Access, Arguments, Context, Response
from jmaplite.core.errors import MethodError
from jmaplite.core.methods import STANDARD
from jmaplite.core.methods.arguments import Signature
from jmaplite.core.methods.implicit import implicit_set
from jmaplite.core.schema import Argument
from jmaplite.datatypes.mail import EMAIL
from jmaplite.datatypes.submission.submission import EMAIL_SUBMISSION

_FOLLOWING = Signature(
    {
        "onSuccessUpdateEmail": Argument("String[String[*]]|null"),
        "onSuccessDestroyEmail": Argument("String[]|null"),
    }
)
_SUBMIT = STANDARD["set"](EMAIL_SUBMISSION)
_set_emails = implicit_set(EMAIL)


@EMAIL_SUBMISSION.method("set")
def set_(ctx: Context, given: Arguments) -> Response:
    """Submit Emails, then change or destroy those whose submissions succeeded."""
    access = ctx.access(given.get("accountId"), EMAIL_SUBMISSION.capability)
    names = ("onSuccessUpdateEmail", "onSuccessDestroyEmail")
    following = _FOLLOWING.read({name: given[name] for name in names if name in given})
    update = following["onSuccessUpdateEmail"] or {}
    destroy = following["onSuccessDestroyEmail"] or []
    most = ctx.limits.max_objects_in_set
    if len(update) + len(destroy) > most:
        raise MethodError("requestTooLarge", f"at most {most} Emails to update and destroy")
    # What is destroyed now cannot be looked up any more afterwards.
    emails = _email_ids(ctx, access, (*update, *destroy))
    answer = _SUBMIT(ctx, {name: value for name, value in given.items() if name not in names})
    assert isinstance(answer, dict)
    created: dict[str, dict[str, Any]] = answer["created"] or {}
    for creation_id, record in created.items():
        emails[record["id"]] = record.get("emailId", given["create"][creation_id].get("emailId"))
    succeeded = {
        *(record["id"] for record in created.values()),
        *(answer["updated"] or ()),
        *(answer["destroyed"] or ()),
    }
    patches: dict[str, dict[str, Any]] = {}
    for reference, patch in update.items():
        if ctx.resolved(reference) in succeeded:
            patches.setdefault(emails[ctx.resolved(reference)], {}).update(patch)
    ended = [emails[ctx.resolved(reference)] for reference in destroy if ctx.resolved(reference) in succeeded]
    responses = [("EmailSubmission/set", answer)]
    if patches or ended:
        arguments = {"accountId": access.account_id, "update": patches, "destroy": list(dict.fromkeys(ended))}
        responses.append(_set_emails(ctx, arguments))
    return responses


def _email_ids(ctx: Context, access: Access, references: Iterable[str]) -> dict[str, str]:
    """The emailId of every EmailSubmission that is referred to and there, by its id."""
    ids = {ctx.resolved(reference) for reference in references}
    numbers = [number for number in map(EMAIL_SUBMISSION.parse_id, ids) if number is not None]
    if not numbers:
        return {}
    with ctx.account(access).read() as tx:
        found = EMAIL_SUBMISSION.records.read(ctx, access, tx, numbers, ("emailId",), {})
    return {record["id"]: record["emailId"] for record in found.values()}
