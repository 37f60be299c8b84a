"""The inspector at work: every pane, by mouse and by keyboard, on a desk and on a phone, with mail that means harm."""

from __future__ import annotations

import json
import shlex
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from jmaplite.dev.in_process import FixtureServer
from jmaplite.dev.launch import Options
from tests.browser.chromium import PATIENCE, Browser

MARK = "window.parent.pwned = window.pwned = top.pwned = 1"

HOSTILE = """From: "<img src=x onerror='MARK'>" <script@evil.example>
To: alice@example.org
Subject: <svg onload="MARK"><script>MARK</script> ${alert(1)}
Message-ID: <hostile@evil.example>
X-Header: <img src=x onerror="MARK">
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html; charset=utf-8

<html><head><base href="EVIL/"><meta http-equiv="refresh" content="0; url=EVIL/refresh">
<style>@import url(EVIL/import.css); body { background: url(EVIL/style.png) }</style>
<link rel="stylesheet" href="EVIL/link.css"><script>MARK</script><script src="/dev/main.js"></script>
</head><body onload="MARK"><p id="seen">The letter itself</p>
<img src="EVIL/image.png" onerror="MARK">
<svg onload="MARK"><script>MARK</script><image href="EVIL/svg.png"/></svg>
<iframe src="EVIL/frame"></iframe><iframe srcdoc="<script>MARK</script>"></iframe>
<object data="EVIL/object"></object><video src="EVIL/video" autoplay></video>
<form action="EVIL/form"><button id="send">send</button></form>
<a id="link" href="EVIL/link" target="_top">link</a><a id="run" href="javascript:MARK">run</a>
</body></html>
--b
Content-Type: image/svg+xml; name="x.svg"
Content-Disposition: attachment; filename="\\"><img src=x onerror='MARK'>.svg"

<svg xmlns="http://www.w3.org/2000/svg" onload="MARK"><script>MARK</script></svg>
--b--
""".replace("MARK", MARK)


class Page:
    """The inspector in a browser."""

    def __init__(self, browser: Browser, server: FixtureServer) -> None:
        self.browser = browser
        self.driver = browser.driver
        self.server = server
        self.origin = server.url

    def open(self, pane: str = "") -> None:
        self.driver.get("about:blank")
        self.browser.said(), self.browser.asked()
        self.driver.get(f"{self.origin}/dev/#{pane}")
        self.until(lambda: self.driver.execute_script("return document.documentElement.dataset.ready"))
        self.until(lambda: self.one(".status").text == "connected" or self.one(".status.open"))

    def until(self, holds: Callable[[], Any]) -> Any:
        """What a look at the page gives once it gives anything."""
        return WebDriverWait(self.driver, PATIENCE, 0.05, (Exception,)).until(lambda _: holds())

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def shown(self, selector: str, text: str = "") -> WebElement:
        """What is to be seen, with a text, once it is there."""

        def look() -> WebElement | None:
            return next((one for one in self.all(selector) if one.is_displayed() and text in one.text), None)

        found: WebElement = self.until(look)
        return found

    def click(self, selector: str, text: str = "") -> None:

        def try_to() -> bool:
            self.shown(selector, text).click()
            return True

        self.until(try_to)

    def choose(self, selector: str, text: str) -> None:
        """What a list to choose from offers under a text that begins so, whatever its capitals."""

        def try_to() -> bool:
            options = self.one(selector).find_elements(By.TAG_NAME, "option")
            next(one for one in options if one.text.casefold().startswith(text.casefold())).click()
            return True

        self.until(try_to)

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        script = """
            const [method, path, body] = args;
            const sent = body === null ? undefined : JSON.stringify(body);
            const answer = await fetch("/dev/api" + path, {method, body: sent});
            if (!answer.ok) throw new Error(await answer.text());
            return await answer.json();
        """
        return self.browser.run(script, method, path, body)

    def is_clean(self) -> None:
        """Nothing was said on the console, and nobody else was asked for anything."""
        assert self.browser.said() == []
        hosts = {
            urlsplit(url).netloc for url in self.browser.asked() if not url.startswith(("data:", "blob:", "about:"))
        }
        assert hosts <= {urlsplit(self.origin).netloc}


