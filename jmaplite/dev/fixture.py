"""The fixture: what a server is given so that tests can hold it in their hands."""

from __future__ import annotations

import asyncio
import hashlib
import random
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tomlkit.exceptions import TOMLKitError

from jmaplite.config import Config, ConfigError, parse
from jmaplite.config.table import Dev
from jmaplite.core.accounts import account_of
from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Services
from jmaplite.core.engine import Engine
from jmaplite.datatypes.mail.transfer import Owner, Transfer
from jmaplite.datatypes.submission.transfer import take_identities
from jmaplite.delivery import Relay
from jmaplite.dev.chance import Chance
from jmaplite.dev.choosing import first, overlaid
from jmaplite.dev.clock import Clock
from jmaplite.dev.directory import FixtureDirectory, Made
from jmaplite.dev.engine import FixtureEngine
from jmaplite.dev.exchanges import Exchanges
from jmaplite.dev.faults import Faults
from jmaplite.dev.generator import Generator
from jmaplite.dev.mail import bring
from jmaplite.dev.outbox import DevOutbox
from jmaplite.dev.pedant import Pedant
from jmaplite.dev.profiles import PROFILES, Choice
from jmaplite.dev.pushes import FixtureEquipment, FixtureHub
from jmaplite.dev.quirks import disguised
from jmaplite.dev.snapshots import INITIAL, Snapshots
from jmaplite.directory import Directory, Principal
from jmaplite.formats.mailboxes import Flags, Found, Incoming
from jmaplite.push import Hub, Visible
from jmaplite.push.vapid import new_key
from jmaplite.push.webpush import Equipment
from jmaplite.server.extension import Extension, Running
from jmaplite.server.ground import CannotServe, Ground
from jmaplite.server.pushing import KEY
from jmaplite.store import Store, Writer
from jmaplite.web import App

DOMAIN = "example.org"
"""That of users whose name is made up."""

SNAPSHOTS = "snapshots"
"""The directory in the store's that has the snapshots."""


