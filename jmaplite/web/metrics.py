"""What is counted, and how Prometheus reads it (its text format, version 0.0.4).

Counting is done in the event loop's thread, so that it takes no lock: a dictionary, and a place in a list.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the classes of durations, in seconds."""

_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """Measurements of one name: each with its labels, and its value."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: Iterable[tuple[Labels, float]]


Source = Callable[[], Iterable[Family]]
"""What else there is to be measured; asked in a thread, only when somebody wants to know."""


class Metrics:
    """Counts requests and method calls, for as long as the server runs."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self._requests: dict[tuple[str, int], int] = {}
        self._durations = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0
        self._calls: dict[tuple[str, str], int] = {}
        self.streams = 0

    def request(self, method: str, status: int, seconds: float) -> None:
        """Count a request, with the time until its answer began."""
        key = (method, status)
        if key not in self._requests and method not in _METHODS:
            key = ("other", status)
        self._requests[key] = self._requests.get(key, 0) + 1
        self._durations[bisect_left(BUCKETS, seconds)] += 1
        self._seconds += seconds

    def calls(self, called: Iterable[tuple[str, str]]) -> None:
        """Count method calls: their names, and the types of their errors ("" where there is none)."""
        counts = self._calls
        for call in called:
            counts[call] = counts.get(call, 0) + 1

    def text(self, *more: Family) -> str:
        """Everything, as Prometheus reads it. Takes time, and may be asked from any thread."""
        families = [*self._counted(), *more]
        for source in self.sources:
            families += source()
        lines = [line for family in families for line in _lines(family)]
        return "\n".join([*lines, *self._histogram(), ""])

    def _counted(self) -> Iterator[Family]:
        classes: dict[Labels, int] = {}
        for (method, status), count in list(self._requests.items()):
            labels = (("method", method), ("status", f"{status // 100}xx"))
            classes[labels] = classes.get(labels, 0) + count
        yield Family("jmaplite_http_requests_total", "counter", "Requests that were answered.", classes.items())
        called = [((("name", name), ("error", error)), count) for (name, error), count in list(self._calls.items())]
        yield Family("jmaplite_method_calls_total", "counter", "JMAP method calls, by what became of them.", called)
        yield Family("jmaplite_http_streams", "gauge", "Answers that are being streamed.", [((), self.streams)])

    def _histogram(self) -> Iterator[str]:
        name = "jmaplite_http_request_duration_seconds"
        yield f"# HELP {name} Time until an answer began."
        yield f"# TYPE {name} histogram"
        durations, total = list(self._durations), 0
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), durations, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._seconds!r}"
        yield f"{name}_count {total}"


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help}"
    yield f"# TYPE {family.name} {family.kind}"
    for labels, value in family.samples:
        shown = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels)
        yield f"{family.name}{{{shown}}} {value!r}" if shown else f"{family.name} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
