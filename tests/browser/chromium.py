"""A headless Chromium that reaches nothing but this machine, and pages of another origin for it."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from selenium.common import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
"""No look outside, and no sandbox: in a container there may be none to be had."""

PATIENCE = 30

PAGE = b"<!doctype html><meta charset=utf-8><title>page</title><link rel=icon href='data:,'>"


class Browser:
    """One tab of a Chromium. `driver` is Selenium's, for whatever else a test needs."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is there."""
        self.driver.get(url)

    def said(self) -> list[str]:
        """What has come to the console since the last time."""
        return [entry["message"] for entry in self._log("browser")]

    def asked(self) -> list[str]:
        """Every URL that was asked for since the last time, by pages and the frames in them."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [
            one["params"]["request"]["url"] if "request" in one["params"] else one["params"]["url"]
            for one in events
            if one["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated")
        ]

    def _log(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.driver.execute("getLog", {"type": name})["value"]
        return found

    def run(self, body: str, *arguments: Any) -> Any:
        """What the body of an async JavaScript function returns in the page; `args` are the arguments.

        What it throws fails the test.
        """
        script = f"""
            const done = arguments[arguments.length - 1], args = [...arguments].slice(0, -1);
            (async () => {{ {body} }})().then(value => done({{value}}), error => done({{error: String(error)}}));
        """
        answer: dict[str, Any] = self.driver.execute_async_script(script, *arguments)
        assert "error" not in answer, answer["error"]
        return answer.get("value")


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A Chromium with an empty profile in a folder; the test is skipped where there is none."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs chromium and chromium-driver")

    def begun(profile: str) -> Chrome:
        options = ChromeOptions()
        options.binary_location = program
        for flag in (*FLAGS, f"--user-data-dir={folder / profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        return Chrome(options, ChromeService(driver))

    try:
        made = begun("profile")
    except WebDriverException:  # a browser that does not come up at once is not what is tested here
        made = begun("another")
    try:
        made.set_script_timeout(PATIENCE)
        made.set_page_load_timeout(PATIENCE)
        yield Browser(made)
    finally:
        made.quit()


@contextmanager
def empty_pages() -> Iterator[str]:
    """The origin of an empty page, another one than that of any server under test."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
