"""How the server is, for whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from jmaplite.web.metrics import Metrics


@dataclass(slots=True)
class Status:
    """How the server is at the moment.

    `reload_errors` are the lines that `check-config` prints for a changed configuration that could not be used, so
    that the one before is still in use; empty when all is well. `store_failure` looks at the store, and
    `directory_failure` at the directory, which takes time; they answer why it cannot be used, or None. `metrics` is
    what is counted.
    """

    store_failure: Callable[[], str | None]
    directory_failure: Callable[[], str | None] = lambda: None
    reload_errors: tuple[str, ...] = ()
    metrics: Metrics = field(default_factory=Metrics)
