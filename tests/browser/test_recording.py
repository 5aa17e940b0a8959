"""The Recordings tab as a visitor uses it."""

from __future__ import annotations

import json
import urllib.request

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

QUESTION = "What did Rejewski do after the war?"
HOSTILE = '"><img src=x onerror=alert(1)> octopus'
ANSWERS, LINE, TIME = ".ss-rec-answer", ".ss-rec-line", ".ss-rec-time"
SOUND = "ss-recording audio"


@pytest.fixture(scope="module")
def longest(address: str) -> dict:
    """The longest of the samples, which has several passages."""
    with urllib.request.urlopen(f"{address}/api/v1/recordings?limit=500", timeout=60) as answer:
        return max(json.load(answer)["recordings"], key=lambda one: one["duration_s"])


def sound(page) -> dict:
    return page.locator(SOUND).evaluate("s => ({ at: s.currentTime, paused: s.paused, length: s.duration })")


def is_playing_after(page, seconds: float) -> None:
    page.wait_for_function(
        "([name, at]) => { const s = document.querySelector(name); return !s.paused && s.currentTime > at }",
        arg=[SOUND, seconds],
    )


def test_link_opens_the_recording_at_its_second(visit, longest) -> None:
    page = visit(f"/?recording={longest['recording_id']}&t=30.5&q={QUESTION}")
    page.wait_for_selector(ANSWERS)
    assert page.get_by_role("tab", name="Recordings", exact=True).get_attribute("aria-selected") == "true"
    assert page.locator(".ss-rec h2").inner_text() == longest["title"]
    assert page.locator(TIME).inner_text().startswith("0:30 /")
    assert page.locator(".ss-rec-marks > div").count() == page.locator(ANSWERS).count() > 1
    page.wait_for_function("() => document.querySelector('.ss-rec-wave path').getAttribute('d')")
    assert sound(page)["paused"] is True
    page.locator(".ss-rec-play").click()
    is_playing_after(page, 30.6)
    assert sound(page)["length"] == pytest.approx(longest["duration_s"], abs=0.2)
    page.wait_for_timeout(1500)  # the search of the other tab has ended too, and has left the address alone
    assert f"recording={longest['recording_id']}" in page.url


def test_answer_opens_plays_and_the_way_back(visit) -> None:
    page = visit(f"/?q={QUESTION}&k=5")
    page.wait_for_selector("#left .ss-hit .ss-open")
    searched = page.url
    page.locator("#left .ss-hit .ss-open").first.click()
    page.wait_for_selector(ANSWERS)
    first = page.locator(ANSWERS).first
    first.locator(".ss-rec-from").first.click()
    is_playing_after(page, float(first.get_attribute("data-start")))
    page.wait_for_selector(f"{ANSWERS}.ss-rec-current")
    assert page.locator(".ss-rec-play").get_attribute("aria-label") == "Pause"
    page.go_back()
    page.wait_for_selector("#left .ss-hit >> visible=true")
    assert page.url == searched
    page.go_forward()
    page.wait_for_selector(f"{LINE} >> visible=true")


def test_keys_and_pointer_move_the_position(visit, longest) -> None:
    page = visit(f"/?recording={longest['recording_id']}")
    line = page.locator(LINE)
    line.focus()
    for key, time in (("ArrowRight", "0:05"), ("ArrowRight", "0:10"), ("ArrowLeft", "0:05"), ("Home", "0:00")):
        page.keyboard.press(key)
        assert line.get_attribute("aria-valuetext").startswith(f"{time} of ")
    page.keyboard.press("Space")
    is_playing_after(page, 0.1)
    page.keyboard.press("Space")
    assert sound(page)["paused"] is True
    box = line.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    page.mouse.up()
    half_s = longest["duration_s"] / 2
    assert sound(page)["at"] == pytest.approx(half_s, abs=1.0)
    assert float(page.url.split("t=")[1].split("&")[0]) == pytest.approx(half_s, abs=1.0)


