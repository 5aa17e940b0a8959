"""Sounds that were sent beforehand, until they are understood: for a while, and never under a name of the disk."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from speechsearch.api.doors import LONGEST_QUESTION_BYTES
from speechsearch.api.throttle import VISITORS_AN_ADDRESS
from speechsearch.domain.errors import NotFoundError, TooManyError
from speechsearch.domain.visitors import Visitor

KEPT_S = 900.0
VISITOR_BYTES = 2 * LONGEST_QUESTION_BYTES
ADDRESS_BYTES = VISITORS_AN_ADDRESS * VISITOR_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A sound: a file without a name, which is gone when nobody holds it, and whose it is."""

    file: IO[bytes]
    size_bytes: int
    visitor_id: str
    address: str
    came_s: float


class SentSounds:
    """The sounds of all visitors, by random ids."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._kept: dict[str, Kept] = {}
        weakref.finalize(self, close_all, self._kept)

    def keep(self, content: bytes, visitor: Visitor) -> str:
        """Return the id of a sound that is kept from now on; the visitor's oldest go where there is no room.

        Raises:
            TooManyError: the visitor's address has too much here.
        """
        with self._lock:
            now_s = self._clock()
            for name in [name for name, one in self._kept.items() if now_s - one.came_s >= KEPT_S]:
                self._kept.pop(name).file.close()
            here_bytes = sum(one.size_bytes for one in self._kept.values() if one.address == visitor.address)
            if here_bytes + len(content) > ADDRESS_BYTES:
                raise TooManyError("Too many sounds were sent from this address.", "Try again later.")
            mine = [(name, one) for name, one in self._kept.items() if one.visitor_id == visitor.visitor_id]
            held_bytes = sum(one.size_bytes for _, one in mine)
            for name, one in mine:  # the oldest first
                if held_bytes + len(content) <= VISITOR_BYTES:
                    break
                held_bytes -= one.size_bytes
                self._kept.pop(name).file.close()
            file = tempfile.TemporaryFile()
            file.write(content)
            upload_id = secrets.token_hex(16)
            self._kept[upload_id] = Kept(file, len(content), visitor.visitor_id, visitor.address, now_s)
        return upload_id

    def content(self, upload_id: str, visitor: Visitor) -> bytes:
        """Return the bytes of a sound of the visitor's own. Raises NotFoundError."""
        with self._lock:
            kept = self._kept.get(upload_id)
            is_there = kept is not None and self._clock() - kept.came_s < KEPT_S
            if kept is None or not is_there or kept.visitor_id != visitor.visitor_id:
                raise NotFoundError(
                    "There is no such upload.",
                    f"It is kept for {KEPT_S / 60:.0f} minutes, for who sent it; send it again.",
                )
            kept.file.seek(0)
            return kept.file.read()


def close_all(kept: dict[str, Kept]) -> None:
    """Close the files of sounds."""
    for one in kept.values():
        one.file.close()
