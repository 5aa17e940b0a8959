"""Ask on the page, as a visitor uses it: what is cited plays to the second, with mouse, keyboard and on a phone."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from speechsearch.domain.assets import ASSETS
from tests.browser.test_accessibility import findings

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

QUESTION = "#question textarea, #question input"
OCTOPUS = "Why is octopus blood blue?"
DONE = ".ss-answer[aria-busy=false]"
CHIP = ".ss-answer .ss-chip"
LATE_S = 0.35
"""A busy machine looks at a player no more often."""


def ask(page, text: str) -> None:
    page.wait_for_function("() => window.speechsearch?.judged")
    page.locator(QUESTION).first.fill(text)
    page.locator(QUESTION).first.press("Shift+Enter")
    answered(page, text)


def answered(page, text: str) -> None:
    """Wait until the address says that a question is answered."""
    page.wait_for_selector(DONE)
    page.wait_for_function("text => new URL(location.href).searchParams.get('ask') === text", arg=text)


def watch(page) -> None:
    """Note where players begin and stop, and mute them."""
    page.evaluate("""() => {
        window.heard = [];
        for (const name of ["playing", "pause"]) document.addEventListener(name, ({ target }) => {
            target.muted = true;
            window.heard.push([name, target.currentTime, target.src.split("/").pop()]);
        }, true);
    }""")


def span_of(chip) -> tuple[float, float, str]:
    attributes = ("data-from", "data-to", "data-passage")
    start, end, passage = (chip.get_attribute(name) for name in attributes)
    return float(start), float(end), passage


def test_shift_enter_asks_and_a_chip_plays_exactly_what_it_cites(visit) -> None:
    page = visit()
    ask(page, OCTOPUS)
    assert parse_qs(urlsplit(page.url).query)["engine"] == ["all"]
    chip = page.locator(CHIP).first
    start_s, end_s, passage = span_of(chip)
    watch(page)
    chip.click()
    page.wait_for_function("() => window.heard.some(([name]) => name === 'pause')")
    (begun, began_s, clip), *_, (stopped, stopped_s, _) = page.evaluate("window.heard")
    assert (begun, stopped, clip) == ("playing", "pause", passage)
    assert start_s - 0.05 <= began_s <= start_s + LATE_S
    assert end_s <= stopped_s <= end_s + LATE_S
    card = page.locator(f"#left .ss-hit[data-passage='{passage}']")
    assert "ss-lit" in card.get_attribute("class")
    length_s = float(chip.get_attribute("data-length"))
    left, width = card.locator(".ss-cited i").evaluate("mark => [mark.style.left, mark.style.width].map(parseFloat)")
    assert (left, width) == pytest.approx((100 * start_s / length_s, 100 * (end_s - start_s) / length_s), abs=0.1)
    page.wait_for_function("chip => chip.ariaPressed === 'false'", arg=chip.element_handle())


def test_what_has_no_card_plays_all_the_same_and_one_click_stops_it(visit) -> None:
    page = visit()
    ask(page, OCTOPUS)
    chip = page.locator(CHIP).first
    start_s, _, passage = span_of(chip)
    page.evaluate("for (const one of document.querySelectorAll('.ss-column')) one.remove()")
    watch(page)
    chip.click()
    page.wait_for_function("() => window.heard.length === 1")
    assert page.evaluate("window.heard[0][2]") == passage
    assert page.evaluate("window.heard[0][1]") == pytest.approx(start_s, abs=LATE_S)
    chip.click()
    page.wait_for_function("() => window.heard.length === 2")


def test_the_answer_is_played_in_order_and_can_be_stopped(visit) -> None:
    page = visit()
    ask(page, "How many recordings mention a bridge?")
    chips = page.locator(CHIP)
    assert chips.count() > 1
    watch(page)
    page.locator(".ss-a-play").click()
    page.wait_for_function("() => window.heard.filter(([name]) => name === 'playing').length > 1", timeout=120_000)
    assert page.locator(".ss-a-play span").inner_text() == "Stop"
    page.locator(".ss-a-play").click()
    page.wait_for_function("() => document.querySelector('.ss-a-play span').textContent === 'Play the answer'")
    (_, _, first), (_, stopped_s, _), (_, began_s, second) = page.evaluate("window.heard")[:3]
    (_, end_s, passage), (start_s, _, other) = span_of(chips.nth(0)), span_of(chips.nth(1))
    assert (first, second) == (passage, other)
    assert end_s <= stopped_s <= end_s + LATE_S and began_s == pytest.approx(start_s, abs=LATE_S)
    assert page.evaluate("[...document.querySelectorAll('audio')].every((one) => one.paused)")


def test_a_follow_up_says_what_it_was_taken_for_and_can_be_asked_as_typed(visit) -> None:
    page = visit()
    ask(page, OCTOPUS)
    page.locator(QUESTION).first.fill("And when?")
    page.locator("#ask-go").click()
    answered(page, "When is octopus blood blue?")
    assert "Understood as When is octopus blood blue?" in page.locator(".ss-understood").inner_text()
    assert page.locator("#left .ss-column").get_attribute("data-question") == "When is octopus blood blue?"
    page.locator(".ss-as-typed").click()
    answered(page, "And when?")
    assert page.locator(".ss-understood").count() == 0


def test_an_address_asks_and_a_search_takes_the_answer_away(visit) -> None:
    page = visit(f"/?ask={OCTOPUS}&k=2")
    answered(page, OCTOPUS)
    assert page.locator(QUESTION).first.input_value() == OCTOPUS
    assert page.locator("#left .ss-hit").count() == 2
    page.locator(QUESTION).first.press("Enter")
    page.wait_for_function("() => new URL(location.href).searchParams.get('q')")
    assert page.locator(".ss-answer").count() == 0 and "ask=" not in page.url


def test_a_newer_question_wins(visit) -> None:
    page = visit()
    page.wait_for_function("() => window.speechsearch?.judged")
    box = page.locator(QUESTION).first
    for text in ("How many recordings mention a bridge?", "Who talks about the ferry?", OCTOPUS):
        box.fill(text)
        page.locator("#ask-go").click()
    answered(page, OCTOPUS)
    page.wait_for_timeout(3000)
    assert page.locator(".ss-answer").get_attribute("data-question") == OCTOPUS
    assert page.locator("#left .ss-column").get_attribute("data-question") == OCTOPUS


def test_keyboard_alone_plays_copies_and_judges(visit) -> None:
    page = visit()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(page, OCTOPUS)
    page.wait_for_function("() => document.querySelector('.ss-unseen[role=status]').textContent !== ''")
    said = page.locator(".ss-sentences").inner_text().split("\n")[0]
    assert said[:30] in page.locator(".ss-unseen[role=status]").inner_text()
    watch(page)
    page.locator(CHIP).first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.heard.length > 0")
    page.keyboard.press("Enter")
    page.locator(".ss-a-play").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.ss-toast').textContent.startsWith('Answer copied')")
    copied = page.evaluate("navigator.clipboard.readText()")
    origin = page.url.split("/?")[0]
    assert re.search(
        rf"\[1\]\n\n\[1\] .*, 0:\d\d–0:\d\d, {re.escape(origin)}/\?recording=\w+&t=[\d.]+&end=[\d.]+\n", copied
    )
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".ss-a-vote[data-relevance='1'][aria-pressed=true]")
    _, _, passage = span_of(page.locator(CHIP).first)
    voted = f"#left .ss-hit[data-passage='{passage}'] .ss-vote[data-relevance='1'][aria-pressed=true]"
    page.wait_for_selector(voted)
    page.reload()
    page.wait_for_selector(voted)
    page.wait_for_selector(".ss-a-vote[data-relevance='1'][aria-pressed=true]")


def test_a_refusal_leads_to_the_nearest_passages(visit) -> None:
    page = visit()
    ask(page, "What is the boiling point of tungsten hexafluoride?")
    assert "nothing" in page.locator(".ss-none").inner_text()
    assert page.locator(".ss-a-play").count() == 0
    page.locator(".ss-nearest").click()
    page.wait_for_function("() => document.activeElement.id === 'left-hit-1'")


def test_a_spoken_question_is_answered(visit) -> None:
    page = visit()
    page.locator(".ss-extra > button").first.click()
    page.locator("#spoken").get_by_label("Upload file").click()
    page.locator("#spoken input[type=file]").set_input_files(ASSETS / "samples" / "audio" / "s004.opus")
    page.wait_for_selector("#left .ss-hit")
    page.locator("#ask-go").click()
    page.wait_for_selector(DONE, timeout=300_000)  # a recogniser is loaded, and hears
    assert page.locator(".ss-understood").inner_text().startswith("Heard ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_finding_and_no_overflow_at_phone_width(visit, scheme: str) -> None:
    page = visit(f"/?ask={OCTOPUS}", width=390, height=844, scheme=scheme)
    answered(page, OCTOPUS)
    page.locator(".ss-answer .ss-fold summary").last.click()
    page.locator(CHIP).first.click()
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#ask-go").bounding_box()["height"] >= 40
