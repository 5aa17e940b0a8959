"""What ``benchmarks.similar`` compares: ways to say how like a stretch of sound each of many recordings is."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix
from speechsearch.models.base import AudioTokenizer, AudioTokens
from speechsearch.models.rvq_mini import MEL_BINS, PATCH_FRAMES, patches_of
from speechsearch.training.similar_validation import best_windows

WINDOW_PATCHES, HOP_PATCHES = 128, 64
VectorsOf = Callable[[Audio], FloatMatrix]
"""From a sound to unit vectors of its windows of 10.24 s, a half over the next, (windows, dim)."""


class System(Protocol):
    """Keeps recordings, and says how like each of them a query is."""

    name: str

    def add(self, sound: Audio) -> None:
        """Keep one more recording."""

    def likeness(self, query: Audio) -> NDArray[np.float32]:
        """Return a number for each recording that was added, in order; more is more alike."""


class ByVectors:
    """A recording is as like as its best window."""

    def __init__(self, name: str, vectors_of: VectorsOf) -> None:
        self.name, self._vectors_of = name, vectors_of
        self._windows, self._joined = list[FloatMatrix](), np.zeros((0, 0), np.float32)

    def add(self, sound: Audio) -> None:
        """Keep the vectors of a recording's windows."""
        self._windows.append(self._vectors_of(sound))

    def likeness(self, query: Audio) -> NDArray[np.float32]:
        """Return the cosine with the best window of each recording."""
        lengths = [len(some) for some in self._windows]
        if len(self._joined) != sum(lengths):
            self._joined = np.concatenate(self._windows)
        first = np.cumsum([0, *lengths])[:-1]
        return best_windows(self._vectors_of(query)[:1], self._joined, first)[0]


def begins(frames: int) -> list[int]:
    """Return where windows of WINDOW_PATCHES begin; the last one is whole, so that it lies over more of the one before.

    >>> begins(100), begins(200), begins(256)
    ([0], [0, 64, 72], [0, 64, 128])
    """
    last = max(0, frames - WINDOW_PATCHES)
    return sorted({*range(0, last + 1, HOP_PATCHES), last})


def mean_log_mel(sound: Audio) -> FloatMatrix:
    """Return each window's mean log-mel spectrum less its own mean, (windows, MEL_BINS)."""
    patches = patches_of(torch.from_numpy(sound.samples)).reshape(-1, PATCH_FRAMES, MEL_BINS).mean(1).numpy()
    means = np.stack([patches[begin : begin + WINDOW_PATCHES].mean(0) for begin in begins(len(patches))])
    return unit(means - means.mean(1, keepdims=True))


def code_windows(tokenizer: AudioTokenizer, sound: Audio) -> list[AudioTokens]:
    """Return the codes of each window."""
    (tokens,) = tokenizer.tokenize([sound])
    return [
        replace(tokens, codes=tokens.codes[:, begin : begin + WINDOW_PATCHES])
        for begin in begins(tokens.codes.shape[1])
    ]


def code_histogram(tokenizer: AudioTokenizer, sound: Audio) -> FloatMatrix:
    """Return what counts the codes of each quantizer: roots of shares, (windows, quantizers * size)."""
    found = []
    for tokens in code_windows(tokenizer, sound):
        counts = [np.bincount(level, minlength=tokens.codebook_size) for level in tokens.codes]
        found.append(np.sqrt(np.concatenate(counts)))
    return unit(np.array(found, np.float32))


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
        self._prints = list[NDArray[np.uint32]]()

    def add(self, sound: Audio) -> None:
        """Keep the fingerprint of a recording."""
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
        first = np.cumsum([0, *lengths])[:-1]
        return np.maximum.reduceat(share, first).astype(np.float32)


def fingerprint_of(sound: Audio) -> NDArray[np.uint32]:
    """Return Chromaprint's numbers of a sound, about eight a second; one of zeros where it finds none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.wav"
        soundfile.write(path, sound.samples, SAMPLE_RATE_HZ, subtype="PCM_16")
        done = subprocess.run(
            ["fpcalc", "-raw", "-json", "-length", "0", str(path)], capture_output=True, check=False, timeout=120
        )
    # Version 1.5.1 ends with an error at the end of every file, when the numbers are written.
    found = json.loads(done.stdout)["fingerprint"] if done.stdout else []
    return np.array(found or [0], np.int64).astype(np.uint32)
