"""The fourth pass: what recordings sound like is kept, nothing twice, and killed at any time it goes on."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.progress import Progress
from speechsearch.library.second_pass import ALIKE, PEAKS
from speechsearch.service.open import Service
from speechsearch.store.sounds import Sounds
from tests.tiny.fakes import FakeLoader, FakeSoundEmbedder, open_fakes, take_in

BEFORE = ("save_constellation", "save_windows")


def hearing(data_dir: Path, version: str = "1") -> tuple[Service, FakeSoundEmbedder]:
    """The service with everything that the fourth pass needs."""
    sounds = FakeSoundEmbedder(version)
    return open_fakes(data_dir, FakeLoader(sounds=sounds, finds_copies=True)), sounds


@pytest.fixture(scope="module")
def deaf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed data folder with three recordings of which nothing is kept of what they sound like."""
    folder, data_dir = tmp_path_factory.mktemp("in"), tmp_path_factory.mktemp("deaf") / "data"
    for number, path in enumerate(sorted((SAMPLES / "audio").glob("*.opus"))[:3]):
        samples, rate_hz = soundfile.read(path, frames=(9 + 8 * number) * 16_000)
        soundfile.write(folder / f"{path.stem}.wav", samples, rate_hz)
    with open_fakes(data_dir, FakeLoader()) as service:
        assert take_in(service, folder) == ["indexed"] * 3 and list(service.manage.catch_up()) == []
    return data_dir


@pytest.fixture
def data_dir(deaf: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(deaf, tmp_path / "data"))


def kept(service: Service) -> dict[str, tuple[int, int]]:
    """Title -> how many peaks and how many windows a recording has."""
    sounds, makers = service.store.sounds, service.library.makers
    recordings = {one.recording_id: one.title for one in service.browse.recordings()}
    peaks = sounds.constellations(list(recordings), makers.peaks_by)
    windows = sounds.windows(list(recordings), makers.embedded_by)
    return {
        title: (len(peaks[name].frames) if name in peaks else 0, len(windows[name].vectors) if name in windows else 0)
        for name, title in recordings.items()
    }


def test_it_is_made_last_and_nothing_twice(data_dir: Path) -> None:
    service, sounds = hearing(data_dir)
    with service:
        missing = service.manage.missing()
        assert [one.maker for one in missing] == [PEAKS] * 3 + [ALIKE] * 3 and all(one.passages for one in missing)
        steps: list[Progress] = []
        assert list(service.manage.catch_up(steps.append)) == [] == service.manage.missing()
        assert {one.stage for one in steps} == {"similar"} and steps[-1].fraction == 1.0
        found = kept(service)
        assert [windows for _, windows in sorted(found.values(), key=lambda one: one[1])] == [1, 3, 4]
        assert all(peaks > 50 for peaks, _ in found.values())
        before = sum(sounds.batches)
        assert before == 8 and list(service.manage.catch_up()) == [] and sum(sounds.batches) == before
        one, *_ = service.browse.recordings()
        service.manage.change_recording(one.recording_id, {"title": "Another"})
        assert service.manage.missing() == []
        service.manage.delete_recording(one.recording_id)
        assert len(kept(service)) == 2 and service.manage.missing() == []


def test_another_embedder_makes_only_its_own_anew(data_dir: Path) -> None:
    service, _ = hearing(data_dir)
    with service:
        assert list(service.manage.catch_up()) == []
        before = kept(service)
    service, sounds = hearing(data_dir, "2")
    with service:
        assert [one.maker for one in service.manage.missing()] == [ALIKE] * 3
        assert list(service.manage.catch_up()) == [] == service.manage.missing()
        assert kept(service) == before and sum(sounds.batches) == 8
    with open_fakes(data_dir, FakeLoader()) as service:
        assert service.manage.missing() == [] and service.similar.senses() == ("words",)


def test_a_model_that_cannot_be_used_is_told_of_once_and_copies_are_found_all_the_same(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, sounds: object) -> None:
        raise ModelUnavailableError("The weights are gone.")

    monkeypatch.setattr(FakeSoundEmbedder, "embed", broken)
    service, _ = hearing(data_dir)
    with service:
        failed = list(service.manage.catch_up())
        assert [one.message for one in failed] == ["The weights are gone."]
        assert {one.maker for one in service.manage.missing()} == {ALIKE}
        assert all(peaks and not windows for peaks, windows in kept(service).values())


def test_it_stops_between_two_stretches_of_sound_and_goes_on(data_dir: Path) -> None:
    class Halted(BaseException):
        pass

    def halt(progress: Progress) -> None:
        raise Halted

    service, _ = hearing(data_dir)
    with service:
        for _ in range(3):
            with pytest.raises(Halted):
                list(service.manage.catch_up(halt))
        assert set(kept(service).values()) == {(0, 0)}
        assert list(service.manage.catch_up()) == [] == service.manage.missing()


def test_silence_is_kept_as_nothing(tmp_path: Path) -> None:
    samples, rate_hz = soundfile.read(SAMPLES / "audio" / "s001.opus", frames=12 * 16_000, dtype="float32")
    (tmp_path / "in").mkdir()
    quiet = np.zeros(20 * rate_hz, np.float32)
    soundfile.write(tmp_path / "in" / "long pause.wav", np.concatenate([samples, quiet, quiet]), rate_hz)
    service, sounds = hearing(tmp_path / "data")
    with service:
        take_in(service, tmp_path / "in")
        assert list(service.manage.catch_up()) == []
        (one,) = service.browse.recordings()
        (windows,) = service.store.sounds.windows([one.recording_id], sounds.fingerprint).values()
        is_silent = ~windows.vectors.any(axis=1)
        assert is_silent[-5:].all() and not is_silent[0] and sum(sounds.batches) == int((~is_silent).sum())


def killed(data_dir: Path, step: str, which: int) -> None:
    """Run in a process of its own: the fourth pass, killed before it writes for the second time."""
    call, calls = getattr(Sounds, step), iter(range(1, 100))

    def instead(*arguments: object) -> None:
        if next(calls) == which:
            os.kill(os.getpid(), signal.SIGKILL)
        call(*arguments)

    setattr(Sounds, step, instead)
    service, _ = hearing(data_dir)
    with service:
        list(service.manage.catch_up())


@pytest.mark.parametrize("step", BEFORE)
def test_killed_at_any_step_it_goes_on(data_dir: Path, step: str) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "alembic.command", "onnxruntime", "qdrant_edge"])
    process = context.Process(target=killed, args=(data_dir, step, 2))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    service, _ = hearing(data_dir)
    with service:
        assert service.browse.differences() == []
        wanted = {"save_constellation": [PEAKS] * 2 + [ALIKE] * 3, "save_windows": [ALIKE] * 2}[step]
        assert [one.maker for one in service.manage.missing()] == wanted
        assert list(service.manage.catch_up()) == [] == service.manage.missing()
        assert all(peaks and windows for peaks, windows in kept(service).values())