@pytest.fixture(scope="module")
def server() -> Iterator[FixtureServer]:
    with FixtureServer(Options(seed="inspector", threads=40)) as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: FixtureServer) -> Iterator[Page]:
    server.fixture.reset()
    browser.driver.set_window_size(1300, 900)
    page = Page(browser, server)
    page.open()
    yield page
    page.driver.execute_script("localStorage.clear()")
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_mail_is_read_flagged_and_moved(page: Page) -> None:
    page.shown(".box.on", "Inbox")
    page.click(".message")
    page.shown(".about h2")
    for name in ("Text", "Parts", "Headers", "Raw", "JSON"):
        page.click(".subtab", name)
    page.shown(".view.json .json", "bodyStructure")
    page.click(".subtab", "Headers")
    page.shown(".headers", "Message-ID")
    page.click(".actions .button[title^=Flag]")
    page.shown(".actions .tag", "$flagged")
    page.click(".actions .button[title^=Move]")
    page.click(".dialog .choice", "Archive")
    page.shown(".toast", "Moved to Archive")
    page.click(".box", "Archive")
    page.until(lambda: len(page.all(".message")) == 1)
    page.click(".message")
    page.shown(".actions .tag", "$flagged")
    page.click(".actions .button[title^=Delete]")
    page.shown(".column.list .empty", "Nothing here")
    page.is_clean()


def test_the_list_is_searched_filtered_and_long(page: Page) -> None:
    page.control("POST", "/generate", {"account": "alice@example.org", "threads": 400, "seed": "more"})
    page.until(lambda: page.one(".list .total").text == "440 threads")
    assert len(page.all(".message")) < 60
    page.driver.execute_script("document.querySelector('.rows').scrollTop = 1e9")
    page.until(lambda: page.one("#m-439").text)
    page.click(".list .toggle", "Threads")
    page.until(lambda: "messages" in page.one(".list .total").text)
    page.click(".list .toggle", "Unread")
    page.until(
        lambda: (
            page.all(".message") and all("unread" in (one.get_attribute("class") or "") for one in page.all(".message"))
        )
    )
    page.one(".list .search").send_keys("subject:nothinglikethis")
    page.shown(".column.list .empty", "Nothing found")
    page.click(".empty .button", "Clear the search")
    page.shown(".message")
    page.is_clean()


def test_a_short_list_begins_at_the_top(page: Page) -> None:
    page.click(".box", "Archive")
    page.shown(".column.list .empty", "Nothing here")
    page.control("POST", "/generate", {"account": "alice@example.org", "threads": 1, "mailbox": "Archive"})
    page.shown(".message")
    head, tools, rows = (page.one(f".column.list > {name}").rect for name in (".head", ".tools", ".rows"))
    assert head["height"] < 60
    assert abs(head["y"] + head["height"] - tools["y"]) < 2
    assert abs(tools["y"] + tools["height"] - rows["y"]) < 2
    assert abs(rows["y"] + rows["height"] - page.driver.execute_script("return innerHeight")) < 2


def test_exchanges_of_clients_show_up_as_they_are_made(page: Page) -> None:
    page.click("#tab-exchanges")
    page.shown(".lines .empty", "No exchanges yet")
    client = page.server.client("alice-token")
    client.call("Mailbox/get", ids=None)
    rule = {"id": "fails", "match": {"method": "Email/get"}, "effect": {"methodError": "serverFail"}}
    page.control("POST", "/faults", rule)
    client.request(["Email/get", {"accountId": client.account_id, "ids": []}, "0"])
    page.click(".line.bad", "Email/get")
    page.shown(".detail .notice.bad", "fails")
    page.shown(".detail .tag.bad", "serverFail")
    page.shown(".side[aria-label=Request] .json", "methodCalls")
    page.shown(".side[aria-label=Response] .json", "serverFail")
    page.one(".log .search").send_keys("mailbox")
    page.until(lambda: [one.text.split()[1] for one in page.all(".line")] == ["Mailbox/get"])
    page.one(".log .search").clear()
    page.one(".log .search").send_keys(" ", Keys.BACKSPACE)
    page.until(lambda: len(page.all(".line")) > 1)
    page.click(".log .button", "Pause")
    client.call("Core/echo")
    page.until(lambda: "waiting" in page.one(".log .total").text)
    page.click(".log .button", "Resume")
    page.shown(".line", "Core/echo")
    page.click(".log .button", "Clear")
    page.shown(".lines .empty")
    page.is_clean()


