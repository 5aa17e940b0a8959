"""One suite over every audio tokenizer of the catalogue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import Audio
from speechsearch.models.base import AudioTokenizer
from speechsearch.models.load import ModelLoader
from tests.tiny import rvq
from tests.tiny.cards import names, tiny_loader

NAMES = names("audio tokenizer")


@pytest.fixture(params=NAMES)
def tokenizer(request: pytest.FixtureRequest, loader: ModelLoader) -> AudioTokenizer:
    return loader.audio_tokenizer(request.param)


def test_every_card_is_here(loader: ModelLoader) -> None:
    assert [card.name for card in loader.catalog.of("audio tokenizer")] == NAMES


def test_codes_are_numbers_of_codebooks_and_as_long_as_the_sound(
    tokenizer: AudioTokenizer, speech: list[Audio]
) -> None:
    for sound, tokens in zip(speech, tokenizer.tokenize(speech), strict=True):
        assert tokens.codes.dtype == np.int16 and tokens.codes.ndim == 2
        assert tokens.codes.min() >= 0 and tokens.codes.max() < tokens.codebook_size
        assert tokens.codes.shape[1] == pytest.approx(sound.duration_s * tokens.frame_hz, abs=1.01)
        assert len(np.unique(tokens.codes)) > 1


def test_a_sound_alone_gives_what_it_gives_beside_others_in_any_order(
    tokenizer: AudioTokenizer, speech: list[Audio]
) -> None:
    together = tokenizer.tokenize(speech)
    for sound, one, other in zip(speech, together, tokenizer.tokenize(speech[::-1])[::-1], strict=True):
        np.testing.assert_array_equal(one.codes, other.codes)
        np.testing.assert_array_equal(one.codes, tokenizer.tokenize([sound])[0].codes)


def test_no_sound_is_too_short_or_too_quiet(tokenizer: AudioTokenizer, nothing: list[Audio]) -> None:
    assert tokenizer.tokenize([]) == []
    for tokens in tokenizer.tokenize(nothing):
        assert tokens.codes.shape[1] >= 1


def test_two_threads_get_what_one_gets(tokenizer: AudioTokenizer, speech: list[Audio]) -> None:
    expected = tokenizer.tokenize(speech)
    with ThreadPoolExecutor(2) as threads:
        for found in threads.map(tokenizer.tokenize, [speech] * 4):
            for one, other in zip(expected, found, strict=True):
                np.testing.assert_array_equal(one.codes, other.codes)


@pytest.mark.parametrize("name", NAMES)
def test_the_fingerprint_is_known_without_loading(name: str, tiny_folder: Path) -> None:
    fresh = tiny_loader(tiny_folder)
    assert fresh.audio_tokenizer(name).fingerprint.startswith(f"{name}-")
    assert fresh.release_idle(0) == []


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    fresh = tiny_loader(tmp_path)
    path = tmp_path / rvq.CARD.name / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelUnavailableError, match="is not the file of the audio tokenizer 'tiny-rvq'"):
        fresh.model("audio tokenizer", "tiny-rvq")
