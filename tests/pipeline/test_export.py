"""A collection is exported, as a folder or a ZIP, and taken in again: the same library."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest import discover, run
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.captions import Caption, Chapter, Given
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.values import Query, Span, Word
from speechsearch.domain.visitors import Visitor
from speechsearch.library.bags import bag_files, file_name_of, free_name
from speechsearch.service.open import Service
from tests.tiny.fakes import FakeLoader, FakeRecognizer, open_fakes

TITLE = '=HYPERLINK("x") <b>"bees"</b>, and more; 50%'


def models() -> FakeLoader:
    return FakeLoader(recognizers=(FakeRecognizer("first"), FakeRecognizer("given")))


def ingest(service: Service, path: Path, collection: str = "other") -> list[tuple[str, str]]:
    found = discover([path], service.limits, service.data_dir / "work")
    return [(one.state, one.message) for one in run(service.manage, found, collection=collection)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A library with two recordings of one file name, transcripts given and made, chapters, and hostile metadata."""
    tmp_path = tmp_path_factory.mktemp("filled")
    with open_fakes(tmp_path / "data", models()) as service:
        for folder, name in (("one", "s004"), ("two", "s015")):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "Talk.opus").write_bytes((SAMPLES / "audio" / f"{name}.opus").read_bytes())
        (tmp_path / "one" / "talk.srt").write_text("1\n00:00:00,500 --> 00:00:03,000\nA zeppelin -- <i>a</i> bee.\n")
        ingest(service, tmp_path / "one", "talks/2024")
        ingest(service, tmp_path / "two", "talks/2024")
        service.manage.change_collection("talks/2024", {"description": "On\nbees", "licence": "CC0", "source": "here"})
        _, second = service.browse.recordings()
        changes = {"title": TITLE, "speaker": "'tis", "date": "2024-05-01", "language": "en", "source": "http://x/?a=1"}
        service.manage.change_recording(second.recording_id, changes)
        words = (Word("one", 0.123456, 0.5), Word("two", 0.5, 0.5))
        given = Given(
            "x.json",
            (Caption(Span(0.1, 2.0), "one two", words), Caption(Span(3.0, 4.0), "a <b> & -->")),
            (Chapter(0.5, "Start: <b>"),),
        )
        service.manage.keep_given(second.recording_id, given)
        assert list(service.manage.catch_up()) == []
        yield service


def contents(service: Service) -> dict[str, object]:
    """All that a library says of its recordings, by id."""
    store = service.store
    found: dict[str, object] = {"about": [replace(one, name="") for one in service.browse.collections()]}
    for one in service.browse.recordings():
        passages = store.passages.of(one.recording_id)
        given = store.given.of(one.recording_id)
        found[one.recording_id] = (
            one,
            passages,
            given.captions,
            given.chapters,
            store.transcripts.all_of(one.recording_id),
        )
    return found


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_what_is_exported_is_taken_in_as_it_was(filled: Service, tmp_path: Path, kind: str) -> None:
    expected = contents(filled)
    if kind == "folder":
        target = tmp_path / "out"
        assert filled.export.to_folder("talks/2024", target) == 13
    else:
        target = tmp_path / "out.zip"
        assert filled.export.to_zip("talks/2024", target) == target.stat().st_size
    again = models()
    with open_fakes(tmp_path / "again", again) as service:
        results = ingest(service, target)
        assert [state for state, _ in results] == ["indexed", "indexed"], results
        again.counted()
        assert list(service.manage.catch_up()) == []
        assert "first" not in again.counted(), "the transcripts came with it"
        assert contents(service) == expected
        assert service.search.find(Query("zeppelin"), "asr-given").hits[0].transcript == "A zeppelin -- a bee."
        assert [state for state, _ in ingest(service, target)] == ["unchanged", "unchanged"]
        assert service.browse.differences() == []


