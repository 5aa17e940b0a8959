"""Make docs/images/search.png and docs/images/add.png from a running program.

python benchmarks/screenshots.py http://127.0.0.1:7860 [--question "..."] [--width 1280 --height 900]
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]
IMAGES = Path(__file__).parents[1] / "docs" / "images"


def main() -> int:
    """Write both pictures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", nargs="?", default="http://127.0.0.1:7860")
    parser.add_argument("--question", default="", help="the first example of the page when absent")
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--dark", action="store_true")
    arguments = parser.parse_args()
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser_path is None:
        print("No Chromium on this machine: install the package chromium.", file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=FLAGS)
        size = {"width": arguments.width, "height": arguments.height}
        page = browser.new_page(viewport=size, color_scheme="dark" if arguments.dark else "light")
        page.set_default_timeout(120_000)
        page.goto(arguments.address)
        question = page.locator("#question textarea, #question input").first
        question.wait_for()
        page.wait_for_selector("#examples button")
        page.wait_for_timeout(2000)  # the page answers keys only once its scripts have taken over
        question.fill(arguments.question or page.locator("#examples button").first.inner_text().strip())
        question.press("Enter")
        page.wait_for_selector("#left .ss-hit")
        page.wait_for_timeout(1500)
        page.screenshot(path=arguments.out / "search.png")
        page.get_by_role("tab", name="Add recordings").click()
        page.locator("#add").wait_for()
        page.wait_for_timeout(500)
        page.screenshot(path=arguments.out / "add.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
