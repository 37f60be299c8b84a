"""The examples, and those of Stalwart's documents, are configurations that work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from jmaplite import cli
from jmaplite.config import load, parse
from jmaplite.server import compose
from tests.live import serving

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))
USES = {"quickstart", "fixture", "self-hosted", "ldap", "behind-a-proxy", "cyrus-style"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a certificate, and the passwords that stand elsewhere."""
    issued = trustme.CA().issue_cert("mail.example.org")
    issued.private_key_pem.write_to_path(tmp_path / "privkey.pem")
    for pem in issued.cert_chain_pems:
        pem.write_to_path(tmp_path / "fullchain.pem", append=True)
    for name in ("LDAP_PASSWORD", "JANE_PASSWORD"):
        monkeypatch.setenv(name, "hush")
    (tmp_path / "relay-password").write_text("hush\n")
    return tmp_path


def placed(example: Path, here: Path) -> Path:
    """An example where its certificate is, with a store of its own and ports that nobody uses."""
    text = example.read_text("utf-8").replace("/etc/letsencrypt/live/mail.example.org/", "")
    text = text.replace("/var/lib/jmaplite", "data").replace("/run/jmaplite/", "")
    file = here / "config.toml"
    file.write_text(re.sub(r"^bind = .*", lambda line: re.sub(r":\d+\"", ':0"', line[0]), text, flags=re.M))
    return file


def test_there_is_one_for_each_use() -> None:
    assert {example.stem for example in EXAMPLES} == USES


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_no_mistake_and_no_warning(example: Path, here: Path) -> None:
    result = CliRunner().invoke(cli.main, ["check-config", str(placed(example, here))])
    lines = [line for line in result.stdout.splitlines() if ": note: " not in line]
    assert (result.exit_code, lines) == (0, ["OK"])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_option_of_an_example_is_explained(example: Path) -> None:
    """The first example that shows an option says what it is for; each has a head."""
    text = example.read_text("utf-8")
    assert text.startswith("# ")
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_a_server_starts_with_an_example(example: Path, here: Path) -> None:
    file = placed(example, here)
    with serving(file) as live:
        tls = any(listener.tls_implicit for listener in load(file).listeners)
        assert live.url.startswith("https:" if tls else "http:")


LISTENER = """
[server]
hostname = "jmap.example.org"

[server.listener."jmap"]
bind = ["127.0.0.1:0"]
url = "https://jmap.example.org"
protocol = "jmap"

[server.listener."jmap".tls]
implicit = false
"""

HEADERS = """
[jmap.http]
headers = ["Access-Control-Allow-Origin: *",
           "Access-Control-Allow-Methods: POST, GET, HEAD, OPTIONS",
           "Access-Control-Allow-Headers: *"]
"""

PRINCIPALS = """
[jmap]
directory = "memory"

[directory."memory"]
type = "memory"

[directory."memory".options]
catch-all = true
subaddressing = true

[[directory."memory".principals]]
name = "admin"
{kind} = "admin"
description = "Superuser"
secret = "changeme"
email = ["postmaster@example.org"]

[[directory."memory".principals]]
name = "jane"
{kind} = "individual"
description = "Jane Doe"
secret = "abcde"
email = ["jane@example.org", "jane.doe@example.org"]
email-list = ["info@example.org"]
member-of = ["sales", "support"]
quota = 500000000

[[directory."memory".principals]]
name = "sales"
{kind} = "group"
description = "Sales Team"

[[directory."memory".principals]]
name = "support"
{kind} = "group"
description = "Support Team"
"""

USERS = """
[jmap]
directory = "memory"

[directory."memory"]
type = "memory"
disable = false

[directory."memory".options]
superuser-group = "superusers"

[[directory."memory".users]]
name = "admin"
description = "Superuser"
secret = "changeme"
email = ["postmaster@example.org"]
member-of = ["superusers"]

[[directory."memory".groups]]
name = "superusers"
description = "Superusers"
"""