def test_search_within_order_jumps_and_passages(visit, longest) -> None:
    page = visit(f"/?recording={longest['recording_id']}")
    box = page.locator(".ss-rec-ask input")
    box.fill("first wheel")  # is said in two passages
    box.press("Enter")
    page.wait_for_selector(ANSWERS)
    assert "q=first" in page.url
    page.get_by_role("button", name="By time").click()
    starts = page.locator(f".ss-rec-found > .ss-rec-answers > {ANSWERS}").evaluate_all(
        "answers => answers.map(answer => Number(answer.dataset.start))"
    )
    assert len(starts) > 1
    assert starts == sorted(starts)
    page.get_by_role("button", name="Next answer").click()
    goal = next(start for start in starts if start > 0.2)
    assert sound(page)["at"] == pytest.approx(goal, abs=0.1)
    page.locator(".ss-rec-speed").select_option("1.5")
    assert page.locator(SOUND).evaluate("sound => sound.playbackRate") == 1.5
    page.locator(".ss-rec-all summary", has_text="passages").click()
    page.wait_for_selector(".ss-rec-passages li")
    assert page.locator(".ss-rec-passages li.ss-rec-current").count() == 1


def test_a_hostile_question_stays_text(visit, longest) -> None:
    page = visit(f"/?recording={longest['recording_id']}")
    page.locator(".ss-rec-ask input").fill(HOSTILE)
    with page.expect_response(lambda answer: "/answers?" in answer.url) as answered:
        page.locator(".ss-rec-ask button").click()
    assert answered.value.ok
    page.wait_for_selector(".ss-rec-found .ss-rec-head")
    assert page.locator("ss-recording img").count() == 0
    page.reload()  # now the address asks, and the server writes the question into the form
    page.wait_for_selector(".ss-rec-found .ss-rec-head")
    assert page.locator(".ss-rec-ask input").input_value() == HOSTILE
    assert page.locator("ss-recording img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_list_and_phone_width(visit, longest, scheme: str) -> None:
    page = visit("/", width=390, height=844, scheme=scheme)
    page.wait_for_timeout(2000)  # the page answers clicks only once its scripts have taken over
    page.get_by_role("tab", name="Recordings", exact=True).click()
    page.wait_for_selector(".ss-rec-list li")
    page.get_by_role("searchbox", name="Find a recording").fill(longest["title"])
    page.wait_for_function("() => document.querySelectorAll('.ss-rec-list li').length === 1")
    page.locator(".ss-rec-list a").click()
    page.wait_for_selector(LINE)
    assert longest["recording_id"] in page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("link", name="All recordings").click()
    page.wait_for_selector(".ss-rec-list li")


def test_new_and_often_found_ones_come_first_and_filters_narrow_the_list(visit) -> None:
    page = visit(f"/?q={QUESTION}")
    page.wait_for_selector("#left .ss-hit")
    page.get_by_role("tab", name="Recordings", exact=True).click()
    page.wait_for_selector(".ss-rec-list li")
    heads = page.locator(".ss-rec-part").all_inner_texts()
    assert heads in (["Recently added", "Most found", "All others"], ["Recently added", "All others"])
    assert page.locator(".ss-rec-list").first.locator("li").count() == 5
    page.get_by_label("Speaker").select_option(index=1)
    page.wait_for_function("() => document.querySelectorAll('.ss-rec-list li').length < 5")
    chosen = page.get_by_label("Speaker").input_value()
    assert all(chosen in row for row in page.locator(".ss-rec-list li").all_inner_texts())
    page.get_by_label("Year").select_option(label="All years")
    page.get_by_label("Speaker").select_option(label="All speakers")
    page.wait_for_selector(".ss-rec-part")


def test_recording_that_is_not_there_is_explained(visit) -> None:
    page = visit(f"/?recording={'0' * 64}")
    page.wait_for_selector("ss-recording .ss-problem")
    assert "no recording" in page.locator("ss-recording .ss-problem").inner_text()
