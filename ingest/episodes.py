"""The text of podcast feeds (RSS 2.0): their episodes, with the transcripts and chapters of Podcasting 2.0.

``feedparser`` keeps only the last of several transcripts of an episode, so the feed is read with ``defusedxml``.
"""

from __future__ import annotations

import email.utils
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from ingest.endings import SOUND_SUFFIXES
from ingest.sources import LONGEST_NAME, LONGEST_TEXT, clean
from speechsearch.domain.errors import InputError

MOST_EPISODES = 10_000
LONGEST_ADDRESS = 2_000
ITUNES = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"
PODCAST = (
    "{https://podcastindex.org/namespace/1.0}",
    "{https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/1.0.md}",
)
TRANSCRIPTS = {
    "application/json": ".json",
    "text/vtt": ".vtt",
    "application/srt": ".srt",
    "application/x-subrip": ".srt",
    "text/srt": ".srt",
}
"""Media type -> ending of the transcripts that can be read, those that may have the times of words first."""
CHAPTERS = ("application/json+chapters", "application/json")
SOUND_TYPES = {
    "audio/mpeg": ".mp3",
    "audio/mp3": ".mp3",
    "audio/x-m4a": ".m4a",
    "audio/mp4": ".m4a",
    "audio/aac": ".aac",
    "audio/ogg": ".ogg",
    "audio/opus": ".opus",
    "audio/flac": ".flac",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "video/mp4": ".mp4",
    "video/x-m4v": ".m4v",
    "video/quicktime": ".mov",
}
MOST_TRANSCRIPTS = 3
"""So many of an episode's are tried."""


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode of a feed: where its sound is, what is said of it, and (address, ending) of its transcripts."""

    title: str
    sound_url: str
    sound_type: str
    size_bytes: int
    date: str
    speaker: str
    licence: str
    transcripts: tuple[tuple[str, str], ...]
    chapters_url: str

    @property
    def source(self) -> str:
        """The address of its sound as it is kept with the recording: cut to length."""
        return clean(self.sound_url, LONGEST_TEXT)

    @property
    def file_name(self) -> str:
        """A name for its file: that of the address, with an ending of sound."""
        name = clean(unquote(urlsplit(self.sound_url).path).rpartition("/")[2], LONGEST_NAME)
        if Path(name).suffix.lower() in SOUND_SUFFIXES:
            return name
        return f"{name or 'episode'}{SOUND_TYPES.get(self.sound_type, '.mp3')}"


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed: its title, its language, and its episodes as they are in it, mostly the newest first."""

    title: str
    language: str
    episodes: tuple[Episode, ...]


def parsed(content: bytes, url: str) -> Feed:
    """Return a feed; addresses in it may be relative to its own.

    Raises:
        InputError: it is no RSS feed, or one with a document type, which no feed needs.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        raise InputError(f"The feed {url!r:.200} has a document type or entities, which are not read.") from error
    except (ParseError, ValueError, LookupError) as error:
        raise InputError(f"The feed {url!r:.200} is no XML: {clean(error)}.", "It must be an RSS feed.") from error
    channel = root.find("channel")
    if root.tag != "rss" or channel is None:
        raise InputError(f"{url!r:.200} is no RSS feed.", "Give the address of the feed, not of the podcast's page.")
    everywhere = {"speaker": _text(channel, f"{ITUNES}author"), "licence": _of_podcast(channel, "license")}
    items = channel.findall("item")[:MOST_EPISODES]
    episodes = (_episode(item, url, everywhere) for item in items)
    title = clean(_text(channel, "title"), LONGEST_NAME) or urlsplit(url).netloc
    return Feed(title, _text(channel, "language"), tuple(one for one in episodes if one is not None))


def _episode(item: Any, url: str, everywhere: dict[str, str]) -> Episode | None:
    """Return an episode; None where it has no sound."""
    enclosure = item.find("enclosure")
    address = "" if enclosure is None else _joined(url, (enclosure.get("url") or "").strip())
    if not address or len(address) > LONGEST_ADDRESS:
        return None
    length = (enclosure.get("length") or "").strip()
    found = [
        (one.get("url") or "", (one.get("type") or "").strip().lower()) for one in _all_of_podcast(item, "transcript")
    ]
    order = list(TRANSCRIPTS)
    readable = sorted(
        (order.index(kind), written, TRANSCRIPTS[kind])
        for where, kind in found
        if kind in order and (written := _joined(url, where))
    )
    chapters = [one.get("url") for one in _all_of_podcast(item, "chapters") if one.get("type") in CHAPTERS]
    return Episode(
        title=_text(item, "title") or _text(item, f"{ITUNES}title"),
        sound_url=address,
        sound_type=(enclosure.get("type") or "").strip().lower(),
        size_bytes=int(length) if re.fullmatch(r"\d{1,15}", length, re.ASCII) else 0,
        date=iso_date(_text(item, "pubDate")),
        speaker=_text(item, f"{ITUNES}author") or everywhere["speaker"],
        licence=_of_podcast(item, "license") or everywhere["licence"],
        transcripts=tuple((where, suffix) for _, where, suffix in readable[:MOST_TRANSCRIPTS]),
        chapters_url=_joined(url, chapters[0] or "") if chapters else "",
    )


def _joined(url: str, where: str) -> str:
    """Return an address of a feed, which may be relative to the feed's own; empty where it is none.

    >>> _joined("https://a.example/feed", "1.mp3"), _joined("https://a.example/feed", "https://[b/1.mp3")
    ('https://a.example/1.mp3', '')
    """
    try:
        return urljoin(url, where) if where else ""
    except ValueError:
        return ""


def _text(element: Any, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _all_of_podcast(element: Any, name: str) -> list[Any]:
    return [one for namespace in PODCAST for one in element.findall(f"{namespace}{name}")]


def _of_podcast(element: Any, name: str) -> str:
    return next(((one.text or "").strip() for one in _all_of_podcast(element, name)), "")


def iso_date(written: str) -> str:
    """Return a date of a feed as ISO 8601 has it; empty where it is none.

    >>> iso_date("Tue, 05 Mar 2019 23:30:00 -0500"), iso_date("yesterday"), iso_date(f"Tue, 05 Mar {'9' * 40} 23:30:00")
    ('2019-03-05', '', '')
    """
    try:
        return email.utils.parsedate_to_datetime(written).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
