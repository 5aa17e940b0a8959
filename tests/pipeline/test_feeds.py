"""Podcast feeds from a local server: episodes, with their transcripts and chapters, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import run, runners
from ingest.episodes import parsed
from ingest.feeds import feed_sources
from ingest.metadata import description_of
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.captions import Chapter
from speechsearch.domain.errors import InputError, NotAllowedError
from speechsearch.domain.limits import Limits
from speechsearch.domain.visitors import Visitor
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.outward import FetchError, new_client
from speechsearch.service.settings import NetworkSettings
from tests.tiny.fakes import FakeLoader, fake_settings, open_fakes
from tests.tiny.local_server import LocalServer, local_server

HERE = ("127.0.0.1",)
FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"
     xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel>
<title>On bees &amp; wasps</title><language>en</language><itunes:author>Ann</itunes:author>
<podcast:license>CC-BY-4.0</podcast:license>
<item><title>The second</title><pubDate>Tue, 05 Mar 2019 23:30:00 -0500</pubDate>
  <enclosure url="audio/two.opus?token=1" length="10" type="audio/opus"/>
  <podcast:transcript url="/two.html" type="text/html"/>
  <podcast:transcript url="/two.srt" type="application/x-subrip"/>
  <podcast:transcript url="/two.json" type="application/json"/>
  <podcast:chapters url="/chapters.json" type="application/json+chapters"/></item>
<item><title>No sound</title></item>
<item><title>The first</title><enclosure url="/audio/gone" type="audio/mpeg"/></item>
</channel></rss>"""
SRT = "1\n00:00:00,500 --> 00:00:03,000\nA zeppelin.\n"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as found:
        found.answers = {
            "/feed.xml": (200, {}, FEED.encode()),
            "/audio/two.opus?token=1": (200, {}, (SAMPLES / "audio" / "s004.opus").read_bytes()),
            "/two.srt": (200, {}, SRT.encode()),
            "/two.json": (200, {}, b"{"),
            "/chapters.json": (200, {}, json.dumps({"chapters": [{"startTime": 1, "title": "Bees"}]}).encode()),
        }
        yield found


def test_an_episode_comes_with_its_transcript_and_chapters_once(server: LocalServer, tmp_path: Path) -> None:
    with open_fakes(tmp_path / "data", FakeLoader()) as service, new_client(private_hosts=HERE) as client:

        def take(known=frozenset()):
            url, work = server.url("/feed.xml"), tmp_path / "work"
            found = feed_sources(url, client, service.limits, work, is_known=known.__contains__)
            return list(run(service.manage, found, collection="talks"))

        indexed, failed = take()
        assert (indexed.name, indexed.state) == ("On bees & wasps/two.opus", "indexed")
        assert "'two.srt' taken over" in indexed.message and "1 chapter" in indexed.message
        assert "'two.json' beside it was left out" in indexed.message
        assert failed.state == "failed" and "404" in failed.message
        (recording,) = service.browse.recordings("talks")
        assert (recording.title, recording.speaker, recording.date) == ("The second", "Ann", "2019-03-05")
        assert (recording.language, recording.licence) == ("en", "CC-BY-4.0")
        assert recording.source == server.url("/audio/two.opus?token=1") and recording.file_name == "two.opus"
        assert service.browse.chapters(recording.recording_id) == (Chapter(1.0, "Bees"),)
        assert [one.name for one in take({recording.source})] == ["On bees & wasps/gone.mp3"]
        assert list((tmp_path / "work").iterdir()) == []


def test_only_so_many_and_only_so_large(server: LocalServer, tmp_path: Path) -> None:
    with new_client(private_hosts=HERE) as client:
        found = list(feed_sources(server.url("/feed.xml"), client, Limits(file_bytes=100), tmp_path, limit=1))
        assert len(found) == 1 and "more than 100 bytes" in str(found[0].error)
        with pytest.raises(FetchError, match="answers with 404"):
            feed_sources(server.url("/none.xml"), client, Limits(), tmp_path)
    with new_client() as client, pytest.raises(FetchError, match="private network"):
        feed_sources(server.url("/feed.xml"), client, Limits(), tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no XML"),
        (b"<html><p>", "is no XML"),
        (b"<html></html>", "no RSS feed"),
        (b"<rss></rss>", "no RSS feed"),
        (b'<!DOCTYPE rss [<!ENTITY a "b">]><rss><channel/></rss>', "document type"),
        (b'<!DOCTYPE rss SYSTEM "file:///etc/passwd"><rss><channel/></rss>', "document type"),
    ],
)
def test_what_is_no_feed_is_said(content: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parsed(content, "http://a.org/")


def test_names_and_addresses_of_episodes() -> None:
    items = "".join(
        f'<item><enclosure url="{url}" type="{kind}"/></item>'
        for url, kind in (("https://b.org/x/A%20talk.MP3?y", "audio/mpeg"), ("../c", "video/mp4"), ("/", ""))
    )
    long = f"<item><enclosure url='https://b.org/{'x' * 900}'/></item>"
    feed = parsed(f"<rss><channel><title> </title>{items}{long}</channel></rss>".encode(), "https://a.org/f/feed.xml")
    assert [one.file_name for one in feed.episodes] == ["A talk.MP3", "c.mp4", "episode.mp3", f"{'x' * 254}….mp3"]
    assert feed.episodes[0].source == feed.episodes[0].sound_url
    assert feed.episodes[3].source == description_of({"source": feed.episodes[3].sound_url}).source  # as it is kept
    assert [one.sound_url for one in feed.episodes][1] == "https://a.org/c" and feed.title == "a.org"


def test_only_owners_may_and_a_job_does_it(server: LocalServer, tmp_path: Path) -> None:
    models = FakeLoader()
    network = NetworkSettings(private_hosts=HERE)
    settings = fake_settings(tmp_path / "data", models).model_copy(update={"network": network})
    with Service.open(settings, loader=models) as service:
        jobs = JobQueue(service, runners(service, SAMPLES))
        with pytest.raises(NotAllowedError, match="cannot be added by visitors"):
            jobs.submit_feed(server.url("/feed.xml"), "talks", Visitor("ann", may_add=True))
        jobs.folder.mkdir()
        job = jobs.submit_feed(server.url("/feed.xml"), "talks")
        work = jobs.worker.runners["feed"]
        first = [one.state for one in work(job, lambda progress: None)]
        again = [one.state for one in work(job, lambda progress: None)]
        assert first == ["indexed", "failed"] and again == ["failed"]
