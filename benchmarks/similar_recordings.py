"""Measure how copies are found: ``python -m benchmarks.similar_recordings FOLDER... [--tracks 2000]``.

All sound below each folder (16 kHz) is put in a row and cut into tracks; one in ten of them is left out of the index,
and asked all the same, so that it is known how often something is found that is not there. A question is a stretch of
a track, from anywhere in it, after each distortion.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from speechsearch.audio.constellation import VERSION, constellation
from speechsearch.audio.degrade import Degradation, degrade
from speechsearch.audio.landmarks import LandmarkIndex
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.evaluation.machine import describe_machine
from speechsearch.retrieval.likeness import copy_likelihood
from speechsearch.retrieval.likeness_curves import read_curves
from speechsearch.service.copies import find_at_speeds

CLOSE_S = 0.2
LEFT_OUT = 10
CONDITIONS = {
    "as it is": Degradation(),
    "MP3 32 kbit/s": Degradation(mp3_kbps=32),
    "white noise 10 dB": Degradation(noise="white", noise_ratio_db=10.0),
    "pink noise 10 dB": Degradation(noise="pink", noise_ratio_db=10.0),
    "voices 10 dB": Degradation(noise="babble", noise_ratio_db=10.0),
    "MP3 32 kbit/s + pink noise 10 dB": Degradation(noise="pink", noise_ratio_db=10.0, mp3_kbps=32),
    "pink noise 0 dB": Degradation(noise="pink", noise_ratio_db=0.0),
    "telephone": Degradation(is_telephone=True),
    "Opus 12 kbit/s": Degradation(opus_kbps=12),
    "room 0.5 s": Degradation(reverberation_s=0.5),
    "speed 1.02": Degradation(speed=1.02),
    "speed 0.97": Degradation(speed=0.97),
}
MOST_ASKED = "MP3 32 kbit/s + pink noise 10 dB"
"""Of this more tracks are asked than of the others."""
ENDINGS = (".ogg", ".opus", ".flac", ".wav", ".mp3")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a question: at which rank its track is, how far off, and how sure the first one is."""

    rank: int
    off_s: float
    likelihood: float
    is_there: bool


class Tracks(Sequence[Audio]):
    """Tracks in memory, in half the room."""

    def __init__(self) -> None:
        self._kept: list[NDArray[np.int16]] = []

    def add(self, samples: NDArray[np.float32]) -> None:
        """Take one more."""
        self._kept.append((samples * 32767).astype(np.int16))

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, place: Any) -> Any:
        kept = self._kept[place]
        return list(map(sound_of, kept)) if isinstance(kept, list) else sound_of(kept)


def sound_of(samples: NDArray[np.int16]) -> Audio:
    """Return the sound of 16-bit samples."""
    return Audio(samples.astype(np.float32) / np.float32(32767))


def tracks_of(folders: Sequence[Path], length_s: float, most: int) -> Tracks:
    """Return the sound below folders, one file after the other, cut into tracks."""
    size, waiting, found = round(length_s * SAMPLE_RATE_HZ), np.zeros(0, np.float32), Tracks()
    for folder in folders:
        for path in sorted(one for one in folder.rglob("*") if one.suffix in ENDINGS):
            samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
            if rate_hz != SAMPLE_RATE_HZ:
                sys.exit(f"{path} has {rate_hz} samples a second; {SAMPLE_RATE_HZ} are needed.")
            waiting = np.concatenate([waiting, samples.mean(axis=1)])
            while len(waiting) >= size:
                found.add(waiting[:size])
                waiting = waiting[size:]
                if len(found) == most:
                    return found
    return found


def ask(index: LandmarkIndex, question: Audio, name: str, start_s: float, limit: int = 100) -> Outcome:
    """Return what becomes of a question, other speeds tried as the service tries them."""
    curve, length_s = read_curves().needed("recording", f"peaks-{VERSION}"), question.duration_s
    found, _ = find_at_speeds(lambda asked: index.find(asked, limit), question)
    ranks = {one.name: rank for rank, one in enumerate(found, 1)}
    rank = ranks.get(name, 0)
    off_s = abs(found[rank - 1].offset_s - start_s) if rank else np.inf
    likelihood = copy_likelihood(found[0].moments, length_s, curve) if found else 0.0
    return Outcome(rank, float(off_s), likelihood, name in index.names)


