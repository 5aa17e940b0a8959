"""Retrievers over the reference index: order, channels, fusion, empty queries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.values import Audio, Channel, ChannelRank, Filters, Query, SparseVector, Transcript, Vector
from speechsearch.index import ExactIndex, Point
from speechsearch.retrieval.calibration import Fusion
from speechsearch.retrieval.fused import BACKGROUND, FusedRetriever, draw_sample
from speechsearch.retrieval.fusion import background, weighted_sum
from speechsearch.retrieval.retriever import RankedPassage, Ranking
from speechsearch.retrieval.vector import VectorRetriever
from speechsearch.retrieval.written import Writer
from speechsearch.text.common import FEATURES

DENSE, SPARSE = Channel("dense", "dense", 8), Channel("sparse", "sparse", has_idf=True)
NAMES = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(6)]


EQUAL = (-0.7, *(0.0,) * (len(FEATURES) - 1))
BOTH = Fusion({"a": EQUAL, "b": EQUAL}, {"a": (0.0, 0.1), "b": (0.0, 1.0)})


def words(query: Query) -> list[str]:
    return query.text.split()


def direction(query: Query) -> Vector:
    """Encode "0" to "7" as unit vectors."""
    if not query.text.isdigit():
        raise EmptyQueryError("no digit")
    return np.eye(8, dtype=np.float32)[int(query.text)]


def term(query: Query) -> Vector:
    """Encode digits as terms."""
    if not query.text.strip():
        raise EmptyQueryError("no term")
    return SparseVector(np.array([ord(query.text[0])], np.uint32), np.ones(1, np.float32))


class Listener:
    """Understands the length of a sound."""

    name = fingerprint = "listener"

    def __init__(self) -> None:
        self.heard: list[Audio] = []

    def transcribe(self, sounds: list[Audio], language: str | None = None) -> list[Transcript]:
        self.heard += sounds
        return [Transcript(str(len(sound.samples)) if len(sound.samples) else "", "listener") for sound in sounds]


@pytest.fixture
def channels() -> tuple[VectorRetriever, VectorRetriever]:
    index = ExactIndex((DENSE, SPARSE))
    rng = np.random.default_rng(1)
    for place, name in enumerate(NAMES):
        dense = (np.eye(8)[place] + 0.1 * rng.random(8)).astype(np.float32)
        sparse = SparseVector(np.array([ord(str(place))], np.uint32), np.array([1.0 + place], np.float32))
        payload = {"collection": ("even", "odd")[place % 2], "recording_id": name, "speaker": "", "language": "",
                   "start_s": 0.0}  # fmt: skip
        index.upsert([Point(name, {"dense": dense / np.linalg.norm(dense), "sparse": sparse}, payload)])
    return VectorRetriever("a", DENSE, direction, index), VectorRetriever("b", SPARSE, term, index)


def test_a_vector_retriever_ranks_and_names_itself(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    ranking = channels[0].retrieve(Query("3"), 2)
    assert ranking.passages[0].passage_id == NAMES[3] and len(ranking.passages) == 2
    assert ranking.passages[0].channels[0].channel == "a" and ranking.passages[1].channels[0].rank == 2


def test_fusion_says_which_channel_found_what(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    fused = FusedRetriever("both", channels, BOTH, words, lambda: NAMES)
    best = fused.retrieve(Query("2"), 3).passages[0]
    assert best.passage_id == NAMES[2]
    assert [(one.channel, one.rank) for one in best.channels] == [("a", 1), ("b", 1)]
    second = fused.retrieve(Query("2"), 3).passages[1]
    assert [one.channel for one in second.channels] == ["a"]


class Ranker:
    """Ranks, and has no scores that could be compared with others'."""

    name = "c"

    def retrieve(self, query: Query, limit: int) -> Ranking:
        found = [RankedPassage(name, 0.0, (ChannelRank("c", rank, 0.0),)) for rank, name in enumerate(NAMES[4:], 1)]
        return Ranking(tuple(found[:limit]), 0.0, 0.0)


