"""Adding recordings in the page: files, a folder, progress, pause, cancel, and a server that is killed meanwhile."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechsearch.domain.assets import ASSETS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
SAMPLES = ASSETS / "samples" / "audio"
JOB = "#add-queue .ss-job"
WAIT_MS = 200_000


def sound(path: Path, *samples: str, loudness: float = 0.7) -> Path:
    """Write samples one after the other, so that their hash is new."""
    parts = [soundfile.read(SAMPLES / f"{name}.opus", dtype="float32") for name in samples]
    soundfile.write(path, loudness * np.concatenate([part for part, _ in parts]), parts[0][1])
    return path


def open_tab(page) -> None:
    """Open the tab; a click does nothing before the page's scripts have taken over."""
    tab = page.get_by_role("tab", name="Add recordings").first
    for _ in range(40):
        if page.locator(JOB).first.is_visible():
            return
        tab.click()
        page.wait_for_timeout(500)
    raise AssertionError("the tab did not open")


def choose(page, *paths: Path) -> None:
    page.locator("#add-files").set_input_files(paths)
    page.locator("#add-rows tr").first.wait_for()


def card(page, title: str, state: str):
    found = page.locator(f"{JOB}[data-state={state}]", has_text=title).first
    found.wait_for(timeout=WAIT_MS)
    return found


def test_files_are_described_added_and_found(visit, tmp_path: Path) -> None:
    talk = sound(tmp_path / "my <b>own<b> talk.wav", "s015")
    (tmp_path / "notes.txt").write_text("no sound in here")
    (tmp_path / "metadata.csv").write_text(f'file,title,speaker\n{talk.name},"An ""octopus"", twice",Ann\n')
    page = visit()
    open_tab(page)
    choose(page, talk, tmp_path / "notes.txt", tmp_path / "metadata.csv")
    page.get_by_label(f"Title of {talk.name}").wait_for()
    assert page.get_by_label(f"Title of {talk.name}").input_value() == 'An "octopus", twice'
    page.get_by_label(f"Date of {talk.name}").fill("2024-05-31")
    assert page.locator("#add-count").inner_text().startswith("2 files")
    page.get_by_label("Collection", exact=True).fill("dropped today")
    page.get_by_role("button", name="Add recordings").click()
    done = card(page, "2 files to dropped today", "done")
    assert done.locator(".ss-state[data-state=failed]").count() == 1
    assert done.locator(".ss-files .ss-state").all_inner_texts() == ["failed", "added"]
    assert page.locator("#add-rows tr").count() == 0

    page.get_by_role("tab", name="Search").click()
    page.locator("#question textarea, #question input").first.fill("Why is octopus blood blue?")
    page.keyboard.press("Enter")
    hit = page.locator("#left .ss-hit", has_text='An "octopus", twice').first
    hit.wait_for()
    player = hit.locator("audio").first
    player.evaluate("player => { player.muted = true; return player.play() }")
    page.wait_for_function("player => player.currentTime > 0.4", arg=player.element_handle())


def test_a_folder_is_added_with_its_table_and_named_duplicates(visit, tmp_path: Path) -> None:
    folder = tmp_path / "talks"
    (folder / "day 1").mkdir(parents=True)
    sound(folder / "day 1" / "opening.wav", "s002")
    (folder / "again.opus").write_bytes((SAMPLES / "s001.opus").read_bytes())
    (folder / ".hidden.wav").write_bytes(b"x")
    (folder / "notes.txt").write_text("no sound")
    (folder / "metadata.csv").write_text("sep=;\nFile name;Title\nDay 1\\Opening.WAV;From the table\n", "utf-16")
    page = visit()
    open_tab(page)
    page.locator("#add-folder").set_input_files(folder)
    page.get_by_label("Title of talks/day 1/opening.wav").wait_for()
    assert page.locator("#add-rows tr").count() == 2
    assert "Left out: talks/notes.txt." in page.locator("#add-message").inner_text()
    assert page.get_by_label("Title of talks/day 1/opening.wav").input_value() == "From the table"
    page.locator("#collection").fill("a folder")
    page.locator("#add").click()
    done = card(page, "2 files to a folder", "done")
    assert done.locator(".ss-files .ss-state").all_inner_texts() == ["duplicate", "added"]
    assert "in collection 'samples'" in done.locator(".ss-reason").first.inner_text()


