from __future__ import annotations

from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from speechsearch.datatypes import ChannelRank, Hit, Passage, Recording, Results, Span
from speechsearch.errors import InputError
from speechsearch.progress import Progress
from speechsearch.ui import view

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "\u202eשלום עולם\u202c",
    "x" * 5000,
    "</h3></li></ol><style>*{display:none}</style>",
    "line\nbreak\x00\x1b",
)
ENGINE = SimpleNamespace(name="hybrid", title="Hybrid", summary="How it works.")
ALLOWED = {
    "li",
    "div",
    "span",
    "h3",
    "p",
    "i",
    "bdi",
    "audio",
    "em",
    "ol",
    "section",
    "b",
    "details",
    "summary",
    "strong",
}
TABLE = {"table", "thead", "tbody", "tr", "th", "td"}


class Reader(HTMLParser):
    """Collects tags, attributes and text, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def hit(
    title: str = "Talk", rank: int = 1, score: float = 0.8, *, is_confident: bool = True, transcript: str = ""
) -> Hit:
    recording = Recording("ab", title, title, 90.0, speaker=title)
    passage = Passage("d469fbfb-b469-59bd-b109-0aa052084b09", "ab", Span(62.0, 75.5))
    channels = (ChannelRank("adapter", 2, 0.5), ChannelRank("phonetic", 1, 0.9))
    return Hit(rank, score, passage, recording, channels, is_confident, transcript)


def results(*hits: Hit, engine: str = "hybrid") -> Results:
    return Results(engine, hits, any(found.is_confident for found in hits), 12.3, 4.2)


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_stay_text(value: str) -> None:
    found = results(hit(value, transcript=value), engine="asr")
    html = view.column(found, SimpleNamespace(name="asr", title=value, summary=value))
    reader = read(html)
    assert set(reader.tags) <= ALLOWED
    assert not any(name.startswith("on") for name in reader.attributes)
    assert len(html) < 8000
    outcome = SimpleNamespace(name=value, state="failed", passages=0, duration_s=0.0, message=value)
    assert set(read(view.outcome_table([outcome])).tags) <= ALLOWED | TABLE
    assert set(read(view.problem(InputError(value, value))).tags) <= ALLOWED
    assert set(read(view.progress_bar(Progress("ingest", value, 1, 2, message=value), value)).tags) <= ALLOWED
    state = SimpleNamespace(name="a", state=value, passages=0, duration_s=0.0, message="")
    assert set(read(view.outcome_table([state])).tags) <= ALLOWED | TABLE


def test_a_card_says_what_was_found() -> None:
    html = view.hit(hit("The bridge"), best=1.6)
    reader = read(html)
    for part in ("1:02–1:15", "The bridge", "adapter #2", "phonetic #1", "0.80"):
        assert part in reader.text
    assert "width:50%" in html
    assert 'preload="none"' in html
    assert 'src="/api/v1/clips/d469fbfb-b469-59bd-b109-0aa052084b09"' in html
    assert 'src="/below/api/v1/clips/' in view.hit(hit(), best=1.0, root="/below")


def test_transcripts_are_shown_for_the_baseline_only() -> None:
    found = hit(transcript="said so")
    assert "said so" in view.column(results(found, engine="asr"), ENGINE)
    assert "said so" not in view.column(results(found), ENGINE)
    assert "nothing recognised" in view.column(results(hit(), engine="asr"), ENGINE)


def test_weak_answers_are_one_click_away() -> None:
    weak = view.column(results(hit(score=0.1, is_confident=False)), ENGINE)
    assert "Nothing relevant found." in weak
    assert weak.index("Nothing relevant found.") < weak.index("<details") < weak.index("<audio")
    assert "1 weak answer" in weak
    mixed = view.column(results(hit(), hit(rank=2, is_confident=False)), ENGINE)
    assert "Nothing relevant" not in mixed
    assert mixed.count("ss-weak") == 1
    assert "Nothing relevant found." in view.column(results(), ENGINE)


def test_times_are_shown() -> None:
    text = read(view.column(results(hit()), ENGINE)).text
    assert "1 passage in 16 ms" in text
    assert "question 12.3 ms, search 4.2 ms" in text


def test_long_times_and_counts() -> None:
    assert view.clock(36_000) == "10:00:00"
    held = [SimpleNamespace(recordings=67, duration_s=1920.0), SimpleNamespace(recordings=0, duration_s=0.0)]
    assert view.holdings(held) == "67 recordings · 32 min · 1 collection"
    assert view.holdings([]) == "Nothing to search yet"


def test_progress_bar_shows_rate_and_rest() -> None:
    text = read(view.progress_bar(Progress("ingest", "talk.mp3", 3.4, 6, rate=120.4, remaining_s=61.0))).text
    assert "Indexing talk.mp3: 3 of 6, 1 min left" in text
    assert "120 × real time" in text
