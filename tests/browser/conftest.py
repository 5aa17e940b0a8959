"""The real program in a process of its own, and Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import copy_data, shared_folder

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
START_S = 180
SAMPLES_S = 900


def ask(address: str) -> dict:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)


@contextmanager
def program(folder: Path, **settings: str) -> Iterator[str]:
    """Run the program over a data folder; gives its address. ``settings``: by their names without SPEECHSEARCH_.

    Who speaks is heard, and what sounds are like is kept, only where the settings say so: it would go on under tests of
    other things.
    """
    off = {"SPEAKER_ENCODER": "none", "SOUND_EMBEDDER": "none", "FINDS_COPIES": "false"}
    off = {f"ENGINES__{name}": value for name, value in off.items()}
    settings = {"DATA_DIR": str(folder), "SERVER__PORT": "0", **off, **settings}
    environment = os.environ | {f"SPEECHSEARCH_{name}": value for name, value in settings.items()}
    lines: list[str] = []
    with subprocess.Popen(
        [sys.executable, str(ROOT / "app.py")], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True).start()
        try:
            until_s = time.monotonic() + START_S
            while not (found := re.search(r"Open (http://\S+) in a browser", "".join(lines))):
                assert process.poll() is None, f"the program ended: {''.join(lines)}"
                assert time.monotonic() < until_s, f"the program did not start: {''.join(lines)}"
                time.sleep(0.1)
            yield found[1]
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def running(folder: Path, least: int = 60, **settings: str) -> Iterator[str]:
    """Run the program over a data folder until its recordings, so many at least, are searchable; gives its address."""
    with program(folder, **settings) as address:
        wait_for_recordings(address, least)
        yield address


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the sample collection, indexed by the program's first start, with all cores: others wait."""

    def make(folder: Path) -> None:
        folder.mkdir(mode=0o700)
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("OMP_NUM_THREADS", str(os.cpu_count()))
            with running(folder):
                pass

    return shared_folder("first start", tmp_path_factory, make)


@pytest.fixture(scope="module")
def address(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the program answers, over a copy for the tests of one file: what they change does not reach others."""
    with running(copy_data(indexed, tmp_path_factory.mktemp("data folder") / "data")) as found:
        yield found


def wait_for_recordings(address: str, least: int) -> None:
    until_s = time.monotonic() + SAMPLES_S
    while (state := ask(f"{address}/health"))["indexing"] is not None:
        assert time.monotonic() < until_s, f"the samples were not indexed in time: {state}"
        time.sleep(0.3)
    assert state["recordings"] >= least, state
    while (covered := coverage(address))["passages"] < covered["of_passages"]:
        assert time.monotonic() < until_s, f"the transcripts were not written in time: {covered}"
        time.sleep(0.3)


def coverage(address: str) -> dict[str, float]:
    """Return how much the baseline can search."""
    with urllib.request.urlopen(f"{address}/api/v1/search?q=bridge&engine=asr", timeout=60) as answer:
        return json.load(answer)["coverage"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """A headless Chromium, the one of the machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine: install the package chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, address: str) -> Iterator[object]:
    """Open a page of the program; afterwards no request may have left the host and no script have failed."""
    failures: list[str] = []
    contexts = []

    def open_page(path: str = "/", width: int = 1280, height: int = 900, scheme: str = "light") -> object:
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: _note_foreign(request.url, address, failures))
        page.on("pageerror", lambda error: failures.append(f"script: {error}"))
        page.on("dialog", lambda dialog: (failures.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(address + path)
        page.wait_for_selector(QUESTION, state="attached")  # hidden where the address opens another tab
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert failures == []


def _note_foreign(url: str, address: str, failures: list[str]) -> None:
    if not url.startswith((address, "data:", "blob:", "about:")):
        failures.append(f"left the host: {url}")


QUESTION = "#question textarea, #question input"