def test_a_job_is_paused_resumed_and_cancelled(visit, tmp_path: Path) -> None:
    names = [f"s0{number:02d}" for number in range(1, 25)]
    long = sound(tmp_path / "long talk.wav", *names, *names)
    page = visit()
    open_tab(page)
    choose(page, long, sound(tmp_path / "second.wav", "s003"))
    page.locator("#collection").fill("interrupted")
    page.locator("#add").click()
    running = card(page, "2 files to interrupted", "running")
    running.get_by_role("progressbar").wait_for()
    page.wait_for_selector("#news [role=progressbar]")
    running.get_by_role("button", name="Pause").click()
    card(page, "2 files to interrupted", "paused").get_by_role("button", name="Resume").click()
    card(page, "2 files to interrupted", "running").get_by_role("button", name="Cancel").click()
    card(page, "2 files to interrupted", "cancelled")
    page.wait_for_function("!document.querySelector('#news').children.length", timeout=WAIT_MS)
    assert "interrupted" not in page.locator("#add-collections").inner_html()


def test_sending_can_be_cancelled(visit, tmp_path: Path) -> None:
    page = visit()
    open_tab(page)
    choose(page, sound(tmp_path / "large.wav", "s001", "s002", "s003"))
    page.locator("#collection").fill("never sent")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    page.locator("#add").click()
    page.wait_for_function("/[1-9]\\d* %/.test(document.querySelector('#add-sent').textContent)")
    page.locator("#add-abort").click()
    page.locator("#add-sending").wait_for(state="hidden")
    assert page.locator("#add-rows tr").count() == 1
    assert page.locator(JOB, has_text="never sent").count() == 0


def test_files_are_chosen_by_keyboard(visit, tmp_path: Path) -> None:
    page = visit()
    open_tab(page)
    button = page.get_by_role("button", name="Choose files")
    with page.expect_file_chooser() as chooser:
        button.press("Enter")  # focus and key at once: the tab may still be drawn anew
    chooser.value.set_files(sound(tmp_path / "by keyboard.wav", "s003"))
    page.get_by_role("button", name="Leave out by keyboard.wav").focus()
    page.keyboard.press("Enter")
    page.locator("#add-chosen").wait_for(state="hidden")
    page.get_by_role("button", name="Add recordings").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#add-message .ss-problem")
    assert "There are no files to add." in page.locator("#add-message").inner_text()


def test_files_are_dropped(visit) -> None:
    page = visit()
    open_tab(page)
    page.evaluate("""() => {
      const dragged = new DataTransfer();
      dragged.items.add(new File(["x"], "dropped.wav"));
      document.querySelector("#add-drop strong").dispatchEvent(
        new DragEvent("drop", { dataTransfer: dragged, bubbles: true, cancelable: true }));
    }""")
    page.get_by_label("Title of dropped.wav").wait_for()


@pytest.fixture
def own_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def start(tmp_path: Path, own_port: int) -> Iterator[object]:
    """Start the program on an empty data folder; it begins with the samples."""
    environment = {"SPEECHSEARCH_DATA_DIR": str(tmp_path / "data"), "SPEECHSEARCH_SERVER__PORT": str(own_port)}
    started: list[subprocess.Popen[bytes]] = []

    def begin() -> subprocess.Popen[bytes]:
        program = [sys.executable, str(ROOT / "app.py")]
        process = subprocess.Popen(program, cwd=tmp_path, env=os.environ | environment, stdout=subprocess.DEVNULL)
        started.append(process)
        until_s = time.monotonic() + 180
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{own_port}/health", timeout=60).close()
                return process
            except urllib.error.URLError:
                assert process.poll() is None and time.monotonic() < until_s
                time.sleep(0.3)

    yield begin
    for process in started:
        process.kill()
        process.wait(30)


def files_done(page) -> int:
    said = page.locator("#news").inner_text()
    found = re.search(r"sample collection: (\d+) of 67", said)
    return int(found[1]) if found else 0


def test_a_killed_server_goes_on_where_it_was(chromium, start, own_port: int) -> None:
    process = start()
    page = chromium.new_context().new_page()
    page.set_default_timeout(60_000)
    page.goto(f"http://127.0.0.1:{own_port}")
    page.wait_for_function("/: [2-9] of 67/.test(document.querySelector('#news')?.textContent)", timeout=WAIT_MS)
    done = files_done(page)
    process.kill()
    process.wait(30)
    start()
    # The page finds the server again by itself.
    page.wait_for_function(
        "done => Number(/: (\\d+) of 67/.exec(document.querySelector('#news').textContent)?.[1]) > done",
        arg=done, timeout=WAIT_MS,
    )  # fmt: skip
    open_tab(page)
    page.locator(JOB).get_by_role("button", name="Cancel: The sample collection").click()
    cancelled = card(page, "The sample collection", "cancelled")
    assert cancelled.locator("summary").inner_text().count("added") == 1
    page.context.close()
