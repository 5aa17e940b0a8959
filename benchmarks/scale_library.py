"""A library of any size, made out of the passages of a small one: drawn with replacement, each moved a little.

What is searched is then as dense and as sparse as real speech, and no two passages are alike; that some are nearly
alike makes ranking harder than it is in a real archive.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from speechsearch.domain.values import Passage, Recording, Span, SparseVector, Vector, passage_id
from speechsearch.index import Point
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from speechsearch.store import StoredPassage

COLLECTIONS = tuple(f"archive {number}" for number in range(10))
A_RECORDING = 200
LENGTH_S = 15.0
SPEAKERS = 100
MOVED = 0.3
"""The length of the noise that is added to a vector of length 1."""
DROPPED, SWAPPED, UNEVEN = 0.2, 0.2, 0.1
"""So much of a sparse vector's terms is left out, so much comes from another passage, and so much weights change."""


def fill(source: Path, target: Path, passages: int, seed: int = 1) -> None:
    """Make the data folder ``target`` with so many passages out of those of the data folder ``source``."""
    draw = np.random.default_rng(seed)
    with Service.open(Settings(data_dir=source)) as service:
        ids = [one.recording_id for one in service.browse.recordings()]
        real = [one for recording_id in ids for one in service.store.passages.stored(recording_id)]
    with Service.open(Settings(data_dir=target)) as service:
        for number, start in enumerate(range(0, passages, A_RECORDING)):
            take_in(service, real, draw, number, min(A_RECORDING, passages - start))
            service.library.version += 1


def take_in(service: Service, real: list[StoredPassage], draw: np.random.Generator, number: int, count: int) -> None:
    """Write a recording of so many passages to the database and the index."""
    library, recording_id = service.library, hashlib.sha256(f"scale {number}".encode()).hexdigest()
    collection, speaker = COLLECTIONS[number % len(COLLECTIONS)], f"Speaker of {number % SPEAKERS}"
    title = f"recording {number}"
    recording = Recording(recording_id, collection, title, count * LENGTH_S, f"{title}.flac", speaker, language="en")
    stored = []
    for place in range(count):
        span = Span(place * LENGTH_S, (place + 1) * LENGTH_S)
        one, other = (real[draw.integers(len(real))] for _ in range(2))
        passage = Passage(passage_id(recording_id, span), recording_id, span)
        vectors = {name: moved(draw, vector, other.vectors.get(name)) for name, vector in one.vectors.items()}
        stored.append(StoredPassage(passage, vectors, one.track))
    made_by = {name: maker for name, maker in library.makers.made_by.items() if name in real[0].vectors}
    library.store.recordings.save(recording, "none", stored, library.fingerprint, made_by, wants_transcripts=False)
    payload = {"collection": collection, "recording_id": recording_id, "speaker": (speaker,), "language": "en"}
    points = [
        Point(one.passage.passage_id, one.vectors, {**payload, "start_s": one.passage.span.start_s}) for one in stored
    ]
    library.write(points)
    library.store.journal.mark(recording_id, "done")


def moved(draw: np.random.Generator, vector: Vector, other: Vector | None) -> Vector:
    """Return a vector near one of a real passage; a sparse one with some terms of another passage."""
    if isinstance(vector, np.ndarray):
        noise = draw.standard_normal(len(vector)).astype(np.float32)
        changed = vector + np.float32(MOVED) * noise / np.linalg.norm(noise)
        return np.asarray(changed / np.linalg.norm(changed), np.float32)
    is_kept = draw.random(len(vector.indices)) >= DROPPED
    terms, weights = vector.indices[is_kept], vector.values[is_kept]
    if isinstance(other, SparseVector):
        is_taken = draw.random(len(other.indices)) < SWAPPED
        terms = np.concatenate([terms, other.indices[is_taken]])
        weights = np.concatenate([weights, other.values[is_taken]])
    distinct, first = np.unique(terms, return_index=True)
    changed = weights[first] * draw.lognormal(0, UNEVEN, len(first))  # else many would have the very same score
    return SparseVector(distinct, changed.astype(np.float32))
