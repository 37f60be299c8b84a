"""Whom mail for an address is for, where addresses stand for others: subaddresses and catch-all addresses."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Any

from jmaplite.directory.port import Directory, KnowsCredentials, Principal

Rule = Callable[[str], str | None]
"""From an address to the one that it may stand for, or None."""

LONGEST_ADDRESS = 1000
"""Octets of an address that is looked up at all; no mail has longer ones (RFC 5321 §4.5.3.1)."""

_DOMAIN = re.compile(r"[\w\u00a1-\ud7ff\ue000-\U0010ffff-]+(?:\.[\w\u00a1-\ud7ff\ue000-\U0010ffff-]+)*\.?|\[[\w.:-]+\]")
"""A domain or an address literal as mail has them (RFC 5321 §4.1.2, RFC 6531 §3.3), and underscores besides."""

_GROUP = re.compile(r"\$\{(\d{1,2})\}|\$(\d{1,2})")


def subaddress(address: str) -> str | None:
    """`jane@example.org` for `jane+lists@example.org`."""
    local, at, domain = address.rpartition("@")
    user, plus, _ = local.partition("+")
    return user + at + domain if plus and user else None


def catch_all(address: str) -> str | None:
    """`@example.org` for any address there."""
    _, at, domain = address.rpartition("@")
    return at + domain if at else None


def mapped(pattern: str, to: str) -> Rule:
    """A rule of one's own: what matches a whole address becomes `to`, where `${1}` is the first group.

    Raises ValueError for what is no pattern, and for groups that it does not have.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    for group in _GROUP.finditer(to):
        if int(group[1] or group[2]) > compiled.groups:
            raise ValueError(f"the expression has no group {group[1] or group[2]}")

    def rule(address: str) -> str | None:
        match = compiled.fullmatch(address)
        return _GROUP.sub(lambda group: match[int(group[1] or group[2])] or "", to) if match else None

    return rule


class Routed:
    """Implements Directory: another one in which more addresses are known, and which remembers what it was asked.

    `rules` are tried one after the other for an address that nobody has; `domains` are local in any case. What is found
    for an address or a domain is kept for `positive` seconds, that nothing is for `negative`, `size` answers in all.
    What cannot be a domain is nobody's, and the other directory is not asked: its queries may take it for a pattern.
    """

    def __init__(
        self,
        directory: Directory,
        rules: tuple[Rule, ...] = (),
        *,
        domains: Iterable[str] = (),
        positive: float = 300.0,
        negative: float = 30.0,
        size: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._rules = rules
        self._domains = {domain.casefold() for domain in domains}
        self._seconds = (negative, positive)
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, Any]] = {}
        self.verify_password = directory.verify_password
        self.verify_token = directory.verify_token
        self.principal = directory.principal
        self.principals = directory.principals
        self.by_email = directory.by_email
        if isinstance(directory, KnowsCredentials):
            self.credentials = directory.credentials

    def recipients(self, address: str) -> tuple[Principal, ...]:
        """Everybody who receives mail for an address."""
        all_of = self._directory.recipients
        for candidate in self._candidates(address):
            found: tuple[Principal, ...] = self._remembered(("all", candidate), partial(all_of, candidate))
            if found:
                return found
        return ()

    def is_local(self, domain: str) -> bool:
        """Whether a domain is one of those here."""
        if domain.casefold() in self._domains:
            return True
        if not _is_domain(domain):
            return False
        found: bool = self._remembered(("domain", domain), partial(self._directory.is_local, domain))
        return found

    def close(self) -> None:
        """Let go of every connection, and forget."""
        with self._lock:
            self._kept.clear()
        self._directory.close()

    def _candidates(self, address: str) -> list[str]:
        """An address and those that it may stand for, each once, in their order."""
        if len(address) > LONGEST_ADDRESS or not _is_domain(address.rpartition("@")[2]) or "@" not in address:
            return []
        others = (rule(address) for rule in self._rules)
        return list(dict.fromkeys([address, *(other for other in others if other)]))

    def _remembered(self, key: Hashable, ask: Callable[[], Any]) -> Any:
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept[0]:
            return kept[1]
        answer = ask()
        if not self._size:
            return answer
        with self._lock:
            self._kept.pop(key, None)
            while len(self._kept) >= self._size:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = (self._clock() + self._seconds[bool(answer)], answer)
        return answer


def _is_domain(text: str) -> bool:
    return len(text) <= LONGEST_ADDRESS and _DOMAIN.fullmatch(text) is not None
