"""Pure functions from collections to the HTML of the Collections tab. Everything from users and files is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from speechsearch.domain.values import Channel
from speechsearch.domain.visitors import shown_name
from speechsearch.library.contents import LONGEST_PAGE, Contents, RecordingState, Storage
from speechsearch.retrieval.engine_cards import channel_title
from speechsearch.store import CollectionSummary, JournalEntry
from speechsearch.ui.players import player
from speechsearch.ui.texts import Collections, Nouns, Page
from speechsearch.ui.view import clock, count, duration, holdings, text

LONGEST_DESCRIPTION = 2_000


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
        parts = {"audio": storage.audio_bytes, "database": storage.database_bytes, "index": storage.index_bytes}
        said = " · ".join(f"{Collections.STORAGE[name]} {size(number)}" for name, number in parts.items() if number)
        on_disk = Collections.ON_DISK.format(parts=said or Collections.NOTHING)
        kept = f"{on_disk} · <b>{Collections.IN_ALL.format(size=size(storage.total_bytes))}</b>"
        kept = f'<p class="ss-c-storage">{kept}</p>'
    buttons = [button(Collections.NEW, "primary", dialog="new")] if rights.may_add else []
    if rights.is_owner:
        buttons += [button(Collections.REINDEX, dialog="reindex"), button(Collections.CHECK, check="leftovers")]
    return f'<div class="ss-c-bar">{kept}<div class="ss-c-actions">{"".join(buttons)}</div></div>'


def cards(collections: Sequence[tuple[str, CollectionSummary]], chosen: str) -> str:
    """Return the collections (by the name in requests) as a list to choose from."""
    return (
        f'<ul class="ss-c-list" aria-label="{Collections.LIST}">'
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
        return Collections.EMPTY
    recordings, passages = count(summary.recordings, Nouns.RECORDING), count(summary.passages, Nouns.PASSAGE)
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
        actions = button(Collections.EDIT, dialog="edit", name=name)
        actions += button(Collections.DELETE, "danger", dialog="delete", name=name)
    room = f" · {Collections.OF_AUDIO.format(size=size(contents.media_bytes))}" if contents.media_bytes else ""
    said = "".join(
        f"<div><dt>{label}</dt><dd>{text(value, LONGEST_DESCRIPTION)}</dd></div>"
        for label, value in ((Collections.LICENCE, summary.licence), (Collections.SOURCE, summary.source))
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
        f'<div class="ss-c-head"><h3>{Collections.MAP}</h3><label class="ss-map-by">{Collections.MAP_COLOUR} <select>'
        f"{''.join(f'<option value={by}>{said}</option>' for by, said in Collections.MAP_BY.items())}"
        f'</select></label></div><p class="ss-c-hint" data-part="about">{Collections.MAP_DRAWING}</p>'
        '<div class="ss-map-body"><div class="ss-map-plot" tabindex="0" role="application" data-part="plot"'
        f' aria-label="{Collections.MAP_HELP}"></div>'
        f'<ul class="ss-map-legend" data-part="legend" aria-label="{Collections.MAP_COLOURS}"></ul></div>'
        '<div class="ss-map-now" data-part="now" hidden><p role="status"></p>'
        f"{player('', Collections.MAP_CHOSEN, 0.0)}"
        f'<a class="ss-open" href="#">{Page.OPEN_RECORDING}</a></div></ss-map>'
    )


def recordings(
    name: str, contents: Contents, rights: Rights, words: str, page: int, root: str, channels: Sequence[Channel]
) -> str:
    """Return a page of a collection's recordings as a table, with a box to look for one."""
    if not contents.summary.recordings:
        return f'<p class="ss-c-hint">{Collections.NO_RECORDINGS}</p>'
    head = "".join(f'<th scope="col">{one}</th>' for one in Collections.HEADS)
    if rights.may_change:
        head += f'<th scope="col"><span class="ss-c-unseen">{Collections.CHANGE}</span></th>'
    rows = "".join(row(state, rights.may_change, root, channels) for state in contents.recordings)
    table = f'<div class="ss-table ss-c-table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    if not contents.found:
        table = f'<p class="ss-c-hint">{Collections.NO_FIT}</p>'
    is_long = words or contents.summary.recordings > 10
    box = (
        f'<form class="ss-c-find" role="search" data-find="{escape(name, quote=True)}">'
        f'<input type="search" name="words" aria-label="{Collections.FIND}" placeholder="{Collections.FIND}" '
        f'maxlength="200" value="{escape(words, quote=True)}"></form>'
    )
    return (
        f'<div class="ss-c-head"><h3>{Collections.RECORDINGS}</h3>{box if is_long else ""}</div>'
        f"{table}{pager(name, contents.found, words, page)}"
    )


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
    kind, why, named = "indexed", "", state.state
    if state.state != "done":
        kind, why = "warning", Collections.UNFINISHED_HINT
    elif not state.is_current:
        kind, why, named = "warning", Collections.OUTDATED_HINT, "outdated"
    label = Collections.STATES.get(named, named)
    _, *heads = Collections.HEADS
    change = ""
    if may_change:
        what = escape(one.title[:80], quote=True)
        change = "".join(
            f'<button type="button" class="ss-button ss-c-small" data-dialog="{dialog}" data-id="'
            f'{escape(one.recording_id)}" aria-label="'
            f'{Collections.CHANGE_WHAT.format(action=verb, title=what)}">{verb}</button>'
            for dialog, verb in (("recording", Collections.EDIT), ("delete-recording", Collections.DELETE))
        )
        change = f'<td class="ss-c-actions">{change}</td>'
    return (
        f'<tr><th scope="row">{title}{said}</th><td data-label="{heads[0]}">{clock(one.duration_s)}</td>'
        f'<td data-label="{heads[1]}">{state.passages:,}</td>'
        f'<td data-label="{heads[2]}"><span class="ss-c-badges">{made}</span></td>'
        f'<td data-label="{heads[3]}"><span class="ss-state" data-state="{kind}" title="{why}">{escape(label)}</span>'
        "</td>"
        f"{change}</tr>"
    )


