"""From engines to figures, with engines that answer from a table."""

import math
from pathlib import Path

import numpy as np
import pytest

from speechsearch.domain.errors import EmptyQueryError, InputError, NotFoundError
from speechsearch.domain.values import Audio, Query
from speechsearch.evaluation import (
    CollectionQuery,
    EvaluationCollection,
    IndexingFacts,
    SpokenPassage,
    evaluate,
    run_engine,
)
from speechsearch.retrieval.calibration import SIGNALS, Likelihood
from speechsearch.retrieval.retriever import RankedPassage, Ranking

COLLECTION = EvaluationCollection(
    "small",
    tuple(
        SpokenPassage(name, Path(f"{name}.wav"), text) for name, text in (("a", "old gate"), ("b", "mill"), ("c", ""))
    ),
    (
        CollectionQuery("q1", "gate"),
        CollectionQuery("q2", "mill"),
        CollectionQuery("q3", audio=Path("spoken.wav")),
        CollectionQuery("none", "harbour"),
        CollectionQuery("also none", "the"),
    ),
    {"q1": {"a": 1}, "q2": {"b": 1}, "q3": {"c": 1}},
)


class TableRetriever:
    """Looks the query up in a table; a spoken query has its number of samples as key."""

    def __init__(self, table: dict[str | int, list[tuple[str, float]]]) -> None:
        self.name, self.table = "table", table
        self.asked: list[tuple[str | int, int, int]] = []

    def retrieve(self, query: Query, limit: int) -> Ranking:
        key = query.text or len(query.audio.samples if query.audio else ())
        self.asked.append((key, limit, query.top_k))
        if key not in self.table:
            raise EmptyQueryError(f"nothing to look for in {key}")
        passages = tuple(RankedPassage(name, score, ()) for name, score in self.table[key][:limit])
        return Ranking(passages, 1.0, 1.0)


def sure_from(score: float) -> Likelihood:
    """Say that first hits of this score and more are as likely right as not."""
    slope = SIGNALS.index("score if always")
    coefficients = [0.0] * len(SIGNALS)
    coefficients[0], coefficients[slope] = -10 * math.log1p(score), 10.0
    return Likelihood(0.5 - 1e-9, coefficients)


def load_sound(path: Path) -> Audio:
    assert path == Path("spoken.wav")
    return Audio(np.zeros(800, np.float32))


GOOD = {"gate": [("a", 9.0), ("b", 1.0)], "mill": [("a", 6.0), ("b", 5.0)], 800: [("c", 4.0)], "harbour": [("c", 5.0)]}
BAD = {"gate": [("b", 0.9)], "mill": [("c", 0.8)], 800: [], "harbour": [("a", 0.1)], "the": [("b", 0.95)]}


def test_a_run_keeps_rankings_confidence_and_times():
    retriever = TableRetriever(GOOD)
    ticks = iter([0.0, 0.010, 1.0, 1.020, 2.0, 2.030, 3.0, 3.040, 4.0, 4.050])
    run = run_engine(
        "good", retriever, COLLECTION, load_sound=load_sound, likelihood=sure_from(5.0), clock=lambda: next(ticks)
    )
    assert run.rankings == {"q1": ("a", "b"), "q2": ("a", "b"), "q3": ("c",), "none": ("c",), "also none": ()}
    assert run.confident == {"q1": True, "q2": True, "q3": False, "none": True, "also none": False}
    assert run.latencies_ms == pytest.approx((10, 20, 30, 40, 50))
    assert run.unsearchable == 1
    assert [key for key, _, _ in retriever.asked] == ["gate", "gate", "mill", 800, "harbour", "the"]
    assert {(limit, top_k) for _, limit, top_k in retriever.asked} == {(100, 100)}


def test_index_ids_become_collection_ids():
    names = {"id-1": "a", "id-2": "b"}
    table = {key: [("id-2", 1.0), ("id-1", 0.5)] for key in ("gate", "mill", 800, "harbour", "the")}
    run = run_engine("x", TableRetriever(table), COLLECTION, load_sound=load_sound, passage_names=names)
    assert run.rankings["q1"] == ("b", "a")


@pytest.mark.parametrize("names", [None, {"a": "a"}, {"stray": "not in it"}])
def test_a_passage_of_another_collection_is_an_error(names):
    table = {"gate": [("stray", 1.0)]}
    with pytest.raises(NotFoundError, match="x found the passage 'stray', which is not in small"):
        run_engine("x", TableRetriever(table), COLLECTION, load_sound=load_sound, passage_names=names)


def test_progress_counts_the_queries():
    seen = []
    run_engine("good", TableRetriever(GOOD), COLLECTION, load_sound=load_sound, on_progress=seen.append)
    assert [(step.name, step.done, step.total) for step in seen] == [("good", n, 5) for n in range(1, 6)]


