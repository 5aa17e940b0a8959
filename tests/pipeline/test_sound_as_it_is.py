"""Files as people have them, from the file to the clip: what is found lies where the player plays it."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ingest import FileResult, discover, run
from speechsearch.audio import load
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.limits import Limits, Segmentation
from speechsearch.domain.values import SAMPLE_RATE_HZ, Span
from speechsearch.service.open import Service
from tests.tiny.fakes import FakeLoader, open_fakes
from tests.tiny.sounds import Part, content_of, film_of, write

CONSTANT = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return load(SAMPLES / "audio" / "s004.opus", Limits(), 120.0).samples[: 8 * SAMPLE_RATE_HZ]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with open_fakes(tmp_path / "data", FakeLoader(), Segmentation()) as opened:
        yield opened


def taken_in(service: Service, path: Path) -> FileResult:
    (result,) = run(service.manage, discover([path], service.limits, path.parent / "work"), collection="talks")
    return result


def heard_at(service: Service, passage_id: str) -> tuple[np.ndarray, float]:
    """The clip of a passage, and where in the played file it is found, in seconds."""
    passage = service.browse.passage(passage_id)
    clip, _ = soundfile.read(io.BytesIO(service.browse.clip(passage_id)), dtype="float32")
    _, path, _ = service.browse.playable(passage.recording_id)
    whole = load(path, service.limits, 600.0).samples
    size = 1 << (len(whole) + len(clip)).bit_length()
    return clip, int(np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(clip, size))).argmax()) / 16_000


def late(speech: np.ndarray) -> bytes:
    return film_of([Part(speech, start_s=12.0)], "mp4", "aac", pictures_s=25.0)


def moved_clock(speech: np.ndarray) -> bytes:
    return film_of([Part(speech, start_s=12.0)], "webm", "libopus", pictures_s=25.0, start_s=9000.0)


def joined(speech: np.ndarray) -> bytes:
    silence = content_of("mp3", np.zeros(12 * SAMPLE_RATE_HZ, np.float32), **CONSTANT)
    return silence + content_of("mp3", speech, **CONSTANT)


def varying(speech: np.ndarray) -> bytes:
    return content_of("mp3", np.concatenate([np.zeros(12 * SAMPLE_RATE_HZ, np.float32), speech]))


def streamed(speech: np.ndarray) -> bytes:
    return content_of("aac", np.concatenate([np.zeros(12 * SAMPLE_RATE_HZ, np.float32), speech]))


def opposite(speech: np.ndarray) -> bytes:
    sound = np.concatenate([np.zeros(12 * SAMPLE_RATE_HZ, np.float32), speech])
    return content_of("wav", np.stack([sound, -sound], axis=1))


@pytest.mark.parametrize("make", [late, moved_clock, joined, varying, streamed, opposite])
def test_a_passage_is_where_the_player_plays_it(service: Service, tmp_path: Path, speech: np.ndarray, make) -> None:
    result = taken_in(service, write(tmp_path, "talk.mp3", make(speech)))
    assert (result.state, result.message) == ("indexed", "")
    assert result.duration_s == pytest.approx(20.0, abs=0.3)
    first = service.browse.passages_of(result.recording_id)[0]
    assert first.span.start_s == pytest.approx(12.0, abs=0.4)
    clip, at_s = heard_at(service, first.passage_id)
    assert np.abs(clip).max() > 0.1
    assert at_s == pytest.approx(first.span.start_s, abs=0.02)


def test_the_copy_is_there_when_one_listens_and_late_clips_are_quick(
    service: Service, tmp_path: Path, speech: np.ndarray
) -> None:
    sound = np.concatenate([speech, np.zeros(240 * SAMPLE_RATE_HZ, np.float32), speech])
    result = taken_in(service, write(tmp_path, "long.mp3", content_of("mp3", sound)))
    recording, path, kind = service.browse.playable(result.recording_id)
    assert (path.parent, kind) == (service.library.derived.folder, "audio/flac")
    assert path.exists()
    last = service.browse.passages_of(result.recording_id)[-1]
    assert last.span.start_s > 240
    spent = []
    for _ in range(2):
        started = time.process_time()
        service.browse.clip(last.passage_id)
        spent.append(time.process_time() - started)
    assert max(spent) < 0.5
    path.unlink()  # what is derived is made again
    assert service.browse.playable(recording.recording_id)[1].exists()
    service.manage.delete_recording(result.recording_id)
    assert not path.exists()


@pytest.mark.parametrize("kind", ["wav", "flac", "opus", "m4a", "webm"])
def test_a_file_that_players_play_as_we_do_is_not_copied(
    service: Service, tmp_path: Path, speech: np.ndarray, kind: str
) -> None:
    result = taken_in(service, write(tmp_path, "talk.bin", content_of(kind, speech, SAMPLE_RATE_HZ)))
    _, path, _ = service.browse.playable(result.recording_id)
    assert path.parent == service.library.files.folder
    span = service.browse.passages_of(result.recording_id)[0].span
    assert span.start_s < 1.0 < Span(0.0, 8.0).end_s - span.end_s + 8.0


def test_what_was_left_out_stands_in_the_result(service: Service, tmp_path: Path, speech: np.ndarray) -> None:
    content = content_of("wav", np.concatenate([speech, speech]))
    result = taken_in(service, write(tmp_path, "cut.wav", content[: len(content) * 3 // 4]))
    assert result.state == "indexed"
    assert result.duration_s == pytest.approx(12.0, abs=0.1)
    promised = "The file ends at 0:00:12.0 of the 0:00:16.0 that its header promises; the rest is not in it."
    assert result.message == promised
    film = film_of([Part(speech, language="eng"), Part(speech[::-1].copy(), language="fra")], pictures_s=0)
    assert "left out: 2 (fra)" in taken_in(service, write(tmp_path, "film.mp4", film)).message


@pytest.mark.parametrize(("name", "content"), [
    ("Sitzung 3.wav", content_of("wav", np.zeros(3 * SAMPLE_RATE_HZ, np.float32))),
    ("Sitzung 4.mp3", b"<html>not found</html>"), ("Sitzung 5.m4a", content_of("m4a", np.zeros(16_000))[:2000]),
    ("Sitzung 6.wav", content_of("wav", np.zeros(0, np.float32))),
    ("Sitzung 7.wav", content_of("float", np.full(16_000, np.nan, np.float32))),
])  # fmt: skip
def test_errors_name_the_file_and_never_a_hash(service: Service, tmp_path: Path, name: str, content: bytes) -> None:
    result = taken_in(service, write(tmp_path, name, content))
    assert result.state == "failed"
    assert name in result.message
    assert result.recording_id[:12] not in result.message
    assert service.store.journal.entry(result.recording_id).message == result.message
