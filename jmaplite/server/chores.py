"""What a server does when nobody asks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from jmaplite.config import Config
from jmaplite.core import history
from jmaplite.datatypes.mail import conversations
from jmaplite.datatypes.mail.capability import settings_of
from jmaplite.datatypes.mail.expunge import expunge
from jmaplite.delivery import Courier, Outbox
from jmaplite.push.webpush import WebPush
from jmaplite.server.leading import Lead
from jmaplite.server.parts import Parts, office
from jmaplite.store import StoreError, StoreUnavailable, Writer

logger = logging.getLogger(__name__)

GLANCE_SECONDS = 1.0
"""How often it is looked whether the lead can be had, and for commits of other processes where nobody tells of them."""

TIDY_SECONDS = 300.0
"""How often uploads are expired."""


class Chores:
    """What a server does when nobody asks: deliver mail, send web pushes, and take out uploads that have expired.

    Of several processes over one store only that does it which has the lead.
    """

    def __init__(self, parts: Parts, config: Config) -> None:
        self._parts = parts
        self._stopped = threading.Event()
        self._store_is_away = False
        self._lead = Lead(parts.ground.store.path)
        self._is_leading = False
        self._courier = Courier(office(parts, config), parts.relay)
        self._outbox = Outbox(office(parts, config), self._courier.wake)
        services = parts.engine.services
        self._web_push = WebPush(services.store.feed, services.clock, parts.web_push)
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)

    def change(self, parts: Parts, config: Config) -> None:
        """Go on by another configuration over the same ground."""
        before, self._parts = self._parts.relay, parts
        self._outbox.change(office(parts, config))
        self._courier.change(office(parts, config), parts.relay)
        if parts.relay is not before:
            parts.relay.start()
            threading.Thread(target=before.stop, name="relay before", daemon=True).start()
        self._web_push.change(parts.web_push)

    def start(self) -> None:
        """Begin."""
        self._parts.relay.start()
        self._do(self._try_to_lead)
        self._thread.start()

    def stop(self) -> None:
        """End after the chore at hand."""
        self._stopped.set()
        self._courier.end()
        self._outbox.stop()
        self._parts.relay.stop()
        self._courier.join()
        self._web_push.stop()
        if self._thread.is_alive():
            self._thread.join()
        self._lead.leave()

    def tidy(self) -> None:
        """Take out the uploads of every account that have expired, what is left of those before, and old history.

        And mail that has been in the trash for as long as is set.
        """
        parts = self._parts
        services, catalog = parts.engine.services, parts.engine.catalog
        now = int(services.clock())
        threading = settings_of(services).threading
        names = [data_type.name for capability in catalog.capabilities for data_type in capability.types]

        def forget(tx: Writer) -> None:
            parts.ground.blobs.expire(tx, now - services.limits.upload_ttl)
            history.tidy(tx, names, now, services.limits.max_history)
            conversations.forget(tx, threading, now)

        for info in parts.ground.store.accounts():
            if self._stopped.is_set():
                return
            with suppress(StoreError):
                account = parts.ground.store.account(info.id)
                account.write(forget)
                expunge(services, account, self._stopped.is_set)
                with account.read() as tx:
                    parts.ground.blobs.sweep(tx)

    def _run(self) -> None:
        next_tidy = time.monotonic() + TIDY_SECONDS
        while not self._stopped.wait(GLANCE_SECONDS):
            if not self._parts.ground.hears:
                self._do(self._parts.ground.store.poll)
            if not self._is_leading:
                self._do(self._try_to_lead)
            elif time.monotonic() >= next_tidy:
                self._do(self.tidy)
                next_tidy = time.monotonic() + TIDY_SECONDS

    def _try_to_lead(self) -> None:
        if self._lead.take():
            self._is_leading = True
            self._outbox.start()
            self._courier.start()
            self._web_push.start()

    def _do(self, chore: Callable[[], None]) -> None:
        try:
            chore()
        except StoreUnavailable as error:
            # The chore comes again every second; saying the same each time would fill the disk that may be full.
            if not self._store_is_away:
                logger.warning("the store cannot be used at the moment: %s", error)
            self._store_is_away = True
        except Exception:
            logger.exception("a chore failed; it is done again later")
        else:
            self._store_is_away = False
