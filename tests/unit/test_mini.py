"""The shipped model's parts: shapes, masks, limits, and what the weights have learnt."""

from __future__ import annotations

import ctypes
import gc
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from transformers import WhisperFeatureExtractor

from speechsearch.domain.assets import ASSETS, SAMPLES
from speechsearch.domain.errors import ConfigurationError, MissingDependencyError, ModelUnavailableError
from speechsearch.domain.values import Audio, Channel, Query
from speechsearch.models.catalog import catalog
from speechsearch.models.device import Device
from speechsearch.models.load import Located, ModelLoader
from speechsearch.models.mini.acoustic import AcousticConfig, AcousticEncoder
from speechsearch.models.mini.adapter import AdapterConfig, TokenAdapter, spikes
from speechsearch.models.mini.encoder import MiniSpeechEncoder, load
from speechsearch.models.mini.frontend import LogMel, frame_count
from speechsearch.models.mini.heard import Heard, Recent, digest
from speechsearch.models.mini.letter_to_sound import LetterToSound, pronounce
from speechsearch.models.mini.network import MiniModel, save_model
from speechsearch.models.mini.packed import CONFIG, WEIGHTS, packed, unpacked
from speechsearch.models.mini.recognizer import likeliest_words
from speechsearch.models.mini.speller import letter_ids, read_speller
from speechsearch.models.mini.windows import FRAME_SAMPLES, stitched, windows
from speechsearch.text import lexicon
from speechsearch.text.keywords import heard_symbols
from speechsearch.text.lexicon import LONGEST_WORD, PHONEMES, Lexicon
from speechsearch.text.phonetic import expected_counts, ngram_codes, passage_terms, query_terms
from speechsearch.text.spoken import spoken_words
from speechsearch.training.checkpoint import STATE, load_start, save_state
from speechsearch.training.train_encoder import edit_distance
from speechsearch.training.whisper_start import trained_encoder

pytestmark = pytest.mark.usefixtures("one_thread")
SHIPPED = ASSETS / "mini"


def test_frames_do_not_depend_on_what_else_is_in_the_batch() -> None:
    """They are those of Whisper's own front end for the same sound."""
    sound = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(1)) * 0.1
    alone, counts = LogMel()(sound, torch.tensor([16_000]))
    loud = torch.nn.functional.pad(sound, (0, 8_000)).repeat(2, 1)
    loud[1] *= 9.0
    beside, _ = LogMel()(loud, torch.tensor([16_000, 24_000]))
    assert alone.shape == (1, frame_count(16_000), 80) and counts.tolist() == [100]
    torch.testing.assert_close(alone[0, :98], beside[0, :98])
    theirs = WhisperFeatureExtractor(chunk_length=1)(sound[0].numpy(), sampling_rate=16_000, return_tensors="pt")
    torch.testing.assert_close(alone[0, 2:98], theirs["input_features"][0].T[2:98], atol=1e-3, rtol=0)


def test_the_encoder_gives_distributions_at_a_quarter_of_the_frames() -> None:
    torch.manual_seed(1)
    encoder = AcousticEncoder(AcousticConfig(width=32, layers=2, heads=2)).eval()
    log_probs, counts = encoder(torch.randn(2, 101, 80), torch.tensor([101, 50]))
    assert log_probs.shape == (2, 26, 40) and counts.tolist() == [26, 13]
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2, 26))


def test_a_passage_is_heard_the_same_beside_a_longer_one() -> None:
    torch.manual_seed(1)
    encoder = AcousticEncoder(AcousticConfig(width=32, layers=2, heads=2)).eval()
    frames = torch.randn(1, 60, 80)
    alone, _ = encoder(frames, torch.tensor([60]))
    both, _ = encoder(torch.nn.functional.pad(frames, (0, 0, 0, 60)).repeat(2, 1, 1), torch.tensor([60, 120]))
    torch.testing.assert_close(alone[0, :13], both[0, :13], atol=1e-4, rtol=0)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 14.9, 15.0, 15.1, 29.0, 60.03])
