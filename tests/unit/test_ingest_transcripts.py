"""Transcripts and chapters beside recordings: which belong to which, and what is read of them."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from ingest.beside import Companions
from ingest.discover import discover, discover_uploaded
from ingest.sources import Beside, Rejected, Source
from ingest.transcripts import captions_in, chapters_of, read_enclosed, written_passages
from speechsearch.domain.captions import Chapter
from speechsearch.domain.errors import InputError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Span, Word

SRT = "1\n00:00:01,000 --> 00:00:03,500\nWho <i>built</i>\nthe bridge?\n\n2\n0:0:4.0 --> 0:0:5.25\n{\\an8}Nobody.\n"
WHISPER = {
    "segments": [
        {"start": 1.0, "end": 3.5, "text": " Who built", "words": [
            {"word": " Who", "start": 1.0, "end": 1.5}, {"word": " built", "start": 1.5, "end": 3.5},
        ]},
        {"start": 4, "end": 5.25, "text": "Nobody.", "words": [{"word": "Nobody."}]},
    ]
}  # fmt: skip


def said(text: str, duration_s: float = 60.0) -> list[tuple[float, float, str]]:
    return [(one.span.start_s, one.span.end_s, one.text) for one in captions_in(text, duration_s)]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_subrip_as_people_write_it(ends: str) -> None:
    assert said(SRT.replace("\n", ends)) == [(1.0, 3.5, "Who built the bridge?"), (4.0, 5.25, "Nobody.")]


def test_webvtt_without_its_notes_styles_and_names() -> None:
    text = (
        "WEBVTT - a title\nKind: captions\n\nNOTE about\nthe bridge\n\nSTYLE\n::cue { color: red }\n\n"
        "intro\n00:01.000 --> 00:02.000 align:start position:0%\n<v Ann>Tom &amp; <c.loud>Ann</c>\n\n"
        "01:00:00.000 --> 01:00:01.000\nafter the end\n"
    )
    assert said(text) == [(1.0, 2.0, "Tom & Ann")]


def test_captions_that_roll_up_are_read_once() -> None:
    text = (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nhello<00:00:01.000><c> there</c>\n\n"
        "00:00:02.000 --> 00:00:02.010\nhello there\n\n"
        "00:00:02.010 --> 00:00:04.000\nhello there\nold<00:00:03.000><c> bridge</c>\n"
    )
    assert [one[2] for one in said(text)] == ["hello there", "old bridge"]
    assert [one[2] for one in said("1\n0:0:1,0 --> 0:0:2,0\nNo.\n\n2\n0:0:2,0 --> 0:0:3,0\nNo.\n")] == ["No.", "No."]


def test_json_of_whisper_and_of_podcasts() -> None:
    first, second = captions_in(json.dumps(WHISPER), 60.0)
    assert first.words == (Word("Who", 1.0, 1.5), Word("built", 1.5, 3.5)) and second.words == ()
    podcast = {"version": "1.0.0", "segments": [{"speaker": "Ann", "startTime": 0.5, "endTime": 2, "body": "Bees"}]}
    assert said(json.dumps(podcast)) == [(0.5, 2.0, "Bees")]
    assert said(json.dumps(WHISPER["segments"]))[0][2] == "Who built"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no captions with times"),
        ("Just words.", "no captions with times"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"segments": 5}', "no captions"),
        ('[{"start": NaN, "end": 1, "text": "x"}, {"start": 3, "end": 2, "text": "x"}, 7]', "no captions"),
        ("1\n0:0:5,0 --> 0:0:4,0\nbackwards\n", "no captions"),
        ("1\n2:00:00,000 --> 2:00:01,000\nlate\n", "after the end"),
    ],
)
def test_what_is_no_transcript_is_said(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        captions_in(text, 60.0)


def test_text_that_cannot_be_shown_is_cleaned() -> None:
    assert said("1\n0:0:1,0 --> 0:0:2,0\n\x1b[31mred\u202e \x00flag\n") == [(1.0, 2.0, "[31mred flag")]


def test_times_that_are_no_times_are_left_out() -> None:
    wrong = ("1" + "0" * 400, "1e999", "NaN", "-1", "true", '"1"')
    segments = ", ".join(f'{{"start": {one}, "end": 2, "text": "a"}}' for one in wrong)
    assert said(f'[{segments}, {{"start": 0, "end": 2, "text": "b"}}]') == [(0.0, 2.0, "b")]


def test_chapters_and_what_an_export_has_written() -> None:
    assert chapters_of('{"chapters": [{"startTime": 9, "title": "B"}, {"startTime": 0, "title": "A"}]}', 10.0) == (
        Chapter(0.0, "A"),
        Chapter(9.0, "B"),
    )
    with pytest.raises(InputError, match="no list of chapters"):
        chapters_of("[]", 10.0)
    segments = [{**one, "fingerprint": "mini-1"} for one in WHISPER["segments"]]
    first, _ = written_passages({"recognizer": "mini", "segments": segments}, "mini")
    assert first.span == Span(1.0, 3.5) and first.fingerprint == "mini-1"
    assert first.transcript.words[1] == Word("built", 0.5, 2.5) and first.transcript.recognizer == "mini"
    with pytest.raises(InputError, match="exported collection"):
        written_passages({"recognizer": "other", "segments": segments}, "mini")


def names(found: tuple[Beside, ...]) -> list[tuple[str, str]]:
    return [(one.kind, one.name) for one in found]


def test_which_files_belong_to_a_recording() -> None:
    paths = [
        "talks/a.mp3", "talks/A.srt", "talks/a.vtt", "talks/a.cs.vtt", "talks/a.chapters.json", "talks/b.wav.vtt",
        "talks/b.wav", "talks/b.mp3.srt", "other/a.vtt", "talks/lonely.srt", "talks/data.json",
    ]  # fmt: skip
    companions = Companions({PurePosixPath(one): Path(one) for one in paths})
    found = companions.of(PurePosixPath("talks/a.mp3"))
    assert names(found) == [
        ("captions", "a.vtt"), ("captions", "A.srt"), ("captions", "a.cs.vtt"), ("chapters", "a.chapters.json"),
    ]  # fmt: skip
    assert names(companions.of(PurePosixPath("talks/b.wav"))) == [("captions", "b.wav.vtt")]
    sounds = [PurePosixPath("talks/a.mp3"), PurePosixPath("talks/b.wav")]
    unused = {one for one in paths if one.endswith(("srt", "vtt", "json"))} - {
        str(one) for one in companions.used(sounds)
    }
    assert unused == {"other/a.vtt", "talks/b.mp3.srt", "talks/lonely.srt", "talks/data.json"}


def test_a_transcript_is_that_of_the_recording_of_its_very_name() -> None:
    paths = [PurePosixPath(one) for one in ("talk.mp3", "talk.en.mp3", "talk.en.srt", "talk.de.srt")]
    companions = Companions({one: Path(one) for one in paths})
    assert names(companions.of(paths[0])) == [("captions", "talk.de.srt")]
    assert names(companions.of(paths[1])) == [("captions", "talk.en.srt")]


def test_what_is_written_counts_only_in_an_exported_collection() -> None:
    paths = ["x/data/audio/2/a.mp3", "x/data/transcripts/mini/2/a.mp3.json", "x/data/transcripts/../2/a.mp3.json"]
    without = Companions({PurePosixPath(one): Path(one) for one in paths})
    assert without.of(PurePosixPath(paths[0])) == ()
    companions = Companions({PurePosixPath(one): Path(one) for one in (*paths, "x/bagit.txt")})
    (one,) = companions.of(PurePosixPath(paths[0]))
    assert (one.kind, one.recognizer) == ("written", "mini")


def folder_of(root: Path) -> Path:
    root.mkdir()
    (root / "a.wav").write_bytes(b"x")
    (root / "a.srt").write_text(SRT)
    (root / "lonely.vtt").write_text("WEBVTT\n")
    return root


def test_folders_archives_uploads_and_single_files_bring_what_is_beside(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "talks")
    with zipfile.ZipFile(tmp_path / "talks.zip", "w") as archive:
        for name in ("lonely.vtt", "a.wav", "a.srt"):  # the transcript comes after its sound
            archive.write(folder / name, f"day/{name}")
    work = tmp_path / "work"
    ways = {
        "folder": discover([folder], Limits(), work),
        "archive": discover([tmp_path / "talks.zip"], Limits(), work),
        "files": discover([folder / "a.wav", folder / "a.srt"], Limits(), work),
        "file": discover([folder / "a.wav"], Limits(), work),
        "upload": discover_uploaded([(one, one.name) for one in sorted(folder.iterdir())], Limits(), work, {}),
    }
    for way, selection in ways.items():
        found = list(selection)
        (source,) = [one for one in found if isinstance(one, Source)]
        assert names(source.beside) == [("captions", "a.srt")], way
        refused = [one for one in found if isinstance(one, Rejected)]
        assert len(refused) == (way not in ("files", "file")) and all(one.state == "warning" for one in refused), way


def test_an_archive_brings_only_so_much_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["ingest.packed"], "MOST_TEXT_BYTES", 100)
    with zipfile.ZipFile(tmp_path / "talks.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.srt", SRT[:90])
        for name in "bc":
            archive.writestr(f"{name}.json", "[" * 1_000_000)
        for name in "ab":
            archive.writestr(f"{name}.wav", "x")
    found = list(discover([tmp_path / "talks.zip"], Limits(), tmp_path / "work"))
    assert [len(one.beside) for one in found if isinstance(one, Source)] == [1, 0]
    assert [one.name for one in found if isinstance(one, Rejected)] == ["talks.zip/b.json", "talks.zip/c.json"]
    assert list((tmp_path / "work").iterdir()) == []


def test_an_uploaded_file_without_a_recording_is_named(tmp_path: Path) -> None:
    for name in ("a.wav", "b.json", "c.srt"):
        (tmp_path / name).write_bytes(b"x")
    files = [(one, one.name) for one in sorted(tmp_path.iterdir())]
    found = list(discover_uploaded(files, Limits(), tmp_path / "work", {}))
    assert [one.name for one in found if isinstance(one, Rejected) and one.state == "warning"] == ["b.json", "c.srt"]


def test_the_first_transcript_that_can_be_read_is_taken_and_the_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "a.vtt").write_text(f"WEBVTT\n\n{SRT}", encoding="utf-16")
    files = [Beside(tmp_path / name, name, "captions") for name in ("a.json", "gone.srt", "a.vtt")]
    found = read_enclosed(files, 60.0)
    assert found.given.name == "a.vtt" and len(found.given.captions) == 2
    assert [one.split("'")[1] for one in found.problems] == ["a.json", "gone.srt"]
