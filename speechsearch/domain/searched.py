"""What an answer was searched in, in one line that every door says."""

from __future__ import annotations

from speechsearch.domain.times import length
from speechsearch.domain.values import Coverage, Results

SHORTEST_GAP_S = 1.0
"""Less than that missing is rounding."""


def searched_in(results: Results) -> str:
    """Return how much was searched of how much, and by what.

    >>> part, whole = Coverage(41, 67, 43_440.0, 47_400.0), Coverage(67, 67, 47_400.0, 47_400.0)
    >>> searched_in(Results("hybrid", (), False, 0, 0, coverage=part))
    '12 h 04 min of 13 h 10 min by sound'
    >>> searched_in(Results("all", (), False, 0, 0, coverage=whole, searches="both", transcripts=part))
    '13 h 10 min by sound, 12 h 04 min of it by transcript too'
    >>> searched_in(Results("asr", (), False, 0, 0, coverage=whole, searches="transcript"))
    '13 h 10 min by transcript'
    """
    amount = amount_of(results.coverage)
    if results.searches != "both":
        return f"{amount} by {results.searches}"
    if results.transcripts.duration_s >= results.coverage.duration_s - SHORTEST_GAP_S:
        return f"{amount} by sound and transcript"
    return f"{amount} by sound, {length(results.transcripts.duration_s)} of it by transcript too"


def amount_of(coverage: Coverage) -> str:
    """Return how much was searched, and of how much where that was not everything.

    >>> amount_of(Coverage(0, 0, 0.0, 0.0)), amount_of(Coverage(1, 2, 30.0, 60.0))
    ('0 s', '30 s of 1 min 00 s')
    """
    if coverage.duration_s >= coverage.of_duration_s - SHORTEST_GAP_S:
        return length(coverage.of_duration_s)
    return f"{length(coverage.duration_s)} of {length(coverage.of_duration_s)}"
