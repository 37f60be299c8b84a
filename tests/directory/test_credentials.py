"""What an Authorization header proves, for how long, and to how many at once."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.directory import Directory, DirectoryUnavailable, Principal
from jmaplite.directory.credentials import Credentials, basic, bearer
from jmaplite.directory.memory import Entry, MemoryDirectory
from jmaplite.directory.tokens import hash_token

JANE = Principal("jane")


def header(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class Asked:
    """A directory with one user and one token that notes what it is asked."""

    def __init__(self) -> None:
        self.passwords: list[tuple[str, str]] = []
        self.tokens: list[str] = []
        self.password = "hunter2"
        self.unavailable = False

    def verify_password(self, name: str, password: str) -> Principal | None:
        self.passwords.append((name, password))
        if self.unavailable:
            raise DirectoryUnavailable("out of reach")
        return JANE if (name, password) == ("jane", self.password) else None

    def verify_token(self, token: str) -> Principal | None:
        self.tokens.append(token)
        return JANE if token == "T" else None

    def principal(self, name: str) -> Principal | None:
        raise NotImplementedError

    def principals(self) -> list[Principal]:
        raise NotImplementedError

    def by_email(self, address: str) -> Principal | None:
        raise NotImplementedError

    def recipients(self, address: str) -> tuple[Principal, ...]:
        raise NotImplementedError

    def is_local(self, domain: str) -> bool:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


GOOD = header("jane", "hunter2")


def test_a_good_password_is_known_from_then_on_and_a_bad_one_is_not() -> None:
    asked = Asked()
    credentials = Credentials(asked)
    assert credentials.cached(GOOD) is None
    assert [credentials.verify(GOOD) for _ in range(3)] == [JANE] * 3
    assert credentials.cached(GOOD) == JANE
    assert asked.passwords == [("jane", "hunter2")]
    wrong = header("jane", "wrong")
    assert [credentials.verify(wrong) for _ in range(2)] == [None] * 2
    assert credentials.cached(wrong) is None
    assert len(asked.passwords) == 3


def test_a_token_is_asked_for_as_it_stands() -> None:
    asked = Asked()
    credentials = Credentials(asked)
    assert credentials.verify("Bearer T") == JANE
    assert credentials.cached("Bearer T") == JANE
    assert credentials.verify("bearer t/+~._-==") is None
    assert asked.tokens == ["T", "t/+~._-=="]
    assert asked.passwords == []


def test_an_answer_is_good_for_its_time() -> None:
    asked, clock = Asked(), Clock()
    credentials = Credentials(asked, ttl=300, clock=clock)
    credentials.verify(GOOD)
    clock.now += 299.9
    assert credentials.cached(GOOD) == JANE
    asked.password = "changed"
    clock.now += 0.1
    assert credentials.cached(GOOD) is None
    assert credentials.verify(GOOD) is None


def test_an_answer_given_again_is_good_for_its_time_again() -> None:
    clock = Clock()
    credentials = Credentials(Asked(), ttl=300, clock=clock)
    for _ in range(3):
        assert credentials.verify(GOOD) == JANE
        assert credentials.cached(GOOD) == JANE
        clock.now += 300


def test_an_answer_is_good_for_no_longer_than_what_it_rests_on() -> None:
    class Expiring(Asked):
        def verify_token(self, token: str) -> Principal | None:
            return Principal("jane", expires=5000.0)

    clock, now = Clock(), Clock()
    credentials = Credentials(Expiring(), ttl=300, clock=clock, now=now)
    now.now = 4999.0
    credentials.verify("Bearer T")
    assert credentials.cached("Bearer T") == JANE
    now.now = 5000.0
    assert credentials.cached("Bearer T") is None


def test_forget_asks_anew() -> None:
    asked = Asked()
    credentials = Credentials(asked)
    credentials.verify(GOOD)
    asked.password = "changed"
    credentials.forget()
    assert credentials.cached(GOOD) is None
    assert credentials.verify(GOOD) is None


def test_no_more_answers_are_kept_than_allowed_and_the_oldest_go_first() -> None:
    class Everybody(Asked):
        def verify_token(self, token: str) -> Principal | None:
            return Principal(token)

    credentials = Credentials(Everybody(), size=2)
    for token in ("a", "b", "c"):
        credentials.verify(f"Bearer {token}")
    known = [credentials.cached(f"Bearer {token}") for token in ("a", "b", "c")]
    assert known == [None, Principal("b"), Principal("c")]


def test_an_answer_given_again_is_among_the_newest() -> None:
    class Everybody(Asked):
        def verify_token(self, token: str) -> Principal | None:
            return Principal(token)

    clock = Clock()
    credentials = Credentials(Everybody(), size=3, clock=clock, ttl=300)
    for token in ("a", "b"):
        credentials.verify(f"Bearer {token}")
    clock.now += 300
    for token in ("a", "c", "d"):
        credentials.verify(f"Bearer {token}")
    assert credentials.cached("Bearer a") == Principal("a")


def test_an_unavailable_directory_is_no_refusal_and_is_asked_again() -> None:
    asked = Asked()
    credentials = Credentials(asked)
    asked.unavailable = True
    with pytest.raises(DirectoryUnavailable):
        credentials.verify(GOOD)
    asked.unavailable = False
    assert credentials.verify(GOOD) == JANE


def test_who_was_known_is_known_for_longer_while_the_directory_is_away() -> None:
    asked, clock = Asked(), Clock()
    credentials = Credentials(asked, ttl=10, stay=100, clock=clock)
    credentials.verify(GOOD)
    asked.unavailable = True
    clock.now += 20
    assert credentials.cached(GOOD) is None
    assert credentials.verify(GOOD) == JANE
    assert credentials.cached(GOOD) == JANE, "for a while, so that not every request waits in vain"
    clock.now += 70
    assert credentials.verify(GOOD) == JANE
    with pytest.raises(DirectoryUnavailable):
        credentials.verify(header("jane", "wrong"))
    clock.now += 10
    with pytest.raises(DirectoryUnavailable):
        credentials.verify(GOOD)


def test_who_is_known_no_more_when_the_directory_is_back_is_refused() -> None:
    asked, clock = Asked(), Clock()
    credentials = Credentials(asked, ttl=10, stay=100, clock=clock)
    credentials.verify(GOOD)
    asked.unavailable = True
    clock.now += 20
    assert credentials.verify(GOOD) == JANE
    asked.unavailable, asked.password = False, "changed"
    clock.now += 10
    assert credentials.verify(GOOD) is None
    asked.unavailable = True
    with pytest.raises(DirectoryUnavailable):
        credentials.verify(GOOD)


class Slow(Asked):
    """Answers only when it is let go, and tells when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()

    def verify_password(self, name: str, password: str) -> Principal | None:
        answer = self.password
        self.begun.release()
        self.go.wait(10)
        self.passwords.append((name, password))
        if self.unavailable:
            raise DirectoryUnavailable("out of reach")
        return JANE if (name, password) == ("jane", answer) else None