def test_a_request_is_completed_checked_and_sent(page: Page) -> None:
    page.click("#tab-console")
    area = page.shown("textarea.code")
    area.send_keys(Keys.CONTROL, "a")
    area.send_keys(Keys.DELETE, '[["Mailbox/ge')
    page.shown(".completions li.on", "Mailbox/get")
    page.press(Keys.ENTER)
    area.send_keys(', {"prop')
    page.shown(".completions li", "properties")
    page.press(Keys.ENTER)
    area.send_keys('["unreadT')
    page.shown(".completions li", "unreadThreads")
    page.press(Keys.ENTER, Keys.END)
    page.press(', "acc')
    page.press(Keys.ENTER)
    page.shown(".checked.bad")
    account = page.server.client("alice-token").account_id
    request = [["Mailbox/get", {"accountId": account, "ids": None}, "0"]]
    page.driver.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", area, json.dumps(request)
    )
    page.shown(".checked.good", "1 call")
    page.shown(".using", "urn:ietf:params:jmap:mail")
    area.send_keys(Keys.CONTROL, Keys.ENTER)
    page.shown(".answer .tag.good", "ok")
    page.shown(".answer .json", "totalEmails")
    page.choose("select[aria-label=Transport]", "HTTP")
    page.click(".edit .button", "Send")
    page.shown(".answer .tag.good", "200")
    logged = page.control("GET", "/exchanges?method=Mailbox/get")["exchanges"]
    assert [one["transport"] for one in logged] == ["websocket", "http"]
    page.is_clean()


def test_pushes_come_and_tell_what_has_changed(page: Page) -> None:
    page.click("#tab-push")
    page.shown(".push .empty")
    message = "Subject: One more\nMessage-ID: <more@x.example>\n\nText\n"
    page.control("POST", "/deliver", {"account": "alice@example.org", "text": message})
    page.shown(".event .type", "Email")
    page.click(".event .button", "What changed")
    page.shown(".changes dt", "created 1")
    page.is_clean()


def test_the_fixture_is_in_hand(page: Page) -> None:
    page.click("#tab-fixture")
    page.click("#card-clock .button", "Freeze")
    page.shown(".chip.warn", "frozen")
    before = page.control("GET", "/clock")["seconds"]
    page.click("#card-clock .button", "+1 d")
    page.until(lambda: page.control("GET", "/clock")["seconds"] == before + 86400)
    page.click("#card-clock .button", "Real time")
    page.until(lambda: "warn" not in (page.one(".chip:not(.bad)").get_attribute("class") or ""))
    page.click("#card-faults .toggle", "overQuota")
    page.click("#card-faults .button", "Add the rule")
    page.shown(".rule", "overQuota")
    page.shown(".chip.bad", "1 fault")
    page.click(".rule .button")
    page.shown(".faults", "the server behaves")
    page.shown("#card-state input").send_keys("mine")
    page.click("#card-state .button", "Take a snapshot")
    page.shown("#card-state .item", "mine")
    page.click("#card-mail .button", "Deliver")
    page.shown(".toast", "Delivered")
    page.shown("#card-outbox", "Nothing was sent yet")
    page.click("#card-users .button", "Make a user")
    page.shown(".dialog", "token")
    page.press(Keys.ESCAPE)
    page.choose("select[aria-label=Profile]", "cyrus")
    page.click("#card-settings .button", "Apply")
    page.shown("#card-settings .item", "max-thread")
    page.click("#card-state .button", "Reset")
    page.click(".dialog .button", "Reset")
    page.shown(".toast", "as at the beginning")
    page.until(lambda: "max-thread" not in page.one("#card-settings").text)
    page.shown(".status.open")
    page.is_clean()


def test_another_user_is_looked_at(page: Page) -> None:
    page.choose("select.user", "bob")
    page.until(lambda: "Bob" in page.one("select.account").text)
    page.shown(".message")
    page.choose("select.account", "Team")
    page.shown(".column.list .empty", "Nothing here")
    page.is_clean()


def test_it_is_walked_by_keyboard_alone(page: Page) -> None:
    page.press("?")
    page.shown(".dialog", "Keyboard shortcuts")
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.all(".dialog"))
    page.shown(".message")
    page.press("j", "j")
    page.shown(".about h2")
    page.shown("#m-1[aria-selected=true]")
    page.press("f")
    page.shown(".actions .tag", "$flagged")
    page.press("h")
    page.shown(".headers")
    page.press("/")
    assert page.driver.switch_to.active_element.get_attribute("aria-label") == "Search"
    page.press(Keys.ARROW_DOWN)
    page.until(lambda: page.driver.switch_to.active_element.get_attribute("id") == "m-0")
    page.press(Keys.END)
    page.until(lambda: page.driver.switch_to.active_element.get_attribute("id") == "m-39")
    for number, name in enumerate(("Mail", "Exchanges", "Console", "Push", "Fixture"), 1):
        page.press(Keys.ESCAPE, str(number))
        page.until(lambda name=name: page.driver.title.startswith(name))  # type: ignore[misc]
        page.press(Keys.TAB)
        focused = page.driver.switch_to.active_element
        outline = page.driver.execute_script("return getComputedStyle(arguments[0]).outlineStyle", focused)
        assert outline == "solid", (name, focused.get_attribute("outerHTML"))
    page.press(Keys.ESCAPE, "t")
    assert page.driver.execute_script("return document.documentElement.dataset.theme") == "light"
    page.press("t")
    assert page.driver.execute_script("return document.documentElement.dataset.theme") == "dark"
    page.press("t")
    page.is_clean()


