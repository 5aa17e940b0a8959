"""A language model of a card's files, by what computes it here: CTranslate2 on a CPU where it can, else PyTorch."""

from __future__ import annotations

from speechsearch.models.base import LanguageModel
from speechsearch.models.language_conversion import is_convertible
from speechsearch.models.load import Located


def load(located: Located) -> LanguageModel:
    """Return the language model.

    Raises:
        ModelUnavailableError: its files cannot be read, or are of no language model that is known.
        CapabilityError, MissingDependencyError: four bits are asked for where there are none.
    """
    if located.device.name == "cpu" and located.bits != 4 and is_convertible(located.files):
        from speechsearch.models import ctranslate2_lm

        return ctranslate2_lm.load(located)
    from speechsearch.models.causal_lm import TransformersLanguageModel, open_network

    return TransformersLanguageModel(located.card.name, open_network(located))
