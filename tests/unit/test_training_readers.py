"""Labels for readers without transcripts: kept where a recogniser and the encoder agree, on made-up ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from speechsearch.domain.values import Audio, Transcript
from speechsearch.models.base import EncodedPassage
from speechsearch.text.keywords import track_of
from speechsearch.text.lexicon import SYMBOL_OF, Lexicon
from speechsearch.training.new_readers import difference, labelled, speakers

SOUND = Audio(np.zeros(16_000, np.float32))
CAT = [SYMBOL_OF[name] for name in ("K", "AE", "T")]


class Hears:
    """Hears the same symbols in every sound."""

    def __init__(self, symbols: list[int]) -> None:
        self.symbols = symbols

    def encode_passages(self, sounds: Sequence[Audio]) -> list[EncodedPassage]:
        frames = np.full((len(self.symbols), 40), 0.001, np.float32)
        frames[np.arange(len(self.symbols)), self.symbols] = 0.96
        return [EncodedPassage({}, track_of(np.log(frames), 0.04)) for _ in sounds]


class Writes:
    """Writes the same text down for every sound."""

    def __init__(self, text: str) -> None:
        self.text = text

    def transcribe(self, sounds: Sequence[Audio], language: str | None = None) -> list[Transcript]:
        assert language == "en"
        return [Transcript(self.text, "writes") for _ in sounds]


def unknown(word: str) -> list[tuple[int, ...]]:
    raise KeyError(word)


@pytest.mark.parametrize(
    ("text", "heard", "expected"), [("Cat.", CAT, CAT), ("Cat.", CAT[::-1], []), ("Zzyx.", CAT, []), ("", CAT, [])]
)
def test_a_label_is_kept_where_both_agree(text: str, heard: list[int], expected: list[int]) -> None:
    symbols, said = labelled(SOUND, Writes(text), Hears(heard), Lexicon(unknown))
    assert (symbols, said) == (expected, text)


def test_the_difference_is_a_phoneme_error_rate() -> None:
    assert difference(CAT, SOUND, Hears(CAT)) == 0
    assert difference(CAT, SOUND, Hears([CAT[0], CAT[2]])) == pytest.approx(1 / 3)


def test_the_speaker_is_in_the_name_of_the_file(tmp_path) -> None:
    for name in ("103-1240-0000.ogg", "103-1241-0000.ogg", "8226-1-0.ogg"):
        (tmp_path / name).touch()
    assert speakers(tmp_path) == {"103", "8226"}
