"""The speech encoder begins as Whisper's: without pooling it gives the states of transformers' encoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from speechsearch.models.mini.acoustic import AcousticConfig
from speechsearch.training.whisper_start import encoder_from_whisper


def test_states_are_those_of_whispers_encoder() -> None:
    torch.manual_seed(1)
    theirs = WhisperEncoder(
        WhisperConfig(
            d_model=128, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=512, max_source_positions=50
        )
    ).eval()
    for parameter in theirs.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)
    ours = encoder_from_whisper(theirs.state_dict(), AcousticConfig(pooled_after=9)).eval()
    assert (ours.config.width, ours.config.layers, ours.config.heads, ours.config.mel_bins) == (128, 2, 2, 80)
    frames = torch.randn(1, 100, 80)
    expected = theirs(frames.transpose(1, 2)).last_hidden_state
    log_probs, counts = ours(frames, torch.tensor([100]))
    assert counts.tolist() == [50]
    torch.testing.assert_close(log_probs, F.log_softmax(ours.head(expected), -1), atol=1e-4, rtol=1e-4)


def test_pairs_of_frames_begin_as_their_mean() -> None:
    theirs = WhisperEncoder(
        WhisperConfig(d_model=128, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=512)
    )
    ours = encoder_from_whisper(theirs.state_dict(), AcousticConfig())
    x = torch.randn(1, 4, 128)
    torch.testing.assert_close(ours.pooled(x, torch.tensor([4])), (x[:, ::2] + x[:, 1::2]) / 2)
