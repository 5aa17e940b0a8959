"""A column of answers and its cards: pure functions from results to HTML. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, urlencode

from speechsearch.domain.values import ChannelRank, Hit, Results, Word
from speechsearch.domain.visitors import shown_name
from speechsearch.retrieval.engine_cards import EngineCard, channel_title
from speechsearch.ui.differences import Relation
from speechsearch.ui.icons import icon
from speechsearch.ui.known import nothing_convincing, nothing_found, remarks
from speechsearch.ui.players import player
from speechsearch.ui.similar_entry import entry
from speechsearch.ui.texts import Nouns, Page, Search, Similar
from speechsearch.ui.view import LONGEST_TITLE, clock, count, elapsed, span, text

LONGEST_TRANSCRIPT = 1500
LONGEST_WORD, LONGEST_NAME = 40, 60
MOST_SPEAKERS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where cards stand and what was asked.

    ``side``: "left" or "right". ``root``: the path below which the program is served. ``question``: empty when it was
    spoken. ``address``: the search as the parameters of an address. ``has_recognizers``: whether there are several, so
    that a column of transcripts must say whose they are. ``are_transcripts_coming``: whether those that lack will be
    written.
    """

    side: str = "left"
    root: str = ""
    question: str = ""
    address: Sequence[tuple[str, str]] = ()
    has_recognizers: bool = False
    are_transcripts_coming: bool = True


def about_engine(engine: EngineCard) -> str:
    """Return one sentence on how an engine works, and what it is called technically."""
    return f'<p class="ss-about">{text(engine.summary, 400)} {technical(engine)}</p>'


def technical(engine: EngineCard) -> str:
    """Return what engineers call an engine, in smaller type: in words, and as the API takes it."""
    said = f"{text(engine.technical_title)} · " if engine.technical_title else ""
    return f'<small class="ss-technical">{said}<code>{escape(engine.name)}</code></small>'


def column(results: Results, engine: EngineCard, relations: Mapping[str, Relation], place: Place) -> str:
    """Return one engine's answers: how it works, the time it took, the cards or why there are none."""
    parts = Search.TOOK_PARTS.format(encode=f"{results.encode_ms:.1f}", search=f"{results.search_ms:.1f}")
    took = (
        f'<p class="ss-took">{Search.TOOK.format(passages=count(len(results.hits), Nouns.PASSAGE))} '
        f'<b title="{parts}">{elapsed(results.encode_ms + results.search_ms)}</b></p>'
    )
    is_searched = engine.searches != "sound"
    cards = "".join(
        card(hit, relations[hit.passage.passage_id], place, is_transcript_searched=is_searched) for hit in results.hits
    )
    cards = f'<ol class="ss-hits">{cards}</ol>'
    if not results.hits:
        cards = nothing_found(results, engine, are_transcripts_coming=place.are_transcripts_coming)
    elif not results.has_confident_hit:
        none = nothing_convincing(results, engine)
        label = Page.SHOW.format(what=count(len(results.hits), Nouns.UNLIKELY_ANSWER))
        cards = f'{none}<details class="ss-more"><summary>{label}</summary>{cards}</details>'
    return (
        f'<section class="ss-column" aria-label="{escape(Search.ANSWERS_OF.format(engine=engine.title))}" '
        f'data-engine="{escape(results.engine)}" data-question="{escape(place.question)}">'
        f"{about_engine(engine)}{took}"
        f"{remarks(results, engine, is_recognizer_named=place.has_recognizers)}{cards}</section>"
    )


def card(hit: Hit, relation: Relation, place: Place, *, is_transcript_searched: bool = False) -> str:
    """Return the card of one hit: what it is, a player that starts there, what found it, and what can be done."""
    passage, recording = hit.passage, hit.recording
    name = f"{place.side}-hit-{hit.rank}"
    where = span(passage.span)
    who = ", ".join(said_by(hit))
    known = [part for part in (who, recording.date, shown_name(recording.collection)) if part]
    kinds = "ss-hit" + ("" if hit.is_confident else " ss-weak")
    kinds += " ss-alone" if relation.other_rank is None else " ss-common"

    return (
        f'<li class="{kinds}" id="{name}" tabindex="-1" aria-labelledby="{name}-title" style="--ss-hue:{relation.hue}" '
        f'data-passage="{escape(passage.passage_id)}" data-rank="{hit.rank}">'
        f'<div class="ss-head"><span class="ss-rank">{hit.rank}</span>'
        f'<div class="ss-what"><h2 id="{name}-title">{text(recording.title)}</h2>'
        f'<p class="ss-where">{" <i>·</i> ".join(text(part) for part in known)}</p></div>'
        f"{score(hit)}</div>"
        f"{player(_clip(hit, place), f'{recording.title[:LONGEST_TITLE]}, {where}', passage.span.duration_s)}"
        f"{_actions(hit, place)}{_heard(hit)}{_transcript(hit, is_searched=is_transcript_searched)}"
        f'<p class="ss-badges">{_relation(relation, hit, place.side)}{_more_by(hit, place)}</p>{why_found(hit)}'
        f"{entry(passage.passage_id, place.root, Similar.TITLE)}</li>"
    )


