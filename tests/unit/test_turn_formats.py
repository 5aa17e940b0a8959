"""Who speaks when and what as files; words and turns joined."""

from __future__ import annotations

import json

import numpy as np
import pytest

from speechsearch.domain.segments import Segment
from speechsearch.domain.speakers import Diarization, Turn, Voice
from speechsearch.domain.spoken_by import Speaking, with_speakers
from speechsearch.domain.values import Span, Word
from speechsearch.service.turn_formats import as_files, as_report, as_rttm

TURNS = (Turn(Span(0.0, 3.0), 1), Turn(Span(3.0, 4.0), 1, True), Turn(Span(3.0, 4.0), 2, True), Turn(Span(4.0, 9.0), 2))
FOUND = Diarization(
    TURNS, tuple(Voice(number, np.ones(1, np.float32), spoken_s) for number, spoken_s in ((1, 4.0), (2, 6.0)))
)
ABOUT = {"file": "a | b.wav"}


def words(text: str, start_s: float, each_s: float = 1.0) -> tuple[Word, ...]:
    return tuple(Word(word, start_s + at * each_s, start_s + (at + 1) * each_s) for at, word in enumerate(text.split()))


def segment(text: str, start_s: float, end_s: float) -> Segment:
    return Segment(Span(start_s, end_s), text, words(text, start_s, (end_s - start_s) / len(text.split())))


def test_segments_are_cut_where_the_voice_changes_between_words() -> None:
    found = with_speakers([segment("a b c d e f", 0, 6)], TURNS)
    assert [(one.speaker, one.text, one.span) for one in found] == [
        ("Speaker 1", "a b c d", Span(0, 4)),
        ("Speaker 2", "e f", Span(4, 6)),
    ]
    assert [word.text for one in found for word in one.words] == list("abcdef")


def test_a_segment_of_one_voice_or_without_times_stays_whole() -> None:
    whole = segment("x  y", 5, 7)
    timeless = Segment(Span(2, 8), "all of it")
    assert [(one.speaker, one.text, one.span) for one in with_speakers([whole, timeless], TURNS, {2: "Ann"})] == [
        ("Ann", "x  y", Span(5, 7)),
        ("Ann", "all of it", Span(2, 8)),
    ]


def test_a_word_outside_all_turns_is_said_by_who_is_nearest_and_without_turns_nobody_is_known() -> None:
    far = segment("late", 20, 21)
    assert [one.speaker for one in with_speakers([far], TURNS)] == ["Speaker 2"]
    assert with_speakers([far], []) == [far]
    assert Speaking([]).voice(Span(0, 1)) == 0


def test_the_longest_turn_is_found_however_far_back_it_began() -> None:
    turns = [Turn(Span(0, 100), 1), *(Turn(Span(at, at + 0.5), 2) for at in range(1, 60))]
    assert Speaking(turns).voice(Span(70, 71)) == 1


def test_a_report_tells_shares_overlap_and_words_and_escapes_them() -> None:
    said = with_speakers([segment("one *two* <b>", 0, 3), segment("three", 5, 6)], TURNS)
    report = as_report(FOUND, said, "a | b.wav")
    assert report.startswith("# Who speaks in a \\| b.wav\n")
    assert "| Speaker 1 | 4 s | 40% | 1 |" in report and "at once for 1.0 s" in report
    assert "- 0:00:00.0 - 0:00:03.0 **Speaker 1** one \\*two\\* \\<b\\>\n" in report


def test_files_of_nobody_are_empty() -> None:
    files = as_files(Diarization((), ()), [], ["rttm", "json", "srt", "vtt", "txt", "md"], ABOUT)
    assert files["rttm"] == files["txt"] == "" and files["vtt"].startswith("WEBVTT")
    assert json.loads(files["json"])["turns"] == [] and "Nobody speaks." in files["md"]
    assert set(files) == {"rttm", "json", "srt", "vtt", "txt", "md"}


def test_overlap_counts_once_for_the_listener_and_twice_in_rttm() -> None:
    lines = as_rttm(TURNS, "../we ird.wav").splitlines()
    assert len(lines) == 4 and all(line.split()[1] == "we_ird" for line in lines)
    assert sum(float(line.split()[4]) for line in lines) == pytest.approx(10)


def test_texts_of_speakers_hold_their_own_words_alone() -> None:
    files = as_files(FOUND, [segment("mine", 0, 1), segment("yours", 5, 6), segment("again", 7, 8)], ["txt"], ABOUT)
    assert files["Speaker 1.txt"] == "[0:00:00.0] mine\n"
    assert files["Speaker 2.txt"] == "[0:00:05.0] yours again\n"
    assert files["txt"] == "[0:00:00.0] Speaker 1: mine\n[0:00:05.0] Speaker 2: yours again\n"
