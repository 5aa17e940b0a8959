"""The ingest loop over a small service that keeps its journal in a dictionary."""

import hashlib
import json
import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ingest import FileResult, Rejected, Selection, Source, discover, run
from ingest.sources import Beside
from speechsearch.domain.errors import InputError, SilentError, StoreError
from speechsearch.domain.limits import Limits
from speechsearch.domain.progress import Progress
from speechsearch.domain.values import Recording
from speechsearch.library.intake import IndexOutcome


class SmallService:
    """Takes every sound that is not silent; one passage a second."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.kept: dict[str, Recording] = {}
        self.journal: dict[str, tuple[str, str, str]] = {}

    def take_in(self, path, recording, on_passages=None, wants_transcripts=True, described=None):
        samples, rate_hz = soundfile.read(path)
        seconds = int(len(samples) / rate_hz)
        if known := self.kept.get(recording.recording_id):
            if known.collection == recording.collection:
                return IndexOutcome("unchanged", seconds, known.duration_s)
            message = f"Same sound as '{known.title}' in collection '{known.collection}'."
            return IndexOutcome("duplicate", seconds, known.duration_s, message)
        if not np.any(samples):
            raise SilentError("There is no speech in it.", "Nothing was added.")
        if np.max(samples) > 0.9:
            raise ZeroDivisionError("a mistake of ours")
        for second in range(seconds):
            if on_passages:
                on_passages(second + 1, second + 1.0)
        self.kept[recording.recording_id] = recording
        return IndexOutcome("indexed", seconds, recording.duration_s)

    def mark_failed(self, recording_id, file_name, collection, message):
        self.journal[recording_id] = (file_name, collection, message)


def tone(path: Path, frequency_hz: float, duration_s: float = 2.0, loudness: float = 0.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    times_s = np.arange(int(16_000 * duration_s)) / 16_000
    soundfile.write(path, loudness * np.sin(2 * np.pi * frequency_hz * times_s), 16_000)
    return path


def ingest(service, *paths: Path, collection="talks", progress=None) -> list[FileResult]:
    selection = discover(paths, service.limits, paths[0].parent / "work")
    return list(run(service, selection, collection=collection, progress=progress))


def test_recordings_get_their_hash_title_length_and_metadata(tmp_path):
    path = tone(tmp_path / "in" / "2020_the_bridge.wav", 300)
    described = tone(tmp_path / "in" / "b.wav", 400, 3.0)
    (tmp_path / "in" / "metadata.csv").write_text(
        "file,title,speaker,date,language,licence,source,collection\n"
        "b.wav,Opening,Ann,2021-05-01,en,CC0,https://example.org/b,archive\n"
    )
    service = SmallService()
    first, second = ingest(service, tmp_path / "in")
    recording_id = hashlib.sha256(path.read_bytes()).hexdigest()
    assert first == FileResult("in/2020_the_bridge.wav", "indexed", recording_id, 2, 2.0)
    assert service.kept[recording_id] == Recording(
        recording_id, "talks", "2020 the bridge", 2.0, "2020_the_bridge.wav"
    )  # fmt: skip
    assert service.kept[second.recording_id] == Recording(
        hashlib.sha256(described.read_bytes()).hexdigest(), "archive", "Opening", 3.0, "b.wav",
        "Ann", "2021-05-01", "en", "CC0", "https://example.org/b",
    )  # fmt: skip


def test_private_recordings_have_ids_of_their_owners(tmp_path):
    service = SmallService()
    path = tone(tmp_path / "in" / "a.wav", 300)
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    ids = [ingest(service, path, collection=name)[0].recording_id for name in ("talks", "@ann/x", "@ann/y", "@bob/x")]
    assert ids[0] == content
    assert ids[1] == ids[2] == hashlib.sha256(f"ann/{content}".encode()).hexdigest()
    assert len(set(ids)) == 3


def test_the_collection_of_a_table_goes_through_the_callers_check(tmp_path):
    def target(name: str) -> str:
        if name.startswith("@"):
            raise InputError(f"A collection cannot be named {name}.")
        return f"@ann/{name}"

    service = SmallService()
    for name, frequency_hz in (("a", 300), ("b", 400)):
        tone(tmp_path / "in" / f"{name}.wav", frequency_hz)
    (tmp_path / "in" / "metadata.csv").write_text("file,collection\na.wav,notes\nb.wav,@bob/notes\n")
    selection = discover([tmp_path / "in"], service.limits, tmp_path / "work")
    first, second = run(service, selection, collection="@ann/talks", target=target)
    assert service.kept[first.recording_id].collection == "@ann/notes"
    assert (second.state, second.message) == ("failed", "A collection cannot be named @bob/notes.")


def test_progress_that_raises_loses_no_result(tmp_path):
    class EnoughError(BaseException):
        pass

    def report(event: Progress) -> None:
        if event.done >= 1 and event.message == "indexed":
            raise EnoughError

    path = tone(tmp_path / "in" / "a.wav", 300)
    found = discover([path], Limits(), tmp_path / "work")
    results = run(SmallService(), found, collection="talks", progress=report)
    assert next(results).state == "indexed"
    with pytest.raises(EnoughError):
        next(results)


def test_dates_are_kept_in_iso_and_doubtful_ones_are_told_until_they_are_too_many(tmp_path: Path) -> None:
    dates = ["5 May 2019, 14:30 +0200", *["03/04/2021"] * 102]
    rows = "".join(f'{number}.wav,"{date}"\n' for number, date in enumerate(dates))
    tone(tmp_path / "in" / "0.wav", 300)
    content = (tmp_path / "in" / "0.wav").read_bytes()
    for number in range(1, len(dates)):  # other files with the same sound
        (tmp_path / "in" / f"{number}.wav").write_bytes(content + bytes(number))
    (tmp_path / "in" / "metadata.csv").write_text(f"file,date\n{rows}")
    service = SmallService()
    results = ingest(service, tmp_path / "in")
    kept = sorted({one.date for one in service.kept.values()})
    assert kept == ["03/04/2021", "2019-05-05T14:30:00+02:00"]
    warnings = [one for one in results if one.state == "warning"]
    assert len(warnings) == 101
    assert "may be 3 April or 4 March 2021" in warnings[0].message and "And 2 more dates" in warnings[-1].message


def test_a_second_run_does_nothing(tmp_path):
    service = SmallService()
    tone(tmp_path / "in" / "a.wav", 300)
    assert [one.state for one in ingest(service, tmp_path / "in")] == ["indexed"]
    assert [one.state for one in ingest(service, tmp_path / "in")] == ["unchanged"]


def test_the_same_sound_twice_is_named(tmp_path):
    service = SmallService()
    path = tone(tmp_path / "in" / "a.wav", 300)
    (tmp_path / "in" / "b.wav").write_bytes(path.read_bytes())
    first, second = ingest(service, tmp_path / "in")
    assert (first.state, second.state) == ("indexed", "duplicate")
    assert second.message == "Same sound as 'in/a.wav' in this run."
    (again, _) = ingest(service, tmp_path / "in", collection="other")
    assert (again.state, again.message) == ("duplicate", "Same sound as 'a' in collection 'talks'.")


def test_what_fails_is_a_result_and_a_journal_row_and_the_rest_goes_on(tmp_path, caplog):
    service = SmallService()
    folder = tmp_path / "in"
    tone(folder / "a.wav", 300, loudness=0.0)
    (folder / "b.wav").write_bytes(b"this is no sound")
    (folder / "c.wav").write_bytes(b"")
    tone(folder / "d.wav", 300, loudness=0.99)
    tone(folder / "e.wav", 300)
    with caplog.at_level(logging.ERROR):
        results = ingest(service, folder, tmp_path / "missing.wav")
    assert [one.state for one in results] == ["failed"] * 4 + ["indexed", "failed"]
    assert results[0].message == "There is no speech in it. Nothing was added."
    assert "b.wav" in results[1].message
    assert results[3].message == (
        "'in/d.wav' could not be taken in: ZeroDivisionError: a mistake of ours (the log has more)."
    )
    assert "ZeroDivisionError" in caplog.text
    assert "this is no sound" not in caplog.text
    assert len(service.journal) == 4
    assert service.journal[results[0].recording_id] == ("a.wav", "talks", results[0].message)


def test_a_file_that_vanishes_is_a_failure(tmp_path):
    service = SmallService()
    (result,) = run(service, [Source("gone.wav", tmp_path / "gone.wav")], collection="talks")
    assert (result.state, result.recording_id) == ("failed", "")
    assert result.message.endswith("FileNotFoundError: No such file or directory (the log has more).")
    assert str(tmp_path) not in result.message
    assert not service.journal


def test_a_transcript_that_cannot_be_kept_leaves_the_recording_taken_in(tmp_path):
    class Strict(SmallService):
        def keep_given(self, recording_id, given):
            return False

        def keep_written(self, recording_id, recognizer, written):
            raise InputError("The transcript has characters that cannot be kept.")

    written = {"recognizer": "mini", "segments": [{"start": 0, "end": 1, "text": "\0", "fingerprint": "mini-1"}]}
    (tmp_path / "mini.json").write_text(json.dumps(written))
    beside = Beside(tmp_path / "mini.json", "mini.json", "written", "mini")
    source = Source("a.wav", tone(tmp_path / "a.wav", 300), beside=(beside,))
    service = Strict()
    (result,) = run(service, [source], collection="talks")
    assert (result.state, service.journal) == ("indexed", {})
    assert result.message == (
        "The transcript by mini beside it was left out: The transcript has characters that cannot be kept."
    )


def test_warnings_are_not_failures():
    found = [Rejected("metadata.csv", InputError("Line 2 names no file."), "warning")]
    (result,) = run(SmallService(), found, collection="talks")
    assert result == FileResult("metadata.csv", "warning", message="Line 2 names no file.")


def test_a_list_that_breaks_off_keeps_what_came_before(tmp_path):
    path = tone(tmp_path / "a.wav", 300)

    def sources():
        yield Source("a.wav", path)
        raise InputError("The connection was lost.", "Try again.")

    first, second = run(SmallService(), sources(), collection="talks")
    assert first.state == "indexed"
    assert second == FileResult("sources", "failed", message="The connection was lost. Try again.")


def test_a_journal_that_cannot_be_written_stops_the_run(tmp_path):
    class Full(SmallService):
        def mark_failed(self, recording_id, file_name, collection, message):
            raise StoreError("The disk is full.")

    path = tone(tmp_path / "a.wav", 300, loudness=0.0)
    with pytest.raises(StoreError, match="disk is full"):
        ingest(Full(), path)


def test_an_interrupt_passes_and_leaves_nothing_unpacked(tmp_path):
    class Interrupted(SmallService):
        def take_in(self, path, recording, on_passages=None, wants_transcripts=True, described=None):
            raise KeyboardInterrupt

    tone(tmp_path / "a.wav", 300)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.wav", "a.wav")
    with pytest.raises(KeyboardInterrupt):
        ingest(Interrupted(), tmp_path / "a.zip")
    assert not list((tmp_path / "work").iterdir())


def test_a_run_that_is_given_up_leaves_nothing_unpacked(tmp_path):
    tone(tmp_path / "a.wav", 300)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.wav", "a.wav")
        archive.write(tmp_path / "a.wav", "b.wav")
    results = run(SmallService(), discover([tmp_path / "a.zip"], Limits(), tmp_path / "work"), collection="x")
    assert next(results).name == "a.zip/a.wav"
    results.close()
    assert not list((tmp_path / "work").iterdir())


def test_errors_in_archives_name_the_member(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("day 1/broken talk.wav", b"this is no sound")
    (result,) = ingest(SmallService(), tmp_path / "a.zip")
    assert result.name == "a.zip/day 1/broken talk.wav"
    assert "broken talk.wav" in result.message


def test_progress_counts_files_and_tells_rate_and_time_left(tmp_path, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr("ingest.meter.time.monotonic", lambda: float(next(clock)))
    for name, frequency_hz in (("a", 300), ("b", 400), ("c", 500)):
        tone(tmp_path / "in" / f"{name}.wav", frequency_hz)
    events: list[Progress] = []
    ingest(SmallService(), tmp_path / "in", progress=events.append)
    assert {event.total for event in events} == {3}
    assert [event.done for event in events if event.message == "indexed"] == [1, 2, 3]
    # The clock ticks once a look: a start, two passages, an end, so 3 seconds for 2 seconds of sound.
    first = [event for event in events if event.name == "in/a.wav"]
    assert [event.done for event in first] == [0, 0.5, 1.0, 1]
    assert [event.rate for event in first] == pytest.approx([0, 1, 1, 2 / 3])
    assert [event.remaining_s for event in first] == [None, pytest.approx(5), pytest.approx(4), pytest.approx(6)]
    assert events[-1].remaining_s == 0
    assert first[1].message == "1 passages, 0.0 min"


def test_progress_over_a_stream_of_unknown_length(tmp_path):
    events: list[Progress] = []
    source = Source("a.wav", tone(tmp_path / "a.wav", 300), 100)
    list(run(SmallService(), Selection([source]), collection="talks", progress=events.append))
    assert {event.total for event in events} == {0}
    assert {event.remaining_s for event in events} == {None}
    assert events[-1].done == 1
