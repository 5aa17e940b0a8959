"""Recordings and passages to put into a database, and short ways to do so."""

from __future__ import annotations

import numpy as np

from speechsearch.domain.values import (
    Passage,
    PhonemeTrack,
    Recording,
    Span,
    SparseVector,
    Transcript,
    Word,
    passage_id,
)
from speechsearch.store import StoredPassage

TALK = Recording("a" * 64, "talks", "A talk", 60.0, "talk.mp3", "Ada", "2024-05-01", "en", "CC0", "https://example.org")
MADE_BY = {"adapter": "encoder-1", "phonetic": "encoder-1"}


def stored_passages(recording, count, length_s=10.0, seed=0):
    random = np.random.default_rng(seed)
    for number in range(count):
        span = Span(number * length_s, (number + 1) * length_s)
        passage = Passage(passage_id(recording.recording_id, span), recording.recording_id, span)
        terms = np.unique(random.integers(0, 59_319, 250)).astype(np.uint32)
        vectors = {
            "adapter": random.standard_normal(384).astype(np.float32),
            "phonetic": SparseVector(terms, random.random(len(terms)).astype(np.float32)),
        }
        symbols, losses = random.integers(1, 40, (2, number + 1, 3)).astype(np.uint8)
        yield StoredPassage(passage, vectors, PhonemeTrack(symbols, losses, np.arange(number + 1, dtype=np.float32)))


def save(store, recording, media_name, passages, fingerprint, made_by=MADE_BY, **options):
    """Save a recording that one encoder has heard."""
    return store.recordings.save(recording, media_name, passages, fingerprint, made_by, **options)


def write_down(store, recording, passages, name="mini", fingerprint="mini-1", encoder="text-1", text="words"):
    """Save transcripts of some passages with their vectors; return them by passage id."""
    said = {
        stored.passage.passage_id: Transcript(f"{text} {number}", name, (Word("words", 0.0, 0.5),))
        for number, stored in enumerate(passages)
    }
    channel = f"meaning@{name}"
    vectors = [StoredPassage(stored.passage, {channel: np.ones(4, np.float32)}) for stored in passages]
    store.transcripts.save(recording.recording_id, said, fingerprint, vectors, {channel: f"{fingerprint}+{encoder}"})
    return said


def ids_of(passages):
    return [stored.passage.passage_id for stored in passages]


def assert_same(ours, theirs):
    assert [stored.passage for stored in ours] == [stored.passage for stored in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one.vectors.keys() == other.vectors.keys()
        assert np.array_equal(one.track.symbols, other.track.symbols)
        assert np.array_equal(one.track.losses, other.track.losses)
        assert np.array_equal(one.track.starts_s, other.track.starts_s)
        assert np.array_equal(one.vectors["adapter"], other.vectors["adapter"])
        assert np.array_equal(one.vectors["phonetic"].indices, other.vectors["phonetic"].indices)
        assert np.array_equal(one.vectors["phonetic"].values, other.vectors["phonetic"].values)
