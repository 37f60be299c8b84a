"""A page of another origin uses the whole of JMAP, if it is let in, and nothing of it if not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Browser
from tests.web.serving import DEMO, Site, serving

STALWART = """[jmap.http]
headers = ["Access-Control-Allow-Origin: *",
           "Access-Control-Allow-Methods: POST, GET, HEAD, OPTIONS",
           "Access-Control-Allow-Headers: *"]"""

RULES: dict[str, Callable[[str], str]] = {
    "Stalwart's list of headers": lambda origin: STALWART,
    "permissive-cors": lambda origin: "[server.http]\npermissive-cors = true",
    "a list with this origin": lambda origin: f'[jmap.http.cors]\nallowed-origins = ["{origin}"]',
    "a list with a pattern": lambda origin: '[jmap.http.cors]\nallowed-origins = ["http://127.0.0.1:*"]',
}

CLIENT = """
    const [base, authorization] = args;
    const headers = {Authorization: authorization};
    const session = await (await fetch(base + "/.well-known/jmap", {headers})).json();
    const account = session.primaryAccounts["urn:ietf:params:jmap:mail"];
    const api = async (...methodCalls) => {
        const using = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"];
        const body = JSON.stringify({using, methodCalls});
        const sent = {...headers, "Content-Type": "application/json"};
        return (await (await fetch(session.apiUrl, {method: "POST", headers: sent, body})).json()).methodResponses;
    };
"""
"""The beginning of every script here: a client that has logged in."""


@pytest.fixture(scope="module", params=list(RULES))
def site(request: pytest.FixtureRequest, elsewhere: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that lets the page in, by one rule or another."""
    with serving(tmp_path_factory.mktemp("site"), RULES[request.param](elsewhere)) as site:
        yield site


@pytest.fixture
def page(browser: Browser, elsewhere: str) -> Browser:
    """A page of another origin."""
    browser.open(elsewhere)
    return browser


def base(site: Site) -> str:
    return f"http://127.0.0.1:{site.port}"


def test_a_page_fetches_the_session_and_calls_the_api(page: Browser, site: Site) -> None:
    script = CLIENT + 'return await api(["Core/echo", {hello: true}, "0"], ["Mailbox/get", {accountId: account}, "1"]);'
    echo, mailboxes = page.run(script, base(site), DEMO)
    assert echo == ["Core/echo", {"hello": True}, "0"]
    assert mailboxes[1]["list"]


def test_a_page_uploads_and_downloads_what_it_likes(page: Browser, site: Site) -> None:
    script = (
        CLIENT
        + """
        const url = session.uploadUrl.replace("{accountId}", account);
        const results = [];
        for (const type of ["message/rfc822", "image/svg+xml", "x-strange/thing; a=b"]) {
            const body = new Blob(["octets"], {type});
            const sent = {...headers, "Content-Type": type};
            const {blobId} = await (await fetch(url, {method: "POST", headers: sent, body})).json();
            const got = await fetch(session.downloadUrl.replace("{accountId}", account).replace("{blobId}", blobId)
                .replace("{name}", "x").replace("{type}", encodeURIComponent(type)),
                {headers: {...headers, Range: "bytes=2-"}});
            results.push([got.status, await got.text()]);
        }
        return results;
        """
    )
    assert page.run(script, base(site), DEMO) == [[206, "tets"]] * 3


def test_a_page_reads_why_it_is_refused(page: Browser, site: Site) -> None:
    script = """
        const answer = await fetch(args[0] + "/.well-known/jmap", {headers: {Authorization: "Basic eDp5"}});
        return [answer.status, (await answer.json()).status];
    """
    assert page.run(script, base(site)) == [401, 401]


def test_a_page_that_is_not_let_in_reads_nothing(page: Browser, tmp_path: Path) -> None:
    script = """
        const ask = path => fetch(args[0] + path, {headers: {Authorization: args[1]}}).then(
            answer => answer.status, error => error.name);
        return [await ask("/.well-known/jmap"), await ask("/jmap/")];
    """
    others = '[jmap.http.cors]\nallowed-origins = ["https://app.example.org"]'
    for number, more in enumerate(("", others)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with serving(folder, more) as site:
            assert page.run(script, base(site), DEMO) == ["TypeError", "TypeError"]


def test_a_page_is_told_of_changes_as_they_happen(page: Browser, site: Site) -> None:
    """By fetch, which can log in, and which reads the stream as it comes."""
    script = (
        CLIENT
        + """
        const url = session.eventSourceUrl.replace("{types}", "*").replace("{closeafter}", "state")
            .replace("{ping}", 0);
        const stream = await fetch(url, {headers: {...headers, "Last-Event-ID": ""}});
        const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
        const first = await reader.read();
        await api(["Mailbox/set", {accountId: account, create: {a: {name: "New " + Math.random()}}}, "0"]);
        let text = first.value;
        for (let piece; !(piece = await reader.read()).done;) text += piece.value;
        const state = text.split("\\n").find(line => line.startsWith("data: ") && line.includes("StateChange"));
        return [stream.headers.get("Content-Type"), Object.keys(JSON.parse(state.slice(6)).changed[account])];
        """
    )
    kind, types = page.run(script, base(site), DEMO)
    assert kind.startswith("text/event-stream")
    assert "Mailbox" in types


def test_an_event_source_of_the_browser_listens_with_a_ticket(page: Browser, site: Site) -> None:
    """An EventSource cannot log in: the page gets a ticket for it."""
    script = (
        CLIENT
        + """
        const answer = await fetch(args[0] + "/jmap/ticket/", {method: "POST", headers});
        const ticket = (await answer.json()).ticket;
        const url = session.eventSourceUrl.replace("{types}", "Mailbox").replace("{closeafter}", "no")
            .replace("{ping}", 0);
        const source = new EventSource(url + "&ticket=" + encodeURIComponent(ticket));
        await new Promise((opened, failed) => { source.onopen = opened; source.onerror = failed; });
        const told = new Promise(done => source.addEventListener("state", event => done(event.data)));
        await api(["Mailbox/set", {accountId: account, create: {a: {name: "New " + Math.random()}}}, "0"]);
        const changed = JSON.parse(await told).changed;
        source.close();
        return Object.keys(changed[account]);
        """
    )
    assert page.run(script, base(site), DEMO) == ["Mailbox"]
