"""A tiny recogniser: wav2vec 2.0 with a CTC head over a few letters; what it writes is random, but always the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Transcript, Word
from speechsearch.models.card import ModelCard
from speechsearch.models.device import Device
from speechsearch.models.load import Located
from tests.tiny.saving import NOT_SAVED, read_weights, save_files

CARD = ModelCard(
    name="tiny-wav2vec2",
    task="recognizer",
    factory="tests.tiny.wav2vec2:load",
    summary="random letters",
    licence="Apache-2.0",
    languages=("en", "pl"),
    files=(NOT_SAVED,),
)
LETTERS = "_ aeinrst"
"""The symbols of the head: blank, the end of a word, letters."""
STRIDE_SAMPLES = 1_280
SHORTEST_SAMPLES = 2 * STRIDE_SAMPLES


def load(located: Located) -> TinyWav2Vec2:
    """The factory that the card names."""
    config = Wav2Vec2Config.from_dict(json.loads(located.files["config.json"].read_text(encoding="utf-8")))
    network = Wav2Vec2ForCTC(config)
    read_weights(located, network)
    return TinyWav2Vec2(located.card, network, located.device)


class TinyWav2Vec2:
    """Writes the likeliest letter of every 80 ms."""

    def __init__(self, card: ModelCard, network: Wav2Vec2ForCTC, device: Device) -> None:
        self.card, self.name, self.fingerprint = card, card.name, card.fingerprint
        self.network, self.device = network, device

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """One transcript a passage, in order, with word times."""
        self.card.check_language(language)
        return [self._write(sound) for sound in sounds]

    @torch.inference_mode()
    def _write(self, sound: Audio) -> Transcript:
        if not len(sound.samples):
            return Transcript("", self.name)
        samples = np.pad(sound.samples, (0, max(0, SHORTEST_SAMPLES - len(sound.samples))))
        row = torch.from_numpy(samples)[None].to(self.device.torch_device, self.device.torch_dtype)
        best = self.network(row).logits[0].argmax(-1).tolist()
        words: list[Word] = []
        letters, start_s = "", 0.0
        place = 0
        for symbol, run in [*((symbol, len(list(run))) for symbol, run in groupby(best)), (1, 0)]:
            if symbol == 1 and letters:
                words.append(Word(letters, start_s, place * STRIDE_SAMPLES / SAMPLE_RATE_HZ))
                letters = ""
            elif symbol > 1:
                start_s = start_s if letters else place * STRIDE_SAMPLES / SAMPLE_RATE_HZ
                letters += LETTERS[symbol]
            place += run
        return Transcript(" ".join(word.text for word in words), self.name, tuple(words))


def save(folder: Path) -> ModelCard:
    """Write the model into a folder and return its card."""
    config = Wav2Vec2Config(
        vocab_size=len(LETTERS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        conv_dim=(8, 8), conv_kernel=(400, 8), conv_stride=(160, 8), feat_extract_norm="layer", initializer_range=1.0,
        do_stable_layer_norm=True, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        network = Wav2Vec2ForCTC(config)
    return save_files(folder, CARD, network, config)
