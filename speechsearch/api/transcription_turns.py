"""Whose file is written down next: nobody waits behind another's flood, or until another's long file is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from speechsearch.domain.errors import TooManyError

AT_ONCE = 4
"""So many files are open; a recogniser keeps all processors busy with one piece of one of them."""
A_VISITOR = 16
AN_ADDRESS = 48


@dataclass(slots=True, eq=False)
class Place:
    """A request that arrives, waits, or is being answered: as whose it counts, from which address."""

    visitor: str
    address: str
    is_running: bool = False
    may_run: anyio.Event = field(default_factory=anyio.Event)


class Turns:
    """The requests of one server, all on the thread of its event loop.

    ``piece``: is held while a piece of a file is written down; those who wait for it get it in the order they came.
    """

    def __init__(self, at_once: int = AT_ONCE, a_visitor: int = A_VISITOR, an_address: int = AN_ADDRESS) -> None:
        """``at_once`` may run: one of each visitor's, of an address half of them.

        ``a_visitor``, ``an_address``: how many each may have here.
        """
        self._at_once, self._a_visitor, self._an_address = at_once, a_visitor, an_address
        self.piece = anyio.Lock()
        self._places: list[Place] = []
        self._waiting: list[Place] = []
        self._last: dict[str, int] = {}
        self._begun = 0

    @contextmanager
    def place(self, visitor: str, address: str) -> Iterator[Place]:
        """Count a request as long as it is here.

        Raises:
            TooManyError: the visitor or the address has too many.
        """
        own = sum(one.visitor == visitor for one in self._places)
        here = sum(one.address == address for one in self._places)
        if own >= self._a_visitor or here >= self._an_address:
            raise TooManyError("Too many of your files are here already.", "Try again when some are written down.")
        place = Place(visitor, address)
        self._places.append(place)
        try:
            yield place
        finally:
            self._places.remove(place)
            if place in self._waiting:
                self._waiting.remove(place)
            self._go_on()

    async def begin(self, place: Place) -> None:
        """Wait until it is a place's turn, which lasts until it is left."""
        self._waiting.append(place)
        self._go_on()
        await place.may_run.wait()

    def _go_on(self) -> None:
        """Let those run whose turn it is: of the visitors without one, who has waited longest since the last turn."""
        while True:
            running = [one for one in self._places if one.is_running]
            visitors, addresses = {one.visitor for one in running}, Counter(one.address for one in running)
            most = max(1, self._at_once // 2)
            free = [one for one in self._waiting if one.visitor not in visitors and addresses[one.address] < most]
            if not free or len(running) >= self._at_once:
                return
            place = min(free, key=lambda one: self._last.get(one.visitor, -1))  # the first of equals
            here = {one.visitor for one in self._places}
            self._last = {visitor: turn for visitor, turn in self._last.items() if visitor in here}
            self._last[place.visitor] = self._begun
            self._begun += 1
            self._waiting.remove(place)
            place.is_running = True
            place.may_run.set()
