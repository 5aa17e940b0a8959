"""Between values and rows: pure, and it refuses what a database cannot keep."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from speechsearch.domain.errors import InputError, StoreError
from speechsearch.domain.values import Passage, PhonemeTrack, Recording, Span, SparseVector, Transcript, Vector, Word
from speechsearch.store.records import StoredPassage

LARGEST_NAME = 200
LARGEST_TEXT = 100_000
DESCRIBED = ("title", "speaker", "date", "language", "licence", "source")
"""What people say about a recording."""


def checked_text(value: str, what: str, longest: int = LARGEST_TEXT) -> str:
    r"""Return text that every database can keep.

    Raises:
        InputError: it is too long, or has NUL or half of a surrogate pair in it.

    >>> checked_text("Žofie's \u202b talk", "title")
    "Žofie's \u202b talk"
    """
    if len(value) > longest:
        raise InputError(f"The {what} has {len(value)} characters, more than {longest}: {value[:40]!r}...")
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value):
        raise InputError(f"The {what} has characters that cannot be kept: {value[:80]!r}")
    return value


def checked_name(value: str, what: str) -> str:
    """Return text that can be a key: as ``checked_text``, not blank, at most 200 characters.

    Raises:
        InputError: it cannot.
    """
    if not value.strip():
        raise InputError(f"The {what} is empty.")
    return checked_text(value, what, LARGEST_NAME)


def collection_row(name: str, description: str, licence: str, source: str) -> dict[str, str]:
    """Return the row of a collection.

    Raises:
        InputError: text that cannot be kept.
    """
    return {
        "name": checked_name(name, "collection's name"),
        "description": checked_text(description, "description"),
        "licence": checked_text(licence, "licence"),
        "source": checked_text(source, "source"),
    }


def recording_row(recording: Recording, media_name: str) -> dict[str, Any]:
    """Return the row of a recording.

    Raises:
        InputError: a field cannot be kept, or the media name is a path.
    """
    row: dict[str, Any] = {**asdict(recording), "media_name": media_name}
    for key, value in row.items():
        if isinstance(value, str):
            checked_text(value, key.replace("_", " "))
    checked_name(recording.recording_id, "recording id")
    checked_name(recording.collection, "collection's name")
    checked_name(media_name, "media name")
    if media_name in (".", "..") or "/" in media_name or "\\" in media_name:
        raise InputError(f"{media_name!r} is a path, not a media name.")
    if not math.isfinite(recording.duration_s) or recording.duration_s < 0:
        raise InputError(f"A recording cannot last {recording.duration_s} s.")
    return row


def described_json(described: Mapping[str, str]) -> str:
    """Return what was said about a recording as JSON.

    Raises:
        InputError: text that cannot be kept.
    """
    said = {name: checked_text(value, name) for name, value in described.items() if name in DESCRIBED}
    return json.dumps(said, ensure_ascii=False)


def recording_of(row: Any) -> Recording:
    """Return the recording of a row."""
    return Recording(**{name: getattr(row, name) for name in Recording.__dataclass_fields__})


def passage_row(passage: Passage, recording_id: str) -> dict[str, Any]:
    """Return the row of a recording's passage.

    Raises:
        InputError: it is of another recording, or its times are not in order.
    """
    span = passage.span
    if passage.recording_id != recording_id:
        raise InputError(f"Passage {passage.passage_id} is of another recording: {passage.recording_id!r:.80}.")
    if not (math.isfinite(span.start_s) and math.isfinite(span.end_s) and 0 <= span.start_s < span.end_s):
        raise InputError(f"A passage cannot go from {span.start_s} s to {span.end_s} s.")
    checked_name(passage.passage_id, "passage id")
    return {
        "passage_id": passage.passage_id,
        "recording_id": recording_id,
        "start_s": float(span.start_s),
        "end_s": float(span.end_s),
    }


def passage_of(row: Any) -> Passage:
    """Return the passage of a row."""
    return Passage(row.passage_id, row.recording_id, Span(row.start_s, row.end_s))


def vector_rows(stored: StoredPassage) -> list[dict[str, Any]]:
    """Return the rows of a passage's vectors."""
    passage_id = stored.passage.passage_id
    return [
        {"passage_id": passage_id, "name": checked_name(name, "vector's name"), **vector_bytes(vector)}
        for name, vector in stored.vectors.items()
    ]


