"""The kinds of values that say where something is: hosts, addresses, URLs, header lines, mail addresses."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from jmaplite.config.kinds import Kind, Wrong, found, quoted, text_of


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener is bound: a host name or IP address without brackets, and a port (0: any free one).

    With `path` it is a Unix socket, and host and port are empty.
    """

    host: str
    port: int
    path: Path | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def beneath(self, folder: Path) -> Address:
        """The same, a relative path beginning from a folder."""
        return self if self.path is None else Address("", 0, folder / self.path)


_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OWN_FIELDS = {
    "connection", "content-encoding", "content-length", "content-range", "content-type", "keep-alive",
    "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol", "te", "trailer",
    "transfer-encoding", "upgrade",
}  # fmt: skip


def _header(value: object) -> tuple[str, str]:
    text = text_of(value)
    name, colon, content = text.partition(":")
    content = content.strip(" \t")
    if not colon:
        raise Wrong
    if not _TOKEN.fullmatch(name):
        raise Wrong(f"{quoted(name)} is not a header name")
    if not all(c == "\t" or (c.isascii() and c.isprintable()) for c in content):
        raise Wrong(f"header {name}: control characters and characters outside ASCII are not allowed in its value")
    if name.lower() in _OWN_FIELDS:
        raise Wrong(f"header {name} is set by the server itself")
    return name, content


_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")


def _host(text: str) -> str | None:
    """A host without brackets, or None if it is none."""
    try:
        if text.startswith("[") and text.endswith("]"):
            return str(ipaddress.IPv6Address(text[1:-1]))
        if re.fullmatch(r"[\d.]+", text, re.ASCII):
            return str(ipaddress.IPv4Address(text))
    except ValueError:
        return None
    return text if _HOST.fullmatch(text) else None


_LONGEST_SOCKET = 107
"""What the kernel takes as the path of a Unix socket, in octets."""


def _port(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise Wrong
    if int(text) > 65535:
        raise Wrong(f"port {int(text)} is out of range (0 to 65535)")
    return int(text)


def _address(value: object) -> Address:
    text = text_of(value).strip()
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").removeprefix("//")
        if not path or "\0" in path:
            raise Wrong
        if len(path.encode("utf-8", "replace")) > _LONGEST_SOCKET:
            raise Wrong(f"the path of a Unix socket has at most {_LONGEST_SOCKET} octets")
        return Address("", 0, Path(path))
    name, _, port = text.rpartition(":")
    host = _host(name)
    if host is None:
        raise Wrong
    return Address(host, _port(port))


def _host_name(value: object) -> str:
    host = _host(text_of(value).strip())
    if host is None:
        raise Wrong
    return host


def _way(value: object) -> str:
    """A host, or the path of a Unix socket after `unix:`."""
    text = text_of(value).strip()
    path = text.removeprefix("unix:")
    if path == text:
        return _host_name(value)
    if not path.startswith("/") or "\0" in path:
        raise Wrong("a Unix socket is named by its whole path, as unix:/run/mail.sock")
    if len(path.encode("utf-8", "surrogatepass")) > _LONGEST_SOCKET:
        raise Wrong(f"the path of a Unix socket has at most {_LONGEST_SOCKET} octets")
    return text


def _database_host(value: object) -> str:
    text = text_of(value).strip()
    return text if text.startswith("/") and text.isprintable() else _host_name(value)


def _subject(value: object) -> str:
    text = text_of(value).strip()
    if _host(text.removeprefix("*.")) is None:
        raise Wrong
    return text


def _url(value: object) -> str:
    text = text_of(value).strip()
    scheme, separator, rest = text.rpartition("://")
    if separator and scheme.lower() not in ("http", "https"):
        raise Wrong(f"scheme {quoted(scheme)} is not served (use https or http)")
    rest = rest.removesuffix("/")
    if re.search(r"[/?#]", rest):
        raise Wrong(f"{quoted(text)} has a path: only scheme, host and port can be chosen")
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(.*))?", rest)
    if match is None or _host(match[1]) is None or (match[2] is not None and not _port(match[2])):
        raise Wrong
    return scheme.lower() + separator + rest.lower()


