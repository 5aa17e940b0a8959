"""Damaged files of every format: the sound that is left, or a clear error, and never a crash of the reading process."""

import numpy as np
import pytest

from speechsearch.audio import load
from speechsearch.domain.errors import InputError
from speechsearch.domain.limits import Limits
from tests.tiny.sounds import KINDS, content_of, sweep

LIMITS = Limits()
WHOLE = {kind: content_of(kind, sweep(1.0)) for kind in KINDS}


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """The content with one to three of the things that happen to files."""
    for _ in range(random.integers(1, 4)):
        first, last = sorted(random.integers(0, len(content) + 1, 2).tolist())
        part = content[first : min(last, first + 2000)]
        how = random.integers(7)
        if how == 0:
            content = content[:last]
        elif how == 1:
            content = content[:first] + random.bytes(len(part)) + content[first + len(part) :]
        elif how == 2:
            content = content[:first] + bytes(len(part)) + content[first + len(part) :]
        elif how == 3:
            content = content[:first] + content[first + len(part) :]
        elif how == 4:
            content = content[:last] + part + content[last:]
        elif how == 5:  # where formats, sizes and counts stand
            head = bytearray(content)
            for place in random.integers(0, min(200, len(head)) or 1, 3).tolist():
                head[place : place + 1] = bytes([random.choice([0, 1, 127, 128, 255])])
            content = bytes(head)
        else:
            content = content + WHOLE[KINDS[random.integers(len(KINDS))]][first:]
    return content


def check(kind: str, seed: int) -> None:
    content = damaged(WHOLE[kind], np.random.default_rng([KINDS.index(kind), seed]))
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
