"""The only registry of models: the built-in cards and those of installed plug-ins.

A plug-in is a package with an entry point in the group ``speechsearch.models`` that names a ``ModelCard``, several, or
a function that returns one of these. The built-in cards come in by the same call. Nothing heavy is imported: a card
names its factory as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from speechsearch.domain.errors import ConfigurationError, DuplicateError, NotFoundError
from speechsearch.models.card import ModelCard, Task

GROUP = "speechsearch.models"
BUILT_IN = EntryPoint("built-in", "speechsearch.models.built_in:CARDS", GROUP)
Offered = ModelCard | Iterable[ModelCard] | Callable[[], ModelCard | Iterable[ModelCard]]


class Catalog:
    """The cards of all models; a card added makes another catalog."""

    def __init__(self, cards: Iterable[ModelCard] = ()) -> None:
        """Raises DuplicateError when two models of one task have the same name."""
        self._cards: dict[tuple[Task, str], ModelCard] = {}
        for card in cards:
            if (card.task, card.name) in self._cards:
                raise DuplicateError(f"There are two cards of a {card.task} '{card.name}'.", "Rename one of them.")
            self._cards[card.task, card.name] = card

    @property
    def cards(self) -> tuple[ModelCard, ...]:
        """All cards, in the order in which they came in."""
        return tuple(self._cards.values())

    def add(self, offered: Offered) -> Catalog:
        """Return a catalog that has what is offered too: a card, several, or a function that returns some.

        Raises:
            ConfigurationError: that is no card.
            DuplicateError: there is a model of this task and name already.
        """
        found = offered() if not isinstance(offered, ModelCard | tuple | list) and callable(offered) else offered
        cards = (found,) if isinstance(found, ModelCard) else tuple(found) if isinstance(found, Iterable) else (found,)
        for card in cards:
            if not isinstance(card, ModelCard):
                raise ConfigurationError(f"{card!r} is no ModelCard.", f"See the group {GROUP} of your plug-ins.")
        return Catalog((*self.cards, *cards))

    def of(self, task: Task) -> tuple[ModelCard, ...]:
        """Return the cards of a task."""
        return tuple(card for card in self.cards if card.task == task)

    def get(self, task: Task, name: str) -> ModelCard:
        """Return the card of a model.

        Raises:
            NotFoundError: there is none; the hint lists the choices.
        """
        if (task, name) not in self._cards:
            choices = ", ".join(card.name for card in self.of(task)) or "none is installed"
            raise NotFoundError(f"There is no {task} '{name}'.", f"Choose one of: {choices}.")
        return self._cards[task, name]


@cache
def catalog() -> Catalog:
    """Return the built-in cards and those of the installed plug-ins.

    Raises:
        ConfigurationError: a plug-in cannot be imported or offers no card.
        DuplicateError: two models of one task have the same name.
    """
    found = Catalog()
    for point in (BUILT_IN, *sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value))):
        try:
            offered = point.load()
        except (ImportError, AttributeError) as error:
            raise ConfigurationError(
                f"The plug-in '{point.name}' ({point.value}) cannot be imported: {error}.", "Mend or uninstall it."
            ) from error
        found = found.add(offered)
    return found
