"""What a library keeps, as a whole to compare, and whether it can be searched: for tests that end processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

from speechsearch.domain.values import Query
from speechsearch.service.open import Service
from tests.conftest import copy_data
from tests.tiny.postgresql import Databases


@contextmanager
def copied(data_dir: Path, database: str = "", databases: Databases | None = None) -> Iterator[tuple[Path, str]]:
    """Lend a copy of what a killed process left, a data folder and its database's URL, so that nothing is repaired."""
    copy = data_dir.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    if data_dir.exists():
        copy_data(data_dir, copy)
    try:
        with databases.one(database) if databases and database else nullcontext("") as url:
            yield copy, url
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def check_search(service: Service) -> int:
    """See that each engine finds what is there, and says how much that is; return how many searches that took."""
    assert service.browse.differences() == []
    said = transcripts_of(service)
    results = service.search.find(Query("anything", top_k=200), "asr")
    assert {hit.passage.passage_id for hit in results.hits} == set(said)
    passages = service.store.passages.count()
    assert (results.coverage.passages, results.coverage.of_passages) == (len(said), passages)
    some = list(said.items())[:3]
    for passage_id, text in some:
        hit = service.search.find(Query(text, top_k=1), "asr").hits[0]
        assert (hit.passage.passage_id, hit.transcript) == (passage_id, text)
    sound = service.search.find(Query("anything", top_k=200), "adapter")
    assert len(sound.hits) == passages and sound.coverage.is_whole
    return 2 + len(some)


def transcripts_of(service: Service) -> dict[str, str]:
    """Return passage id -> transcript of all passages that have one."""
    found = service.store.transcripts.get(sorted(service.store.passages.ids()), "first")
    return {passage_id: one.text for passage_id, one in found.items()}


def contents(service: Service) -> dict[str, object]:
    """Return everything that is kept, after checking that its parts agree."""
    store, index = service.store, service.library.index
    assert service.browse.differences() == [] == service.manage.missing()
    assert set(index.ids()) == store.passages.ids()
    assert len(list(index.ids())) == store.passages.count()
    assert not list(service.data_dir.glob("work/*"))
    recordings = store.recordings.find()
    stored = {one.recording_id: store.passages.stored(one.recording_id) for one in recordings}
    return {
        "recordings": sorted((one.recording_id, one.title, one.duration_s) for one in recordings),
        "passages": {one.passage.passage_id: one.passage for each in stored.values() for one in each},
        "vectors": {
            one.passage.passage_id: {name: bytes_of(vector) for name, vector in one.vectors.items()}
            for each in stored.values()
            for one in each
        },
        "transcripts": transcripts_of(service),
        "encodings": store.passages.encodings(),
        "media": sorted(path.name for path in service.library.files.folder.iterdir() if path.is_file()),
        "journal": sorted((entry.recording_id, entry.state) for entry in store.journal.entries()),
    }


def bytes_of(vector: object) -> bytes:
    """Return a vector's numbers."""
    return vector.tobytes() if isinstance(vector, np.ndarray) else vector.indices.tobytes() + vector.values.tobytes()
