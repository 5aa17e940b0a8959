"""Qwen3-ASR, as transformers has it: an audio encoder and a language model that is asked for a transcript.

Source: Qwen team, 2026, Qwen3-ASR Technical Report (arXiv 2601.21337).
Differs: greedy, in windows of at most 30 s, without the forced aligner, so that words have no times. Hotwords are the
system's turn of the conversation, which the model was trained to take names from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.models.qwen3_asr.processing_qwen3_asr import LANGUAGE_CODE_TO_NAME

from speechsearch.domain.values import Audio, Transcript
from speechsearch.models.card import primary_language
from speechsearch.models.load import Located
from speechsearch.models.transformers_asr import Checkpoint, generate, open_checkpoint
from speechsearch.models.windows import Window, Written, is_loop, transcribe_windows

MARK = "<asr_text>"
CODES = {name: code for code, name in LANGUAGE_CODE_TO_NAME.items()}


def load(located: Located) -> Qwen3AsrRecognizer:
    """Return the recogniser. Raises ModelUnavailableError."""
    return Qwen3AsrRecognizer(open_checkpoint(located, "Qwen3ASRForConditionalGeneration"))


class Qwen3AsrRecognizer:
    """Writes with punctuation in 30 languages, and says which one it heard."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint, self.card = checkpoint, checkpoint.card
        self.name, self.fingerprint = self.card.name, self.card.fingerprint

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """Return one transcript a passage, in order, without word times; the language is heard where none is said.

        Raises:
            CapabilityError: the model does not know the language.
        """
        self.card.check_language(language)
        said = primary_language(language)
        named = ", ".join(filter(None, map(str.strip, hotwords)))

        @torch.inference_mode()
        def hear(windows: Sequence[Window]) -> list[Written]:
            return self._hear(windows, said, named)

        return transcribe_windows(sounds, self.name, self._checkpoint.batch_windows, hear)

    def _hear(self, windows: Sequence[Window], said: str, hotwords: str) -> list[Written]:
        how: dict[str, Any] = {}
        if said:
            how["language"] = [LANGUAGE_CODE_TO_NAME[said]] * len(windows)
        if hotwords:
            how["prompt"] = [hotwords] * len(windows)
        made = self._checkpoint.processor.apply_transcription_request([window.samples for window in windows], **how)
        found = generate(self._checkpoint, self._checkpoint.placed(made), windows, {})
        return [written_of(window, *one, said) for window, one in zip(windows, found, strict=True)]


def written_of(window: Window, answer: str, mean: float | None, count: int, said: str) -> Written:
    """Return what the model's answer says; it names the language first, unless it was told.

    >>> import numpy as np
    >>> window = Window(0, 0.0, np.zeros(16_000, np.float32))
    >>> [(one.language, one.text) for one in (
    ...     written_of(window, "language German<asr_text>Guten Tag.", -0.1, 6, ""),
    ...     written_of(window, "language None<asr_text>", -0.1, 3, ""),
    ...     written_of(window, "Good day.", -0.1, 3, "en"))]
    [('de', 'Guten Tag.'), ('', ''), ('en', 'Good day.')]
    """
    before, mark, text = answer.rpartition(MARK)
    heard = CODES.get(before.removeprefix("language ").strip(), "") if mark else ""
    text = text.strip()
    if not text or is_loop(text):
        return Written(window, language=said or heard)
    return Written(window, text, (), said or heard, mean, count)
