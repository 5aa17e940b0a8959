"""The bench over the real service with seven samples."""

from __future__ import annotations

import pytest

from speechsearch import audio
from speechsearch.audio.degrade import Degradation
from speechsearch.domain.errors import EmptyQueryError, NotFoundError, TooManyError
from speechsearch.domain.values import Query
from speechsearch.domain.visitors import Visitor
from speechsearch.evaluation.robustness import RobustnessBench

QUESTION = Query("Why is octopus blood blue?", top_k=100)


@pytest.fixture
def bench(service) -> RobustnessBench:
    return RobustnessBench(service)


@pytest.fixture
def right(service):
    """The passage that answers the question, which every engine finds."""
    return service.search.find(QUESTION, "asr").hits[0].passage.passage_id


def test_unchanged_sound_keeps_every_rank_and_the_ranks_are_the_searchs(bench, service, right) -> None:
    trial = bench.clip(right, QUESTION, Degradation())
    for move in trial.moves:
        (searched,) = [
            hit.rank for hit in service.search.find(QUESTION, move.engine).hits if hit.passage.passage_id == right
        ]
        assert (move.before, move.after) == (searched, searched), move
    assert [move.engine for move in trial.moves] == [engine.name for engine in service.search.cards()]
    assert trial.said_before == trial.said_after != ""
    assert trial.passages == trial.of == service.store.passages.count()


def test_noise_moves_ranks_and_changes_nothing_that_is_kept(bench, service, right) -> None:
    before = service.search.find(QUESTION, "hybrid")
    trial = bench.clip(right, QUESTION, Degradation("white", 0.0, True, 16, 1.25))
    assert any(move.after is None or move.after > (move.before or 0) for move in trial.moves)
    assert trial.said_after != trial.said_before
    assert trial.sound.duration_s == pytest.approx(trial.passage.span.duration_s / 1.25, abs=0.05)
    after = service.search.find(QUESTION, "hybrid")
    assert [(hit.passage, hit.score) for hit in after.hits] == [(hit.passage, hit.score) for hit in before.hits]


def test_babble_is_made_of_other_recordings(bench, right) -> None:
    quiet = bench.clip(right, QUESTION, Degradation())
    trial = bench.clip(right, QUESTION, Degradation("babble", 6.0))
    ratio = ((trial.sound.samples - quiet.sound.samples) ** 2).mean() / (quiet.sound.samples**2).mean()
    assert ratio == pytest.approx(10**-0.6, rel=0.05)


def test_a_spoken_question_is_degraded_instead(bench, service, right) -> None:
    passage = service.browse.passage(right)
    sound = audio.read_span(service.browse.media(passage.recording_id)[1], passage.span)
    trial = bench.question(right, sound, Degradation("pink", 20.0))
    assert {move.before for move in trial.moves} == {1}
    assert trial.said_before
    assert trial.recording.recording_id == passage.recording_id


def test_only_what_the_visitor_sees(bench, service, right) -> None:
    with pytest.raises(NotFoundError, match="no such passage"):
        bench.clip("00000000-0000-0000-0000-000000000000", QUESTION, Degradation())
    service.library.rename_collection("samples", "@ann/samples")
    with pytest.raises(NotFoundError, match="no recording"):
        bench.clip(right, QUESTION, Degradation(), Visitor("bob"))
    assert bench.clip(right, QUESTION, Degradation(), Visitor("ann")).moves


def test_one_trial_at_a_time_for_each_visitor(bench, right) -> None:
    with bench._one_at_a_time(Visitor("ann")):
        with pytest.raises(TooManyError, match="still running"):
            bench.clip(right, QUESTION, Degradation(), Visitor("ann"))
        assert bench.clip(right, QUESTION, Degradation(), Visitor("bob")).moves
    assert bench.clip(right, QUESTION, Degradation(), Visitor("ann")).moves


def test_no_question_is_an_error_and_sets_the_visitor_free(bench, right) -> None:
    for _ in range(2):
        with pytest.raises(EmptyQueryError, match="There is no question"):
            bench.clip(right, Query("  "), Degradation())
