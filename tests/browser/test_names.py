"""My names in the page: the list by keyboard, where names were heard, and names offered while a question is typed."""

from __future__ import annotations

import pytest

from tests.browser.conftest import QUESTION
from tests.browser.test_collections import open_tab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def wait_for_words(page, words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('.ss-n-status').textContent.includes(words)", arg=words, timeout=60_000
    )


def test_a_name_is_added_heard_judged_offered_and_removed(visit) -> None:
    page = visit()
    open_tab(page)
    page.locator("ss-names summary").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".ss-n-add")
    page.locator(".ss-n-add [name=name]").fill("Wojciechowski")
    page.locator(".ss-n-add [name=sounds_like]").fill("voy che hoff ski; <b>vojj</b>")
    page.keyboard.press("Enter")
    wait_for_words(page, "Wojciechowski is in the list.")
    assert "<b>vojj</b>" in page.locator(".ss-n-list").inner_text()
    page.get_by_role("button", name="Where Wojciechowski was heard").click()
    page.wait_for_selector(".ss-n-heard li")
    before = page.locator(".ss-n-heard > li").count()
    page.locator("[data-said=false]").first.click()
    wait_for_words(page, "not shown here again")
    page.locator("[data-undo]").click()
    wait_for_words(page, "Taken back")
    page.locator("[data-said=true]").first.click()
    wait_for_words(page, "Searches go by it")
    page.get_by_role("button", name="Where Wojciechowski was heard").click()
    page.get_by_role("button", name="Where Wojciechowski was heard").click()
    page.wait_for_selector("[data-said=true][aria-pressed=true]")
    assert page.locator(".ss-n-heard > li").count() == before
    page.get_by_role("tab", name="Search", exact=True).click()
    page.locator(QUESTION).click()
    page.keyboard.type("who is woj", delay=50)
    page.wait_for_selector("#ss-offers li")
    page.wait_for_timeout(500)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator(QUESTION).input_value() == "who is Wojciechowski"
    page.keyboard.press("Enter")
    page.wait_for_selector("#left .ss-hit")
    assert "Searched in" in page.locator("#left .ss-searched").inner_text()
    open_tab(page)
    remove = page.get_by_role("button", name="Remove Wojciechowski")
    remove.click()
    wait_for_words(page, "Press again")
    remove.click()
    wait_for_words(page, "is removed")


def test_what_signs_are_understood_as_is_said(visit) -> None:
    page = visit('/?q="three hearts" -pilgrim "')
    page.wait_for_selector("#left .ss-hit")
    said = page.locator(".ss-demanded").all_inner_texts()
    assert said == ["Only passages with “three hearts”.", "Without “pilgrim”.", said[2]] and "no partner" in said[2]
