"""One suite over every vector index: the NumPy reference, Qdrant Edge in a folder, Qdrant through its client."""

import math
import os
import threading
import uuid
from contextlib import closing

import numpy as np
import pytest

from speechsearch.domain.errors import IndexUnavailableError, InputError
from speechsearch.domain.values import Filters, SparseVector
from speechsearch.index import EdgeIndex, ExactIndex, Point, open_index
from speechsearch.index.prepare import FIRST_IDS
from tests.tiny.index_points import (
    DIM,
    SPECS,
    assert_same_ranking,
    dense,
    open_memory,
    passage,
    point,
    random_points,
    sparse,
)
from tests.tiny.qdrant_server import qdrant_server

# The client's in-memory mode compares everything and warns that it ignores what speeds a server up.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]
SERVER_URL = os.environ.get("SPEECHSEARCH_TEST_QDRANT_URL", "")

BACKENDS = ["exact", "edge", "memory", "fake server", pytest.param("server", marks=pytest.mark.server)]


@pytest.fixture(params=BACKENDS)
def backend(request):
    if request.param == "server" and not SERVER_URL:
        pytest.skip("SPEECHSEARCH_TEST_QDRANT_URL is not set")
    return request.param


@pytest.fixture(scope="module")
def fake_server():
    with qdrant_server() as server:
        yield server


@pytest.fixture
def index(backend, tmp_path, request):
    def open_server(url):
        return open_index(SPECS, path=None, url=url, name=f"test-{uuid.uuid4()}", is_new=True)

    openers = {
        "exact": lambda: ExactIndex(SPECS),
        "edge": lambda: EdgeIndex(SPECS, tmp_path / "index"),
        "memory": lambda: open_memory(SPECS),
        "fake server": lambda: open_server(request.getfixturevalue("fake_server").url),
        "server": lambda: open_server(SERVER_URL),
    }
    with closing(openers[backend]()) as opened:
        yield opened


def found(index, name, vector, limit=10, **restrictions):
    return [hit.passage_id for hit in index.search(name, vector, limit, **restrictions)]


def test_an_empty_index_finds_nothing(index):
    assert index.search("adapter", dense(0), 5) == []
    assert index.search("phonetic", sparse(1), 5) == []
    assert list(index.ids()) == []


def test_dense_search_ranks_by_cosine_and_scores_a_vector_with_itself_1(index):
    index.upsert([point(number) for number in range(20)])
    hits = index.search("adapter", dense(7) * 3, 20)
    assert hits[0].passage_id == passage(7)
    assert hits[0].score == pytest.approx(1.0, abs=1e-5)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    cosine = dense(3) @ dense(7) / np.linalg.norm(dense(3)) / np.linalg.norm(dense(7))
    assert {hit.passage_id: hit.score for hit in hits}[passage(3)] == pytest.approx(float(cosine), abs=1e-5)


def test_upserts_are_idempotent_and_the_last_one_counts(index):
    for _ in range(3):
        index.upsert([point(1, terms=(1, 2)), point(2, terms=(1,))])
    assert sorted(index.ids()) == sorted([passage(1), passage(2)])
    index.upsert([point(1, terms=(5,), vector=dense(99))])
    assert found(index, "counts", sparse(2)) == []
    assert found(index, "counts", sparse(5)) == [passage(1)]
    assert index.search("adapter", dense(99), 1)[0].score == pytest.approx(1.0, abs=1e-5)


def test_an_upsert_without_a_vector_takes_the_old_one_away(index):
    index.upsert([point(1)])
    index.upsert([Point(passage(1), {"phonetic": sparse(1)}, {"collection": "talks"})])
    assert found(index, "adapter", dense(1)) == []
    assert found(index, "phonetic", sparse(1)) == [passage(1)]


def test_deleted_points_are_gone_and_unknown_ids_are_ignored(index):
    index.upsert([point(number) for number in range(5)])
    index.delete([passage(0), passage(77)])
    index.delete([passage(0)])
    index.delete([])
    assert sorted(index.ids()) == sorted(passage(number) for number in range(1, 5))
    assert passage(0) not in found(index, "adapter", dense(0))


def test_ids_come_once_each_from_many_pages(index):
    index.upsert([point(number) for number in range(3 * FIRST_IDS)])
    assert sorted(index.ids()) == sorted(passage(number) for number in range(3 * FIRST_IDS))


def test_ids_among_some_are_those_that_are_there(index):
    index.upsert([point(number) for number in range(600)])
    index.delete([passage(3)])
    asked = [passage(number) for number in (3, 5, 700)]
    assert list(index.ids([*asked, passage(5).upper()])) == [passage(5)] and list(index.ids([])) == []
    assert sorted(index.ids([passage(number) for number in range(700)])) == sorted(index.ids())
    with pytest.raises(InputError, match="is no passage id"):
        list(index.ids(["x"]))