def test_more_is_asked_for_while_the_passages_found_are_of_few_files_and_a_right_one_is_missing():
    names = {f"a-{number}": "a" for number in range(500)} | {"b-0": "b", "c-0": "c"}
    ranked = [*(f"a-{number}" for number in range(450)), "b-0", *(f"a-{number}" for number in range(450, 500)), "c-0"]
    retriever = TableRetriever({key: [(one, 1.0) for one in ranked] for key in ("gate", "mill", 800, "harbour")})
    ticks = iter(range(100))
    run = run_engine(
        "x", retriever, COLLECTION, load_sound=load_sound, passage_names=names, clock=lambda: float(next(ticks))
    )
    depths = {key: [limit for asked, limit, _ in retriever.asked if asked == key] for key in ("mill", 800, "harbour")}
    assert depths == {"mill": [100, 400, 1600], 800: [100, 400, 1600], "harbour": [100]}  # nothing answers "harbour"
    assert run.rankings == {"q1": ("a",), "q2": ("a", "b", "c"), "q3": ("a", "b", "c"), "none": ("a",), "also none": ()}
    assert run.first_passages["q2"] == "a-0" and run.latencies_ms == (1000.0,) * 5


def test_a_hundred_files_are_enough_and_an_engine_that_finds_no_more_is_not_asked_again():
    files = {f"f{number}": f"f{number}" for number in range(120)}
    collection = EvaluationCollection(
        "many",
        tuple(SpokenPassage(name, Path(name)) for name in files),
        (CollectionQuery("q1", "gate"), CollectionQuery("q2", "mill")),
        {"q1": {"f119": 1}, "q2": {"f119": 1}},
    )
    retriever = TableRetriever({"gate": [(name, 1.0) for name in files], "mill": [("f0", 1.0)]})
    run = run_engine("x", retriever, collection, load_sound=load_sound, passage_names=files)
    assert {limit for _, limit, _ in retriever.asked} == {100}
    assert len(run.rankings["q1"]) == 100 and run.rankings["q2"] == ("f0",)


def test_figures_of_two_engines():
    facts = IndexingFacts(
        real_time_factor=150.0, index_bytes=2048, peak_memory_bytes=4096,
        transcripts={"a": "Old gate."}, phonemes={"a": (15, 12, 4), "b": (9,)},
    )  # fmt: skip
    good, bad = evaluate(
        COLLECTION,
        {"good": TableRetriever(GOOD), "asr": TableRetriever(BAD)},
        load_sound=load_sound,
        likelihoods={"good": sure_from(5.0), "asr": sure_from(0.85)},
        facts={"good": facts},
        pronounce=lambda text: [ord(letter) - ord("a") + 1 for letter in text[:3]],
    )
    assert (good.engine, good.queries, good.unanswerable, good.unsearchable) == ("good", 3, 2, 1)
    assert good.figures["recall@1"].mean == pytest.approx(2 / 3)
    assert good.figures["recall@5"].mean == 1.0
    assert good.figures["mrr@10"].mean == pytest.approx((1 + 0.5 + 1) / 3)
    assert bad.figures["recall@100"].mean == 0.0
    assert good.against_baseline["recall@5"].difference == 1.0
    assert good.against_baseline["recall@5"].p_value == 2 / 8
    assert bad.against_baseline == {}
    assert (good.abstention_rate, good.confident_rate) == (0.5, pytest.approx(2 / 3))
    assert (bad.abstention_rate, bad.confident_rate) == (0.5, pytest.approx(1 / 3))
    assert good.word_error_rate == 1 / 3  # "mill" was not heard
    assert good.phoneme_error_rate == 2 / 6  # o l d heard as it is, m i l as i
    assert bad.word_error_rate is None and bad.phoneme_error_rate is None
    assert (good.indexing_real_time_factor, good.index_bytes, good.peak_memory_bytes) == (150.0, 2048, 4096)
    assert bad.indexing_real_time_factor is None and bad.peak_memory_bytes > 10 * 2**20


def test_what_was_said_is_pronounced_once_for_all_engines():
    asked = []
    reports = evaluate(
        COLLECTION,
        {"good": TableRetriever(GOOD), "bad": TableRetriever(BAD)},
        load_sound=load_sound,
        facts=dict.fromkeys(("good", "bad"), IndexingFacts(phonemes={"a": (1, 2)})),
        pronounce=lambda text: asked.append(text) or [1, 2],
    )
    assert [report.phoneme_error_rate for report in reports] == [0.5, 0.5]
    assert asked == ["old gate", "mill"]


def test_without_the_baseline_there_is_no_test():
    (report,) = evaluate(COLLECTION, {"good": TableRetriever(GOOD)}, load_sound=load_sound)
    assert report.against_baseline == {}


def test_all_queries_answerable_leaves_no_abstention_rate():
    collection = EvaluationCollection(
        "s", COLLECTION.passages, COLLECTION.queries[:2], {"q1": {"a": 1}, "q2": {"b": 1}}
    )
    (report,) = evaluate(collection, {"good": TableRetriever(GOOD)}, load_sound=load_sound)
    assert (report.unanswerable, report.abstention_rate, report.confident_rate) == (0, None, 1.0)


def test_no_engine_is_an_error():
    with pytest.raises(InputError, match="no engine to evaluate"):
        evaluate(COLLECTION, {}, load_sound=load_sound)
