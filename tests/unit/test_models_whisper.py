"""Whisper base and tiny.en on the samples: long passages, silence, languages, loops; and a model of the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rapidfuzz.distance import Levenshtein

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import CapabilityError, ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models.built_in import CARDS
from speechsearch.models.catalog import Catalog
from speechsearch.models.device import Device
from speechsearch.models.files import FileFinder
from speechsearch.models.load import Located, ModelLoader
from speechsearch.models.whisper_cards import LANGUAGES, WHISPER_BASE, WHISPER_TINY_EN, card_of_folder
from speechsearch.models.whisper_windows import padded_s
from speechsearch.models.windows import windows_of
from speechsearch.text.words import spoken_words

JOINED = ("s015", "s066", "s059")
MOST_ERRORS = 0.1
"""Of all words. The last window has the end of one clip and all of the next, where Whisper stops and is asked again."""


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> ModelLoader:
    return ModelLoader(Catalog(CARDS), device="cpu", dtype="float32", cache_dir=tmp_path_factory.mktemp("joined"))


def sample(name: str) -> np.ndarray:
    samples, rate_hz = soundfile.read(SAMPLES / "audio" / f"{name}.opus", dtype="float32")
    assert rate_hz == SAMPLE_RATE_HZ
    return samples


def said(name: str) -> str:
    lines = (SAMPLES / "passages.jsonl").read_text(encoding="utf-8").splitlines()
    return next(row["text"] for row in map(json.loads, lines) if row["id"] == name)


def linked(folder: Path, cache_dir: Path) -> Path:
    """A user's folder with the files of tiny.en."""
    folder.mkdir(parents=True)
    finder = FileFinder(None, cache_dir, may_download=False)
    for file in WHISPER_TINY_EN.files:
        (folder / file.name).symlink_to(finder.find(WHISPER_TINY_EN, file))
    return folder


def test_a_long_passage_is_written_whole_and_nothing_twice(whisper: ModelLoader) -> None:
    sound = Audio(np.concatenate([sample(name) for name in JOINED]))
    assert sound.duration_s > 70 and len(windows_of(0, sound.samples)) == 3
    (found,) = whisper.recognizer("whisper-tiny.en").transcribe([sound])
    wanted = spoken_words(" ".join(map(said, JOINED)))
    heard = spoken_words(found.text)
    assert Levenshtein.distance(wanted, heard) < MOST_ERRORS * len(wanted)
    times_s = [time_s for word in found.words for time_s in (word.start_s, word.end_s)]
    assert [word.start_s for word in found.words] == sorted(word.start_s for word in found.words)
    assert 0 <= times_s[0] < 1 and sound.duration_s - 2 < times_s[-1] <= sound.duration_s
    assert all(word.start_s < word.end_s and word.text == word.text.strip() for word in found.words)


@pytest.mark.parametrize("name", ["whisper-tiny.en", "whisper-base"])
def test_silence_noise_and_a_hum_say_nothing(name: str, whisper: ModelLoader) -> None:
    chance = np.random.default_rng(0)
    times = np.arange(4 * SAMPLE_RATE_HZ, dtype=np.float32) / SAMPLE_RATE_HZ
    sounds = [np.zeros_like(times), chance.normal(0, 0.05, len(times)), 0.2 * np.sin(700 * times)]
    found = whisper.recognizer(name).transcribe([Audio(sound.astype(np.float32)) for sound in sounds])
    assert [one.text for one in found] == [""] * len(sounds)


def test_base_hears_the_language_and_writes_with_punctuation(whisper: ModelLoader) -> None:
    base = whisper.recognizer("whisper-base")
    sound = Audio(sample("s015")[: 6 * SAMPLE_RATE_HZ])
    (heard,) = base.transcribe([sound])
    assert base.transcribe([sound], "en_US") == [heard]
    assert heard.text.startswith("An octopus has three hearts,")
    with pytest.raises(CapabilityError, match="'whisper-base' does not know the language 'yue'"):
        base.transcribe([sound], "yue")  # Cantonese came with large-v3
    with pytest.raises(CapabilityError, match=r"'whisper-tiny\.en' does not know the language 'de'"):
        whisper.recognizer("whisper-tiny.en").transcribe([sound], "de")


