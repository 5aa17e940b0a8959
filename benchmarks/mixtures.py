"""Conversations put together from readers: who speaks when in them is known exactly.

Utterances of several voices follow each other with pauses, or begin while the one before still lasts. The level alone
tells what of an utterance is speech, so that the reference does not depend on the voice activity that is measured.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio

Samples = NDArray[np.float32]
FRAME_SAMPLES = 160
BELOW_PEAK_DB, ABOVE_FLOOR_DB, LEAST_RANGE_DB = 32.0, 6.0, 15.0
CLOSED_S, SHORTEST_S = 0.3, 0.1
"""Pauses up to the first are part of the speech; speech shorter than the second is none."""
UTTERANCE_S, LONGEST_UTTERANCE_S, PAUSE_S = 1.0, 8.0, 0.2
LEVEL, LEVEL_RANGE_DB, NOISE = 0.05, 4.0, 5e-4
OVERLAPS, OVERLAP_S, MOST_OVERLAP = 0.32, (0.3, 2.2), 0.7
"""How many changes of voice overlap, for how long, and how much of the shorter utterance at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A conversation: its sound, and who speaks when: (voice, start, end) in seconds."""

    name: str
    sound: Audio
    spoken: tuple[tuple[str, float, float], ...]

    @property
    def voices(self) -> int:
        """How many there are."""
        return len({voice for voice, _, _ in self.spoken})


def readers(data: Path, half: str) -> dict[str, list[Path]]:
    """Return the files of LibriSpeech's readers of one clip each: every second for tuning, the others for the test."""
    folder = data / "speech" / "librispeech_train_clean_251_untranscribed" / "audio"
    twice = {"4088", "4406", "5652", "8226"}  # they have chapters of their own
    files = [path for path in sorted(folder.glob("*.ogg")) if path.name.split("-")[0] not in twice]
    return {path.name.split("-")[0]: [path] for path in files[half == "test" :: 2]}


