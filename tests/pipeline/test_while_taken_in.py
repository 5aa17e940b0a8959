"""A long recording is being encoded: others delete, rename and describe meanwhile, and nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.limits import Segmentation
from speechsearch.service.open import Service
from tests.tiny.fakes import FakeLoader, FakeSpeechEncoder, open_fakes, take_in

WAIT_S = 60.0
CUT_ANEW = Segmentation(shortest_s=0.5, longest_s=1.5)
"""Other passages than those that the fakes are cut into."""


class SlowEncoder(FakeSpeechEncoder):
    """Encodes nothing until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()

    def encode_passages(self, sounds: Any) -> Any:
        self.has_begun.set()
        assert self.may_go_on.wait(WAIT_S)
        return super().encode_passages(sounds)


@pytest.fixture
def sounds(tmp_path: Path) -> list[Path]:
    """Two recordings of six seconds."""
    made = []
    for name in ("s001", "s004"):
        spoken, rate_hz = soundfile.read(SAMPLES / "audio" / f"{name}.opus", frames=6 * 16_000)
        made.append(tmp_path / f"{name}.wav")
        soundfile.write(made[-1], spoken, rate_hz)
    return made


Begin = Callable[[Service, Path], Future[list[str]]]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begin to take a recording in, and return when it is being encoded."""
    with ThreadPoolExecutor(1) as pool:

        def started(service: Service, path: Path) -> Future[list[str]]:
            taken_in = pool.submit(take_in, service, path)
            encoder: Any = service.library.makers.speech_encoder
            while not encoder.has_begun.wait(0.05):
                assert not taken_in.done(), taken_in.result()
            return taken_in

        yield started


def test_others_are_changed_while_a_recording_is_encoded(tmp_path: Path, sounds: list[Path], begin: Begin) -> None:
    with open_fakes(tmp_path / "data", FakeLoader()) as service:
        assert take_in(service, sounds[0], collection="old") == ["indexed"]
    slow = SlowEncoder()
    with open_fakes(tmp_path / "data", FakeLoader(speech=slow)) as service:
        taken_in = begin(service, sounds[1])
        service.manage.change_collection("old", {"description": "of last year"}, "older")
        assert service.manage.delete_collection("older").recordings == 1
        assert not taken_in.done()
        slow.may_go_on.set()
        assert taken_in.result(WAIT_S) == ["indexed"]
        assert [one.name for one in service.browse.collections()] == ["talks"]
        assert service.browse.differences() == []


def test_what_is_said_while_a_recording_is_encoded_anew_stays(tmp_path: Path, sounds: list[Path], begin: Begin) -> None:
    with open_fakes(tmp_path / "data", FakeLoader()) as service:
        assert take_in(service, sounds[0]) == ["indexed"]
    slow = SlowEncoder()
    with open_fakes(tmp_path / "data", FakeLoader(speech=slow), CUT_ANEW) as service:
        taken_in = begin(service, sounds[0])
        (recording,) = service.browse.recordings("talks")
        service.manage.change_recording(recording.recording_id, {"title": "By hand", "speaker": "Ann"})
        slow.may_go_on.set()
        assert taken_in.result(WAIT_S) == ["indexed"]
        (after,) = service.browse.recordings("talks")
        assert (after.title, after.speaker) == ("By hand", "Ann")


def test_what_is_deleted_while_it_is_encoded_anew_stays_deleted(
    tmp_path: Path, sounds: list[Path], begin: Begin
) -> None:
    with open_fakes(tmp_path / "data", FakeLoader()) as service:
        assert take_in(service, sounds[0]) == ["indexed"]
    slow = SlowEncoder()
    with open_fakes(tmp_path / "data", FakeLoader(speech=slow), CUT_ANEW) as service:
        taken_in = begin(service, sounds[0])
        (recording,) = service.browse.recordings("talks")
        service.manage.delete_recording(recording.recording_id)
        slow.may_go_on.set()
        assert taken_in.result(WAIT_S) == ["skipped"]
        with pytest.raises(NotFoundError, match="no recording"):
            service.browse.recording(recording.recording_id)
        assert service.browse.differences() == []
        assert not [path for path in (tmp_path / "data" / "media").rglob("*") if path.is_file()]
