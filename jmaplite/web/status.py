"""How the server is, for whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Status:
    """How the server is at the moment.

    `reload_errors` are the lines that `check-config` prints for a changed configuration that could not be used, so
    that the one before is still in use; empty when all is well. `store_failure` looks at the store, which takes time,
    and answers why it cannot be used, or None.
    """

    store_failure: Callable[[], str | None]
    reload_errors: tuple[str, ...] = ()