def test_filters_by_each_field_and_combined(index):
    index.upsert(
        [
            point(1, collection="talks", recording="r1", speaker="Ada", language="en"),
            point(2, collection="talks", recording="r2", speaker="Žofie", language="cs"),
            point(3, collection="děti", recording="r3", speaker="Ada", language="cs"),
            point(4, collection="děti", recording="r4", speaker="نور", language="ar"),
        ]
    )

    def allowed(**fields):
        return {number for number in range(1, 5) if passage(number) in found(index, "counts", sparse(1), **fields)}

    assert allowed(filters=Filters()) == {1, 2, 3, 4}
    assert allowed(filters=Filters(collections=("děti",))) == {3, 4}
    assert allowed(filters=Filters(recording_ids=("r1", "r4"))) == {1, 4}
    assert allowed(filters=Filters(speakers=("نور", "Žofie"))) == {2, 4}
    assert allowed(filters=Filters(languages=("cs",))) == {2, 3}
    assert allowed(filters=Filters(collections=("děti",), languages=("cs",), speakers=("Ada",))) == {3}
    assert allowed(filters=Filters(collections=("talks",), languages=("ar",))) == set()
    assert allowed(filters=Filters(collections=("' OR 1=1 --",))) == set()
    assert allowed(filters=Filters(languages=("cs",)), only=[passage(1), passage(2)]) == {2}


def test_a_passage_of_several_speakers_is_found_as_each_ones(index):
    index.upsert([point(1, speaker=("Ada", "r1:1")), point(2, speaker=()), point(3, speaker=("r1:2", "r1:1"))])
    index.upsert([point(4, speaker="r1:2"), point(5)])

    def allowed(*speakers):
        return set(found(index, "counts", sparse(1), filters=Filters(speakers=speakers)))

    assert allowed("r1:1") == {passage(1), passage(3)} and allowed("Ada") == {passage(1), passage(5)}
    assert allowed("r1:2", "Ada") == {passage(1), passage(3), passage(4), passage(5)}
    assert allowed("", "r1") == set() and len(allowed(*(f"r1:{number}" for number in range(1000)))) == 3
    index.upsert([point(1, speaker=("Bob",))])
    assert allowed("Ada") == {passage(5)} and allowed("Bob") == {passage(1)}


def test_only_restricts_to_the_passages_named(index):
    index.upsert([point(number) for number in range(30)])
    chosen = [passage(number) for number in (3, 8, 21)]
    assert sorted(found(index, "adapter", dense(8), only=[*chosen, passage(500)])) == sorted(chosen)
    assert found(index, "adapter", dense(8), limit=1, only=[item.upper() for item in chosen]) == [passage(8)]
    assert found(index, "adapter", dense(8), only=[]) == []


def test_a_sparse_search_multiplies_by_the_inverse_document_frequency(index):
    index.upsert([point(number, terms=(1, 2) if number < 2 else (1,)) for number in range(10)])
    common, rare = math.log(0.5 / 10.5 + 1), math.log(8.5 / 2.5 + 1)
    hits = index.search("phonetic", sparse(1, 2), 10)
    assert {hit.passage_id for hit in hits[:2]} == {passage(0), passage(1)}
    assert hits[0].score == pytest.approx(common + rare, rel=1e-5)
    assert hits[-1].score == pytest.approx(common, rel=1e-5)
    assert index.search("counts", sparse(1, 2), 1)[0].score == pytest.approx(2.0)


def test_deleted_and_overwritten_points_no_longer_count_in_document_frequencies(index):
    index.upsert([point(number, terms=(1, 2) if number < 4 else (1,)) for number in range(10)])
    index.delete([passage(0), passage(9)])
    index.upsert([point(1, terms=(1,))])
    index.upsert([Point(passage(50), {"adapter": dense(50), "phonetic": sparse()}, {"collection": "talks"})])
    assert index.search("phonetic", sparse(2), 5)[0].score == pytest.approx(math.log(6.5 / 2.5 + 1), rel=1e-5)


def test_a_sparse_search_returns_only_points_that_share_a_term(index):
    index.upsert([point(1, terms=(1, 2)), point(2, terms=(3,)), point(3, terms=(4_294_967_295,))])
    assert found(index, "phonetic", sparse(2, 9)) == [passage(1)]
    assert found(index, "phonetic", sparse(9)) == []
    assert found(index, "phonetic", sparse()) == []
    assert found(index, "phonetic", sparse(4_294_967_295)) == [passage(3)]
    assert found(index, "phonetic", sparse(1, 3, weights=[0.0, 1.0])) == [passage(2)]


def test_ties_are_broken_by_id_at_every_limit(index):
    index.upsert([point(number, vector=dense(0)) for number in range(200)])
    in_order = sorted(passage(number) for number in range(200))
    for limit in (1, 3, 50, 199, 200, 500):
        assert found(index, "adapter", dense(0), limit) == in_order[:limit]
        assert found(index, "phonetic", sparse(1), limit) == in_order[:limit]


