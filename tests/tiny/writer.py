"""A language model that writes what it is given, and waits or fails where it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.base import Message

WRITTEN = ("Anna built it [1].", " Bob sold", " it [2].", " Ann")


@dataclass
class Writer:
    """Writes given pieces; at one of them it waits until it may go on, or fails."""

    pieces: Sequence[str] = WRITTEN
    waits_at: int = -1
    fails_at: int = -1
    failure: Exception = field(default_factory=lambda: ModelUnavailableError("The server is gone."))
    sent_to: str = ""
    name: str = "writer"
    may_go_on: threading.Event = field(default_factory=threading.Event)
    is_closed: threading.Event = field(default_factory=threading.Event)
    asked: list[Sequence[Message]] = field(default_factory=list)

    def generate(self, messages: Sequence[Message], max_tokens: int, stop: Sequence[str] = ()) -> Iterator[str]:
        """The pieces."""
        self.asked.append(messages)
        try:
            for number, piece in enumerate(self.pieces):
                if number == self.waits_at:
                    assert self.may_go_on.wait(30)
                if number == self.fails_at:
                    raise self.failure
                yield piece
        finally:
            self.is_closed.set()
