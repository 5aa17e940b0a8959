"""Tiny random speech encoders as folders of transformers, of the same classes as the public ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    HubertConfig,
    HubertModel,
    Wav2Vec2BertConfig,
    Wav2Vec2BertModel,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
    WhisperModel,
)

from speechsearch.models.card import ModelCard
from speechsearch.models.frame_cards import card_of_checkpoint

WIDTH = 16
SMALL = {
    "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "initializer_range": 0.3,
}  # fmt: skip
WAVE = {
    "vocab_size": 8, "conv_dim": (8, 8), "conv_kernel": (400, 3), "conv_stride": (160, 2),
    "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}


@dataclass(frozen=True)
class Family:
    """What makes a network; the card is made of the folder as a user's is."""

    name: str
    make: Callable[[], Any]

    @property
    def CARD(self) -> ModelCard:
        """A card with nothing but a name and a task, for lists of names."""
        return ModelCard(
            name=self.name, task="frame encoder", factory="tests.tiny.texts:none", summary="random",
            licence="Apache-2.0", revision="-", dim=WIDTH,
        )  # fmt: skip

    def save(self, folder: Path) -> ModelCard:
        """Write the folder and return its card."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(6)
            self.make().save_pretrained(folder)
        return card_of_checkpoint(self.name, folder)


def _whisper() -> WhisperModel:
    return WhisperModel(
        WhisperConfig(
            vocab_size=8, num_mel_bins=80, d_model=WIDTH, encoder_layers=2, encoder_attention_heads=2,
            encoder_ffn_dim=32, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=32, init_std=0.3,
            pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, max_source_positions=1500,
        )
    )  # fmt: skip


def _wav2vec2_bert() -> Wav2Vec2BertModel:
    return Wav2Vec2BertModel(Wav2Vec2BertConfig(**SMALL, conv_depthwise_kernel_size=5, left_max_position_embeddings=8))


HUBERT = Family("tiny-frames-hubert", lambda: HubertModel(HubertConfig(**SMALL, **WAVE, **LARGE)))
HUBERT_BASE = Family(
    "tiny-frames-hubert-base", lambda: HubertModel(HubertConfig(**SMALL, **WAVE, feat_extract_norm="group"))
)
WAVLM = Family("tiny-frames-wavlm", lambda: WavLMModel(WavLMConfig(**SMALL, **WAVE, **LARGE)))
WAV2VEC2_BERT = Family("tiny-frames-wav2vec2-bert", _wav2vec2_bert)
WHISPER = Family("tiny-frames-whisper", _whisper)
ALL = (HUBERT, HUBERT_BASE, WAVLM, WAV2VEC2_BERT, WHISPER)