def test_limits(index):
    index.upsert([point(number) for number in range(10)])
    assert index.search("adapter", dense(0), 0) == []
    assert len(index.search("adapter", dense(0), 3)) == 3
    assert len(index.search("adapter", dense(0), 10**15)) == 10
    with pytest.raises(InputError, match="cannot return -1"):
        index.search("adapter", dense(0), -1)


def test_names_in_any_script_and_of_any_length_survive(index):
    names = ["日本語 🎧", "a'b\"c;--", "\u202eabc\u202c", "x" * 5000, "tab\tline\nzero\0", ""]
    index.upsert([point(number, speaker=name) for number, name in enumerate(names)])
    for number, name in enumerate(names):
        assert found(index, "counts", sparse(1), filters=Filters(speakers=(name,))) == [passage(number)]


def test_a_broken_point_is_refused_and_nothing_of_its_batch_is_written(index):
    for broken, message in (
        (Point("not-an-id", {}, {}), "is no passage id"),
        (Point(passage(1), {"unknown": dense(1)}, {}), "no vectors named 'unknown'"),
        (Point(passage(1), {"adapter": np.ones(3, np.float32)}, {}), r"shape \(3,\), not \(8,\)"),
        (Point(passage(1), {"adapter": np.full(DIM, np.nan, np.float32)}, {}), "zero or not finite"),
        (Point(passage(1), {"adapter": np.zeros(DIM, np.float32)}, {}), "zero or not finite"),
        (Point(passage(1), {"adapter": sparse(1)}, {}), "must be dense"),
        (Point(passage(1), {"phonetic": dense(1)}, {}), "must be sparse"),
        (Point(passage(1), {"phonetic": sparse(1, 1)}, {}), "a term twice"),
        (Point(passage(1), {"phonetic": sparse(1, weights=[-1.0])}, {}), "negative or not finite"),
        (Point(passage(1), {"phonetic": sparse(1, weights=[float("inf")])}, {}), "negative or not finite"),
        (Point(passage(1), {"phonetic": SparseVector(np.array([-1]), np.array([1.0]))}, {}), "outside 0 to"),
        (Point(passage(1), {"phonetic": sparse(1, 2, weights=[1.0])}, {}), "terms .* and weights"),
        (Point(passage(1), {}, {"speaker": "\ud800"}), "value of 'speaker' cannot be kept"),
        (Point(passage(1), {}, {"start_s": float("nan")}), "value of 'start_s' cannot be kept"),
    ):
        with pytest.raises(InputError, match=message):
            index.upsert([point(2), broken])
        assert list(index.ids()) == []


def test_a_broken_query_is_refused(index):
    for name, vector in [("unknown", dense(0)), ("adapter", dense(0)[:3]), ("adapter", dense(0) * np.nan)]:
        with pytest.raises(InputError, match=r"no vectors named|shape|not finite"):
            index.search(name, vector, 5)
    with pytest.raises(InputError, match="is no passage id"):
        index.search("adapter", dense(0), 5, only=["x"])


def test_1000_random_points_are_ranked_as_the_reference_ranks_them(index):
    points = list(random_points(1000))
    reference = ExactIndex(SPECS)
    for target in (reference, index):
        target.upsert(points)
        target.delete([passage(number) for number in range(0, 1000, 7)])
        target.upsert(points[:70])
    queries = list(random_points(10, seed=1))
    filters = [None, Filters(collections=("c1",)), Filters(recording_ids=("r1", "r2", "r3"))]
    for number, query in enumerate(queries):
        for name in ("adapter", "phonetic"):
            restriction = {
                "filters": filters[number % 3],
                "only": [passage(n) for n in range(300)] if number > 6 else None,
            }
            arguments = (name, query.vectors[name], 50)
            assert_same_ranking(index.search(*arguments, **restriction), reference.search(*arguments, **restriction))


def test_searches_and_a_writer_at_once(index, backend):
    if backend == "memory":
        pytest.skip("the client's local mode is not made for threads; a server is")
    index.upsert(list(random_points(200)))
    query = next(random_points(1, seed=5))
    failures = []

    def search():
        try:
            for _ in range(40):
                hits = index.search("adapter", query.vectors["adapter"], 10)
                assert len(hits) == 10
                assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
                index.search("phonetic", query.vectors["phonetic"], 10)
        except Exception as error:
            failures.append(error)

    def write(first):
        try:
            for batch in range(10):
                index.upsert([point(10_000 + first + batch * 20 + number) for number in range(20)])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    threads += [threading.Thread(target=write, args=(first,)) for first in (0, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(index.ids())) == 200 + 2 * 200


def test_a_closed_index_says_so(index, backend):
    if backend in ("exact", "memory"):
        pytest.skip("nothing to let go of")
    index.close()
    index.close()
    with pytest.raises(IndexUnavailableError, match="closed"):
        index.search("adapter", dense(0), 5)
