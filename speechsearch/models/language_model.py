"""A language model of a card's files, by what computes it best here."""

from __future__ import annotations

from speechsearch.models.base import LanguageModel
from speechsearch.models.causal_lm import TransformersLanguageModel, open_network
from speechsearch.models.load import Located


def load(located: Located) -> LanguageModel:
    """Return the language model.

    Raises:
        ModelUnavailableError: its files cannot be read, or are of no language model that is known.
        CapabilityError, MissingDependencyError: four bits are asked for where there are none.
    """
    return TransformersLanguageModel(located.card.name, open_network(located))
