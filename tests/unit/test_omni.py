"""A model of sentence-transformers that reads and hears is a speech encoder as it is: a tiny one of its own classes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from speechsearch.domain.errors import CapabilityError, EmptyQueryError, ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Query
from speechsearch.models.catalog import Catalog
from speechsearch.models.folders import cards_of
from speechsearch.models.load import ModelLoader
from speechsearch.models.omni import OmniSpeechEncoder, longest_heard_s
from tests.tiny import checkpoints, texts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("sentence_transformers") is None,
        reason="sentence-transformers is not installed (requirements-train.txt)",
    ),
    pytest.mark.filterwarnings("default"),
]
HEARD = 16
"""Numbers of a state of the tiny Whisper."""
SOUNDS = [
    Audio(np.random.default_rng(n).standard_normal(int(s * SAMPLE_RATE_HZ)).astype(np.float32) / 9)
    for n, s in enumerate((1.0, 2.5, 1.7))
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Normalize, Router, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    parts = tmp_path_factory.mktemp("parts")
    texts.XLM_ROBERTA.save(parts / "text")
    (parts / "sound").mkdir()
    checkpoints.write_whisper(parts / "sound")
    routes = {
        "text": [Transformer(str(parts / "text")), Pooling(texts.WIDTH, "mean"), Normalize()],
        "audio": [Transformer(str(parts / "sound")), Pooling(HEARD, "mean"), Dense(HEARD, texts.WIDTH)],
    }
    mappings = {(None, "text"): "text", (None, "audio"): "audio"}
    model = SentenceTransformer(modules=[Router(routes, default_route="text", route_mappings=mappings)])
    made = tmp_path_factory.mktemp("models") / "omni"
    model.save_pretrained(str(made))
    return made


@pytest.fixture(scope="module")
def encoder(folder: Path) -> OmniSpeechEncoder:
    (card,) = cards_of(folder)
    assert (card.task, card.channels[0].dim) == ("speech encoder", texts.WIDTH)
    found: OmniSpeechEncoder = ModelLoader(Catalog([card]), folder.parent, device="cpu", dtype="float32").model(
        "speech encoder", card.name
    )
    return found


def test_texts_and_sounds_have_unit_vectors_alone_as_in_company(encoder: OmniSpeechEncoder) -> None:
    together = [np.asarray(one.vectors["adapter"]) for one in encoder.encode_passages(SOUNDS)]
    for sound, vector in zip(SOUNDS, together, strict=True):
        alone = encoder.encode_query(Query(audio=sound), "adapter")
        np.testing.assert_allclose(alone, vector, atol=1e-4)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)
    assert np.abs(together[0] - together[1]).max() > 1e-3
    words = np.asarray(encoder.encode_query(Query("the old gate"), "adapter"))
    assert words.shape == (texts.WIDTH,) and np.linalg.norm(words) == pytest.approx(1, abs=1e-4)


def test_a_long_passage_is_heard_in_pieces_that_the_model_takes(encoder: OmniSpeechEncoder) -> None:
    whole = np.asarray(encoder.encode_passages([SOUNDS[1]])[0].vectors["adapter"])
    encoder.longest_s, before = 1.3, encoder.longest_s
    pieces = np.asarray(encoder.encode_passages([SOUNDS[1]])[0].vectors["adapter"])
    encoder.longest_s = before
    half = len(SOUNDS[1].samples) // 2
    parts = [Audio(SOUNDS[1].samples[:half]), Audio(SOUNDS[1].samples[half:])]
    summed = sum(np.asarray(one.vectors["adapter"]) for one in encoder.encode_passages(parts))
    np.testing.assert_allclose(pieces, summed / np.linalg.norm(summed), atol=1e-4)
    assert np.abs(pieces - whole).max() > 1e-4


def test_nothing_and_other_channels_are_refused(encoder: OmniSpeechEncoder) -> None:
    assert not np.any(encoder.encode_passages([Audio(np.zeros(0, np.float32))])[0].vectors["adapter"])
    for query in (Query(" "), Query(audio=Audio(np.zeros(100, np.float32)))):
        with pytest.raises(EmptyQueryError, match="question"):
            encoder.encode_query(query, "adapter")
    with pytest.raises(CapabilityError, match="no channel 'words'"):
        encoder.encode_query(Query("a"), "words")


def test_a_module_with_code_of_its_own_is_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "mine")
    path = tmp_path / "mine" / "router_config.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    told["types"][next(iter(told["types"]))] = "custom.Module"
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(ModelUnavailableError, match="code of its own"):
        cards_of(tmp_path / "mine")


def test_how_much_is_heard_at_once_the_processor_says(tmp_path: Path) -> None:
    assert longest_heard_s(tmp_path) == 30.0
    said = '{"audio_seq_length": 280, "audio_ms_per_token": 40}'
    (tmp_path / "processor_config.json").write_text(said, encoding="utf-8")
    assert longest_heard_s(tmp_path) == 11.2
