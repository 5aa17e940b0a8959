"""Copies of recordings: the landmarks of a library, kept in memory and in step with its database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from speechsearch.audio.constellation import constellation
from speechsearch.audio.degrade import change_speed
from speechsearch.audio.landmarks import Hashes, LandmarkIndex, Placed, asked_pairs, question_pairs
from speechsearch.domain.values import Audio
from speechsearch.library.library import Library
from speechsearch.retrieval.likeness import is_enough

MOST_BLOCKS = 4
"""A block is made of what has come since the last one; of more than so many the smallest are made one."""
SPEEDS = (0.98, 1.02, 0.96, 1.04)
"""What is asked is listened to at these speeds too, where nothing is found as it is."""
STEP = 0.01
"""Beside a speed at which it is found those so much slower and faster are tried, too."""
LONGEST_S = 60.0
"""A longer sound is heard once, as it is: it has pairs enough."""


class Copies:
    """Finds where sounds stand in the recordings of a library.

    About 250 bytes of memory a second of recordings, from the first question on.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._blocks: list[LandmarkIndex] = []
        self._version: tuple[int, int] | None = None
        self._lock = threading.Lock()

    def find(self, asked: Hashes, limit: int, allowed: frozenset[str]) -> list[Placed]:
        """Return in which of the allowed recordings something stands, the surest first.

        Raises:
            StoreError: what the database has of a recording is damaged.
        """
        found = [one for block in self._ready() for one in block.find(asked, limit, allowed)]
        return sorted(found, key=lambda one: (-one.moments, one.name))[:limit]

    def find_sound(self, sound: Audio, limit: int, allowed: frozenset[str]) -> tuple[list[Placed], float]:
        """Return what ``find`` does for a sound, and at which speed; others are tried until one is surely found.

        Times of what is found are in the sound as it was given.
        """
        return find_at_speeds(lambda asked: self.find(asked, limit, allowed), sound)

    def ready(self) -> set[str]:
        """Return the ids of the recordings that can be found."""
        makers = self._library.makers
        return self._library.store.sounds.with_constellation(makers.peaks_by) if makers.has_peaks else set()

    def _ready(self) -> list[LandmarkIndex]:
        """Return the blocks, with all that the database has now; what was deleted is not allowed by who asks."""
        library = self._library
        with self._lock:
            version = (library.version, library.sounds_version)
            if version != self._version:
                there = self.ready()
                known = {name for block in self._blocks for name in block.names}
                if fresh := there - known:
                    self._add(fresh, there)
                self._version = version
            return list(self._blocks)

    def _add(self, fresh: set[str], there: set[str]) -> None:
        """Make a block of recordings, and one of the smallest where there are too many; without what is gone."""
        blocks, names = sorted(self._blocks, key=lambda block: -len(block.names)), set(fresh)
        while len(blocks) >= MOST_BLOCKS or (blocks and len(blocks[-1].names) <= len(names)):
            names |= there.intersection(blocks.pop().names)
        found = self._library.store.sounds.constellations(sorted(names), self._library.makers.peaks_by)
        self._blocks = [*blocks, LandmarkIndex(found)]


def find_at_speeds(find: Callable[[Hashes], list[Placed]], sound: Audio) -> tuple[list[Placed], float]:
    """Return what is found for a sound, and at which speed; others until one is surely found, and those beside it."""

    def at(speed: float) -> list[Placed]:
        heard = Audio(change_speed(sound.samples, 1 / speed))
        return [as_asked(one, speed) for one in find(asked_pairs(constellation(heard)))]

    def moments(found: list[Placed]) -> int:
        return found[0].moments if found else 0

    def is_sure(found: list[Placed]) -> bool:
        return bool(found) and is_enough(moments(found), sound.duration_s)

    is_long = sound.duration_s > LONGEST_S
    usual = find(asked_pairs(constellation(sound)) if is_long else question_pairs(sound))
    if is_long or is_sure(usual):
        return usual, 1.0
    for speed in SPEEDS:
        if is_sure(found := at(speed)):
            beside = [(at(one), one) for one in (round(speed - STEP, 2), round(speed + STEP, 2))]
            return max([(found, speed), *beside], key=lambda one: moments(one[0]))
    return usual, 1.0


def as_asked(found: Placed, speed: float) -> Placed:
    """Return where something stands in the times of the sound as it was asked, played ``speed`` times as fast.

    >>> import numpy as np
    >>> found = as_asked(Placed("a", 5.0, 9, np.array([[10.0, 15.0]], np.float32)), 2.0)
    >>> found.points.tolist(), found.offset_s
    ([[5.0, 15.0]], 5.0)
    """
    points = found.points.copy()
    points[:, 0] /= speed
    return replace(found, points=points)
