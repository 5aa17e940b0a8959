"""Pure functions from collections to the HTML of the Collections tab. Everything from users and files is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from speechsearch.domain.values import Channel
from speechsearch.domain.visitors import shown_name
from speechsearch.library.contents import LONGEST_PAGE, Contents, RecordingState, Storage
from speechsearch.store import CollectionSummary, JournalEntry
from speechsearch.ui.view import clock, count, duration, holdings, text

LONGEST_DESCRIPTION = 2_000
STATES = {"stored": "half done", "deleting": "half deleted", "failed": "failed", "done": "searchable"}


@dataclass(frozen=True, slots=True)
class Rights:
    """What the visitor may do: make collections, change the open one, see and do what concerns everything."""

    may_add: bool
    may_change: bool
    is_owner: bool


def size(number_bytes: int) -> str:
    """Return a number of bytes in words.

    >>> size(0), size(82_070), size(6_066_133), size(3_200_000_000)
    ('0 kB', '82 kB', '6.1 MB', '3.2 GB')
    """
    for unit, divisor in (("GB", 1e9), ("MB", 1e6)):
        if number_bytes >= divisor * 0.9995:
            return f"{number_bytes / divisor:.1f} {unit}"
    return f"{number_bytes / 1e3:.0f} kB"


def named(summary: CollectionSummary, is_everything_seen: bool) -> str:
    """Return the name by which a visitor's requests call a collection; who sees all needs the one in the store."""
    return summary.name if is_everything_seen else shown_name(summary.name)


def button(label: str, kind: str = "", **data: str) -> str:
    """Return a button; ``data`` are its data attributes.

    >>> button("Edit", dialog="edit?name=a&b")
    '<button type="button" class="ss-button" data-dialog="edit?name=a&amp;b">Edit</button>'
    """
    attributes = "".join(f' data-{name}="{escape(value, quote=True)}"' for name, value in data.items())
    return (
        f'<button type="button" class="ss-button{f" ss-{kind}" if kind else ""}"{attributes}>{escape(label)}</button>'
    )


def toolbar(rights: Rights, storage: Storage | None) -> str:
    """Return what concerns all collections: room on the disk, making one, indexing again, looking for leftovers."""
    kept = ""
    if storage is not None:
        parts = [("audio", storage.audio_bytes), ("database", storage.database_bytes), ("index", storage.index_bytes)]
        said = " · ".join(f"{name} {size(number)}" for name, number in parts if number)
        kept = f'<p class="ss-c-storage">On disk: {said or "nothing"} · <b>{size(storage.total_bytes)} in all</b></p>'
    buttons = [button("New collection", "primary", dialog="new")] if rights.may_add else []
    if rights.is_owner:
        buttons += [button("Re-index", dialog="reindex"), button("Check for leftovers", check="leftovers")]
    return f'<div class="ss-c-bar">{kept}<div class="ss-c-actions">{"".join(buttons)}</div></div>'


def cards(collections: Sequence[tuple[str, CollectionSummary]], chosen: str) -> str:
    """Return the collections (by the name in requests) as a list to choose from."""
    return (
        '<ul class="ss-c-list" aria-label="Collections">'
        + "".join(
            f'<li><button type="button" class="ss-c-card" data-open="{escape(name, quote=True)}"'
            f' aria-pressed="{"true" if summary.name == chosen else "false"}">'
            f"<strong>{text(shown_name(summary.name))}</strong>"
            f"<span>{amount(summary)}</span>"
            + (f'<span class="ss-c-said">{text(summary.description)}</span>' if summary.description else "")
            + "</button></li>"
            for name, summary in collections
        )
        + "</ul>"
    )


def amount(summary: CollectionSummary) -> str:
    """Return how much is in a collection.

    >>> amount(CollectionSummary("talks", "", "", "", 2, 9, 120.0))
    '2 recordings · 2 min · 9 passages'
    """
    if not summary.recordings:
        return "empty"
    recordings, passages = count(summary.recordings, "recording"), count(summary.passages, "passage")
    return f"{recordings} · {duration(summary.duration_s)} · {passages}"