def test_an_engine_without_scores_is_fused_by_ranks(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    found = FusedRetriever("all", [channels[0], Ranker()], BOTH, words, lambda: NAMES).retrieve(Query("5"), 6).passages
    assert [one.passage_id for one in found][:2] == [NAMES[5], NAMES[4]]
    assert found[0].score == pytest.approx(1 / 61 + 1 / 62)
    assert [(one.channel, one.rank) for one in found[0].channels] == [("a", 1), ("c", 2)]


def test_without_learnt_weights_ranks_are_fused(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    found = FusedRetriever("both", channels, None, words, lambda: NAMES).retrieve(Query("2"), 3).passages
    assert found[0].passage_id == NAMES[2] and found[0].score == pytest.approx(2 / 61)


def test_a_query_is_encoded_once_for_candidates_and_scores() -> None:
    asked = []

    def counted(query: Query) -> Vector:
        asked.append(query)
        return direction(query)

    index = ExactIndex((DENSE,))
    index.upsert([Point(NAMES[1], {"dense": np.eye(8, dtype=np.float32)[1]}, {})])
    one = VectorRetriever("a", DENSE, counted, index)
    found = FusedRetriever("one", [one], BOTH, words, lambda: NAMES).retrieve(Query("1"), 3)
    assert [passage.passage_id for passage in found.passages] == [NAMES[1]] and len(asked) == 1


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_what_was_found_is_not_scored_again(
    kind: str, channels: tuple[VectorRetriever, VectorRetriever], monkeypatch: pytest.MonkeyPatch
) -> None:
    retriever = channels[kind == "sparse"]
    search, scored = retriever.index.search, []
    expected = retriever.score(Query("3"), NAMES)

    def counted(name: str, vector: Vector, limit: int, *filters: Filters, only: list[str] | None = None) -> object:
        scored.append(len(only or ()))
        return search(name, vector, limit, *filters, only=only)

    monkeypatch.setattr(retriever.index, "search", counted)
    for limit, filters, unknown in (
        (9, Filters(), {"dense": [], "sparse": []}),
        (2, Filters(), {"dense": [4], "sparse": []}),
        (9, Filters(collections=("odd",)), {"dense": [3], "sparse": [5]}),
    ):
        query = Query("3", filters=filters)
        retriever.retrieve(query, limit)
        scored.clear()
        assert retriever.score(query, NAMES) == expected and scored == unknown[kind]
    scored.clear()
    # Another query in the same words may come after a change of the index.
    assert retriever.score(replace(query), NAMES) == expected and scored == [6]
    assert retriever.score(query, []) == {}


def test_filters_hold_in_fusion(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    fused = FusedRetriever("both", channels, BOTH, words, lambda: NAMES)
    found = fused.retrieve(Query("2", filters=Filters(collections=("odd",))), 6).passages
    assert {one.passage_id for one in found} == {NAMES[1], NAMES[3], NAMES[5]}


def test_one_channel_without_a_query_leaves_the_other(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    fused = FusedRetriever("both", channels, BOTH, words, lambda: NAMES)
    assert fused.retrieve(Query("x"), 3).passages == ()
    with pytest.raises(EmptyQueryError, match="no term"):
        fused.retrieve(Query(" "), 3)


def test_an_empty_index_finds_nothing() -> None:
    index = ExactIndex((DENSE,))
    fused = FusedRetriever("one", [VectorRetriever("a", DENSE, direction, index)], BOTH, words, list)
    assert fused.retrieve(Query("1"), 3).passages == ()


def test_a_spoken_query_is_written_down_first(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    listener = Listener()
    write = Writer(listener)
    spoken = Query(audio=Audio(np.zeros(4, np.float32)))
    assert channels[0].retrieve(write(spoken), 1).passages[0].passage_id == NAMES[4]
    assert write(spoken).text == write(spoken).text and len(listener.heard) == 1
    assert write(Query("2")).text == "2"
    with pytest.raises(EmptyQueryError, match="understood nothing"):
        write(Query(audio=Audio(np.zeros(0, np.float32))))


def test_the_sample_is_the_same_every_time() -> None:
    ids = [str(number) for number in range(1000)]
    assert draw_sample(ids) == draw_sample(ids[::-1]) and len(draw_sample(ids)) == BACKGROUND
    assert draw_sample(ids[:5]) == ids[:5]


@pytest.mark.parametrize("size", [1, 3, 10, 400])
def test_an_answer_stands_out_alike_in_small_and_large_libraries(size: int) -> None:
    """Against a background that it is part of, none of n can stand out by more than (n - 1) / sqrt(n)."""
    scores = [0.9, *(0.2 if place % 2 else 0.4 for place in range(size - 1))]
    mean, deviation = background(scores, (0.3, 0.1))
    assert (0.9 - mean) / deviation == pytest.approx(6.0, abs=0.6)


def test_one_faint_trace_is_not_an_answer() -> None:
    mean, deviation = background([0.05, *[0.0] * 399], (1.0, 1.0))  # of a sparse channel: all others score nothing
    assert (0.05 - mean) / deviation < 1


def test_weights_follow_the_kind_of_question(channels: tuple[VectorRetriever, VectorRetriever]) -> None:
    """The first channel counts where words are common, the second where none of them is listed."""
    by_kind = Fusion({"a": (0.0, 0.0, -9.0, 0.0, 0.0, 0.0), "b": (-9.0, 0.0, 9.0, 0.0, 0.0, 0.0)}, BOTH.typical)
    plain = FusedRetriever("both", channels, by_kind, lambda query: ["bread"], lambda: NAMES)
    named = FusedRetriever("both", channels, by_kind, lambda query: ["wojciechowski"], lambda: NAMES)
    scores = [engine.retrieve(Query("2"), 1).passages[0] for engine in (plain, named)]
    a, b = (channel.retrieve(Query("2"), 1).passages[0].score for channel in channels)
    assert scores[0].score / scores[1].score == pytest.approx((a / 0.1) / b, rel=0.5)


def test_what_a_channel_does_not_know_the_others_count_for() -> None:
    """A passage without a transcript is ranked by its sound alone, and no lower for that."""
    scales, weights = {"sound": (0.0, 1.0), "text": (0.0, 1.0)}, {"sound": 1.0, "text": 3.0}
    ranked = weighted_sum({"sound": {"x": 2.0, "y": 1.9}, "text": {"y": 1.9}}, weights, scales, "xy")
    assert ranked == [("x", pytest.approx(8.0)), ("y", pytest.approx(7.6))]


class Witness(VectorRetriever):
    """A channel that scores by a table."""

    def __init__(self, table: dict[str, float]) -> None:
        self.name, self.table = "heard", table

    def retrieve(self, query: Query, limit: int) -> Ranking:
        return Ranking(tuple(RankedPassage(one, score, ()) for one, score in self.table.items()), 0.0, 0.0)

    def score(self, query: Query, passage_ids) -> dict[str, float]:
        return {one: self.table[one] for one in passage_ids if one in self.table}


def test_weights_follow_how_much_is_heard_and_hits_say_it() -> None:
    """What is heard nowhere is a paraphrase: the witness then counts for nothing."""
    fusion = Fusion({"heard": (-9.0, 0.0, 0.0, 0.0, 0.0, 9.0)}, {"heard": (0.0, 1.0)})
    found = {}
    for most in (0.9, 0.1):
        engine = FusedRetriever("x", [Witness({"p": most, "q": 0.0})], fusion, lambda query: ["bread"], list, "heard")
        found[most] = engine.retrieve(Query("bread"), 2)
        assert [one.heard for one in found[most].passages] == [most, 0.0]
        assert dict(zip(FEATURES, found[most].features, strict=True))["heard"] == most
    assert found[0.9].passages[0].score > 1000 * found[0.1].passages[0].score


def test_what_is_heard_in_passages_that_cannot_be_found_says_nothing_of_the_question() -> None:
    """The background is of the whole library; a filter, or who asks, leaves most of it out."""

    class Narrowed(Witness):
        def retrieve(self, query: Query, limit: int) -> Ranking:
            return Ranking((RankedPassage("q", self.table["q"], ()),), 0.0, 0.0)

    fusion = Fusion({"heard": (-0.7, *(0.0,) * (len(FEATURES) - 1))}, {"heard": (0.0, 1.0)})
    parts = [Narrowed({"p": 0.9, "q": 0.2})]
    found = FusedRetriever("x", parts, fusion, lambda query: ["bread"], lambda: ["p", "q"], "heard").retrieve(
        Query("bread"), 2
    )
    assert [one.passage_id for one in found.passages] == ["q"]
    assert dict(zip(FEATURES, found.features, strict=True))["heard"] == 0.2
