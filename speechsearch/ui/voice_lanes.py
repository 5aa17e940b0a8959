"""Who speaks in a recording, a lane a voice below its time line: pure functions to HTML.

Everything from outside is escaped. The buttons and forms work by static/speakers.js.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from speechsearch.domain.speakers import LONGEST_NAME, RecordedSpeakers, RecordedVoice, Turn
from speechsearch.domain.values import Speaker
from speechsearch.ui.colours import voice_colour
from speechsearch.ui.icons import icon
from speechsearch.ui.texts import Nouns, Page, Voices
from speechsearch.ui.view import count, duration, span, text

MOST_OPEN = 8
"""So many lanes are seen at once; the rest are folded."""
MOST_NAMED = 3


def voices(heard: RecordedSpeakers, duration_s: float, known: Sequence[Speaker], *, may_change: bool) -> str:
    """Return the lanes of a recording, who speaks longest first; nothing where nobody was heard.

    They are open where there are several voices. One voice alone stays folded, so that it is in nobody's way.

    Args:
        heard: who speaks when.
        duration_s: how long the recording is.
        known: the speakers that a voice can be.
        may_change: whether the visitor may name and correct voices.
    """
    if not heard.voices:
        return ""
    listed = sorted(heard.voices, key=lambda one: (-one.speech_s, one.number))
    total_s = sum(one.speech_s for one in listed)
    shown = [_lane(one, heard.turns, duration_s, total_s, may_change=may_change) for one in listed]
    first, rest = "".join(shown[:MOST_OPEN]), "".join(shown[MOST_OPEN:])
    more = ""
    if rest:
        said = Voices.MORE.format(speakers=count(len(shown) - MOST_OPEN, Nouns.SPEAKER))
        more = f'<details class="ss-more"><summary>{said}</summary><ul class="ss-v-lanes">{rest}</ul></details>'
    return (
        f'<ss-voices><details class="ss-rec-all ss-v-all"{" open" if len(listed) > 1 else ""}>'
        f"<summary>{Voices.TITLE.format(names=_names(listed))}</summary>"
        f'<p class="ss-v-status" role="status"></p>{_offered(known) if may_change else ""}'
        f'<ul class="ss-v-lanes" aria-label="{Voices.LANES}">{first}</ul>{more}'
        f'<details class="ss-rec-all ss-v-turns" data-part="turns"><summary>{Voices.TURNS}</summary>'
        "<div></div></details></details></ss-voices>"
    )


def _names(listed: Sequence[RecordedVoice]) -> str:
    """Return who speaks, in words; of many the first."""
    labels = list(dict.fromkeys(one.speaker.label for one in listed))
    said = ", ".join(text(one, LONGEST_NAME) for one in labels[:MOST_NAMED])
    return said if len(labels) <= MOST_NAMED else Voices.AND_MORE.format(names=said, number=len(labels) - MOST_NAMED)


def _offered(known: Sequence[Speaker]) -> str:
    """Return the names that are offered while one is typed, and once for all lanes whose a voice can be."""
    names = "".join(f'<option value="{escape(one.name, quote=True)}"></option>' for one in known if one.name)
    return f'<datalist id="ss-v-names">{names}</datalist><template>{speaker_options(known)}</template>'


def _lane(voice: RecordedVoice, turns: Sequence[Turn], duration_s: float, total_s: float, *, may_change: bool) -> str:
    own = [one.span for one in turns if one.voice == voice.number]
    length_s = max(duration_s, 0.001)
    path = "".join(f"M{one.start_s:.2f} 0h{one.duration_s:.2f}v1h-{one.duration_s:.2f}z" for one in own)
    times = " ".join(f"{one.start_s:.2f} {one.end_s:.2f}" for one in own)
    label, name = text(voice.speaker.label, LONGEST_NAME), escape(voice.speaker.label[:LONGEST_NAME], quote=True)
    share = f"{100 * voice.speech_s / max(total_s, 0.001):.0f}"
    amount = Voices.SHARE.format(percent=share, length=duration(voice.speech_s))
    change = ""
    if may_change:
        change = (
            f'<button type="button" class="ss-small" data-edit aria-expanded="false" '
            f'aria-label="{Voices.EDIT_WHAT.format(name=name)}">{Voices.EDIT}</button>'
        )
    return (
        f'<li data-voice="{voice.number}" data-colour="{voice_colour(voice.number)}" '
        f'data-speaker="{escape(voice.speaker.speaker_id, quote=True)}" data-label="{name}" '
        f'data-name="{escape(voice.speaker.name, quote=True)}"><div class="ss-v-head">'
        f'<span class="ss-v-who"><i class="ss-v-colour" aria-hidden="true"></i><b>{label}</b> <small>{amount}</small>'
        f'</span><span class="ss-v-tools">{_step(-1, Voices.PREVIOUS.format(name=name), "before")}'
        f"{_step(1, Voices.NEXT.format(name=name), 'after')}{change}</span></div>"
        f'<div class="ss-v-track" data-turns="{times}" title="{Voices.PLAY_HERE}">'
        f'<svg viewBox="0 0 {length_s:.2f} 1" preserveAspectRatio="none" aria-hidden="true"><path d="{path}"/></svg>'
        f'<i class="ss-rec-now"></i></div>{_forms(voice, name) if may_change else ""}</li>'
    )


def _step(direction: int, label: str, picture: str) -> str:
    return (
        f'<button type="button" class="ss-icon" data-turn="{direction}" title="{label}" aria-label="{label}">'
        f"{icon(picture)}</button>"
    )


def _forms(voice: RecordedVoice, name: str) -> str:
    """Return the forms that name a voice's speaker, and that say that the voice is another's."""
    return (
        '<div class="ss-v-edit" hidden>'
        f'<form data-do="name"><label>{Voices.NAME}<input name="name" required maxlength="{LONGEST_NAME}" '
        f'autocomplete="off" list="ss-v-names" value="{escape(voice.speaker.name, quote=True)}" '
        f'placeholder="{name}"></label><button type="submit" class="ss-small">{Voices.SAVE}</button>'
        f"<small>{Voices.NAME_HINT}</small></form>"
        f'<form data-do="assign"><label>{Voices.OTHER}<select name="speaker_id">'
        f'<option value="">{Voices.NEW}</option></select></label>'
        f'<button type="submit" class="ss-small">{Voices.ASSIGN}</button>'
        f"<small>{Voices.OTHER_HINT}</small></form></div>"
    )


def speaker_options(speakers: Sequence[Speaker]) -> str:
    """Return speakers to choose from, those with a name first.

    >>> speaker_options([Speaker("b", 2, recordings=1), Speaker("a", 1, "Ann", 3)])
    '<option value="a" data-name="Ann">Ann (3 recordings)</option><option value="b">Speaker 2 (1 recording)</option>'
    """
    return "".join(
        f'<option value="{escape(one.speaker_id, quote=True)}"{_name_of(one)}>{escape(labelled(one))}</option>'
        for one in sorted(speakers, key=lambda one: (not one.name, one.name.casefold(), one.number))
    )


def _name_of(speaker: Speaker) -> str:
    return f' data-name="{escape(speaker.name, quote=True)}"' if speaker.name else ""


def labelled(speaker: Speaker) -> str:
    """Return a speaker with the number of recordings.

    >>> labelled(Speaker("a", 3, recordings=7))
    'Speaker 3 (7 recordings)'
    """
    recordings = count(speaker.recordings, Nouns.RECORDING)
    return Voices.IN_RECORDINGS.format(name=speaker.label[:LONGEST_NAME], recordings=recordings)


def turn_list(heard: RecordedSpeakers) -> str:
    """Return all turns of a recording as a list, each with a button that plays it."""
    whose = {one.number: one.speaker for one in heard.voices}
    rows = "".join(
        f'<li data-start="{one.span.start_s:.2f}" data-end="{one.span.end_s:.2f}">'
        f'<button type="button" class="ss-rec-from" data-start="{one.span.start_s:.2f}" '
        f'aria-label="{Page.PLAY.format(title=span(one.span))}">{icon("play")}{span(one.span)}</button>'
        f"<p>{speaker_mark(one.voice, whose[one.voice])}{f' <small>{Voices.OVERLAP}</small>' * one.is_overlap}</p></li>"
        for one in heard.turns
        if one.voice in whose
    )
    return f'<ol class="ss-rec-passages">{rows}</ol>'


def speaker_mark(voice: int, speaker: Speaker) -> str:
    """Return a speaker's name with the colour of the voice.

    >>> speaker_mark(1, Speaker("a", 3))
    '<span class="ss-v-mark" data-colour="0"><i class="ss-v-colour" aria-hidden="true"></i><bdi>Speaker 3</bdi></span>'
    """
    return (
        f'<span class="ss-v-mark" data-colour="{voice_colour(voice)}"><i class="ss-v-colour" aria-hidden="true"></i>'
        f"{text(speaker.label, LONGEST_NAME)}</span>"
    )
