"""A few people, a group and a mailing list, as each kind of directory has them."""

from __future__ import annotations

from typing import Any

import argon2

from jmaplite.directory import Principal
from tests.directory.slapd import ADMIN, ADMIN_SECRET, BASE

JANE = Principal(
    "jane", description="Jane Doe", emails=("jane@example.org", "j@example.org"), quota=1_000_000, member_of=("staff",)
)
JOE = Principal("joe", "admin", "Joe", ("joe@example.org",))
ZOE = Principal("zoë", description="Zoë (*)", emails=("zoe@example.net",))
STAFF = Principal("staff", "group", "The staff", ("staff@example.org",))

PASSWORDS = {"jane": "jane's pässword", "joe": "joe's", "zoë": "*)(uid=*"}
LIST = "everybody@example.org"
CATCH_ALL = "@example.net"

_JANES = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORDS["jane"])

MEMORY = f"""
[directory.people]
type = "memory"
options.catch-all = true
[[directory.people.principals]]
name = "jane"
description = "Jane Doe"
secret = "{_JANES}"
email = ["jane@example.org", "j@example.org"]
email-list = "{LIST}"
quota = 1000000
member-of = "staff"
[[directory.people.principals]]
name = "joe"
type = "admin"
description = "Joe"
secret = "joe's"
email = "joe@example.org"
email-list = "{LIST}"
[[directory.people.principals]]
name = "zoë"
description = "Zoë (*)"
secret = "{PASSWORDS["zoë"]}"
email = ["zoe@example.net"]
[[directory.people.principals]]
name = "staff"
type = "group"
description = "The staff"
email = "staff@example.org"
"""

SQL_PEOPLE = f"""
CREATE TABLE accounts (name TEXT PRIMARY KEY, secret TEXT, description TEXT, type TEXT NOT NULL, quota INTEGER);
CREATE TABLE group_members (name TEXT NOT NULL, member_of TEXT NOT NULL, PRIMARY KEY (name, member_of));
CREATE TABLE emails (name TEXT NOT NULL, address TEXT NOT NULL, type TEXT, PRIMARY KEY (name, address));
INSERT INTO accounts VALUES
    ('jane', '{_JANES}', 'Jane Doe', 'individual', 1000000),
    ('joe', 'joe''s', 'Joe', 'admin', NULL),
    ('zoë', '{PASSWORDS["zoë"]}', 'Zoë (*)', 'individual', 0),
    ('staff', NULL, 'The staff', 'group', 0);
INSERT INTO group_members VALUES ('jane', 'staff');
INSERT INTO emails VALUES
    ('jane', 'jane@example.org', 'primary'), ('jane', 'j@example.org', 'alias'), ('jane', '{LIST}', 'list'),
    ('joe', 'joe@example.org', 'primary'), ('joe', '{LIST}', 'list'),
    ('zoë', 'zoe@example.net', 'primary'),
    ('staff', 'staff@example.org', 'primary');
"""

SQL = """
[directory.people]
type = "sql"
url = "{url}"
[directory.people.query]
name = "SELECT name, type, secret, description, quota FROM accounts WHERE name = ?"
members = "SELECT member_of FROM group_members WHERE name = ?"
recipients = "SELECT name FROM emails WHERE address = ? ORDER BY name ASC"
emails = "SELECT address FROM emails WHERE name = ? AND type != 'list' ORDER BY type DESC, address ASC"
domains = "SELECT 1 FROM emails WHERE address LIKE '%@' || ? LIMIT 1"
principals = "SELECT name FROM accounts"
"""
"""The queries that Stalwart's documents have."""

STORED = SQL.replace('url = "{url}"', 'store = "users"').replace(
    "[directory.people.query]", "[store.users]\n{place}\n[store.users.query]"
)
"""The same in a table of their own, as later versions have them."""

LDAP_PEOPLE: list[tuple[str, list[str], dict[str, Any]]] = [
    ("ou=people", ["top", "organizationalUnit"], {}),
    (
        "uid=jane,ou=people",
        ["inetOrgPerson", "mailUser"],
        {
            "sn": "Doe",
            "cn": "Jane Doe",
            "displayName": "Jane Doe",
            "userPassword": PASSWORDS["jane"],
            "mail": "jane@example.org",
            "mailAlias": "j@example.org",
            "mailList": LIST,
            "diskQuota": "1000000",
        },
    ),
    (
        "uid=joe,ou=people",
        ["inetOrgPerson", "mailUser"],
        {
            "sn": "Joe",
            "cn": "Joe",
            "userPassword": PASSWORDS["joe"],
            "mail": "joe@example.org",
            "mailList": LIST,
            "employeeType": "admin",
        },
    ),
    (
        "uid=zoë,ou=people",
        ["inetOrgPerson", "mailUser"],
        {"sn": "Z", "cn": "Zoë (*)", "userPassword": PASSWORDS["zoë"], "mail": "zoe@example.net"},
    ),
    (
        "cn=staff",
        ["groupOfNames", "mailUser"],
        {"description": "The staff", "member": f"uid=jane,ou=people,{BASE}", "mail": "staff@example.org"},
    ),
]

_LDAP = f"""
[directory.people]
type = "ldap"
url = "URL"
base-dn = "{BASE}"
tls.ca = "CA"
[directory.people.filter]
name = "(|(&(objectClass=inetOrgPerson)(uid=?))(&(objectClass=groupOfNames)(cn=?)))"
email = "(|(mail=?)(mailAlias=?)(mailList=?))"
domains = "(|(mail=*@?)(mailAlias=*@?))"
[directory.people.attributes]
name = ["uid", "cn"]
type = ["objectClass", "employeeType"]
description = ["description", "displayName", "cn"]
email-alias = "mailAlias"
quota = "diskQuota"
[directory.people.bind]
dn = "{ADMIN}"
secret = "{ADMIN_SECRET}"
"""

LDAP = {
    "ldap, comparing passwords": _LDAP.replace("URL", "PLAIN"),
    "ldap, binding as the entry": _LDAP.replace("URL", "SECURE") + "auth.enable = true\n",
    "ldap, binding by name": _LDAP.replace("URL", "PLAIN").replace("tls.ca", "tls.enable = true\ntls.ca")
    + f'auth = {{ enable = true, dn = "uid=?,ou=people,{BASE}" }}\n',
    "ldap, groups by a filter": _LDAP.replace("URL", "SECURE")
    .replace("[directory.people.filter]", '[directory.people.filter]\ngroups = "(member=?)"')
    .replace("quota =", 'groups = "nothing"\nquota ='),
}
"""Ways to prove a password, over plain connections, TLS and StartTLS."""
