"""An engine that misbehaves where a rule says so, and writes down what it did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Access, Context, Method, Response, Services
from jmaplite.core.engine import Answer, Engine
from jmaplite.core.errors import MethodError, RequestError
from jmaplite.core.json import NotJSON, dumps, loads
from jmaplite.core.session import Sessions
from jmaplite.dev.directory import PAGE
from jmaplite.dev.exchanges import Call, Exchange, Exchanges, Warned, states
from jmaplite.dev.faults import Effect, Event, Faults, Rule, fails
from jmaplite.dev.pedant import Looked, Pedant
from jmaplite.dev.quirks import RELATIVE_URLS
from jmaplite.directory import Directory, Principal

CUT = "jmaplite-cut"
"""A header line that is never sent: the connection is to be cut instead."""


class Broken(RequestError):
    """A request that a rule has fail as a whole."""

    def __init__(self, rule: Rule) -> None:
        effect = rule.effect
        status = effect.status or 500
        super().__init__("serverUnavailable" if status == 503 else "serverFail", f"The rule {rule.id}.", status=status)
        self.cut = effect.cut
        if effect.cut:
            self.headers = ((CUT, "1"),)
        elif effect.retry_after is not None:
            self.headers = (("Retry-After", str(effect.retry_after)),)


class FixtureSessions(Sessions):
    """Sessions with quirks."""

    quirks: tuple[str, ...] = ()

    def _document(
        self, accounts: Mapping[str, Access], primary: Mapping[str, str], username: str, base_url: str
    ) -> dict[str, Any]:
        document = super()._document(accounts, primary, username, base_url)
        if RELATIVE_URLS in self.quirks:
            for name in ("apiUrl", "downloadUrl", "uploadUrl", "eventSourceUrl", *self._catalog.resources):
                document[name] = document[name].removeprefix(base_url)
        return document


class FixtureEngine(Engine):
    """An Engine under the eyes of a fixture.

    `sleep` waits for the seconds of a delay, `expire` makes all states invalid.
    """

    def __init__(
        self,
        services: Services,
        catalog: Catalog,
        directory: Directory,
        *,
        faults: Faults,
        exchanges: Exchanges,
        pedant: Pedant,
        expire: Callable[[], object] = lambda: None,
        quirks: tuple[str, ...] = (),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(services, catalog, directory)
        self._sessions = FixtureSessions(services, catalog, directory)
        self._sessions.quirks = quirks
        self._faults = faults
        self._exchanges = exchanges
        self._pedant = pedant
        self._sleep = sleep
        self._expire = expire
        self._local = threading.local()

    def process(
        self,
        principal: Principal,
        base_url: str,
        body: bytes,
        transport: str = "http",
        *,
        called: list[tuple[str, str]] | None = None,
    ) -> bytes:
        """The Response document, after what rules have to say. Raises RequestError, and Broken for whole requests."""
        inner = super().process
        watched = self._exchange(principal, f"{base_url}/jmap/", body, transport)
        return self._watched(watched, principal, lambda: inner(principal, base_url, body, called=called))

    def respond(
        self, principal: Principal, base_url: str, value: Any, *, called: list[tuple[str, str]] | None = None
    ) -> bytes:
        """The same to the value of a Request document, which has come over a WebSocket. Raises as `process` does."""
        inner = super().respond
        if self._looking or _is_page(principal, value):
            return inner(principal, base_url, value, called=called)
        watched = self._exchange(principal, f"{base_url}/jmap/ws/", dumps(value), "websocket")
        return self._watched(watched, principal, lambda: inner(principal, base_url, value, called=called))

    def _exchange(self, principal: Principal, url: str, body: bytes, transport: str) -> Exchange:
        return Exchange(self._exchanges.number(), transport, principal.name, time.time(), body, url)

    @property
    def _looking(self) -> bool:
        """Whether this thread is at a request that is looked at already, or must not be."""
        return getattr(self._local, "exchange", None) is not None or getattr(self._local, "quiet", False)

    def _watched(self, exchange: Exchange, principal: Principal, answer: Callable[[], bytes]) -> bytes:
        """An answer as rules have it, written down."""
        self._local.exchange = exchange
        began = time.perf_counter()
        try:
            rule = self._fired(principal, exchange.request, exchange)
            exchange.response = answer()
            if rule is not None:
                exchange.response = spoilt(exchange.response, rule.effect)
        except RequestError as error:
            exchange.calls = exchange.calls or [Call(*named, 0.0) for named in _named(exchange.request) if named[0]]
            if isinstance(error, Broken) and error.cut:
                exchange.status = 0
            else:
                exchange.status, exchange.response = error.status, dumps(error.to_json())
            raise
        finally:
            self._local.exchange = None
            exchange.milliseconds = (time.perf_counter() - began) * 1000
            exchange.warnings = self._warnings(exchange)
            self._exchanges.add(exchange)
        return exchange.response

    def quietly(self, principal: Principal, body: bytes) -> bytes:
        """The Response document without faults, and not in the log. Raises RequestError."""
        self._local.quiet = True
        try:
            return super().process(principal, "http://fixture", body)
        finally:
            self._local.quiet = False

    def perform(self, context: Context, method: Method, arguments: dict[str, Any]) -> Response:
        """What a method answers, or what a rule has it answer."""
        exchange: Exchange | None = getattr(self._local, "exchange", None)
        if exchange is None:
            return super().perform(context, method, arguments)
        call = Call(method.name, str(arguments.get("accountId") or arguments.get("fromAccountId") or ""), 0.0)
        exchange.calls.append(call)
        began = time.perf_counter()
        try:
            found = self._faulty(context, method, arguments, call, exchange)
        finally:
            call.milliseconds = (time.perf_counter() - began) * 1000
        call.state = states(found if isinstance(found, dict) else found[0][1])
        return found

    def _call(self, context: Context, answer: Answer, name: str, arguments: dict[str, Any], call_id: str) -> None:
        """Run one method, and note what error it is answered with."""
        exchange: Exchange | None = getattr(self._local, "exchange", None)
        before = len(exchange.calls) if exchange is not None else 0
        try:
            super()._call(context, answer, name, arguments, call_id)
        except Exception as error:
            if exchange is not None:
                if len(exchange.calls) == before:
                    exchange.calls.append(Call(name, str(arguments.get("accountId") or ""), 0.0))
                exchange.calls[-1].error = error.type if isinstance(error, MethodError) else "serverFail"
            raise

    def _faulty(
        self, context: Context, method: Method, arguments: dict[str, Any], call: Call, exchange: Exchange
    ) -> Response:
        rule = self._faults.fire(Event(exchange.transport, method.name, call.account, context.user), of="call")
        if rule is None:
            return super().perform(context, method, arguments)
        exchange.faults.append(rule.id)
        if rule.effect.delay:
            self._sleep(rule.effect.delay)
        if rule.effect.method_error is not None:
            error = dict(rule.effect.method_error)
            raise MethodError(error.pop("type"), error.pop("description", None), **error)
        if rule.effect.expire_states:
            self._expire()
            return super().perform(context, method, arguments)
        rest, failed = fails(arguments, rule)
        found = super().perform(context, method, rest)
        first = found if isinstance(found, dict) else found[0][1]
        for name, errors in failed.items():
            first[name] = {**(first.get(name) or {}), **errors}
        return found

    def _fired(self, principal: Principal, body: bytes, exchange: Exchange) -> Rule | None:
        """The rule that fires for the whole request, because of any of its methods. Raises Broken."""
        if not self._faults:
            return None
        for method, account in _named(body):
            event = Event(exchange.transport, method, account, principal.name, "/jmap/")
            rule = self._faults.fire(event, of="request")
            if rule is not None:
                exchange.faults.append(rule.id)
                if rule.effect.delay:
                    self._sleep(rule.effect.delay)
                if rule.effect.status or rule.effect.cut:
                    raise Broken(rule)
                return rule
        return None

    def _warnings(self, exchange: Exchange) -> list[Warned]:
        """What is odd about an exchange that is over."""
        if exchange.status != 200:
            return []
        try:
            request, response = loads(exchange.request), loads(exchange.response)
            answers: dict[str, list[tuple[str, Any]]] = {}
            for name, arguments, call_id in response["methodResponses"]:
                answers.setdefault(call_id, []).append((name, arguments))
            calls = tuple((name, given, tuple(answers.get(at, ()))) for name, given, at in request["methodCalls"])
            using, state = frozenset(request["using"]), response["sessionState"]
        except (NotJSON, KeyError, TypeError, ValueError):
            return []
        looked = Looked(exchange.user, self.services.clock(), using, calls, state)
        return self._pedant.look(looked)


def _is_page(principal: Principal, value: Any) -> bool:
    """Whether a request is the inspector's for what it shows: neither faults nor the log are for these."""
    return (
        principal.credential == PAGE
        and isinstance(value, dict)
        and isinstance(value.get("id"), str)
        and value["id"].startswith("page")
    )


def spoilt(octets: bytes, effect: Effect) -> bytes:
    """An answer as a rule has it: cut short, or no JSON."""
    if effect.truncate is not None:
        return octets[: int(len(octets) * effect.truncate)]
    return b"<!" + octets[2:] if effect.garble else octets


def _named(body: bytes) -> list[tuple[str, str]]:
    """The methods of a request, each with its account; one without a name if it has none."""
    try:
        calls = loads(body)["methodCalls"]
        return [(str(name), str(arguments.get("accountId", ""))) for name, arguments, _ in calls] or [("", "")]
    except (NotJSON, KeyError, TypeError, ValueError, AttributeError):
        return [("", "")]
