"""The place of one model in a process: empty, or loaded and in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import RLock
from typing import Any, Generic, TypeVar

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.card import ModelCard, Task

Model = TypeVar("Model")


class Slot(Generic[Model]):
    """Holds one model; who uses it uses the models that it needs too, so those are never let go of before it."""

    def __init__(
        self,
        card: ModelCard,
        make: Callable[[ModelCard, Mapping[str, Any]], Model],
        slot_of: Callable[[Task, str], Slot[Any]],
        clock: Callable[[], float],
    ) -> None:
        """``make`` loads the model of a card, given what it needs; ``slot_of`` finds the places of those."""
        self.card = card
        self._make, self._slot_of, self._clock = make, slot_of, clock
        self._lock = RLock()
        self._is_entering = False
        self._model: Model | None = None
        self._needed: dict[str, Any] = {}
        self._users = 0
        self._used_s = clock()

    @contextmanager
    def use(self) -> Iterator[Model]:
        """Give the model, loaded now if it is not; while it is in use it stays.

        Raises:
            MissingDependencyError, ModelUnavailableError: it cannot be loaded.
        """
        with ExitStack() as stack:
            with self._lock:
                if self._is_entering:
                    raise ModelUnavailableError(f"The {self.card.task} '{self.card.name}' needs itself.")
                self._is_entering = True
                try:
                    slots = [self._slot_of(task, name) for task, name in self.card.needs]
                    needed = {slot.card.name: stack.enter_context(slot.use()) for slot in slots}
                    if self._model is None or any(needed[name] is not self._needed[name] for name in needed):
                        self._model, self._needed = self._make(self.card, needed), needed
                finally:
                    self._is_entering = False
                model = self._model
                self._users += 1
            try:
                yield model
            finally:
                with self._lock:
                    self._users -= 1
                    self._used_s = self._clock()

    @property
    def is_loaded(self) -> bool:
        """Whether the model is in memory; not asked under the lock, which is held while it loads."""
        return self._model is not None

    def release(self, older_than_s: float) -> bool:
        """Let go of the model if nobody has used it for so long; say whether there was one to let go of."""
        with self._lock:
            is_idle = self._model is not None and not self._users and self._clock() - self._used_s >= older_than_s
            if is_idle:
                self._model, self._needed = None, {}
            return is_idle
