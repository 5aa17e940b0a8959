"""Text encoders of BERT's family by their cards, and the vectors of transcripts."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import CapabilityError, EmptyQueryError, ModelUnavailableError
from speechsearch.domain.values import Audio, Query
from speechsearch.models.bert import BATCH_TEXTS, BertTextEncoder, load
from speechsearch.models.card import ModelCard
from speechsearch.models.device import Device
from speechsearch.models.load import Located, ModelLoader
from speechsearch.models.transcripts import TranscriptEncoder
from speechsearch.service.open import new_loader
from speechsearch.service.settings import EngineSettings, Settings
from tests.tiny import bert


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny-bert")


@pytest.fixture(scope="module")
def card(folder: Path) -> ModelCard:
    return bert.save(folder)


def encoder(folder: Path, card: ModelCard, **changes: object) -> BertTextEncoder:
    files = {file.name: folder / file.name for file in card.files}
    return load(Located(replace(card, **changes), files, Device, {}))


def test_a_prompt_is_words_before_the_text(folder: Path, card: ModelCard) -> None:
    plain = encoder(folder, card, query_prompt="", passage_prompt="")
    prompted = encoder(folder, card)
    np.testing.assert_allclose(prompted.encode_queries(["bridge"]), plain.encode_queries(["query: bridge"]), atol=1e-6)
    np.testing.assert_allclose(prompted.encode_passages(["x"]), plain.encode_passages(["passage: x"]), atol=1e-6)


def test_pooling_is_what_the_card_says(folder: Path, card: ModelCard) -> None:
    network = encoder(folder, card)
    ids = torch.tensor([network.tokenizer.encode("river").ids])
    states = network.bert(input_ids=ids).last_hidden_state[0].numpy()
    for pooling, expected in (("cls", states[0]), ("mean", states.mean(0))):
        found = encoder(folder, card, pooling=pooling, passage_prompt="").encode_passages(["river"])[0]
        np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_no_more_threads_compute_than_may(
    folder: Path, card: ModelCard, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {file.name: folder / file.name for file in card.files}
    network = load(Located(card, files, Device, {}, threads=threads))
    running, most, lock = 0, 0, threading.Lock()

    def encode(texts: Sequence[str]) -> np.ndarray:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        return np.ones((len(texts), network.dim), np.float32)

    monkeypatch.setattr(network, "_encode_some", encode)
    network.encode_passages(["text"] * 6 * BATCH_TEXTS)
    with ThreadPoolExecutor(6) as callers:
        list(callers.map(lambda number: network.encode_queries([f"question {number}"]), range(6)))
    assert most == threads


@pytest.mark.parametrize(("asked", "expected"), [(3, 3), (0, os.cpu_count())])
def test_the_settings_say_how_many_threads(asked: int, expected: int) -> None:
    loader = new_loader(Settings(engines=EngineSettings(threads=asked)))
    assert loader.located(loader.catalog.get("text encoder", "all-MiniLM-L6-v2")).threads == expected


@pytest.mark.parametrize(("change", "message"), [({"dim": 64}, "32 numbers"), ({"pooling": "last"}, "pooling 'last'")])
def test_a_network_that_is_not_the_cards_is_refused(
    folder: Path, card: ModelCard, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelUnavailableError, match=message):
        encoder(folder, card, **change)


def test_files_that_do_not_fit_each_other_are_refused(folder: Path, card: ModelCard, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"hidden_size": 48, "num_attention_heads": 2, "num_hidden_layers": 1}')
    files = {**{file.name: folder / file.name for file in card.files}, "config.json": tmp_path / "config.json"}
    with pytest.raises(ModelUnavailableError, match="text encoder 'tiny-bert' cannot be loaded"):
        load(Located(card, files, Device, {}))


def test_texts_are_read_as_soft_tokens_are(folder: Path, card: ModelCard) -> None:
    """ONNX Runtime's graph and PyTorch's network are one encoder."""
    for pooling in ("cls", "mean"):
        both = encoder(folder, card, pooling=pooling, passage_prompt="")
        texts = ["river", "a bridge over it", "x " * 200]
        ids = [both.tokenizer.encode(text, add_special_tokens=False).ids[:126] for text in texts]
        soft = both.pool([both.word_embeddings[torch.tensor(one)] for one in ids]).numpy()
        np.testing.assert_allclose(both.encode_passages(texts), soft, atol=1e-5)


def test_rankings_of_the_samples_are_those_of_pytorch(loader: ModelLoader) -> None:
    """No library is encoded again, so vectors of both must be of one kind: the same ten passages, in the same order."""
    encoder = loader.model("text encoder", "all-MiniLM-L6-v2")
    read = {
        name: [json.loads(line)["text"] for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines()]
        for name in ("questions.jsonl", "transcripts.jsonl")
    }
    asked, said = read["questions.jsonl"][::5], read["transcripts.jsonl"][::2]
    ids = [encoder.tokenizer.encode(text, add_special_tokens=False).ids for text in (*asked, *said)]
    with torch.inference_mode():
        before = encoder.pool([encoder.word_embeddings[torch.tensor(one)] for one in ids]).numpy()
    now = np.concatenate([encoder.encode_queries(asked), encoder.encode_passages(said)])
    assert (before * now).sum(1).min() > 0.99999
    best = [
        (-vectors[: len(asked)] @ passages.T).argsort(1)[:, :10]
        for vectors, passages in ((before, before[len(asked) :]), (now, before[len(asked) :]))
    ]
    np.testing.assert_array_equal(*best)


def test_a_network_of_another_kind_is_refused(folder: Path, card: ModelCard, tmp_path: Path) -> None:
    settings = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(settings | {"hidden_act": "relu"}))
    files = {**{file.name: folder / file.name for file in card.files}, "config.json": tmp_path / "config.json"}
    with pytest.raises(ModelUnavailableError, match="its activation is 'relu', not 'gelu'"):
        load(Located(card, files, Device, {}))


def test_long_texts_are_cut_where_the_network_ends(folder: Path, card: ModelCard) -> None:
    plain = encoder(folder, card, passage_prompt="")
    long, longer = plain.encode_passages(["a " * 126, "a " * 126 + "bridge"])
    np.testing.assert_allclose(long, longer, atol=1e-6)


def test_transcripts_have_a_meaning_and_words_of_their_recogniser(folder: Path, card: ModelCard) -> None:
    text_encoder = encoder(folder, card)
    transcripts = TranscriptEncoder(text_encoder, "tiny")
    meaning, words = transcripts.channels
    assert (meaning.name, meaning.kind, meaning.dim) == ("meaning@tiny", "dense", 32)
    assert (words.name, words.kind, words.has_idf) == ("words@tiny", "sparse", True)
    spoken, silent = transcripts.encode(["the bridges of the river", " "])
    np.testing.assert_allclose(
        spoken[meaning.name], text_encoder.encode_passages(["the bridges of the river"])[0], atol=1e-5
    )
    assert len(spoken[words.name].indices) == 2
    assert not silent[meaning.name].any() and not len(silent[words.name].indices)
    query = Query("Which bridge?")
    assert set(transcripts.encode_query(query, words.name).indices) < set(spoken[words.name].indices)
    np.testing.assert_allclose(
        transcripts.encode_query(query, meaning.name), text_encoder.encode_queries([query.text])[0], atol=1e-6
    )


def test_what_transcripts_cannot_be_asked(folder: Path, card: ModelCard) -> None:
    transcripts = TranscriptEncoder(encoder(folder, card), "tiny")
    with pytest.raises(EmptyQueryError, match="question is empty"):
        transcripts.encode_query(Query(" "), "words@tiny")
    with pytest.raises(CapabilityError, match="no channel 'words@mini'"):
        transcripts.encode_query(Query("bridge"), "words@mini")
    with pytest.raises(CapabilityError, match="searched in words"):
        transcripts.encode_query(Query(audio=Audio(np.zeros(1, np.float32))), "words@tiny")


def test_the_vectors_of_transcripts_change_with_the_text_encoder_only(folder: Path, card: ModelCard) -> None:
    first, other = (encoder(folder, card, pooling=pooling) for pooling in ("cls", "mean"))
    assert TranscriptEncoder(first, "mini").fingerprint == TranscriptEncoder(first, "pocketsphinx").fingerprint
    assert TranscriptEncoder(first, "mini").fingerprint != TranscriptEncoder(other, "mini").fingerprint
