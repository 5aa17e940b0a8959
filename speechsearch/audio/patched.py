"""A file from some place on, with some bytes replaced, as if it were like that on the disk."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import BinaryIO


class View(io.RawIOBase):
    """Reads ``file`` from ``start`` on; ``patches``: what is read in place of its bytes, by their place in the view.

    >>> View(io.BytesIO(b"tagsound"), 3, {1: b"O"}).read(5)
    b'sOund'
    """

    def __init__(self, file: BinaryIO, start: int = 0, patches: Mapping[int, bytes] | None = None) -> None:
        self._file, self._start, self._patches = file, start, patches or {}
        file.seek(start)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes."""
        place = self.tell()
        content = self._file.read(size)
        for at, patch in self._patches.items():
            if place < at + len(patch) and at < place + len(content):
                changed = bytearray(content)
                first, last = max(at, place), min(at + len(patch), place + len(content))
                changed[first - place : last - place] = patch[first - at : last - at]
                content = bytes(changed)
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place and return it."""
        return self._file.seek(offset + (self._start if whence == os.SEEK_SET else 0), whence) - self._start

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell() - self._start
