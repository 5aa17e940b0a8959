"""Pure functions from the speakers of a library to HTML: the list, and one of them with its voices.

Everything from outside is escaped. The buttons and forms work by static/speakers.js.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from speechsearch.domain.speakers import LONGEST_NAME, RecordedVoice
from speechsearch.domain.values import Recording, Speaker
from speechsearch.ui.players import player
from speechsearch.ui.recording_view import address
from speechsearch.ui.texts import Nouns, People
from speechsearch.ui.view import clock, count, duration, text
from speechsearch.ui.voice_lanes import speaker_options

SAMPLE_S = 8.0
"""How much of a voice is played as its sample."""


@dataclass(frozen=True, slots=True)
class HeardIn:
    """A voice of a speaker, the recording that it is in, and when it speaks there first."""

    recording: Recording
    voice: RecordedVoice
    start_s: float


def panel(speakers: Sequence[Speaker], total: int, words: str, most: int, root: str, changeable: frozenset[str]) -> str:
    """Return the list of speakers.

    Args:
        speakers: whose names have the words that are looked for, as ``ordered`` has them.
        total: how many there are.
        words: that are looked for.
        most: how many are shown.
        root: the path below which the program is served.
        changeable: the ids of those that the visitor may change.
    """
    rows = "".join(_row(one, root, may_change=one.speaker_id in changeable) for one in speakers[:most])
    listed = f'<ul class="ss-n-list ss-p-list" aria-label="{People.LIST}">{rows}</ul>' if rows else ""
    find = (
        f'<form class="ss-p-find" role="search"><input type="search" name="words" maxlength="{LONGEST_NAME}" '
        f'autocomplete="off" value="{escape(words, quote=True)}" placeholder="{People.FIND}" '
        f'aria-label="{People.FIND}"></form>'
    )
    more = ""
    if len(speakers) > most:
        more = f'<p class="ss-n-hint">{People.MORE.format(speakers=count(len(speakers) - most, Nouns.SPEAKER))}</p>'
    elif not speakers:
        more = f'<p class="ss-n-hint">{People.NO_FIT}</p>'
    return f'<p class="ss-n-hint">{People.ABOUT}</p>{find if total > 1 else ""}{listed}{more}'


def nobody(*, are_heard: bool) -> str:
    """Return what stands in place of the list while there is nobody; ``are_heard``: whether somebody may come."""
    return f'<p class="ss-n-hint">{People.ABOUT}</p><p>{People.NONE if are_heard else People.OFF}</p>'


def ordered(speakers: Iterable[Speaker]) -> list[Speaker]:
    """Return speakers as the list has them: those with a name by name, then who speaks most.

    >>> [one.label for one in ordered([Speaker("a", 1), Speaker("b", 2, "", 1, 9.0), Speaker("c", 3, "Ann")])]
    ['Ann', 'Speaker 2', 'Speaker 1']
    """
    return sorted(speakers, key=lambda one: (not one.name, one.name.casefold(), -one.speech_s, one.number))


def _row(speaker: Speaker, root: str, *, may_change: bool) -> str:
    name = escape(speaker.label[:LONGEST_NAME], quote=True)
    own = f"{root}/page/speakers/{speaker.speaker_id}"
    heard = People.HEARD.format(
        recordings=count(speaker.recordings, Nouns.RECORDING), length=duration(speaker.speech_s)
    )
    more, about = (People.VOICES_CHANGE, People.CHANGE_OF) if may_change else (People.VOICES, People.VOICES_OF)
    return (
        f'<li data-speaker="{escape(speaker.speaker_id, quote=True)}" data-label="{name}" '
        f'data-name="{escape(speaker.name, quote=True)}"><div class="ss-n-what">'
        f"<strong>{text(speaker.label, LONGEST_NAME)}</strong><small>{heard}</small></div>"
        f"{player(f'{own}/sample', People.SAMPLE.format(name=speaker.label), min(SAMPLE_S, speaker.speech_s))}"
        f'<span class="ss-n-actions"><a class="ss-button ss-open" data-recording="" '
        f'href="{escape(recordings_of(speaker, root))}" aria-label="{People.RECORDINGS_OF.format(name=name)}">'
        f'{People.RECORDINGS}</a><button type="button" class="ss-button" data-more aria-expanded="false" '
        f'aria-label="{about.format(name=name)}">{more}</button></span><div data-part="person"></div></li>'
    )


def recordings_of(speaker: Speaker, root: str = "") -> str:
    """Return the address of the list of a speaker's recordings.

    >>> recordings_of(Speaker("a", 3))
    '/?recording=&speaker=Speaker+3'
    """
    return f"{address('', root)}&{urlencode({'speaker': speaker.label})}"


def person(
    speaker: Speaker, others: Sequence[Speaker], heard: Sequence[HeardIn], root: str, total: int, *, may_change: bool
) -> str:
    """Return the voices of a speaker, and for those who may the forms that change it.

    Args:
        speaker: the person.
        others: with whom it can be merged.
        heard: the voices that are shown.
        root: the path below which the program is served.
        total: how many voices there are.
        may_change: whether the visitor may change the speaker.
    """
    name = escape(speaker.label[:LONGEST_NAME], quote=True)
    rows = "".join(_voice(one, speaker, root, may_change=may_change and total > 1) for one in heard)
    listed = f'<ul class="ss-n-heard" aria-label="{People.VOICES_OF.format(name=name)}">{rows}</ul>'
    if total > len(heard):
        more = People.MORE_VOICES.format(recordings=count(total - len(heard), Nouns.RECORDING))
        listed += f'<p class="ss-n-hint">{more}</p>'
    return f"{_forms(speaker, others) if may_change else ''}<h4>{People.IN}</h4>{listed}"


def _voice(heard: HeardIn, speaker: Speaker, root: str, *, may_change: bool) -> str:
    recording, voice = heard.recording, heard.voice
    title, name = escape(recording.title[:160], quote=True), escape(speaker.label[:LONGEST_NAME], quote=True)
    sample = f"{root}/page/speakers/{speaker.speaker_id}/sample?" + urlencode(
        {"recording": recording.recording_id, "voice": voice.number}
    )
    known = People.CONFIRMED if voice.is_confirmed else People.MATCHED
    take_out = (
        f'<span class="ss-n-actions"><button type="button" class="ss-button" data-do="assign" '
        f'aria-label="{People.TAKE_OUT_OF.format(name=name, title=title)}">{People.TAKE_OUT}</button></span>'
    )
    shown = People.SAMPLE_IN.format(name=speaker.label, title=recording.title)
    return (
        f'<li data-recording="{escape(recording.recording_id)}" data-voice="{voice.number}">'
        f'<div class="ss-n-what"><a class="ss-open" data-recording="{escape(recording.recording_id)}" '
        f'href="{escape(address(recording.recording_id, root))}&amp;t={heard.start_s:.2f}">{text(recording.title)}, '
        f"{clock(heard.start_s)}</a><small>{duration(voice.speech_s)} · {known}</small></div>"
        f"{player(sample, shown, min(SAMPLE_S, voice.speech_s))}{take_out if may_change else ''}</li>"
    )


def _forms(speaker: Speaker, others: Sequence[Speaker]) -> str:
    """Return the forms that rename, merge and delete a speaker."""
    unname = f'<button type="button" class="ss-button" data-do="unname">{People.UNNAME}</button>'
    merge = (
        f'<form data-do="merge"><label>{People.SAME}<select name="into" required>'
        f'<option value="">{People.CHOOSE}</option>{speaker_options(others)}</select></label>'
        f'<button type="submit" class="ss-button">{People.MERGE}</button></form>'
    )
    what = People.FORGET_WHAT.format(recordings=count(speaker.recordings, Nouns.RECORDING))
    return (
        '<div class="ss-p-forms">'
        f'<form data-do="name"><label>{People.NAME}<input name="name" required maxlength="{LONGEST_NAME}" '
        f'autocomplete="off" value="{escape(speaker.name, quote=True)}"></label>'
        f'<button type="submit" class="ss-button">{People.SAVE}</button>{unname if speaker.name else ""}</form>'
        f"{merge if others else ''}"
        f'<p><button type="button" class="ss-button" data-ask aria-expanded="false">{People.FORGET}</button></p>'
        f'<div class="ss-notice ss-problem" data-sure hidden>'
        f"<strong>{People.FORGET_QUESTION.format(name=text(speaker.label, LONGEST_NAME))}</strong><span>{what}</span>"
        f'<p class="ss-n-actions"><button type="button" class="ss-button" data-cancel>{People.CANCEL}</button>'
        f'<button type="button" class="ss-button ss-danger" data-do="forget">{People.FORGET_GO}</button></p>'
        "</div></div>"
    )
