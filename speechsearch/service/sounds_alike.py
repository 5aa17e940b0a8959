"""What sounds alike: the windows of a library's recordings in one matrix, kept in step with its database."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.alike import Nearest
from speechsearch.domain.errors import CapabilityError
from speechsearch.domain.values import Audio, FloatMatrix, Span
from speechsearch.library.fourth_pass import HOP_S, embedded, is_silent, windows
from speechsearch.library.library import Library
from speechsearch.models.base import SoundEmbedder
from speechsearch.models.combiner import Combiner
from speechsearch.retrieval.likeness import alike, nearest

Item = TypeVar("Item")
MOST_ASKED = 12
"""So many windows of what is asked are compared, evenly taken."""
MISSING = "Set SPEECHSEARCH_ENGINES__SOUND_EMBEDDER to one that is installed: python -m speechsearch models"


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The recordings, where the windows of each begin, and all windows: (windows, dim) float32."""

    names: tuple[str, ...]
    starts: NDArray[np.intp]
    windows: FloatMatrix

    def of(self, place: int) -> slice:
        """Return which windows are those of a recording."""
        last = place + 1 == len(self.names)
        return slice(int(self.starts[place]), len(self.windows) if last else int(self.starts[place + 1]))


@dataclass(frozen=True, slots=True, eq=False)
class AskedWindows:
    """Windows that are asked: ``vectors`` (n, dim) float32 of unit length, and when each begins."""

    vectors: FloatMatrix
    starts_s: Sequence[float]


@dataclass(frozen=True, slots=True)
class Sounding:
    """A recording that sounds alike: how much, and which windows most."""

    name: str
    score: float
    nearest: tuple[Nearest, ...]


class SoundsAlike:
    """Finds recordings by what they sound like; 1 KB of memory a window, from the first question on."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._table: _Table | None = None
        self._version: tuple[int, int] | None = None
        self._lock = threading.Lock()
        # Who comes alone waits for nobody; those who come meanwhile are heard together.
        self._embed = Combiner[Audio, FloatMatrix](lambda sounds: list(self._embedder.embed(sounds)), at_once=1)

    @property
    def _embedder(self) -> SoundEmbedder:
        """The sound embedder. Raises CapabilityError: there is none."""
        embedder = self._library.makers.sound_embedder
        if embedder is None:
            raise CapabilityError("There is no sound embedder here, so nothing is found that sounds alike.", MISSING)
        return embedder

    @property
    def window_s(self) -> float:
        """How long a window is, in seconds. Raises CapabilityError: there is no embedder."""
        return self._embedder.window_s

    def embed(self, sound: Audio) -> FloatMatrix:
        """Return the unit vector of a sound, (dim,) float32; requests that wait together are heard together.

        Raises:
            CapabilityError: there is no embedder.
        """
        return self._embed(sound)

    def asked(self, sound: Audio, start_s: float = 0.0) -> AskedWindows:
        """Return a sound's windows, but silent ones; it begins at ``start_s``. Raises CapabilityError."""
        found = enumerate(windows(iter([sound]), self._embedder.window_s))
        heard = even([(start_s + number * HOP_S, one) for number, one in found if not is_silent(one)])
        sounds, starts_s = [one for _, one in heard], [at_s for at_s, _ in heard]
        if len(sounds) == 1:
            return AskedWindows(self.embed(sounds[0])[None], starts_s)
        return AskedWindows(embedded(self._embedder, iter(sounds)), starts_s)

    def kept(self, recording_id: str, span: Span | None = None) -> AskedWindows:
        """Return what is kept of a recording's windows (of a stretch), but silent ones; nothing where nothing is."""
        made_by = self._library.makers.embedded_by
        found = self._library.store.sounds.windows([recording_id], made_by).get(recording_id) if made_by else None
        if found is None:
            return AskedWindows(np.zeros((0, 1), np.float32), ())
        places = np.flatnonzero(found.vectors.any(axis=1))
        if span is not None:
            first = int(span.start_s // found.hop_s)
            places = places[(places >= first) & (places < max(first + 1, int(span.end_s // found.hop_s)))]
        chosen = even(places.tolist())
        return AskedWindows(found.vectors[chosen], [place * found.hop_s for place in chosen])

    def find(self, asked: AskedWindows, limit: int, allowed: frozenset[str]) -> list[Sounding]:
        """Return which of the allowed recordings sound most like what is asked, the best first."""
        table = self._ready()
        if not len(asked.vectors) or not table.names:
            return []
        found = alike(asked.vectors, table.windows, table.starts)
        scores = np.where([name in allowed for name in table.names], found.scores, -np.inf)
        best = [int(place) for place in np.argsort(-scores, kind="stable")[:limit] if np.isfinite(scores[place])]
        return [
            Sounding(table.names[one], float(scores[one]), nearest(found.cosines[table.of(one)], asked.starts_s, HOP_S))
            for one in best
        ]

    def means(self, names: Sequence[str]) -> FloatMatrix:
        """Return what whole recordings sound like, (names, dim) of unit length; zeros for those that are not kept."""
        table = self._ready()
        places = {name: place for place, name in enumerate(table.names)}
        rows = np.zeros((len(names), table.windows.shape[1]), np.float32)
        for row, name in enumerate(names):
            if name in places:
                mean = table.windows[table.of(places[name])].mean(axis=0)
                rows[row] = mean / max(1e-9, float(np.linalg.norm(mean)))
        return rows

    def counts(self, allowed: frozenset[str]) -> tuple[int, int]:
        """Return how many of the allowed recordings can be found, and how many windows they have."""
        table = self._ready()
        places = [place for place, name in enumerate(table.names) if name in allowed]
        return len(places), sum(table.of(place).stop - table.of(place).start for place in places)

    def _ready(self) -> _Table:
        """Return the table of what the database has now."""
        library = self._library
        made_by = library.makers.embedded_by
        with self._lock:
            version = (library.version, library.sounds_version)
            if self._table is None or version != self._version:
                there = library.store.sounds.with_windows(made_by) if made_by else set()
                before = self._table or _Table((), np.zeros(0, np.intp), np.zeros((0, 1), np.float32))
                if there != set(before.names) or self._table is None:
                    self._table = self._changed(before, there, made_by)
                self._version = version
            return self._table

    def _changed(self, before: _Table, there: set[str], made_by: str) -> _Table:
        """Return a table with what has come and without what is gone."""
        parts = {name: before.windows[before.of(place)] for place, name in enumerate(before.names) if name in there}
        fresh = self._library.store.sounds.windows(sorted(there - parts.keys()), made_by)
        parts |= {name: one.vectors for name, one in fresh.items() if len(one.vectors)}
        lengths = [len(one) for one in parts.values()]
        starts = np.cumsum([0, *lengths])[:-1].astype(np.intp)
        stacked = np.concatenate(list(parts.values())) if parts else np.zeros((0, 1), np.float32)
        return _Table(tuple(parts), starts, stacked)


def even(items: list[Item], most: int = MOST_ASKED) -> list[Item]:
    """Return so many of the items at most, evenly taken.

    >>> even([0, 1, 2, 3, 4], 2)
    [0, 2]
    """
    return [items[place * len(items) // most] for place in range(most)] if len(items) > most else items
