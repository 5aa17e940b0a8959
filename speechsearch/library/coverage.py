"""How much of the recordings an engine can search: what its channels have of them now."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from speechsearch.domain.values import Coverage, Filters
from speechsearch.library.library import Library
from speechsearch.store.records import PassageCount

LONGEST_KEPT_S = 2.0
"""While transcripts are being written, counting again for every question would cost more than the question."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted at one version of the library."""

    version: tuple[int, int]
    at_s: float
    recordings: dict[str, PassageCount]
    made: dict[tuple[str, str], int]


class CoverageTable:
    """Counts what a library has in its channels, again after changes."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._counted: Counted | None = None
        self._lock = threading.Lock()

    def of(self, channels: Sequence[str], filters: Filters) -> Coverage:
        """Return how much of what filters allow (dates left aside) has vectors in all of the channels."""
        counted = self._current()
        passages = of_passages = 0
        duration_s = of_duration_s = 0.0
        for recording_id, count in counted.recordings.items():
            if not fits(recording_id, count, filters):
                continue
            have = min((counted.made.get((recording_id, channel), 0) for channel in channels), default=0)
            passages, of_passages = passages + have, of_passages + count.passages
            duration_s += count.duration_s * have / max(1, count.passages)
            of_duration_s += count.duration_s
        return Coverage(passages, of_passages, duration_s, of_duration_s)

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
            self._counted = Counted(version, now_s, library.store.passages.counts(), made)
            return self._counted

    def _is_fresh(self, kept: Counted, version: tuple[int, int], now_s: float) -> bool:
        return kept.version[0] == version[0] and now_s - kept.at_s < LONGEST_KEPT_S


def fits(recording_id: str, count: PassageCount, filters: Filters) -> bool:
    """Say whether filters allow a recording; dates are resolved to recordings before.

    >>> talk = PassageCount("talks", "Ada", "en", 3, 60.0)
    >>> fits("r1", talk, Filters(speakers=("Ada",))), fits("r1", talk, Filters(collections=("calls",)))
    (True, False)
    """
    wanted = (
        (filters.collections, count.collection),
        (filters.recording_ids, recording_id),
        (filters.speakers, count.speaker),
        (filters.languages, count.language),
    )
    return all(value in allowed for allowed, value in wanted if allowed)
