"""The benchmark of an evaluation runs, and its synthetic questions are neither trivial nor hopeless."""

from benchmarks.evaluate_speed import ENGINES, FIGURES, measured


def test_a_small_evaluation_is_timed_stage_by_stage():
    stages, reports = measured(passages=60, questions=12)
    assert [stage for stage in stages if stage.startswith("engine")] == [f"engine {name}" for name in ENGINES]
    assert list(stages)[-1] == FIGURES
    assert all(taken.clock_s > 0 and taken.processor_s > 0 for taken in stages.values())
    assert [report.engine for report in reports] == list(ENGINES)
    assert all(report.queries == 12 and report.figures["recall@10"].mean > 0.5 for report in reports)
    assert reports[0].phoneme_error_rate == reports[1].phoneme_error_rate > 0
    assert 0.1 < reports[-1].word_error_rate < 0.3
