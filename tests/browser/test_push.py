"""A page of another origin is told of changes, by an EventSource and by a WebSocket, with tickets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Browser
from tests.browser.test_cors import CLIENT, RULES
from tests.web.serving import DEMO, Site, serving

PUSHED = (
    CLIENT
    + """
    const ticket = async () => (await (await fetch(session.ticketUrl, {method: "POST", headers})).json()).ticket;
    const change = async () => {
        const create = {a: {name: String(Math.random())}};
        const [[, {newState}]] = await api(["Mailbox/set", {accountId: account, create}, "0"]);
        return newState;
    };
    const events = async lastId => {
        const variables = session.eventSourceUrl.replace("{types}", "Mailbox").replace("{closeafter}", "no")
            .replace("{ping}", "0");
        const at = lastId ? "&lastEventId=" + encodeURIComponent(lastId) : "";
        const source = new EventSource(variables + at + "&ticket=" + await ticket());
        return source;
    };
    const opened = source => new Promise((resolve, reject) => { source.onopen = resolve; source.onerror = reject; });
    const state = source => new Promise((resolve, reject) => {
        source.onerror = () => reject("the stream broke off");
        source.addEventListener("state", event => resolve([JSON.parse(event.data), event.lastEventId]));
    });
"""
)


@pytest.fixture(scope="module")
def site(elsewhere: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    rule = RULES["a list with this origin"](elsewhere)
    with serving(tmp_path_factory.mktemp("site"), rule) as site:
        yield site


def test_an_event_source_tells_a_page_of_changes_and_of_what_it_has_missed(
    browser: Browser, elsewhere: str, site: Site
) -> None:
    browser.open(elsewhere)
    script = (
        PUSHED
        + """
        const source = await events();
        await opened(source);
        const told = state(source);
        const first = await change();
        const [change1, lastId] = await told;
        source.close();
        const second = await change();
        const again = await events(lastId);
        const [change2] = await state(again);
        again.close();
        return [[change1.changed[account].Mailbox, change2.changed[account].Mailbox], [first, second]];
    """
    )
    told, made = browser.run(script, f"http://127.0.0.1:{site.port}", DEMO)
    assert told == made


def test_a_web_socket_answers_a_page_and_tells_it_of_changes(browser: Browser, elsewhere: str, site: Site) -> None:
    browser.open(elsewhere)
    script = (
        PUSHED
        + """
        const where = session.capabilities["urn:ietf:params:jmap:websocket"].url;
        const socket = new WebSocket(where + "?ticket=" + await ticket(), "jmap");
        await opened(socket);
        const heard = () => new Promise((resolve, reject) => {
            socket.onmessage = event => resolve(JSON.parse(event.data));
            socket.onclose = () => reject("the socket was closed");
        });
        const next = heard();
        socket.send(JSON.stringify({"@type": "WebSocketPushEnable", dataTypes: ["Mailbox"]}));
        socket.send(JSON.stringify({"@type": "Request", id: "R1", using: ["urn:ietf:params:jmap:core"],
            methodCalls: [["Core/echo", {text: "x".repeat(10000)}, "0"]]}));
        const answer = await next;
        const told = heard();
        const made = await change();
        const {changed, pushState} = await told;
        return [socket.protocol, answer.requestId, answer.methodResponses[0][1].text.length,
            changed[account].Mailbox === made, typeof pushState, socket.extensions];
    """
    )
    found = browser.run(script, f"http://127.0.0.1:{site.port}", DEMO)
    assert found[:5] == ["jmap", "R1", 10000, True, "string"]
    assert found[5].startswith("permessage-deflate")


def test_without_a_ticket_a_page_gets_neither(browser: Browser, elsewhere: str, site: Site) -> None:
    browser.open(elsewhere)
    script = """
        const failed = thing => new Promise(resolve => { thing.onerror = () => resolve(true); });
        const source = new EventSource(args[0] + "/jmap/eventsource/?types=*&closeafter=no&ping=0&ticket=x");
        const socket = new WebSocket(args[0].replace("http", "ws") + "/jmap/ws/", "jmap");
        await Promise.all([failed(source), failed(socket)]);
        return [source.readyState, socket.readyState];
    """
    assert browser.run(script, f"http://127.0.0.1:{site.port}") == [2, 3]
