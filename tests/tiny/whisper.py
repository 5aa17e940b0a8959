"""A tiny Whisper encoder as a speech encoder: its states pooled over the sound and projected beside a text encoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Channel
from speechsearch.models.base import EncodedPassage, TextEncoder
from speechsearch.models.card import ModelCard
from speechsearch.models.load import Located
from tests.tiny import bert
from tests.tiny.dense import DenseSpeechEncoder
from tests.tiny.saving import NOT_SAVED, save_files

CARD = ModelCard(
    name="tiny-whisper",
    task="speech encoder",
    factory="tests.tiny.whisper:load",
    summary="random, one dense channel",
    licence="Apache-2.0",
    files=(NOT_SAVED,),
    needs=(("text encoder", bert.CARD.name),),
    channels=(Channel("tiny-whisper", "dense", bert.CARD.dim, title="adapter"),),
)
LONGEST_S = 30
SAMPLES_A_STATE = 320


class Network(nn.Module):
    """The encoder and a projection of its mean state."""

    def __init__(self, config: WhisperConfig, dim: int) -> None:
        super().__init__()
        self.encoder = WhisperModel(config).get_encoder()
        self.projection = nn.Linear(config.d_model, dim, bias=False)

    def forward(self, frames: Tensor, counts: Tensor) -> Tensor:
        """One unit vector a row of the first ``counts`` states, (rows, dim)."""
        states = self.encoder(frames).last_hidden_state
        inside = torch.arange(states.shape[1], device=states.device)[None] < counts[:, None]
        mean = (states * inside[..., None]).sum(1) / counts[:, None]
        return nn.functional.normalize(self.projection(mean).float(), dim=-1)


def load(located: Located) -> TinyWhisper:
    """The factory that the card names."""
    (text_encoder,) = located.needed.values()
    config = WhisperConfig.from_dict(json.loads(located.files["config.json"].read_text(encoding="utf-8")))
    return TinyWhisper(located, Network(config, text_encoder.dim), text_encoder)


class TinyWhisper(DenseSpeechEncoder):
    """Hears the first 30 s of a passage."""

    def __init__(self, located: Located, network: Network, text_encoder: TextEncoder) -> None:
        super().__init__(located, network, text_encoder)
        self.network = network
        self.extractor = WhisperFeatureExtractor(network.encoder.config.num_mel_bins, chunk_length=LONGEST_S)

    @torch.inference_mode()
    def encode_passages(self, sounds: Sequence[Audio]) -> list[EncodedPassage]:
        """One vector a passage, in order; zeros where there is no sound."""
        (channel,) = self.channels
        vectors = np.zeros((len(sounds), channel.dim), np.float32)
        full = [place for place, sound in enumerate(sounds) if len(sound.samples)]
        if full:
            heard = [sounds[place].samples[: LONGEST_S * SAMPLE_RATE_HZ] for place in full]
            found = self.extractor(heard, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
            frames = found["input_features"].to(self.device.torch_device, self.device.torch_dtype)
            counts = torch.tensor([-(-len(samples) // SAMPLES_A_STATE) for samples in heard], device=frames.device)
            vectors[full] = self.network(frames, counts).cpu().numpy()
        return [EncodedPassage({channel.name: vector}) for vector in vectors]


def save(folder: Path) -> ModelCard:
    """Write the model into a folder and return its card."""
    config = WhisperConfig(
        vocab_size=8, num_mel_bins=16, d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=32,
        decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=32, init_std=0.5, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        network = Network(config, CARD.channels[0].dim)
    return save_files(folder, CARD, network, config)
