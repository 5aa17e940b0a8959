"""Find speech with Silero VAD, as a stream and without torch.

Source: Silero Team, "Silero VAD" (2024), github.com/snakers4/silero-vad; the ``sequence`` model of its Python package.
Differs: the package is located, not imported (importing it loads torch); spans have no padding, since passages get
their own margin; speech without a pause is cut at its weakest window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.errors import MissingDependencyError, ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Span

WINDOW_SAMPLES = 512
CONTEXT_SAMPLES = 64
STATE_SHAPE = (1, 1, 128)
MODEL_FILE = "silero_vad_16k_sequence.onnx"

ENTER = 0.5  # speech begins at this probability
LEAVE = 0.35  # and ends below this one
SHORTEST_SPEECH_S = 0.25
SHORTEST_PAUSE_S = 0.1


def speech_spans(blocks: Iterable[Audio], longest_s: float = float("inf")) -> Iterator[Span]:
    """Yield the stretches of speech in consecutive blocks, in order, each as soon as it is over.

    Speech of more than ``longest_s`` without a pause is cut where it most resembles one.

    Raises:
        ModelUnavailableError: the Silero package does not hold the model.
    """
    return spans_of(speech_probabilities(blocks), longest_s)


def speech_probabilities(blocks: Iterable[Audio]) -> Iterator[NDArray[np.float32]]:
    """Yield the probability of speech of every 32 ms window, (windows,) float32, some for each block.

    The last window is filled up with silence. One ONNX run handles all windows of a block; its recurrent state goes on
    to the next block, so the values do not depend on how the sound is divided.
    """
    detector = SpeechDetector()
    for samples in _then_padding(blocks):
        found = detector.hear(samples)
        if len(found):
            yield found


class SpeechDetector:
    """Says how likely speech is, window by window, while the sound still comes in."""

    def __init__(self) -> None:
        self._hidden = self._cell = np.zeros(STATE_SHAPE, np.float32)
        self._rest = np.zeros(CONTEXT_SAMPLES, np.float32)

    def hear(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of the windows that are whole by now, (windows,) float32, of samples (n,)."""
        samples = np.concatenate([self._rest, samples])
        count = (len(samples) - CONTEXT_SAMPLES) // WINDOW_SAMPLES
        self._rest = samples[count * WINDOW_SAMPLES :]
        if not count:
            return np.zeros(0, np.float32)
        views = np.lib.stride_tricks.sliding_window_view(samples, CONTEXT_SAMPLES + WINDOW_SAMPLES)
        windows = np.ascontiguousarray(views[::WINDOW_SAMPLES][:count])
        state = {"h": self._hidden, "c": self._cell}
        found: NDArray[np.float32]
        found, self._hidden, self._cell = _session().run(["speech_probs", "hn", "cn"], {"input": windows, **state})
        return found


def _then_padding(blocks: Iterable[Audio]) -> Iterator[NDArray[np.float32]]:
    """Yield the blocks' samples, then the silence that fills the last window."""
    total_samples = 0
    for block in blocks:
        total_samples += len(block.samples)
        yield block.samples
    yield np.zeros(-total_samples % WINDOW_SAMPLES, np.float32)


def spans_of(probabilities: Iterable[NDArray[np.float32]], longest_s: float = float("inf")) -> Iterator[Span]:
    """Yield the stretches of speech that window probabilities show.

    >>> [list(spans_of([np.repeat(np.float32([0, 1, 0]), 10)]))]
    [[Span(start_s=0.32, end_s=0.64)]]
    """
    window_s = WINDOW_SAMPLES / SAMPLE_RATE_HZ
    values: list[float] = []  # of the stretch that is open
    start: int | None = None
    quiet: int | None = None  # where the open stretch may have ended
    index = 0
    for value in (float(value) for block in probabilities for value in block):
        if value >= ENTER:
            quiet = None
            if start is None:
                start, values = index, []
        elif value < LEAVE and start is not None:
            quiet = index if quiet is None else quiet
            if (index - quiet) * window_s >= SHORTEST_PAUSE_S:
                if (quiet - start) * window_s > SHORTEST_SPEECH_S:
                    yield Span(start * window_s, quiet * window_s)
                start = quiet = None
        index += 1
        if start is not None:
            values.append(value)
            if len(values) * window_s >= longest_s:
                weakest = len(values) // 2 + int(np.argmin(values[len(values) // 2 :]))
                yield Span(start * window_s, (start + weakest) * window_s)
                start, values = start + weakest, values[weakest:]
                quiet = None if quiet is None else max(quiet, start)
    if start is not None and (index - start) * window_s > SHORTEST_SPEECH_S:
        yield Span(start * window_s, index * window_s)


@cache
def _session() -> Any:
    """Return the model, loaded once; onnxruntime lets several threads run it."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError("Finding speech needs onnxruntime.", "pip install onnxruntime") from error
    package = find_spec("silero_vad")
    if package is None or not package.submodule_search_locations:
        raise MissingDependencyError("Finding speech needs the package silero-vad.", "pip install silero-vad")
    model = Path(package.submodule_search_locations[0]) / "data" / MODEL_FILE
    if not model.is_file():
        raise ModelUnavailableError(f"silero-vad holds no {MODEL_FILE}.", "pip install 'silero-vad>=6.2.3'")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the other cores encode meanwhile
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
