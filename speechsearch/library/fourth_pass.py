"""The fourth pass: what a recording sounds like is kept, so that its copies, and what sounds alike, can be found.

It comes last. Each part is written whole, in one transaction: a process killed at any time leaves it there or not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from speechsearch import audio
from speechsearch.audio.constellation import constellation_of
from speechsearch.domain.alike import SoundWindows
from speechsearch.domain.errors import CapabilityError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix
from speechsearch.library.library import Library
from speechsearch.library.third_pass import OnSound
from speechsearch.models.base import SoundEmbedder

HOP_S = 5.0
"""A window begins so long after the one before."""
SHORTEST_S = 1.0
"""A shorter rest at the end is part of the window before."""
QUIETEST = 1e-4
"""A window whose samples are smaller than that on average is silence, and like nothing."""
BATCH = 16


def keep_constellation(library: Library, recording_id: str, on_sound: OnSound) -> None:
    """Find the spectral peaks of a recording, and keep them.

    Raises:
        DecodeError: the sound cannot be read.
    """
    found = constellation_of(_blocks(library, recording_id, on_sound))
    with library.writing:
        if library.store.journal.entry(recording_id) is not None:  # else deleted meanwhile
            library.store.sounds.save_constellation(recording_id, found, library.makers.peaks_by)
            library.sounds_version += 1


def keep_windows(library: Library, recording_id: str, on_sound: OnSound) -> None:
    """Hear what the windows of a recording sound like, and keep it.

    Raises:
        CapabilityError: the library has no sound embedder.
        DecodeError: the sound cannot be read.
    """
    embedder = library.makers.sound_embedder
    if embedder is None:
        raise CapabilityError("There is no sound embedder.", "Set SPEECHSEARCH_ENGINES__SOUND_EMBEDDER.")
    vectors = embedded(embedder, windows(_blocks(library, recording_id, on_sound), embedder.window_s))
    with library.writing:
        if library.store.journal.entry(recording_id) is not None:
            library.store.sounds.save_windows(recording_id, SoundWindows(vectors, HOP_S), embedder.fingerprint)
            library.sounds_version += 1


def windows(blocks: Iterator[Audio], window_s: float) -> Iterator[Audio]:
    """Yield windows of a sound, each ``HOP_S`` after the one before, the last ones perhaps shorter.

    >>> sound = iter([Audio(np.zeros(9 * SAMPLE_RATE_HZ, np.float32))] * 2)
    >>> [one.duration_s for one in windows(sound, 10.0)]
    [10.0, 10.0, 8.0]
    """
    size, hop, shortest = (round(length_s * SAMPLE_RATE_HZ) for length_s in (window_s, HOP_S, SHORTEST_S))
    samples, is_first = np.zeros(0, np.float32), True
    for block in blocks:
        samples = np.concatenate([samples, block.samples])
        while len(samples) >= size + shortest:
            yield Audio(samples[:size])
            samples, is_first = samples[hop:], False
    if is_first or len(samples) >= size - hop + shortest:
        yield Audio(samples[:size])


def embedded(embedder: SoundEmbedder, sounds: Iterator[Audio]) -> FloatMatrix:
    """Return what windows sound like, (windows, dim) float32; zeros for silence."""
    rows = [np.zeros((0, embedder.dim), np.float32)]
    batch: list[Audio] = []

    def finish() -> None:
        heard = [place for place, one in enumerate(batch) if not is_silent(one)]
        found = np.zeros((len(batch), embedder.dim), np.float32)
        if heard:
            found[heard] = embedder.embed([batch[place] for place in heard])
        rows.append(found)
        batch.clear()

    for sound in sounds:
        batch.append(sound)
        if len(batch) == BATCH:
            finish()
    finish()
    return np.concatenate(rows)


def is_silent(sound: Audio) -> bool:
    """Say whether there is nothing to hear.

    >>> is_silent(Audio(np.zeros(9, np.float32))), is_silent(Audio(np.ones(9, np.float32)))
    (True, False)
    """
    return not len(sound.samples) or float(np.mean(np.abs(sound.samples))) < QUIETEST


def _blocks(library: Library, recording_id: str, on_sound: OnSound) -> Iterator[Audio]:
    """Yield the sound of a recording, block by block."""
    name = library.store.recordings.get(recording_id).file_name
    for block in audio.stream(library.media(recording_id), library.limits, name=name):
        yield block
        on_sound(block.duration_s)
