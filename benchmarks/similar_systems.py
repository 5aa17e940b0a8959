"""What ``benchmarks.similar`` compares: ways to say how like a stretch of sound each of many recordings is."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix
from speechsearch.models.base import AudioTokenizer
from speechsearch.models.rvq_mini import MEL_BINS, PATCH_FRAMES, patches_of
from speechsearch.training.similar_validation import best_windows

WINDOW_SAMPLES, HOP_SAMPLES = round(10.24 * SAMPLE_RATE_HZ), round(5.12 * SAMPLE_RATE_HZ)
VectorsOf = Callable[[Sequence[Audio]], FloatMatrix]


class System(Protocol):
    """Keeps recordings, and says how like each of them a query is."""

    name: str

    def add(self, sound: Audio) -> None:
        """Keep one more recording."""

    def likeness(self, query: Audio) -> NDArray[np.float32]:
        """Return a number for each recording that was added, in order; more is more alike."""


class ByVectors:
    """Windows of 10.24 s, a half over the next; a recording is as like as its best window."""

    def __init__(self, name: str, vectors_of: VectorsOf) -> None:
        self.name, self._vectors_of = name, vectors_of
        self._windows, self._first = list[FloatMatrix](), list[int]()
        self._joined: FloatMatrix | None = None

    def add(self, sound: Audio) -> None:
        """Keep the vectors of a recording's windows."""
        self._first.append(sum(len(some) for some in self._windows[-1:]) + (self._first[-1] if self._first else 0))
        self._windows.append(self._vectors_of(windows_of(sound)))
        self._joined = None

    def likeness(self, query: Audio) -> NDArray[np.float32]:
        """Return the cosine with the best window of each recording."""
        if self._joined is None:
            self._joined = np.concatenate(self._windows)
        return best_windows(self._vectors_of([query]), self._joined, np.array(self._first))[0]


def windows_of(sound: Audio) -> list[Audio]:
    """Return the windows of a recording; the last one is whole, so that it lies over more of the one before."""
    last = max(0, len(sound.samples) - WINDOW_SAMPLES)
    begins = sorted({*range(0, last + 1, HOP_SAMPLES), last})
    return [Audio(sound.samples[begin : begin + WINDOW_SAMPLES]) for begin in begins]


def mean_log_mel(sounds: Sequence[Audio]) -> FloatMatrix:
    """Return the mean log-mel spectrum less its own mean, of unit length, (sounds, MEL_BINS)."""
    found = []
    for sound in sounds:
        patches = patches_of(torch.from_numpy(sound.samples)).reshape(-1, PATCH_FRAMES, MEL_BINS)
        mean = patches.mean((0, 1)).numpy()
        found.append(mean - mean.mean())
    return unit(np.array(found, np.float32))


def code_histograms(tokenizer: AudioTokenizer) -> VectorsOf:
    """Return what counts the codes of each quantizer: roots of shares, of unit length."""

    def vectors_of(sounds: Sequence[Audio]) -> FloatMatrix:
        found = []
        for tokens in tokenizer.tokenize(sounds):
            counts = [np.bincount(level, minlength=tokens.codebook_size) for level in tokens.codes]
            found.append(np.sqrt(np.concatenate(counts)))
        return unit(np.array(found, np.float32))

    return vectors_of


def unit(vectors: FloatMatrix) -> FloatMatrix:
    """Return the vectors at unit length.

    >>> unit(np.array([[3.0, 4.0]], np.float32)).round(2).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-9))


class Chromaprint:
    """The fingerprints of ``fpcalc`` (Debian's libchromaprint-tools), laid over each other at every offset."""

    name = "chromaprint"

    def __init__(self) -> None:
        self._prints, self._first = list[NDArray[np.uint32]](), list[int]()

    def add(self, sound: Audio) -> None:
        """Keep the fingerprint of a recording."""
        self._first.append(sum(len(one) for one in self._prints[-1:]) + (self._first[-1] if self._first else 0))
        self._prints.append(fingerprint_of(sound))

    def likeness(self, query: Audio) -> NDArray[np.float32]:
        """Return the share of bits that are the same at the best offset in each recording."""
        asked, kept = fingerprint_of(query), np.concatenate(self._prints)
        lengths = [len(one) for one in self._prints]
        left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(kept))  # numbers from here to the recording's end
        other = np.zeros(len(kept), np.int32)  # bits, at the offset that begins here
        for number, bits in enumerate(asked):
            here = len(kept) - number
            if here > 0:
                other[:here] += np.bitwise_count(kept[number:] ^ bits) * (left[:here] > number)
        overlap = np.minimum(left, len(asked))
        share = np.where(overlap * 2 >= len(asked), 1 - other / (32 * overlap), 0)
        return np.maximum.reduceat(share, self._first).astype(np.float32)


def fingerprint_of(sound: Audio) -> NDArray[np.uint32]:
    """Return Chromaprint's numbers of a sound, about eight a second; one of zeros where it finds none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.wav"
        soundfile.write(path, sound.samples, SAMPLE_RATE_HZ, subtype="PCM_16")
        done = subprocess.run(
            ["fpcalc", "-raw", "-json", "-length", "0", str(path)], capture_output=True, check=False, timeout=120
        )
    found = json.loads(done.stdout)["fingerprint"] if done.returncode == 0 else []
    return np.array(found or [0], np.int64).astype(np.uint32)