class Threads:
    """Threads that verify one header each, and what came of it."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.answers: list[object] = []
        self.threads: list[threading.Thread] = []

    def start(self, authorization: str) -> None:
        def run() -> None:
            try:
                self.answers.append(self.credentials.verify(authorization))
            except DirectoryUnavailable:
                self.answers.append("unavailable")

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def join(self) -> list[object]:
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()
        return self.answers


@pytest.mark.parametrize(
    ("authorization", "unavailable", "answer"),
    [(GOOD, False, JANE), (header("jane", "wrong"), False, None), (GOOD, True, "unavailable")],
)
def test_the_same_header_at_once_is_worked_out_once(
    authorization: str, unavailable: bool, answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    slow.unavailable = unavailable
    credentials = Credentials(slow)
    waiting = threading.Semaphore(0)

    class Noted(Future[Principal | None]):
        def result(self, timeout: float | None = None) -> Principal | None:
            waiting.release()
            return super().result(timeout)

    monkeypatch.setattr("jmaplite.directory.credentials.Future", Noted)
    threads = Threads(credentials)
    for _ in range(4):
        threads.start(authorization)
    for _ in range(3):
        assert waiting.acquire(timeout=10)
    slow.go.set()
    assert threads.join() == [answer] * 4
    assert len(slow.passwords) == 1


def test_different_headers_do_not_wait_for_each_other() -> None:
    slow = Slow()
    threads = Threads(Credentials(slow))
    threads.start(GOOD)
    threads.start(header("jane", "wrong"))
    assert slow.begun.acquire(timeout=10)
    assert slow.begun.acquire(timeout=10)
    slow.go.set()
    assert sorted(map(str, threads.join())) == sorted(map(str, [JANE, None]))


def test_what_was_asked_before_forget_is_not_known_after_it() -> None:
    slow = Slow()
    credentials = Credentials(slow)
    threads = Threads(credentials)
    threads.start(GOOD)
    assert slow.begun.acquire(timeout=10)
    slow.password = "changed"
    credentials.forget()
    threads.start(GOOD)
    assert slow.begun.acquire(timeout=10), "who comes after forget asks again"
    slow.go.set()
    assert sorted(map(str, threads.join())) == sorted(map(str, [JANE, None]))
    assert credentials.cached(GOOD) is None


@pytest.mark.parametrize(
    ("authorization", "pair"),
    [
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("Aladdin", "open sesame")),
        ("Basic dGVzdDoxMjPCow==", ("test", "123£")),
        ("bAsIc  dGVzdDoxMjPCow== ", ("test", "123£")),
        (header("a", "b:c"), ("a", "b:c")),
        (header("", ""), ("", "")),
        ("Basic dGVzdDoxMjPCow", None),
        ("Basic dGVzdDoxMjOj", None),
        ("Basic dGVzdA==", None),
        ("Basic", None),
        ("Basic ", None),
        ("Basic !!!!", None),
        ("Basic dGVz dDox", None),
        ("Basicd GVzdDoxMjPCow==", None),
        ("Digest dGVzdDoxMjPCow==", None),
        (header("a\0", "b"), None),
        (header("a", "b\x7f"), None),
        ("", None),
    ],
)
def test_a_basic_header_is_a_name_and_a_password_in_utf_8(authorization: str, pair: tuple[str, str] | None) -> None:
    """RFC 7617 §2, with its examples."""
    assert basic(authorization) == pair


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        ("Bearer mF_9.B5f-4.1JqM", "mF_9.B5f-4.1JqM"),
        ("BEARER a==", "a=="),
        ("Bearer", None),
        ("Bearer a b", None),
        ("Bearer =", None),
        ("Bearer ä", None),
        ("Bearer a\n", None),
        ("Basic a", None),
    ],
)
def test_a_bearer_header_is_a_token(authorization: str, token: str | None) -> None:
    """RFC 6750 §2.1, with its example."""
    assert bearer(authorization) == token


@given(st.text() | st.binary().map(lambda octets: "Basic " + base64.b64encode(octets).decode()))
def test_no_header_is_answered_with_more_than_a_refusal(authorization: str) -> None:
    credentials = Credentials(Asked())
    assert credentials.verify(authorization) is None
    assert credentials.cached(authorization) is None


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=":")),
    st.text(st.characters(exclude_categories=["Cc", "Cs"])),
)
def test_every_name_and_password_passes(name: str, password: str) -> None:
    assert basic(header(name, password)) == (name, password)


def test_an_endless_header_is_refused_without_asking() -> None:
    asked = Asked()
    assert Credentials(asked).verify("Bearer " + "a" * 10_000) is None
    assert asked.tokens == []


def test_no_secret_is_kept_or_shown() -> None:
    credentials = Credentials(Asked())
    credentials.verify(GOOD)
    credentials.verify("Bearer T")
    kept = repr(credentials) + repr({name: value for name, value in vars(credentials).items() if name != "_directory"})
    for secret in ("hunter2", GOOD.removeprefix("Basic ")):
        assert secret not in kept


def test_a_directory_in_memory_will_do() -> None:
    from jmaplite.directory.memory import Entry, MemoryDirectory

    directory: Directory = MemoryDirectory([Entry(JANE, ("hunter2",))])
    assert Credentials(directory).verify(GOOD) == JANE


def test_whoever_logs_in_is_known_by_what_with() -> None:
    credentials = Credentials(
        MemoryDirectory([Entry(JANE, ("one", "two"), ("phone:" + hash_token("t-1"), hash_token("t-2")))])
    )
    logins = [
        credentials.verify(header)
        for header in (header("jane", "one"), header("jane", "two"), "Bearer t-1", "Bearer t-2")
    ]
    assert logins == [JANE] * 4
    known = [login.credential for login in logins if login]
    assert len(set(known)) == 4
    assert not any(secret in " ".join(known) for secret in ("one", "two", "t-1", "t-2"))


def test_a_directory_of_ones_own_tells_which_credentials_hold() -> None:
    directory = MemoryDirectory([Entry(JANE, ("one",), ("phone:" + hash_token("t-1"),)), Entry(Principal("joe"))])
    credentials = Credentials(directory)
    held = {
        login.credential for header in (header("jane", "one"), "Bearer t-1") if (login := credentials.verify(header))
    }
    assert directory.credentials("jane") == held
    assert directory.credentials("joe") == directory.credentials("nobody") == frozenset()
