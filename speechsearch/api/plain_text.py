"""Results as lines of text, for a terminal. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from speechsearch.domain.question_syntax import demanded
from speechsearch.domain.searched import searched_in
from speechsearch.domain.times import clock
from speechsearch.domain.values import Results
from speechsearch.retrieval.engine_cards import engine_cards


def lines(results: Results) -> Iterator[str]:
    """Yield one line a hit: rank, score, likelihood, recording, start-end, channels, words heard in it, who speaks."""
    yield from demanded(results.question)
    if not results.has_confident_hit:
        yield "Nothing relevant found; the nearest passages:" if results.hits else "Nothing found."
    for hit in results.hits:
        channels = ", ".join(f"{one.channel} #{one.rank}" for one in hit.channels)
        span = f"{clock(hit.passage.span.start_s)}-{clock(hit.passage.span.end_s)}"
        heard = f"  heard: {', '.join(word.text for word in hit.heard)}" if hit.heard else ""
        value = f"{hit.score:7.3f} {'   -' if hit.likelihood is None else f'{hit.likelihood:4.0%}'}"
        said_by = f"  by: {', '.join(one.label for one in hit.speakers)}" if hit.speakers else ""
        yield f"{hit.rank:>3}  {value}  {hit.recording.title}  {span}  [{channels}]{heard}{said_by}"
    yield f"     {results.engine}: {results.encode_ms:.0f} ms to encode, {results.search_ms:.0f} ms to search"
    yield from (f"     {said}" for said in coverage_lines(results))


def coverage_lines(results: Results) -> Iterator[str]:
    """Yield what was searched, what was not there to be searched, and that likelihoods are unknown.

    >>> from speechsearch.domain.values import Coverage, Results
    >>> list(coverage_lines(Results("asr", (), False, 0, 0, coverage=Coverage(41, 67, 724, 790), recognizer="mini")))
    ['searched in 12 min 04 s of 13 min 10 s by sound', 'transcripts by mini: 41 of 67 passages']
    """
    coverage = results.coverage
    yield f"searched in {searched_in(results)}"
    if results.engine in {card.name for card in engine_cards() if card.is_learnt}:
        yield f"trained on {coverage.passages} of {coverage.of_passages} passages"
    elif not coverage.is_whole:
        searched = f"{coverage.passages} of {coverage.of_passages}"
        by = f"transcripts by {results.recognizer}: " if results.recognizer else ""
        yield f"{by}{searched} passages"
    if results.hits and not results.is_calibrated:
        yield "How likely an answer is was not measured for these models; the scores only rank."
