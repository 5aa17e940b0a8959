"""What the store keeps, refuses and gives back."""

from types import SimpleNamespace

import numpy as np
import pytest

from speechsearch.domain.errors import InputError, StoreError
from speechsearch.domain.values import Passage, Recording, Span, SparseVector, Transcript, Word
from speechsearch.store import rows


def test_dense_and_sparse_vectors_come_back_bit_by_bit():
    random = np.random.default_rng(0)
    dense = random.standard_normal(384).astype(np.float32)
    row = SimpleNamespace(name="adapter", passage_id="p", **rows.vector_bytes(dense))
    assert rows.vector_of(row).tobytes() == dense.tobytes()
    sparse = SparseVector(np.array([0, 7, 2**32 - 1], np.uint32), random.random(3).astype(np.float32))
    back = rows.vector_of(SimpleNamespace(name="phonetic", passage_id="p", **rows.vector_bytes(sparse)))
    assert back.indices.tolist() == [0, 7, 2**32 - 1]
    assert back.values.tobytes() == sparse.values.tobytes()
    empty = SparseVector(np.empty(0, np.uint32), np.empty(0, np.float32))
    back = rows.vector_of(SimpleNamespace(name="phonetic", passage_id="p", **rows.vector_bytes(empty)))
    assert isinstance(back, SparseVector)
    assert len(back.indices) == 0


@pytest.mark.parametrize("row", [{"weights": b"123", "terms": None}, {"weights": b"1234", "terms": b"12345678"}])
def test_damaged_vectors_are_reported(row):
    with pytest.raises(StoreError, match="'adapter' of passage p is damaged"):
        rows.vector_of(SimpleNamespace(name="adapter", passage_id="p", **row))


@pytest.mark.parametrize("words", ["{", "[1]", '[["a", "b", "c"]]', "null"])
def test_damaged_transcripts_are_reported(words):
    with pytest.raises(StoreError, match="transcript of passage p is damaged"):
        rows.transcript_of(SimpleNamespace(passage_id="p", text="", recognizer="", words=words))


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.array([np.nan], np.float32), "not one row of finite numbers"),
        (np.zeros((2, 2), np.float32), "not one row of finite numbers"),
        (SparseVector(np.array([1]), np.array([1.0, 2.0])), "a term number"),
        (SparseVector(np.array([-1]), np.array([1.0])), "a term number"),
    ],
)
def test_vectors_that_cannot_be_kept_are_refused(vector, message):
    with pytest.raises(InputError, match=message):
        rows.vector_bytes(vector)


@pytest.mark.parametrize("name", ["", " \n", "x" * 201, "nul\0", "half \ud800"])
def test_names_that_cannot_be_keys_are_refused(name):
    with pytest.raises(InputError, match="collection's name"):
        rows.checked_name(name, "collection's name")


@pytest.mark.parametrize(
    ("fields", "media", "message"),
    [
        ({"title": "a\0b"}, "r.wav", "title has characters"),
        ({"speaker": "\udfff"}, "r.wav", "speaker has characters"),
        ({"source": "x" * 100_001}, "r.wav", "source has 100001 characters"),
        ({"duration_s": float("nan")}, "r.wav", "cannot last nan s"),
        ({"duration_s": -1.0}, "r.wav", "cannot last -1.0 s"),
        ({}, "../r.wav", "is a path"),
        ({}, "a\\r.wav", "is a path"),
        ({}, "..", "is a path"),
        ({}, "", "media name is empty"),
    ],
)
def test_recordings_that_cannot_be_kept_are_refused(fields, media, message):
    recording = Recording(**{"recording_id": "r", "collection": "c", "title": "t", "duration_s": 1.0, **fields})
    with pytest.raises(InputError, match=message):
        rows.recording_row(recording, media)


def test_passages_that_cannot_be_are_refused():
    for span in (Span(1.0, 1.0), Span(2.0, 1.0), Span(-1.0, 1.0), Span(0.0, float("inf")), Span(float("nan"), 1.0)):
        with pytest.raises(InputError, match="cannot go from"):
            rows.passage_row(Passage("p", "r", span), "r")
    with pytest.raises(InputError, match="of another recording"):
        rows.passage_row(Passage("p", "other", Span(0, 1)), "r")


def test_words_keep_their_times_in_any_script():
    transcript = Transcript("žába 🐸", "mini", (Word("žába", 0.25, 0.5), Word("🐸", 0.5, 0.75)))
    row = SimpleNamespace(**rows.transcript_row("p", transcript))
    assert rows.transcript_of(row) == transcript