@pytest.mark.parametrize(
    "directory",
    [PRINCIPALS.format(kind="type"), PRINCIPALS.format(kind="class"), USERS],
    ids=["type", "class", "users"],
)
def test_what_stalwarts_documents_show_works_unchanged(directory: str, tmp_path: Path) -> None:
    config = parse(LISTENER + HEADERS + directory, tmp_path / "config.toml")
    [listener] = config.listeners
    assert (listener.url, listener.tls_implicit) == ("https://jmap.example.org", False)
    assert config.http.headers[0] == ("Access-Control-Allow-Origin", "*")
    admin = config.directory.principals[0]
    assert (admin.name, admin.type) == ("admin", "admin")
    parts = compose(config)
    try:
        assert parts.directory.verify_password("admin", "changeme") is not None
        assert parts.directory.verify_password("admin", "abcde") is None
    finally:
        parts.close()


FOLDERS = """
[jmap.folders.inbox]
name = "INBOX"
[jmap.folders.junk]
name = "Spam"
subscribe = false
[jmap.folders.archive]
create = false
[jmap.folders.important]
name = "Important"
"""


def test_an_account_begins_with_the_mailboxes_that_are_named(tmp_path: Path) -> None:
    parts = compose(parse(LISTENER + FOLDERS + USERS, tmp_path / "config.toml"))
    try:
        admin = parts.directory.principal("admin")
        assert admin is not None
        [account, *_] = parts.engine.session(admin, "https://example.org").accounts
        with parts.ground.store.account(account).read() as tx:
            made = tx.rows("SELECT name, role FROM mailbox WHERE account=? ORDER BY id", tx.account)
    finally:
        parts.close()
    assert [tuple(row) for row in made] == [
        ("INBOX", "inbox"),
        ("Drafts", "drafts"),
        ("Sent", "sent"),
        ("Spam", "junk"),
        ("Trash", "trash"),
        ("Important", "important"),
    ]


LIMITS = """
[jmap.protocol]
get.max-objects = 500
set.max-objects = 500
[jmap.protocol.request]
max-concurrent = 4
max-size = 10000000
max-calls = 16
[jmap.protocol.query]
max-results = 5000
[jmap.protocol.upload]
max-size = 50000000
max-concurrent = 4
ttl = "1h"
[jmap.protocol.upload.quota]
files = 1000
size = 50000000
[jmap.mailbox]
max-depth = 10
max-name-length = 255
[jmap.email]
max-attachment-size = 50000000
max-size = 75000000
[jmap.email.parse]
max-items = 10
[jmap.rate-limit]
account = "1000/1m"
authentication = "10/1m"
anonymous = "100/1m"
use-forwarded = false
[jmap.rate-limit.cache]
size = 1024
[jmap.session.cache]
ttl = "1h"
size = 100
[jmap.event-source]
throttle = "1s"
[jmap.web-sockets]
throttle = "1s"
timeout = "10m"
heartbeat = "1m"
[jmap.push]
max-total = 100
throttle = "1ms"
[jmap.push.attempts]
interval = "1m"
max = 3
[jmap.push.retry]
interval = "1s"
[jmap.push.timeout]
request = "10s"
verify = "1s"
"""


def test_stalwarts_sample_of_limits_and_timings_works_unchanged(tmp_path: Path) -> None:
    config = parse(LISTENER + LIMITS + USERS, tmp_path / "config.toml")
    assert (config.web_socket.timeout, config.push.throttle, config.push.timeout_verify) == (600, 0.001, 1)
    assert config.session_cache.size == 100
    assert config.server_http.use_x_forwarded is False


def test_what_stalwart_fetches_certificates_with_is_refused_by_name(tmp_path: Path) -> None:
    from jmaplite.config import ConfigError

    with pytest.raises(ConfigError, match=r"acme: is refused: certificates are not fetched"):
        parse(f'{LISTENER}{USERS}[acme."letsencrypt"]\ndirectory = "x"\n', tmp_path / "config.toml")
