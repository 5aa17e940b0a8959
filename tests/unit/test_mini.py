"""The shipped model's parts: shapes, masks, limits, and what the weights have learnt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import Audio
from speechsearch.models.mini.acoustic import AcousticConfig, AcousticEncoder
from speechsearch.models.mini.adapter import AdapterConfig, TokenAdapter, spikes
from speechsearch.models.mini.frontend import LogMel, frame_count
from speechsearch.models.mini.network import ASSETS, MiniModel
from speechsearch.text.lexicon import PHONEMES, Lexicon
from speechsearch.text.phonetic import expected_counts, ngram_codes, passage_terms, query_terms
from speechsearch.text.spoken import spoken_words

torch.set_num_threads(1)


def test_frames_do_not_depend_on_padding_or_level() -> None:
    sound = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(1)) * 0.1
    alone = LogMel()(sound, torch.tensor([16_000]))
    padded = LogMel()(torch.nn.functional.pad(sound * 0.5, (0, 8_000)), torch.tensor([16_000]))
    assert alone.shape == (1, frame_count(16_000), 80)
    torch.testing.assert_close(alone[0, :99], padded[0, :99], atol=2e-2, rtol=0)


def test_the_encoder_gives_distributions_at_a_quarter_of_the_frames() -> None:
    torch.manual_seed(1)
    encoder = AcousticEncoder(AcousticConfig(width=32, blocks=1, heads=2)).eval()
    log_probs, counts = encoder(torch.randn(2, 101, 80), torch.tensor([101, 50]))
    assert log_probs.shape == (2, 26, 40) and counts.tolist() == [26, 13]
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2, 26))


def test_a_passage_is_heard_the_same_beside_a_longer_one() -> None:
    torch.manual_seed(1)
    encoder = AcousticEncoder(AcousticConfig(width=32, blocks=1, heads=2)).eval()
    frames = torch.randn(1, 60, 80)
    alone, _ = encoder(frames, torch.tensor([60]))
    both, _ = encoder(torch.nn.functional.pad(frames, (0, 0, 0, 60)).repeat(2, 1, 1), torch.tensor([60, 120]))
    torch.testing.assert_close(alone[0, :13], both[0, :13], atol=1e-4, rtol=0)


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

    def spell(word: str) -> tuple[int, ...]:
        asked.append(word)
        return (1,)

    lexicon = Lexicon(spell)
    assert [PHONEMES[s - 1] for s in lexicon.pronounce("bridge")] == ["B", "R", "IH", "JH"]
    assert [PHONEMES[s - 1] for s in lexicon.pronounce("bridge's")][-2:] == ["IH", "Z"]
    assert lexicon.pronounce("zyxquorb") == (1,) and asked == ["zyxquorb"]


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
def model() -> MiniModel:
    return MiniModel()


def test_the_shipped_files_are_small_and_in_safetensors() -> None:
    files = list(ASSETS.iterdir())
    assert sum(file.stat().st_size for file in files) < 40_000_000
    assert {file.suffix for file in files} <= {".safetensors", ".json", ".md"}


def test_silence_and_nothing_give_no_words(model: MiniModel) -> None:
    heard = model.hear([Audio(np.zeros(16_000, np.float32)), Audio(np.zeros(0, np.float32))])
    assert model.embed(heard).shape == (2, 384)
    assert all(np.isfinite(model.embed(heard)).ravel())
    assert [len(model.words(one)) <= 2 for one in heard] == [True, True]


def test_letters_become_sounds(model: MiniModel) -> None:
    said = [PHONEMES[symbol - 1] for symbol in model.lexicon.pronounce("blickering")]
    assert said[0] == "B" and "NG" in said and 6 <= len(said) <= 10


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ASSETS, tmp_path / "mini")
    config = json.loads((tmp_path / "mini/config.json").read_text(encoding="utf-8"))
    config["encoder"]["width"] = 128
    (tmp_path / "mini/config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelUnavailableError, match="cannot be loaded"):
        MiniModel(tmp_path / "mini")
    with pytest.raises(ModelUnavailableError, match="cannot be loaded"):
        MiniModel(tmp_path / "absent")
