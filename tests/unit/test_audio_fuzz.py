"""Damaged files of every format: the sound that is left, or a clear error, and never a crash of the reading process."""

import numpy as np
import pytest

from speechsearch.audio import load
from speechsearch.domain.errors import InputError
from speechsearch.domain.limits import Limits
from tests.faults.mutate import damaged
from tests.tiny.sounds import KINDS, content_of, sweep

LIMITS = Limits()
WHOLE = {kind: content_of(kind, sweep(1.0)) for kind in KINDS}


def check(kind: str, seed: int) -> None:
    content = damaged(WHOLE[kind], np.random.default_rng([KINDS.index(kind), seed]), list(WHOLE.values()))
    try:
        sound = load(content, LIMITS, 600.0, "talk")
    except InputError as error:
        assert "crashed" not in error.message, (kind, seed)
        assert error.message.startswith("talk "), (kind, seed)
        return
    assert len(sound.samples), (kind, seed)
    assert np.isfinite(sound.samples).all(), (kind, seed)
    assert np.abs(sound.samples).max() <= 1.0, (kind, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_survived(kind: str) -> None:
    for seed in range(12):
        check(kind, seed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_much_damage_is_survived(kind: str) -> None:
    for seed in range(100, 400):
        check(kind, seed)
