"""A recording, its player and the answers in it: pure functions to HTML. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote, urlencode

from speechsearch.domain.captions import Chapter
from speechsearch.domain.speakers import RecordedSpeakers
from speechsearch.domain.spoken_by import Speaking
from speechsearch.domain.values import Hit, Passage, Recording, Results, Speaker, Transcript
from speechsearch.domain.visitors import shown_name
from speechsearch.domain.who_said import Spoken, spoken
from speechsearch.retrieval.engine_cards import EngineCard
from speechsearch.ui.cards import marked, score, score_words, why_found
from speechsearch.ui.icons import icon
from speechsearch.ui.known import nothing_convincing, nothing_found, remarks
from speechsearch.ui.similar_entry import entry
from speechsearch.ui.texts import Nouns, Page, Recordings, Similar, Voices
from speechsearch.ui.view import LONGEST_TITLE, clock, count, duration, elapsed, span, text
from speechsearch.ui.voice_lanes import speaker_mark

LONGEST_TRANSCRIPT = 2_000
SPEEDS = (0.75, 1.0, 1.25, 1.5, 2.0)


def address(recording_id: str, root: str = "") -> str:
    """Return the address that opens a recording; without one, the list of them.

    >>> address("ab"), address("", "/speech")
    ('/?recording=ab', '/speech/?recording=')
    """
    return f"{root}/?{urlencode({'recording': recording_id})}"


def whole(
    recording: Recording,
    passages: Sequence[Passage],
    form: str,
    answers_html: str,
    root: str = "",
    *,
    has_transcripts: bool = True,
    has_subtitles: bool = True,
    chapters: Sequence[Chapter] = (),
    voices_html: str = "",
    has_names: bool = False,
) -> str:
    """Return a recording with its player, who speaks, a form to search within it, the answers, and its parts.

    ``has_names``: whether several speak, and somebody has a name.
    """
    controls = _controls(recording, own_address(recording, root), has_subtitles=has_subtitles, has_names=has_names)
    listed = Recordings.PASSAGES_WITH_TRANSCRIPTS if has_transcripts else Recordings.PASSAGES
    own = own_address(recording, root)
    title = escape(recording.title[:LONGEST_TITLE])
    return (
        f'<article class="ss-rec" data-recording="{escape(recording.recording_id)}" '
        f'data-duration="{recording.duration_s:.3f}" data-peaks="{own}/peaks" aria-labelledby="ss-rec-title">'
        f'<header><a class="ss-open ss-rec-back" data-recording="" href="{escape(address("", root))}">'
        f'{icon("before")}{Recordings.ALL}</a><h2 id="ss-rec-title" tabindex="-1">{text(recording.title, 300)}</h2>'
        f'{_facts(recording)}</header><section class="ss-rec-player" aria-label="{Recordings.PLAYER}">'
        f'<audio preload="none" src="{own}/audio" aria-label="{title}"></audio>'
        f"{_time_line(recording, passages)}{controls}"
        f'<p class="ss-rec-note" role="status"></p></section>{voices_html}{form}'
        f'<div class="ss-rec-found" aria-live="polite">{answers_html}</div>{chapter_list(chapters)}'
        '<details class="ss-rec-all" data-part="passages">'
        f"<summary>{listed.format(passages=count(len(passages), Nouns.PASSAGE))}</summary>"
        "<div></div></details>"
        f"{entry(recording.recording_id, root, Similar.OF_RECORDING, 'ss-rec-all')}</article>"
    )


def own_address(recording: Recording, root: str) -> str:
    """Return the address below which the routes of a recording are, safe in an attribute.

    >>> own_address(Recording("ab", "talks", "On whales", 60.0), "/speech")
    '/speech/api/v1/recordings/ab'
    """
    return f"{escape(root)}/api/v1/recordings/{quote(recording.recording_id, safe='')}"


def chapter_list(chapters: Sequence[Chapter]) -> str:
    """Return the chapters that came with a recording, each a button that plays from there; nothing where none came.

    >>> chapter_list([])
    ''
    """
    if not chapters:
        return ""
    items = "".join(
        f'<li><button type="button" class="ss-rec-from" data-start="{one.start_s:.2f}">'
        f"{clock(one.start_s)}</button> {text(one.title, LONGEST_TITLE)}</li>"
        for one in chapters
    )
    said = count(len(chapters), Nouns.CHAPTER)
    return f'<details class="ss-rec-all"><summary>{said}</summary><ol class="ss-rec-list">{items}</ol></details>'


def _facts(recording: Recording) -> str:
    facts = {
        "duration": clock(recording.duration_s),
        "speaker": recording.speaker,
        "date": recording.date,
        "language": recording.language,
        "collection": shown_name(recording.collection),
        "licence": recording.licence,
        "source": recording.source,
    }
    rows = "".join(
        f"<div><dt>{Recordings.FACTS[name]}</dt><dd>{text(said, 200)}</dd></div>"
        for name, said in facts.items()
        if said
    )
    return f'<dl class="ss-rec-facts">{rows}</dl>'


def _time_line(recording: Recording, passages: Sequence[Passage]) -> str:
    length_s = max(recording.duration_s, 0.001)
    spans = [(one.span.start_s, one.span.duration_s) for one in passages]
    blocks = "".join(f"M{start_s:.1f} 0h{span_s:.1f}v1h-{span_s:.1f}z" for start_s, span_s in spans)
    at = Page.AT_OF.format(at=clock(0), length=clock(length_s))
    return (
        f'<div class="ss-rec-line" role="slider" tabindex="0" aria-label="{Page.POSITION}" aria-valuemin="0" '
        f'aria-valuemax="{length_s:.0f}" aria-valuenow="0" aria-valuetext="{at}">'
        f'<svg class="ss-rec-blocks" viewBox="0 0 {length_s:.1f} 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="{blocks}"/></svg><div class="ss-rec-marks"></div>'
        '<svg class="ss-rec-wave" preserveAspectRatio="none" aria-hidden="true"><path/></svg>'
        '<svg class="ss-rec-wave ss-rec-played" preserveAspectRatio="none" aria-hidden="true"><path/></svg>'
        '<i class="ss-rec-now"></i></div>'
    )


def _controls(recording: Recording, own: str, *, has_subtitles: bool, has_names: bool) -> str:
    how, said = ("?speakers=true", Voices.SUBTITLES) if has_names else ("", Recordings.SUBTITLES)
    subtitles = f'<a href="{own}/subtitles{how}" download>{icon("download")}{said}</a>' if has_subtitles else ""
    speeds = "".join(f'<option value="{one:g}"{" selected" * (one == 1)}>{one:g} ×</option>' for one in SPEEDS)
    return (
        '<div class="ss-rec-controls">'
        f'<button type="button" class="ss-rec-play" aria-label="{Recordings.PLAY}">{icon("play")}{icon("pause")}'
        f'</button><button type="button" data-skip="-10" aria-label="{Recordings.BACK}">{Recordings.BACK_SHORT}'
        f'</button><button type="button" data-skip="10" aria-label="{Recordings.AHEAD}">{Recordings.AHEAD_SHORT}'
        "</button>"
        f'<output class="ss-rec-time">{clock(0)} / {clock(recording.duration_s)}</output>'
        '<span class="ss-rec-jumps" hidden>'
        f'<button type="button" data-jump="-1" aria-label="{Recordings.PREVIOUS_ANSWER}">{icon("before")}</button>'
        f"<span>{Recordings.ANSWERS}</span>"
        f'<button type="button" data-jump="1" aria-label="{Recordings.NEXT_ANSWER}">{icon("after")}</button></span>'
        f'<label>{Recordings.SPEED} <select class="ss-rec-speed">{speeds}</select></label>'
        f'<span class="ss-rec-tools"><button type="button" class="ss-rec-copy">{icon("link")}{Page.COPY_LINK}</button>'
        f'<a href="{own}/audio?download=true" download>{icon("download")}{Page.DOWNLOAD}</a>{subtitles}</span></div>'
    )


def search_form(engines: Sequence[EngineCard], question: str, engine: str) -> str:
    """Return the form that searches within the recording."""
    options = "".join(
        f'<option value="{escape(one.name)}"{" selected" * (one.name == engine)}>{escape(one.label)}</option>'
        for one in engines
    )
    return (
        f'<form class="ss-rec-ask" role="search" aria-label="{Recordings.SEARCH_WITHIN}">'
        f'<input type="search" name="q" maxlength="1000" autocomplete="off" value="{escape(question)}" '
        f'placeholder="{Recordings.SEARCH_WITHIN}" aria-label="{Recordings.SEARCH_WITHIN}">'
        f'<select name="engine" aria-label="{Recordings.ENGINE}">{options}</select>'
        f"<button>{Recordings.SEARCH}</button></form>"
    )


def answers(results: Results, engine: EngineCard, *, is_recognizer_named: bool = False) -> str:
    """Return the answers in one recording; those that are not convincing are folded."""
    likely = [hit for hit in results.hits if hit.is_confident]
    weak = [hit for hit in results.hits if not hit.is_confident]
    took_ms = results.encode_ms + results.search_ms
    number = Recordings.TOOK.format(answers=count(len(likely), Nouns.ANSWER))
    took = f'<p class="ss-took">{number} <b>{elapsed(took_ms)}</b></p>'
    order = (
        f'<span class="ss-rec-order" role="group" aria-label="{Recordings.ORDER}">'
        f'<button type="button" data-order="rank" aria-pressed="true">{Recordings.BEST_FIRST}</button>'
        f'<button type="button" data-order="start" aria-pressed="false">{Recordings.BY_TIME}</button></span>'
    )
    is_searched = engine.searches != "sound"
    are_several = len({one.speaker_id for hit in results.hits for one in hit.speakers}) > 1
    first, rest = ("".join(_answer(hit, is_searched, are_several) for hit in part) for part in (likely, weak))
    shown = f'<ol class="ss-rec-answers">{first}</ol>' if likely else ""
    if not results.hits and (results.question.phrases or not results.coverage.is_whole):
        shown = nothing_found(results, engine)
    elif not likely:
        shown = nothing_convincing(results, engine)
    if weak:
        label = Page.SHOW.format(what=count(len(weak), Nouns.UNLIKELY_ANSWER))
        shown += f'<details class="ss-more"><summary>{label}</summary><ol class="ss-rec-answers">{rest}</ol></details>'
    known = remarks(results, engine, is_recognizer_named=is_recognizer_named)
    return f'<div class="ss-rec-head">{took}{order if len(results.hits) > 1 else ""}</div>{known}{shown}'


def _answer(hit: Hit, is_searched: bool, has_speakers: bool) -> str:
    found = hit.passage.span
    said = ""
    if hit.transcript is not None:
        words = marked(hit.transcript, hit.marked) if hit.transcript else f"<em>{Page.NO_WORDS}</em>"
        said = f'<p class="ss-transcript">{words}</p>'
    if said and not is_searched:
        said = f'<details class="ss-said"><summary>{Page.TRANSCRIPT_SHOWN_ONLY}</summary>{said}</details>'
    by = ", ".join(text(one.label) for one in hit.speakers) if has_speakers else ""
    by = f'<p class="ss-where">{by}</p>' if by else ""
    how_good = score_words(hit.score, hit.likelihood)
    heard = "".join(
        f'<button type="button" class="ss-rec-from" data-start="{found.start_s + word.start_s:.2f}">'
        f"{text(word.text, 40)} <small>{clock(found.start_s + word.start_s)}</small></button>"
        for word in hit.heard
    )
    heard = f'<p class="ss-rec-heard"><span>{Page.HEARD}</span>{heard}</p>' if heard else ""
    return (
        f'<li class="ss-rec-answer{"" if hit.is_confident else " ss-weak"}" data-rank="{hit.rank}" '
        f'data-start="{found.start_s:.2f}" data-end="{found.end_s:.2f}" data-said="{how_good}">'
        f'<div class="ss-head"><span class="ss-rank">{hit.rank}</span>{_play(found.start_s, span(found))}'
        f"{score(hit)}</div>{by}{heard}{said}"
        f"{why_found(hit)}</li>"
    )


def _play(start_s: float, words: str) -> str:
    return (
        f'<button type="button" class="ss-rec-from" data-start="{start_s:.2f}" '
        f'aria-label="{Page.PLAY.format(title=words)}">'
        f"{icon('play')}{words}</button>"
    )


def passage_list(said: Sequence[tuple[Passage, Transcript | None]], heard: RecordedSpeakers) -> str:
    """Return all passages of a recording with their transcripts, and who says what where several speak."""
    whose = {one.number: one.speaker for one in heard.voices} if len(heard.voices) > 1 else {}
    speaking = Speaking(heard.turns)
    rows = "".join(
        f'<li data-start="{passage.span.start_s:.2f}" data-end="{passage.span.end_s:.2f}">'
        f"{_play(passage.span.start_s, span(passage.span))}"
        f"<div>{_said(passage, transcript, speaking, whose)}</div></li>"
        for passage, transcript in said
    )
    length = duration(sum(passage.span.duration_s for passage, _ in said))
    speech = Recordings.SPEECH.format(length=length)
    return f'<p class="ss-took">{speech}</p><ol class="ss-rec-passages">{rows}</ol>'


def _said(passage: Passage, transcript: Transcript | None, speaking: Speaking, whose: Mapping[int, Speaker]) -> str:
    pieces = spoken(passage.span, transcript or Transcript("", ""), speaking)
    return "".join(f'<p class="ss-rec-said">{_marks(one, whose)}{_words(one, transcript)}</p>' for one in pieces)


def _marks(piece: Spoken, whose: Mapping[int, Speaker]) -> str:
    return "".join(f"{speaker_mark(voice, whose[voice])} " for voice in piece.voices if voice in whose)


def _words(piece: Spoken, transcript: Transcript | None) -> str:
    if transcript is None:
        return f"<em>{Recordings.NO_TRANSCRIPT}</em>"
    if not piece.text:
        return f"<em>{Page.NO_WORDS}</em>"
    return text(piece.text, LONGEST_TRANSCRIPT)
