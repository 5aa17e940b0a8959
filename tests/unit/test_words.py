"""Stems are the same whoever else asks for one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import snowballstemmer

from speechsearch.domain.assets import ASSETS
from speechsearch.text.words import stem


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("frequent_switches")
def test_threads_do_not_disturb_each_others_stems() -> None:
    words = (ASSETS / "common_words.txt").read_text(encoding="utf-8").split()[:1500]
    alone = snowballstemmer.stemmer("english")
    expected = [alone.stemWord(word) for word in words]
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: [stem.__wrapped__(word) for word in words], range(4)):
            assert found == expected
