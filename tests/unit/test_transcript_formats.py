"""Transcripts as files: every format to the letter, with what others may have put into texts and names."""

from __future__ import annotations

import json

import pytest

from ingest.transcripts import captions_in
from speechsearch.domain.errors import InputError
from speechsearch.domain.segments import Segment
from speechsearch.domain.values import Span, Word
from speechsearch.service.transcript_formats import FORMATS, as_transcript, formats_in

WORDS = (Word("Who", 61.0, 61.2), Word("built", 61.2, 61.5), Word("it?", 61.5, 62.0), Word("He.", 69.0, 69.5))
SEGMENTS = (
    Segment(Span(60.5, 70.0), "Who built it? He.", WORDS, "en", 0.876543),
    Segment(Span(3600.0, 3601.5), "=1+1\n--> <b>\x00", speaker="Ann\tB"),
)
WRITTEN = {
    "txt": "Who built it? He.\nAnn B: =1+1 --> <b>\n",
    "srt": "1\n00:01:01,000 --> 00:01:02,000\nWho built it?\n\n2\n00:01:09,000 --> 00:01:09,500\nHe.\n\n"
    "3\n01:00:00,000 --> 01:00:01,500\nAnn B: =1+1 → <b>\n",
    "vtt": "WEBVTT\n\n00:01:01.000 --> 00:01:02.000\nWho built it?\n\n00:01:09.000 --> 00:01:09.500\nHe.\n\n"
    "01:00:00.000 --> 01:00:01.500\nAnn B: =1+1 → &lt;b&gt;\n",
    "tsv": "start\tend\tspeaker\ttext\n60500\t70000\t\tWho built it? He.\n3600000\t3601500\tAnn B\t'=1+1 --> <b>\n",
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_text_subtitles_and_table(kind: str) -> None:
    assert as_transcript(SEGMENTS, kind, {}) == WRITTEN[kind]


def test_json_has_what_is_known_and_nothing_made_up() -> None:
    found = json.loads(as_transcript(SEGMENTS, "json", {"model": "m"}))
    assert found["model"] == "m" and found["text"] == "Who built it? He. =1+1 --> <b>"
    first, second = found["segments"]
    assert first["words"][0] == {"word": "Who", "start": 61.0, "end": 61.2} and first["confidence"] == 0.8765
    assert second == {"id": 1, "start": 3600.0, "end": 3601.5, "text": "=1+1\n--> <b>\x00", "speaker": "Ann\tB"}


@pytest.mark.parametrize("kind", ["json", "srt", "vtt"])
def test_ingest_takes_them_in_as_transcripts_that_came_with_a_recording(kind: str) -> None:
    found = captions_in(as_transcript(SEGMENTS[:1], kind, {}), 100.0)
    assert " ".join(one.text for one in found) == "Who built it? He."
    assert (found[0].words[0] == WORDS[0]) if kind == "json" else (found[1].span.start_s == 69.0)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_empty_transcript_is_a_file_too(kind: str) -> None:
    expected = {"txt": "", "srt": "\n", "vtt": "WEBVTT\n", "tsv": "start\tend\ttext\n"}
    written = as_transcript((), kind, {})
    assert json.loads(written) == {"text": "", "segments": []} if kind == "json" else written == expected[kind]


@pytest.mark.parametrize(("text", "named"), [("srt,pdf", "'pdf'"), (" , ", "' , '")])
def test_formats_that_there_are_not_are_refused(text: str, named: str) -> None:
    with pytest.raises(InputError, match=f"{named} is no format of transcripts. Choose from: txt, json"):
        formats_in(text)
