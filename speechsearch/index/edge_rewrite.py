"""Nothing deleted is left in the files of a shard of Qdrant Edge, which keeps it in its log and segments as it likes.

A small shard is copied into a new one that takes its place, once for all that is deleted within minutes; searches and
writing go on. Of a large one Edge makes the segments
anew, which is many times as fast, and its log is begun anew; document frequencies then count what is overwritten later
until the next time, as they do after every optimisation. A file beside the shard says that there is something to
forget; it is removed last, so after a kill at any point the next process begins again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from speechsearch.domain.values import Channel

TRACES = "deleted"
SHARD, DRAFT, OLD = "shard", "shard.draft", "shard.old"
LOG = "wal"
BATCH_POINTS = 500
MOST_ROUNDS = 10
FLUSHED_AFTER = 5_000
"""After so many points the segments are written to the disk; until then the log has what was written."""
REWRITTEN_AT_ONCE = 5_000
"""Up to this many points are copied while the index is open; more are made anew when it is closed."""
FORGOTTEN_AFTER_S, FORGOTTEN_WITHIN_S = 30.0, 600.0
"""So long after the last deletion, and after the first one at the latest, the copy is begun: whatever was deleted, it
takes seconds on a slow disk, in which Edge holds Python's lock now and then."""


def copy_points(source: Any, target: Any, specs: Sequence[Channel]) -> int:
    """Copy all points of a shard into another one and return how many that were."""
    from qdrant_edge import ScrollRequest

    offset, copied = None, 0
    while True:
        wanted = ScrollRequest(offset=offset, limit=BATCH_POINTS, with_payload=True, with_vector=True)
        records, offset = source.scroll(wanted)
        _write(target, specs, records)
        copied += len(records)
        if offset is None:
            return copied


def copy_some(source: Any, target: Any, specs: Sequence[Channel], ids: Sequence[str]) -> None:
    """Have another shard hold of some points what this one holds: it may be nothing."""
    from qdrant_edge import UpdateOperation

    if ids:
        target.update(UpdateOperation.delete_points(list(ids)))
        _write(target, specs, source.retrieve(list(ids), with_payload=True, with_vector=True))


def _write(target: Any, specs: Sequence[Channel], records: Sequence[Any]) -> None:
    """Write points that were read from another shard."""
    from qdrant_edge import Point, UpdateOperation

    names = {spec.name for spec in specs}
    points = [
        Point(record.id, {name: one for name, one in (record.vector or {}).items() if name in names}, record.payload)
        for record in records
    ]
    if points:
        target.update(UpdateOperation.upsert_points(points))


def sync_log(folder: Path) -> None:
    """Have the log of an open shard survive a power cut, while others compute."""
    log = folder / SHARD / LOG
    for path in (*log.iterdir(), log):
        with suppress(FileNotFoundError):  # the file for what is written next, which Edge makes under another name
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)


def replace_shard(folder: Path) -> None:
    """Put the finished draft in the shard's place; the old one is still there, to be deleted."""
    shutil.rmtree(folder / OLD, ignore_errors=True)
    (folder / SHARD).rename(folder / OLD)
    (folder / DRAFT).rename(folder / SHARD)


def forget_deleted(folder: Path, config: Any) -> None:
    """Make the segments of a closed shard anew without what was deleted, and its log an empty one.

    ``config``: one by which a segment is made anew as soon as anything in it is deleted.
    """
    from qdrant_edge import EdgeShard

    shard = EdgeShard.load(str(folder / SHARD), config)
    try:
        for _ in range(MOST_ROUNDS):
            if not shard.optimize():
                break
        shard.flush()
    finally:
        shard.close()
    # All of the log is in the segments now. It goes at once or not at all; a shard without one begins a new one.
    shutil.rmtree(folder / OLD, ignore_errors=True)
    (folder / SHARD / LOG).rename(folder / OLD)
    shutil.rmtree(folder / OLD)


def finish_replacing(folder: Path) -> None:
    """Go on where a killed process left ``replace_shard`` or ``forget_deleted``; do nothing where there is nothing."""
    if (folder / OLD).exists():
        if not (folder / SHARD).exists():
            (folder / DRAFT).rename(folder / SHARD)
        shutil.rmtree(folder / OLD)
