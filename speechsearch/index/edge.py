"""Qdrant Edge, embedded: one shard in a folder, used by one process at a time.

Up to ``exact_points`` points are compared exactly. Above, ``optimize`` makes int8 copies that choose twice as many
candidates as asked for, and the candidates are compared exactly. No graph is built: with the interpreter's lock held
that would stop the page for minutes, and at 100,000 points it is not needed.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from speechsearch.domain.errors import (
    FingerprintMismatchError,
    IndexUnavailableError,
)
from speechsearch.domain.folder_lock import DataFolderLock
from speechsearch.domain.priority import made_less_urgent
from speechsearch.domain.room import check_room, has_room
from speechsearch.domain.values import Channel, Filters, ScoredPassage, SparseVector, Vector
from speechsearch.index.edge_rewrite import (
    BATCH_POINTS,
    DRAFT,
    FLUSHED_AFTER,
    FORGOTTEN_AFTER_S,
    FORGOTTEN_WITHIN_S,
    REWRITTEN_AT_ONCE,
    SHARD,
    TRACES,
    copy_points,
    copy_some,
    finish_replacing,
    forget_deleted,
    replace_shard,
    sync_log,
)
from speechsearch.index.edge_values import (
    edge_config,
    edge_errors,
    edge_filter,
    edge_point,
    edge_vector,
    search_params,
)
from speechsearch.index.later import Later
from speechsearch.index.prepare import (
    FIRST_IDS,
    MORE_IDS,
    best_of,
    canonical_id,
    checked_limit,
    describe,
    prepared_point,
    prepared_vector,
    spec_named,
)
from speechsearch.index.shared_use import SharedUse
from speechsearch.index.vector_index import FILTER_FIELDS, REBUILD_HINT, Point

ANY_DELETED = 1e-9
"""A share of deleted points that no segment is below as soon as it has one."""
SPECS_FILE = "vectors.json"


class EdgeIndex:
    """A vector index in a folder; see ``VectorIndex``. ``is_new`` drops what the folder held.

    Raises:
        FingerprintMismatchError: the folder's index has other named vectors.
        DataFolderInUseError: another process uses the folder.
        ConfigurationError, IndexUnavailableError: the folder cannot be used.
        StoreError: the disk is full.
    """

    def __init__(self, specs: Sequence[Channel], path: Path, exact_points: int = 50_000, is_new: bool = False) -> None:
        self._specs = tuple(specs)
        self._path = path
        self._exact_points = exact_points
        self._written_points = self._unflushed_points = 0
        self._write_lock = threading.Lock()
        self._rewriting = threading.Lock()
        """Held while another shard takes the place of this one; taken before the lock of writers."""
        self._changed: set[str] | None = None
        """The points that are written or deleted while a copy is made."""
        self._is_to_forget = False
        """Whether something was deleted since the last copy was begun."""
        self._later = Later(self._forget)
        self._use = SharedUse()
        """Of the shard, which has locks of its own; whoever closes it has to be alone."""
        self._is_open = False
        # Edge has a lock of its own, but takes it after it has begun to mend files that the other process writes.
        self._folder_lock = DataFolderLock(path)
        try:
            with edge_errors(path):
                finish_replacing(path)
                if is_new:
                    self._drop()
                self._shard = self._open()
                self._is_open = True
                self._rewrite()
        except BaseException:
            self._folder_lock.release()
            raise

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points, over older ones of the same id; durable when it returns."""
        from qdrant_edge import UpdateOperation

        ready = [prepared_point(self._specs, point) for point in points]
        prepared = [edge_point(point) for point in ready]
        with self._write_lock, self._opened() as shard:
            check_room(self._path)
            self._note(point.passage_id for point in ready)
            for start in range(0, len(prepared), BATCH_POINTS):
                shard.update(UpdateOperation.upsert_points(prepared[start : start + BATCH_POINTS]))
            self._keep(shard, len(prepared))
            self._written_points += len(prepared)
            # Cheap when no segment is large enough to be quantised, seconds when one is: so not after every recording.
            if self._written_points > self._exact_points // 4:
                shard.optimize()
                self._written_points = 0

    def delete(self, passage_ids: Sequence[str]) -> None:
        """Remove points; unknown ids are ignored."""
        from qdrant_edge import UpdateOperation

        gone: list[Any] = [canonical_id(passage_id) for passage_id in passage_ids]
        if not gone:
            return
        with self._write_lock:
            (self._path / TRACES).touch()
            self._is_to_forget = True
            with self._opened() as shard:
                self._note(gone)
                shard.update(UpdateOperation.delete_points(gone))
                self._keep(shard, len(gone))
                is_small = self._is_small()
        if is_small:
            self._later.ask(FORGOTTEN_AFTER_S, FORGOTTEN_WITHIN_S)

    def search(
        self, name: str, vector: Vector, limit: int, filters: Filters | None = None, only: Sequence[str] | None = None
    ) -> list[ScoredPassage]:
        """Return the best points by one named vector, best first, ties by id."""
        from qdrant_edge import Query, QueryRequest

        limit, spec = checked_limit(limit), spec_named(self._specs, name)
        query = prepared_vector(spec, vector)
        wanted = None if only is None else {canonical_id(passage_id) for passage_id in only}
        if limit == 0 or wanted == set() or (isinstance(query, SparseVector) and not len(query.indices)):
            return []
        nearest = Query.Nearest(edge_vector(query), using=name)
        params, conditions = search_params(spec), edge_filter(filters or Filters(), wanted)

        def fetch(count: int) -> list[tuple[str, float]]:
            request = QueryRequest(limit=count, query=nearest, filter=conditions, params=params)
            return [(str(point.id), point.score) for point in shard.query(request)]

        with self._opened() as shard:
            return best_of(fetch, limit)

    def ids(self, among: Sequence[str] | None = None) -> Iterator[str]:
        """Yield the ids of all points, or of those among some."""
        from qdrant_edge import ScrollRequest

        if among is not None:
            asked = sorted({canonical_id(one) for one in among})
            for start in range(0, len(asked), BATCH_POINTS):
                with self._opened() as shard:
                    found = shard.retrieve(asked[start : start + BATCH_POINTS], with_payload=False, with_vector=False)
                yield from (str(record.id) for record in found)
            return
        offset, page = None, FIRST_IDS
        while True:
            with self._opened() as shard:
                records, offset = shard.scroll(ScrollRequest(offset=offset, limit=page, with_payload=False))
            yield from (str(record.id) for record in records)
            if offset is None:
                return
            page = MORE_IDS

    def optimize(self) -> bool:
        """Quantise what has grown above ``exact_points`` and drop deleted points; return whether anything was done.

        Searches of this process wait while it works: about a second for 10,000 points with sparse vectors.
        """
        with self._write_lock, self._opened() as shard:
            return bool(shard.optimize())

    def close(self) -> None:
        """Write everything and let go of the folder. Raises IndexUnavailableError, having let go of it all the same."""
        try:
            self._later.close()
            with self._rewriting, edge_errors(self._path):
                if self._is_open:
                    self._rewrite()
                    with self._write_lock, self._use.alone():
                        self._is_open = False
                        self._shard.flush()
                        self._shard.close()
        finally:
            self._folder_lock.release()

    def _forget(self) -> None:
        """Have nothing deleted left in the files, while reading and writing go on."""
        with self._rewriting:
            if self._is_open and self._is_small():
                self._rewrite()

    def _rewrite(self) -> None:
        """Have nothing left in the files if something was deleted; searches go on where there is little.

        Without room for that, the next time does it: deleting must be possible on a full disk.
        """
        traces = self._path / TRACES
        if not traces.exists() or not has_room(self._path):
            return
        self._is_to_forget = False
        with edge_errors(self._path):
            if self._is_small():
                self._copy()
            else:
                with self._write_lock, self._use.alone():
                    self._shard.flush()
                    self._shard.close()
                    try:
                        forget_deleted(self._path, edge_config(self._specs, self._exact_points, ANY_DELETED))
                    finally:
                        self._shard = self._open()
        with self._write_lock:
            if not self._is_to_forget:
                traces.unlink()

    def _copy(self) -> None:
        """Copy what there is into a new shard that takes the place of this one.

        Meanwhile reading and writing go on; at the end writing waits while what has changed is copied again, and
        reading while the shards change places.
        """
        try:
            with ExitStack() as held:
                with closing(self._new_draft()) as draft:
                    with self._write_lock:
                        self._changed = set()
                    made_less_urgent(lambda: copy_points(self._shard, draft, self._specs))
                    draft.flush()
                    held.enter_context(self._write_lock)
                    copy_some(self._shard, draft, self._specs, sorted(self._changed))
                    draft.flush()
                with self._use.alone():
                    self._shard.close()
                    replace_shard(self._path)
                    self._shard = self._open()
        finally:
            self._changed = None
        finish_replacing(self._path)

    def _keep(self, shard: Any, points: int) -> None:
        """Have what was just written survive a power cut.

        For that its log is enough, which Edge reads when it opens a shard. Writing all segments to the disk takes half
        a second on a slow one, in which Edge holds Python's lock and the whole program stands; so that is rare.
        """
        self._unflushed_points += points
        if self._unflushed_points > FLUSHED_AFTER:
            shard.flush()
            self._unflushed_points = 0
        else:
            sync_log(self._path)

    def _note(self, passage_ids: Iterable[str]) -> None:
        """Note points that are about to be changed, where a copy is made."""
        if self._changed is not None:
            self._changed.update(passage_ids)

    def _is_small(self) -> bool:
        from qdrant_edge import CountRequest

        return bool(self._shard.count(CountRequest(exact=False)) <= REWRITTEN_AT_ONCE)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """Give the shard to a block whose errors become ours."""
        with self._use.together(), edge_errors(self._path):
            if not self._is_open:
                raise IndexUnavailableError(f"The index in {self._path} is closed.")
            yield self._shard

    def _open(self) -> Any:
        """Return the folder's shard; make it when there is none."""
        from qdrant_edge import EdgeShard

        check_room(self._path)
        folder, specs_file = self._path / SHARD, self._path / SPECS_FILE
        if folder.exists():
            kept = specs_file.read_text(encoding="utf-8")
            if kept != describe(self._specs):
                raise FingerprintMismatchError(f"The index in {self._path} was made for other vectors.", REBUILD_HINT)
            return EdgeShard.load(str(folder), edge_config(self._specs, self._exact_points))
        # Made beside its place and renamed, so that a kill leaves all of it or nothing.
        self._path.mkdir(parents=True, exist_ok=True)
        specs_file.write_text(describe(self._specs), encoding="utf-8")
        shard = self._new_draft()
        shard.flush()
        shard.close()
        (self._path / DRAFT).rename(folder)
        return EdgeShard.load(str(folder))

    def _new_draft(self) -> Any:
        """Return an empty shard beside the place of the real one."""
        from qdrant_edge import EdgeShard, PayloadSchemaType, UpdateOperation

        draft = self._path / DRAFT
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        shard = EdgeShard.create(str(draft), edge_config(self._specs, self._exact_points))
        for field in FILTER_FIELDS:
            shard.update(UpdateOperation.create_field_index(field, PayloadSchemaType.Keyword))
        return shard

    def _drop(self) -> None:
        """Delete the shard; it is renamed first, so that a kill leaves all of it or nothing that looks like one."""
        folder, draft = self._path / SHARD, self._path / DRAFT
        if folder.exists():
            shutil.rmtree(draft, ignore_errors=True)
            folder.rename(draft)
            shutil.rmtree(draft)