def test_hotwords_help_where_a_name_was_misheard_and_are_not_made_up(whisper: ModelLoader) -> None:
    base, hotwords = whisper.recognizer("whisper-base"), ["Emmy Noether", "Göttingen", "Hanumanthappa"]
    noise = np.random.default_rng(0).normal(0, 0.05, 3 * SAMPLE_RATE_HZ).astype(np.float32)
    sounds = [Audio(sample("s033")[: 4 * SAMPLE_RATE_HZ]), Audio(np.zeros_like(noise)), Audio(noise)]
    without, _, _ = base.transcribe(sounds, "en")
    found, silent, noisy = base.transcribe(sounds, "en", hotwords)
    assert "Noether" not in without.text and "Emmy Noether came to Göttingen in 1915" in found.text
    assert "Hanumanthappa" not in found.text and silent.text == noisy.text == ""
    assert without.language == found.language == "en" and 0.2 < without.confidence < found.confidence < 1


def test_multilingual_ones_translate_and_english_ones_say_that_they_do_not(whisper: ModelLoader) -> None:
    sound = Audio(sample("s015")[: 4 * SAMPLE_RATE_HZ])
    (found,) = whisper.model("recognizer", "whisper-base").translate([sound], "en")
    assert "three hearts" in found.text and found.words
    with pytest.raises(CapabilityError, match=r"'whisper-tiny\.en' does not translate"):
        whisper.model("recognizer", "whisper-tiny.en").translate([sound])
    heard = [card for card in CARDS if card.task == "recognizer" and card.name.startswith("whisper")]
    assert {card.name for card in heard if not card.translates} == {
        "whisper-tiny.en", "whisper-large-v3-turbo", "whisper-distil-large-v3"
    }  # fmt: skip


def test_a_long_sound_is_cut_into_equal_windows_in_its_silences() -> None:
    sound = np.ones(100 * SAMPLE_RATE_HZ, np.float32)
    for second in (24, 51, 76):
        sound[second * SAMPLE_RATE_HZ :][: SAMPLE_RATE_HZ // 5] = 0
    windows = windows_of(3, sound)
    assert [window.start_s for window in windows] == [0, 24.0, 51.0, 76.0] and {one.place for one in windows} == {3}
    np.testing.assert_array_equal(np.concatenate([window.samples for window in windows]), sound)
    assert [padded_s(one) for one in windows_of(0, sound[: 13 * SAMPLE_RATE_HZ])] == [15]
    assert [padded_s(one) for one in windows_of(0, sound[: 14 * SAMPLE_RATE_HZ])] == [30]
    assert all(one.duration_s <= 30 for n in range(25, 130) for one in windows_of(0, np.ones(n * SAMPLE_RATE_HZ + 7)))


def test_a_users_own_folder_becomes_a_card_by_its_files(tmp_path: Path) -> None:
    folder = linked(tmp_path / "models" / "mine", tmp_path)
    card = card_of_folder("mine", folder)
    assert card.files[0].name == "model.bin" and card.languages == ("en",)
    assert {file.name: file.sha256 for file in card.files} == {one.name: one.sha256 for one in WHISPER_TINY_EN.files}
    (folder / "vocabulary.txt").unlink()
    with pytest.raises(ModelUnavailableError, match=r"vocabulary\.txt of the recognizer 'mine' is not on this machine"):
        ModelLoader(Catalog([card]), tmp_path / "models", device="cpu").recognizer("mine").transcribe([])
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelUnavailableError, match=r"it has no tokenizer\.json"):
        card_of_folder("mine", folder)
    with pytest.raises(ModelUnavailableError, match="No such file"):
        card_of_folder("mine", tmp_path / "nowhere")


def test_a_multilingual_folder_knows_the_languages_of_its_tokeniser(tmp_path: Path) -> None:
    finder = FileFinder(None, tmp_path, may_download=False)
    folder = tmp_path / "mine"
    folder.mkdir()
    for file in WHISPER_BASE.files[1:]:
        (folder / file.name).symlink_to(finder.find(WHISPER_BASE, file))
    (folder / "model.bin").write_bytes(b"nothing")
    card = card_of_folder("mine", folder)
    assert card.languages == LANGUAGES[:-1] == WHISPER_BASE.languages and len(card.languages) == 99
    with pytest.raises(ModelUnavailableError, match="The recognizer 'mine' cannot be loaded"):
        ModelLoader(Catalog([card]), tmp_path, device="cpu").recognizer("mine").transcribe([])


def test_a_graphics_card_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    import torch

    from speechsearch.models.whisper import load

    if torch.cuda.is_available():
        pytest.skip("there is one")
    folder = linked(tmp_path / "tiny", tmp_path)
    files = {file.name: folder / file.name for file in WHISPER_TINY_EN.files}
    with pytest.raises(ModelUnavailableError, match=r"'whisper-tiny\.en' cannot be loaded"):
        load(Located(WHISPER_TINY_EN, files, lambda: Device("cuda", "float16"), {}))
