"""The page in a frame of another origin, and links to a part of a recording."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from speechsearch.store import Job, Store
from tests.browser.conftest import program
from tests.conftest import copy_data
from tests.tiny.local_server import LocalServer, local_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]
QUESTION = "Why is octopus blood blue?"
HIT = "#left .ss-hit"


@pytest.fixture(scope="module")
def parent() -> Iterator[LocalServer]:
    """Another site: the same machine, but another name and port."""
    with local_server() as found:
        yield found


@pytest.fixture(scope="module")
def framed(tmp_path_factory: pytest.TempPathFactory, library_folder: Path, parent: LocalServer) -> Iterator[str]:
    """Where a program with seven samples answers that the other site may show in a frame."""
    folder = copy_data(library_folder, tmp_path_factory.mktemp("framed") / "data")
    store = Store(f"sqlite:///{folder / 'speechsearch.db'}")
    store.jobs.add(Job("samples", "local", "samples", "samples"))
    store.jobs.set_state("samples", "done")  # so that the other sixty are not indexed first
    store.close()
    with program(folder, SERVER__FRAMES=json.dumps([f"http://localhost:{parent.port}"])) as address:
        page = f'<iframe src="{address}/?q={QUESTION}" style="width:100%;height:800px"></iframe>'
        parent.answers["/"] = (200, {"Content-Type": "text/html"}, page.encode())
        yield address


@pytest.fixture
def page(chromium) -> Iterator[object]:
    context = chromium.new_context(
        viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    opened = context.new_page()
    opened.set_default_timeout(240_000)  # the first question loads the models
    yield opened
    context.close()


def test_the_page_works_in_a_frame_of_another_origin(page, framed: str, parent: LocalServer) -> None:
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(parent.url("/", "localhost"))
    frame = page.wait_for_selector("iframe").content_frame()
    first = frame.wait_for_selector(HIT)
    assert "octopus" in first.inner_text().lower()
    frame.locator(f"{HIT} audio").first.evaluate("sound => sound.play()")
    frame.wait_for_function(f"() => document.querySelector('{HIT} audio').currentTime > 0.2")
    frame.locator("#question textarea, #question input").first.fill("a bridge")
    frame.locator("#question textarea, #question input").first.press("Enter")
    frame.wait_for_function("() => document.location.search.includes('bridge')")
    frame.wait_for_selector(HIT)
    # What a visitor notes in the frame is still his with the next request: the cookie is kept there.
    passage = frame.locator(HIT).first.get_attribute("data-passage")
    noted = frame.evaluate(
        """async (passage_id) => {
          const body = JSON.stringify({ passage_id, question: "a bridge", relevance: 1, engine: "all", rank: 1 });
          const headers = { "Content-Type": "application/json" };
          const sent = await fetch("/api/v1/feedback", { method: "POST", headers, body });
          return [sent.status, await (await fetch("/api/v1/feedback?question=a%20bridge")).text()];
        }""",
        passage,
    )
    assert noted[0] in (200, 204) and passage in noted[1], noted
    assert failures == []


def test_other_sites_may_not_show_it(page, framed: str, parent: LocalServer) -> None:
    page.goto(parent.url("/", "127.0.0.1"))  # another origin than the one that is named
    page.wait_for_selector("iframe")
    page.wait_for_timeout(3000)
    (frame,) = page.main_frame.child_frames
    assert not frame.url.startswith(framed) and frame.locator(HIT).count() == 0


def test_a_link_to_a_part_stops_at_its_end_once(page, framed: str) -> None:
    page.goto(f"{framed}/?q={QUESTION}")
    page.wait_for_selector(f"{HIT} .ss-copy").click()
    page.wait_for_selector("text=Link copied.")
    link = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"[?&]recording=[0-9a-f]{64}&t=[\d.]+&end=[\d.]+", link), link
    page.goto(re.sub(r"&t=[\d.]+&end=[\d.]+", "&t=1.00&end=2.00", link))
    sound = page.locator("ss-recording audio")
    page.wait_for_selector(".ss-rec-play").click()
    page.wait_for_function("() => !document.querySelector('ss-recording audio').paused")
    page.wait_for_function("() => document.querySelector('ss-recording audio').paused")
    stopped_s = sound.evaluate("sound => sound.currentTime")
    assert 1.95 < stopped_s < 2.6 and "end=" not in page.url
    page.locator(".ss-rec-play").click()
    page.wait_for_function("() => document.querySelector('ss-recording audio').currentTime > 3.2")


def test_a_collection_is_exported_from_its_tab(page, framed: str) -> None:
    page.goto(framed)
    page.get_by_role("tab", name="Collections", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    assert download.value.suggested_filename == "samples.zip"