def vector_bytes(vector: Vector) -> dict[str, bytes | None]:
    r"""Return a vector as bytes: little-endian float32 weights and, if sparse, uint32 terms.

    Raises:
        InputError: it has no such form, or weights that are not finite.

    >>> vector_bytes(np.array([1.0, -2.0], np.float32))
    {'weights': b'\x00\x00\x80?\x00\x00\x00\xc0', 'terms': None}
    """
    weights = np.asarray(vector.values if isinstance(vector, SparseVector) else vector, dtype="<f4")
    if weights.ndim != 1 or not np.isfinite(weights).all():
        raise InputError(f"A vector of shape {weights.shape} is not one row of finite numbers.")
    if not isinstance(vector, SparseVector):
        return {"weights": weights.tobytes(), "terms": None}
    terms = np.asarray(vector.indices)
    if terms.shape != weights.shape or (len(terms) and (terms.min() < 0 or terms.max() > np.iinfo(np.uint32).max)):
        raise InputError("A sparse vector needs a term number of 0 to 2^32 - 1 for each weight.")
    return {"weights": weights.tobytes(), "terms": terms.astype("<u4").tobytes()}


def vector_of(row: Any) -> Vector:
    """Return the vector of a row.

    Raises:
        StoreError: the row is damaged.
    """
    if len(row.weights) % 4 or (row.terms is not None and len(row.terms) != len(row.weights)):
        raise StoreError(f"The vector {row.name!r} of passage {row.passage_id} is damaged.", "Ingest it again.")
    weights = np.frombuffer(row.weights, dtype="<f4").astype(np.float32)
    if row.terms is None:
        return weights
    return SparseVector(np.frombuffer(row.terms, dtype="<u4").astype(np.uint32), weights)


def track_row(passage_id: str, track: PhonemeTrack) -> dict[str, Any]:
    """Return the row of what is heard in a passage.

    Raises:
        InputError: phonemes, losses and times are not equally many.
    """
    symbols, losses, starts_s = track.symbols, track.losses, track.starts_s
    if symbols.shape != losses.shape or symbols.ndim != 2 or symbols.shape[:1] != starts_s.shape:
        raise InputError(f"{symbols.shape} phonemes do not fit {losses.shape} losses and {starts_s.shape} times.")
    return {
        "passage_id": passage_id,
        "symbols": symbols.astype(np.uint8).tobytes(),
        "losses": losses.astype(np.uint8).tobytes(),
        "starts_s": starts_s.astype("<f4").tobytes(),
    }


def track_of(row: Any) -> PhonemeTrack:
    """Return what is heard in a passage from its row.

    Raises:
        StoreError: the row is damaged.
    """
    symbols, losses, starts_s = row.symbols, row.losses, row.starts_s
    frames, rest = divmod(len(starts_s), 4)
    if rest or len(symbols) != len(losses) or len(symbols) % max(1, frames) or (symbols and not frames):
        raise StoreError(f"The phonemes of passage {row.passage_id} are damaged.", "Ingest it again.")
    shape = (frames, len(symbols) // frames if frames else 0)
    return PhonemeTrack(
        np.frombuffer(symbols, np.uint8).reshape(shape),
        np.frombuffer(losses, np.uint8).reshape(shape),
        np.frombuffer(starts_s, "<f4").astype(np.float32, copy=False),
    )


def transcript_row(passage_id: str, transcript: Transcript) -> dict[str, Any]:
    """Return the row of a passage's transcript.

    Raises:
        InputError: text that cannot be kept.
    """
    words = [[checked_text(word.text, "word"), word.start_s, word.end_s] for word in transcript.words]
    return {
        "passage_id": passage_id,
        "text": checked_text(transcript.text, "transcript"),
        "recognizer": checked_text(transcript.recognizer, "recogniser's name"),
        "words": json.dumps(words, ensure_ascii=False),
    }


def transcript_of(row: Any) -> Transcript:
    """Return the transcript of a row.

    Raises:
        StoreError: the row is damaged.
    """
    try:
        words = tuple(Word(str(text), float(start_s), float(end_s)) for text, start_s, end_s in json.loads(row.words))
    except (ValueError, TypeError):
        raise StoreError(f"The transcript of passage {row.passage_id} is damaged.", "Ingest it again.") from None
    return Transcript(row.text, row.recognizer, words)