def detail(
    name: str, contents: Contents, rights: Rights, words: str, page: int, root: str, channels: Sequence[Channel]
) -> str:
    """Return one collection: what is said about it, its map, its recordings, and what could not be added.

    Args:
        name: by which requests call it.
        contents: what is in it.
        rights: of the visitor.
        words: that recordings are looked for by.
        page: of the recordings.
        root: the path below which the program is served.
        channels: that recordings can be indexed for.
    """
    summary = contents.summary
    actions = ""
    if rights.may_change:
        actions = button("Edit", dialog="edit", name=name) + button("Delete", "danger", dialog="delete", name=name)
    if summary.recordings:
        address = escape(f"{root}/api/v1/collections/export?{urlencode({'name': name})}", quote=True)
        actions = f'<a class="ss-button" href="{address}" download>Export</a>{actions}'
    room = f" · {size(contents.media_bytes)} of audio" if contents.media_bytes else ""
    said = "".join(
        f"<div><dt>{label}</dt><dd>{text(value, LONGEST_DESCRIPTION)}</dd></div>"
        for label, value in (("Licence", summary.licence), ("Source", summary.source))
        if value
    )
    description = f'<p class="ss-c-description">{text(summary.description, LONGEST_DESCRIPTION)}</p>'
    drawn = map_frame(name, root) if summary.passages else ""
    return (
        f'<section class="ss-c-detail" aria-label="{escape(shown_name(summary.name), quote=True)}">'
        f'<div class="ss-c-title"><div><h2>{text(shown_name(summary.name))}</h2>'
        f'<p class="ss-c-amount">{amount(summary)}{room}</p></div><div class="ss-c-actions">{actions}</div></div>'
        f"{description if summary.description else ''}"
        f"{f'<dl>{said}</dl>' if said else ''}"
        f"{drawn}{recordings(name, contents, rights, words, page, root, channels)}"
        f"{failures(contents.failures)}</section>"
    )


def map_frame(name: str, root: str) -> str:
    """Return the place where the page's script draws the map of a collection."""
    return (
        f'<ss-map data-root="{escape(root, quote=True)}" data-name="{escape(name, quote=True)}">'
        '<div class="ss-c-head"><h3>Map of the passages</h3><label class="ss-map-by">Colour by <select>'
        '<option value="recording">recording</option><option value="speaker">speaker</option></select></label></div>'
        '<p class="ss-c-hint" data-part="about">Drawing the map …</p>'
        '<div class="ss-map-body"><div class="ss-map-plot" tabindex="0" role="application" data-part="plot"'
        ' aria-label="Map of the passages. Arrow keys move to the nearest passage, Enter plays it."></div>'
        '<ul class="ss-map-legend" data-part="legend" aria-label="Colours"></ul></div>'
        '<div class="ss-map-now" data-part="now" hidden><p role="status"></p>'
        '<audio controls preload="none" aria-label="Passage chosen on the map"></audio>'
        '<a class="ss-open" href="#">Open in recording</a></div></ss-map>'
    )


def recordings(
    name: str, contents: Contents, rights: Rights, words: str, page: int, root: str, channels: Sequence[Channel]
) -> str:
    """Return a page of a collection's recordings as a table, with a box to look for one."""
    if not contents.summary.recordings:
        return '<p class="ss-c-hint">No recordings yet. Add some on the tab Add recordings.</p>'
    heads = ("Recording", "Length", "Passages", "Indexed for", "State", *(("",) if rights.may_change else ()))
    head = "".join(f'<th scope="col">{one or _HIDDEN_HEAD}</th>' for one in heads)
    rows = "".join(row(state, rights.may_change, root, channels) for state in contents.recordings)
    table = f'<div class="ss-table ss-c-table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    if not contents.found:
        table = '<p class="ss-c-hint">No recording has these words in its title, speaker, date or file name.</p>'
    is_long = words or contents.summary.recordings > 10
    box = (
        f'<form class="ss-c-find" role="search" data-find="{escape(name, quote=True)}">'
        '<input type="search" name="words" aria-label="Find a recording" placeholder="Find a recording" maxlength="200"'
        f' value="{escape(words, quote=True)}"></form>'
    )
    return (
        f'<div class="ss-c-head"><h3>Recordings</h3>{box if is_long else ""}</div>'
        f"{table}{pager(name, contents.found, words, page)}"
    )


_HIDDEN_HEAD = '<span class="ss-c-unseen">Change</span>'


