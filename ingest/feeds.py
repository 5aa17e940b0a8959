"""Podcast feeds as a part of what a run takes in: each episode is fetched when it is its turn."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ingest import transcripts
from ingest.episodes import Episode, Feed, parsed
from ingest.metadata import description_of
from ingest.sources import LONGEST_NAME, Beside, BesideKind, Found, Rejected, Selection, Source, clean, disk_name
from speechsearch.domain.errors import InputError
from speechsearch.domain.limits import Limits
from speechsearch.service.outward import FetchError, fetch, fetch_to, new_client

if TYPE_CHECKING:
    import httpx

    from speechsearch.service.open import Service

LARGEST_FEED_BYTES = 20_000_000


def new_episodes(service: Service, url: str, collection: str, workspace: Path, limit: int | None) -> Selection:
    """Return the episodes of a feed that a collection, by its name in the store, has not yet; see ``feed_sources``."""
    network = service.settings.network
    known = {one.source for one in service.browse.recordings() if one.collection == collection}
    client = new_client(network.hosts, network.private_hosts)
    try:
        found = feed_sources(url, client, service.limits, workspace, limit=limit, is_known=known.__contains__)
    except BaseException:
        client.close()
        raise
    return Selection(_closing(found, client), files=found.files, size_bytes=found.size_bytes)


def _closing(found: Iterable[Found], client: httpx.Client) -> Iterator[Found]:
    """Yield what was found and close the client at the end."""
    try:
        yield from found
    finally:
        client.close()


def feed_sources(
    url: str,
    client: httpx.Client,
    limits: Limits,
    workspace: Path,
    *,
    limit: int | None = None,
    is_known: Callable[[str], bool] = lambda source: False,
) -> Selection:
    """Return the episodes of a feed, each fetched when it is its turn and removed again.

    Args:
        url: of the feed.
        client: see ``service.outward.new_client``.
        limits: what a recording may be.
        workspace: a folder for what is fetched.
        limit: only so many, as they come in the feed.
        is_known: says of an episode's ``source`` whether it was taken in before.

    Raises:
        FetchError: the feed cannot be fetched, or must not be.
        InputError: it is no feed, or none with sound.
    """
    content = io.BytesIO()
    fetch(client, url, content, LARGEST_FEED_BYTES)
    feed = parsed(content.getvalue(), url)
    if not feed.episodes:
        raise InputError(f"The feed '{feed.title}' has no episodes with sound.")
    chosen = feed.episodes[:limit]
    new = [one for one in chosen if not is_known(one.source)]
    return Selection(
        _fetched(feed, new, client, limits, workspace), files=len(new), size_bytes=sum(one.size_bytes for one in new)
    )


def _fetched(
    feed: Feed, episodes: Sequence[Episode], client: httpx.Client, limits: Limits, workspace: Path
) -> Iterator[Found]:
    """Yield the episodes, or why one cannot be taken in."""
    workspace.mkdir(parents=True, exist_ok=True)
    for episode in episodes:
        name = clean(f"{feed.title.replace('/', ' ')}/{episode.file_name.replace('/', ' ')}", 2 * LONGEST_NAME)
        with tempfile.TemporaryDirectory(prefix="episode-", dir=workspace) as folder:
            sound = Path(folder, disk_name(episode.file_name))
            try:
                fetch_to(client, episode.sound_url, sound, limits.file_bytes)
            except FetchError as error:
                yield Rejected(name, error)
                continue
            about = description_of(
                {
                    "title": episode.title, "speaker": episode.speaker, "date": episode.date,
                    "language": feed.language, "licence": episode.licence, "source": episode.source,
                }
            )  # fmt: skip
            beside, problems = _beside(episode, client, Path(folder), name)
            yield from problems
            yield Source(name, sound, sound.stat().st_size, about, beside)


def _beside(episode: Episode, client: httpx.Client, folder: Path, name: str) -> tuple[tuple[Beside, ...], list[Found]]:
    """Fetch an episode's transcripts and chapters; return them, and warnings of those that are not to be had."""
    stem = Path(episode.file_name).stem
    wanted: list[tuple[str, str, BesideKind]] = [(url, suffix, "captions") for url, suffix in episode.transcripts]
    if episode.chapters_url:
        wanted.append((episode.chapters_url, ".chapters.json", "chapters"))
    found, problems = [], []
    for number, (url, suffix, kind) in enumerate(wanted):
        target = folder / f"{number}.text"
        try:
            fetch_to(client, url, target, transcripts.LARGEST_BYTES)
            found.append(Beside(target, clean(f"{stem}{suffix}", LONGEST_NAME), kind))
        except FetchError as error:
            problems.append(Rejected(name, error, "warning"))
    return tuple(found), list(problems)
