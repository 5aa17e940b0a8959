"""What happens, counted in memory since the start; whoever shows it (``api.metrics``) reads it from here.

Labels have few values, which the program knows: an engine's name, a route's pattern, an error's code; never what
somebody asked, sent or is called.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MOST_SERIES = 1000
"""So many sets of labels a measure at most; what comes after them is counted together."""
OTHERS = "other"


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is counted: a sum, or with ``bounds`` how many values are at most each of them, too."""

    name: str
    about: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


REQUESTS = Measure("requests", "Requests that were answered, by route and status.", ("method", "route", "status"))
REQUEST_SECONDS = Measure("request_seconds", "From a request to the end of its answer.", ("route",), SECONDS)
ERRORS = Measure("errors", "Errors that programs were told, by code; 'unexpected' are faults.", ("code",))
SEARCH_SECONDS = Measure(
    "search_seconds",
    "How long a search took: its question is encoded, the index is searched, or all.",
    ("engine", "stage"),
    SECONDS,
)
SEARCHES_REFUSED = Measure("searches_refused", "Searches that ended with an error, by its code.", ("code",))
ASK_SECONDS = Measure(
    "ask_seconds",
    "How long a question took to be answered in sentences, or refused.",
    ("outcome",),
    SECONDS,
)
FILES = Measure("files", "Files that tasks have come to the end of, by what became of them.", ("state",))
SOUND_SECONDS = Measure("sound_seconds", "Seconds of sound that tasks have taken in.")
TASKS = Measure("tasks", "Tasks that have ended, by kind and state.", ("kind", "state"))


@dataclass(slots=True)
class Counted:
    """What was counted of one measure under one set of labels; ``within``: how many values up to each bound."""

    count: int = 0
    total: float = 0.0
    within: list[int] = field(default_factory=list)


class Counters:
    """Counts, from any thread.

    >>> counters = Counters()
    >>> for spent_s in (0.004, 0.246): counters.add(REQUEST_SECONDS, spent_s, route="/health")
    >>> kept = counters.read()[REQUEST_SECONDS]["/health",]
    >>> kept.count, kept.total, kept.within[:7]
    (2, 0.25, [1, 0, 0, 0, 0, 1, 0])
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: dict[Measure, dict[tuple[str, ...], Counted]] = {}

    def add(self, measure: Measure, value: float = 1.0, **labels: str) -> None:
        """Count a value. Raises KeyError for a label that is missing."""
        key = tuple(labels[name] for name in measure.labels)
        with self._lock:
            series = self._counted.setdefault(measure, {})
            if key not in series and len(series) >= MOST_SERIES:
                key = (OTHERS,) * len(key)
            kept = series.setdefault(key, Counted(within=[0] * len(measure.bounds)))
            kept.count += 1
            kept.total += value
            if (place := bisect_left(measure.bounds, value)) < len(measure.bounds):
                kept.within[place] += 1

    def read(self) -> Mapping[Measure, Mapping[tuple[str, ...], Counted]]:
        """Return a copy of all that was counted: measure -> values of its labels -> what was counted."""
        with self._lock:
            return {
                measure: {key: Counted(one.count, one.total, list(one.within)) for key, one in series.items()}
                for measure, series in self._counted.items()
            }
