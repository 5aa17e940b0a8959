"""The recordings to choose from, with filters: pure functions to HTML. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from speechsearch.domain.values import Recording
from speechsearch.domain.visitors import shown_name
from speechsearch.ui.recording_view import address
from speechsearch.ui.texts import Nouns, Recordings
from speechsearch.ui.view import clock, count, text, told

FILTERS = ("collection", "speaker", "year")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which recordings are looked for: words in what is said about them, and one value of each filter; empty: all."""

    words: str = ""
    collection: str = ""
    speaker: str = ""
    year: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out.

        >>> Wanted(" ").is_everything, Wanted(year="2019").is_everything
        (True, False)
        """
        return not (self.words.strip() or self.collection or self.speaker or self.year)

    def fits(self, recording: Recording, heard: frozenset[str] = frozenset()) -> bool:
        """Say whether a recording is meant; ``heard``: the ids of those in which the speaker is heard.

        >>> talk = Recording("ab", "@ann/talks", "On whales", 60.0, speaker="Ada", date="2019-03")
        >>> Wanted("WHALE ada").fits(talk), Wanted("talks").fits(talk), Wanted("ann").fits(talk), Wanted().fits(talk)
        (True, True, False, True)
        >>> Wanted(collection="talks", speaker="Ada", year="2019").fits(talk), Wanted(year="2018").fits(talk)
        (True, False)
        """
        collection = shown_name(recording.collection)
        about = (recording.title, recording.speaker, recording.date, recording.language, recording.file_name)
        whole = " ".join((*about, collection)).casefold()
        return (
            all(word in whole for word in self.words.casefold().split())
            and self.collection in ("", collection)
            and (self.speaker in ("", recording.speaker) or recording.recording_id in heard)
            and recording.date.startswith(self.year)
        )


def frame(root: str = "") -> str:
    """Return the tab's frame: the list of recordings to choose from, and the place of the chosen one."""
    return (
        f'<ss-recording data-root="{escape(root)}"><div class="ss-rec-choose">'
        f'<p class="ss-about">{Recordings.ABOUT}</p><form class="ss-rec-wanted" role="search">'
        '<input type="search" class="ss-rec-words" name="words" maxlength="200" autocomplete="off" '
        f'placeholder="{Recordings.FIND_PLACEHOLDER}" aria-label="{Recordings.FIND}" aria-controls="ss-rec-list">'
        f'<span class="ss-rec-filters" role="group" aria-label="{Recordings.FILTERS}"></span></form>'
        '<div id="ss-rec-list" aria-live="polite"></div></div><div class="ss-rec-chosen"></div></ss-recording>'
    )


def filters(facets: Mapping[str, Sequence[str]], wanted: Wanted) -> str:
    """Return the filters that leave something out, with what is chosen.

    Args:
        facets: the values of collections, speakers and dates that there are.
        wanted: what is chosen now.
    """
    years = sorted({date[:4] for date in facets["dates"] if date}, reverse=True)
    offered = dict(zip(FILTERS, (dict.fromkeys(facets["collections"]), facets["speakers"], years), strict=True))
    return "".join(_filter(name, list(values), getattr(wanted, name)) for name, values in offered.items())


def _filter(name: str, values: Sequence[str], chosen: str) -> str:
    if len(values) < 2 and not chosen:
        return ""
    values = values if chosen in ("", *values) else [chosen, *values]
    options = "".join(
        f'<option value="{escape(one, quote=True)}"{" selected" if one == chosen else ""}>{escape(one)}</option>'
        for one in values
    )
    every = f'<option value="">{Recordings.ANY[name]}</option>'
    return f'<select name="{name}" aria-label="{Recordings.FILTER[name]}">{every}{options}</select>'


def recording_list(
    recordings: Sequence[Recording],
    total: int,
    most: int,
    root: str = "",
    newest: Sequence[str] = (),
    times_found: Mapping[str, int] | None = None,
) -> str:
    """Return links to recordings, each once: the newest, those found most, and the others, ``most`` of them.

    Args:
        recordings: that fit what is looked for.
        total: how many there are.
        most: how many of the others are shown.
        root: the path below which the program is served.
        newest: ids of those to be listed first.
        times_found: ids of those to be listed next -> how often they were found.
    """
    if not total:
        return told(Recordings.NONE)
    if not recordings:
        return told(Recordings.NO_FIT)
    times_found = times_found or {}
    by_id = {one.recording_id: one for one in recordings}
    recent = [by_id[one] for one in newest if one in by_id]
    found = [by_id[one] for one in times_found if one in by_id and one not in newest]
    first = {one.recording_id for one in (*recent, *found)}
    others = [one for one in recordings if one.recording_id not in first]
    shown = len(first) + len(others[:most])
    said = count(len(recordings), Nouns.RECORDING)
    said = said if shown == len(recordings) else Recordings.SOME_OF.format(shown=shown, found=said)
    parts = ((Recordings.RECENT, recent), (Recordings.MOST_FOUND, found), (Recordings.OTHERS, others[:most]))
    listed = "".join(_part(title if first else "", part, root, times_found) for title, part in parts if part)
    return f'<p class="ss-took">{said}</p>{listed}'


def _part(title: str, recordings: Sequence[Recording], root: str, times_found: Mapping[str, int]) -> str:
    rows = "".join(_row(one, root, times_found.get(one.recording_id, 0)) for one in recordings)
    head = f'<h3 class="ss-rec-part">{title}</h3>' if title else ""
    return f'{head}<ul class="ss-rec-list">{rows}</ul>'


def _row(recording: Recording, root: str, times_found: int) -> str:
    known = [text(part) for part in (recording.speaker, recording.date, shown_name(recording.collection)) if part]
    if times_found:
        times = Recordings.FOUND_TIMES.format(times=count(times_found, Nouns.TIME))
        known.append(f'<span title="{Recordings.FOUND_TIMES_HINT}">{times}</span>')
    return (
        f'<li><a class="ss-open" data-recording="{escape(recording.recording_id)}" '
        f'href="{escape(address(recording.recording_id, root))}"><b>{text(recording.title)}</b>'
        f"<span>{' <i>·</i> '.join(known)}</span>"
        f"<time>{clock(recording.duration_s)}</time></a></li>"
    )
