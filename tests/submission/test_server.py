"""A whole server: what a client composes and sends over HTTP arrives, and after a restart too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jmaplite.datatypes.mail import MAIL
from jmaplite.datatypes.submission import SUBMISSION
from tests.web.serving import Site, serving, until


def responses(site: Site, *calls: Any) -> list[dict[str, Any]]:
    found = site.call(*calls, using=(MAIL, SUBMISSION)).json["methodResponses"]
    assert [name for name, _, _ in found if name == "error"] == [], found
    return [response for _, response, _ in found]


def send(site: Site, subject: str, **parameters: str) -> str:
    """Compose, submit and file a message to oneself, as clients do, in one request; answers the submission's id."""
    account = site.account
    identities, boxes = responses(
        site, ["Identity/get", {"accountId": account}, "0"], ["Mailbox/get", {"accountId": account}, "1"]
    )
    (identity,) = identities["list"]
    roles = {box["role"]: box["id"] for box in boxes["list"]}
    email = {
        "mailboxIds": {roles["drafts"]: True},
        "keywords": {"$draft": True, "$seen": True},
        "from": [{"name": identity["name"], "email": identity["email"]}],
        "to": [{"name": None, "email": "demo@example.org"}],
        "subject": subject,
        "bodyValues": {"1": {"value": "Hello."}},
        "textBody": [{"partId": "1", "type": "text/plain"}],
    }
    address = {"email": identity["email"], "parameters": parameters or None}
    submission = {
        "identityId": identity["id"],
        "emailId": "#draft",
        "envelope": {"mailFrom": address, "rcptTo": [{"email": "demo@example.org", "parameters": None}]},
    }
    filed = {f"mailboxIds/{roles['drafts']}": None, f"mailboxIds/{roles['sent']}": True, "keywords/$draft": None}
    composed, submitted, updated = responses(
        site,
        ["Email/set", {"accountId": account, "create": {"draft": email}}, "0"],
        ["EmailSubmission/set", {
            "accountId": account, "create": {"sent": submission}, "onSuccessUpdateEmail": {"#sent": filed},
        }, "1"],
    )  # fmt: skip
    assert updated["updated"] == {composed["created"]["draft"]["id"]: None}
    return str(submitted["created"]["sent"]["id"])


def inbox(site: Site) -> list[str]:
    """Subjects of the unseen messages in the inbox."""
    account = site.account
    query = {"accountId": account, "filter": {"notKeyword": "$seen"}, "sort": [{"property": "receivedAt"}]}
    get = {
        "accountId": account,
        "#ids": {"resultOf": "0", "name": "Email/query", "path": "/ids"},
        "properties": ["subject"],
    }
    _, emails = responses(site, ["Email/query", query, "0"], ["Email/get", get, "1"])
    return [email["subject"] for email in emails["list"]]


def test_a_message_that_is_composed_and_sent_over_http_arrives(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        send(site, "Now")
        until(lambda: inbox(site) == ["Now"])


def test_a_message_that_is_held_over_a_restart_arrives(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        send(site, "Later", HOLDFOR="1")
    with serving(tmp_path) as site:
        until(lambda: inbox(site) == ["Later"])
