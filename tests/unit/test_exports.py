"""Files for other programs: their own readers get back what was found, whatever titles say."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest

from speechsearch.api.export_formats import as_csv, as_m3u, as_qrels, as_queries, as_vtt, question_id
from speechsearch.domain.values import ChannelRank, Hit, Passage, Recording, Results, Span, Speaker
from speechsearch.store import Judgement

ROOT = "https://host/app"
HOSTILE = '=HYPERLINK("http://evil")\r\n#EXTINF:1,x\n00:01 --> 00:02\n\n<c.x>--> &amp;\u2028\u202eabc\x00,;"\'\t'


def hit(rank: int, recording_id: str, start_s: float, title: str = "A talk", transcript: str = "some words") -> Hit:
    recording = Recording(recording_id, "@ann/notes", title, 100.0, speaker="Ann", date="2024-05-01", language="en")
    passage = Passage(f"p{rank}", recording_id, Span(start_s, start_s + 10.25))
    channels = (ChannelRank("adapter", 1, 0.5), ChannelRank("phonetic", 3, 9.0))
    return Hit(rank, 5.5 - rank, passage, recording, channels, True, transcript, 0.81234)


def results(*hits: Hit) -> Results:
    return Results("hybrid", hits, True, 1.0, 2.0)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_table_has_what_the_card_has() -> None:
    speaking = (Speaker("s2", 2, "Bob"), Speaker("s3", 3))
    (row,) = rows(as_csv(results(replace(hit(1, "r1", 12.5), speakers=speaking)), ROOT))
    assert row == {
        "rank": "1", "score": "4.5", "likelihood": "0.8123", "title": "A talk", "speaker": "Ann", "date": "2024-05-01",
        "speakers": "Bob; Speaker 3",
        "collection": "notes", "recording_id": "r1", "passage_id": "p1", "start_s": "12.5", "end_s": "22.75",
        "channels": "adapter#1 phonetic#3", "transcript": "some words",
        "link": f"{ROOT}/?recording=r1&t=12.50&end=22.75",
    }  # fmt: skip


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t=", "\n=", "  ="])
def test_no_cell_is_a_formula(beginning: str) -> None:
    evil = f"{beginning}cmd|' /C calc'!A0"
    named = hit(1, "r1", 0.0, evil, evil)
    named = replace(named, recording=replace(named.recording, speaker=evil, date=evil, collection=f"@ann/{evil}"))
    (row,) = rows(as_csv(results(replace(named, speakers=(Speaker("s2", 2, evil),))), ROOT))
    for name in ("title", "transcript", "speaker", "speakers", "date", "collection"):
        assert row[name].startswith("'"), row[name]


def test_a_negative_score_stays_a_number() -> None:
    (row,) = rows(as_csv(results(hit(7, "r1", 0.0)), ROOT))
    assert float(row["score"]) == -1.5


def test_hostile_titles_stay_in_their_cell_line_and_caption() -> None:
    named = results(hit(1, "r1", 0.0, HOSTILE, HOSTILE), hit(2, "r2", 5.0, HOSTILE, HOSTILE))
    assert len(rows(as_csv(named, ROOT))) == 2
    playlist = as_m3u(named, HOSTILE, ROOT)
    assert len(playlist.splitlines()) == 2 + 2 * 2
    captions = as_vtt(named)
    assert captions.count(" --> ") == 2 and len(re.findall(r"^\d\d:\d\d:\d\d\.\d{3} --> ", captions, re.M)) == 2
    blocks = captions.split("\n\n")
    assert [block[:4] for block in blocks] == ["WEBV", "NOTE", "1\n00", "NOTE", "2\n00"]
    assert "<" not in blocks[2] + blocks[4] and "\u202e" not in captions and "\x00" not in captions


def test_a_playlist_names_every_clip() -> None:
    assert as_m3u(results(hit(1, "r1", 62.0)), "who?", ROOT).splitlines() == [
        "#EXTM3U",
        "#PLAYLIST:who?",
        "#EXTINF:10.25,A talk 00:01:02",
        f"{ROOT}/api/v1/clips/p1",
    ]


def test_captions_of_one_recording_are_in_order_of_time() -> None:
    captions = as_vtt(results(hit(1, "r1", 60.0), hit(2, "r1", 5.0, transcript="a < b & c")))
    assert captions == (
        "WEBVTT\n\n2\n00:00:05.000 --> 00:00:15.250\nA talk\na &lt; b &amp; c\n\n"
        "1\n00:01:00.000 --> 00:01:10.250\nA talk\nsome words\n"
    )


def test_captions_of_several_recordings_say_which() -> None:
    captions = as_vtt(results(hit(1, "r2", 9.0), hit(2, "r1", 5.0), hit(3, "r2", 1.0)))
    notes = [block for block in captions.split("\n\n") if block.startswith("NOTE")]
    assert notes == ["NOTE A talk (r2)", "NOTE A talk (r1)"]
    assert [line for line in captions.splitlines() if line in ("1", "2", "3")] == ["3", "1", "2"]


def test_nothing_found_gives_files_too() -> None:
    assert rows(as_csv(results(), ROOT)) == []
    assert as_vtt(results()) == "WEBVTT\n"
    assert as_m3u(results(), "x", ROOT) == "#EXTM3U\n#PLAYLIST:x\n"


def judged(visitor: str, question: str, passage: str, relevance: int) -> Judgement:
    return Judgement(visitor, question, passage, relevance, "hybrid", 1, "2026-01-01")


def test_what_most_say_counts_and_a_draw_is_no() -> None:
    found = [
        judged("ann", "Who?", "p1", 1), judged("bob", "who?", "p1", 1), judged("eve", "Who?", "p1", 0),
        judged("ann", "Who?", "p2", 1), judged("bob", "Who?", "p2", 0), judged("ann", "=1+1\twhy", "p1", 0),
    ]  # fmt: skip
    who, why = question_id("Who?"), question_id("=1+1 why")
    lines = set(as_qrels(found).splitlines())
    assert lines == {f"{who} 0 p1 1", f"{who} 0 p2 0", f"{why} 0 p1 0"}
    assert set(as_queries(found).splitlines()) == {f"{who}\tWho?", f"{why}\t'=1+1 why"}