def said_by(hit: Hit) -> list[str]:
    """Return who speaks in a passage, as people read it and filters take it.

    That is what was heard; where nobody was told apart by voice yet, what the recording says of itself.

    >>> from speechsearch.domain.values import Passage, Recording, Span, Speaker
    >>> whale, talk = Passage("1", "ab", Span(0.0, 9.0)), Recording("ab", "talks", "On whales", 60.0, speaker="Ada")
    >>> said_by(Hit(1, 0.9, whale, talk, ())), said_by(Hit(1, 0.9, whale, talk, (), speakers=(Speaker("s", 3),)))
    (['Ada'], ['Speaker 3'])
    """
    return [one.label for one in hit.speakers] or [hit.recording.speaker][: bool(hit.recording.speaker)]


def score_words(score: float, likelihood: float | None) -> str:
    """Return how likely an answer is, in words; its score where that was never measured.

    >>> score_words(0.8, 0.617), score_words(0.8, None)
    ('62 % likely', 'score 0.800')
    """
    if likelihood is None:
        return Page.SCORE.format(score=f"{score:.3f}")
    return Page.LIKELY.format(percent=percent(likelihood))


def percent(likelihood: float) -> int:
    """Return a chance in percent.

    >>> percent(0.617), percent(1.2)
    (62, 100)
    """
    return round(100 * min(1.0, max(0.0, likelihood)))


def score(hit: Hit) -> str:
    """Return how good an answer is: how likely, with a bar, or only its score."""
    bar = ""
    if hit.likelihood is not None:
        bar = f'<span class="ss-bar"><span style="width:{percent(hit.likelihood)}%"></span></span>'
    said = score_words(hit.score, hit.likelihood)
    exactly = Page.SCORE.format(score=f"{hit.score:.4f}")
    return f'<div class="ss-score" title="{exactly}"><span>{said}</span>{bar}</div>'


def badge(channel: ChannelRank) -> str:
    """Return which channel found the passage at which rank."""
    name = escape(channel.channel)
    label = Page.RANK_IN_CHANNEL.format(channel=name, rank=channel.rank, score=f"{channel.score:.3f}")
    said = escape(channel_title(channel.channel))
    return f'<span class="ss-badge" data-channel="{name}" title="{label}">{said} #{channel.rank}</span>'


def why_found(hit: Hit) -> str:
    """Return, folded, which channels found a passage."""
    found = "".join(badge(channel) for channel in hit.channels)
    said = f'<details class="ss-said"><summary>{Search.FOUND_BY}</summary><p class="ss-badges">{found}</p></details>'
    return said if found else ""


def marked(transcript: str, stretches: Sequence[tuple[int, int]]) -> str:
    """Return a transcript as escaped text with stretches of it, given as character positions, in ``<mark>``.

    >>> marked("a <red> sun", [(3, 6), (8, 11)])
    '<bdi>a &lt;<mark>red</mark>&gt; <mark>sun</mark></bdi>'
    """
    shown = transcript if len(transcript) <= LONGEST_TRANSCRIPT else transcript[: LONGEST_TRANSCRIPT - 1] + "…"
    parts, position = [], 0
    for start, end in sorted(stretches):
        start, end = max(start, position), min(end, len(shown))
        if start < end:
            parts += [escape(shown[position:start]), f"<mark>{escape(shown[start:end])}</mark>"]
            position = end
    return f"<bdi>{''.join(parts)}{escape(shown[position:])}</bdi>"


def arrow(rank: int, other_rank: int) -> str:
    """Return how much higher or lower the other side ranks a passage.

    >>> arrow(1, 3), arrow(4, 2), arrow(2, 2)
    ('▼2', '▲2', '=')
    """
    if rank == other_rank:
        return "="
    return f"▼{other_rank - rank}" if other_rank > rank else f"▲{rank - other_rank}"


def _relation(relation: Relation, hit: Hit, side: str) -> str:
    other, title = relation.other_rank, text(relation.other_title)
    if other is None:
        return f'<span class="ss-only">{text(relation.only)}</span>'
    twin = f"{'right' if side == 'left' else 'left'}-hit-{other}"
    way = Search.LOWER if other > hit.rank else Search.HIGHER
    step = Search.SAME_PLACE if other == hit.rank else way.format(places=abs(other - hit.rank))
    label = escape(Search.GO_TO_OTHER.format(rank=other, engine=relation.other_title, step=step))
    return (
        f'<button type="button" class="ss-twin" data-twin="{twin}" aria-label="{label}">'
        f"<b>{arrow(hit.rank, other)}</b> #{other} {Search.IN_OTHER.format(engine=title)}</button>"
    )


