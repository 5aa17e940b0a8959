from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs: pip install axe-playwright-python")
TABS = ("Search", "Recordings", "Add recordings", "Collections", "Compare", "About")


def findings(page) -> list[str]:
    """Return what axe calls critical or serious on the page as it is."""
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['impact']} {one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in {"critical", "serious"}
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
def test_no_serious_finding(visit, tab: str, scheme: str) -> None:
    page = visit("/?q=Why is octopus blood blue?", scheme=scheme)
    page.wait_for_selector("#left .ss-hit")
    page.get_by_role("tab", name=tab, exact=True).click()
    page.wait_for_timeout(1500)  # the tab's own requests
    assert findings(page) == []


@pytest.mark.parametrize("tab", TABS)
def test_phone_width_has_no_overflow(visit, tab: str) -> None:
    page = visit("/?q=Why is octopus blood blue?", width=390, height=844)
    page.wait_for_selector("#left .ss-hit")
    if page.get_by_role("tab", name=tab, exact=True).is_visible():
        page.get_by_role("tab", name=tab, exact=True).click()
    else:
        page.locator("#tabs .overflow-menu > button").click()
        page.locator("#tabs .overflow-dropdown").get_by_text(tab, exact=True).click()
    page.wait_for_timeout(1500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
