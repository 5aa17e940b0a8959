"""What a column says before its answers: what could not be searched, and what its scores mean. Pure functions."""

from __future__ import annotations

from speechsearch.domain.searched import searched_in
from speechsearch.domain.values import Coverage, Results
from speechsearch.retrieval.engine_cards import EngineCard
from speechsearch.ui.view import count, notice, text

UNCALIBRATED = "How likely an answer is was never measured for these models; scores only rank."


def covered(coverage: Coverage, engine: EngineCard, recognizer: str = "") -> str:
    """Return how much an engine could search where that is not everything; nothing where it is.

    Args:
        recognizer: whose transcripts they are, where that is to be said.

    >>> from speechsearch.retrieval.engine_cards import ASR, HYBRID
    >>> covered(Coverage(41, 67, 724.0, 790.0), ASR)
    'transcripts: 41 of 67 passages'
    >>> covered(Coverage(67, 67, 790.0, 790.0), HYBRID)
    ''
    """
    if coverage.is_whole:
        return ""
    by = f" by {recognizer}" if recognizer else ""
    what = f"transcripts{by}: " if engine.is_over_transcripts else ""
    return f"{what}{coverage.passages:,} of {count(coverage.of_passages, 'passage')}"


def remarks(results: Results, engine: EngineCard, *, is_recognizer_named: bool = False) -> str:
    """Return what is to be known about a column of answers, as lines above them: always what was searched."""
    coverage = covered(results.coverage, engine, results.recognizer if is_recognizer_named else "")
    lines = [coverage] if coverage else []
    if results.hits and not results.is_calibrated:
        lines.append(UNCALIBRATED)
    searched = f'<p class="ss-searched">Searched in {text(searched_in(results), 300)}</p>'
    return searched + "".join(f'<p class="ss-known">{text(line, 300)}</p>' for line in lines)


def nothing_found(results: Results, engine: EngineCard, *, are_transcripts_coming: bool = True) -> str:
    """Return why a column has no answers."""
    coverage = results.coverage
    if results.question.phrases:
        words = ", ".join(f"“{one}”" for one in results.question.phrases)
        return notice(f"No passage has {words} in one piece.", "Without quotation marks there may be answers.")
    if engine.is_over_transcripts and not coverage.is_whole:
        if not are_transcripts_coming:
            some = f"{coverage.passages:,} of {count(coverage.of_passages, 'passage')} have one."
            return notice("No transcript answers this.", f"{some} The others were added without.")
        written = f"{coverage.passages:,} of {count(coverage.of_passages, 'passage')} so far."
        if not coverage.passages:
            return notice("Transcripts are still being written.", f"{written} Search by sound works meanwhile.")
        return notice("Nothing found so far.", f"Transcripts are still being written: {written}")
    return notice("Nothing relevant found.", "No passage matches. Other words, or another engine, may.")


def nothing_convincing(results: Results, engine: EngineCard) -> str:
    """Return what stands above answers that are all weak."""
    if engine.is_over_transcripts and not results.coverage.is_whole:
        return notice("Nothing relevant found so far.", "No passage that has a transcript is a convincing answer.")
    return notice("Nothing relevant found.", "No passage is a convincing answer to this question.")
