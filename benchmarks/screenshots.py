"""Make the pictures of docs/images from a running program: each tab, an answer, who speaks, the search on a phone.

For the pictures of who speaks, a conversation of two samples is added to the program where it has none.

python -m benchmarks.screenshots http://127.0.0.1:7860 [--question "..."] [--dark] [--only search]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.conversation import conversation
from speechsearch.ui.texts import Tabs

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]
IMAGES = Path(__file__).parents[1] / "docs" / "images"
QUESTION = "What did Wojciechowski say about the ferry and the bridge?"
ASKED = "Why is octopus blood blue?"
FOUND = "#left .ss-hit"
CONVERSATION, LONGEST_WAIT_S = "conversation", 600.0


def search(page: Page) -> None:
    """Wait for the answers that the address asks for."""
    page.wait_for_selector(FOUND)
    page.wait_for_timeout(1200)


def ask(page: Page) -> None:
    """Ask for an answer, and play what it cites."""
    page.goto(f"{origin(page)}/?ask={ASKED}")
    page.locator(".ss-answer .ss-chip").first.click()
    page.wait_for_timeout(2500)


def recording(page: Page) -> None:
    """Open the first answer in its recording."""
    search(page)
    page.locator(f"{FOUND} a.ss-open").first.click()
    page.wait_for_timeout(2500)


def tab(name: str) -> Callable[[Page], None]:
    """Return a step that opens a tab."""

    def step(page: Page) -> None:
        page.get_by_role("tab", name=name, exact=True).click()
        page.wait_for_timeout(2500)

    return step


def voices(page: Page) -> None:
    """Open the conversation."""
    page.goto(f"{origin(page)}/?recording={conversation_at(page)}")
    page.wait_for_selector(".ss-v-track")
    page.locator("[data-part=passages] > summary").click()
    page.wait_for_timeout(2500)


def speakers(page: Page) -> None:
    """Open the list of speakers, and the first of them."""
    conversation_at(page)
    tab(Tabs.COLLECTIONS)(page)
    page.locator("ss-people summary").click()
    page.locator("ss-people [data-more]").first.click()
    page.wait_for_selector(".ss-p-forms")
    page.locator("ss-people").evaluate("fold => fold.scrollIntoView({ block: 'start' })")
    page.wait_for_timeout(1500)


def origin(page: Page) -> str:
    """Return the address of the program that a page is of."""
    return str(page.evaluate("window.location.origin"))


def conversation_at(page: Page) -> str:
    """Return the id of the conversation in a program, added where it is not there, once it is known who speaks."""
    api = f"{origin(page)}/api/v1"

    def recordings() -> list[str]:
        found = page.request.get(f"{api}/recordings?limit=500").json()["recordings"]
        return [str(one["recording_id"]) for one in found if one["title"] == CONVERSATION]

    if not recordings():
        file = {"name": f"{CONVERSATION}.wav", "mimeType": "audio/wav", "buffer": conversation(turns=4)}
        added = page.request.post(f"{api}/recordings", multipart={"collection": CONVERSATION, "files": file})
        assert added.ok, added.text()
    until_s = time.monotonic() + LONGEST_WAIT_S
    while time.monotonic() < until_s:
        for recording_id in recordings():
            if page.request.get(f"{api}/recordings/{recording_id}/speakers").json()["is_heard"]:
                return recording_id
        time.sleep(1)
    raise SystemExit(f"Who speaks in the conversation was not heard within {LONGEST_WAIT_S:.0f} s.")


def compare(page: Page) -> None:
    """Run the evaluation of the samples."""
    tab(Tabs.COMPARE)(page)
    page.locator("#measure-go").click()
    page.wait_for_selector("#measure-report table", timeout=300_000)
    page.wait_for_timeout(1500)


SHOTS: dict[str, tuple[Callable[[Page], None], int, int]] = {
    "search": (search, 1280, 1100),
    "phone": (search, 390, 844),
    "ask": (ask, 1280, 900),
    "recording": (recording, 1280, 900),
    "voices": (voices, 1280, 1100),
    "speakers": (speakers, 1280, 900),
    "add": (tab(Tabs.ADD), 1280, 900),
    "collections": (tab(Tabs.COLLECTIONS), 1280, 1100),
    "compare": (compare, 1280, 1100),
    "about": (tab(Tabs.ABOUT), 1280, 1000),
}


def shoot(browser: Browser, address: str, question: str, name: str, folder: Path, scheme: str) -> None:
    """Write one picture."""
    step, width, height = SHOTS[name]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{address}/?q={question}")
    page.wait_for_selector(FOUND)
    step(page)
    page.screenshot(path=folder / f"{name}.png")
    context.close()


def main() -> int:
    """Write the pictures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", nargs="?", default="http://127.0.0.1:7860")
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--only", choices=sorted(SHOTS))
    parser.add_argument("--dark", action="store_true")
    arguments = parser.parse_args()
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser_path is None:
        print("No Chromium on this machine: install the package chromium.", file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=FLAGS)
        for name in [arguments.only] if arguments.only else SHOTS:
            scheme = "dark" if arguments.dark else "light"
            shoot(browser, arguments.address, arguments.question, name, arguments.out, scheme)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
