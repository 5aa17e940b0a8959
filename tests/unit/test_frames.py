"""Frame encoders: what they give is what the networks themselves give, whole or in two parts, alone or in company."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ
from speechsearch.models.catalog import Catalog, catalog
from speechsearch.models.frames import FrameEncoder, padded_states
from speechsearch.models.load import ModelLoader
from tests.tiny import frames

TOLERANCE = 1e-4
RNG = np.random.default_rng(1)
SOUNDS = [(RNG.standard_normal(n) / 10).astype(np.float32) for n in (20_000, 9_000, 31_234)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelLoader:
    folder = tmp_path_factory.mktemp("frames")
    cards = [family.save(folder / family.name) for family in frames.ALL]
    return ModelLoader(Catalog(cards), folder, device="cpu", dtype="float32")


def opened(tiny: ModelLoader, family: frames.Family) -> FrameEncoder:
    encoder: FrameEncoder = tiny.model("frame encoder", family.name)
    return encoder


@pytest.mark.parametrize("family", frames.ALL, ids=lambda one: one.name)
def test_a_sound_alone_gives_what_it_gives_beside_others(tiny: ModelLoader, family: frames.Family) -> None:
    encoder = opened(tiny, family)
    together = encoder.below(SOUNDS)
    for sound, states in zip(SOUNDS, together, strict=True):
        (alone,) = encoder.below([sound])
        assert states.shape[1] == encoder.width == frames.WIDTH
        assert abs(len(states) * encoder.frame_s - len(sound) / SAMPLE_RATE_HZ) < 0.05
        torch.testing.assert_close(states, alone, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize("top", [1, 2])
@pytest.mark.parametrize("family", frames.ALL, ids=lambda one: one.name)
def test_the_last_layers_apart_give_what_the_whole_gives(tiny: ModelLoader, family: frames.Family, top: int) -> None:
    encoder = opened(tiny, family)
    states, counts = padded_states(encoder.below(SOUNDS, top))
    after = encoder.above(states, counts, top)
    for row, count, whole in zip(after, counts.tolist(), encoder.below(SOUNDS), strict=True):
        torch.testing.assert_close(row[:count], whole, atol=TOLERANCE, rtol=TOLERANCE)


def levelled(sound: np.ndarray[Any, np.dtype[np.float32]]) -> torch.Tensor:
    return torch.from_numpy((sound - sound.mean()) / np.sqrt(sound.var() + 1e-7))[None]


@pytest.mark.parametrize("family", [frames.HUBERT, frames.HUBERT_BASE, frames.WAVLM], ids=lambda one: one.name)
def test_waves_give_what_the_library_gives(tiny: ModelLoader, family: frames.Family) -> None:
    encoder = opened(tiny, family)
    with torch.no_grad():
        (whole,) = encoder.network(levelled(SOUNDS[0])).last_hidden_state
    torch.testing.assert_close(encoder.below(SOUNDS[:1])[0], whole, atol=TOLERANCE, rtol=TOLERANCE)


def test_wav2vec2_bert_gives_what_the_library_gives(tiny: ModelLoader) -> None:
    encoder = opened(tiny, frames.WAV2VEC2_BERT)
    extractor = encoder.family.extractor  # type: ignore[attr-defined]
    made = extractor(SOUNDS[0], sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
    with torch.no_grad():
        states = encoder.network(**made).last_hidden_state[0, : int(made["attention_mask"].sum())]
    torch.testing.assert_close(encoder.below(SOUNDS[:1])[0], states, atol=TOLERANCE, rtol=TOLERANCE)


def test_whisper_gives_of_a_sound_of_its_length_what_the_library_gives(tiny: ModelLoader) -> None:
    from transformers import WhisperFeatureExtractor

    encoder = opened(tiny, frames.WHISPER)
    sound = np.concatenate(SOUNDS * 8)[: 30 * SAMPLE_RATE_HZ]
    given = WhisperFeatureExtractor(80)(sound, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")["input_features"]
    with torch.no_grad():
        (whole,) = encoder.network(given).last_hidden_state
    (states,) = encoder.below([sound])
    inner = slice(20, -20)  # at both ends the library reflects the sound, and here it is silent
    assert (states[inner] - whole[inner]).abs().max() < 0.01


def test_the_packaged_encoder_and_the_shipped_one_are_frame_encoders() -> None:
    loader = ModelLoader(catalog(), device="cpu", dtype="float32")
    whisper, mini = (loader.model("frame encoder", name) for name in ("whisper-base", "mini"))
    assert (whisper.width, whisper.frame_s, len(whisper.layers)) == (512, 0.02, 6)
    assert (mini.width, mini.frame_s, len(mini.layers)) == (512, 0.04, 5)
    network = loader.model("speech encoder", "mini").model
    samples, lengths = torch.from_numpy(SOUNDS[0])[None], torch.tensor([len(SOUNDS[0])])
    with torch.no_grad():
        log_probs, _ = network.encoder(*network.log_mel(samples, lengths))
        head = network.encoder.head(mini.below([SOUNDS[0]])[0]).log_softmax(-1)
    torch.testing.assert_close(head, log_probs[0], atol=TOLERANCE, rtol=TOLERANCE)


def test_a_checkpoint_without_weights_or_width_is_refused(tmp_path: Path) -> None:
    from speechsearch.models.frame_cards import card_of_checkpoint

    (tmp_path / "config.json").write_text('{"model_type": "hubert"}', encoding="utf-8")
    with pytest.raises(ModelUnavailableError, match="no weights in safetensors"):
        card_of_checkpoint("mine", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ModelUnavailableError, match="how wide"):
        card_of_checkpoint("mine", tmp_path)


def test_weights_that_are_missing_are_told(tiny: ModelLoader, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    card = frames.HUBERT.save(tmp_path / frames.HUBERT.name)
    path = tmp_path / frames.HUBERT.name / "model.safetensors"
    tensors = {name: one for name, one in load_file(path).items() if "layers.1" not in name}
    save_file(tensors, path, {"format": "pt"})
    make: Callable[[], object] = lambda: ModelLoader(  # noqa: E731
        Catalog([frames.card_of_checkpoint(card.name, path.parent)]), tmp_path, device="cpu"
    ).model("frame encoder", card.name)
    with pytest.raises(ModelUnavailableError, match="its weights lack"):
        make()
