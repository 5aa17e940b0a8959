"""Pure functions from My names to HTML: the list, and where a name was heard. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from speechsearch.domain.listed_name import LONGEST_NAME, MOST_SPELLINGS, ListedName
from speechsearch.domain.visitors import shown_name
from speechsearch.service.names_heard import NameFound
from speechsearch.ui.cards import percent
from speechsearch.ui.texts import Names
from speechsearch.ui.view import clock, text, told


def panel(names: Sequence[ListedName], root: str, fingerprint: str, *, may_change: bool) -> str:
    """Return the list, and the forms that change it for those who may.

    Args:
        names: the list.
        root: the path below which the program is served.
        fingerprint: of the present speech encoder, whose recorded examples count.
        may_change: whether the visitor may change the list.
    """
    items = "".join(item(one, fingerprint, may_change=may_change) for one in names)
    listed = f'<ul class="ss-n-list" aria-label="{Names.TITLE}">{items}</ul>' if names else f"<p>{Names.NONE}</p>"
    forms = _forms(root) if may_change else ""
    return f'<p class="ss-n-hint">{Names.ABOUT}</p>{forms}{listed}'


def _forms(root: str) -> str:
    sounds = Names.SOUNDS_HINT.format(most=MOST_SPELLINGS)
    return (
        f'<form class="ss-n-add"><label>{Names.NAME}<input name="name" required autocomplete="off" '
        f'maxlength="{LONGEST_NAME}" placeholder="{Names.NAME_PLACEHOLDER}"></label>'
        f'<label>{Names.SOUNDS}<input name="sounds_like" autocomplete="off" maxlength="600" title="{sounds}" '
        f'placeholder="{Names.SOUNDS_PLACEHOLDER}"></label>'
        f'<button type="submit" class="ss-button">{Names.ADD}</button></form>'
        f'<p class="ss-n-table"><label class="ss-button">{Names.IMPORT}'
        '<input type="file" data-table accept=".csv,.txt,.tsv,text/csv"></label>'
        f'<a class="ss-button" href="{escape(root)}/api/v1/names/table" download>{Names.EXPORT}</a></p>'
    )


def item(name: ListedName, fingerprint: str, *, may_change: bool) -> str:
    """Return one name: how it sounds, and what can be done."""
    written = escape(name.written, quote=True)
    sounds = [Names.SPELLING.format(spelling=text(one)) for one in name.sounds_like]
    if name.phonemes:
        sounds.append(Names.EXAMPLE_KNOWN if name.has_example(fingerprint) else Names.EXAMPLE_STALE)
    about = f"<small>{Names.SOUNDS_LIKE.format(ways=', '.join(sounds))}</small>" if sounds else ""
    about += told(Names.DAMAGED) if name.is_damaged else ""
    change = (
        f'<label class="ss-button" title="{Names.EXAMPLE_HINT}">{Names.EXAMPLE}<input type="file" data-example '
        f'accept="audio/*" aria-label="{Names.EXAMPLE_OF.format(name=written)}"></label>'
        '<button type="button" class="ss-button" data-remove '
        f'aria-label="{Names.REMOVE_NAME.format(name=written)}">{Names.REMOVE}</button>'
    )
    where = Names.WHERE_HEARD.format(name=written)
    return (
        f'<li data-name="{written}"><div class="ss-n-what"><strong>{text(name.written)}</strong>{about}</div>'
        '<span class="ss-n-actions"><button type="button" class="ss-button" data-heard aria-expanded="false" '
        f'aria-label="{where}">{Names.HEARD}</button>{change if may_change else ""}</span>'
        '<div data-part="heard"></div></li>'
    )


def heard(found: Sequence[NameFound], root: str, *, may_change: bool) -> str:
    """Return the passages in which a name was heard."""
    if not found:
        return f'<p class="ss-n-hint">{Names.NOWHERE}</p>'
    return f'<ol class="ss-n-heard">{"".join(_passage(one, root, may_change=may_change) for one in found)}</ol>'


def _passage(found: NameFound, root: str, *, may_change: bool) -> str:
    passage, recording, where = found.passage, found.recording, found.heard
    at_s = passage.span.start_s + where.start_s
    title, at = escape(recording.title[:160], quote=True), clock(at_s)
    said = Names.CONFIRMED if found.is_said else Names.LIKELY.format(percent=percent(where.likelihood))
    said = Names.WRITTEN.format(said=said) if where.is_written else said
    buttons = "".join(
        f'<button type="button" class="ss-button" data-said="{value}" aria-pressed="{pressed}" '
        f'aria-label="{Names.VERDICT.format(verdict=verdict, title=title, at=at)}">{verdict}</button>'
        for verdict, value, pressed in (
            (Names.RIGHT, "true", str(bool(found.is_said)).lower()),
            (Names.WRONG, "false", "false"),
        )
    )
    change = f'<span class="ss-n-actions">{buttons}</span>' if may_change else ""
    from_s = max(0.0, where.start_s - 0.5)
    clip = f"{escape(root)}/api/v1/clips/{quote(passage.passage_id, safe='')}#t={from_s:.2f}"
    return (
        f'<li data-passage="{escape(passage.passage_id)}"><div class="ss-n-what">'
        f'<a class="ss-open" href="{escape(root)}/?recording={escape(recording.recording_id)}&amp;t={at_s:.2f}" '
        f'data-recording="{escape(recording.recording_id)}" data-start="{at_s:.2f}">'
        f"{Names.PLACE.format(title=text(recording.title), at=at)}</a>"
        f"<small>{text(shown_name(recording.collection))} · {said}</small></div>"
        f'<audio controls preload="none" aria-label="{Names.PLAY.format(title=title, at=at)}" src="{clip}"></audio>'
        f"{change}</li>"
    )
