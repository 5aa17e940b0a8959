"""Measure how the running page feels: first paint, first search by keyboard, and many visitors at once.

python -m benchmarks.page_load [http://127.0.0.1:7860] [--visitors 20 --seconds 60 --pause 1.0]

Every visitor asks through the page's own queue (the event that pressing Enter sends), waits for the answer, pauses, and
asks again. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import shutil
import statistics
import sys
import time

import httpx
import psutil
from playwright.sync_api import sync_playwright

from benchmarks.screenshots import FLAGS
from speechsearch.domain.assets import ASSETS

QUESTIONS = ASSETS / "samples" / "questions.jsonl"
QUESTION = "#question textarea, #question input"
WATCH = """() => {
  window.seen = 0;
  const before = document.querySelector("#left .ss-hit");
  new MutationObserver((_, observer) => {
    const now = document.querySelector("#right .ss-hit") && document.querySelector("#left .ss-hit");
    if (!now || now === before) return;
    window.seen = performance.now() - window.asked;
    observer.disconnect();
  }).observe(document.querySelector("#columns"), { childList: true, subtree: true });
  const note = () => { window.asked = performance.now(); };
  document.querySelector("#question textarea, #question input").addEventListener("keydown", note, { once: true });
}"""
"""Notes the milliseconds from the key to new cards in both columns in ``window.seen``."""


def browser_times(address: str, rounds: int) -> dict[str, list[float]]:
    """Return milliseconds of several visits: first contentful paint, box usable, Enter to rendered hits."""
    found: dict[str, list[float]] = {"first paint": [], "usable": [], "Enter to rendered hits": []}
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        for number in range(rounds):
            page = browser.new_context().new_page()
            started = time.perf_counter()
            page.goto(address, wait_until="commit")
            page.wait_for_selector(QUESTION)
            page.locator(QUESTION).first.fill("warming up")
            found["usable"].append((time.perf_counter() - started) * 1000)
            paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
            page.wait_for_function(f"() => {paint} !== undefined")
            found["first paint"].append(page.evaluate(paint))
            page.locator(QUESTION).first.press("Enter")
            page.wait_for_selector("#left .ss-hit", state="attached")
            page.locator(QUESTION).first.fill(f"Why is octopus blood blue, question {number}?")
            page.evaluate(WATCH)
            page.locator(QUESTION).first.press("Enter")
            page.wait_for_function("() => window.seen > 0")
            found["Enter to rendered hits"].append(page.evaluate("window.seen"))
            page.context.close()
        browser.close()
    return found


async def visitor(address: str, number: int, body: dict, until: float, pause_s: float) -> tuple[list[float], int]:
    """Ask questions until the time is over; return milliseconds of each answer and the number of failures."""
    questions = [json.loads(line)["text"] for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    draw = random.Random(number)
    times_ms: list[float] = []
    failures = 0
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        await client.get("/health")  # the visitor's cookie
        await asyncio.sleep(draw.uniform(0, pause_s))
        while time.perf_counter() < until:
            session = f"visitor-{number}-{len(times_ms) + failures}"
            started = time.perf_counter()
            data = [draw.choice(questions), *body["data"][1:]]
            joined = await client.post("/gradio_api/queue/join", json={**body, "data": data, "session_hash": session})
            is_done = False
            if joined.status_code == 200:
                async with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
                    async for line in stream.aiter_lines():
                        if line.startswith("data: ") and '"process_completed"' in line:
                            is_done = json.loads(line[6:])["success"] is True and "ss-hit" in line
                            break
            if is_done:
                times_ms.append((time.perf_counter() - started) * 1000)
            else:
                failures += 1
            await asyncio.sleep(draw.uniform(0.5, 1.5) * pause_s)
    return times_ms, failures


async def crowd(address: str, visitors: int, seconds: float, pause_s: float) -> tuple[list[float], int]:
    """Return milliseconds of all answers and the number of failures of many visitors at once."""
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        config = (await client.get("/config")).json()
    (event,) = [one for one in config["dependencies"] if one["api_name"] == "typed"][:1]
    values = {one["id"]: one["props"].get("value") for one in config["components"]}
    body = {"fn_index": event["id"], "data": [values.get(one) for one in event["inputs"]]}
    until = time.perf_counter() + seconds
    every = await asyncio.gather(*(visitor(address, n, body, until, pause_s) for n in range(visitors)))
    return [one for times_ms, _ in every for one in times_ms], sum(failures for _, failures in every)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which that share lies.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.95)
    4.0
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> int:
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", nargs="?", default="http://127.0.0.1:7860")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between an answer and the next question")
    arguments = parser.parse_args()
    cores = psutil.cpu_count()
    print(f"{platform.processor() or platform.machine()}, {cores} cores, Python {platform.python_version()}\n")
    print("| in the browser | n | median ms | slowest ms |\n|---|---|---|---|")
    for name, values in browser_times(arguments.address, arguments.rounds).items():
        print(f"| {name} | {len(values)} | {statistics.median(values):.0f} | {max(values):.0f} |")
    times_ms, failures = asyncio.run(crowd(arguments.address, arguments.visitors, arguments.seconds, arguments.pause))
    print(
        f"\n| {arguments.visitors} visitors for {arguments.seconds:.0f} s, pause {arguments.pause:g} s | |\n|---|---|"
    )
    print(f"| answers | {len(times_ms)} |\n| failures | {failures} |")
    print(f"| p50 | {percentile(times_ms, 0.5):.0f} ms |\n| p95 | {percentile(times_ms, 0.95):.0f} ms |")
    return 0 if failures == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
