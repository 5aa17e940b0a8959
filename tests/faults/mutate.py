"""Damage to files, the same for the same seed: what happens to them by accident, and what somebody does on purpose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LENGTHS = (0x0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x00FFFFFF, 0x7FFFFFFFFFFFFFFF)
DEEP = 3_000
LONG = 200_000


def damaged(content: bytes, random: np.random.Generator, others: Sequence[bytes] = ()) -> bytes:
    """Return the content with one to three damages; ``others``: files whose parts may be put into it."""
    for _ in range(random.integers(1, 4)):
        first, last = sorted(random.integers(0, len(content) + 1, 2).tolist())
        part = content[first : min(last, first + 2000)]
        how = random.integers(10)
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
        elif how == 6:
            content = with_flipped_bits(content, random)
        elif how == 7:
            content = with_length(content, random)
        elif how == 8:  # chunks change places
            middle = (first + last) // 2
            content = content[:first] + content[middle:last] + content[first:middle] + content[last:]
        elif others:
            content = content + others[random.integers(len(others))][first:]
    return content


def with_flipped_bits(content: bytes, random: np.random.Generator) -> bytes:
    """Return the content with one to eight bits turned over, anywhere."""
    changed = bytearray(content)
    for place in random.integers(0, max(1, len(changed)), random.integers(1, 9)).tolist() if changed else ():
        changed[place] ^= 1 << int(random.integers(8))
    return bytes(changed)


def with_length(content: bytes, random: np.random.Generator) -> bytes:
    """Return the content with a number of two, four or eight bytes that is much too large, or nothing."""
    width = int(random.choice([2, 4, 8]))
    value = LENGTHS[random.integers(len(LENGTHS))] & (256**width - 1)
    place = int(random.integers(0, min(len(content), 4096) + 1))
    if random.random() < 0.3:  # directories of archives, indexes of films
        place = max(0, len(content) - place)
    order = "little" if random.random() < 0.5 else "big"
    return content[:place] + value.to_bytes(width, order) + content[place + width :]


def damaged_text(content: bytes, random: np.random.Generator, others: Sequence[bytes] = ()) -> bytes:
    """Return a text with what goes wrong with texts: huge numbers, depth, length, NULs, half characters; or damage."""
    how = random.integers(8)
    place = int(random.integers(0, len(content) + 1))
    before, after = content[:place], content[place:]
    if how == 0:
        return b"".join(b"9" * 40 if 48 <= one <= 57 else bytes([one]) for one in content)
    if how == 1:
        return before + random.choice([b"[", b'{"a":', b"<a>", b'"']) * DEEP + after
    if how == 2:
        return before + b"x" * LONG + after
    if how == 3:
        return before + random.choice([b"\0", b"\xff", b"\xed\xa0\x80", b"\xf0\x9f", b"\r", b"\xe2\x80\xae"]) + after
    if how == 4:
        return before + random.choice([b"1e999", b"-1", b"NaN", b"null", b"true", b"[]", b"{}", b'""']) + after
    if how == 5:
        return content.decode("utf-8", "replace").encode(str(random.choice(["utf-16", "utf-32", "utf-16-be"])))
    return damaged(content, random, others)
