"""The two lengths of Whisper's windows, the holes it leaves in them, and the times of words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from speechsearch.domain.values import SAMPLE_RATE_HZ, Word
from speechsearch.models.windows import TICK_S, Window, quietest_s

SHORT_S, LONG_S = 15, 30
"""The two lengths of windows. Whisper was trained on the longer; in the shorter, which has to end in silence, it makes
no more mistakes in half the time (docs/training-log.md)."""
QUIET_END_S = 1.5
LONGEST_WORD_S = 3.0
"""The times of words have no gaps, so a longer one stands for a stretch of sound that was left out, or for a pause."""
SHORTEST_HALVED_S = 4.0


def padded_s(window: Window) -> int:
    """Return how long a window is with the silence that Whisper hears after it.

    >>> import numpy as np
    >>> [padded_s(Window(0, 0.0, np.zeros(n * SAMPLE_RATE_HZ, np.float32))) for n in (13, 14)]
    [15, 30]
    """
    return SHORT_S if window.duration_s <= SHORT_S - QUIET_END_S else LONG_S


def halves(window: Window) -> tuple[Window, ...]:
    """Return two windows instead of one, cut where it is quietest near the middle; none where it is short already.

    >>> import numpy as np
    >>> [half.start_s for half in halves(Window(0, 5.0, np.ones(10 * SAMPLE_RATE_HZ, np.float32)))]
    [5.0, 8.5]
    """
    if window.duration_s < SHORTEST_HALVED_S:
        return ()
    cut_s = quietest_s(window.samples, window.duration_s / 2)
    cut = round(cut_s * SAMPLE_RATE_HZ)
    return (
        Window(window.place, window.start_s, window.samples[:cut]),
        Window(window.place, round(window.start_s + cut_s, 2), window.samples[cut:]),
    )


def has_hole(window: Window, words: Sequence[Word]) -> bool:
    """Return whether seconds of a window are without words: inside a word that is too long, or after the last.

    >>> import numpy as np
    >>> has_hole(Window(0, 0.0, np.ones(6 * SAMPLE_RATE_HZ, np.float32)), [Word("us", 0.2, 0.5)])
    True
    """
    lengths_s = [word.end_s - word.start_s for word in words]
    last_s = words[-1].end_s - window.start_s if words else 0.0
    return max(*lengths_s, window.duration_s - last_s, 0.0) > LONGEST_WORD_S


def timed_words(window: Window, aligned: Iterable[Mapping[str, Any]]) -> list[Word]:
    """Return words with their times in the passage: ascending, each longer than nothing, inside the window.

    >>> import numpy as np
    >>> window = Window(0, 10.0, np.zeros(SAMPLE_RATE_HZ, np.float32))
    >>> timed_words(window, [{"word": " Hi,", "start": 0.2, "end": 0.2}, {"word": " you", "start": 0.1, "end": 1.5}])
    [Word(text='Hi,', start_s=10.2, end_s=10.22), Word(text='you', start_s=10.2, end_s=11.0)]
    """
    words: list[Word] = []
    earliest_s, latest_s = 0.0, int(window.duration_s * 100) / 100
    for one in aligned:
        text = "".join(one["word"].split())
        if text:
            start_s = min(max(float(one["start"]), earliest_s), latest_s - TICK_S)
            end_s = min(max(float(one["end"]), start_s + TICK_S), latest_s)
            words.append(Word(text, round(window.start_s + start_s, 2), round(window.start_s + end_s, 2)))
            earliest_s = start_s
    return words
