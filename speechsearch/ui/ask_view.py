"""An answer above the columns: pure functions to HTML. What comes from outside is escaped; static/ask.js plays it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from speechsearch.api.bodies import page_address
from speechsearch.domain.answers import Answer, Citation, Evidence, Sentence
from speechsearch.domain.searched import searched_in
from speechsearch.domain.values import Passage, Results, Span
from speechsearch.retrieval.engine_cards import EngineCard
from speechsearch.ui.cards import marked, percent
from speechsearch.ui.icons import icon
from speechsearch.ui.texts import Ask, Nouns, Page
from speechsearch.ui.view import LONGEST_TITLE, count, elapsed, span, text

LONGEST_SHOWN = 1000
A_FEW = 4
"""So many sources are shown at once; more are folded."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How a question was put.

    ``root``: the path below which the program is served. ``question``: as the columns search it.
    """

    root: str = ""
    question: str = ""
    is_spoken: bool = False


def waiting(asking: Asking, evidence: Evidence | None = None) -> str:
    """Return what stands there before the first sentence: what is looked for, or read."""
    said, understood = Ask.LOOKING, ""
    if evidence is not None:
        said = Ask.READING.format(passages=count(len(evidence.results.hits), Nouns.PASSAGE))
        understood = _understood(evidence.question, evidence.asked, asking)
    return _frame(f'{understood}<p class="ss-waiting">{said}</p>', asking, is_busy=True)


def partly(evidence: Evidence, sentences: Sequence[Sentence], asking: Asking) -> str:
    """Return the sentences that are there so far."""
    understood = _understood(evidence.question, evidence.asked, asking)
    return _frame(understood + _sentences(sentences, spans(evidence.results)), asking, is_busy=True)


def whole(answer: Answer, engines: Mapping[str, EngineCard], asking: Asking) -> str:
    """Return a whole answer: its sentences with what they cite, what can be done with it, and how it was made."""
    said = _sentences(answer.sentences, spans(answer.results)) if answer.is_found else _nothing(answer)
    note = f'<p class="ss-note">{text(answer.note, LONGEST_SHOWN)}</p>' if answer.note else ""
    if answer.sent_to:
        note += f'<p class="ss-note">{Ask.SENT_NOTE.format(host=text(answer.sent_to))}</p>'
    folds = _sources(answer.sentences, asking.root) + _fold(Ask.MADE, _made(answer, engines))
    return _frame(
        f"{_understood(answer.question, answer.asked, asking)}{said}{note}"
        f'<div class="ss-a-tools">{_tools() if answer.is_found else ""}<small>{Ask.EXPERIMENTAL}</small></div>'
        f'<div class="ss-folds">{folds}</div>',
        asking,
        engine=answer.engine,
    )


def spans(results: Results) -> dict[str, Span]:
    """Return when the passages that were read begin and end, by their id."""
    return {hit.passage.passage_id: hit.passage.span for hit in results.hits}


def _frame(content: str, asking: Asking, engine: str = "", *, is_busy: bool = False) -> str:
    return (
        f'<section class="ss-answer" aria-label="{Ask.LABEL}" aria-busy="{str(is_busy).lower()}" '
        f'data-api="{escape(asking.root)}/api/v1" data-question="{escape(asking.question)}" '
        f'data-engine="{escape(engine)}">{content}<audio preload="none"></audio></section>'
    )


def _understood(question: str, asked: str, asking: Asking) -> str:
    """Return what a question was taken for, where that is not what was typed."""
    if not asked and not asking.is_spoken:
        return ""
    label = Ask.UNDERSTOOD if asked else Ask.HEARD
    as_typed = f'<button type="button" class="ss-as-typed">{Ask.AS_TYPED}</button>'
    return (
        f'<p class="ss-understood">{label} <q>{text(question, LONGEST_SHOWN)}</q> '
        f"{as_typed if asked and not asking.is_spoken else ''}</p>"
    )


def _nothing(answer: Answer) -> str:
    """Return why there is no answer, and the way to the nearest passages."""
    way = f'<button type="button" class="ss-nearest">{Ask.NEAREST}</button>' if answer.results.hits else ""
    return f'<p class="ss-none">{text(answer.reason, LONGEST_SHOWN)} {way}</p>'


def _sentences(sentences: Sequence[Sentence], lengths: Mapping[str, Span]) -> str:
    """Return sentences with a chip for each citation; those that a language model joined follow in a line."""
    kind = "ss-joined" if any(one.kind == "phrased" for one in sentences) else "ss-apart"
    rows = "".join(
        f"<li>{marked(one.text, one.marked)} {''.join(chip(cited, lengths) for cited in one.citations)}</li>"
        for one in sentences
    )
    return f'<ul class="ss-sentences {kind}">{rows}</ul>'


def chip(cited: Citation, lengths: Mapping[str, Span]) -> str:
    """Return the button that plays exactly what is cited; times are those of the passage's clip, in seconds.

    >>> cited = Citation(1, "r", "p", 61.0, 64.5, 62.0, 63.0, "So it was.", "<i>Bridges")
    >>> button = chip(cited, {"p": Span(60.0, 70.0)})
    >>> button[button.index("data-from") : button.index(" aria")], "<i>" in button
    ('data-from="1.00" data-to="4.50" data-length="10.00"', False)
    """
    passage = lengths.get(cited.passage_id, Span(cited.start_s, cited.end_s))
    where = span(Span(cited.start_s, cited.end_s))
    label = escape(Ask.PLAY_CITED.format(number=cited.number, title=cited.title[:LONGEST_TITLE], span=where))
    return (
        f'<button type="button" class="ss-chip" data-number="{cited.number}" '
        f'data-passage="{escape(cited.passage_id)}" data-from="{cited.start_s - passage.start_s:.2f}" '
        f'data-to="{cited.end_s - passage.start_s:.2f}" data-length="{passage.duration_s:.2f}" '
        f'aria-label="{label}" title="{label}" aria-pressed="false">{cited.number}</button>'
    )


def _tools() -> str:
    play = f'<button type="button" class="ss-a-play">{icon("play")}<span>{Ask.PLAY_ALL}</span></button>'
    votes = "".join(
        f'<button type="button" class="ss-icon ss-a-vote" title="{label}" aria-label="{label}" '
        f'data-relevance="{relevance}" aria-pressed="false">{icon(picture)}</button>'
        for relevance, label, picture in ((1, Ask.GOOD, "yes"), (0, Ask.WRONG, "no"))
    )
    copy = (
        f'<button type="button" class="ss-icon ss-a-copy" title="{Ask.COPY}" aria-label="{Ask.COPY}">'
        f"{icon('copy')}</button>"
    )
    return f"<span>{play}{copy}{votes}</span>"


def _fold(label: str, content: str, *, is_open: bool = False) -> str:
    return f'<details class="ss-fold"{" open" * is_open}><summary>{label}</summary>{content}</details>'


def _sources(sentences: Sequence[Sentence], root: str) -> str:
    """Return what is cited, each with a link to the moment; ``data-copy`` is its line in a copied answer."""
    cited = {one.number: one for sentence in sentences for one in sentence.citations}
    if not cited:
        return ""
    rows = "".join(source(one, root) for _, one in sorted(cited.items()))
    return _fold(Ask.SOURCES, f'<ol class="ss-sources">{rows}</ol>', is_open=len(cited) <= A_FEW)


def source(cited: Citation, root: str = "") -> str:
    """Return one source: number, title with a link to the moment, who, when, and how likely it answers."""
    stretch = Passage(cited.passage_id, cited.recording_id, Span(cited.start_s, cited.end_s))
    known = [part for part in (cited.speaker, cited.date, cited.collection, span(stretch.span)) if part]
    likely = "" if cited.likelihood is None else f" · {Page.LIKELY.format(percent=percent(cited.likelihood))}"
    line = ", ".join(part for part in (cited.title, cited.speaker, cited.date, span(stretch.span)) if part)
    return (
        f'<li data-copy="{escape(f"[{cited.number}] {line}")}"><b>{cited.number}</b> '
        f'<a class="ss-open" href="{escape(root + page_address(stretch))}" '
        f'data-recording="{escape(cited.recording_id)}">{text(cited.title)}</a> '
        f"<span>{' · '.join(text(part) for part in known)}{likely}</span></li>"
    )


def _made(answer: Answer, engines: Mapping[str, EngineCard]) -> str:
    """Return how an answer was made, as a list of facts."""
    engine = engines[answer.engine].title if answer.engine in engines else answer.engine
    evidence = Ask.EVIDENCE_READ.format(
        passages=count(len(answer.results.hits), Nouns.PASSAGE),
        engine=engine,
        searched=searched_in(answer.results),
        read=answer.read,
    )
    if answer.transcribed:
        evidence += f"; {Ask.WRITTEN_NOW.format(passages=count(answer.transcribed, Nouns.PASSAGE))}"
    kinds = dict.fromkeys(one.kind for one in answer.sentences)
    took = Ask.TOOK if answer.is_found else Ask.TOOK_ALL
    facts = {
        Ask.EVIDENCE: evidence,
        Ask.READER: answer.reader,
        Ask.WORDING: "; ".join(Ask.WORDINGS[kind].format(model=answer.language_model) for kind in kinds),
        Ask.TIME: took.format(total=elapsed(answer.total_ms), first=elapsed(answer.first_ms)),
        Ask.SENT: Ask.SENT_TO.format(host=answer.sent_to) if answer.sent_to else Ask.STAYED,
    }
    rows = "".join(
        f"<div><dt>{name}</dt><dd>{text(fact, LONGEST_SHOWN)}</dd></div>" for name, fact in facts.items() if fact
    )
    return f'<dl class="ss-made">{rows}</dl>'
