"""What is similar in the page: on a card, below a recording, of a file, and duplicates; by keyboard, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.limits import Segmentation
from speechsearch.jobs.queue import JobQueue
from tests.browser.conftest import ask
from tests.browser.test_collections import open_tab
from tests.tiny.fakes import FakeLoader, FakeSoundEmbedder, open_fakes, take_in
from tests.tiny.served import served
from tests.web.whole import whole_app

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900), pytest.mark.filterwarnings("ignore")]

ORIGINAL, OTHERS = "s015", ("s001", "s002", "s003", "s004", "s005")
HOSTILE = "<img src=x onerror=alert(1)> ${document.title}"


def sound_file(folder: Path, name: str, start_s: float, length_s: float) -> Path:
    samples, rate_hz = soundfile.read(SAMPLES / "audio" / f"{ORIGINAL}.opus", dtype="float32")
    part = samples[round(start_s * rate_hz) :][: round(length_s * rate_hz)]
    noise = np.random.default_rng(1).standard_normal(len(part)).astype(np.float32)
    path = folder / name
    soundfile.write(path, part * 0.8 + noise * 0.005, rate_hz)
    return path


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page over six samples and a noisy copy of one of them, all of which is prepared; the models are fakes."""
    folder = tmp_path_factory.mktemp("similar")
    (folder / "in").mkdir()
    for name in (ORIGINAL, *OTHERS):
        samples, rate_hz = soundfile.read(SAMPLES / "audio" / f"{name}.opus", dtype="float32")
        soundfile.write(folder / "in" / f"{name}.wav", samples, rate_hz)
    sound_file(folder / "in", "copy.mp3", 2.0, 60.0)
    models = FakeLoader(sounds=FakeSoundEmbedder(), finds_copies=True)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        with open_fakes(folder / "data", models, Segmentation(shortest_s=5, longest_s=12)) as service:
            assert take_in(service, folder / "in") == ["indexed"] * 7
            assert list(service.manage.catch_up()) == []
            copy = service.browse.recording_named("copy").recording_id
            service.manage.change_recording(copy, {"title": HOSTILE, "speaker": HOSTILE})
            with ThreadPoolExecutor(1) as elsewhere:  # Playwright's loop runs in this thread
                app = elsewhere.submit(whole_app, service, JobQueue(service, {})).result()
            with served(app) as found:
                yield found


def wait_for_words(page, words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('ss-duplicates .ss-l-status').textContent.includes(words)", arg=words
    )


def serious(page) -> list[str]:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs: pip install axe-playwright-python"
    )
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("critical", "serious")
    ]


def test_a_card_says_what_is_similar_in_each_way(visit) -> None:
    page = visit("/?q=bees")
    page.wait_for_selector("#left .ss-hit")
    fold = page.locator("#left .ss-hit ss-similar").first
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    fold.locator(".ss-l-senses").wait_for()
    assert fold.locator("[aria-pressed=true]").inner_text() == "Same recording"
    assert "Looked for in" in fold.locator(".ss-took").inner_text()
    fold.locator("[data-sense=words]").focus()
    page.keyboard.press("Enter")
    fold.locator("[data-sense=words][aria-pressed=true]").wait_for()
    assert page.evaluate("document.activeElement.dataset.sense") == "words"
    assert fold.locator(".ss-l-hits > li").count() > 3 and "alike 0." in fold.inner_text()
    assert serious(page) == []
    title = fold.locator(".ss-l-hits a.ss-open").first.inner_text()
    fold.locator(".ss-l-hits a.ss-open").first.click()
    page.wait_for_selector("#ss-rec-title")
    assert page.locator("#ss-rec-title").inner_text() == title


def test_a_recording_finds_its_copy_and_a_file_finds_both(visit, tmp_path: Path) -> None:
    page = visit("/?recording=")
    page.locator(".ss-rec-list a", has_text=ORIGINAL).first.wait_for()
    taker = page.locator("ss-similar", has_text="Find where a sound is from")
    taker.locator("summary").first.click()
    taker.locator("input[type=file]").set_input_files(sound_file(tmp_path, "clip.wav", 6.0, 10.0))
    taker.locator(".ss-l-hits > li").nth(1).wait_for()
    assert HOSTILE in taker.inner_text() and taker.locator(".ss-l-diagonal").count() >= 2
    assert "Begins there at 0:0" in taker.inner_text() and "clip.wav:" in taker.inner_text()
    assert serious(page) == []
    taker.locator(".ss-l-hits a.ss-open", has_text="img src").first.click()
    page.wait_for_selector("#ss-rec-title")
    assert not taker.is_visible(), "one thing at a time"
    fold = page.locator("article ss-similar")
    fold.locator("summary").first.click()
    fold.locator(".ss-l-hits > li").first.wait_for()
    assert "Begins there at 0:02" in fold.locator(".ss-l-hits > li").first.inner_text()
    fold.locator(".ss-play").first.click()
    page.wait_for_function(
        "[...document.querySelectorAll('article ss-similar audio')].some((one) => one.currentTime > 0)"
    )
    page.go_back()
    page.wait_for_selector(".ss-rec-list a")
    (tmp_path / "nothing.wav").write_bytes(b"no sound")
    taker.locator("input[type=file]").set_input_files(tmp_path / "nothing.wav")
    taker.locator("[role=alert]").wait_for()


@pytest.mark.parametrize("width", [1280, 390])
def test_duplicates_are_looked_for_kept_and_taken_back(visit, width: int) -> None:
    page = visit(width=width, height=844)
    open_tab(page)
    page.locator("ss-duplicates summary").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Look for duplicates").click()
    wait_for_words(page, "1 pair.")
    pair = page.locator(".ss-l-pairs > li")
    assert (
        pair.locator("audio").count() == 2 and HOSTILE in pair.inner_text() and "same sound: yes" in pair.inner_text()
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(page) == []
    page.get_by_role("button", name="Keep both").click()
    wait_for_words(page, "Both stay.")
    assert pair.count() == 0
    page.locator("ss-duplicates .ss-l-status button").click()
    wait_for_words(page, "Taken back.")
    assert pair.count() == 1


def test_one_of_two_is_deleted_only_after_a_second_click(visit, address: str) -> None:
    page = visit()
    open_tab(page)
    page.locator("ss-duplicates summary").click()
    page.get_by_role("button", name="Look for duplicates").click()
    wait_for_words(page, "1 pair.")
    before = ask(f"{address}/health")["recordings"]
    original = page.locator(".ss-l-side", has=page.locator("a", has_text=ORIGINAL))
    keep = original.locator("[data-keep=one]")
    keep.click()
    wait_for_words(page, "Press again to delete it.")
    page.locator("ss-duplicates summary").focus()
    assert keep.inner_text() == "Keep only this one", "to look elsewhere is no second click"
    assert ask(f"{address}/health")["recordings"] == before
    keep.click()
    keep.click()
    wait_for_words(page, "is deleted.")
    assert ask(f"{address}/health")["recordings"] == before - 1
