"""NVIDIA's Parakeet and Canary and Sber's GigaAM as ONNX graphs, decoded by the package onnx-asr.

Greedy, in windows of at most 30 s; on a CPU one window at a time, which takes all cores, on CUDA several of one length.
There is nothing for Apple's GPUs, so that it computes on the CPU there. Canary hears no language: what is not said to
be another is taken for English.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from onnx_asr.loader import Manager
from onnx_asr.utils import ModelLoadingError
from onnxruntime import SessionOptions, get_available_providers

from speechsearch.domain.errors import CapabilityError, ModelUnavailableError
from speechsearch.domain.values import Audio, Transcript, Word
from speechsearch.models.card import ModelCard, primary_language
from speechsearch.models.files import together
from speechsearch.models.load import Located
from speechsearch.models.onnx_asr_cards import CONFIG, INT8, kind_of, model_type
from speechsearch.models.onnx_errors import ONNX_ERRORS
from speechsearch.models.windows import Window, Written, begins_word, transcribe_windows

BATCH_WINDOWS = {"cpu": 1, "cuda": 8}
TOKEN_S = 0.08
"""A token is said for about so long; the graphs say when it starts."""
LAST_RESORT = "en"


def load(located: Located) -> OnnxAsrRecognizer:
    """Return the recogniser of a card's graphs and vocabulary.

    Raises:
        ModelUnavailableError: the files do not fit each other or this version of the package, or CUDA is not there.
    """
    card, device = located.card, located.device
    provider = "CUDAExecutionProvider" if device.name == "cuda" else "CPUExecutionProvider"
    try:
        kind = kind_of(located.files, [model_type(located.files[CONFIG])])
        quantization = "int8" if card.files[0].name.endswith(INT8) else None
        if provider not in get_available_providers():
            raise ValueError("this onnxruntime does not compute on CUDA; install onnxruntime-gpu")
        options = SessionOptions()
        options.intra_op_num_threads = device.threads
        with together(located.files) as folder:
            manager = Manager(options, [provider])
            model = manager.create_asr(kind, folder, quantization=quantization, offline=True).with_timestamps()
    except (ModelLoadingError, *ONNX_ERRORS, RuntimeError, ValueError, KeyError, OSError) as error:
        raise ModelUnavailableError(
            f"The recognizer '{card.name}' cannot be loaded: {error}.",
            "Install its files again, or set SPEECHSEARCH_MODELS__DEVICE=cpu.",
        ) from error
    return OnnxAsrRecognizer(card, model, BATCH_WINDOWS["cuda" if device.name == "cuda" else "cpu"])


class OnnxAsrRecognizer:
    """Writes what the graphs decode; word times where they say when a token starts (all but Canary)."""

    def __init__(self, card: ModelCard, model: Any, batch_windows: int) -> None:
        """``model``: an adapter of onnx-asr with timestamps."""
        self.card, self.name, self.fingerprint = card, card.name, card.fingerprint
        self._model, self._batch_windows = model, batch_windows

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """Return one transcript a passage, in order.

        Raises:
            CapabilityError: the model does not know the language, or hotwords are given.
        """
        return self._written(sounds, language, hotwords, "transcribe")

    def translate(self, sounds: Sequence[Audio], language: str | None = None) -> list[Transcript]:
        """Return what is said in each passage, in English, in order. Only Canary can.

        Raises:
            CapabilityError: the model does not translate, or does not know the language.
        """
        self.card.check_translation()
        return self._written(sounds, language, (), "translate")

    def _written(
        self,
        sounds: Sequence[Audio],
        language: str | None,
        hotwords: Sequence[str],
        task: Literal["transcribe", "translate"],
    ) -> list[Transcript]:
        self.card.check_language(language)
        self.card.check_hotwords(hotwords)
        how: dict[str, str] = {}
        spoken = self.card.languages[0] if len(self.card.languages) == 1 else ""
        if self.card.translates:  # Canary alone wants to be told
            spoken = primary_language(language) or LAST_RESORT
            how = {"language": spoken, "target_language": "en" if task == "translate" else spoken}

        def hear(windows: Sequence[Window]) -> list[Written]:
            try:
                found = self._model.recognize([window.samples for window in windows], **how)
            except KeyError as error:  # of its vocabulary, where the card of a folder names no languages
                if not how:
                    raise
                raise CapabilityError(
                    f"The recognizer '{self.name}' does not know the language '{spoken}'.", "Choose another model."
                ) from error
            return [written_of(window, one, spoken) for window, one in zip(windows, found, strict=True)]

        return transcribe_windows(sounds, self.name, self._batch_windows, hear)


def written_of(window: Window, found: Any, language: str) -> Written:
    """Return what onnx-asr made of a window; ``found`` has a text, tokens, and perhaps timestamps and logprobs."""
    known = list(found.logprobs or ())
    mean = sum(known) / len(known) if known and max(known) <= 0 else None
    words = list(words_of(found.tokens, found.timestamps, window)) if found.timestamps is not None else []
    text = " ".join(word.text for word in words) if words else " ".join(found.text.split())
    return Written(window, text, words, language, mean, len(known))


def words_of(tokens: Sequence[str], starts_s: Sequence[float], window: Window) -> Iterator[Word]:
    """Yield the words of tokens, each of which starts a word where it starts with a space; punctuation stays with its.

    >>> import numpy as np
    >>> window = Window(0, 10.0, np.zeros(16_000, np.float32))
    >>> list(words_of([" he", "y", " ,", " you"], [0.1, 0.2, 0.3, 0.95], window))
    [Word(text='hey,', start_s=10.1, end_s=10.38), Word(text='you', start_s=10.95, end_s=11.0)]
    >>> [word.text for word in words_of([" for", " $", "5", " ("], [0.1, 0.2, 0.3, 0.4], window)]
    ['for', '$5', '(']
    """
    parts: list[tuple[str, float, float]] = []
    is_new = True
    for token, start_s in zip(tokens, starts_s, strict=True):
        text = token.strip()
        is_new = is_new or token.startswith(" ")
        if not text:
            continue
        end_s = min(start_s + TOKEN_S, window.duration_s)
        if parts and not (is_new and begins_word(text)):
            before, first_s, _ = parts[-1]
            parts[-1] = (before + text, first_s, end_s)
        else:
            parts.append((text, min(start_s, max(0.0, end_s - 0.01)), end_s))
        is_new = False
    for text, first_s, end_s in parts:
        yield Word(text, round(window.start_s + first_s, 2), round(window.start_s + end_s, 2))