def row(state: RecordingState, may_change: bool, root: str, channels: Sequence[Channel]) -> str:
    """Return one recording as a row of the table."""
    one = state.recording
    about = [part for part in (one.speaker, one.date, one.language) if part]
    said = f"<small>{' <i>·</i> '.join(text(part) for part in about)}</small>" if about else ""
    title = (
        f'<a class="ss-open" href="?recording={escape(one.recording_id)}&amp;t=0" data-recording="'
        f'{escape(one.recording_id)}" data-start="0">{text(one.title)}</a>'
    )
    made = badges(state.vectors, state.passages, channels)
    label, kind, why = STATES.get(state.state, state.state), "indexed", ""
    if state.state != "done":
        kind, why = "warning", "A start of the program finishes it."
    elif not state.is_current:
        label, kind, why = "older models", "warning", "Made with other models or another cutting. Re-index to renew it."
    change = ""
    if may_change:
        what = escape(one.title[:80], quote=True)
        change = "".join(
            f'<button type="button" class="ss-button ss-c-small" data-dialog="{dialog}" data-id="'
            f'{escape(one.recording_id)}" aria-label="{verb} {what}">{verb}</button>'
            for dialog, verb in (("recording", "Edit"), ("delete-recording", "Delete"))
        )
        change = f'<td class="ss-c-actions">{change}</td>'
    return (
        f'<tr><th scope="row">{title}{said}</th><td data-label="Length">{clock(one.duration_s)}</td>'
        f'<td data-label="Passages">{state.passages:,}</td>'
        f'<td data-label="Indexed for"><span class="ss-c-badges">{made}</span></td>'
        f'<td data-label="State"><span class="ss-state" data-state="{kind}" title="{why}">{escape(label)}</span></td>'
        f"{change}</tr>"
    )


def badges(vectors: Mapping[str, int], passages: int, channels: Sequence[Channel]) -> str:
    """Return which channels a recording is indexed for, in the colours of the hits' cards.

    Titles that several channels share, as those of two recognisers' transcripts do, give way to the channels' names.

    >>> badges({"words@mini": 2}, 3, [Channel("words@mini", "sparse", title="words")])
    '<span class="ss-badge" data-channel="words" title="2 of 3 passages">words 2/3</span>'
    """
    titles = Counter(one.title for one in channels)
    return "".join(
        f'<span class="ss-badge" data-channel="{escape(one.title or one.name, quote=True)}" '
        f'title="{vectors[one.name]:,} of {passages:,} passages">'
        f"{escape(one.title if titles[one.title] == 1 and one.title else one.name)}"
        f"{'' if vectors[one.name] == passages else f' {vectors[one.name]}/{passages}'}</span>"
        for one in channels
        if vectors.get(one.name)
    )


def pager(name: str, found: int, words: str, page: int) -> str:
    """Return how to get to the other pages of recordings; nothing when there are none."""
    last = max(1, -(-found // LONGEST_PAGE))
    if last == 1:
        return ""
    ways = [("Previous", page - 1)] if page > 1 else []
    ways += [("Next", page + 1)] if page < last else []
    links = "".join(button(label, open=name, words=words, page=str(number)) for label, number in ways)
    return f'<nav class="ss-c-pager" aria-label="Pages"><span>Page {page:,} of {last:,}</span>{links}</nav>'


def failures(entries: Sequence[JournalEntry]) -> str:
    """Return the files that could not be added and why."""
    if not entries:
        return ""
    shown = entries[:LONGEST_PAGE]
    items = "".join(
        f"<li><strong>{text(entry.file_name or 'A file')}</strong> <span>{text(entry.message, 400)}</span>"
        f"<small>{escape(entry.updated_at[:16].replace('T', ' '))} UTC</small></li>"
        for entry in shown
    )
    more = f'<p class="ss-c-hint">The last {len(shown)} of {len(entries):,}.</p>' if len(shown) < len(entries) else ""
    label = f"{count(len(entries), 'file')} could not be added"
    return f'<details class="ss-c-failures"><summary>{label}</summary><ul>{items}</ul>{more}</details>'


def panel(collections: Sequence[tuple[str, CollectionSummary]], chosen: str, bar: str, shown: str) -> str:
    """Return the whole tab; ``chosen`` is the open collection's name in the store."""
    listed = cards(collections, chosen)
    if not collections:
        listed = '<p class="ss-c-hint">There is no collection yet. Recordings that you add make one.</p>'
    held = escape(holdings([summary for _, summary in collections]), quote=True)
    return f'<div class="ss-c-panel" data-held="{held}">{bar}{listed}{shown}</div>'