def badges(vectors: Mapping[str, int], passages: int, channels: Sequence[Channel]) -> str:
    """Return which channels a recording is indexed for, in the colours of the hits' cards.

    Titles that several channels share, as those of two recognisers' transcripts do, give way to the channels' names.

    >>> badges({"words@mini": 2}, 3, [Channel("words@mini", "sparse", title="words")])
    '<span class="ss-badge" data-channel="words" title="words@mini: 2 of 3 passages">transcript words 2/3</span>'
    """
    titles = Counter(one.title for one in channels)

    def hint(one: Channel) -> str:
        of = count(passages, Nouns.PASSAGE)
        return escape(Collections.PASSAGES_WITH.format(channel=one.name, number=f"{vectors[one.name]:,}", passages=of))

    return "".join(
        f'<span class="ss-badge" data-channel="{escape(one.title or one.name, quote=True)}" title="{hint(one)}">'
        f"{escape(one.name if one.title and titles[one.title] > 1 else channel_title(one.title or one.name))}"
        f"{'' if vectors[one.name] == passages else f' {vectors[one.name]}/{passages}'}</span>"
        for one in channels
        if vectors.get(one.name)
    )


def pager(name: str, found: int, words: str, page: int) -> str:
    """Return how to get to the other pages of recordings; nothing when there are none."""
    last = max(1, -(-found // LONGEST_PAGE))
    if last == 1:
        return ""
    ways = [(Collections.PREVIOUS, page - 1)] if page > 1 else []
    ways += [(Collections.NEXT, page + 1)] if page < last else []
    links = "".join(button(label, open=name, words=words, page=str(number)) for label, number in ways)
    where = Collections.PAGE_OF.format(page=f"{page:,}", last=f"{last:,}")
    return f'<nav class="ss-c-pager" aria-label="{Collections.PAGES}"><span>{where}</span>{links}</nav>'


def failures(entries: Sequence[JournalEntry]) -> str:
    """Return the files that could not be added and why."""
    if not entries:
        return ""
    shown = entries[:LONGEST_PAGE]
    items = "".join(
        f"<li><strong>{text(entry.file_name or Collections.A_FILE)}</strong> <span>{text(entry.message, 400)}</span>"
        f"<small>{escape(entry.updated_at[:16].replace('T', ' '))} UTC</small></li>"
        for entry in shown
    )
    last = Collections.LAST_OF.format(shown=len(shown), total=f"{len(entries):,}")
    more = f'<p class="ss-c-hint">{last}</p>' if len(shown) < len(entries) else ""
    label = Collections.NOT_ADDED.format(files=count(len(entries), Nouns.FILE))
    return f'<details class="ss-c-failures"><summary>{label}</summary><ul>{items}</ul>{more}</details>'


def panel(collections: Sequence[tuple[str, CollectionSummary]], chosen: str, bar: str, shown: str) -> str:
    """Return the whole tab; ``chosen`` is the open collection's name in the store."""
    listed = cards(collections, chosen)
    if not collections:
        listed = f'<p class="ss-c-hint">{Collections.NONE}</p>'
    held = escape(holdings([summary for _, summary in collections]), quote=True)
    return f'<div class="ss-c-panel" data-held="{held}">{bar}{listed}{shown}</div>'
