"""What a sound embedder learns from and is measured on: recordings of speech and of music, held-out ones apart.

Speech: consecutive utterances of a reader joined to recordings of 12 s and more; held out are other readers (of the two
largest sets the last part of the book, as everywhere here). Music: what ``training/music.py`` played; held out are
other pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from speechsearch.domain.values import SAMPLE_RATE_HZ
from speechsearch.training.music import read_renderings
from speechsearch.training.speech_corpus import human_parts

Kind = Literal["speech", "music"]
KINDS: tuple[Kind, ...] = ("speech", "music")
SHORTEST_S, ENOUGH_S = 12.0, 20.0
UNTRANSCRIBED = "librispeech_train_clean_251_untranscribed"
HELD_OUT_EVERY = 3
"""Of the readers without a text."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording of one or several files. ``piece``: what is played or said; other renderings have the same.

    ``tempo_bpm``: how fast a piece of music is played; 0 for speech.
    """

    name: str
    piece: str
    kind: Kind
    files: tuple[Path, ...]
    tempo_bpm: float = 0.0

    def samples(self) -> NDArray[np.float32]:
        """Return its sound, (n,) float32 in [-1, 1] at 16 kHz."""
        return np.concatenate([read_mono(path) for path in self.files])

    def duration_s(self) -> float:
        """Return how long it lasts, as its files say."""
        return float(sum(soundfile.info(path).duration for path in self.files))


def read_mono(path: Path) -> NDArray[np.float32]:
    """Return the first channel of a file of the training data, (n,) float32. Raises ValueError: it is not at 16 kHz."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    if rate_hz != SAMPLE_RATE_HZ:
        raise ValueError(f"{path} is at {rate_hz} Hz, not at {SAMPLE_RATE_HZ}.")
    return np.ascontiguousarray(samples[:, 0])


def recordings(data: Path, music: Path, kind: Kind, *, is_held_out: bool) -> list[Recording]:
    """Return the recordings of a kind to train on, or those that are held out, always in the same order."""
    if kind == "music":
        part = "held out" if is_held_out else "train"
        played = (one for one in read_renderings(music) if one.part == part)
        return [Recording(one.file, one.piece, "music", (music / one.file,), one.tempo_bpm) for one in played]
    part = "evaluation" if is_held_out else "train"
    sets = [(name, rows) for its, name, rows in human_parts(data) if its == part]
    rows = [(path, f"{name}/{speaker}") for name, its in sets for path, _, speaker in its]
    return [
        Recording(f"{files[0].parent.parent.name}/{files[0].stem}", files[0].stem, "speech", files)
        for files in joined([*rows, *untranscribed(data, is_held_out=is_held_out)])
    ]


def untranscribed(data: Path, *, is_held_out: bool) -> Iterator[tuple[Path, str]]:
    """Yield (file, reader) of the readers of whom there is no text."""
    folder = data / "speech" / UNTRANSCRIBED / "audio"
    for number, path in enumerate(sorted(folder.iterdir()) if folder.is_dir() else ()):
        if (number % HELD_OUT_EVERY == 0) == is_held_out:
            yield path, path.stem.split("-")[0]


def joined(rows: Iterable[tuple[Path, str]]) -> Iterator[tuple[Path, ...]]:
    """Yield consecutive files of a speaker until they last long enough; what is left over of one is left out."""
    for _, its in groupby(rows, key=lambda row: row[1]):
        some, lasts_s = list[Path](), 0.0
        for path, _ in its:
            some.append(path)
            lasts_s += soundfile.info(path).duration
            if lasts_s >= ENOUGH_S:
                yield tuple(some)
                some, lasts_s = [], 0.0
        if lasts_s >= SHORTEST_S:
            yield tuple(some)