def _network(value: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text_of(value).strip(), strict=False)
    except ValueError:
        raise Wrong from None


def _email(value: object) -> str:
    text = text_of(value)
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or len(text) > 320 or not text.isprintable():
        raise Wrong
    if re.search(r'[\s<>(),;:\\"@\[\]]', domain) or re.search(r'[\s<>(),;:\\"@\[\]]', local):
        raise Wrong
    return text


def _receiver(value: object) -> str:
    text = text_of(value)
    return text if text.startswith("@") and _host(text[1:]) is not None else _email(value)


def _origin(value: object) -> str:
    text = text_of(value).strip().rstrip("/")
    match = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#@\s]+)", text)
    if text != "*" and (match is None or not match[2].isprintable()):
        raise Wrong
    return text.lower()


def _port_number(value: object) -> int:
    if isinstance(value, str):
        return _port_number(_port(value.strip()))
    if not isinstance(value, int) or isinstance(value, bool):
        raise Wrong
    if not 1 <= value <= 65535:
        raise Wrong(f"{found(value)} is no port (1 to 65535)")
    return value


def _contact(value: object) -> str:
    text = text_of(value).strip()
    if not re.fullmatch(r"(mailto:[^@\s]+@[^@\s]+|https://[^\s/]\S*)", text) or not text.isprintable():
        raise Wrong
    return text


_DIRECTORIES = ("ldap", "ldaps", "ldapi", "sqlite", "postgresql", "postgres")


def _directory_url(value: object) -> str:
    text = text_of(value).strip()
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in _DIRECTORIES or not rest or not text.isprintable():
        raise Wrong
    if scheme.lower().startswith("postgres"):
        _is_coded(rest)
    return scheme.lower() + separator + rest


def _is_coded(rest: str) -> None:
    """Raises Wrong where a password seems to stand in a URL as it is, and would be taken for something else."""
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    user, at, host = authority.partition("@")
    if "@" in host:
        raise Wrong("has an @ in the user name or the password: write %40")
    if " " in rest:
        raise Wrong("has a space: write %20")
    if re.search("%(?![0-9A-Fa-f]{2})", rest):
        raise Wrong("has a % that stands for itself: write %25")
    ports = [one.rpartition("]")[2].partition(":")[2] for one in (host if at else user).split(",")]
    if not all(port.isdigit() and port.isascii() for port in ports if port):
        raise Wrong("has a port that is no number; in a password, write %2F for a / and %3F for a ?")


HEADER = Kind("header", 'a header line "Name: value"', _header)
ADDRESS = Kind("address", 'an address and port such as "127.0.0.1:8080" or "[::]:443", or "unix:PATH"', _address)
HOST = Kind("host", "a host name or an IP address", _host_name)
DATABASE_HOST = Kind("host", "a host name, an IP address, or the path of a directory with a socket", _database_host)
WAY = Kind("host", 'a host name, an IP address, or a Unix socket such as "unix:/run/mail.sock"', _way)
SUBJECT = Kind("host name", 'a host name such as "mail.example.org" or "*.example.org"', _subject)
URL = Kind("url", 'scheme, host and port such as "https://mail.example.org", or host alone', _url)
NETWORK = Kind("network", 'a network such as "10.0.0.0/8" or an IP address', _network)
EMAIL = Kind("e-mail address", 'an e-mail address such as "jane@example.org"', _email)
RECEIVER = Kind(
    "e-mail address", 'an e-mail address such as "jane@example.org", or "@example.org" for all of a domain', _receiver
)
ORIGIN = Kind("origin", 'an origin such as "https://mail.example.org", "https://*.example.org" or "*"', _origin)
PORT = Kind(
    "port",
    "a port, from 1 to 65535",
    _port_number,
    shape={"anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, {"type": "string"}]},
)
DIRECTORY_URL = Kind(
    "url",
    'a URL such as "ldap://localhost:389", "ldaps://ldap.example.org", "sqlite:///var/lib/users.db" or "postgresql://host/name"',
    _directory_url,
)
CONTACT = Kind("url", 'a URL such as "mailto:postmaster@example.org" or "https://example.org/"', _contact)
