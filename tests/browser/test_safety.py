"""What a browser does with the headers: other sites, the login, the description of the routes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from speechsearch.api.passwords import hash_password
from tests.browser.conftest import program

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

PASSWORD = "a tide of bees"


@pytest.fixture(scope="module")
def other_site() -> Iterator[str]:
    """A web site of somebody else, with an empty page."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!DOCTYPE html><title>other</title>")

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def test_another_site_reads_and_changes_nothing(chromium, address: str, other_site: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{address}/api/v1/collections")
    before = json.loads(page.inner_text("body"))
    page.goto(other_site)
    said = page.evaluate(
        """async (address) => {
          const said = {};
          const attempt = async (name, path, options) => {
            try { said[name] = await (await fetch(address + path, options)).text(); }
            catch (error) { said[name] = `refused: ${error.name}`; }
          };
          await attempt("read", "/api/v1/collections", { credentials: "include" });
          await attempt("config", "/config", { credentials: "include" });
          const body = JSON.stringify({ name: "planted" });
          await attempt("json", "/api/v1/collections",
            { method: "POST", body, headers: { "Content-Type": "application/json" } });
          await attempt("plain", "/api/v1/collections", { method: "POST", mode: "no-cors", body });
          await attempt("event", "/gradio_api/queue/join", { method: "POST", mode: "no-cors", body: "{}" });
          await new Promise((resolve) => {
            const live = new WebSocket(address.replace("http", "ws") + "/api/v1/jobs/x/events");
            live.onopen = () => { said.socket = "open"; resolve(); };
            live.onerror = () => { said.socket = "refused"; resolve(); };
          });
          return said;
        }""",
        address,
    )
    assert said["read"] == said["config"] == said["json"] == "refused: TypeError"
    assert said["socket"] == "refused"
    assert said["plain"] == said["event"] == "refused: TypeError"  # sent, refused, and unreadable
    page.goto(f"{address}/api/v1/collections")
    assert json.loads(page.inner_text("body")) == before
    context.close()


def test_another_site_cannot_frame_the_page(chromium, address: str, other_site: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(other_site)
    page.evaluate(
        "address => document.body.append(Object.assign(document.createElement('iframe'), {src: address}))", address
    )
    page.wait_for_timeout(1500)
    assert any("frame" in text.lower() for text in refused), refused
    context.close()


def test_the_description_of_the_routes_needs_no_other_host(chromium, address: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/api/docs")
    page.wait_for_selector('[data-path="/api/v1/search"]')
    assert all(url.startswith((address, "data:", "blob:")) for url in asked), asked
    context.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a program answers that wants a login."""
    users = json.dumps({"ann": hash_password(PASSWORD)})
    with program(tmp_path_factory.mktemp("guarded"), AUTH__USERS=users) as found:
        yield found


@pytest.mark.parametrize("width", [1280, 390])
def test_logging_in_and_out(chromium, guarded: str, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, java_script_enabled=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{guarded}/?q=octopus")
    assert page.url == f"{guarded}/login?q=octopus"
    assert page.evaluate("document.activeElement.name") == "username"
    page.keyboard.type("ann")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    assert page.get_by_role("alert").inner_text() == "The name or the password is wrong."
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("text=Logged in as")
    assert page.url.startswith(f"{guarded}/?q=octopus")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Log out", exact=True).click()
    page.wait_for_url(f"{guarded}/login")
    context.close()
