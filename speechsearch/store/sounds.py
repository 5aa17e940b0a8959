"""What recordings sound like: their constellations, the vectors of their windows, and what was said of duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import sqlalchemy as sa

from speechsearch.domain.alike import Constellation, SoundWindows, Verdict
from speechsearch.domain.errors import StoreError
from speechsearch.domain.values import FloatMatrix
from speechsearch.store.database import Database, rows_of, upsert
from speechsearch.store.jobs import time_ago
from speechsearch.store.tables import ConstellationRow, DuplicateVerdictRow, SoundWindowsRow


class Sounds:
    """The sounds of a database's recordings; all of it goes with the recording."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def with_constellation(self, fingerprint: str, recording_ids: Sequence[str] | None = None) -> set[str]:
        """Return the ids of the recordings (of some) that have a constellation of this fingerprint."""
        return self._having(ConstellationRow, fingerprint, recording_ids)

    def with_windows(self, fingerprint: str, recording_ids: Sequence[str] | None = None) -> set[str]:
        """Return the ids of the recordings (of some) that have vectors of their windows by this embedder."""
        return self._having(SoundWindowsRow, fingerprint, recording_ids)

    def _having(self, table: Any, fingerprint: str, recording_ids: Sequence[str] | None) -> set[str]:
        statement = sa.select(table.recording_id).where(table.fingerprint == fingerprint)
        with self._database.reading() as connection:
            return {row.recording_id for row in rows_of(connection, statement, table.recording_id, recording_ids)}

    def save_constellation(self, recording_id: str, found: Constellation, fingerprint: str) -> None:
        """Write the constellation of a recording over an earlier one. Raises StoreError: there is no such recording."""
        row = {
            "recording_id": recording_id,
            "fingerprint": fingerprint,
            "frames": found.frames.astype("<u4").tobytes(),
            "bins": found.bins.tobytes(),
            "length": found.length,
        }
        with self._database.writing() as connection:
            upsert(connection, ConstellationRow, row)

    def save_windows(self, recording_id: str, windows: SoundWindows, fingerprint: str) -> None:
        """Write the vectors of a recording's windows over earlier ones. Raises StoreError: there is no such one."""
        row = {
            "recording_id": recording_id,
            "fingerprint": fingerprint,
            "vectors": windows.vectors.astype("<f2").tobytes(),
            "dim": windows.vectors.shape[1],
            "hop_s": windows.hop_s,
        }
        with self._database.writing() as connection:
            upsert(connection, SoundWindowsRow, row)

    def constellations(self, recording_ids: Sequence[str], fingerprint: str) -> dict[str, Constellation]:
        """Return recording id -> constellation, of those that have one. Raises StoreError: a row is damaged."""
        found = self._rows(ConstellationRow, fingerprint, recording_ids)
        return {row.recording_id: constellation_of(row) for row in found}

    def windows(self, recording_ids: Sequence[str], fingerprint: str) -> dict[str, SoundWindows]:
        """Return recording id -> vectors of its windows, of those that have some. Raises StoreError: one is damaged."""
        return {row.recording_id: windows_of(row) for row in self._rows(SoundWindowsRow, fingerprint, recording_ids)}

    def _rows(self, table: Any, fingerprint: str, recording_ids: Sequence[str]) -> Iterable[Any]:
        statement = sa.select(table.__table__).where(table.fingerprint == fingerprint)
        with self._database.reading() as connection:
            return rows_of(connection, statement, table.recording_id, recording_ids)

    def judge(self, one_id: str, other_id: str, verdict: Verdict | None) -> None:
        """Keep what an owner said of two recordings; None: forget it. Raises StoreError: there is no such recording."""
        first, second = sorted((one_id, other_id))
        with self._database.writing() as connection:
            if verdict is None:
                pair = (DuplicateVerdictRow.first_id == first) & (DuplicateVerdictRow.second_id == second)
                connection.execute(sa.delete(DuplicateVerdictRow).where(pair))
            else:
                row = {"first_id": first, "second_id": second, "verdict": verdict, "created_at": time_ago()}
                upsert(connection, DuplicateVerdictRow, row)

    def verdicts(self) -> dict[tuple[str, str], Verdict]:
        """Return (smaller id, greater id) -> what an owner said of them."""
        columns = (DuplicateVerdictRow.first_id, DuplicateVerdictRow.second_id, DuplicateVerdictRow.verdict)
        with self._database.reading() as connection:
            found = connection.execute(sa.select(*columns))
            return {(row.first_id, row.second_id): cast(Verdict, row.verdict) for row in found}


def constellation_of(row: Any) -> Constellation:
    """Return the constellation of a row. Raises StoreError: it is damaged."""
    frames, bins = row.frames, np.frombuffer(row.bins, np.uint8)
    if len(frames) != 4 * len(bins):
        raise StoreError(
            f"The peaks of the recording {row.recording_id[:12]} are damaged.", "Delete it and add it again."
        )
    return Constellation(np.frombuffer(frames, "<u4").astype(np.uint32), bins, row.length)


def windows_of(row: Any) -> SoundWindows:
    """Return the vectors of a row, unit length again. Raises StoreError: it is damaged."""
    if row.dim < 1 or len(row.vectors) % (2 * row.dim):
        raise StoreError(
            f"The sound vectors of the recording {row.recording_id[:12]} are damaged.", "Delete it and add it again."
        )
    vectors = np.frombuffer(row.vectors, "<f2").astype(np.float32).reshape(-1, row.dim)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float32)
    unit: FloatMatrix = vectors / np.maximum(lengths, np.float32(1e-12))
    return SoundWindows(unit, row.hop_s)
