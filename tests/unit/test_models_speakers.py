"""How speaker encoders read sound, against figures of the libraries that they were trained with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ
from speechsearch.models import ge2e, onnx_speaker
from speechsearch.models.built_in import GE2E
from speechsearch.models.card import ModelCard
from speechsearch.models.device import Device
from speechsearch.models.load import Located
from tests.tiny import speaker


def sound(duration_s: float) -> np.ndarray:
    """A rising tone, a beating one, and a fast one, all quiet."""
    t = np.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    rising = 0.02 * np.sin(2 * np.pi * (150 + 60 * t) * t)
    beating = 0.01 * np.sin(2 * np.pi * 1200 * t) * (1 + np.sin(2 * np.pi * 3 * t))
    return (rising + beating + 0.002 * np.sin(2 * np.pi * 5000 * t * t / 2)).astype(np.float32)


def test_ge2e_reads_power_in_mel_bands_as_librosa_does() -> None:
    # librosa 0.11.0: feature.melspectrogram(y=sound(1.9), sr=16000, n_fft=400, hop_length=160, n_mels=40).T
    frames = ge2e.mel_frames(torch.from_numpy(sound(1.9))).numpy()
    assert frames.shape == (191, 40)
    assert frames.sum() == pytest.approx(20.4628, abs=1e-4)
    np.testing.assert_allclose(frames[0, :4], [0.01047691, 0.02044108, 0.00693635, 0.00044975], rtol=1e-4)
    np.testing.assert_allclose(frames[50, [0, 5]], [1.4219958e-05, 2.2438e-07], rtol=1e-3)
    np.testing.assert_allclose(frames[-1, :3], [0.00036753, 0.00051336, 0.00104625], rtol=1e-4)


def test_wespeaker_reads_mel_bands_as_kaldi_does() -> None:
    # kaldi-native-fbank 1.23.0: 80 bins, hamming, no dither, of sound(0.9) * 32768; less the mean over time
    frames = onnx_speaker.mel_frames(sound(0.9))
    assert frames.shape == (88, 80)
    np.testing.assert_allclose(frames[0, :4], [2.4853225, 3.9679656, 4.3278584, 5.711629], atol=1e-3)
    at_40 = [-1.5439043, -2.85878, 1.5045142, 1.0106201, 1.1414847]
    np.testing.assert_allclose(frames[40, [0, 10, 20, 40, 79]], at_40, atol=1e-3)
    np.testing.assert_allclose(frames[-1, :3], [1.268167, -0.7268791, -0.5870385], atol=1e-3)


def test_a_longer_sound_is_heard_in_windows_and_a_shorter_one_filled_up() -> None:
    windows = ge2e.windows_of(torch.from_numpy(sound(3.0)))
    assert windows.shape == (3, ge2e.WINDOW_FRAMES, ge2e.MEL_BINS)
    short = ge2e.windows_of(torch.from_numpy(sound(0.3)))
    assert len(short) == 1 and short[0, 40:].abs().max() == 0 < short[0, :25].min()


def test_what_is_quieter_than_30_db_below_full_scale_is_raised_to_it() -> None:
    loud, quiet = torch.full((100,), 0.5), torch.full((100,), 0.001)
    assert ge2e.levelled(loud) is loud
    assert float(ge2e.levelled(quiet).square().mean().log10() * 10) == pytest.approx(-30, abs=1e-4)
    assert not ge2e.levelled(torch.zeros(10)).any()


def test_a_file_that_is_none_of_its_weights_is_refused(tmp_path: Path) -> None:
    torch.save({"model_state": {"lstm.weight_ih_l0": torch.zeros(2, 2)}}, tmp_path / "pretrained.pt")
    located = Located(GE2E, {"pretrained.pt": tmp_path / "pretrained.pt"}, Device, {})
    with pytest.raises(ModelUnavailableError, match="speaker encoder 'ge2e' cannot be loaded"):
        ge2e.load(located)


def test_a_folder_with_a_graph_becomes_a_card(tmp_path: Path) -> None:
    card = speaker.save(tmp_path / "mine")
    assert isinstance(card, ModelCard)
    assert (card.name, card.task, card.dim) == ("mine", "speaker encoder", speaker.DIM)


def test_a_graph_that_is_no_speaker_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match=r"takes \['x'\] and gives \['embs'\]; a speaker encoder takes"):
        speaker.save(tmp_path / "other", "x")


def test_a_folder_without_one_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="has 0 ONNX graphs instead of one"):
        onnx_speaker.card_of_folder("empty", tmp_path)
    (tmp_path / "a.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelUnavailableError, match="is no ONNX graph that can be opened"):
        onnx_speaker.card_of_folder("bad", tmp_path)
