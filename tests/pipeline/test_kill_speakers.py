"""Kill the process at every step of the third pass: a recording is heard whole or not at all, and nothing is lost.

The service, the library, the store and the index are the real ones; the models are fakes, and so is who speaks when.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.limits import Segmentation
from speechsearch.domain.speakers import Diarization
from speechsearch.domain.values import Audio
from speechsearch.index import EdgeIndex
from speechsearch.library import third_pass
from speechsearch.library.library import Library
from speechsearch.service.open import Service
from speechsearch.store.voices import Voices
from tests.tiny.fakes import FakeLoader, FakeSpeakerEncoder, open_fakes, take_in
from tests.tiny.voices import acted

CUT = Segmentation(shortest_s=5, longest_s=12)
STEPS: dict[str, tuple[type, str, bool]] = {
    "before it is written": (Voices, "save", True),
    "when it is written": (Voices, "save", False),
    "when old passages have left the index": (EdgeIndex, "delete", False),
    "before the index has the new ones": (Library, "finish", True),
    "when the index has them": (Library, "finish", False),
}
"""Of what, which call, and whether the process is killed before or after it."""


def talking(sound: Iterable[Sequence[Audio]], encode: object) -> Diarization:
    """Who speaks when, in every recording: Ann and Bob by turns."""
    length_s = sum(block[0].duration_s for block in sound)
    starts = enumerate(np.arange(0.0, length_s - 1, 4.5).tolist())
    return acted([*((start_s, ("ann", "bob")[number % 2]) for number, start_s in starts), (length_s, "")])


def killing(call: Callable[..., Any], which: int, is_before: bool) -> Callable[..., Any]:
    """A function that kills the process at one of its calls."""
    calls = iter(range(1, 100))

    def instead(*arguments: Any, **named: Any) -> Any:
        is_last = next(calls) == which
        if is_last and is_before:
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*arguments, **named)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return instead


def hear(data_dir: Path, step: str, which: int) -> None:
    """Run in a process of its own: the third pass, killed at a step of one of the recordings."""
    third_pass.diarize = talking  # type: ignore[assignment]
    with hearing(data_dir) as service:
        owner, name, is_before = STEPS[step]
        setattr(owner, name, killing(getattr(owner, name), which, is_before))
        list(service.manage.catch_up())


def hearing(data_dir: Path) -> Service:
    return open_fakes(data_dir, FakeLoader(speakers=FakeSpeakerEncoder()), CUT)


@pytest.fixture(scope="module")
def deaf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed data folder with three recordings that were written down, but not heard."""
    folder, data_dir = tmp_path_factory.mktemp("in"), tmp_path_factory.mktemp("deaf") / "data"
    for path in sorted((SAMPLES / "audio").glob("*.opus"))[:3]:
        samples, rate_hz = soundfile.read(path, frames=16 * 16_000)
        soundfile.write(folder / f"{path.stem}.wav", samples, rate_hz)
    with open_fakes(data_dir, FakeLoader(), CUT) as service:
        assert take_in(service, folder) == ["indexed"] * 3 and list(service.manage.catch_up()) == []
    return data_dir


def contents(service: Service) -> dict[str, object]:
    """What is known of the recordings, after checking that its parts agree."""
    assert service.browse.differences() == [] and set(service.library.index.ids()) == service.store.passages.ids()
    recordings = service.browse.recordings()
    return {
        "passages": {one.title: service.browse.passages_of(one.recording_id) for one in recordings},
        "said": {one.title: service.browse.transcribed(one.recording_id) for one in recordings},
        "speakers": [(one.label, one.recordings, one.speech_s) for one in service.speakers.all()],
        "voices": {one.title: service.store.voices.numbers_in(one.recording_id) for one in recordings},
        "turns": {one.title: service.store.voices.turns(one.recording_id) for one in recordings},
        "journal": {entry.file_name: entry.state for entry in service.store.journal.entries()},
        "points": sorted(map(str, service.library.points(recordings[0]))),
    }


@pytest.fixture(scope="module")
def whole(deaf: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What there is after a third pass that nobody killed."""
    data_dir = Path(shutil.copytree(deaf, tmp_path_factory.mktemp("whole") / "data"))
    with pytest.MonkeyPatch.context() as patch, hearing(data_dir) as service:
        patch.setattr(third_pass, "diarize", talking)
        assert list(service.manage.catch_up()) == []
        return contents(service)


@pytest.mark.parametrize(("step", "which"), [(step, number % 2 + 1) for number, step in enumerate(STEPS)])
def test_killed_at_any_step_it_goes_on(
    deaf: Path, whole: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, which: int
) -> None:
    data_dir = Path(shutil.copytree(deaf, tmp_path / "data"))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "alembic.command", "onnxruntime", "qdrant_edge"])
    process = context.Process(target=hear, args=(data_dir, step, which))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    monkeypatch.setattr(third_pass, "diarize", talking)
    with hearing(data_dir) as service:
        assert service.browse.differences() == []
        heard = service.store.voices.heard()
        assert len(heard) == (which - 1 if step == "before it is written" else which)
        for recording in service.browse.recordings():
            known = service.speakers.of_recording(recording.recording_id)
            assert len(known.voices) == (2 if recording.recording_id in heard else 0) == bool(known.turns) * 2
        assert list(service.manage.catch_up()) == [] == service.manage.missing()
        assert contents(service) == whole