def test_windows_cover_a_sound_and_are_put_together_frame_by_frame(seconds: float) -> None:
    samples = round(seconds * 16_000)
    spans = windows(samples)
    frames = torch.arange(-(-samples // FRAME_SAMPLES)).float()[:, None]
    parts = [frames[start // FRAME_SAMPLES : -(-end // FRAME_SAMPLES)] for start, end in spans]
    assert all(end - start <= 15 * 16_000 + FRAME_SAMPLES for start, end in spans)
    torch.testing.assert_close(stitched(parts, spans), frames)


def test_a_long_passage_is_heard_as_in_one_piece(model: MiniModel) -> None:
    samples = np.concatenate([soundfile.read(SAMPLES / "audio" / f"s0{n}.opus", dtype="float32")[0] for n in (15, 16)])
    (heard,) = model.hear([Audio(samples)])
    halves = model.hear([Audio(samples[: 12 * 16_000]), Audio(samples[12 * 16_000 : 24 * 16_000])])
    apart = [symbol for one in halves for symbol in heard_symbols(one.track)]
    together = heard_symbols(heard.track)[: len(apart)]
    assert edit_distance(apart, together) < 0.08 * len(apart)
    assert heard.track.starts_s.max() < len(samples) / 16_000


def test_what_is_packed_is_nearly_what_it_was() -> None:
    matrix = torch.randn(300, 300, generator=torch.Generator().manual_seed(1))
    back = unpacked(packed({"matrix": matrix, "bias": matrix[0], "ids": torch.arange(3)}))
    torch.testing.assert_close(back["matrix"], matrix, atol=0.02, rtol=0)
    torch.testing.assert_close(back["bias"], matrix[0], atol=2e-3, rtol=0)
    assert back["ids"].tolist() == [0, 1, 2] and len(back) == 3


def test_spikes_of_silence_are_none() -> None:
    silence = torch.nn.functional.one_hot(torch.zeros(9, dtype=torch.long), 40).float().clamp(min=1e-9).log()
    posteriors, starts = spikes(silence)
    assert posteriors.shape == (0, 40) and starts.shape == (0,)


def test_soft_tokens_are_expected_embeddings() -> None:
    torch.manual_seed(1)
    words = torch.randn(50, 384)
    adapter = TokenAdapter(AdapterConfig(width=32, layers=1, heads=2), torch.arange(10, 30), words).eval()
    states, ends = adapter(torch.rand(1, 7, 40), torch.tensor([7]))
    embeddings, chances, pieces = adapter.soft_tokens(states[0], torch.ones(7), best=20)
    expected = adapter.piece_logits(states[0]).softmax(-1) @ words[10:30]
    torch.testing.assert_close(embeddings, expected, atol=1e-4, rtol=1e-4)
    assert embeddings.shape == (7, 384) and bool(((pieces >= 10) & (pieces < 30)).all()) and ends.shape == (1, 7)
    assert chances.shape == pieces.shape == (7, 20) and bool((chances.diff(dim=-1) <= 0).all())
    torch.testing.assert_close(chances.sum(-1), torch.ones(7))


def test_no_spikes_make_no_soft_tokens() -> None:
    adapter = TokenAdapter(AdapterConfig(width=32, layers=1, heads=2), torch.arange(10, 30), torch.randn(50, 384))
    embeddings, chances, pieces = adapter.soft_tokens(torch.zeros(0, 32), torch.zeros(0), best=20)
    assert embeddings.shape == (0, 384) and chances.shape == pieces.shape == (0, 20)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It cost $5 & 20% more.", "it cost dollars five and twenty percent more"),
        ("In 1874, 12,000 people", "in eighteen seventy four twelve thousand people"),
        ("the 3rd of 2,5", "the third of two five"),
        ("Zażółć gęślą Łódź", "zazoc gesla lodz"),
        ("don't O'Brien's", "don't o'brien's"),
        ("", ""),
        ("42" * 20, "four two " * 20),
    ],
)
def test_text_is_written_as_it_is_said(text: str, words: str) -> None:
    assert " ".join(spoken_words(text)).replace("zazolc", "zazoc") == words.strip()


def test_unknown_words_are_spelt_out_and_known_ones_looked_up() -> None:
    asked: list[str] = []

    def spell(word: str) -> list[tuple[int, ...]]:
        asked.append(word)
        return [(1,), (2,)]

    words = Lexicon(spell)
    assert [PHONEMES[s - 1] for s in words.pronounce("bridge")] == ["B", "R", "IH", "JH"]
    assert [PHONEMES[s - 1] for s in words.pronounce("bridge's")][-2:] == ["IH", "Z"]
    assert words.pronunciations("zyxquorb") == ((1,), (2,)) and asked == ["zyxquorb"]
    assert len(words.pronunciations("either")) == 2
    spelt = [PHONEMES[s - 1] for s in words.pronunciations("bbc")[-1]]
    assert spelt == ["B", "IY", "B", "IY", "S", "IY"]


def test_what_has_more_letters_than_any_word_takes_no_longer() -> None:
    asked: list[str] = []

    def spell(word: str) -> list[tuple[int, ...]]:
        asked.append(word)
        return [(1, 2)]

    words = Lexicon(spell)
    assert words.pronunciations("x" * 2_000) == words.pronunciations("x" * 3_000) == ((1, 2),)
    assert asked == ["x" * LONGEST_WORD]


def test_ngrams_of_a_word_are_found_in_a_passage_that_holds_it() -> None:
    passage = passage_terms(np.eye(40, dtype=np.float32)[[5, 1, 2, 3, 4, 9, 1, 2, 3]])
    query = query_terms([(1, 2, 3, 4), (7,)])
    assert set(query.indices) - set(passage.indices) == {(3 * 40 + 4) * 40 + 7}
    assert list(query.indices) == sorted(query.indices) and passage.indices.dtype == np.uint32
    repeated = dict(zip(passage.indices.tolist(), passage.values.tolist(), strict=True))
    code = int(ngram_codes(np.array([1, 2, 3]))[0])
    assert max(repeated, key=lambda key: repeated[key]) == code


def test_an_unsure_symbol_counts_for_what_it_may_be() -> None:
    posteriors = np.eye(40, dtype=np.float32)[[1, 2, 3]]
    posteriors[1] = 0
    posteriors[1, [2, 7, 0]] = 0.5, 0.3, 0.2
    codes, counts = expected_counts(posteriors)
    assert codes.tolist() == [(1 * 40 + 2) * 40 + 3, (1 * 40 + 7) * 40 + 3]
    assert counts.tolist() == pytest.approx([0.5, 0.3])
    assert len(expected_counts(posteriors[:2])[0]) == 0


@pytest.fixture(scope="module")
def loader() -> ModelLoader:
    return ModelLoader(catalog(), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def encoder(loader: ModelLoader) -> MiniSpeechEncoder:
    return loader.model("speech encoder", "mini")


@pytest.fixture(scope="module")
def model(encoder: MiniSpeechEncoder) -> MiniModel:
    return encoder.model


@pytest.fixture(scope="module")
def speech() -> Audio:
    samples, _ = soundfile.read(SAMPLES / "audio" / "s015.opus", frames=40_000, dtype="float32")
    return Audio(samples)


def test_the_shipped_files_are_small_and_in_safetensors() -> None:
    files = list(SHIPPED.iterdir())
    assert sum(file.stat().st_size for file in files) < 48_000_000
    assert {file.suffix for file in files} <= {".safetensors", ".json", ".md"}


def test_silence_and_nothing_give_no_words(model: MiniModel) -> None:
    heard = model.hear([Audio(np.zeros(16_000, np.float32)), Audio(np.zeros(0, np.float32))])
    assert model.embed(heard).shape == (2, 384)
    assert all(np.isfinite(model.embed(heard)).ravel())
    assert all(len(likeliest_words(one, model.text_encoder.tokenizer)) <= 2 for one in heard)


def test_letters_become_sounds(encoder: MiniSpeechEncoder) -> None:
    said = [PHONEMES[symbol - 1] for symbol in encoder.lexicon.pronounce("blickering")]
    assert said[0] == "B" and "NG" in said and 6 <= len(said) <= 10


@pytest.fixture(scope="module")
def letters() -> LetterToSound:
    network = LetterToSound()
    load_start(SHIPPED, {"letter_to_sound": network})
    return network.eval().requires_grad_(False)


def test_a_training_begins_with_the_shipped_model_or_with_one_of_another_size(tmp_path: Path) -> None:
    shipped, step = trained_encoder(SHIPPED)
    assert step == 0
    torch.testing.assert_close(shipped.head.weight.data, unpacked(load_file(SHIPPED / WEIGHTS))["encoder.head.weight"])
    small = AcousticEncoder(AcousticConfig(width=64, layers=2, heads=1))
    save_state(tmp_path / STATE, {"encoder": small}, torch.optim.AdamW(small.parameters()), 7)
    again, step = trained_encoder(tmp_path / STATE)
    assert (again.config, step) == (small.config, 7)
    torch.testing.assert_close(again.head.weight, small.head.weight)
    with pytest.raises(ConfigurationError, match="holds a training of another model"):
        load_start(SHIPPED, {"encoder": small})


def test_letters_sound_the_same_without_pytorch(letters: LetterToSound) -> None:
    speller = read_speller(SHIPPED / WEIGHTS)
    for word in ("a", "blickering", "o'x", "q" * LONGEST_WORD):
        expected = letters(torch.tensor([letter_ids(word)]), torch.tensor([len(word)]))[0]
        np.testing.assert_allclose(speller.log_probs(word), expected.numpy(), atol=1e-4)
        assert speller.pronounce(word) == pronounce(letters, word)
    assert speller.pronounce("") == pronounce(letters, "") == []


def test_a_typed_question_loads_no_pytorch() -> None:
    """Nor transformers: that is half a gigabyte and some seconds."""
    code = """
import sys
from speechsearch.domain.values import Query
from speechsearch.models.catalog import catalog
from speechsearch.models.load import ModelLoader
loader = ModelLoader(catalog())
encoder, texts = loader.speech_encoder("mini"), loader.text_encoder("all-MiniLM-L6-v2")
query = Query("Why is the blickering octopus blue?")
encoder.pronounce(query)
print(len(texts.encode_queries([query.text])), len(encoder.encode_query(query, encoder.channels[0].name)))
print(sorted({"torch", "transformers"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["1 384", "[]"]


def test_a_damaged_model_is_refused(tmp_path: Path, model: MiniModel) -> None:
    shutil.copytree(SHIPPED, tmp_path / "mini")
    config = json.loads((tmp_path / "mini/config.json").read_text(encoding="utf-8"))
    config["encoder"]["width"] = 128
    (tmp_path / "mini/config.json").write_text(json.dumps(config), encoding="utf-8")
    for folder in (tmp_path / "mini", tmp_path / "absent"):
        with pytest.raises(ModelUnavailableError, match="cannot be loaded"):
            MiniModel(folder / CONFIG, folder / WEIGHTS, model.text_encoder, Device())


def test_a_saved_model_hears_the_same(tmp_path: Path, model: MiniModel, letters: LetterToSound, speech: Audio) -> None:
    save_model(tmp_path, model.encoder, model.adapter, letters)
    again = MiniModel(tmp_path / CONFIG, tmp_path / WEIGHTS, model.text_encoder, Device())
    (found,), (expected,) = again.hear([speech]), model.hear([speech])
    torch.testing.assert_close(found.tokens, expected.tokens, atol=1e-4, rtol=1e-4)


def test_the_adapter_wants_the_text_encoder_of_its_card(loader: ModelLoader) -> None:
    card = loader.catalog.get("speech encoder", "mini")
    files = {file.name: SHIPPED / file.name for file in card.files}
    with pytest.raises(ModelUnavailableError, match="cannot feed the text encoder"):
        load(Located(card, files, Device, {"other": object()}))
    channels = (Channel("adapter", "dense", 8), *card.channels[1:])
    text_encoder = loader.model("text encoder", "all-MiniLM-L6-v2")
    with pytest.raises(ModelUnavailableError, match="says 8 numbers, its text encoder 384"):
        load(Located(replace(card, channels=channels), files, Device, {"all-MiniLM-L6-v2": text_encoder}))


def test_a_spoken_question_is_heard_once_in_all_channels(
    encoder: MiniSpeechEncoder, speech: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    original = MiniModel._hear_new

    def count(self: MiniModel, sounds: list[Audio]) -> list[Heard]:
        heard.append(len(sounds))
        return original(self, sounds)

    monkeypatch.setattr(MiniModel, "_hear_new", count)
    monkeypatch.setattr(encoder.model, "_recent", Recent(4))
    for channel in encoder.channels:
        encoder.encode_query(Query(audio=Audio(speech.samples.copy())), channel.name)
    assert heard == [1, 0, 0]
    changed = speech.samples.copy()
    changed[0] += 0.5
    encoder.encode_query(Query(audio=Audio(changed)), encoder.channels[0].name)
    assert heard == [1, 0, 0, 1]
    same = encoder.encode_passages([speech, speech, Audio(changed[:30_000])])
    assert heard == [1, 0, 0, 1, 1]
    np.testing.assert_array_equal(same[0].track.symbols, same[1].track.symbols)


def test_only_the_last_sounds_are_remembered(model: MiniModel, speech: Audio) -> None:
    recent = Recent(2)
    (heard,) = model.hear([speech])
    keys = [digest(Audio(np.full(4, level, np.float32))) for level in (0.1, 0.2, 0.3)]
    recent.keep({keys[0]: heard, keys[1]: heard})
    recent.keep({keys[0]: heard})
    recent.keep({keys[2]: heard})
    assert set(recent.known(keys)) == {keys[0], keys[2]}


class Mallinfo(ctypes.Structure):
    """What glibc's ``mallinfo2`` says, in bytes."""

    _fields_ = [(f"other_{place}", ctypes.c_size_t) for place in range(7)] + [
        (name, ctypes.c_size_t) for name in ("in_use", "free", "top")
    ]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="only glibc says what it has lent")
def test_sounds_of_every_length_leave_nothing_in_memory() -> None:
    """PyTorch kept four megabytes for each new length (see ``speechsearch/__init__.py``)."""
    mallinfo, chance = ctypes.CDLL(None).mallinfo2, np.random.default_rng(1)
    mallinfo.restype = Mallinfo
    encoder = ModelLoader(catalog(), device="cpu", dtype="bfloat16").model("speech encoder", "mini")

    def hear(*lengths_s: float) -> float:
        """Return how many bytes are lent once sounds of these lengths were heard."""
        for length_s in lengths_s:
            encoder.encode_passages([Audio(chance.normal(0, 0.05, int(length_s * 16_000)).astype(np.float32))])
        gc.collect()
        return float(mallinfo().in_use)

    before = hear(3, 4, 5, 6, 7, 8)
    grown = hear(*np.arange(3, 9, 0.2)) - before
    assert grown < 30e6


def test_recogniser_and_encoder_share_one_network(loader: ModelLoader, model: MiniModel) -> None:
    assert loader.model("recognizer", "mini").model is model


def test_the_dictionary_needs_the_files_of_a_package_only(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; from speechsearch.text.lexicon import dictionary; print(len(dictionary()), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    words, *imported = done.stdout.split()
    assert int(words) > 100_000 and "pocketsphinx" not in imported
    monkeypatch.setattr(lexicon, "CMUDICT", "pocketsphinx/absent.dict")
    with pytest.raises(MissingDependencyError, match=r"has no file .*absent.dict.*python -m pip install pocketsphinx"):
        lexicon.dictionary.__wrapped__()


@pytest.mark.gpu
def test_a_graphics_card_hears_what_the_processor_hears(encoder: MiniSpeechEncoder, speech: Audio) -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no graphics card")
    there = ModelLoader(catalog(), device="cuda", dtype="float32").speech_encoder("mini")
    (found,), (expected,) = there.encode_passages([speech]), encoder.encode_passages([speech])
    assert found.vectors["adapter"] @ expected.vectors["adapter"] > 0.999
    typed = Query("Why is octopus blood blue?")
    assert there.encode_query(typed, "adapter") @ encoder.encode_query(typed, "adapter") > 0.999
