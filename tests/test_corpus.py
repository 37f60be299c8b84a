"""Real mail, thousands of messages of it, comes in whole: nothing lost, nothing twice, everything as others read it."""

from __future__ import annotations

import email
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from email.header import decode_header, make_header
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from jmaplite.directory import Principal
from jmaplite.formats import mime
from tests.live import CONFIG, USER, import_mail, jmaplite
from tests.mail.jmap import Client, Server

CORPUS = Path(__file__).parent.parent.parent / "shared" / "corpus" / "dovecot-list.mbox.gz"
MESSAGES = 3237

pytestmark = pytest.mark.corpus

PROPERTIES = [
    "threadId", "blobId", "subject", "from", "sentAt", "preview", "messageId", "references", "inReplyTo", "size",
]  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not CORPUS.exists():
        pytest.skip("the corpus of real mail is not beside the repository")
    config = tmp_path_factory.mktemp("corpus") / "config.toml"
    config.write_text(CONFIG)
    told = import_mail(config, "mbox", CORPUS)
    assert f"{MESSAGES:,} imported, 0 already there, 0 failed" in told
    return config


@pytest.fixture(scope="module")
def client(config: Path) -> Iterator[Client]:
    server = Server(config.parent / "data")
    yield server.client(Principal(USER))
    server.close()


@pytest.fixture(scope="module")
def emails(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        ids = client.call("Email/query", position=len(found), limit=500)["ids"]
        if not ids:
            return found
        found += client.call("Email/get", ids=ids, properties=PROPERTIES)["list"]


def test_every_message_is_there_once(client: Client, emails: list[dict[str, Any]]) -> None:
    assert len(emails) == MESSAGES
    inbox = client.get("Mailbox", client.mailbox("inbox"), "totalEmails")
    assert inbox["totalEmails"] == MESSAGES


def test_every_message_has_a_sender_a_date_and_a_preview(emails: list[dict[str, Any]]) -> None:
    assert [one["id"] for one in emails if not (one["from"] and one["sentAt"] and one["preview"])] == []


def test_subjects_senders_and_dates_are_as_the_standard_library_reads_them(
    client: Client, emails: list[dict[str, Any]]
) -> None:
    account = client.server.store.account(client.account)
    differing = []
    with account.read() as tx:
        for one in emails:
            octets = client.server.blobs.read(tx, bytes.fromhex(one["blobId"][1:]))
            theirs = email.message_from_bytes(octets)
            subject = re.sub(r"\s+", " ", str(make_header(decode_header(theirs["subject"])))).strip()
            name, address = getaddresses([theirs["from"]])[0]
            sent = parsedate_to_datetime(theirs["date"])
            same = (
                subject == re.sub(r"\s+", " ", one["subject"]).strip()
                and (str(make_header(decode_header(name))).strip() or None, address)
                == (one["from"][0]["name"], one["from"][0]["email"])
                and (sent.tzinfo is None or sent == datetime.fromisoformat(one["sentAt"]))
                and len(octets) == one["size"]
            )
            if not same:
                differing.append(one["id"])
    assert differing == []


def test_threads_are_what_the_message_ids_and_subjects_say(emails: list[dict[str, Any]]) -> None:
    parent: dict[Any, Any] = {}

    def find(item: Any) -> Any:
        while parent.setdefault(item, item) != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for one in emails:
        subject = mime.thread_subject(one["subject"])
        find(one["id"])
        for message_id in [*(one["messageId"] or []), *(one["inReplyTo"] or []), *(one["references"] or [])]:
            parent[find((message_id, subject))] = find(one["id"])
    expected, threads = defaultdict(set), defaultdict(set)
    for one in emails:
        expected[find(one["id"])].add(one["id"])
        threads[one["threadId"]].add(one["id"])

    assert {frozenset(ids) for ids in threads.values()} == {frozenset(ids) for ids in expected.values()}


def test_a_second_import_adds_nothing_and_the_store_is_whole(config: Path, client: Client) -> None:
    told = import_mail(config, "mbox", CORPUS)

    assert f"0 imported, {MESSAGES:,} already there, 0 failed" in told
    assert client.call("Email/query", calculateTotal=True, limit=0)["total"] == MESSAGES
    assert jmaplite("verify", "--config", config).returncode == 0
