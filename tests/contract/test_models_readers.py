"""One suite over every reader of the catalogue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.base import Reader
from speechsearch.models.load import ModelLoader
from tests.tiny import reader as tiny_reader
from tests.tiny.cards import names, tiny_loader

NAMES = names("reader")
QUESTION = "Who built the bridge?"
TEXTS = ["The bridge was built by Anna Kowalska in 1885.", "octopus", "Nobody knows. It rained all day, he said."]
TOLERANCE = 1e-3
"""Of log-odds in float32 on a CPU, whatever stands beside a text."""


@pytest.fixture(params=NAMES)
def reader(request: pytest.FixtureRequest, loader: ModelLoader) -> Reader:
    return loader.reader(request.param)


def test_every_card_is_here(loader: ModelLoader) -> None:
    assert [card.name for card in loader.catalog.of("reader")] == NAMES


def test_every_word_of_a_text_has_its_place_and_scores(reader: Reader) -> None:
    for text, read in zip(TEXTS, reader.read(QUESTION, TEXTS), strict=True):
        assert read.offsets.shape == (len(read.starts), 2) and read.starts.shape == read.ends.shape
        assert np.isfinite(read.starts).all() and np.isfinite(read.ends).all()
        written = np.zeros(len(text), bool)
        for start, end in read.offsets.tolist():
            written[start:end] = True
        assert all(written[place] for place, letter in enumerate(text) if letter != " ")


def test_a_text_alone_gives_what_it_gives_beside_others_in_any_order(reader: Reader) -> None:
    together = reader.read(QUESTION, TEXTS)
    alone = [reader.read(QUESTION, [text])[0] for text in TEXTS]
    backwards = reader.read(QUESTION, TEXTS[::-1])[::-1]
    for one, two, three in zip(together, alone, backwards, strict=True):
        for other in (two, three):
            np.testing.assert_array_equal(one.offsets, other.offsets)
            np.testing.assert_allclose(one.starts, other.starts, atol=TOLERANCE)
            np.testing.assert_allclose(one.ends, other.ends, atol=TOLERANCE)
    others = reader.read("When did it rain?", TEXTS)
    assert np.abs(others[0].starts - together[0].starts).max() > 10 * TOLERANCE


def test_no_texts_empty_ones_and_long_ones(reader: Reader) -> None:
    assert reader.read(QUESTION, []) == []
    empty, odd, long = reader.read("why " * 3_000, ["", "\u202eדוגמה \x00 🔎", "word " * 3_000])
    assert len(empty.offsets) == 0 and len(odd.offsets) > 0
    starts = set(long.offsets[:, 0].tolist())
    assert len(long.offsets) == len(starts) and starts >= set(range(0, 5 * 2_999, 5))


def test_two_threads_get_what_one_gets(reader: Reader) -> None:
    (expected,) = reader.read(QUESTION, TEXTS[:1])
    with ThreadPoolExecutor(2) as threads:
        for (found,) in threads.map(lambda _: reader.read(QUESTION, TEXTS[:1]), range(4)):
            np.testing.assert_allclose(found.starts, expected.starts, atol=TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_the_fingerprint_is_known_without_loading(name: str, tiny_folder: Path, loader: ModelLoader) -> None:
    fresh = tiny_loader(tiny_folder)
    assert fresh.reader(name).fingerprint.startswith(f"{name}-")
    assert fresh.release_idle(0) == []
    assert loader.model("reader", name).fingerprint == fresh.reader(name).fingerprint


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    fresh = tiny_loader(tmp_path)
    path = tmp_path / tiny_reader.CARD.name / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelUnavailableError, match="is not the file of the reader 'tiny-reader'"):
        fresh.model("reader", "tiny-reader")
