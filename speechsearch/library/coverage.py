"""How much of the recordings an engine can search: what its channels have of them now."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from speechsearch.domain.speakers import voice_key
from speechsearch.domain.values import Coverage, Filters
from speechsearch.library.library import Library
from speechsearch.store.records import PassageCount

LONGEST_KEPT_S = 2.0
"""While transcripts are being written, counting again for every question would cost more than the question."""
SLOW_S, PATIENCE = 1.0, 20
"""Where counting takes longer, in an archive, it is done again after so many times as long at the earliest."""
MOST_KEPT = 64


@dataclass(frozen=True, slots=True)
class Share:
    """How many passages of a recording count, and how long they are together; ``numbers``: those of which voices.

    Without numbers it is all of them.
    """

    passages: int
    duration_s: float
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted at one version of the library."""

    version: tuple[int, int]
    at_s: float
    took_s: float
    recordings: dict[str, PassageCount]
    made: dict[tuple[str, str], int]
    heard: frozenset[str]
    spoken: dict[tuple[str, ...], dict[str, Share]] = field(default_factory=dict)
    """What some speakers say, by the keys under which the index has it; kept, because a question is asked twice."""
    covered: dict[tuple[tuple[str, ...], Filters], Coverage] = field(default_factory=dict)
    """What was asked for before: going through all recordings for every question would take the longer, the more."""


class CoverageTable:
    """Counts what a library has in its channels, again after changes."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._counted: Counted | None = None
        self._lock = threading.Lock()

    def of(self, channels: Sequence[str], filters: Filters) -> Coverage:
        """Return how much of what filters allow (dates left aside) has vectors in all of the channels."""
        counted = self._current()
        key = (tuple(channels), filters)
        kept = counted.covered.get(key)
        if kept is None:
            kept = self._count(counted, channels, filters)
            if len(counted.covered) >= MOST_KEPT:
                counted.covered.clear()
            counted.covered[key] = kept
        return kept

    def _count(self, counted: Counted, channels: Sequence[str], filters: Filters) -> Coverage:
        """Return what ``of`` does, counted now."""
        spoken = self._spoken(counted, filters.speakers) if filters.speakers else None
        passages = of_passages = 0
        duration_s = of_duration_s = 0.0
        for recording_id, count in counted.recordings.items():
            share = Share(count.passages, count.duration_s) if spoken is None else spoken.get(recording_id)
            if share is None or not fits(recording_id, count, filters):
                continue
            have = min((counted.made.get((recording_id, channel), 0) for channel in channels), default=0)
            if share.numbers:
                have = (
                    self._have(recording_id, share, channels) if 0 < have < count.passages else have and share.passages
                )
            passages, of_passages = passages + have, of_passages + share.passages
            duration_s += share.duration_s * have / max(1, share.passages)
            of_duration_s += share.duration_s
        return Coverage(passages, of_passages, duration_s, of_duration_s)

    def _spoken(self, counted: Counted, keys: tuple[str, ...]) -> dict[str, Share]:
        """Return recording id -> what counts of it as some speakers', by the keys that the index has."""
        kept = counted.spoken.get(keys)
        if kept is not None:
            return kept
        wanted, numbers_of = frozenset(keys), defaultdict[str, set[int]](set)
        for key in keys:
            recording, colon, number = key.rpartition(":")
            if colon and number.isdecimal():
                numbers_of[recording].add(int(number))
        whole: dict[str, Share] = {}
        parts: dict[str, frozenset[int]] = {}
        for recording_id, count in counted.recordings.items():
            numbers = numbers_of.get(voice_key(recording_id, 0).rpartition(":")[0], set())
            if 0 in numbers or (recording_id not in counted.heard and count.speaker in wanted):
                whole[recording_id] = Share(count.passages, count.duration_s)
            elif numbers and recording_id in counted.heard:
                parts[recording_id] = frozenset(numbers)
        found = self._library.store.voices.counts(parts)
        shares = whole | {one: Share(*found[one], numbers) for one, numbers in parts.items() if one in found}
        if len(counted.spoken) >= MOST_KEPT:
            counted.spoken.clear()
        counted.spoken[keys] = shares
        return shares

    def _have(self, recording_id: str, share: Share, channels: Sequence[str]) -> int:
        """Return how many passages of some voices have vectors in all channels, of a recording that not all have."""
        store = self._library.store
        numbers = store.voices.numbers_in(recording_id)
        theirs = {passage_id for passage_id, found in numbers.items() if share.numbers.intersection(found)}
        return min(len(theirs & store.passages.ids_with(recording_id, channel)) for channel in channels)

    def _current(self) -> Counted:
        library = self._library
        version, now_s = (library.version, library.transcripts_version), time.monotonic()
        with self._lock:
            kept = self._counted
            if kept is not None and (kept.version == version or self._is_fresh(kept, version, now_s)):
                return kept
            made_by = library.makers.made_by
            made = {
                (one.recording_id, one.channel): one.passages
                for one in library.store.passages.encodings()
                if one.fingerprint == made_by.get(one.channel)
            }
            heard = frozenset(library.store.voices.heard())
            recordings = library.store.passages.counts()
            done_s = time.monotonic()
            self._counted = Counted(version, done_s, done_s - now_s, recordings, made, heard)
            return self._counted

    def _is_fresh(self, kept: Counted, version: tuple[int, int], now_s: float) -> bool:
        """Say whether what was counted before a change still serves: counting is to take a small part of the time."""
        age_s = now_s - kept.at_s
        is_slow = kept.took_s > SLOW_S and age_s < PATIENCE * kept.took_s
        return is_slow or (kept.version[0] == version[0] and age_s < LONGEST_KEPT_S)


def fits(recording_id: str, count: PassageCount, filters: Filters) -> bool:
    """Say whether filters allow a recording, whoever speaks; dates are resolved to recordings before.

    >>> talk = PassageCount("talks", "Ada", "en", 3, 60.0)
    >>> fits("r1", talk, Filters(languages=("en",))), fits("r1", talk, Filters(collections=("calls",)))
    (True, False)
    """
    wanted = (
        (filters.collections, count.collection),
        (filters.recording_ids, recording_id),
        (filters.languages, count.language),
    )
    return all(value in allowed for allowed, value in wanted if allowed)
