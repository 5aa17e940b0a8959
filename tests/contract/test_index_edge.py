"""Qdrant Edge in a folder: what is kept, what a killed process leaves, and folders that do not fit."""

import signal
import subprocess
import sys
import threading
from contextlib import closing

import numpy as np
import pytest

from speechsearch.domain.errors import (
    ConfigurationError,
    DataFolderInUseError,
    FingerprintMismatchError,
    IndexUnavailableError,
)
from speechsearch.domain.values import Channel
from speechsearch.index import EdgeIndex, ExactIndex, Point, open_index
from speechsearch.index.edge_rewrite import OLD
from tests.tiny.index_points import (
    OTHER_SPECS,
    SPECS,
    assert_same_ranking,
    dense,
    passage,
    point,
    random_points,
    sparse,
)


def test_edge_keeps_everything_when_closed_and_opened_again(tmp_path):
    with closing(EdgeIndex(SPECS, tmp_path / "index")) as index:
        index.upsert(list(random_points(300)))
        index.delete([passage(5)])
        query = dense(1)
        before = index.search("adapter", query, 20)
    with closing(EdgeIndex(SPECS, tmp_path / "index")) as index:
        assert index.search("adapter", query, 20) == before
        assert len(list(index.ids())) == 299
        index.upsert([point(5)])
        assert len(list(index.ids())) == 300


def test_edge_loses_nothing_when_its_process_is_killed(tmp_path):
    script = """
import sys
from pathlib import Path
from speechsearch.index import EdgeIndex
from tests.tiny.index_points import SPECS, point
index = EdgeIndex(SPECS, Path(sys.argv[1]))
for batch in range(1000):
    index.upsert([point(batch * 10 + number) for number in range(10)])
    print(batch, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "index")], stdout=subprocess.PIPE)
    acknowledged = [int(process.stdout.readline()) for _ in range(15)][-1]
    with pytest.raises(DataFolderInUseError, match="is in use by process"):
        EdgeIndex(SPECS, tmp_path / "index")
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0].split()
    acknowledged = max([acknowledged, *map(int, rest)])
    with closing(EdgeIndex(SPECS, tmp_path / "index")) as index:
        kept = set(index.ids())
        assert {passage(number) for number in range((acknowledged + 1) * 10)} <= kept
        assert index.search("adapter", dense(acknowledged * 10), 1)[0].passage_id == passage(acknowledged * 10)


def test_edge_begins_again_when_it_was_killed_while_being_made(tmp_path):
    (tmp_path / "index" / "shard.draft").mkdir(parents=True)
    (tmp_path / "index" / "shard.draft" / "edge_config.json").write_text("{")
    with closing(EdgeIndex(SPECS, tmp_path / "index")) as index:
        index.upsert([point(1)])
        assert list(index.ids()) == [passage(1)]


def test_edge_above_the_threshold_is_quantised_and_still_ranks_as_the_reference(tmp_path):
    random = np.random.default_rng(3)
    specs = (Channel("adapter", "dense", dim=64), Channel("phonetic", "sparse", has_idf=True))
    points = [
        Point(passage(number), {"adapter": vector, "phonetic": sparse(number % 50, 99)}, {"collection": "talks"})
        for number, vector in enumerate(random.standard_normal((3000, 64)).astype(np.float32))
    ]
    reference = ExactIndex(specs)
    reference.upsert(points)
    with closing(EdgeIndex(specs, tmp_path / "index", exact_points=1000)) as index:
        index.upsert(points)
        assert list((tmp_path / "index").rglob("quantized*")), "no quantised vectors were written"
        index.delete([passage(1)])
        index.upsert(points[:2])
        for query in random.standard_normal((10, 64)).astype(np.float32):
            assert_same_ranking(index.search("adapter", query, 20), reference.search("adapter", query, 20))
        assert_same_ranking(index.search("phonetic", sparse(7), 100), reference.search("phonetic", sparse(7), 100))
        assert index.optimize() in (True, False)
        assert len(list(index.ids())) == 3000
    with closing(EdgeIndex(specs, tmp_path / "index", exact_points=1000)) as index:
        assert_same_ranking(index.search("adapter", query, 20), reference.search("adapter", query, 20))


@pytest.mark.parametrize("other", OTHER_SPECS)
def test_edge_refuses_a_folder_made_for_other_vectors_unless_it_is_to_be_new(tmp_path, other):
    with closing(EdgeIndex(SPECS, tmp_path / "index")) as index:
        index.upsert([point(1)])
    with pytest.raises(FingerprintMismatchError, match="python -m speechsearch rebuild"):
        EdgeIndex(other, tmp_path / "index")
    with closing(open_index(SPECS[::-1], path=tmp_path / "index")) as index:
        assert list(index.ids()) == [passage(1)]
    with closing(open_index(other, path=tmp_path / "index", is_new=True)) as index:
        assert list(index.ids()) == []
    with closing(open_index(other, path=tmp_path / "index")) as index:
        assert list(index.ids()) == []


def test_edge_in_use_cannot_be_dropped(tmp_path):
    with closing(EdgeIndex(SPECS, tmp_path / "index")) as index:
        index.upsert([point(1)])
        with pytest.raises(DataFolderInUseError, match="is in use by process"):
            EdgeIndex(SPECS, tmp_path / "index", is_new=True)
        assert list(index.ids()) == [passage(1)]


def test_searches_go_on_while_deleting_copies_the_shard(tmp_path):
    with closing(EdgeIndex(SPECS, tmp_path / "index")) as index:
        index.upsert(list(random_points(200)))
        query, failures, is_over = next(random_points(1, seed=5)), [], threading.Event()

        def search():
            try:
                while not is_over.is_set():
                    assert len(index.search("adapter", query.vectors["adapter"], 10)) == 10
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=search) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for number in range(5):
                gone = point(10_000 + number)
                index.upsert([gone])
                index.delete([gone.passage_id])
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        assert failures == []
        assert len(list(index.ids())) == 200 and not (tmp_path / "index" / OLD).exists()


def test_a_damaged_folder_is_refused_and_can_be_made_anew(tmp_path):
    EdgeIndex(SPECS, tmp_path / "index").close()
    (tmp_path / "index" / "shard" / "edge_config.json").write_text("{")
    for segment in (tmp_path / "index" / "shard" / "segments").rglob("segment.json"):
        segment.write_text("{")
    with pytest.raises(IndexUnavailableError, match="python -m speechsearch rebuild"):
        EdgeIndex(SPECS, tmp_path / "index")
    with closing(EdgeIndex(SPECS, tmp_path / "index", is_new=True)) as index:
        assert list(index.ids()) == []


def test_a_folder_that_cannot_be_one_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        EdgeIndex(SPECS, tmp_path / "file")
    with pytest.raises(ConfigurationError, match="neither a folder nor a server"):
        open_index(SPECS, path=None)