class CannotDo(Exception):
    """What was asked of a fixture cannot be done; the only argument is a sentence."""


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody who was made for a test, with what to log in with."""

    name: str
    password: str
    token: str
    account_id: str


class Fixture(Extension):
    """A server's fixture, for as long as the server runs; configurations may change meanwhile.

    `seed`, if it is not empty, decides all that is otherwise left to chance: account ids, states, tokens, made-up mail.
    """

    clock: Clock

    def __init__(self, options: Dev) -> None:
        self.options = options
        self.seed = options.seed
        self.durable = not options.temporary
        self.clock = Clock()
        self.chance = self._chance = Chance(self.seed)
        self.account_id = lambda: f"u{self._chance('account', 6).hex()}"
        self._begin_clock()
        self.faults = Faults(random.Random(self.seed or None))
        self.exchanges = Exchanges()
        self.streams: Callable[[str], bool] = lambda user: False
        self.pedant = Pedant(self._capability_of, lambda user: self.streams(user))
        self.directory: FixtureDirectory | None = None
        self.outbox = DevOutbox(self)
        self.snapshots: Snapshots
        self.engine: FixtureEngine
        self._ground: Ground
        self._hub: FixtureHub
        self._server: Running
        self._loop: asyncio.AbstractEventLoop
        self._first = self._chosen = Choice()
        self._is_choosing = False
        self._choosing = threading.Lock()
        self._names = 0
        self._people: dict[str, Made] = {}

    # What the composition root asks for.

    def follow(self, config: Config) -> None:
        """Another configuration is about to be used; what is chosen by tests stands only over the one it was for."""
        self.options = config.dev
        if not self._is_choosing:
            self._chosen = replace(self._first, options={})
        if self.directory is not None:
            self.directory.auto_provision = config.dev.auto_provision
        if not config.dev.enable:
            self.faults.clear()

    def opened(self, ground: Ground) -> None:
        """The store is open."""
        self._ground = ground
        if self.seed:
            ground.store.secret(KEY, lambda: new_key(1 + int.from_bytes(self._chance("key", 31))))
        self.snapshots = Snapshots(ground.store, ground.blobs, ground.store.path / SNAPSHOTS, self.seed)

    def users(self, base: Directory) -> Directory:
        """The directory to use in the place of a configuration's."""
        if self.directory is None:
            self.directory = FixtureDirectory(base, auto_provision=self.options.auto_provision)
        self.directory.base = base
        return self.directory

    def make_engine(self, services: Services, catalog: Catalog, directory: Directory) -> Engine:
        """The engine to use."""
        profile = PROFILES[self._chosen.profile]
        disguise = disguised(catalog, self._chosen.quirks, profile.announced)
        self.engine = FixtureEngine(
            services,
            disguise,
            directory,
            expire=lambda: self.snapshots.expire(),
            quirks=self._chosen.quirks,
            faults=self.faults,
            exchanges=self.exchanges,
            pedant=self.pedant,
        )
        return self.engine

    def make_hub(self, store: Store, visible: Visible) -> Hub:
        """The hub to use."""
        self._hub = FixtureHub(store, visible, self.faults, self.exchanges, self.clock)
        self.streams = self._hub.tells
        return self._hub

    def equip(self, equipment: Equipment) -> Equipment:
        """What the sender of web pushes works with."""
        return FixtureEquipment(
            equipment.desk, equipment.client, equipment.glance, faults=self.faults, exchanges=self.exchanges
        )

    def relay(self, base: Relay) -> Relay:
        """What captures mail to other servers."""
        return self.outbox

    def install(self, app: App) -> None:
        """An application is about to be used."""
        from jmaplite.dev.web import install

        install(app, self)

    def started(self, server: Running) -> None:
        """The server accepts connections, in the event loop that calls this."""
        self._server = server
        self._loop = asyncio.get_running_loop()

    def begin(self) -> None:
        """Make the accounts of all users, bring in the mail to begin with, and take the snapshot for resets."""
        for principal in self.principals():
            is_new = self.services.store.account_of(principal.name) is None
            self._furnish(principal)
            owner = self.owner(principal.name)
            if principal.kind != "group":
                if is_new:
                    self.generate(owner, self.options.threads, f"{self.seed} {principal.name}", ())
                bring(self._transfer(), owner, self.options.mail)
        self.take_snapshot(INITIAL)

    # What tests ask for.

    @property
    def urls(self) -> Mapping[str, tuple[str, ...]]:
        """Where the server's listeners accept connections."""
        return self._server.urls

    @property
    def ending(self) -> asyncio.Event:
        """Set, in the event loop, when the server is about to stop."""
        return self._hub.ending

    @property
    def services(self) -> Services:
        """What requests share."""
        return self.engine.services

    @property
    def fill(self) -> Callable[[Writer, str], None]:
        """What a new account gets."""
        return self.engine.catalog.fill

    def everybody(self) -> Directory:
        """Who is there, to be asked by address."""
        assert self.directory is not None
        return self.directory

    def principals(self) -> list[Principal]:
        """Everybody."""
        assert self.directory is not None
        return self.directory.principals()

    def account(self, principal: Principal) -> str:
        """The id of a principal's account, made if it is missing."""
        return account_of(self.engine.services.store, principal, self.engine.catalog.fill)

    def _furnish(self, principal: Principal) -> str:
        """Make an account with all that its first session would make, so that nothing depends on when that is."""
        account_id = self.account(principal)
        if principal.kind != "group":
            self.engine.accounts(principal)
        return account_id

    def owner(self, name: str) -> Owner:
        """The account of a user, by name, address or account id. Raises TransferFailed."""
        return self._transfer().owner(name, make=True)

    def make_user(self, name: str, password: str | None, token: str | None, **more: Any) -> Login:
        """Make a user with an account. Raises NoSuchName, BadUser."""
        assert self.directory is not None
        word = password if password is not None else self._word("password", name)
        bearer = token if token is not None else self._word("token", name)
        principal = self.directory.make(name, word, token=bearer, **more)
        return Login(name, word, bearer, self._furnish(principal))

    def new_name(self) -> str:
        """A name that nobody has yet."""
        while True:
            self._names += 1
            name = f"user-{self._names}@{DOMAIN}"
            if self.directory is None or self.directory.principal(name) is None:
                return name

    def remove_user(self, name: str) -> bool:
        """Take a user that was made at run time away, with the account; answers whether there was one."""
        assert self.directory is not None
        found = self.directory.remove(name)
        if found:
            account_id = self.engine.services.store.account_of(name)
            if account_id is not None:
                self._ground.store.remove_account(account_id)
            self._forget()
        return found

    def _forget(self) -> None:
        """Let nobody in, or be told of changes, by who was there before."""
        self.engine.forget()
        self._server.forget_credentials()
        self._hub.look_anew()

    def deliver(
        self, owner: Owner, octets: bytes, *, path: tuple[str, ...], keywords: frozenset[str], received: int | None
    ) -> str:
        """Put a message into a Mailbox; answers what became of it: imported, added, present. Raises CannotDo."""
        when = int(self.clock()) if received is None else received
        found = Incoming("the message", octets, path, Flags(keywords), received=when)
        (result,) = self._transfer().run(owner, [found])
        if result.outcome == "failed":
            raise CannotDo(f"it cannot be stored: {result.reason}")
        return result.outcome

    def generate(self, owner: Owner, threads: int, seed: str, path: tuple[str, ...]) -> int:
        """Make up threads, received until now; answers how many messages they have."""
        made = Generator(seed, owner.name).threads(threads, self.clock())

        def found() -> Iterator[Found]:
            for one in made:
                yield Incoming("made up", one.octets, path, Flags(one.keywords), received=one.received)

        return sum(result.outcome == "imported" for result in self._transfer().run(owner, found()))

    def reset(self, seed: str | None = None) -> int:
        """Go back to the beginning: mail, users, clock, faults, exchanges. Answers how many accounts there are.

        From a seed, all that is left to chance is from then on what it is after each such call.
        """
        assert self.directory is not None
        self.seed = self.seed if seed is None else seed
        self._chance.restart(self.seed)
        self._names = 0
        self.faults.restart(random.Random(self.seed or None))
        self.outbox.clear()
        self._begin_clock()
        count = self.snapshots.put_back(INITIAL, seed)
        self.directory.bring_back(self._people[INITIAL])
        self._forget()
        self.exchanges.clear()
        self.pedant.forget()
        if self._chosen != self._first:
            self.choose(self._first)
        return count

    def take_snapshot(self, name: str) -> int:
        """Take a snapshot of what is stored, and of who was made; answers how many accounts it has."""
        assert self.directory is not None
        count = self.snapshots.take(name)
        self._people[name] = self.directory.made_so_far
        return count

    def restore(self, name: str) -> int:
        """Put a snapshot back; answers how many accounts it has. Raises UnknownSnapshot."""
        assert self.directory is not None
        count = self.snapshots.put_back(name)
        self.directory.bring_back(self._people[name])
        self._forget()
        return count

    def remove_snapshot(self, name: str) -> None:
        """Throw a snapshot away. Raises UnknownSnapshot."""
        self.snapshots.remove(name)
        del self._people[name]

    @property
    def choice(self) -> Choice:
        """What holds over the configuration."""
        return self._chosen

    @property
    def quirks(self) -> tuple[str, ...]:
        """The names of the quirks in force."""
        return self._chosen.quirks

    def be(self, profile: str, quirks: tuple[str, ...]) -> None:
        """Be like another server, again after each reset. Raises UnknownQuirk, CannotDo."""
        self._first = first(profile, quirks)
        if self._first != self._chosen:
            self.choose(self._first)

    def choose(self, choice: Choice) -> None:
        """Have other values for options (by their full names) and be like another server.

        Raises CannotDo with all that is wrong; all is as before then.
        """
        with self._choosing:
            before = self._chosen
            path = self._server.config.path
            try:
                config = parse(overlaid(path.read_text(encoding="utf-8"), choice.options), path)
                self._is_choosing, self._chosen = True, choice
                asyncio.run_coroutine_threadsafe(self._server.reload(config), self._loop).result(30)
                before = choice
            except ConfigError as error:
                raise CannotDo("; ".join(f"{one.key}: {one.message}" for one in error.mistakes)) from None
            except (TOMLKitError, CannotServe, OSError, ValueError, TypeError) as error:
                raise CannotDo(str(error)) from None
            finally:
                self._is_choosing, self._chosen = False, before

    def tidy(self) -> None:
        """Take out what has expired by the clock."""
        self._server.tidy()

    def _transfer(self) -> Transfer:
        assert self.directory is not None
        return Transfer(self.engine.services, self.directory, self.engine.catalog.fill, take_identities)

    def _capability_of(self, method: str) -> str | None:
        found = self.engine.catalog.method(method)
        return found.capability if found else None

    def _begin_clock(self) -> None:
        if self.options.now is None:
            self.clock.reset()
        else:
            self.clock.freeze(self.options.now)

    def _word(self, what: str, name: str) -> str:
        if not self.seed:
            return secrets.token_urlsafe(16)
        return hashlib.sha256(f"{self.seed} {what} {name}".encode()).hexdigest()[:24]