def test_the_bag_is_as_the_standard_says(filled: Service, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    filled.export.to_folder("talks/2024", folder)
    assert (folder / "bagit.txt").read_text() == "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    for manifest in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        listed = dict(re.findall(r"^([0-9a-f]{64})  (.+)$", (folder / manifest).read_text(), re.MULTILINE)[::1])
        listed = {path.replace("%25", "%"): digest for digest, path in listed.items()}
        assert listed and all(hashlib.sha256((folder / one).read_bytes()).hexdigest() == listed[one] for one in listed)
    payload = [one for one in (folder / "data").rglob("*") if one.is_file()]
    assert {str(one.relative_to(folder)) for one in payload} == set(
        re.findall(r"  (.+)", (folder / "manifest-sha256.txt").read_text())
    )
    oxum = f"Payload-Oxum: {sum(one.stat().st_size for one in payload)}.{len(payload)}\n"
    assert oxum in (folder / "bag-info.txt").read_text()
    assert "\"'=HYPERLINK" in (folder / "data" / "metadata.csv").read_text(), (
        "a spreadsheet must not take it for a formula"
    )


def test_nothing_is_overwritten_and_nothing_half_is_left(filled: Service, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="is there already"):
        filled.export.to_folder("talks/2024", tmp_path / "there")
    (tmp_path / "there.zip").touch()
    with pytest.raises(InputError, match="is there already"):
        filled.export.to_zip("talks/2024", tmp_path / "there.zip")
    with pytest.raises(InputError, match="cannot be written"):
        filled.export.to_zip("talks/2024", tmp_path / "no folder" / "x.zip")
    with pytest.raises(NotFoundError, match="no collection 'none'"):
        filled.export.to_folder("none", tmp_path / "none")
    media = filled.library.media(filled.browse.recordings()[1].recording_id)
    media.rename(tmp_path / "elsewhere")
    with pytest.raises(NotFoundError, match="is gone"):
        filled.export.to_folder("talks/2024", tmp_path / "out")
    with pytest.raises(NotFoundError, match="is gone"):
        filled.export.to_zip("talks/2024", tmp_path / "out.zip")
    (tmp_path / "elsewhere").rename(media)
    assert not [one.name for one in tmp_path.iterdir() if "out" in one.name or "none" in one.name]


def test_chapters_and_captions_are_told_without_reading_the_transcript(filled: Service) -> None:
    given = filled.store.given
    for one in filled.browse.recordings():
        found = given.of(one.recording_id)
        assert given.chapters(one.recording_id) == found.chapters
        assert given.has_captions(one.recording_id) == bool(found.captions)
    with pytest.raises(NotFoundError, match="collection is gone"):
        next(bag_files(filled.library, "deleted meanwhile"))
    assert given.chapters("unknown") == () and not given.has_captions("unknown")


def test_what_others_may_not_see_is_not_exported(filled: Service) -> None:
    filled.store.collections.add("@ann/notes")
    with pytest.raises(NotFoundError, match="no collection 'notes'"):
        filled.export.zip_of("notes", Visitor("bob"))
    name, chunks = filled.export.zip_of("notes", Visitor("ann"))
    with zipfile.ZipFile(io.BytesIO(b"".join(chunks))) as archive:
        assert name == "notes" and b"@ann" not in b"".join(map(archive.read, archive.namelist()))


def test_names_are_safe_and_differ_without_their_endings(filled: Service) -> None:
    recording = filled.browse.recordings()[0]
    hostile = replace(recording, file_name="../..\\con:\u202e?.OPUS")
    assert file_name_of(hostile, Path("x.opus")) == "con.OPUS"
    assert file_name_of(replace(recording, file_name="", title="Bees / wasps"), Path("x.opus")) == "Bees wasps.opus"
    used: set[str] = set()
    assert [free_name(one, used) for one in ("a.wav", "a.mp3", "b.wav")] == ["a.wav", "2/a.mp3", "b.wav"]


def test_subtitles_are_those_that_came_or_were_written(filled: Service) -> None:
    first, second = sorted(filled.browse.recordings(), key=lambda one: one.title == TITLE)
    srt = filled.export.subtitles(first.recording_id, "srt", "given")
    assert srt == "1\n00:00:00,500 --> 00:00:03,000\nA zeppelin -- a bee.\n"
    made = filled.export.subtitles(second.recording_id, "vtt")
    assert made.startswith("WEBVTT\n\n00:00:0") and re.search(r"\nw\d+\n", made)
    with pytest.raises(NotFoundError, match="no transcript of this recording"):
        filled.export.subtitles(second.recording_id, "vtt", "other")
    with pytest.raises(NotFoundError, match="no recording"):
        filled.export.subtitles("0" * 64, "vtt")
