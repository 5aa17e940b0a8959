"""Retrievers over the reference index: order, channels, fusion, empty queries."""

from __future__ import annotations

import numpy as np
import pytest

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.values import Audio, Channel, Filters, Query, SparseVector, Transcript, Vector
from speechsearch.index import ExactIndex, Point
from speechsearch.retrieval.fused import FusedRetriever, draw_sample
from speechsearch.retrieval.fusion import background
from speechsearch.retrieval.transcribed import TranscribedRetriever
from speechsearch.retrieval.vector import VectorRetriever

NAMES = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(6)]


TYPICAL = {"a": (0.0, 0.1), "b": (0.0, 1.0)}


class Direction:
    """Encodes "0" to "7" as unit vectors."""

    def encode_query(self, query: Query) -> Vector:
        if not query.text.isdigit():
            raise EmptyQueryError("no digit")
        return np.eye(8, dtype=np.float32)[int(query.text)]


class Term:
    """Encodes digits as terms."""

    def encode_query(self, query: Query) -> Vector:
        if not query.text.strip():
            raise EmptyQueryError("no term")
        return SparseVector(np.array([ord(query.text[0])], np.uint32), np.ones(1, np.float32))


class Listener:
    """Understands the length of a sound."""

    name = fingerprint = "listener"

    def transcribe(self, passages: list[Audio]) -> list[Transcript]:
        return [
            Transcript(str(len(passage.samples)) if len(passage.samples) else "", "listener") for passage in passages
        ]


@pytest.fixture
def channels() -> tuple[VectorRetriever, VectorRetriever]:
    index = ExactIndex((Channel("dense", "dense", 8), Channel("sparse", "sparse", has_idf=True)))
    rng = np.random.default_rng(1)
    for place, name in enumerate(NAMES):
        dense = (np.eye(8)[place] + 0.1 * rng.random(8)).astype(np.float32)
        sparse = SparseVector(np.array([ord(str(place))], np.uint32), np.array([1.0 + place], np.float32))
        payload = {"collection": ("even", "odd")[place % 2], "recording_id": name, "speaker": "", "language": "",
                   "start_s": 0.0}  # fmt: skip
        index.upsert([Point(name, {"dense": dense / np.linalg.norm(dense), "sparse": sparse}, payload)])
    return VectorRetriever("a", "dense", Direction(), index), VectorRetriever("b", "sparse", Term(), index)


def test_a_vector_retriever_ranks_and_names_itself(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    ranking = channels[0].retrieve(Query("3"), 2)
    assert ranking.passages[0].passage_id == NAMES[3] and len(ranking.passages) == 2
    assert ranking.passages[0].channels[0].channel == "a" and ranking.passages[1].channels[0].rank == 2


def test_fusion_says_which_channel_found_what(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    fused = FusedRetriever("both", channels, {"a": 0.5, "b": 0.5}, lambda: NAMES, TYPICAL)
    best = fused.retrieve(Query("2"), 3).passages[0]
    assert best.passage_id == NAMES[2]
    assert [(one.channel, one.rank) for one in best.channels] == [("a", 1), ("b", 1)]
    second = fused.retrieve(Query("2"), 3).passages[1]
    assert [one.channel for one in second.channels] == ["a"]


def test_filters_hold_in_fusion(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    fused = FusedRetriever("both", channels, {"a": 0.5, "b": 0.5}, lambda: NAMES, TYPICAL)
    found = fused.retrieve(Query("2", filters=Filters(collections=("odd",))), 6).passages
    assert {one.passage_id for one in found} == {NAMES[1], NAMES[3], NAMES[5]}


def test_one_channel_without_a_query_leaves_the_other(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    fused = FusedRetriever("both", channels, {"a": 0.5, "b": 0.5}, lambda: NAMES, TYPICAL)
    assert fused.retrieve(Query("x"), 3).passages == ()
    with pytest.raises(EmptyQueryError, match="no term"):
        fused.retrieve(Query(" "), 3)


def test_an_empty_index_finds_nothing() -> None:
    index = ExactIndex((Channel("dense", "dense", 8),))
    fused = FusedRetriever("one", [VectorRetriever("a", "dense", Direction(), index)], {"a": 1.0}, list, TYPICAL)
    assert fused.retrieve(Query("1"), 3).passages == ()


def test_a_spoken_query_is_written_down_first(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    engine = TranscribedRetriever(channels[0], Listener())
    spoken = Query(audio=Audio(np.zeros(4, np.float32)))
    assert engine.retrieve(spoken, 1).passages[0].passage_id == NAMES[4]
    with pytest.raises(EmptyQueryError, match="understood nothing"):
        engine.retrieve(Query(audio=Audio(np.zeros(0, np.float32))), 1)


def test_the_sample_is_the_same_every_time() -> None:
    ids = [str(number) for number in range(1000)]
    assert draw_sample(ids) == draw_sample(ids[::-1]) and len(draw_sample(ids)) == 400
    assert draw_sample(ids[:5]) == ids[:5]


@pytest.mark.parametrize("size", [1, 3, 10, 400])
def test_an_answer_stands_out_alike_in_small_and_large_libraries(size: int) -> None:
    """Against a background that it is part of, none of n can stand out by more than (n - 1) / sqrt(n)."""
    scores = [0.9, *(0.2 if place % 2 else 0.4 for place in range(size - 1))]
    mean, deviation = background(scores, size, (0.3, 0.1))
    assert (0.9 - mean) / deviation == pytest.approx(6.0, abs=0.6)


def test_one_faint_trace_is_not_an_answer() -> None:
    mean, deviation = background([0.05], 400, (1.0, 1.0))  # of a sparse channel: all others score nothing
    assert (0.05 - mean) / deviation < 1
