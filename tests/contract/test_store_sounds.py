"""What recordings sound like, on both databases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa

from speechsearch.domain.alike import Constellation, SoundWindows
from speechsearch.domain.errors import StoreError
from speechsearch.store.tables import ConstellationRow, SoundWindowsRow
from tests.contract.stores import TALK, save, stored_passages

OTHER = replace(TALK, recording_id="b" * 64)


def peaks(count: int) -> Constellation:
    random = np.random.default_rng(count)
    frames = np.sort(random.integers(0, 2**31, count)).astype(np.uint32)
    return Constellation(frames, random.integers(0, 256, count).astype(np.uint8), 2**31 - 1)


def vectors(count: int) -> SoundWindows:
    rows = np.random.default_rng(count).standard_normal((count, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[:1] = 0.0
    return SoundWindows(rows, 5.0)


@pytest.fixture
def filled(store):
    for recording in (TALK, OTHER):
        save(store, recording, "a.opus", list(stored_passages(recording, 1)), "1")
    return store


def test_peaks_and_windows_are_kept_by_what_made_them(filled) -> None:
    sounds = filled.sounds
    assert sounds.with_constellation("peaks-1") == set() == sounds.with_windows("e-1")
    for kept in (peaks(0), peaks(700)):
        sounds.save_constellation(TALK.recording_id, kept, "peaks-1")
        found = sounds.constellations([TALK.recording_id, OTHER.recording_id], "peaks-1")[TALK.recording_id]
        assert np.array_equal(found.frames, kept.frames) and found.frames.dtype == np.uint32
        assert np.array_equal(found.bins, kept.bins) and found.length == kept.length
    for kept in (vectors(0), vectors(40)):
        sounds.save_windows(TALK.recording_id, kept, "e-1")
        (windows,) = sounds.windows([TALK.recording_id], "e-1").values()
        assert windows.hop_s == 5.0 and windows.vectors.shape == kept.vectors.shape
        assert np.allclose(windows.vectors, kept.vectors, atol=2e-3)
        assert set(np.linalg.norm(windows.vectors, axis=1).round(5).tolist()) <= {0.0, 1.0}
    assert sounds.with_constellation("peaks-1") == {TALK.recording_id} == sounds.with_windows("e-1")
    assert sounds.with_constellation("peaks-1", [OTHER.recording_id]) == set()
    assert sounds.with_constellation("peaks-2") == set() == sounds.with_windows("e-2")
    assert sounds.constellations([TALK.recording_id], "peaks-2") == {} == sounds.windows([TALK.recording_id], "e-2")
    filled.recordings.delete(TALK.recording_id)
    assert sounds.with_constellation("peaks-1") == set() == sounds.with_windows("e-1")


def test_what_is_said_of_a_pair_is_kept_once_and_goes_with_either(filled) -> None:
    sounds, pair = filled.sounds, (TALK.recording_id, OTHER.recording_id)
    sounds.judge(*pair, "keep both")
    sounds.judge(*reversed(pair), "keep both")
    assert sounds.verdicts() == {pair: "keep both"}
    sounds.judge(*reversed(pair), None)
    sounds.judge(*pair, None)
    assert sounds.verdicts() == {}
    sounds.judge(*pair, "keep both")
    filled.recordings.delete(OTHER.recording_id)
    assert sounds.verdicts() == {}
    with pytest.raises(StoreError, match="database cannot be used"):
        sounds.judge(*pair, "keep both")
    with pytest.raises(StoreError, match="database cannot be used"):
        sounds.save_constellation(OTHER.recording_id, peaks(1), "peaks-1")


@pytest.mark.parametrize(("table", "column"), [(ConstellationRow, "frames"), (SoundWindowsRow, "vectors")])
def test_a_damaged_row_is_told_of(filled, table, column) -> None:
    filled.sounds.save_constellation(TALK.recording_id, peaks(9), "peaks-1")
    filled.sounds.save_windows(TALK.recording_id, vectors(3), "e-1")
    with filled._database.writing() as connection:
        connection.execute(sa.update(table).values({column: b"\0\1\2"}))
    with pytest.raises(StoreError, match=f"recording {TALK.recording_id[:12]} are damaged"):
        if table is ConstellationRow:
            filled.sounds.constellations([TALK.recording_id], "peaks-1")
        else:
            filled.sounds.windows([TALK.recording_id], "e-1")
