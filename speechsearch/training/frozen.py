"""The frozen models that recipes build on."""

from __future__ import annotations

from speechsearch.models.bert import BertTextEncoder
from speechsearch.models.built_in import MINI
from speechsearch.models.catalog import catalog
from speechsearch.models.load import ModelLoader


def text_encoder() -> BertTextEncoder:
    """Return the text encoder that the shipped adapter is trained for, on the CPU."""
    ((task, name),) = MINI.needs
    found: BertTextEncoder = ModelLoader(catalog(), device="cpu").model(task, name)
    return found
