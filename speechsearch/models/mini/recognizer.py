"""The shipped model as a recogniser: the same network decoded to words, so only the deciding differs."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

from speechsearch.domain.values import Audio, Transcript, Word
from speechsearch.models.card import ModelCard
from speechsearch.models.load import Located
from speechsearch.models.mini.acoustic import FRAME_S
from speechsearch.models.mini.heard import Heard, word_spans
from speechsearch.models.mini.network import MiniModel


def load(located: Located) -> MiniRecognizer:
    """Return the recogniser; it shares the networks of the speech encoder that its card needs."""
    (encoder,) = located.needed.values()
    return MiniRecognizer(located.card, encoder.model)


class MiniRecognizer:
    """Writes down the likeliest word pieces of the shipped model."""

    def __init__(self, card: ModelCard, model: MiniModel) -> None:
        self.card, self.name, self.fingerprint = card, card.name, card.fingerprint
        self.model = model

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """Return one transcript a passage, in order, with word times.

        Raises:
            CapabilityError: the language is not English.
        """
        self.card.check_language(language)
        transcripts = []
        for heard in self.model.hear(sounds):
            words = tuple(likeliest_words(heard, self.model.text_encoder.tokenizer))
            chances = heard.chances[:, 0]
            confidence = round(float(chances.clamp_min(1e-9).log().mean().exp()), 3) if len(words) else None
            text = " ".join(word.text for word in words)
            transcripts.append(Transcript(text, self.name, words, "en", confidence))
        return transcripts


def likeliest_words(heard: Heard, tokenizer: Tokenizer) -> list[Word]:
    """Return the words of the likeliest pieces, with times in seconds from the passage's start."""
    return [
        Word(text, float(heard.starts_s[first]), float(heard.starts_s[last]) + FRAME_S)
        for text, first, last in word_spans(heard, tokenizer)
    ]
