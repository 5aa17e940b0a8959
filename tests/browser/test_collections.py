from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import soundfile

from speechsearch.domain.assets import ASSETS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SAMPLES = ASSETS / "samples" / "audio"
HOSTILE = "<img src=x onerror=alert(1)> / ${document.title} דוגמה"
TURNED_ROUND = f"{HOSTILE} \u202eדוגמה"
PANEL = ".ss-c-panel"


def open_tab(page) -> None:
    """Open the tab, on a phone from the menu; a click does nothing before the page's scripts have taken over."""
    panel, tab = page.locator(PANEL), page.get_by_role("tab", name="Collections").first
    for _ in range(40):
        if panel.is_visible():
            return
        if tab.is_visible():
            tab.click()
        else:
            page.locator("#tabs .overflow-menu > button").click()
            page.locator(".overflow-dropdown").get_by_text("Collections", exact=True).click(timeout=2_000)
        page.wait_for_timeout(500)
    raise AssertionError("the tab did not open")


def wait_for_words(page, words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('.ss-c-status').textContent.includes(words)", arg=words, timeout=60_000
    )


@pytest.fixture
def own_recording(tmp_path: Path) -> Path:
    """A recording that the samples do not have: two of them, one after the other."""
    path = tmp_path / "two talks.wav"
    sounds = [soundfile.read(SAMPLES / f"{name}.opus", dtype="float32")[0] for name in ("s004", "s027")]
    with soundfile.SoundFile(path, "w", 16_000, 1) as file:
        for sound in sounds:
            file.write(sound)
    return path


def test_a_collection_is_made_edited_and_deleted_by_keyboard(visit) -> None:
    page = visit()
    open_tab(page)
    page.get_by_role("button", name="New collection").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    page.keyboard.type("samples")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open] [role=alert]:not([hidden])")
    assert "already" in page.locator("dialog[open] [role=alert]").inner_text()
    page.locator("dialog[open] [name=name]").fill(TURNED_ROUND)
    page.locator("dialog[open] [name=name]").press("Enter")
    page.locator("dialog[open] [role=alert]").get_by_text("signs that are not seen").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    page.get_by_role("button", name="New collection").click()
    page.locator("dialog[open] [name=name]").fill(HOSTILE)
    page.locator("dialog[open] [name=description]").fill(TURNED_ROUND)
    page.keyboard.press("Control+Home")
    page.locator("dialog[open] [type=submit]").press("Enter")
    wait_for_words(page, "Collection created.")
    assert "<img" in page.locator(".ss-c-detail h2").inner_text()
    page.locator(".ss-c-title").get_by_role("button", name="Edit").click()
    page.locator("dialog[open] [name=licence]").fill("CC0")
    page.locator("dialog[open] [name=name]").fill("renamed / ✓")
    page.locator("dialog[open] [name=name]").press("Enter")
    wait_for_words(page, "Saved.")
    assert page.locator(".ss-c-detail h2").inner_text() == "renamed / ✓"
    assert "CC0" in page.locator(".ss-c-detail dl").inner_text()
    page.locator(".ss-c-title").get_by_role("button", name="Delete").click()
    page.wait_for_selector("dialog[open]")
    assert page.evaluate("document.activeElement.textContent") == "Cancel"
    page.locator("dialog[open]").get_by_role("button", name="Delete").click()
    wait_for_words(page, "Nothing of it is left")
    assert "renamed" not in page.locator(PANEL).inner_text()


def test_a_recording_is_described_and_deleted_and_nothing_is_left(visit, address: str, own_recording: Path) -> None:
    page = visit()
    sent = page.request.post(
        f"{address}/api/v1/recordings",
        multipart={
            "collection": "of my own",
            "files": {"name": own_recording.name, "mimeType": "audio/wav", "buffer": own_recording.read_bytes()},
        },
    )
    assert sent.status == 202, sent.text()
    until_s = time.monotonic() + 120
    while not any(one["name"] == "of my own" and one["recordings"] for one in collections(page, address)):
        assert time.monotonic() < until_s, "the recording was not indexed"
        time.sleep(0.5)
    open_tab(page)
    page.locator(".ss-c-card", has_text="of my own").click()
    page.wait_for_selector("[data-dialog=recording]")
    page.locator("[data-dialog=recording]").click()
    page.locator("dialog[open] [name=title]").fill("Two talks <b>")
    page.locator("dialog[open] [name=speaker]").fill("Ada")
    page.locator("dialog[open] [name=title]").press("Enter")
    wait_for_words(page, "Saved.")
    assert "Two talks <b>" in page.locator(".ss-c-table").inner_text()
    page.locator("[data-dialog=delete-recording]").click()
    page.wait_for_selector("dialog[open] [data-cancel]")
    assert "of audio" in page.locator("dialog[open]").inner_text()
    page.locator("dialog[open]").get_by_role("button", name="Delete").click()
    wait_for_words(page, "Deleted: 1 recording")
    wait_for_words(page, "Nothing of it is left")
    assert page.request.delete(f"{address}/api/v1/collections?name=of+my+own").status == 200


def collections(page, address: str) -> list[dict]:
    return json.loads(page.request.get(f"{address}/api/v1/collections").text())


def test_the_map_plays_by_mouse_and_by_keyboard(visit) -> None:
    page = visit()
    open_tab(page)
    page.locator(".ss-c-card", has_text="samples").click()
    page.wait_for_selector(".ss-map-mark")
    plot = page.locator(".ss-map-plot")
    plot.focus()
    said = page.locator(".ss-map-now p")
    first = said.inner_text()
    shown = []
    for key in ("ArrowLeft", "ArrowRight", "ArrowDown"):  # of which one may lead back to the first
        page.keyboard.press(key)
        shown.append(said.inner_text())
    assert set(shown) - {first} and all("–" in one for one in shown)
    page.evaluate("document.querySelector('.ss-map-now audio').muted = true")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.ss-map-now audio').currentTime > 0.3")
    chosen = said.inner_text()
    box = page.locator(".ss-map-plot svg path.ss-map-mark").nth(5).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("words => document.querySelector('.ss-map-now p').innerText !== words", arg=chosen)
    link = page.locator(".ss-map-now a.ss-open")
    assert len(link.get_attribute("data-recording")) == 64 and "&t=" in link.get_attribute("href")
    page.locator(".ss-map-legend button").first.click()
    marks = page.locator(".ss-map-mark").count()
    assert 0 < page.locator(".ss-map-plot .ss-map-mark:not(.ss-map-faded)").count() < marks


def test_looking_for_a_recording_keeps_the_box_and_the_map(visit) -> None:
    page = visit()
    open_tab(page)
    page.locator(".ss-c-card", has_text="samples").click()
    page.wait_for_selector(".ss-map-mark")
    page.evaluate("document.querySelector('ss-map').dataset.seen = 'yes'")
    box = page.get_by_role("searchbox", name="Find a recording")
    box.press_sequentially("chart scruff", delay=60)
    page.wait_for_function("document.querySelectorAll('.ss-c-table tbody tr').length === 1")
    assert "A bit of scruff on the chart" in page.locator(".ss-c-table").inner_text()
    assert box.input_value() == "chart scruff"
    assert page.evaluate("document.activeElement.name") == "words"
    assert page.locator("ss-map[data-seen=yes]").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_overflows(visit, scheme: str) -> None:
    page = visit(width=390, height=844, scheme=scheme)
    open_tab(page)
    page.wait_for_selector(".ss-map-mark")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
