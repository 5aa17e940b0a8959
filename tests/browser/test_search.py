"""The Search tab, as a visitor uses it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from speechsearch.domain.assets import ASSETS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
QUESTION = "#question textarea, #question input"
LEFT, RIGHT = "#left .ss-hit", "#right .ss-hit"
OCTOPUS = "Why is octopus blood blue?"
FERRY = "What did Wojciechowski say about the ferry and the bridge?"


def title_of(name: str) -> str:
    rows = map(json.loads, (ASSETS / "samples" / "passages.jsonl").read_text(encoding="utf-8").splitlines())
    return next(row["title"] for row in rows if row["id"] == name)


def ask(page, text: str) -> None:
    page.locator(QUESTION).first.fill(text)
    page.locator(QUESTION).first.press("Enter")
    page.wait_for_selector(LEFT)


def asked(page, text: str) -> None:
    """Wait until the address says that a question is answered."""
    page.wait_for_function("text => new URL(location.href).searchParams.get('q') === text", arg=text)


def play(page, selector: str) -> dict:
    """Play the clip in a card for a moment and return where the player is."""
    player = page.locator(f"{selector} audio").first
    player.evaluate("player => { player.muted = true; return player.play() }")
    page.wait_for_function("player => player.currentTime > 0.4", arg=player.element_handle())
    return player.evaluate("p => ({ paused: p.paused, length: p.duration, error: p.error })")


def press(page, key: str) -> str:
    """Press a key and return the id of what has the focus then."""
    page.keyboard.press(key)
    return page.evaluate("document.activeElement.id")


def test_typed_question_finds_the_clip_and_plays_it(visit) -> None:
    page = visit()
    ask(page, OCTOPUS)
    top = page.locator(LEFT).first
    assert title_of("s015") in top.inner_text()
    assert page.locator(f"{RIGHT} > .ss-transcript").count() == page.locator(RIGHT).count() > 0
    assert page.locator(f"{LEFT} > .ss-transcript").count() == page.locator(LEFT).count()  # it searches both
    state = play(page, LEFT)
    assert state["error"] is None
    assert state["length"] > 1.0
    assert play(page, RIGHT)["paused"] is False
    assert top.locator("audio").evaluate("player => player.paused") is True


def test_players_know_their_length_before_anything_is_loaded(visit) -> None:
    page = visit()
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url) if "/api/v1/clips/" in request.url else None)
    ask(page, OCTOPUS)
    lengths = page.locator(f"{LEFT} .ss-length").all_inner_texts()
    assert lengths and all(re.fullmatch(r"0:[0-3]\d", one) for one in lengths)
    assert loaded == []
    top = page.locator(LEFT).first
    top.locator("audio").evaluate("player => { player.muted = true }")
    top.locator(".ss-play").click()
    page.wait_for_function("line => Number(line.value) > 0.2", arg=top.locator("ss-player input").element_handle())
    assert top.locator(".ss-play").get_attribute("aria-label").startswith("Pause ")
    assert top.locator(".ss-length").inner_text().endswith(f" / {lengths[0]}")
    top.locator(".ss-play").click()
    top.locator("ss-player input").press("Home")
    assert top.locator("audio").evaluate("player => [player.paused, player.currentTime]") == [True, 0]


@pytest.mark.parametrize("slowdown", [1, 6])
def test_question_typed_while_the_page_comes_up_is_answered(visit, slowdown: int) -> None:
    page = visit()
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    page.reload(wait_until="commit")
    ask(page, OCTOPUS)
    assert title_of("s015") in page.locator(LEFT).first.inner_text()
    page.wait_for_function("() => window.speechsearch !== undefined")
    asked(page, OCTOPUS)
    assert page.locator(QUESTION).first.input_value() == OCTOPUS


def test_address_repeats_a_search(visit) -> None:
    page = visit(f"/?q={OCTOPUS}&k=3&engine=phonetic&right=adapter&from=2005&to=2030")
    page.wait_for_selector(LEFT)
    assert page.locator(LEFT).count() == 3
    assert page.locator("#left .ss-badge").first.get_attribute("data-channel") == "phonetic"
    assert page.locator("#right .ss-badge").first.get_attribute("data-channel") == "adapter"
    assert page.locator(QUESTION).first.input_value() == OCTOPUS
    page.locator("#left label").get_by_text("Meaning", exact=True).click()
    page.wait_for_function("() => new URL(location.href).searchParams.get('engine') === 'adapter'")
    assert parse_qs(urlsplit(page.url).query) == {
        "q": [OCTOPUS], "k": ["3"], "engine": ["adapter"], "right": ["adapter"], "from": ["2005"], "to": ["2030"],
    }  # fmt: skip


def test_speaker_narrows_the_search(visit) -> None:
    page = visit()
    ask(page, FERRY)
    asked(page, FERRY)
    page.locator("#narrow > button").click()
    box = page.locator("#speakers input").first
    box.click()
    box.fill("Bogumila")
    page.get_by_role("option", name="Bogumila Wojciechowska").click()
    page.wait_for_function("() => document.querySelectorAll('#left .ss-hit').length === 1")
    page.wait_for_function("() => new URL(location.href).searchParams.get('speaker') === 'Bogumila Wojciechowska'")
    assert "Filtered by speaker Bogumila Wojciechowska" in page.locator(".ss-why").inner_text()
    page.reload()
    page.wait_for_selector(LEFT)
    assert page.locator(LEFT).count() == 1


def test_example_question_is_asked_by_a_click(visit) -> None:
    page = visit()
    chip = page.locator("#examples button").first
    page.wait_for_function("chip => chip.textContent.trim()", arg=chip.element_handle())
    text = (chip.text_content() or "").strip()
    chip.click()
    page.wait_for_selector(LEFT)
    assert page.locator(QUESTION).first.input_value() == text


def test_empty_question_is_explained(visit) -> None:
    page = visit()
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_selector("#message .ss-problem")
    assert "question is empty" in page.locator("#message").inner_text()


def test_columns_explain_how_they_differ(visit) -> None:
    page = visit(f"/?q={FERRY}&k=4")
    page.wait_for_selector(LEFT)
    common = page.locator(f"{LEFT}.ss-common").count()
    assert common == page.locator(f"{RIGHT}.ss-common").count() > 0
    assert page.locator(".ss-summary").inner_text().startswith((f"{common} of", "Both columns"))
    page.locator(".ss-fold summary").first.click()
    assert page.locator(".ss-slope line").count() == common
    assert page.locator(f"{LEFT}.ss-alone .ss-only").count() == page.locator(f"{LEFT}.ss-alone").count()
    twin = page.locator(f"{LEFT} .ss-twin").first
    twin.click()
    there = page.locator(f"#{twin.get_attribute('data-twin')}")
    assert there.evaluate("card => card === document.activeElement")
    here = twin.locator("xpath=ancestor::li")
    assert here.get_attribute("data-passage") == there.get_attribute("data-passage")


def test_keys_move_and_play(visit) -> None:
    page = visit(f"/?q={OCTOPUS}&k=2")
    page.wait_for_selector(LEFT)
    asked(page, OCTOPUS)
    page.locator("h1").click()
    assert [press(page, key) for key in "jjjjjkk"] == [
        "left-hit-1", "left-hit-2", "right-hit-1", "right-hit-2", "right-hit-2", "right-hit-1", "left-hit-2",
    ]  # fmt: skip
    player = page.locator("#left-hit-2 audio").element_handle()
    page.keyboard.press(" ")
    page.wait_for_function("player => !player.paused", arg=player)
    page.keyboard.press(" ")
    page.wait_for_function("player => player.paused", arg=player)
    page.keyboard.press("?")
    assert page.locator(".ss-help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator(".ss-help").is_visible()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.matches('#question textarea, #question input')")
    page.keyboard.type("/jk?")
    assert page.locator(QUESTION).first.input_value().endswith("/jk?")


def test_keys_can_be_switched_off(visit) -> None:
    page = visit(f"/?q={OCTOPUS}&k=2")
    page.wait_for_selector(LEFT)
    page.locator(".ss-help-open").click()
    page.locator(".ss-keys").uncheck()
    page.get_by_role("button", name="Close").click()
    page.locator("h1").click()
    assert press(page, "j") != "left-hit-1"


def test_passage_after_takes_the_place_of_a_hit(visit) -> None:
    page = visit(f"/?q={OCTOPUS}&k=20")
    page.wait_for_selector(LEFT)
    has_next = """async ([card]) => {
      const api = card.querySelector("audio").src.split("/clips/")[0];
      return (await (await fetch(`${api}/passages/${card.dataset.passage}`)).json()).next !== null;
    }"""
    cards = [one for one in page.locator(LEFT).all() if page.evaluate(has_next, [one.element_handle()])]
    assert cards, "a sample of more than one passage is among the hits"
    card = cards[0]
    watched = {"audio": "src", "ss-player": "data-title", ".ss-play": "aria-label"}
    before = {part: card.locator(part).get_attribute(name) for part, name in watched.items()}
    card.get_by_role("button", name="Next passage").click()
    page.wait_for_function("card => card.classList.contains('ss-stepped')", arg=card.element_handle())
    assert all(card.locator(part).get_attribute(watched[part]) != value for part, value in before.items())
    assert "t=0.00" not in (card.locator(".ss-open").get_attribute("href") or "")
    card.get_by_role("button", name="Previous passage").click()
    page.wait_for_function("card => !card.classList.contains('ss-stepped')", arg=card.element_handle())
    assert (card.locator("audio").get_attribute("src") or "").endswith(before["audio"] or "none")


def test_judgement_is_kept(visit) -> None:
    page = visit(f"/?q={OCTOPUS}&k=2")
    page.wait_for_selector(LEFT)
    page.locator(LEFT).first.get_by_role("button", name="Good answer", exact=True).click()
    voted = f"{LEFT} .ss-vote[data-relevance='1'][aria-pressed=true]"
    page.wait_for_selector(voted)
    page.reload()
    page.wait_for_selector(voted)
    page.locator(voted).click()
    page.wait_for_function("voted => !document.querySelector(voted)", arg=voted)


def test_results_are_exported(visit) -> None:
    page = visit(f"/?q={OCTOPUS}&k=2")
    page.wait_for_selector(LEFT)
    page.locator(".ss-fold summary").last.click()
    for name, sign in (("CSV", "passage_id"), ("JSON", "passage_id"), ("M3U", "#EXTM3U"), ("WebVTT", "WEBVTT")):
        with page.expect_download() as download:
            page.get_by_role("link", name=f"{name} of Transcript").click()
        assert sign in Path(download.value.path()).read_text(encoding="utf-8")


def test_link_is_copied(visit) -> None:
    page = visit(f"/?q={OCTOPUS}&k=2")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.wait_for_selector(LEFT)
    page.locator(LEFT).first.get_by_role("button", name="Copy link").click()
    page.wait_for_function("() => document.querySelector('.ss-toast').textContent === 'Link copied.'")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(page.url.split("?")[0])
    assert {"q", "recording", "t"} <= parse_qs(urlsplit(copied).query).keys()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_width_has_no_overflow(visit, scheme: str) -> None:
    page = visit(f"/?q={FERRY}", width=390, height=844, scheme=scheme)
    page.wait_for_selector(LEFT)
    for fold in page.locator(".ss-fold summary").all():
        fold.click()
    page.locator("#narrow > button").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_dropped_question_is_answered(visit) -> None:
    page = visit()
    page.locator(".ss-extra > button").first.click()
    page.locator("#spoken").get_by_label("Upload file").click()
    page.locator("#spoken input[type=file]").set_input_files(ASSETS / "samples" / "audio" / "s004.opus")
    page.wait_for_selector(LEFT)
    assert title_of("s004") in page.locator(LEFT).first.inner_text()
    assert page.locator(".ss-vote").count() == 0
    page.wait_for_function("() => document.querySelector('.ss-unseen[role=status]').textContent !== ''")
    assert "q=" not in page.url
