"""OpenAI's Whisper, computed by CTranslate2: in int8 on a CPU, in float16 on CUDA; there is nothing for Apple's GPUs,
so that it computes on the CPU there.

Source: Radford et al., 2022, Robust Speech Recognition via Large-Scale Weak Supervision (arXiv 2212.04356).
Differs: greedy, in one pass; neither the text before nor a higher temperature is tried, so that a passage gives the
same text whatever stands beside it. What fits into 15 s is heard in a window of 15 s instead of 30. Whisper may stop
at a pause and leave out the rest; then a word seems to last for seconds, and the window's halves are heard instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from ctranslate2 import StorageView
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens, merge_punctuations
from numpy.typing import NDArray

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.priority import made_less_urgent
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Transcript
from speechsearch.models.card import ModelCard, primary_language
from speechsearch.models.files import together
from speechsearch.models.load import Located
from speechsearch.models.whisper_windows import LONG_S, SHORT_S, halves, has_hole, padded_s, timed_words
from speechsearch.models.windows import Window, Written, is_loop, transcripts_of, windows_of

BATCH_WINDOWS = {"cpu": 4, "cuda": 8}
"""On a CPU eight take no less time, and 170 MB more."""
FRAMES_A_SECOND = 100
TOKENS_A_SECOND = 14
"""At most; fast speech has half as many."""
NO_SPEECH, UNLIKELY = 0.4, -1.0
"""Of silence and noise Whisper says that nobody speaks (.52 and more; speech .03 and less) and writes something that it
holds for unlikely itself (a mean log probability of -1.1 and less a token; speech -.4 and more)."""
REPEATED_TOKENS = 4
"""A window that loops is written once more, so many tokens never the same twice."""
MOST_CONTEXT = 223
"""Tokens of hotwords, as Whisper was trained."""
PREPENDED, APPENDED = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"


def load(located: Located) -> WhisperRecognizer:
    """Return the recogniser of ``model.bin``, ``config.json``, ``tokenizer.json`` and the vocabulary.

    Raises:
        ModelUnavailableError: the files do not fit each other or this version of the program, or CUDA is not there.
    """
    is_on_gpu = located.device.name == "cuda"
    with together(located.files) as folder:
        try:
            model = made_less_urgent(
                lambda: WhisperModel(
                    str(folder),
                    device="cuda" if is_on_gpu else "cpu",
                    compute_type="float16" if is_on_gpu else "int8",
                    cpu_threads=located.device.threads,
                    local_files_only=True,
                )
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelUnavailableError(
                f"The recognizer '{located.card.name}' cannot be loaded: {error}.",
                "Install its files again, or set SPEECHSEARCH_MODELS__DEVICE=cpu.",
            ) from error
    return WhisperRecognizer(located.card, model)


@dataclass(frozen=True, slots=True)
class Wish:
    """How windows are to be written: the language that is spoken ("" if it is to be heard), the task, hotwords."""

    language: str = ""
    task: Literal["transcribe", "translate"] = "transcribe"
    hotwords: str = ""
    is_again: bool = False


class WhisperRecognizer:
    """Writes with punctuation; says when every word is said from where the decoder looked (arXiv 2212.04356, DTW)."""

    def __init__(self, card: ModelCard, model: WhisperModel) -> None:
        self.card, self.name, self.fingerprint = card, card.name, card.fingerprint
        self._model = model
        self._batch_windows = BATCH_WINDOWS[model.model.device]

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """Return one transcript a passage, in order, with word times; the language is heard where none is said.

        Hotwords stand before the transcript as if they had been said before.

        Raises:
            CapabilityError: the model does not know the language.
        """
        self.card.check_language(language)
        named = ", ".join(filter(None, map(str.strip, hotwords)))
        return self._written(sounds, Wish(primary_language(language), hotwords=named))

    def translate(self, sounds: Sequence[Audio], language: str | None = None) -> list[Transcript]:
        """Return what is said in each passage, in English, in order.

        The times of words are rough: an English word is where the decoder looked, in no fixed order.

        Raises:
            CapabilityError: the model does not know the language, or only English.
        """
        self.card.check_language(language)
        self.card.check_translation()
        return self._written(sounds, Wish(primary_language(language), "translate"))

    def _written(self, sounds: Sequence[Audio], wish: Wish) -> list[Transcript]:
        todo = [window for place, sound in enumerate(sounds) for window in windows_of(place, sound.samples)]
        written: list[Written] = []
        while todo:
            again: list[Window] = []
            for length_s in (SHORT_S, LONG_S):
                for batch in batches([window for window in todo if padded_s(window) == length_s], self._batch_windows):
                    for one in self._write(batch, wish):
                        pieces = halves(one.window) if is_incomplete(one, wish) else ()
                        again += pieces
                        written += () if pieces else (one,)
            todo = again
        return transcripts_of(written, len(sounds), self.name)

    def _write(self, windows: Sequence[Window], wish: Wish) -> list[Written]:
        """Return what is written of windows that are padded to the same length."""
        frames = np.stack([self._frames(window) for window in windows])
        heard = self._model.model.encode(StorageView.from_array(frames), to_cpu=True)
        languages = [wish.language or "en"] * len(windows)
        if not wish.language and self._model.model.is_multilingual:
            languages = [likeliest[0][0][2:-2] for likeliest in self._model.model.detect_language(heard)]
        states = np.asarray(heard)
        written: list[Written] = []
        for language in dict.fromkeys(languages):
            places = [place for place, one in enumerate(languages) if one == language]
            these = [windows[place] for place in places]
            written += self._decode(these, states[places], replace(wish, language=language))
        return written

    def _frames(self, window: Window) -> NDArray[np.float32]:
        """Return what Whisper hears of a window and the silence after it, (mel bands, frames) float32."""
        silence = padded_s(window) * SAMPLE_RATE_HZ - len(window.samples)
        frames: NDArray[np.float32] = self._model.feature_extractor(np.pad(window.samples, (0, silence)), padding=0)
        return frames

    def _decode(self, windows: Sequence[Window], states: NDArray[Any], wish: Wish) -> list[Written]:
        """Return what is written of windows in one language, given the encoder's states, (windows, states, width)."""
        model = self._model.model
        tokenizer = Tokenizer(self._model.hf_tokenizer, model.is_multilingual, wish.task, wish.language)
        heard = StorageView.from_array(np.ascontiguousarray(states))
        before = context(tokenizer, wish.hotwords)
        found = model.generate(
            heard,
            [[*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]] * len(windows),
            beam_size=1,
            max_length=len(before) + padded_s(windows[0]) * TOKENS_A_SECOND,
            no_repeat_ngram_size=REPEATED_TOKENS if wish.is_again else 0,
            suppress_tokens=list(get_suppressed_tokens(tokenizer, [-1])),
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokens = [[token for token in one.sequences_ids[0] if token < tokenizer.eot] for one in found]
        lengths = [round(window.duration_s * FRAMES_A_SECOND) for window in windows]
        aligned = self._model.find_alignment(tokenizer, tokens, heard, lengths)
        written: list[Written] = []
        for place, (window, one) in enumerate(zip(windows, found, strict=True)):
            text = tokenizer.decode(tokens[place])
            if is_loop(text) and not wish.is_again:
                written += self._decode([window], states[place : place + 1], replace(wish, is_again=True))
            elif is_nothing(text, one.no_speech_prob, one.scores[0], wish.hotwords) or is_loop(text):
                written.append(Written(window, language=wish.language))
            else:
                merge_punctuations(aligned[place], PREPENDED, APPENDED)
                words = timed_words(window, aligned[place])
                said = " ".join(word.text for word in words)
                written.append(Written(window, said, words, wish.language, one.scores[0], len(tokens[place])))
        return written


def context(tokenizer: Tokenizer, hotwords: str) -> list[int]:
    """Return the tokens before a transcript that make hotwords likelier; none where there are no hotwords."""
    if not hotwords:
        return []
    return [tokenizer.sot_prev, *tokenizer.encode(f" {hotwords}")[:MOST_CONTEXT]]


def is_incomplete(written: Written, wish: Wish) -> bool:
    """Return whether something was left out. The words of a translation are in another order, so that nobody knows."""
    return bool(written.words) and wish.task == "transcribe" and has_hole(written.window, written.words)


def batches(windows: Sequence[Window], size: int) -> list[Sequence[Window]]:
    """Return windows in groups that are heard together."""
    return [windows[start : start + size] for start in range(0, len(windows), size)]


def is_nothing(text: str, no_speech: float, log_probability: float, hotwords: str = "") -> bool:
    """Return whether a text stands for silence: without letters, or made up for a noise, or hotwords said by nobody.

    >>> is_nothing(" you", 0.92, -1.14), is_nothing(" You.", 0.02, -0.3), is_nothing(" .", 0.02, -0.3)
    (True, False, True)
    """
    is_unlikely = log_probability < UNLIKELY or bool(hotwords)
    return not any(map(str.isalnum, text)) or (no_speech > NO_SPEECH and is_unlikely)
