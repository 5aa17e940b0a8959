"""Sound files in a bucket, and what of them lies on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from speechsearch.domain.errors import NotFoundError
from speechsearch.library.media_files import MediaBucket, MediaFolder

SOUND = b"sound" * 100


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    path.write_bytes(SOUND)
    return path


@pytest.fixture
def bucket(tmp_path: Path) -> MediaBucket:
    (tmp_path / "bucket").mkdir()
    return MediaBucket(f"file://{tmp_path / 'bucket'}", tmp_path / "here", kept_bytes=len(SOUND))


def test_half_a_copy_that_a_killed_process_left_is_put_again(bucket: MediaBucket, source: Path, tmp_path: Path) -> None:
    (tmp_path / "bucket" / "a.wav").write_bytes(SOUND[:7])
    bucket.keep(source, "a.wav")
    assert (tmp_path / "bucket" / "a.wav").read_bytes() == SOUND


def test_what_was_used_longest_ago_goes_and_is_fetched_again(bucket: MediaBucket, source: Path, tmp_path: Path) -> None:
    bucket.keep(source, "a.wav")
    os.utime(tmp_path / "here" / "a.wav", (0, 0))
    bucket.keep(source, "b.wav")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["b.wav"]
    os.utime(tmp_path / "here" / "b.wav", (0, 0))
    assert bucket.path("a.wav").read_bytes() == SOUND
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["a.wav"]


def test_what_is_gone_is_told_and_leaves_no_empty_file(bucket: MediaBucket, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="audio of this recording is gone"):
        bucket.path("a.wav")
    bucket.remove("a.wav")
    assert list((tmp_path / "here").iterdir()) == []


def test_a_sweep_leaves_what_others_put_there(bucket: MediaBucket, source: Path, tmp_path: Path) -> None:
    bucket.keep(source, "a.wav")
    (tmp_path / "here" / "b.wav.unfinished").touch()
    bucket.sweep(set())
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["a.wav"]
    shared = MediaFolder(tmp_path / "bucket", is_shared=True)
    (tmp_path / "bucket" / "b.wav.unfinished").touch()
    shared.sweep(set())
    assert sorted(path.name for path in shared.folder.iterdir()) == ["a.wav", "b.wav.unfinished"]
