"""Duplicates: recordings that are there twice, whole or in part, and what their owner says of them.

Several signs propose and confirm a pair, each of which may abstain; where they do not agree, it is none. Nothing is
deleted here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from speechsearch.audio.landmarks import PAIRS_ASKED, Placed, pairs, shared, stretches
from speechsearch.domain.alike import Constellation, DuplicatePair, Verdict
from speechsearch.domain.errors import CapabilityError, InputError, NotAllowedError, TooManyError
from speechsearch.domain.progress import Progress, ProgressCallback
from speechsearch.domain.values import Recording
from speechsearch.domain.visitors import LOCAL, Visitor, shown_name
from speechsearch.library.library import Library
from speechsearch.retrieval.likeness import Agreement, are_one, copy_likelihood, votes
from speechsearch.retrieval.likeness_curves import Curve, Curves
from speechsearch.service.browse import Browse
from speechsearch.service.copies import Copies
from speechsearch.service.sounds_alike import SoundsAlike

EXCERPT_S, EXCERPTS = 12.0, (0.15, 0.5, 0.85)
"""So long a stretch, at these parts of a recording, is looked for in the others."""
FEWEST_MOMENTS = 5
"""Where fewer agree, nothing is proposed."""
MOST_LIKE, NEAR = 3, 0.95
"""So many recordings that sound like another one are proposed, if their cosine is so high."""
STRETCH_S = 5.0
AT_ONCE = 256
"""So many recordings are read, or compared, together."""
PATIENCE_S = 60.0

Pair = tuple[str, str]


class Duplicates:
    """Finds what is there twice, and keeps what is said about it.

    Args:
        library: what is looked through.
        browse: knows what a visitor sees.
        copies, sounds: the landmarks and the windows of the library.
        curves: how likely copies are.
    """

    def __init__(self, library: Library, browse: Browse, copies: Copies, sounds: SoundsAlike, curves: Curves) -> None:
        self._library, self._browse, self._copies, self._sounds = library, browse, copies, sounds
        self._curves = curves
        self._found: dict[frozenset[str], tuple[tuple[int, int], list[DuplicatePair]]] = {}
        self._lock = threading.Lock()

    def find(
        self, collection: str = "", visitor: Visitor = LOCAL, progress: ProgressCallback | None = None
    ) -> list[DuplicatePair]:
        """Return the pairs of a collection, or of all that the visitor sees, the surest first; not what was judged.

        Raises:
            NotFoundError: there is no such collection.
            CapabilityError: copies are not looked for here.
            TooManyError: somebody else looks for some, and that takes long.
        """
        if not self._library.makers.has_peaks:
            raise CapabilityError("Copies are not looked for here.", "Set SPEECHSEARCH_ENGINES__FINDS_COPIES to true.")
        recordings = {one.recording_id: one for one in self._browse.recordings(collection or None, visitor)}
        judged = self._library.store.sounds.verdicts()
        changeable = frozenset(one.recording_id for one in recordings.values() if visitor.may_change(one.collection))
        return [
            replace(one, may_change=changeable & {one.first.recording_id, one.second.recording_id})
            for one in self._all(recordings, progress)
            if key_of(one.first.recording_id, one.second.recording_id) not in judged
        ]

    def judge(self, one_id: str, other_id: str, verdict: Verdict | None, visitor: Visitor = LOCAL) -> None:
        """Keep that both recordings of a pair are to stay, so that it is not shown again; None: forget it.

        Raises:
            NotFoundError: there is no such recording for the visitor.
            NotAllowedError: it is not the visitor's to say.
            InputError: they are one and the same.
        """
        if one_id == other_id:
            raise InputError("A recording is no duplicate of itself.", "Name two.")
        for name in (one_id, other_id):
            recording = self._browse.recording(name, visitor)
            if not visitor.may_change(recording.collection):
                raise NotAllowedError(
                    f"The collection '{shown_name(recording.collection)}' cannot be changed by visitors.",
                    "Its owner must log in.",
                )
        self._library.store.sounds.judge(one_id, other_id, verdict)

    def _all(self, recordings: Mapping[str, Recording], progress: ProgressCallback | None) -> list[DuplicatePair]:
        """Return all pairs of some recordings; once looked for, they are known until something changes."""
        version, scope = (self._library.version, self._library.sounds_version), frozenset(recordings)
        if not self._lock.acquire(timeout=PATIENCE_S):
            raise TooManyError("Duplicates are being looked for already.", "Ask again in a minute.")
        try:
            known = self._found.get(scope)
            if known is not None and known[0] == version:
                return known[1]
            sounding = self._sounding(sorted(scope))
            proposed = sorted({*self._proposed(recordings, progress), *sounding})
            found = [one for pair in proposed for one in self._confirmed(recordings, pair, pair in sounding)]
            found.sort(key=lambda one: (-one.shared_s, one.first.recording_id, one.second.recording_id))
            self._found = {scope: (version, found)}
            return found
        finally:
            self._lock.release()

    def _proposed(self, recordings: Mapping[str, Recording], progress: ProgressCallback | None) -> Iterator[Pair]:
        """Yield pairs of which an excerpt of one is heard in the other."""
        names, done = sorted(recordings), 0
        for start in range(0, len(names), AT_ONCE):
            for name, found in self._constellations(names[start : start + AT_ONCE]).items():
                others = frozenset(names) - {name}
                for excerpt in excerpts(found):
                    for one in self._copies.find(pairs(excerpt, PAIRS_ASKED), MOST_LIKE, others):
                        if one.moments >= FEWEST_MOMENTS:
                            yield key_of(name, one.name)
                done += 1
                if progress:
                    progress(Progress("duplicates", recordings[name].title, done, len(names)))

    def _sounding(self, names: Sequence[str]) -> set[Pair]:
        """Return the pairs of recordings each of which sounds, as a whole, most like the other."""
        if self._library.makers.sound_embedder is None or len(names) < 2:
            return set()
        means = self._sounds.means(names)
        best, cosines = np.zeros(len(names), np.intp), np.zeros(len(names), np.float32)
        for start in range(0, len(names), AT_ONCE):
            rows = np.arange(start, min(start + AT_ONCE, len(names)))
            block = means[rows] @ means.T
            block[np.arange(len(rows)), rows] = -1.0
            best[rows], cosines[rows] = block.argmax(axis=1), block.max(axis=1)
        return {
            key_of(names[row], names[other])
            for row, other in enumerate(best.tolist())
            if best[other] == row and cosines[row] >= NEAR
        }

    def _confirmed(
        self, recordings: Mapping[str, Recording], pair: Pair, sounds_alike: bool
    ) -> Iterator[DuplicatePair]:
        """Yield the pair if it is one."""
        found = self._constellations(pair)
        if len(found) < len(pair):
            return
        long_id, short_id = sorted(pair, key=lambda name: -found[name].length)
        placed = shared(found[long_id], found[short_id])
        if placed is None:
            return
        curve = self._curves.needed("recording", self._library.makers.peaks_by)
        measured = agreement(found[long_id], found[short_id], placed, sounds_alike, curve)
        given = votes(measured)
        if are_one(given):
            first, second = recordings[long_id], recordings[short_id]
            yield DuplicatePair(
                first, second, placed.offset_s, measured.overlap_s, measured.likelihood, given, placed.points
            )

    def _constellations(self, names: Sequence[str]) -> dict[str, Constellation]:
        return self._library.store.sounds.constellations(names, self._library.makers.peaks_by)


def key_of(one_id: str, other_id: str) -> Pair:
    """Return the key of a pair, whichever comes first.

    >>> key_of("b", "a")
    ('a', 'b')
    """
    return (one_id, other_id) if one_id < other_id else (other_id, one_id)


def excerpts(found: Constellation) -> Iterator[Constellation]:
    """Yield stretches of a recording, all of it where it is short."""
    if found.duration_s <= EXCERPT_S * len(EXCERPTS):
        yield found
        return
    for part in EXCERPTS:
        start_s = part * (found.duration_s - EXCERPT_S)
        yield found.between(start_s, start_s + EXCERPT_S)


def overlap_s(long: Constellation, short: Constellation, placed: Placed) -> float:
    """Return how long both recordings last together, the second where it stands in the first."""
    first_s, last_s = max(0.0, -placed.offset_s), min(short.duration_s, long.duration_s - placed.offset_s)
    return max(0.0, last_s - first_s)


def agreement(long: Constellation, short: Constellation, placed: Placed, sounds_alike: bool, curve: Curve) -> Agreement:
    """Return what was measured of two recordings, the second of which stands in the first."""
    both_s = overlap_s(long, short, placed)
    parts = max(1.0, both_s / STRETCH_S)
    return Agreement(
        copy_likelihood(placed.moments, both_s, curve),
        min(1.0, stretches(placed.points, STRETCH_S) / parts),
        both_s,
        (long.duration_s, short.duration_s),
        sounds_alike or None,
    )
