from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
QUESTION = "#question textarea, #question input"
LEFT, RIGHT = "#left .ss-hit", "#right .ss-hit"
FOUND = "s015"


def lines(name: str) -> list[dict]:
    return [json.loads(line) for line in (ROOT / "samples" / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def question() -> tuple[str, str]:
    """A question of the sample collection and the title of the recording that answers it."""
    (title,) = [row["title"] for row in lines("passages.jsonl") if row["id"] == FOUND]
    return "Why is octopus blood blue?", title


def ask(page, text: str) -> None:
    page.wait_for_selector("#examples button")
    page.wait_for_timeout(2000)  # the page answers keys only once its scripts have taken over
    page.locator(QUESTION).first.fill(text)
    page.locator(QUESTION).first.press("Enter")
    page.wait_for_selector(LEFT)


def play(page, selector: str) -> dict:
    """Play the clip in a card for a moment and return where the player is."""
    player = page.locator(f"{selector} audio").first
    player.evaluate("player => { player.muted = true; return player.play() }")
    page.wait_for_function("player => player.currentTime > 0.4", arg=player.element_handle())
    return player.evaluate("p => ({ paused: p.paused, time: p.currentTime, length: p.duration, error: p.error })")


def test_typed_question_finds_the_clip_and_plays_it(visit, question) -> None:
    text, title = question
    page = visit()
    ask(page, text)
    top = page.locator(LEFT).first
    assert title in top.inner_text()
    assert page.locator(RIGHT).count() > 0
    assert page.locator(f"{RIGHT} .ss-transcript").first.inner_text()
    state = play(page, LEFT)
    assert state["error"] is None
    assert state["length"] > 1.0
    second = play(page, RIGHT)
    assert second["paused"] is False
    assert top.locator("audio").evaluate("player => player.paused") is True
    assert "engine=hybrid" in page.url


def test_address_repeats_a_search(visit, question) -> None:
    page = visit(f"/?q={question[0]}&k=3&engine=phonetic")
    page.wait_for_selector(LEFT)
    assert page.locator(LEFT).count() == 3
    assert page.locator("#left .ss-badge").first.get_attribute("data-channel") == "phonetic"
    assert page.locator(QUESTION).first.input_value() == question[0]


def test_example_question_is_asked_by_a_click(visit) -> None:
    page = visit()
    chip = page.locator("#examples button").first
    page.wait_for_function("chip => chip.textContent.trim()", arg=chip.element_handle())
    text = (chip.text_content() or "").strip()
    chip.click()
    page.wait_for_selector(LEFT)
    assert page.locator(QUESTION).first.input_value() == text


def test_other_engine_is_one_click_away(visit, question) -> None:
    page = visit()
    ask(page, question[0])
    page.locator("#left label").get_by_text("Speech adapter", exact=True).click()
    page.wait_for_selector("#left .ss-badge[data-channel=adapter]")
    page.wait_for_function("() => !document.querySelector('#left .ss-badge[data-channel=phonetic]')")


def test_empty_question_is_explained(visit) -> None:
    page = visit()
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_selector("#message .ss-problem")
    assert "question is empty" in page.locator("#message").inner_text()


def test_uploaded_recording_is_found(visit, question, tmp_path: Path) -> None:
    import soundfile

    samples, rate_hz = soundfile.read(ROOT / "samples" / "audio" / f"{FOUND}.opus", dtype="float32")
    path = tmp_path / "my <b>own<b> talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((0.7 * samples * 32767).astype(np.int16).tobytes())
    (tmp_path / "notes.txt").write_text("no sound in here")

    page = visit()
    page.get_by_role("tab", name="Add recordings").click()
    page.locator("#collection textarea, #collection input").first.fill("dropped today")
    page.locator("#files input[type=file]").set_input_files([str(path), str(tmp_path / "notes.txt")])
    page.locator("#files .file-preview").wait_for()
    page.locator("#add").click()
    page.wait_for_selector("#add-table .ss-state", timeout=300_000)
    page.wait_for_selector("#add-progress .ss-notice", timeout=300_000)
    assert page.locator("#add-table .ss-state").all_inner_texts() == ["indexed", "failed"]
    page.get_by_role("tab", name="Search").click()
    ask(page, question[0])
    found = page.locator(LEFT, has_text="dropped today")
    assert found.count() == 1
    assert play(page, f"{LEFT}:has-text('dropped today')")["error"] is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_width_has_no_overflow(visit, question, scheme: str) -> None:
    page = visit(f"/?q={question[0]}", width=390, height=844, scheme=scheme)
    page.wait_for_selector(LEFT)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("tab", name="Add recordings").click()
    page.locator("#add").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
