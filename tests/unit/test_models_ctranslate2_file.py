"""Weights out of files of CTranslate2: a file made by hand, damaged ones, and Whisper against CTranslate2 itself."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.ctranslate2_file import named_arrays, whisper_encoder_state
from speechsearch.models.load import ModelLoader

TOLERANCE = 2e-3
"""Between two ways to add up float32, in states of up to about 30."""


def text(words: str) -> bytes:
    return struct.pack("<H", len(words) + 1) + words.encode() + b"\0"


def array(name: str, shape: tuple[int, ...], kind: int, data: bytes, size_bytes: int | None = None) -> bytes:
    size_bytes = len(data) if size_bytes is None else size_bytes
    sizes = struct.pack(f"<B{len(shape)}IBI", len(shape), *shape, kind, size_bytes)
    return text(name) + sizes + data


def whole(*arrays: bytes, version: int = 6, count: int | None = None) -> bytes:
    head = struct.pack("<I", version) + text("WhisperSpec") + struct.pack("<I", 3)
    return head + struct.pack("<I", len(arrays) if count is None else count) + b"".join(arrays) + struct.pack("<I", 0)


GOOD = array("a", (2, 1), 4, np.array([1.5, -2], "<f2").tobytes())


def test_all_kinds_of_numbers_become_float32_in_their_shapes(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    sixteen = (np.array([1.0, -3.0], "<f4").view("<u4") >> 16).astype("<u2")
    path.write_bytes(
        whole(GOOD, array("b/c", (2,), 5, sixteen.tobytes()), array("d", (), 2, b"\x08\x00"), array("b/e", (1,), 1, b"\xff"))
    )
    found = named_arrays(path)
    assert {name: one.tolist() for name, one in found.items()} == {
        "a": [[1.5], [-2.0]], "b/c": [1.0, -3.0], "d": 8.0, "b/e": [-1.0]
    }  # fmt: skip
    assert all(one.dtype == np.float32 for one in found.values())
    assert list(named_arrays(path, "b/")) == ["b/c", "b/e"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends 4 bytes too early"),
        (whole(GOOD)[:-12], "too early"),
        (whole(GOOD, version=99), "version is 99"),
        (whole(GOOD, count=4_000_000_000), "too early"),
        (whole(array("a", (4_000_000_000, 1), 0, b"", 16_000_000_000 % 2**32)), "bytes for the shape"),
        (whole(array("a", (1_000_000_000,), 0, b"", 4_000_000_000)), "too early"),
        (whole(array("a", (2,), 0, b"\0" * 4)), "4 bytes for the shape"),
        (whole(array("a", (1,), 77, b"\0")), "unknown kind 77"),
        (whole(array("a", (1,) * 200, 1, b"\0")), "200 dimensions"),
        (struct.pack("<I", 6) + struct.pack("<H", 60_000), "too early"),
        (struct.pack("<I", 6) + struct.pack("<H", 2) + b"\xff\xfe", "can't decode"),
    ],
)
def test_a_damaged_or_hostile_file_is_refused_before_its_sizes_are_believed(
    tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(ModelUnavailableError, match=message):
        named_arrays(path)


def test_a_file_without_an_encoder_and_none_at_all_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(whole(GOOD))
    with pytest.raises(ModelUnavailableError, match="lacks 'encoder/position_encodings/encodings'"):
        whisper_encoder_state(path)
    with pytest.raises(ModelUnavailableError, match="No such file"):
        named_arrays(tmp_path / "nothing.bin")


@pytest.mark.parametrize(("name", "heads"), [("whisper-tiny.en", 6), ("whisper-base", 8)])
def test_the_encoder_hears_in_pytorch_what_it_hears_in_ctranslate2(loader: ModelLoader, name: str, heads: int) -> None:
    from ctranslate2 import StorageView
    from ctranslate2.models import Whisper
    from transformers import WhisperConfig, WhisperModel

    folder = loader.folder_of("recognizer", name)
