from __future__ import annotations

import numpy as np
import pytest

from speechsearch.audio.peaks import STEP_SAMPLES, Peaks, outline, peaks_of
from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio
from speechsearch.library.media import DerivedFiles


@pytest.mark.parametrize("sizes", [(10_000,), (1, 9_999), (320, 320, 9_360), (3_333, 3_333, 3_334), (0, 10_000)])
def test_peaks_do_not_depend_on_how_the_sound_is_divided(sizes: tuple[int, ...]) -> None:
    samples = np.random.default_rng(7).uniform(-1, 1, 10_000).astype(np.float32)
    blocks = np.split(samples, np.cumsum(sizes)[:-1])
    found = peaks_of(Audio(block) for block in blocks)
    steps = [samples[start : start + STEP_SAMPLES] for start in range(0, 10_000, STEP_SAMPLES)]
    assert found.tolist() == [round(float(np.abs(step).max()) * 255) for step in steps]


def test_nothing_has_no_peaks() -> None:
    assert Peaks().all().shape == (0,)
    assert peaks_of([]).dtype == np.uint8


@pytest.mark.parametrize("points", [1, 3, 100, 399, 400, 1000])
def test_outline_has_as_many_points_as_asked(points: int) -> None:
    peaks = np.arange(400) % 256
    heights = outline(peaks.astype(np.uint8), points)
    assert len(heights) == points
    assert min(heights) >= 0 and max(heights) <= 255
    if 400 % points == 0:
        assert heights == peaks.reshape(points, -1).mean(axis=1).round().astype(int).tolist()


def test_a_file_that_is_deleted_while_its_peaks_are_made_leaves_none(tmp_path) -> None:
    derived = DerivedFiles(tmp_path / "derived", tmp_path / "tokens", Limits())
    with pytest.raises(NotFoundError, match="is gone"):
        derived._made("ab.peaks", tmp_path / "ab.wav", lambda target: target.write_bytes(b"x") and None)
    assert list(derived.folder.iterdir()) == []


def test_what_could_not_be_made_leaves_nothing(tmp_path) -> None:
    derived = DerivedFiles(tmp_path / "derived", tmp_path / "tokens", Limits())

    def fail(target) -> None:
        target.write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        derived._made("ab.peaks", tmp_path / "ab.wav", fail)
    assert list(derived.folder.iterdir()) == []
