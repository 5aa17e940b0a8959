"""A picture of a collection's passages: each a point, those about the same thing near each other.

The first two principal components of the first dense vectors that the speech encoder makes. Nothing random is in it:
the same passages give the same picture.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import Passage, Recording
from speechsearch.library.library import Library, is_nothing

MOST_POINTS = 3_000
KEPT_MAPS = 8


@dataclass(frozen=True, slots=True)
class MapPoint:
    """A passage on the map; ``x`` and ``y`` lie in [-1, 1]."""

    passage: Passage
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class PassageMap:
    """The map of a collection.

    ``points`` are all of its ``passages`` with a vector, or an even sample; ``variance_share`` says how much of the
    vectors' variance the two axes show; ``recordings`` has those of the points by id.
    """

    points: tuple[MapPoint, ...]
    recordings: dict[str, Recording]
    passages: int
    variance_share: float


def even_sample(count: int, most: int) -> list[int]:
    """Return at most ``most`` of the numbers below ``count``, evenly spread.

    >>> even_sample(3, 5), even_sample(10, 4)
    ([0, 1, 2], [0, 2, 5, 7])
    """
    if count <= most:
        return list(range(count))
    return [number * count // most for number in range(most)]


def principal_plane(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Return where vectors lie on their first two principal axes, (n, 2) in [-1, 1], and the share of variance shown.

    ``vectors``: (n, dim). Each axis points to where its largest weight is positive, whatever the solver returns.

    >>> places, share = principal_plane(np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0], [4, 2, 0]], np.float32))
    >>> places.round(2).tolist(), round(share, 6)
    ([[-1.0, -0.5], [1.0, -0.5], [-1.0, 0.5], [1.0, 0.5]], 1.0)
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    variances, axes = np.linalg.eigh(centred.T @ centred)
    plane = axes[:, ::-1][:, :2]
    plane = plane * np.where(plane[np.abs(plane).argmax(axis=0), np.arange(plane.shape[1])] < 0, -1.0, 1.0)
    places = centred @ plane
    total = float(np.maximum(variances, 0.0).sum())
    if total < 1e-12 * max(1, len(vectors)):
        return np.zeros((len(vectors), 2)), 0.0
    return places / np.abs(places).max(), float(np.maximum(variances[-2:], 0.0).sum() / total)


class PassageMaps:
    """The maps of a library's collections, each made when it is first asked for and again after a change."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._made: OrderedDict[tuple[int, str], PassageMap] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, collection: str) -> PassageMap:
        """Return the map of a collection, by its name in the store."""
        with self._lock:
            key = (self._library.version, collection)
            if key not in self._made:
                self._made[key] = self._make(collection)
            self._made.move_to_end(key)
            while len(self._made) > KEPT_MAPS:
                self._made.popitem(last=False)
            return self._made[key]

    def _make(self, collection: str) -> PassageMap:
        store, encoder = self._library.store, self._library.makers.speech_encoder
        passages = store.passages.within(collection)
        dense = next((channel.name for channel in encoder.channels if channel.kind == "dense"), "")
        maker = (dense, encoder.fingerprint)
        made = {one.recording_id for one in store.passages.encodings() if (one.channel, one.fingerprint) == maker}
        ready = [passage for passage in passages if passage.recording_id in made]
        chosen = [ready[number] for number in even_sample(len(ready), MOST_POINTS)]
        vectors = store.passages.vectors(dense, [passage.passage_id for passage in chosen])
        drawn = [passage for passage in chosen if not is_nothing(vectors.get(passage.passage_id, _NO_VECTOR))]
        if not drawn:
            return PassageMap((), {}, len(passages), 0.0)
        places, share = principal_plane(np.stack([_dense(vectors[passage.passage_id]) for passage in drawn]))
        return PassageMap(
            tuple(MapPoint(passage, float(x), float(y)) for passage, (x, y) in zip(drawn, places, strict=True)),
            _recordings(store.recordings.find(collection), drawn),
            len(passages),
            share,
        )


_NO_VECTOR = np.zeros(1, np.float32)


def _dense(vector: object) -> NDArray[np.float32]:
    assert isinstance(vector, np.ndarray), "the channel is dense"
    return vector


def _recordings(recordings: Sequence[Recording], passages: Sequence[Passage]) -> dict[str, Recording]:
    wanted = {passage.recording_id for passage in passages}
    return {one.recording_id: one for one in recordings if one.recording_id in wanted}
