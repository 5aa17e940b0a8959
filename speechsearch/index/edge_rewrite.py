"""A shard of Qdrant Edge copied into a new one that takes its place, so that nothing deleted is left in its files.

Edge keeps what was deleted in its log and its segments for as long as it likes. A file beside the shard says that
there is something to forget; it is removed last, so a process killed at any point leaves the old shard or the new one,
and the next one begins again.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speechsearch.domain.values import Channel

TRACES = "deleted"
SHARD, DRAFT, OLD = "shard", "shard.draft", "shard.old"
BATCH_POINTS = 500
REWRITTEN_AT_ONCE = 5_000
"""Up to this many points a deletion takes the second that it takes; beyond, the index is rewritten at its closing."""


def copy_points(source: Any, target: Any, specs: Sequence[Channel]) -> int:
    """Copy all points of a shard into another one and return how many that were."""
    from qdrant_edge import Point, ScrollRequest, UpdateOperation

    names = {spec.name for spec in specs}
    offset, copied = None, 0
    while True:
        wanted = ScrollRequest(offset=offset, limit=BATCH_POINTS, with_payload=True, with_vector=True)
        records, offset = source.scroll(wanted)
        points = [
            Point(
                record.id, {name: one for name, one in (record.vector or {}).items() if name in names}, record.payload
            )
            for record in records
        ]
        if points:
            target.update(UpdateOperation.upsert_points(points))
        copied += len(points)
        if offset is None:
            return copied


def replace_shard(folder: Path) -> None:
    """Put the finished draft in the shard's place and delete the old one."""
    shutil.rmtree(folder / OLD, ignore_errors=True)
    (folder / SHARD).rename(folder / OLD)
    finish_replacing(folder)


def finish_replacing(folder: Path) -> None:
    """Go on where a killed process left ``replace_shard``; do nothing where there is nothing to do."""
    if (folder / OLD).exists():
        if not (folder / SHARD).exists():
            (folder / DRAFT).rename(folder / SHARD)
        shutil.rmtree(folder / OLD)
