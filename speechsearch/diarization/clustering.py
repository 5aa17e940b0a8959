"""Put windows of speech together by voice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from speechsearch.domain.values import FloatMatrix

SAME_VOICE = 0.7
"""Windows are of one voice while the mean cosine between two groups is this or more."""
MOST_CLUSTERED = 2_000
"""Of a long recording, so many windows are clustered, evenly taken; all others go to the nearest voice."""


def cluster(vectors: FloatMatrix, speakers: int | None = None) -> NDArray[np.intp]:
    """Return the voice of every window, (windows,) from 0 on; ``speakers``: how many there are, found where None.

    >>> cluster(np.float32([[1, 0], [0.99, 0.1], [0, 1], [0.1, 0.99]])).tolist()
    [0, 0, 1, 1]
    """
    if len(vectors) < 2:
        return np.zeros(len(vectors), np.intp)
    chosen = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), MOST_CLUSTERED)).astype(np.intp))
    tree = linkage(vectors[chosen], "average", metric="cosine")
    limit, criterion = (1 - SAME_VOICE, "distance") if speakers is None else (speakers, "maxclust")
    found = fcluster(tree, limit, criterion)
    centroids = centroids_of(vectors[chosen], found - 1)
    return in_order((vectors @ centroids.T).argmax(axis=1))


def centroids_of(vectors: FloatMatrix, labels: NDArray[np.intp]) -> FloatMatrix:
    """Return the mean of every voice's windows, (voices, dim) float32 of unit length; labels are 0 to voices - 1."""
    sums = np.zeros((int(labels.max()) + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, labels, vectors)
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    means: FloatMatrix = sums / np.maximum(norms, np.float32(1e-12))
    return means


def in_order(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return labels numbered in the order in which they first appear.

    >>> in_order(np.array([7, 3, 7, 0])).tolist()
    [0, 1, 0, 2]
    """
    _, first, places = np.unique(labels, return_index=True, return_inverse=True)
    numbers: NDArray[np.intp] = np.argsort(np.argsort(first))[places]
    return numbers