NAMELESS = """
    const shown = [...document.querySelectorAll("button, select, input, textarea, a, [role=listbox], iframe")]
        .filter(one => one.offsetParent !== null);
    return shown.filter(one => !(one.textContent.trim() || one.getAttribute("aria-label") || one.title
        || one.labels?.length)).map(one => one.outerHTML);
"""


TOO_WIDE = """
    const scrolls = ".wide, .using, .editor, pre, .json, .actions, .subtabs";
    return [...document.querySelectorAll(".pane:not([hidden]) *")].filter(one => one.offsetParent !== null
        && one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(scrolls)).map(one => one.className);
"""


@pytest.mark.parametrize("pane", ["mail", "exchanges", "console", "push", "fixture"])
def test_whatever_can_be_used_has_a_name(page: Page, pane: str) -> None:
    page.click(f"#tab-{pane}")
    page.until(lambda: not page.one(f"#tab-{pane}").get_attribute("hidden"))
    assert page.driver.execute_script(NAMELESS) == []


WITH_IMAGE = """Subject: With an image
Message-ID: <image@x.example>
MIME-Version: 1.0
Content-Type: multipart/related; boundary=b

--b
Content-Type: text/html

<p style="color: rgb(1, 2, 3)">Look:</p><img id="image" src="cid:one@x.example">
--b
Content-Type: image/gif
Content-ID: <one@x.example>
Content-Transfer-Encoding: base64

R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7
--b--
"""


def test_mail_looks_as_it_was_meant_with_the_images_that_it_brings(page: Page) -> None:
    page.control("POST", "/deliver", {"account": "alice@example.org", "text": WITH_IMAGE})
    page.click(".message", "With an image")
    frame = page.shown("iframe.frame")
    page.until(lambda: frame.get_attribute("src"))
    page.driver.switch_to.frame(frame)
    assert page.shown("p", "Look:").value_of_css_property("color") == "rgba(1, 2, 3, 1)"
    page.until(lambda: page.one("#image").get_property("naturalWidth") == 1)
    page.driver.switch_to.default_content()
    page.is_clean()


@pytest.fixture
def evil() -> Iterator[tuple[str, list[str]]]:
    """An origin elsewhere, and every path that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_hostile_mail_runs_nothing_and_fetches_nothing(page: Page, evil: tuple[str, list[str]]) -> None:
    origin, asked = evil
    text = HOSTILE.replace("EVIL", origin)
    page.control("POST", "/deliver", {"account": "alice@example.org", "text": text})
    page.click(".message", "<svg onload")
    assert "<script>" in page.shown(".about h2", "<svg onload").text
    page.shown(".notice", "stays away")
    frame = page.shown("iframe.frame")
    page.until(lambda: frame.get_attribute("src"))
    page.driver.switch_to.frame(frame)
    page.shown("#seen", "The letter itself")
    for name in ("link", "run", "send"):
        page.one(f"#{name}").click()
    page.until(lambda: page.all("#seen"))
    page.driver.switch_to.default_content()
    for name in ("Text", "Parts", "Headers", "Raw", "JSON"):
        page.click(".subtab", name)
        page.until(lambda: not page.all(".view .skeleton"))
    page.click(".subtab", "Parts")
    page.click(".part .button[title*=onerror]")
    account = page.server.client("alice-token").account_id
    page.server.client("alice-token").request(["<img src=x onerror=1>/get", {"accountId": account, "<b>": "<i>"}, "0"])
    page.click("#tab-exchanges")
    page.click(".line", "<img")
    page.shown(".detail .json", "<b>")
    assert page.driver.execute_script("return [window.pwned === undefined, document.scripts.length]") == [True, 1]
    assert page.driver.execute_script("return document.querySelectorAll('main img, main svg script').length") == 0
    assert page.driver.title.startswith("Exchanges")
    assert asked == []
    said = page.browser.said()
    blocked = ("Content Security Policy", "sandboxed", "Blocked", "Refused", "ERR_BLOCKED_BY_CSP")
    assert [text for text in said if not any(word in text for word in blocked)] == []


def test_a_phone_shows_one_thing_at_a_time(page: Page) -> None:
    metrics = {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.open()
    for pane in ("mail", "exchanges", "console", "push", "fixture"):
        page.click(f"#tab-{pane}")
        page.shown(".pane")
        assert page.driver.execute_script("return document.documentElement.scrollWidth") <= 390
        assert page.driver.execute_script(TOO_WIDE) == []
    page.click("#tab-mail")
    page.click(".message")
    page.shown(".about h2")
    assert not page.one(".column.list").is_displayed()
    page.click(".read .button[title='Back to the list']")
    page.click(".list .button[title=Mailboxes]")
    page.click(".box", "Drafts")
    page.shown(".column.list .empty", "Nothing here")
    page.is_clean()


def test_a_tablet_shows_two_things_at_a_time(page: Page) -> None:
    metrics = {"width": 768, "height": 1024, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.open()
    page.click(".message")
    assert page.shown(".about h2").rect["width"] > 300
    assert page.one(".column.list").is_displayed()
    page.click(".list .button[title=Mailboxes]")
    assert not page.one(".column.list").is_displayed()
    page.click(".box", "Inbox")
    page.server.client("alice-token").call("Mailbox/get", ids=None)
    for pane in ("exchanges", "console", "push", "fixture", "mail"):
        page.click(f"#tab-{pane}")
        assert page.driver.execute_script(TOO_WIDE) == []
    page.click("#tab-exchanges")
    page.click(".line", "Mailbox/get")
    page.shown(".side[aria-label=Response]")
    assert not page.one(".column.log").is_displayed()
    page.click(".detail .button[title='Back to the list']")
    page.shown(".line", "Mailbox/get")
    page.is_clean()


ARABIC = """Subject: =?utf-8?B?2YXYsdit2KjYpw==?=
Message-ID: <rtl@x.example>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