def _more_by(hit: Hit, place: Place) -> str:
    """Return links that ask the same of one speaker; where nothing is typed, to the recordings with that speaker."""
    asked = [value for name, value in place.address if name == "speaker"]
    kept = [pair for pair in place.address if pair[0] != "speaker"] if place.question else [("recording", "")]
    kind = 'class="ss-by"' if place.question else 'class="ss-by ss-open" data-recording=""'
    links = []
    for speaker in said_by(hit)[:MOST_SPEAKERS]:
        if asked == [speaker]:
            continue
        address = escape(f"{place.root}/?{urlencode([*kept, ('speaker', speaker)])}")
        links.append(f'<a {kind} href="{address}">{Search.MORE_BY.format(speaker=text(speaker, LONGEST_NAME))}</a>')
    return "".join(links)


def _clip(hit: Hit, place: Place) -> str:
    return f"{place.root}/api/v1/clips/{quote(hit.passage.passage_id, safe='')}"


def _actions(hit: Hit, place: Place) -> str:
    passage, clip = hit.passage, _clip(hit, place)
    start = f"{passage.span.start_s:.2f}"
    link = [*place.address, ("recording", passage.recording_id), ("t", start)]
    votes = _vote(1, Search.GOOD, "yes") + _vote(0, Search.WRONG, "no") if place.question else ""
    return (
        '<div class="ss-actions"><span class="ss-steps">'
        f"{_button('step', Search.PREVIOUS, 'before', 'data-step=previous')}"
        f'<span class="ss-time" aria-live="polite">{span(passage.span)}</span>'
        f"{_button('step', Search.NEXT, 'after', 'data-step=next')}</span>"
        f'<span class="ss-tools"><a class="ss-icon ss-open" href="{escape(f"{place.root}/?{urlencode(link)}")}" '
        f'data-recording="{escape(passage.recording_id)}" data-start="{start}" '
        f'data-end="{passage.span.end_s:.2f}" title="{Page.OPEN_RECORDING}" '
        f'aria-label="{Page.OPEN_RECORDING}">{icon("open")}</a>'
        f"{_button('copy', Page.COPY_LINK, 'link')}"
        f'<a class="ss-icon ss-download" href="{escape(clip)}?download=1" download title="{Search.DOWNLOAD_CLIP}" '
        f'aria-label="{Search.DOWNLOAD_CLIP}">{icon("download")}</a>{votes}</span></div>'
    )


def _button(kind: str, label: str, picture: str, more: str = "") -> str:
    return (
        f'<button type="button" class="ss-icon ss-{kind}" title="{label}" aria-label="{label}" {more}>'
        f"{icon(picture)}</button>"
    )


def _vote(relevance: int, label: str, picture: str) -> str:
    return _button("vote", label, picture, f'data-relevance="{relevance}" aria-pressed="false"')


def _heard(hit: Hit) -> str:
    if not hit.heard:
        return ""
    length_s = max(hit.passage.span.duration_s, 0.001)
    chips, marks = zip(*(_heard_word(word, length_s) for word in hit.heard), strict=True)
    return (
        f'<div class="ss-evidence"><div class="ss-line" aria-hidden="true">{"".join(marks)}</div>'
        f"<p><span>{Page.HEARD}</span>{''.join(chips)}</p></div>"
    )


def _heard_word(word: Word, length_s: float) -> tuple[str, str]:
    at, said = clock(word.start_s), text(word.text, LONGEST_WORD)
    label = escape(Search.PLAY_HEARD.format(word=word.text[:LONGEST_WORD], at=at))
    start = 100 * min(1.0, max(0.0, word.start_s / length_s))
    width = min(100 - start, max(1.0, 100 * (word.end_s - word.start_s) / length_s))
    return (
        f'<button type="button" class="ss-heard" data-at="{word.start_s:.2f}" aria-label="{label}">'
        f"{said} <small>{at}</small></button>",
        f'<i style="left:{start:.1f}%;width:{width:.1f}%"></i>',
    )


def _transcript(hit: Hit, *, is_searched: bool) -> str:
    if hit.transcript is None:
        return ""
    said = marked(hit.transcript, hit.marked) if hit.transcript else f"<em>{Page.NO_WORDS}</em>"
    paragraph = f'<p class="ss-transcript">{said}</p>'
    if is_searched:
        return paragraph
    return f'<details class="ss-said"><summary>{Page.TRANSCRIPT_SHOWN_ONLY}</summary>{paragraph}</details>'
