"""A Qdrant server as an index: how a collection is laid out, and servers and collections that do not fit."""

import json
import uuid
from contextlib import closing

import pytest

from speechsearch.domain.errors import FingerprintMismatchError, IndexUnavailableError
from speechsearch.index import Layout, ServerIndex, open_index
from speechsearch.index.prepare import FIRST_IDS, MORE_IDS
from speechsearch.index.server import connect
from tests.tiny.index_points import OTHER_SPECS, SPECS, open_memory, passage, point
from tests.tiny.qdrant_server import qdrant_server

# The client's in-memory mode compares everything and warns that it ignores what speeds a server up.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]


@pytest.fixture(scope="module")
def fake_server():
    with qdrant_server() as server:
        yield server


def test_whether_an_index_answers_costs_a_few_ids(monkeypatch):
    with closing(open_memory(SPECS)) as index:
        index.upsert([point(number) for number in range(3 * FIRST_IDS)])
        scroll, limits = index._client.scroll, []
        monkeypatch.setattr(
            index._client, "scroll", lambda *words, **named: (limits.append(named["limit"]), scroll(*words, **named))[1]
        )
        assert next(index.ids()) and limits == [FIRST_IDS]
        assert len(list(index.ids())) == 3 * FIRST_IDS and limits == [FIRST_IDS, FIRST_IDS, MORE_IDS]


@pytest.mark.parametrize("other", OTHER_SPECS)
def test_a_collection_made_for_other_vectors_is_refused_unless_it_is_to_be_new(other):
    index = open_memory(SPECS)
    with pytest.raises(FingerprintMismatchError, match="python -m speechsearch rebuild"):
        ServerIndex(other, index._client)
    assert list(ServerIndex(other, index._client, is_new=True).ids()) == []
    index.close()


def test_a_collection_that_another_process_makes_at_the_same_time_is_used(fake_server):
    name = f"test-{uuid.uuid4()}"
    with closing(open_index(SPECS, path=None, url=fake_server.url, name=name)) as first:
        client = connect(fake_server.url)
        answers = [False]
        exists = client.collection_exists
        client.collection_exists = lambda name: answers.pop() if answers else exists(name)
        with closing(ServerIndex(SPECS, client, name)) as second:
            first.upsert([point(1)])
            assert list(second.ids()) == [passage(1)] and answers == []


def test_a_collection_on_a_server_is_laid_out_as_asked(tmp_path):
    layout = Layout(on_disk=True, shards=6, replicas=3, hnsw_m=16)
    with qdrant_server(log=tmp_path / "log") as server:
        open_index(SPECS, path=None, url=server.url, layout=layout).close()
    method, _, _, made = json.loads((tmp_path / "log").read_text().splitlines()[0])
    assert method == "PUT" and made["vectors"]["adapter"]["on_disk"] is True
    assert made["sparse_vectors"]["counts"]["index"]["on_disk"] is True and made["hnsw_config"] == {"m": 16}
    assert [made[key] for key in ("shard_number", "replication_factor", "write_consistency_factor")] == [6, 3, 2]
    assert made["quantization_config"]["scalar"]["always_ram"] is True


def test_a_server_that_is_not_there_is_reported():
    with pytest.raises(IndexUnavailableError, match="Qdrant server"):
        open_index(SPECS, path=None, url="http://127.0.0.1:9")
    with pytest.raises(IndexUnavailableError, match=r"no URL of a Qdrant server|Qdrant server did not"):
        open_index(SPECS, path=None, url="no url")
