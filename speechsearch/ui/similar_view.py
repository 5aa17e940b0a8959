"""More like this, and duplicates: pure functions to HTML. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote, urlencode

from speechsearch.api.similar_bodies import points_of
from speechsearch.domain.alike import DuplicatePair, Sense, SimilarHit, SimilarResults
from speechsearch.domain.values import Recording, Span
from speechsearch.domain.visitors import shown_name
from speechsearch.ui.cards import percent
from speechsearch.ui.collection_views import button
from speechsearch.ui.players import player
from speechsearch.ui.texts import Nouns, Page, Similar
from speechsearch.ui.view import LONGEST_TITLE, clock, count, duration, elapsed, text, told
from speechsearch.ui.view import span as span_words

LONGEST_EXCERPT_S = 30.0
LONGEST_SAID = 400
PICTURE = 100
"""The diagonal is drawn in a square of so many units."""


def panel(sense: Sense, senses: Sequence[Sense], shown: str) -> str:
    """Return what is shown of one sense, with buttons for the others."""
    buttons = "".join(
        f'<button type="button" data-sense="{one}" aria-pressed="{str(one == sense).lower()}" '
        f'title="{Similar.SENSE_HINTS[one]}">{Similar.SENSES[one]}</button>'
        for one in senses
    )
    return (
        f'<div class="ss-l-senses" role="group" aria-label="{Similar.IN_SENSE}">{buttons}</div>'
        f'<div aria-live="polite">{shown}</div>'
    )


def found(results: SimilarResults, root: str) -> str:
    """Return what is similar in one sense; what is unlikely is folded."""
    likely = [hit for hit in results.hits if hit.is_likely]
    weak = [hit for hit in results.hits if not hit.is_likely]
    nothing = Similar.NOTHING_LIKELY if weak else Similar.NOTHING
    shown = hits(likely, root) if likely else told(nothing[results.sense])
    if weak:
        label = Page.SHOW.format(what=count(len(weak), Nouns.UNLIKELY_ANSWER))
        shown += f'<details class="ss-more"><summary>{label}</summary>{hits(weak, root)}</details>'
    return f'<p class="ss-took">{Similar.SENSE_HINTS[results.sense]} {looked_in(results)}</p>{shown}'


def looked_in(results: SimilarResults) -> str:
    """Return in how many recordings something was looked for.

    >>> looked_in(SimilarResults("sound", (), 9.0, 2, 3, 12.0))
    'Looked for in 2 of 3 recordings, 12 ms.'
    """
    said = count(results.of_recordings, Nouns.RECORDING)
    if results.recordings < results.of_recordings:
        said = Similar.SOME_OF.format(some=f"{results.recordings:,}", all=said)
    return Similar.LOOKED_IN.format(recordings=said, time=elapsed(results.total_ms))


def hits(some: Sequence[SimilarHit], root: str) -> str:
    """Return hits as a list."""
    return f'<ol class="ss-l-hits">{"".join(_hit(one, root) for one in some)}</ol>'


def _hit(hit: SimilarHit, root: str) -> str:
    recording, where = hit.recording, hit.span
    known = [part for part in (recording.speaker, recording.date, shown_name(recording.collection)) if part]
    if hit.likelihood is None:
        how_sure = Similar.ALIKE.format(score=f"{hit.score:.2f}")
    else:
        how_sure = Page.LIKELY.format(percent=percent(hit.likelihood))
    link = urlencode({"recording": recording.recording_id, "t": f"{where.start_s:.2f}", "end": f"{where.end_s:.2f}"})
    return (
        f'<li><div class="ss-head"><span class="ss-rank">{hit.rank}</span><div class="ss-what">'
        f'<a class="ss-open" href="{escape(f"{root}/?{link}")}" data-recording="{escape(recording.recording_id)}" '
        f'aria-label="{escape(Similar.OPEN.format(title=recording.title[:LONGEST_TITLE]))}">{text(recording.title)}</a>'
        f'<p class="ss-where">{" <i>·</i> ".join(text(part) for part in known)}</p></div>'
        f'<span class="ss-l-sure">{how_sure}</span></div>{excerpt(recording, where, root)}{_why(hit)}</li>'
    )


def excerpt(recording: Recording, where: Span, root: str) -> str:
    """Return a player of a stretch of a recording, as much of it as is played at once."""
    end_s = min(where.end_s, where.start_s + LONGEST_EXCERPT_S, max(recording.duration_s, where.start_s + 1.0))
    wanted = urlencode({"recording": recording.recording_id, "start": f"{where.start_s:.2f}", "end": f"{end_s:.2f}"})
    title = f"{recording.title[:LONGEST_TITLE]}, {span_words(Span(where.start_s, end_s))}"
    return player(f"{root}/page/similar/excerpt?{wanted}", title, end_s - where.start_s)


def _why(hit: SimilarHit) -> str:
    """Return why a recording was found: a diagonal, shared words, or the windows that are most alike."""
    said = []
    if hit.offset_s is not None:
        moments = count(int(hit.score), Nouns.MOMENT)
        begins = Similar.BEGINS if hit.offset_s >= 0 else Similar.BEGINS_BEFORE
        said.append(begins.format(at=clock(abs(hit.offset_s)), moments=moments))
        if hit.speed != 1.0:
            said.append(Similar.FASTER.format(speed=f"{hit.speed:g}"))
        return f'<div class="ss-l-why">{diagonal(hit.points.tolist())}<p>{" ".join(said)}</p></div>'
    if hit.passage_id:
        words = ", ".join(text(word, 40) for word in hit.shared)
        shared = f"<p>{Similar.SHARED.format(words=words)}</p>" if words else ""
        transcript = f'<p class="ss-transcript">{text(hit.transcript, LONGEST_SAID)}</p>' if hit.transcript else ""
        return f'<div class="ss-l-why"><div>{transcript}{shared}</div></div>' if transcript or shared else ""
    pairs = "; ".join(Similar.NEAREST.format(asked=clock(one.asked_s), found=clock(one.found_s)) for one in hit.nearest)
    return f'<div class="ss-l-why"><p>{Similar.MOST_ALIKE.format(pairs=pairs)}</p></div>'


def diagonal(points: list[list[float]]) -> str:
    """Return a picture of the moments that agree: a line from corner to corner where all of a stretch does.

    >>> diagonal([[1.0, 21.0], [3.0, 23.0]]).count("<circle")
    2
    """
    shown = points_of(points)
    if not shown:
        return ""
    (asked_s, found_s), spans = zip(*shown, strict=True), []
    for seconds in (asked_s, found_s):
        first, last = min(seconds), max(seconds)
        spans.append((first, max(last - first, 1e-3)))
    dots = "".join(
        f'<circle cx="{PICTURE * (one - spans[0][0]) / spans[0][1]:.1f}" '
        f'cy="{PICTURE - PICTURE * (other - spans[1][0]) / spans[1][1]:.1f}" r="2"/>'
        for one, other in shown
    )
    label = Similar.DIAGONAL.format(
        asked=f"{clock(min(asked_s))}–{clock(max(asked_s))}", found=f"{clock(min(found_s))}–{clock(max(found_s))}"
    )
    return (
        f'<svg class="ss-l-diagonal" viewBox="-4 -4 108 108" role="img" aria-label="{label}"><title>{label}</title>'
        f'<rect width="{PICTURE}" height="{PICTURE}"/>{dots}</svg>'
    )


def chooser(collections: Sequence[str], chosen: str) -> str:
    """Return the form that looks for duplicates, in all collections or one."""
    options = "".join(
        f'<option value="{escape(one, quote=True)}"{" selected" if one == chosen else ""}>'
        f"{escape(shown_name(one))}</option>"
        for one in collections
    )
    return (
        f'<p class="ss-n-hint">{Similar.DUPLICATES_ABOUT}</p><form class="ss-l-look"><label>{Similar.WHERE} '
        f'<select name="collection"><option value="">{Similar.EVERYWHERE}</option>{options}</select></label>'
        f'<button type="submit" class="ss-button">{Similar.LOOK}</button></form>'
    )


def duplicates(pairs: Sequence[DuplicatePair], most: int, root: str) -> str:
    """Return the pairs, so many at most."""
    if not pairs:
        return told(Similar.NO_DUPLICATES)
    more = (
        f"<p>{Similar.MORE_PAIRS.format(pairs=count(len(pairs) - most, Nouns.PAIR))}</p>" if len(pairs) > most else ""
    )
    rows = "".join(_pair(number, one, root) for number, one in enumerate(pairs[:most], 1))
    return f'<ol class="ss-l-pairs">{rows}</ol>{more}'


def _pair(number: int, pair: DuplicatePair, root: str) -> str:
    first, second = pair.first, pair.second
    if pair.is_whole:
        how = Similar.SAME_WHOLE.format(length=duration(pair.shared_s))
    else:
        how = Similar.SAME_PART.format(length=duration(pair.shared_s), at=clock(max(0.0, pair.offset_s)))
    said = ", ".join(
        Similar.VOTE.format(sign=Similar.SIGNS[name], vote=Similar.VOTES[vote]) for name, vote in pair.votes.items()
    )
    sides = _side(first, second, max(0.0, pair.offset_s), pair, root)
    sides += _side(second, first, max(0.0, -pair.offset_s), pair, root)
    both = {first.recording_id, second.recording_id} <= pair.may_change
    keep = button(Similar.KEEP_BOTH, keep="both") if both else ""
    return (
        f'<li data-first="{escape(first.recording_id)}" data-second="{escape(second.recording_id)}" '
        f'aria-label="{Similar.PAIR_NUMBER.format(number=number)}"><div class="ss-l-sides">{sides}</div>'
        f'<div class="ss-l-why">{diagonal(pair.points.tolist())}<div><p>{how} '
        f"{Page.LIKELY.format(percent=percent(pair.likelihood))}.</p>"
        f'<p class="ss-n-hint">{said}</p></div></div><p class="ss-n-actions">{keep}</p></li>'
    )


def _side(recording: Recording, other: Recording, start_s: float, pair: DuplicatePair, root: str) -> str:
    """Return one recording of a pair: what is known of it, its player from where both agree, and how to keep it."""
    known = (recording.speaker, recording.date, shown_name(recording.collection), recording.file_name)
    facts = " <i>·</i> ".join(text(part) for part in (clock(recording.duration_s), *known) if part)
    keep = ""
    if other.recording_id in pair.may_change:
        keep = button(Similar.KEEP_THIS, keep="one", delete=other.recording_id, title=other.title[:LONGEST_TITLE])
    source = f"{root}/api/v1/recordings/{quote(recording.recording_id, safe='')}/audio#t={start_s:.2f}"
    label = escape(Page.PLAY.format(title=recording.title[:LONGEST_TITLE]), quote=True)
    return (
        f'<div class="ss-l-side"><a class="ss-open" href="{escape(root)}/?recording={escape(recording.recording_id)}" '
        f'data-recording="{escape(recording.recording_id)}">{text(recording.title)}</a>'
        f'<p class="ss-where">{facts}</p>'
        f'<audio controls preload="none" aria-label="{label}" src="{escape(source)}"></audio>{keep}</div>'
    )
