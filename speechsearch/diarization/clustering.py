"""Put windows of speech together by voice.

Windows are joined from below (average linkage by cosine) while they are surely of one voice. Then voices that are heard
too shortly are given to the others, and voices whose means are alike become one: a mean of many windows is known
better than any window, so that the second threshold can be higher than the first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import FloatMatrix

Labels = NDArray[np.intp]
"""The voice of every window, (windows,), from 0 on."""

WINDOWS_ALIKE = 0.64
"""Groups of windows are joined while the mean cosine between them is this or more."""
VOICES_ALIKE = 0.85
"""Voices whose means have this cosine or more are one."""
SAME_PERSON = 0.85
"""Voices of two recordings are one person's from this cosine on.

GE2E, 45 s of each: .13 % of 22,293 pairs of different people pass (29 pairs), 4.7 % of 150 pairs of one person in two
recordings (7, six people) do not; at .80 it is .71 % and .7 %. ``python -m benchmarks.diarization DATA``.
"""
FEWEST_WINDOWS = 7
"""A voice of fewer is no voice of its own."""
MOST_CLUSTERED = 2_000
"""Of a long recording, so many windows are clustered, evenly taken; all others go to the nearest voice."""
MOST_LEFT = 20
"""Where their number is given, so many groups of a few windows may be left over beside the voices."""
ROUNDS = 5
"""How often at most windows are given to the nearest voice, and the voices' means computed anew."""


def cluster(vectors: FloatMatrix, speakers: int | None = None) -> Labels:
    """Return the voice of every window; ``speakers``: how many there are at most, found where None.

    ``vectors``: (windows, dim) float32 of unit length.

    >>> vectors = np.float32([[1, 0], [0.99, 0.1], [0, 1], [0.1, 0.99]])
    >>> cluster(vectors, 2).tolist(), cluster(vectors).tolist()
    ([0, 0, 1, 1], [0, 0, 0, 0])
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(vectors) < 2:
        return np.zeros(len(vectors), np.intp)
    chosen = np.linspace(0, len(vectors) - 1, min(len(vectors), MOST_CLUSTERED)).astype(np.intp)
    some = vectors[chosen]
    tree = linkage(some, "average", metric="cosine")
    labels = merged(some, fcluster(tree, 1 - WINDOWS_ALIKE, "distance") - 1, speakers)
    labels = merged(some, settled(some, labels), speakers)
    if speakers is not None and labels.max() + 1 < speakers:
        labels = settled(some, divided(some, tree, speakers))
    return nearest(vectors, centroids_of(some, labels))


def divided(vectors: FloatMatrix, tree: NDArray[np.float64], speakers: int) -> Labels:
    """Return labels of so many voices, if there are that many of enough windows; what is left goes to the nearest."""
    from scipy.cluster.hierarchy import fcluster

    for groups in range(speakers, min(len(vectors), speakers + MOST_LEFT) + 1):
        labels: Labels = fcluster(tree, groups, "maxclust") - 1
        counts = np.bincount(labels)
        kept = np.argsort(-counts, kind="stable")[:speakers]
        if counts[kept[-1]] >= FEWEST_WINDOWS:
            return nearest(vectors, centroids_of(vectors, labels)[kept])
    rest: Labels = fcluster(tree, speakers, "maxclust") - 1
    return rest


def merged(vectors: FloatMatrix, labels: Labels, speakers: int | None = None) -> Labels:
    """Return labels without voices of few windows, and with one for voices that sound alike.

    Where their number is given, those that are most alike become one until there are no more, and no fewer.
    """
    while True:
        labels = compact(labels)
        counts = np.bincount(labels)
        if len(counts) == 1:
            return labels
        centroids = centroids_of(vectors, labels)
        rarest = int(counts.argmin())
        if counts[rarest] < FEWEST_WINDOWS:
            others = np.delete(np.arange(len(counts)), rarest)
            own = labels == rarest
            labels[own] = others[nearest(vectors[own], centroids[others])]
            continue
        alike = centroids @ centroids.T - 2 * np.eye(len(counts), dtype=np.float32)
        one, other = np.unravel_index(int(alike.argmax()), alike.shape)
        is_done = alike[one, other] < VOICES_ALIKE if speakers is None else len(counts) <= speakers
        if is_done:
            return labels
        labels[labels == other] = one


def settled(vectors: FloatMatrix, labels: Labels) -> Labels:
    """Return labels after windows went to the nearest voice until nothing changes."""
    for _ in range(ROUNDS):
        found = compact(nearest(vectors, centroids_of(vectors, labels)))
        if np.array_equal(found, labels):
            break
        labels = found
    return labels


def nearest(vectors: FloatMatrix, centroids: FloatMatrix) -> Labels:
    """Return the voice that each window is most like."""
    found: Labels = (vectors @ centroids.T).argmax(axis=1)
    return found


def centroids_of(vectors: FloatMatrix, labels: Labels) -> FloatMatrix:
    """Return the mean of every voice's windows, (voices, dim) float32 of unit length."""
    sums = np.zeros((int(labels.max(initial=-1)) + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, labels, vectors)
    means: FloatMatrix = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.float32(1e-12))
    return means


def compact(labels: Labels) -> Labels:
    """Return the same groups numbered from 0 on.

    >>> compact(np.array([7, 3, 7, 9])).tolist()
    [1, 0, 1, 2]
    """
    found: Labels = np.unique(labels, return_inverse=True)[1]
    return found
