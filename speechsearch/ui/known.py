"""What a column says before its answers: what could not be searched, and what its scores mean. Pure functions."""

from __future__ import annotations

from speechsearch.domain.searched import searched_in
from speechsearch.domain.values import Coverage, Results
from speechsearch.retrieval.engine_cards import EngineCard
from speechsearch.ui.texts import Known, Nouns, Page
from speechsearch.ui.view import count, text, told


def covered(coverage: Coverage, engine: EngineCard, recognizer: str = "") -> str:
    """Return how much an engine could search where that is not everything, or where it had to learn it; else nothing.

    Args:
        recognizer: whose transcripts they are, where that is to be said.

    >>> from speechsearch.retrieval.engine_cards import ASR, GENERATIVE, HYBRID
    >>> covered(Coverage(41, 67, 724.0, 790.0), ASR)
    'transcripts: 41 of 67 passages'
    >>> covered(Coverage(67, 67, 790.0, 790.0), HYBRID)
    ''
    >>> covered(Coverage(640, 700, 7.0, 8.0), GENERATIVE)
    'trained on 640 of 700 passages'
    """
    said = some(coverage)
    if engine.is_learnt:
        return Known.TRAINED_ON.format(passages=said)
    if coverage.is_whole:
        return ""
    if engine.is_over_transcripts:
        words = Known.TRANSCRIPTS_BY if recognizer else Known.TRANSCRIPTS
        said = words.format(recognizer=recognizer, passages=said)
    return said


def some(coverage: Coverage) -> str:
    """Return how many of the passages there are could be searched.

    >>> some(Coverage(41, 67, 724.0, 790.0))
    '41 of 67 passages'
    """
    return Page.DONE_OF.format(done=f"{coverage.passages:,}", total=count(coverage.of_passages, Nouns.PASSAGE))


def remarks(results: Results, engine: EngineCard, *, is_recognizer_named: bool = False) -> str:
    """Return what is to be known about a column of answers, as lines above them: always what was searched."""
    coverage = covered(results.coverage, engine, results.recognizer if is_recognizer_named else "")
    lines = [coverage] if coverage else []
    if results.hits and not results.is_calibrated:
        lines.append(Known.NO_LIKELIHOOD)
    searched = f'<p class="ss-searched">{text(Known.SEARCHED_IN.format(searched=searched_in(results)), 300)}</p>'
    return searched + "".join(f'<p class="ss-known">{text(line, 300)}</p>' for line in lines)


def nothing_found(results: Results, engine: EngineCard, *, are_transcripts_coming: bool = True) -> str:
    """Return why a column has no answers."""
    coverage = results.coverage
    if results.question.phrases:
        words = ", ".join(f"“{one}”" for one in results.question.phrases)
        return told(Known.NO_PHRASE, words=words)
    if engine.is_over_transcripts and not coverage.is_whole:
        if not are_transcripts_coming:
            return told(Known.NO_TRANSCRIPT, some=some(coverage))
        return told(Known.NOTHING_YET if coverage.passages else Known.WRITING, some=some(coverage))
    return told(Known.NOTHING)


def nothing_convincing(results: Results, engine: EngineCard) -> str:
    """Return what stands above answers that are all weak."""
    if engine.is_over_transcripts and not results.coverage.is_whole:
        return told(Known.NOTHING_LIKELY_YET)
    return told(Known.NOTHING_LIKELY)
