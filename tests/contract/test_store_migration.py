"""A data folder of version 2 is opened: what it holds is kept, under the names that things have now."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.values import Passage, Query, Recording, Span, Transcript, Word, passage_id
from speechsearch.library.second_pass import ALIKE, PEAKS, SPEAKERS
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from speechsearch.store import Encoding, JobFile, Store
from speechsearch.store.database import MIGRATIONS

ENCODER = RECOGNIZER = "mini-688fa10f33e162ab"
CUT = "93e6accb"
"""Of the settings that version 2 had by default; the same passages come out of them now."""
BASELINE = f"{RECOGNIZER}+all-MiniLM-L6-v2-53aa51172d142c89:words-1"
SPANS = (Span(0.0, 12.5), Span(12.5, 20.0))
WORDS = [["Octopus", 0.25, 0.75], ["blood", 0.75, 1.25]]


@pytest.fixture
def file() -> Path:
    return SAMPLES / "audio" / "s015.opus"


@pytest.fixture
def recording(file: Path) -> Recording:
    content = hashlib.sha256(file.read_bytes()).hexdigest()
    return Recording(content, "talks", "Octopus", 20.0, "s015.opus", "Ada", "2024-05-01", "en", "CC0", "here")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database without tables."""
    if request.param == "sqlite":
        (tmp_path / "data").mkdir()
        yield f"sqlite:///{tmp_path / 'data' / 'speechsearch.db'}"
        return
    with request.getfixturevalue("databases").one() as url:
        yield url


def ids(recording: Recording) -> list[str]:
    return [passage_id(recording.recording_id, span) for span in SPANS]


def vectors(number: int) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """The weights and terms of what version 2 made of a passage."""
    random = np.random.default_rng(number)
    found: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    for name in ("adapter", "asr_dense"):
        dense = random.standard_normal(384)
        found[name] = ((dense / np.linalg.norm(dense)).astype("<f4"), None)
    for name in ("phonetic", "pieces", "asr_words"):
        found[name] = (random.random(5).astype("<f4"), np.arange(5, dtype="<u4") + number)
    return found


def write_version_2(url: str, recording: Recording) -> None:
    """Make a database of version 2 with a recording, a failure, a judgement and a job."""
    from alembic import command
    from alembic.config import Config

    parsed = sa.make_url(url)
    is_server = parsed.get_backend_name() == "postgresql"
    engine = sa.create_engine(parsed.set(drivername="postgresql+psycopg") if is_server else parsed)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")

        def insert(table: str, **row: object) -> None:
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)

        insert("collections", name="talks", description="about", licence="CC0", source="here")
        about = {name: getattr(recording, name) for name in Recording.__dataclass_fields__}
        insert("recordings", **about, media_name=f"{recording.recording_id}.opus")
        for number, (one, span) in enumerate(zip(ids(recording), SPANS, strict=True)):
            insert("passages", passage_id=one, recording_id=recording.recording_id, start_s=span.start_s,
                   end_s=span.end_s)  # fmt: skip
            for name, (weights, terms) in vectors(number).items():
                insert("vectors", passage_id=one, name=name, weights=weights.tobytes(),
                       terms=None if terms is None else terms.tobytes())  # fmt: skip
            insert("tracks", passage_id=one, symbols=bytes([1, 2, 3]), starts_s=np.arange(3, dtype="<f4").tobytes())
            insert("transcripts", passage_id=one, text=f"Octopus blood {number}.", recognizer="mini",
                   words=json.dumps(WORDS))  # fmt: skip
        time = "2026-11-20T10:00:00.000000+00:00"
        insert("journal", recording_id=recording.recording_id, file_name="s015.opus", collection="talks", state="done",
               fingerprint=f"3:{ENCODER}:{RECOGNIZER}:{CUT}", message="", updated_at=time)  # fmt: skip
        insert("journal", recording_id="broken", file_name="b.mp3", collection="talks", state="failed",
               fingerprint="", message="no sound", updated_at=time)  # fmt: skip
        insert("jobs", job_id="1", visitor_id="ann", kind="files", collection="talks", task='{"files": []}',
               state="done", message="1 file", created_at=time, updated_at=time)  # fmt: skip
        insert("job_files", job_id="1", name="s015.opus", state="indexed", passages=2, duration_s=20.0, message="")
        insert("feedback", visitor_id="ann", question="why?", passage_id=ids(recording)[1], relevance=1,
               engine="hybrid", rank=2, created_at=time)  # fmt: skip
        insert("settings", key="models", value=f"3:{ENCODER}:{RECOGNIZER}")
    engine.dispose()


NEW_NAMES = {
    "adapter": "adapter", "phonetic": "phonetic", "pieces": "pieces", "asr_dense": "meaning@mini",
    "asr_words": "words@mini",
}  # fmt: skip


