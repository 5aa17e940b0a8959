"""Who speaks, in the page: name, filter by, correct, merge and delete voices; by keyboard and on a phone."""

from __future__ import annotations

import json
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from benchmarks.conversation import conversation
from speechsearch.domain.assets import SAMPLES
from tests.browser.conftest import running
from tests.browser.test_accessibility import findings
from tests.browser.test_collections import open_tab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

CONVERSATIONS = {"breakfast": ("s001", "s003"), "evening": ("s003", "s001")}
EVIL = "Zoë <img src=x onerror=alert(1)>"
LANE, STATUS, PEOPLE = ".ss-v-lanes > li", ".ss-v-status", ".ss-p-list > li"


@pytest.fixture(scope="module")
def address(loader, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the program answers, over two conversations of the same two people and a talk of somebody else."""
    from ingest import discover, run
    from speechsearch.service.open import Service
    from speechsearch.service.settings import Settings
    from speechsearch.store import Job

    folder, sounds = tmp_path_factory.mktemp("folder") / "data", tmp_path_factory.mktemp("in")
    for title, readers in CONVERSATIONS.items():
        (sounds / f"{title}.wav").write_bytes(conversation(readers))
    shutil.copyfile(SAMPLES / "audio" / "s015.opus", sounds / "lecture.opus")
    with Service.open(Settings(data_dir=folder), loader=loader) as service:
        found = discover([sounds], service.limits, tmp_path_factory.mktemp("workspace"))
        assert [one.state for one in run(service.manage, found, collection="talks")] == ["indexed"] * 3
        assert list(service.manage.catch_up()) == []
        service.store.jobs.add(Job("1", "local", "samples", "samples", state="done"))  # the program is not to add them
    with running(folder, least=3, ENGINES__SPEAKER_ENCODER="ge2e") as found:
        yield found


@pytest.fixture(scope="module")
def talks(address: str) -> dict[str, str]:
    """The ids of the conversations by title."""
    found = ask(f"{address}/api/v1/recordings?collection=talks")["recordings"]
    return {one["title"]: one["recording_id"] for one in found}


def ask(address: str) -> dict:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)


def wait_for(page, place: str, words: str) -> None:
    page.wait_for_function(
        "([place, words]) => document.querySelector(place)?.textContent.includes(words)", arg=[place, words]
    )


def open_recording(page, talks: dict[str, str], title: str) -> None:
    page.goto(f"{page.url.split('?')[0]}?recording={talks[title]}")
    page.wait_for_selector(LANE)


def labels(page) -> list[str]:
    return page.locator(LANE).evaluate_all("lanes => lanes.map(lane => lane.dataset.label)")


def test_a_voice_is_named_by_keyboard_everywhere_and_taken_back(visit, talks) -> None:
    page = visit("/")
    open_recording(page, talks, "breakfast")
    before = labels(page)
    assert len(before) >= 2 and all(one.startswith("Speaker ") for one in before)
    page.locator(f"{LANE} [data-edit]").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.type(EVIL)
    page.keyboard.press("Enter")
    wait_for(page, STATUS, "is now called")
    assert labels(page)[0] == EVIL and page.locator("ss-recording img").count() == 0
    assert page.locator(f"{LANE} [data-edit]").first.evaluate("button => button === document.activeElement")
    page.locator("[data-part=passages] > summary").click()
    page.wait_for_selector(".ss-rec-passages .ss-v-mark")
    assert EVIL in page.locator("[data-part=passages]").inner_text()
    open_recording(page, talks, "evening")
    assert EVIL in labels(page)  # the same voice
    open_recording(page, talks, "breakfast")
    page.locator(f"{LANE} [data-edit]").first.click()
    page.locator(".ss-v-edit:not([hidden]) [name=name]").fill("Ada")
    page.locator(".ss-v-edit:not([hidden]) [data-do=name] button").click()
    wait_for(page, STATUS, "is now called Ada")
    page.get_by_role("button", name="Undo").click()
    wait_for(page, STATUS, "Taken back")
    assert labels(page)[0] == EVIL


def test_lanes_play_from_where_they_are_clicked_and_turn_by_turn(visit, talks) -> None:
    page = visit("/")
    open_recording(page, talks, "evening")
    turns = [float(one) for one in page.locator(".ss-v-track").nth(1).get_attribute("data-turns").split()]
    box = page.locator(".ss-v-track").nth(1).bounding_box()
    page.mouse.click(box["x"] + 2, box["y"] + 5)  # he is silent there: his first turn
    now = "() => document.querySelector('ss-recording audio').currentTime"
    assert page.evaluate(now) == pytest.approx(turns[0], abs=1.0)
    page.locator(f"{LANE} [data-turn='1']").nth(1).click()
    assert page.evaluate(now) == pytest.approx(turns[2], abs=1.0)
    page.locator(".ss-v-turns > summary").click()
    page.wait_for_selector(".ss-v-turns li")
    page.locator(".ss-v-turns li button").last.focus()
    page.keyboard.press("Enter")
    assert page.evaluate(now) >= turns[-2] - 1


def test_answers_say_who_said_it_and_lead_to_more(visit, talks) -> None:
    page = visit("/?q=bridge")
    page.wait_for_selector("#left .ss-hit", state="attached")
    page.evaluate("document.querySelectorAll('details.ss-more').forEach(one => (one.open = true))")
    link = page.locator("#left .ss-by").filter(has_text="Zoë").first
    link.click()
    page.wait_for_selector("#left .ss-hit", state="attached")
    assert urllib.parse.parse_qs(urllib.parse.urlparse(page.url).query)["speaker"] == [EVIL]
    assert "Filtered by speaker" in page.locator(".ss-why").inner_text()
    found = page.locator("#left .ss-where").evaluate_all("all => all.map(one => one.textContent)")
    assert found and all(EVIL in one for one in found)
    page.locator("#narrow > button").click()
    page.wait_for_selector("#speakers .token, #speakers [data-value]")
    assert page.locator("ss-recording img, #speakers img[src=x]").count() == 0


def test_recordings_are_filtered_by_a_speaker(visit, talks) -> None:
    page = visit(f"/?recording=&speaker={urllib.parse.quote(EVIL)}")
    page.wait_for_function("() => document.querySelectorAll('.ss-rec-list li').length === 2")
    assert page.get_by_label("Speaker", exact=True).input_value() == EVIL
    page.get_by_label("Speaker", exact=True).select_option(label="All speakers")
    page.wait_for_function("() => document.querySelectorAll('.ss-rec-list li').length === 3")


def test_a_voice_is_corrected_and_that_is_taken_back(visit, talks) -> None:
    page = visit("/")
    open_recording(page, talks, "evening")
    place = labels(page).index(EVIL)
    page.locator(f"{LANE} [data-edit]").nth(place).click()
    offered = page.locator(".ss-v-edit:not([hidden]) option").all_inner_texts()
    assert offered[0] == "A new speaker" and len(offered) > 1 and not any(EVIL in one for one in offered)
    page.locator(".ss-v-edit:not([hidden]) [data-do=assign] button").click()
    wait_for(page, STATUS, f"no longer {EVIL}")
    assert EVIL not in labels(page)
    page.get_by_role("button", name="Undo").click()
    wait_for(page, STATUS, "Taken back")
    assert EVIL in labels(page)


def test_who_has_the_name_already_may_be_the_same_person(visit, talks) -> None:
    page = visit("/")
    open_recording(page, talks, "evening")
    place = next(at for at, label in enumerate(labels(page)) if label != EVIL)
    page.locator(f"{LANE} [data-edit]").nth(place).click()
    page.locator(".ss-v-edit:not([hidden]) [name=name]").fill(EVIL.upper())
    page.locator(".ss-v-edit:not([hidden]) [data-do=name] button").click()
    wait_for(page, STATUS, "Is it the same person?")
    page.get_by_role("button", name="Same person").click()
    wait_for(page, STATUS, "are one person now")
    assert set(labels(page)) == {EVIL}
    page.get_by_role("button", name="Undo").click()
    wait_for(page, STATUS, "Taken back")
    assert set(labels(page)) != {EVIL}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lanes_fit_a_phone_and_have_no_serious_finding(visit, talks, scheme: str) -> None:
    page = visit(f"/?recording={talks['evening']}", width=390, height=844, scheme=scheme)
    page.wait_for_selector(LANE)
    page.locator(f"{LANE} [data-edit]").first.click()
    page.locator(".ss-v-turns > summary").click()
    page.wait_for_selector(".ss-v-turns li")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert findings(page) == []


def test_speakers_are_listed_renamed_and_deleted(visit, talks) -> None:
    page = visit("/")
    open_tab(page)
    page.locator("ss-people summary").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(PEOPLE)
    people = page.locator(PEOPLE).evaluate_all("rows => rows.map(row => row.dataset.label)")
    assert EVIL in people and page.locator("ss-people img").count() == 0
    row = page.locator(PEOPLE).filter(has_text="Zoë")
    row.locator("ss-player .ss-play").first.click()
    page.wait_for_function("() => document.querySelector('ss-people ss-player.ss-playing')")
    row.locator("[data-more]").click()
    page.wait_for_selector(".ss-p-forms")
    assert findings(page) == []
    page.locator(".ss-p-forms [name=name]").fill("Zoë")
    page.keyboard.press("Enter")
    wait_for(page, f"ss-people {STATUS}", "is now called Zoë")
    page.locator("[data-do=unname]").click()
    wait_for(page, f"ss-people {STATUS}", "The name Zoë is removed")
    page.get_by_role("button", name="Undo").click()
    wait_for(page, f"ss-people {STATUS}", "Taken back")
    page.locator("[data-ask]").click()
    assert "The recordings, their sound" in page.locator("[data-sure]").inner_text()
    page.keyboard.press("Enter")  # a slip of the finger deletes nothing
    assert page.locator("[data-sure]").is_hidden()
    page.locator("[data-ask]").click()
    page.locator("[data-do=forget]").click()
    wait_for(page, f"ss-people {STATUS}", "Zoë is deleted")
    assert page.locator(PEOPLE).filter(has_text="Zoë").count() == 0
    page.goto(f"{page.url.split('?')[0]}?recording={talks['breakfast']}")
    page.wait_for_selector(LANE, state="attached")
    assert len(labels(page)) == 1 and "Zoë" not in labels(page)[0]  # one voice alone is folded
