"""How much alike sounds are, and how sure that is: pure functions over what was measured of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.alike import Nearest, Vote
from speechsearch.domain.values import FloatMatrix
from speechsearch.retrieval.likeness_curves import Curve
from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import STOP_WORDS, stem

CHANCE, CHANCE_A_SECOND = 2.0, 1 / 16
"""So many moments agree by chance at some offset, and so many more for every second of what is asked."""
ENOUGH = 3.0
"""Where so many times as many agree as by chance, the question is not heard at other speeds."""
MOST_SHARED, MOST_NEAREST = 8, 3
SURE, UNSURE = 0.9, 0.5
"""From the first likelihood on the fingerprint says yes, below the second no."""
MOSTLY, HARDLY = 0.7, 0.3
"""In so large a part of what both have there must be agreement, or there is too little."""
AS_LONG = 0.05
"""Recordings whose lengths differ by no larger a part are as long as each other."""


def beyond_chance(moments: int, asked_s: float) -> float:
    """Return the logarithm of how many times as many moments agree as do by chance.

    Args:
        moments: of the recording, that agree on one offset; at least one.
        asked_s: how long what was asked is: the longer, the more agree by chance.

    >>> round(beyond_chance(20, 32.0), 3)
    1.609
    """
    return math.log(moments / (CHANCE + CHANCE_A_SECOND * asked_s))


def is_enough(moments: int, asked_s: float) -> bool:
    """Say whether so much agrees that the question need not be heard at other speeds.

    >>> is_enough(8, 16.0), is_enough(9, 16.0)
    (False, True)
    """
    return beyond_chance(moments, asked_s) >= math.log(ENOUGH)


def copy_likelihood(moments: int, asked_s: float, curve: Curve) -> float:
    """Return the chance that a recording is the same as what was asked, by how many moments agree on one offset.

    >>> [round(copy_likelihood(moments, 16.0, Curve((-3.5, 5.0, 0.0))), 2) for moments in (3, 6, 30)]
    [0.03, 0.49, 1.0]
    """
    return curve.chances([beyond_chance(moments, asked_s)])[0]


class Alike(NamedTuple):
    """How much alike recordings are: ``scores`` (recordings,) float32, mean over what was asked of the best cosine."""

    scores: NDArray[np.float32]
    cosines: FloatMatrix
    """(windows, asked): of every window of the recordings with every window that was asked."""


def alike(asked: FloatMatrix, windows: FloatMatrix, starts: NDArray[np.intp]) -> Alike:
    """Return how much recordings sound like what was asked: of each of its windows the best match counts.

    Args:
        asked: (n, dim), unit vectors.
        windows: (windows, dim) of all recordings, one after the other.
        starts: (recordings,) where each begins; every recording has at least one window.

    >>> asked = np.array([[1, 0]], np.float32)
    >>> windows = np.array([[0, 1], [1, 0], [0.5, 0.75]], np.float32)
    >>> alike(asked, windows, np.array([0, 2])).scores.tolist()
    [1.0, 0.5]
    """
    cosines = windows @ asked.T
    if not len(starts):
        return Alike(np.zeros(0, np.float32), cosines)
    return Alike(np.maximum.reduceat(cosines, starts, axis=0).mean(axis=1), cosines)


def nearest(cosines: FloatMatrix, asked_s: Sequence[float], found_hop_s: float) -> tuple[Nearest, ...]:
    """Return the pairs of windows that are most alike, the best first, each window that was asked at most once.

    ``cosines``: (windows of the found one, windows that were asked). ``asked_s``: when each of these begins.

    >>> [(one.asked_s, one.found_s) for one in nearest(np.array([[0.1, 0.9], [0.8, 0.2]], np.float32), (0, 15), 5.0)]
    [(15, 0.0), (0, 5.0)]
    """
    best = cosines.argmax(axis=0).tolist()
    found = [
        Nearest(start_s, row * found_hop_s, float(cosines[row, place]))
        for place, (start_s, row) in enumerate(zip(asked_s, best, strict=True))
    ]
    return tuple(sorted(found, key=lambda one: -one.cosine)[:MOST_NEAREST])


def shared_words(asked: str, found: str) -> tuple[str, ...]:
    """Return the words of the second text that the first has too, without those that say little, long ones first.

    >>> shared_words("He built the bridges.", "A bridge was built here: bridges!")
    ('bridge', 'built')
    """
    known = {stem(word) for word in spoken_words(asked) if word not in STOP_WORDS}
    words: dict[str, str] = {}
    for word in spoken_words(found):
        if word not in STOP_WORDS and stem(word) in known:
            words.setdefault(stem(word), word)
    return tuple(sorted(words.values(), key=lambda word: -len(word))[:MOST_SHARED])


class Agreement(NamedTuple):
    """What was measured of two recordings.

    ``likelihood``: that they are the same, by their peaks; ``agreeing``: in how large a part of what both should have
    they agree; ``overlap_s``: how long that is; ``lengths_s``: of both; ``is_nearest``: each sounds most like the
    other; None where that was not heard.
    """

    likelihood: float
    agreeing: float
    overlap_s: float
    lengths_s: tuple[float, float]
    is_nearest: bool | None = None


def votes(found: Agreement) -> dict[str, Vote]:
    """Return what says that two recordings are one, and what does not; each may abstain.

    >>> copy = Agreement(0.99, 0.95, 58.0, (60.0, 59.0))
    >>> votes(copy)
    {'offsets': 'yes', 'length': 'yes', 'fingerprint': 'yes', 'sound': 'abstains'}
    >>> votes(Agreement(0.99, 0.2, 58.0, (600.0, 58.0), True))
    {'offsets': 'no', 'length': 'abstains', 'fingerprint': 'yes', 'sound': 'yes'}
    """
    shorter_s, longer_s = sorted(found.lengths_s)
    is_as_long = shorter_s >= (1 - AS_LONG) * longer_s
    is_apart = found.overlap_s < MOSTLY * shorter_s
    return {
        "offsets": _vote(found.agreeing, MOSTLY, HARDLY),
        "length": "no" if is_apart else "yes" if is_as_long else "abstains",
        "fingerprint": _vote(found.likelihood, SURE, UNSURE),
        "sound": "yes" if found.is_nearest else "abstains",
    }


def _vote(share: float, enough: float, too_little: float) -> Vote:
    return "yes" if share >= enough else "no" if share < too_little else "abstains"


def are_one(given: Mapping[str, Vote]) -> bool:
    """Say whether two recordings are one: two say so and nothing speaks against it. When in doubt they are two.

    >>> are_one({"offsets": "yes", "length": "abstains", "fingerprint": "yes", "sound": "abstains"})
    True
    >>> are_one({"offsets": "abstains", "length": "yes", "fingerprint": "no", "sound": "yes"})
    False
    """
    said = list(given.values())
    return said.count("yes") >= 2 and "no" not in said