def learners(data: Path, half: str) -> dict[str, list[Path]]:
    """Return the files of learners of English, all recorded alike; the corpus's own halves."""
    folder = data / "speech" / "speechocean762_adults"
    found: dict[str, list[Path]] = {}
    with (folder / "speakers.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["split"] == {"tune": "train", "test": "test"}[half]:
                found.setdefault(f"learner {row['speaker']}", []).append(folder / "audio" / f"{row['id']}.opus")
    return found


def long_readers(data: Path) -> dict[str, list[Path]]:
    """Return the files of six readers who are heard for long: four of LibriSpeech, and two other corpora."""
    speech = data / "speech"
    found: dict[str, list[Path]] = {}
    for path in sorted((speech / "librispeech_train_clean_4spk" / "audio").glob("*.opus")):
        found.setdefault(path.name.split("-")[0], []).append(path)
    found["kathleen"] = sorted((speech / "kathleen_arctic" / "audio").glob("*.ogg"))
    found["ljspeech"] = sorted((speech / "ljspeech_385" / "audio").glob("*.ogg"))
    return found


def mixtures(
    pool: Mapping[str, Sequence[Path]], counts: Sequence[int], each: int, voice_s: float, seed: int, name: str
) -> Iterator[Mixture]:
    """Yield ``each`` conversations for every number of voices; a voice is heard for about ``voice_s``."""
    rng = np.random.default_rng(seed)
    for count in counts:
        for number in range(each):
            voices = [str(one) for one in rng.choice(sorted(pool), count, replace=False)]
            yield mixed(f"{name}-{count}-{number}", {one: pool[one] for one in voices}, voice_s, rng)


def mixed(name: str, files: Mapping[str, Sequence[Path]], voice_s: float, rng: np.random.Generator) -> Mixture:
    """Return a conversation of the voices of files."""
    waiting = {voice: taken(paths, voice_s, rng) for voice, paths in files.items()}
    levels = {voice: LEVEL * 10 ** (rng.uniform(-LEVEL_RANGE_DB, LEVEL_RANGE_DB) / 20) for voice in waiting}
    placed: list[tuple[str, float, Samples]] = []
    place_s, last, last_s = 0.5, "", 0.0
    while any(waiting.values()):
        candidates = [one for one in waiting if waiting[one] and one != last] or [
            one for one in waiting if waiting[one]
        ]
        weights = np.array([sum(map(len, waiting[one])) for one in candidates], float)
        voice = candidates[rng.choice(len(candidates), p=weights / weights.sum())]
        samples = waiting[voice].pop(0)
        duration_s = len(samples) / SAMPLE_RATE_HZ
        if last and voice != last and rng.random() < OVERLAPS:
            place_s -= min(rng.uniform(*OVERLAP_S), MOST_OVERLAP * duration_s, MOST_OVERLAP * last_s)
        elif last:
            place_s += min(3.0, rng.exponential(0.5) + 0.05)
        loudness = np.sqrt(np.square(samples).mean() + 1e-9)
        placed.append((voice, place_s, samples / loudness * np.float32(levels[voice])))
        place_s, last, last_s = place_s + duration_s, voice, duration_s
    end_s = max(start_s + len(samples) / SAMPLE_RATE_HZ for _, start_s, samples in placed)
    sound = (rng.normal(size=int((end_s + 0.5) * SAMPLE_RATE_HZ)) * NOISE).astype(np.float32)
    spoken = []
    for voice, start_s, samples in placed:
        begin = round(start_s * SAMPLE_RATE_HZ)
        sound[begin : begin + len(samples)] += samples
        for first, end in runs(speech_frames(samples)):
            spoken.append((voice, start_s + first / 100, start_s + end / 100))
    return Mixture(name, Audio(np.clip(sound, -1, 1)), tuple(spoken))


def taken(paths: Sequence[Path], voice_s: float, rng: np.random.Generator) -> list[Samples]:
    """Return utterances of a voice, from a file drawn at random on, until they are long enough together."""
    start = int(rng.integers(len(paths)))
    found: list[Samples] = []
    for path in [*paths[start:], *paths[:start]]:
        for samples in utterances(path):
            if sum(map(len, found)) >= voice_s * SAMPLE_RATE_HZ:
                return found
            found.append(samples)
    return found


@lru_cache(maxsize=4096)
def utterances(path: Path) -> tuple[Samples, ...]:
    """Return the utterances of a clip: what is between pauses, a short one together with the next."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    if rate_hz != SAMPLE_RATE_HZ:
        raise ValueError(f"{path} has {rate_hz} samples a second.")
    found: list[list[int]] = []
    for first, end in runs(speech_frames(samples, PAUSE_S)):
        last = found[-1] if found else None
        if last and last[1] - last[0] < 200 * UTTERANCE_S and end - last[0] < 100 * LONGEST_UTTERANCE_S:
            last[1] = end
        else:
            found.append([first, end])
    margin = SAMPLE_RATE_HZ // 20
    return tuple(
        samples[max(0, first * FRAME_SAMPLES - margin) : end * FRAME_SAMPLES + margin]
        for first, end in found
        if end - first >= 100 * UTTERANCE_S
    )


def speech_frames(samples: Samples, closed_s: float = CLOSED_S) -> NDArray[np.bool_]:
    """Return for every 10 ms of a clean utterance whether it is speech, (frames,): by its level."""
    padded = np.pad(samples, (0, 400))
    frames = max(1, len(samples) // FRAME_SAMPLES)
    power = np.square(np.lib.stride_tricks.sliding_window_view(padded, 400)[::FRAME_SAMPLES][:frames]).mean(axis=1)
    levels_db = 10 * np.log10(power + 1e-10)
    top_db, floor_db = np.percentile(levels_db, 95), np.percentile(levels_db, 5)
    is_speech = levels_db > max(top_db - BELOW_PEAK_DB, min(floor_db + ABOVE_FLOOR_DB, top_db - LEAST_RANGE_DB))
    return ~filled(~filled(is_speech, round(100 * closed_s)), round(100 * SHORTEST_S))


def filled(is_on: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """Return the same with gaps of at most so many frames closed, but not at the ends.

    >>> filled(np.array([0, 1, 0, 1, 0, 0, 1], bool), 1).astype(int).tolist()
    [0, 1, 1, 1, 0, 0, 1]
    """
    found = is_on.copy()
    for first, end in runs(~is_on):
        if end - first <= longest and first > 0 and end < len(is_on):
            found[first:end] = True
    return found


def runs(is_on: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where runs of True begin and end.

    >>> runs(np.array([0, 1, 1, 0, 1], bool))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_on.astype(np.int8), [0]])))
    return [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]