def measure(tracks: Sequence[Audio], length_s: float, part: int, more: int, seed: int) -> dict[str, object]:
    """Return the figures of all conditions."""
    random = np.random.default_rng(seed)
    names = [f"{number:05d}" for number in range(len(tracks))]
    began_s = time.perf_counter()
    made = {name: constellation(one) for name, one in zip(names, tracks, strict=True)}
    heard_s = sum(one.duration_s for one in tracks)
    spent_s = time.perf_counter() - began_s
    index = LandmarkIndex({name: one for number, (name, one) in enumerate(made.items()) if number % LEFT_OUT})
    peaks_bytes = 5 * sum(len(one.frames) for one in made.values())
    figures: dict[str, object] = {
        "tracks": len(index.names), "hours": round(heard_s / 3600, 2), "question_s": length_s,
        "times real time": round(heard_s / spent_s), "bytes kept a second": round(peaks_bytes / heard_s),
    }  # fmt: skip
    rows = {}
    for condition, how in CONDITIONS.items():
        outcomes, times_ms = [], []
        asked = random.choice(len(tracks), more if condition == MOST_ASKED else part, replace=False)
        for number in asked.tolist():
            question, start_s = stretch(tracks[number], length_s, random)
            changed = degrade(question, how, [tracks[number - one] for one in (7, 19, 23)], seed + number)
            began_s = time.perf_counter()
            outcomes.append(ask(index, changed, names[number], start_s))
            times_ms.append(1000 * (time.perf_counter() - began_s))
        rows[condition] = row(outcomes, times_ms)
        print(condition, json.dumps(rows[condition]), flush=True)
    return figures | {"conditions": rows}


def stretch(track: Audio, length_s: float, random: np.random.Generator) -> tuple[Audio, float]:
    """Return a stretch from anywhere in a track, and at which second it begins."""
    start = int(random.integers(0, max(1, len(track.samples) - round(length_s * SAMPLE_RATE_HZ))))
    return Audio(track.samples[start : start + round(length_s * SAMPLE_RATE_HZ)]), start / SAMPLE_RATE_HZ


def row(outcomes: Sequence[Outcome], times_ms: Sequence[float]) -> dict[str, float]:
    """Return the figures of one condition; ``false``: of what is not there, so much seems more likely than not."""
    there = [one for one in outcomes if one.is_there]
    absent = [one for one in outcomes if not one.is_there]
    firsts = [one for one in there if one.rank == 1]
    return {
        "n": len(there),
        "R@1": share(one.rank == 1 for one in there),
        "R@10": share(0 < one.rank <= 10 for one in there),
        "R@100": share(0 < one.rank <= 100 for one in there),
        "MRR": round(float(np.mean([1 / one.rank if one.rank else 0.0 for one in there])), 4),
        "within 0.2 s": share(one.off_s <= CLOSE_S for one in firsts),
        "sure and right": share(one.rank == 1 and one.likelihood >= 0.5 for one in there),
        "not there": len(absent),
        "false": share(one.likelihood >= 0.5 for one in absent),
        "p50 ms": round(float(np.percentile(times_ms, 50)), 1),
        "p95 ms": round(float(np.percentile(times_ms, 95)), 1),
    }


def share(said: Iterator[bool]) -> float:
    """Return which part is true, 0 of nothing."""
    values = list(said)
    return round(sum(values) / max(1, len(values)), 4)


def table(figures: dict[str, object]) -> str:
    """Return the figures as a table in Markdown."""
    rows = figures["conditions"]
    assert isinstance(rows, dict)
    heads = list(next(iter(rows.values())))
    lines = [f"| the question | {' | '.join(heads)} |", f"|:---|{'---:|' * len(heads)}"]
    for name, one in rows.items():
        lines.append(f"| {name} | {' | '.join(f'{one[head]:g}' for head in heads)} |")
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--tracks", type=int, default=2000)
    parser.add_argument("--track-s", type=float, default=16.0)
    parser.add_argument("--question-s", type=float, default=10.0)
    parser.add_argument("--part", type=int, default=400, help="questions of each condition")
    parser.add_argument("--more", type=int, default=2000, help=f"questions of: {MOST_ASKED}")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    tracks = tracks_of(given.folders, given.track_s, given.tracks * LEFT_OUT // (LEFT_OUT - 1) + 1)
    print(f"{describe_machine()}; {len(tracks)} tracks", flush=True)
    figures = measure(tracks, given.question_s, given.part, given.more, given.seed)
    print(json.dumps({name: one for name, one in figures.items() if name != "conditions"}))
    print(table(figures))


if __name__ == "__main__":
    main()
