"""Speaker encoders as ONNX graphs, as WeSpeaker exports them: ResNet, ECAPA-TDNN, CAM++ and the like.

Source: Wang et al., 2023, WeSpeaker (arXiv 2210.17016): 80 mel bands as Kaldi computes them, 25 ms every 10 ms, less
their mean over the sound; the graph takes them as ``feats`` and gives ``embs``.
Differs: sounds are heard one by one, each whole, so that none depends on what stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from transformers.audio_utils import mel_filter_bank

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix
from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.files import sha256_of
from speechsearch.models.load import Located
from speechsearch.models.onnx_errors import ONNX_ERRORS

INPUT, OUTPUT = "feats", "embs"
FRAME_SAMPLES, STEP_SAMPLES, SPECTRUM_SAMPLES = 400, 160, 512
MEL_BINS, LOWEST_HZ = 80, 20.0
PREEMPHASIS = 0.97
SCALE = 1 << 15
"""Kaldi reads 16-bit numbers."""
FLOOR = np.finfo(np.float32).eps
SHORTEST_SAMPLES = SAMPLE_RATE_HZ // 4
"""What is shorter is filled up with silence: the graphs pool over time, some in steps."""


def load(located: Located) -> OnnxSpeakerEncoder:
    """Return the speaker encoder of the card's only file.

    Raises:
        ModelUnavailableError: it is no such graph.
    """
    (path,) = located.files.values()
    session = _session(path, located.device.threads)
    return OnnxSpeakerEncoder(located.card, session)


def card_of_folder(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of the one ONNX graph in a folder; it is opened, and hashed by ``sha256``, now.

    ``folder`` is the one called ``name`` in the user's folder of models, where the file is looked for later.

    Raises:
        ModelUnavailableError: there is no graph, there are several, or it is not for this.
    """
    files = sorted(folder.glob("*.onnx"))
    if len(files) != 1:
        raise ModelUnavailableError(
            f"{folder} has {len(files)} ONNX graphs instead of one.", "Put one speaker encoder there."
        )
    dim = _session(files[0], 1).get_outputs()[0].shape[-1]
    if not isinstance(dim, int):
        raise ModelUnavailableError(f"{files[0]} does not say how wide its vectors are.", "Export it again.")
    return ModelCard(
        name=name,
        task="speaker encoder",
        factory=f"{__name__}:load",
        summary=f"speaker encoder of {folder}",
        licence="unknown",
        download_mb=round(files[0].stat().st_size / 1e6, 1),
        files=(ModelFile(files[0].name, sha256(files[0])),),
        dim=dim,
    )


class OnnxSpeakerEncoder:
    """Turns stretches of speech into unit vectors, on the CPU."""

    def __init__(self, card: ModelCard, session: Any) -> None:
        self.dim, self.fingerprint = card.dim, card.fingerprint
        self._session = session

    def encode(self, sounds: Sequence[Audio]) -> FloatMatrix:
        """Return one unit vector a sound, (sounds, dim) float32."""
        found = np.zeros((len(sounds), self.dim), np.float32)
        for place, sound in enumerate(sounds):
            (vectors,) = self._session.run([OUTPUT], {INPUT: mel_frames(sound.samples)[None]})
            found[place] = vectors[0] / max(float(np.linalg.norm(vectors[0])), 1e-12)
        return found


def mel_frames(samples: NDArray[np.float32]) -> FloatMatrix:
    """Return Kaldi's log mel bands of a sound less their mean, (frames, MEL_BINS) float32.

    >>> mel_frames(np.zeros(16_000, np.float32)).shape
    (98, 80)
    """
    samples = np.pad(samples, (0, max(0, SHORTEST_SAMPLES - len(samples)))) * np.float32(SCALE)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME_SAMPLES)[::STEP_SAMPLES].astype(np.float64)
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = (frames - PREEMPHASIS * before) * np.hamming(FRAME_SAMPLES)
    power = np.abs(np.fft.rfft(frames, SPECTRUM_SAMPLES)) ** 2
    bands = np.log(np.maximum(power @ _filters(), FLOOR))
    found: FloatMatrix = (bands - bands.mean(axis=0)).astype(np.float32)
    return found


@cache
def _filters() -> NDArray[np.float64]:
    """Return Kaldi's triangular filters, (frequencies, MEL_BINS)."""
    filters: NDArray[np.float64] = mel_filter_bank(
        SPECTRUM_SAMPLES // 2 + 1,
        MEL_BINS,
        LOWEST_HZ,
        SAMPLE_RATE_HZ / 2,
        SAMPLE_RATE_HZ,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    return filters


def _session(path: Path, threads: int) -> Any:
    """Return an opened graph with the input and the output of a speaker encoder. Raises ModelUnavailableError."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except ONNX_ERRORS as error:
        raise ModelUnavailableError(
            f"{path} is no ONNX graph that can be opened: {error}.", "Export it again."
        ) from error
    names = [one.name for one in session.get_inputs()], [one.name for one in session.get_outputs()]
    if names != ([INPUT], [OUTPUT]):
        raise ModelUnavailableError(
            f"{path} takes {names[0]} and gives {names[1]}; a speaker encoder takes '{INPUT}' and gives '{OUTPUT}'.",
            "Export it as WeSpeaker does.",
        )
    return session
