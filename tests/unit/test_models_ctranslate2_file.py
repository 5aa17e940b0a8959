"""Weights out of files of CTranslate2: a file made by hand, damaged ones, and Whisper against CTranslate2 itself."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from ctranslate2 import StorageView
from ctranslate2.models import Whisper
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.card import ModelCard
from speechsearch.models.ctranslate2_file import named_arrays, whisper_encoder_state
from speechsearch.models.files import FileFinder
from speechsearch.models.whisper_cards import WHISPER_BASE, WHISPER_TINY_EN

TOLERANCE = 5e-3
"""Between two ways to add up float32; the states spread by about 1. One in half a million is off by 2e-3."""


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
        whole(
            GOOD,
            array("b/c", (2,), 5, sixteen.tobytes()),
            array("d", (), 2, b"\x08\x00"),
            array("b/e", (1,), 1, b"\xff"),
        )
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


def files_of(card: ModelCard, folder: Path) -> Path:
    """The files of a card beside each other in a folder."""
    finder = FileFinder(None, folder / "joined", may_download=False)
    for file in card.files:
        (folder / file.name).symlink_to(finder.find(card, file))
    return folder


def encoder_of(folder: Path, width: int, layers: int, heads: int) -> WhisperEncoder:
    config = WhisperConfig(
        d_model=width, encoder_layers=layers, encoder_attention_heads=heads, encoder_ffn_dim=4 * width
    )  # fmt: skip
    encoder = WhisperEncoder(config)
    encoder.load_state_dict(whisper_encoder_state(folder / "model.bin"))
    return encoder.eval()


def test_the_encoder_hears_in_pytorch_what_it_hears_in_ctranslate2(tmp_path: Path) -> None:
    folder = files_of(WHISPER_TINY_EN, tmp_path)
    encoder = encoder_of(folder, 384, 4, 6)
    frames = np.random.default_rng(0).normal(0, 0.5, (1, 80, 3000)).astype(np.float32)
    expected = np.asarray(
        Whisper(str(folder), compute_type="float32", intra_threads=1).encode(StorageView.from_array(frames))
    )
    with torch.inference_mode():
        found = encoder(torch.from_numpy(frames)).last_hidden_state.numpy()
    assert expected.shape == (1, 1500, 384) and expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_the_weights_of_base_are_all_there(tmp_path: Path) -> None:
    encoder_of(files_of(WHISPER_BASE, tmp_path), 512, 6, 8)
