"""Nothing deleted is left in the files of a shard of Qdrant Edge: its segments are made anew, its log is begun anew.

Edge keeps what was deleted in both for as long as it likes. A file beside the shard says that there is something to
forget; it is removed last, so after a kill at any point the next process begins again.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

TRACES = "deleted"
SHARD, DRAFT, OLD = "shard", "shard.draft", "shard.old"
LOG = "wal"
MOST_ROUNDS = 10
REWRITTEN_AT_ONCE = 5_000
"""Up to this many points a deletion takes the moment that it takes; beyond, it is done when the index is closed."""


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
    """Remove what a killed process left of an old log, or finish what an older version was replacing."""
    if (folder / OLD).exists():
        if not (folder / SHARD).exists():
            (folder / DRAFT).rename(folder / SHARD)
        shutil.rmtree(folder / OLD)
