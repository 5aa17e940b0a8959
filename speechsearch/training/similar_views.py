"""Recipe, first half: views of recordings for ``train_similar``: each as it is, and some times made worse.

``python -m speechsearch.training.similar_views DATA MUSIC OUT`` (``--tiny``: three of each; ``--kind``: one alone).
Making sound worse costs more than training on it, so every recording's views are made once and kept as 16-bit sound,
OUT/<part>/<kind>/<recording>.npz; those that are there are not made again. Codes are made of them when the training
starts, by whatever tokenizer.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from speechsearch.audio.degrade import Degradation, NoiseKind, change_speed, degrade
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.training.similar_recordings import KINDS, Kind, Recording, recordings

Samples = NDArray[np.float32]
TRAIN, HELD_OUT = "train", "held-out"
VIEWS = 4
"""A recording: as it is, and three times changed."""
CHANGES = ("speed", "pitch", "room", "noise", "noise", "telephone", "codec")
MOST_CHANGES = 3
GAIN_DB = (-20.0, 6.0)
LONGEST_S = 40.0
"""So much of a recording is heard, from its beginning."""
FRAME_SAMPLES, LOOK_SAMPLES = 1024, 256
"""Of a change of pitch: windows of 64 ms, each moved by up to 16 ms to where it fits."""


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """A recording as it was heard, the first time as it is.

    ``sounds``: (samples,) int16 each. ``speeds``: so many times as fast as the recording. ``how``: each in words.
    """

    name: str
    piece: str
    kind: Kind
    tempo_bpm: float
    sounds: tuple[NDArray[np.int16], ...]
    speeds: tuple[float, ...]
    how: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """How a view differs from its recording, all at once; ``semitones``: of a pitch that moves alone."""

    degradation: Degradation = field(default_factory=Degradation)
    semitones: float = 0.0
    gain_db: float = 0.0

    def __str__(self) -> str:
        plain = asdict(Degradation())
        parts = {name: value for name, value in asdict(self.degradation).items() if value != plain[name]}
        if self.semitones:
            parts["semitones"] = round(self.semitones, 2)
        return ", ".join(f"{name} {value}" for name, value in parts.items()) or "as it is"


def drawn_change(rng: random.Random, kind: Kind) -> Change:
    """Return a change by chance: up to MOST_CHANGES of speed, pitch, room, noise, telephone and a codec, and a gain."""
    chosen = rng.sample(
        ("speed", "pitch", "room", "noise", "noise", "telephone", "codec"), rng.randint(1, MOST_CHANGES)
    )
    is_mp3 = rng.random() < 0.5
    noises: tuple[NoiseKind, ...] = ("white", "pink", "babble") if kind == "speech" else ("white", "pink")
    noise = rng.choice(noises)
    degradation = Degradation(
        noise=noise if "noise" in chosen else "none",
        noise_ratio_db=round(rng.uniform(3, 25), 1),
        is_telephone="telephone" in chosen,
        mp3_kbps=rng.choice((16, 24, 32, 48)) if "codec" in chosen and is_mp3 else 0,
        opus_kbps=rng.choice((8, 12, 16, 24)) if "codec" in chosen and not is_mp3 else 0,
        speed=round(rng.uniform(0.9, 1.1), 3) if "speed" in chosen else 1.0,
        reverberation_s=round(rng.uniform(0.15, 0.8), 2) if "room" in chosen else 0.0,
    )
    return Change(degradation, rng.uniform(-2, 2) if "pitch" in chosen else 0.0, rng.uniform(*GAIN_DB))


def changed(samples: Samples, change: Change, voices: Sequence[Audio] = (), seed: int = 1) -> Samples:
    """Return samples (n,) float32 changed in pitch, then made worse, then louder or quieter."""
    moved = change_pitch(samples, change.semitones) if change.semitones else samples
    worse = degrade(Audio(moved), change.degradation, voices, seed).samples
    louder: Samples = np.clip(worse * np.float32(10 ** (change.gain_db / 20)), -1, 1)
    return louder


def change_pitch(samples: Samples, semitones: float) -> Samples:
    """Return samples as long as before, so many semitones higher: stretched, then played faster.

    >>> tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000).astype(np.float32)
    >>> octave = change_pitch(tone, 12)
    >>> len(octave), int(np.abs(np.fft.rfft(octave)).argmax())
    (16000, 880)
    """
    factor = 2 ** (semitones / 12)
    played = change_speed(stretched(samples, factor), factor)[: len(samples)]
    return np.pad(played, (0, len(samples) - len(played)))


def stretched(samples: Samples, factor: float) -> Samples:
    """Return samples that last ``factor`` times as long at the same pitch.

    Source: Verhelst and Roelands, 1993, WSOLA: windows are laid over each other where they fit what came before.
    """
    step, size, look = FRAME_SAMPLES // 2, FRAME_SAMPLES, LOOK_SAMPLES
    count = max(1, round(len(samples) * factor) // step)
    source = np.pad(samples, (look, 2 * size + look + step))
    window = np.hanning(size + 1)[:size].astype(np.float32)
    made = np.zeros((count + 2) * step, np.float32)
    place = look
    for number in range(count):
        wanted = look + min(round(number * step / factor), len(samples))
        if number:
            natural = source[place + step : place + step + step]  # what would come next
            region = source[wanted - look : wanted + look + step]
            place = wanted - look + int(np.argmax(np.correlate(region, natural, "valid")))
        made[number * step : number * step + size] += window * source[place : place + size]
    made[:step] = source[look : look + step]  # the first window has none before it to rise from
    return made[: round(len(samples) * factor)]


def views_of(recording: Recording, voices: Sequence[Audio]) -> Views:
    """Return the views of a recording, always the same ones; ``voices``: what babble is made of."""
    samples, seed = recording.samples()[: round(LONGEST_S * SAMPLE_RATE_HZ)], zlib.crc32(recording.name.encode())
    rng = random.Random(seed)
    changes = [Change(), *(drawn_change(rng, recording.kind) for _ in range(VIEWS - 1))]
    heard = [changed(samples, change, voices, seed + number) for number, change in enumerate(changes)]
    return Views(
        recording.name,
        recording.piece,
        recording.kind,
        recording.tempo_bpm,
        tuple((one * 32767).astype(np.int16) for one in heard),
        tuple(change.degradation.speed for change in changes),
        tuple(map(str, changes)),
    )


def place_of(out: Path, part: str, recording: Recording) -> Path:
    """Return where the views of a recording are kept."""
    return out / part / recording.kind / f"{zlib.crc32(recording.name.encode()):08x}.npz"


def write_views(place: Path, views: Views) -> None:
    """Write views so that a crash leaves nothing or all of them."""
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = place.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        np.savez(
            file,
            name=views.name,
            piece=views.piece,
            tempo_bpm=views.tempo_bpm,
            sound=np.concatenate(views.sounds),
            lengths=[len(one) for one in views.sounds],
            speeds=views.speeds,
            how=views.how,
        )
    unfinished.replace(place)


def read_views(out: Path, part: str, kind: Kind) -> Iterator[Views]:
    """Yield the views of all recordings of a part and kind that are there, in the order of their files."""
    for place in sorted((out / part / kind).glob("*.npz")):
        with np.load(place, allow_pickle=False) as file:
            sounds = np.split(file["sound"], np.cumsum(file["lengths"])[:-1])
            tempo_bpm, speeds, how = float(file["tempo_bpm"]), file["speeds"].tolist(), file["how"].tolist()
            name, piece = str(file["name"]), str(file["piece"])
        yield Views(name, piece, kind, tempo_bpm, tuple(sounds), tuple(speeds), tuple(how))


def main(
    data: Path,
    music: Path,
    out: Path,
    kind: str = "",
    hours: float = 6.0,
    held_out_hours: float = 1.5,
    tiny: bool = False,
) -> None:
    """Make the views of the speech of DATA and the music of MUSIC, up to so many hours of each."""
    for part, most_hours in ((HELD_OUT, held_out_hours), (TRAIN, hours)):
        for one in [one for one in KINDS if kind in ("", one)]:
            found = recordings(data, music, one, is_held_out=part == HELD_OUT)
            random.Random(1).shuffle(found)
            voices = [Audio(other.samples()) for other in found[:8]] if one == "speech" else []
            lasts_s, count = 0.0, 0
            for recording in found[: 3 if tiny else None]:
                if lasts_s >= most_hours * 3600:
                    break
                place = place_of(out, part, recording)
                if not place.exists():
                    write_views(place, views_of(recording, voices))
                lasts_s, count = lasts_s + min(LONGEST_S, recording.duration_s()), count + 1
            print(f"{part} {one}: {count} recordings, {lasts_s / 3600:.2f} h, {VIEWS} views each", flush=True)


if __name__ == "__main__":
    typer.run(main)
