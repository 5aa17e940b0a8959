"""Audio tokenizers of transformers: whole minutes, how many quantizers, and code that is not run unless it may be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from transformers import EncodecConfig, EncodecModel

from speechsearch.domain.errors import CapabilityError, ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models import codec
from speechsearch.models.catalog import Catalog
from speechsearch.models.codec import CodecTokenizer
from speechsearch.models.codec_cards import MOST_QUANTIZERS, card_of_folder
from speechsearch.models.folders import with_folder
from speechsearch.models.load import ModelLoader
from tests.tiny import codecs

SOUND = Audio(np.random.default_rng(2).normal(0, 0.1, 2 * SAMPLE_RATE_HZ).astype(np.float32))


def loader_of(folder: Path, *trusted: str) -> ModelLoader:
    known = with_folder(Catalog(), folder)
    assert known.refused == {}
    return ModelLoader(known.catalog, folder, device="cpu", dtype="float32", trusted_code=trusted)


@pytest.mark.parametrize(("family", "frame_hz"), [(codecs.MIMI, 12.5), (codecs.ENCODEC, 75.0), (codecs.DAC, 31.25)])
def test_a_folder_is_a_tokenizer_of_the_first_quantizers(
    family: codecs.Family, frame_hz: float, tmp_path: Path
) -> None:
    family.save(tmp_path / "mine")
    (tokens,) = loader_of(tmp_path).audio_tokenizer("mine").tokenize([SOUND])
    assert tokens.frame_hz == frame_hz and tokens.codebook_size == 16
    assert tokens.codes.shape == (MOST_QUANTIZERS, round(2 * frame_hz + 0.49))


def test_a_long_sound_is_heard_stretch_by_stretch_of_whole_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codecs.DAC.save(tmp_path / "dac")
    tokenizer = loader_of(tmp_path).model("audio tokenizer", "dac")
    assert isinstance(tokenizer, CodecTokenizer)
    monkeypatch.setattr(codec, "STRETCH_S", 1.0)  # 31 frames of 512 samples
    (whole,), (first,) = tokenizer.tokenize([SOUND]), tokenizer.tokenize([Audio(SOUND.samples[: 31 * 512])])
    assert whole.codes.shape[1] == 63
    np.testing.assert_array_equal(whole.codes[:, :31], first.codes)


def test_encodec_of_two_channels_in_pieces_is_refused(tmp_path: Path) -> None:
    config = EncodecConfig(
        hidden_size=16, num_filters=2, codebook_size=16, audio_channels=2, chunk_length_s=1.0, overlap=0.01
    )
    EncodecModel(config).save_pretrained(tmp_path / "wide")
    with pytest.raises(ModelUnavailableError, match="hears 2 channels in pieces"):
        loader_of(tmp_path).model("audio tokenizer", "wide")


def test_weights_that_lack_something_are_refused(tmp_path: Path) -> None:
    codecs.DAC.save(tmp_path / "dac")
    config = json.loads((tmp_path / "dac" / "config.json").read_text())
    (tmp_path / "dac" / "config.json").write_text(json.dumps({**config, "n_codebooks": 20}))
    with pytest.raises(ModelUnavailableError, match="'dac' cannot be loaded: its weights lack quantizer"):
        loader_of(tmp_path).model("audio tokenizer", "dac")


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    codecs.DAC.save(tmp_path / "dac")
    (tmp_path / "dac" / "model.safetensors").rename(tmp_path / "dac" / "pytorch_model.bin")
    with pytest.raises(ModelUnavailableError, match=r"pickles .* are never read"):
        card_of_folder("dac", tmp_path / "dac")


def test_code_of_its_own_runs_only_where_it_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    card = codecs.save_moss(tmp_path / "models" / "moss")
    assert "modeling_tiny.py" in [file.name for file in card.files]
    with pytest.raises(CapabilityError, match="not run unless you say so"):
        loader_of(tmp_path / "models").model("audio tokenizer", "moss")
    with pytest.raises(CapabilityError, match="not run unless you say so"):
        loader_of(tmp_path / "models", "another").model("audio tokenizer", "moss")
    (tokens,) = loader_of(tmp_path / "models", "moss").audio_tokenizer("moss").tokenize([SOUND])
    assert tokens.codes.shape == (MOST_QUANTIZERS, 25) and tokens.codebook_size == 32


def test_code_that_was_changed_after_it_was_read_is_refused(tmp_path: Path) -> None:
    codecs.save_moss(tmp_path / "moss")
    loader = loader_of(tmp_path, "moss")
    with (tmp_path / "moss" / "modeling_tiny.py").open("a") as file:
        file.write("raise SystemExit\n")
    with pytest.raises(ModelUnavailableError, match="is not the file of the audio tokenizer 'moss'"):
        loader.model("audio tokenizer", "moss")


def test_silence_and_nothing_have_frames(tmp_path: Path) -> None:
    codecs.MIMI.save(tmp_path / "mimi")
    tokenizer = loader_of(tmp_path).audio_tokenizer("mimi")
    for tokens in tokenizer.tokenize([Audio(np.zeros(size, np.float32)) for size in (0, 1, SAMPLE_RATE_HZ)]):
        assert tokens.codes.shape[1] >= 1