\u0627\u0644\u0633\u0644\u0627\u0645
"""


def test_what_is_written_from_right_to_left_is_shown_so(page: Page) -> None:
    page.control("POST", "/deliver", {"account": "alice@example.org", "text": ARABIC})
    page.click(".message", "\u0645\u0631\u062d\u0628\u0627")
    assert page.shown(".about h2").value_of_css_property("direction") == "rtl"
    assert page.one(".message .subject").value_of_css_property("direction") == "rtl"
    assert page.one(".message .from").value_of_css_property("direction") == "ltr"
    assert page.shown("pre.plain").value_of_css_property("unicode-bidi") == "plaintext"


COPIED = """
    const copied = [];
    navigator.clipboard.writeText = async (text) => { copied.push(text); };
    window.copied = copied;
"""


def test_what_is_copied_as_curl_asks_the_same_of_a_shell(page: Page) -> None:
    client = page.server.client("alice-token")
    client.request(["Core/echo", {"text": "it's $HOME \\ `x` \u00e9"}, "0"])
    page.driver.execute_script(COPIED)
    page.click("#tab-exchanges")
    page.click(".line", "Core/echo")
    page.click(".detail .button[title='Copy as curl']")
    page.shown(".toast", "Copied as curl")
    program, _, url, *more = shlex.split(page.driver.execute_script("return copied[0]"))
    assert (program, url) == ("curl", f"{page.origin}/jmap/")
    headers = dict(more[at + 1].split(": ", 1) for at, word in enumerate(more) if word == "-H")
    asked = urllib.request.Request(url, more[more.index("--data-raw") + 1].encode(), headers)
    with urllib.request.urlopen(asked) as answer:
        assert json.load(answer)["methodResponses"][0][1]["text"] == "it's $HOME \\ `x` \u00e9"


def test_what_was_turned_away_or_not_answered_is_told_in_the_log(page: Page) -> None:
    client = page.server.client("alice-token")
    page.control("POST", "/faults", {"effect": {"cut": True}, "match": {"method": "Core/echo"}, "times": 1})
    with pytest.raises(ConnectionError):
        client.call("Core/echo")
    page.browser.run("await fetch('/jmap/', {method: 'OPTIONS'})")
    page.click("#tab-exchanges")
    page.shown(".line", "OPTIONS /jmap/")
    page.click(".line.bad", "Core/echo")
    page.shown(".detail .tag.bad", "no answer")


def test_it_comes_back_when_the_connection_is_lost(page: Page) -> None:
    page.driver.execute_script("window.inspector.client.socket.close()")
    page.driver.execute_script("window.inspector.client.lost(window.inspector.client.wanted)")
    page.until(lambda: "open" in (page.one(".status").get_attribute("class") or ""))
    page.click(".box", "Drafts")
    page.shown(".column.list .empty", "Nothing here")
