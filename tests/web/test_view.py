from __future__ import annotations

from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from speechsearch.domain.errors import InputError
from speechsearch.domain.progress import Progress
from speechsearch.ui import view

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202eשלום עולם\u202c",
    "x" * 5000,
    "</span></div><style>*{display:none}</style>",
    "line\nbreak\x00\x1b",
)
ALLOWED = {"div", "span", "p", "bdi", "strong", "table", "thead", "tbody", "tr", "th", "td"}


class Reader(HTMLParser):
    """Collects tags and text, and checks that tags close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.open.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_stay_text(value: str) -> None:
    for html in (
        view.problem(InputError(value, value)),
        view.progress_bar(Progress("ingest", value, 1, 2, message=value), value),
    ):
        assert Reader(html).tags <= ALLOWED


def test_long_times_and_counts() -> None:
    assert view.clock(36_000) == "10:00:00"
    held = [SimpleNamespace(recordings=67, duration_s=1920.0), SimpleNamespace(recordings=0, duration_s=0.0)]
    assert view.holdings(held) == "67 recordings · 32 min · 1 collection"
    assert view.holdings([]) == "Nothing to search yet"


def test_progress_bar_shows_rate_and_rest() -> None:
    text = Reader(view.progress_bar(Progress("ingest", "talk.mp3", 3.4, 6, rate=120.4, remaining_s=61.0))).text
    assert "Indexing talk.mp3: 3 of 6, 1 min left" in text
    assert "120 × real time" in text