def test_nothing_is_lost_and_everything_says_what_made_it(url: str, recording: Recording) -> None:
    write_version_2(url, recording)
    for _ in range(2):  # the second opening has nothing to do
        with closing(Store(url)) as store:
            assert store.recordings.find() == [recording]
            assert store.transcripts.wanted() == {recording.recording_id}
            assert store.recordings.newest([recording.collection], 5) == [recording.recording_id]
            assert store.recordings.most_found([recording.collection], 5) == {}
            (summary,) = store.collections.summaries()
            assert (summary.description, summary.recordings, summary.passages) == ("about", 1, 2)
            stored = store.passages.stored(recording.recording_id)
            assert [one.passage for one in stored] == [
                Passage(one, recording.recording_id, span) for one, span in zip(ids(recording), SPANS, strict=True)
            ]
            for number, one in enumerate(stored):
                assert one.vectors.keys() == set(NEW_NAMES.values())
                for old, (weights, terms) in vectors(number).items():
                    now = one.vectors[NEW_NAMES[old]]
                    assert np.array_equal(now if terms is None else now.values, weights)
                    assert terms is None or np.array_equal(now.indices, terms)
                assert (one.track.symbols.tolist(), one.track.starts_s.tolist()) == ([[1], [2], [3]], [0.0, 1.0, 2.0])
                assert one.track.losses.tolist() == [[0], [0], [0]]
            words = tuple(Word(text, start_s, end_s) for text, start_s, end_s in WORDS)
            assert store.transcripts.of(recording.recording_id, "mini", RECOGNIZER) == {
                one: Transcript(f"Octopus blood {number}.", "mini", words) for number, one in enumerate(ids(recording))
            }
            assert store.passages.encodings() == [
                Encoding(recording.recording_id, channel, BASELINE if "@" in channel else ENCODER, 2)
                for channel in sorted(NEW_NAMES.values())
            ]
            entries = {one.recording_id: (one.state, one.fingerprint, one.message) for one in store.journal.entries()}
            assert entries == {recording.recording_id: ("done", f"3:{CUT}", ""), "broken": ("failed", "", "no sound")}
            (judged,) = store.judgements.find("ann", "why?")
            assert (judged.passage_id, judged.relevance, judged.rank) == (ids(recording)[1], 1, 2)
            (job,) = store.jobs.find("ann")
            assert (job.state, job.message, job.crashes) == ("done", "1 file", 0)
            assert store.jobs.files("1") == [JobFile("s015.opus", "indexed", 2, 20.0)]
            assert store.kept_values.get("models") == f"3:{ENCODER}:{RECOGNIZER}"


def test_tables_are_those_of_a_new_database(url: str, recording: Recording) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from speechsearch.store.tables import Base

    write_version_2(url, recording)
    with closing(Store(url)) as store, store._database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        # What belongs to a recording goes with it, in the table that was made anew too.
        assert sa.inspect(connection).get_foreign_keys("transcripts")[0]["referred_table"] == "passages"
        assert sa.inspect(connection).get_pk_constraint("transcripts")["constrained_columns"] == [
            "passage_id",
            "recognizer",
        ]


def test_what_an_other_recogniser_wrote_keeps_its_name(tmp_path: Path, recording: Recording) -> None:
    url = f"sqlite:///{tmp_path / 'db'}"
    write_version_2(url, recording)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE transcripts SET recognizer = 'pocketsphinx'"))
        connection.execute(sa.text(f"UPDATE journal SET fingerprint = '2:{ENCODER}:pocketsphinx-5.0.4-3000:{CUT}'"))
        connection.execute(sa.text("DELETE FROM vectors WHERE name = 'pieces'"))
    engine.dispose()
    with closing(Store(url)) as store:
        assert {one.channel: one.fingerprint for one in store.passages.encodings()} == {
            "adapter": ENCODER, "phonetic": ENCODER,
            "meaning@pocketsphinx": "pocketsphinx-5.0.4-3000+all-MiniLM-L6-v2-53aa51172d142c89:words-1",
            "words@pocketsphinx": "pocketsphinx-5.0.4-3000+all-MiniLM-L6-v2-53aa51172d142c89:words-1",
        }  # fmt: skip
        assert len(store.transcripts.of(recording.recording_id, "pocketsphinx", "pocketsphinx-5.0.4-3000")) == 2
        assert store.journal.entry(recording.recording_id).fingerprint == f"2:{CUT}"


def test_a_data_folder_of_version_2_opens_and_is_made_anew_by_the_present_models(
    tmp_path: Path, recording: Recording, file: Path, loader
) -> None:
    data_dir = tmp_path / "data"
    (data_dir / "media").mkdir(parents=True)
    shutil.copyfile(file, data_dir / "media" / f"{recording.recording_id}.opus")
    write_version_2(f"sqlite:///{data_dir / 'speechsearch.db'}", recording)
    with Service.open(Settings(data_dir=data_dir), loader=loader) as service:
        assert {(one.maker, one.passages) for one in service.manage.missing()} == {
            ("", 2),
            ("mini", 2),
            (SPEAKERS, 2),
            (PEAKS, 2),
            (ALIKE, 2),
        }
        assert service.search.find(Query("octopus")).hits == ()  # nothing that other models made is searched
        assert list(service.manage.catch_up()) == [] == service.manage.missing() == service.browse.differences()
        for name in service.search.engines:
            results = service.search.find(Query("Why is octopus blood blue?"), name)
            assert results.coverage.is_whole and results.coverage.of_passages == 2
        assert {hit.passage.passage_id for hit in service.search.find(Query("octopus")).hits} == set(ids(recording))
        assert service.manage.take_in(file, recording).state == "unchanged"
