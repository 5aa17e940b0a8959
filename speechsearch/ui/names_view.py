"""Pure functions from My names to HTML: the list, and where a name was heard. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from speechsearch.domain.listed_name import LONGEST_NAME, MOST_SPELLINGS, ListedName
from speechsearch.domain.visitors import shown_name
from speechsearch.service.names_heard import NameFound
from speechsearch.ui.cards import percent
from speechsearch.ui.view import clock, text

ABOUT = (
    "Names and terms that matter to you. Every search hears them as you say they sound, in old recordings too; "
    "nothing is transcribed again."
)


def panel(names: Sequence[ListedName], root: str, fingerprint: str, *, may_change: bool) -> str:
    """Return the list, and the forms that change it for those who may.

    Args:
        names: the list.
        root: the path below which the program is served.
        fingerprint: of the present speech encoder, whose recorded examples count.
        may_change: whether the visitor may change the list.
    """
    items = "".join(item(one, fingerprint, may_change=may_change) for one in names)
    listed = f'<ul class="ss-n-list" aria-label="My names">{items}</ul>' if names else "<p>No names yet.</p>"
    forms = _forms(root) if may_change else ""
    return f'<p class="ss-n-hint">{ABOUT}</p>{forms}{listed}'


def _forms(root: str) -> str:
    sounds = f"How it sounds, up to {MOST_SPELLINGS} ways with ; between"
    return (
        '<form class="ss-n-add"><label>Name<input name="name" required autocomplete="off" '
        f'maxlength="{LONGEST_NAME}" placeholder="Wojciechowski"></label>'
        f'<label>Sounds like<input name="sounds_like" autocomplete="off" maxlength="600" title="{sounds}" '
        'placeholder="voy che hoff ski"></label><button type="submit" class="ss-button">Add or change</button></form>'
        '<p class="ss-n-table"><label class="ss-button">Import CSV'
        '<input type="file" data-table accept=".csv,.txt,.tsv,text/csv"></label>'
        f'<a class="ss-button" href="{escape(root)}/api/v1/names/table" download>Export CSV</a></p>'
    )


def item(name: ListedName, fingerprint: str, *, may_change: bool) -> str:
    """Return one name: how it sounds, and what can be done."""
    written = escape(name.written, quote=True)
    sounds = [f"“{text(one)}”" for one in name.sounds_like]
    if name.phonemes:
        sounds.append("a recorded example" if name.heard_by == fingerprint else "an example to be recorded again")
    about = f"<small>sounds like {', '.join(sounds)}</small>" if sounds else ""
    change = (
        f'<label class="ss-button" title="A file with the name, said once">Example<input type="file" data-example '
        f'accept="audio/*" aria-label="Recorded example of {written}"></label>'
        f'<button type="button" class="ss-button" data-remove aria-label="Remove {written}">Remove</button>'
    )
    return (
        f'<li data-name="{written}"><div class="ss-n-what"><strong>{text(name.written)}</strong>{about}</div>'
        '<span class="ss-n-actions"><button type="button" class="ss-button" data-heard aria-expanded="false" '
        f'aria-label="Where {written} was heard">Where heard</button>{change if may_change else ""}</span>'
        '<div data-part="heard"></div></li>'
    )


def heard(found: Sequence[NameFound], root: str, *, may_change: bool) -> str:
    """Return the passages in which a name was heard."""
    if not found:
        return '<p class="ss-n-hint">It was heard nowhere. Another spelling of how it sounds may help.</p>'
    return f'<ol class="ss-n-heard">{"".join(_passage(one, root, may_change=may_change) for one in found)}</ol>'


def _passage(found: NameFound, root: str, *, may_change: bool) -> str:
    passage, recording, where = found.passage, found.recording, found.heard
    at_s = passage.span.start_s + where.start_s
    title, at = escape(recording.title[:160], quote=True), clock(at_s)
    said = "confirmed" if found.is_said else f"{percent(where.likelihood)} % likely"
    written = ", also in the transcript" if where.is_written else ""
    buttons = "".join(
        f'<button type="button" class="ss-button" data-said="{value}" aria-pressed="{pressed}" '
        f'aria-label="{label}: {title}, {at}">{label}</button>'
        for label, value, pressed in (("Right", "true", str(bool(found.is_said)).lower()), ("Wrong", "false", "false"))
    )
    return (
        f'<li data-passage="{escape(passage.passage_id)}"><div class="ss-n-what">'
        f'<a class="ss-open" href="{escape(root)}/?recording={escape(recording.recording_id)}&amp;t={at_s:.2f}" '
        f'data-recording="{escape(recording.recording_id)}" data-start="{at_s:.2f}">{text(recording.title)}, {at}</a>'
        f"<small>{text(shown_name(recording.collection))} · {said}{written}</small></div>"
        f'<audio controls preload="none" aria-label="Play {title}, {at}" src="{escape(root)}/api/v1/clips/'
        f'{quote(passage.passage_id, safe="")}#t={max(0.0, where.start_s - 0.5):.2f}"></audio>'
        f'{f"""<span class="ss-n-actions">{buttons}</span>""" if may_change else ""}</li>'
    )
