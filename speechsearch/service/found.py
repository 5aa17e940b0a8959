"""How often recordings are found: a number each, never the questions."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from speechsearch.store import Store


class FoundCounts:
    """Counts answers in memory and writes them when they are read or the program ends, so that no search waits.

    A program that is killed loses what it had not written.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._unwritten: Counter[str] = Counter()
        self._lock = threading.Lock()

    def note(self, recording_ids: Iterable[str]) -> None:
        """Count each of the recordings once: they were likely answers to a question."""
        with self._lock:
            self._unwritten.update(set(recording_ids))

    def write(self) -> None:
        """Add what was counted to the database."""
        with self._lock:
            times, self._unwritten = self._unwritten, Counter()
        if times:
            self._store.recordings.count_found(times)
