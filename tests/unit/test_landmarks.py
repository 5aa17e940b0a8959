"""Copies of recordings are found by their spectral peaks, at the right second, whatever was done to them."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from speechsearch.audio.constellation import (
    BLOCK_FRAMES,
    VERSION,
    ConstellationBuilder,
    constellation,
    constellation_of,
)
from speechsearch.audio.degrade import Degradation, change_speed, degrade
from speechsearch.audio.landmarks import (
    LandmarkIndex,
    asked_pairs,
    question_pairs,
    shared,
    stretches,
)
from speechsearch.domain.alike import FRAME_S, HOP
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.retrieval.likeness import copy_likelihood
from speechsearch.retrieval.likeness_curves import read_curves

NAMES = ("s001", "s002", "s003", "s004", "s005", "s006", "s007", "s008")
LATE_S = 4.2
COPIES = read_curves().needed("recording", f"peaks-{VERSION}")


@pytest.fixture(scope="module")
def sounds() -> dict[str, Audio]:
    """Eight samples."""
    files = ((name, SAMPLES / "audio" / f"{name}.opus") for name in NAMES)
    return {name: Audio(soundfile.read(path, dtype="float32")[0]) for name, path in files}


@pytest.fixture(scope="module")
def index(sounds: dict[str, Audio]) -> LandmarkIndex:
    return LandmarkIndex({name: constellation(sound) for name, sound in sounds.items()})


def part(sound: Audio, start_s: float, length_s: float = 10.0) -> Audio:
    start = round(start_s * SAMPLE_RATE_HZ)
    return Audio(sound.samples[start : start + round(length_s * SAMPLE_RATE_HZ)])


@pytest.mark.parametrize(
    "how",
    [
        Degradation(),
        Degradation(mp3_kbps=32),
        Degradation(noise="white", noise_ratio_db=10.0),
        Degradation(noise="pink", noise_ratio_db=10.0),
        Degradation(is_telephone=True),
        Degradation(opus_kbps=12),
        Degradation(reverberation_s=0.3),
    ],
    ids=lambda how: repr(how)[12:60],
)
def test_a_cut_copy_is_found_at_its_second(sounds: dict[str, Audio], index: LandmarkIndex, how: Degradation) -> None:
    for name in NAMES[:3]:
        copy = degrade(part(sounds[name], LATE_S), how)
        first, *others = index.find(question_pairs(copy), 5)
        assert first.name == name and first.offset_s == pytest.approx(LATE_S, abs=0.1)
        assert copy_likelihood(first.moments, 10.0, COPIES) > 0.9
        assert all(copy_likelihood(one.moments, 10.0, COPIES) < 0.5 for one in others)
        line = first.points[:, 1] - first.points[:, 0]
        assert np.ptp(line) < 0.2 and stretches(first.points) >= 2


def test_how_loud_it_is_does_not_matter(sounds: dict[str, Audio], index: LandmarkIndex) -> None:
    whole = part(sounds["s002"], LATE_S)
    for gain in (0.02, 1.0):
        (found, *_) = index.find(question_pairs(Audio(whole.samples * np.float32(gain))), 1)
        assert (found.name, round(found.offset_s, 1)) == ("s002", LATE_S)


def test_what_is_in_no_recording_is_not_likely(sounds: dict[str, Audio]) -> None:
    without = LandmarkIndex({name: constellation(sounds[name]) for name in NAMES[1:]})
    noise = np.random.default_rng(1).standard_normal(10 * SAMPLE_RATE_HZ).astype(np.float32) * 0.1
    for sound in (part(sounds["s001"], LATE_S), Audio(noise)):
        assert all(copy_likelihood(one.moments, 10.0, COPIES) < 0.5 for one in without.find(question_pairs(sound), 3))


def test_only_what_is_allowed_is_found(sounds: dict[str, Audio], index: LandmarkIndex) -> None:
    asked = question_pairs(part(sounds["s003"], LATE_S))
    assert "s003" not in {one.name for one in index.find(asked, 9, frozenset(NAMES) - {"s003"})}
    assert index.find(asked, 9, frozenset()) == []


def test_silence_has_no_peaks_and_is_found_nowhere(index: LandmarkIndex) -> None:
    silence = Audio(np.zeros(5 * SAMPLE_RATE_HZ, np.float32))
    assert not len(constellation(silence).frames) and constellation(silence).length > 0
    assert index.find(question_pairs(silence), 5) == []
    for short in (0, 1, HOP, 1500):
        assert index.find(question_pairs(Audio(np.ones(short, np.float32))), 5) == []
    assert LandmarkIndex({}).find(question_pairs(silence), 5) == []


def test_a_recording_gives_the_same_peaks_in_whatever_blocks_it_comes(sounds: dict[str, Audio]) -> None:
    samples = np.concatenate([one.samples for one in sounds.values()])
    assert len(samples) / HOP > 2 * BLOCK_FRAMES
    whole = constellation(Audio(samples))
    builder, place, sizes = ConstellationBuilder(), 0, np.random.default_rng(3).integers(1, 90_000, 1000)
    for size in sizes:
        builder.add(samples[place : place + size])
        place += size
    again = builder.finish()
    blocks = constellation_of(iter([Audio(samples[: 70 * HOP]), Audio(samples[70 * HOP :])]))
    for one in (again, blocks):
        assert np.array_equal(one.frames, whole.frames) and np.array_equal(one.bins, whole.bins)
        assert one.length == whole.length == 1 + (len(samples) - 2 * HOP) // HOP
    assert 5 < len(whole.frames) / whole.duration_s < 40, "a few hundred bytes a second"


def test_a_part_is_found_in_the_whole_and_a_whole_in_its_copy(sounds: dict[str, Audio]) -> None:
    whole = constellation(sounds["s004"])
    first_s = 5.0
    cut = constellation(part(sounds["s004"], first_s, 12.0))
    found = shared(whole, cut)
    assert found is not None and found.offset_s == pytest.approx(first_s, abs=0.1)
    assert shared(whole, constellation(Audio(np.zeros(9, np.float32)))) is None
    other = shared(whole, constellation(sounds["s005"]))
    assert other is None or copy_likelihood(other.moments, sounds["s005"].duration_s, COPIES) < 0.5
    hashes, frames = asked_pairs(whole)
    assert len(hashes) == len(frames) and (np.diff(frames) >= 0).all()


def test_a_little_faster_is_found_when_it_is_slowed_down(sounds: dict[str, Audio], index: LandmarkIndex) -> None:
    fast = Audio(change_speed(part(sounds["s006"], LATE_S).samples, 1.04))
    slowed = Audio(change_speed(fast.samples, 1 / 1.04))
    (found, *_) = index.find(question_pairs(slowed), 1)
    assert found.name == "s006" and found.offset_s == pytest.approx(LATE_S, abs=0.1)
    assert pytest.approx(0.032) == FRAME_S
