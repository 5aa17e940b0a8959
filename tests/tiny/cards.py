"""Tiny random models as ordinary cards: made once, kept in a folder as a user keeps models, loaded like all others."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from speechsearch.models.card import Task
from speechsearch.models.catalog import Catalog, catalog
from speechsearch.models.load import ModelLoader
from tests.tiny import (
    adapters,
    bert,
    checkpoints,
    codecs,
    frames,
    hubert,
    language,
    onnx_asr,
    reader,
    rvq,
    similar,
    speaker,
    texts,
    whisper,
)

RECOGNIZERS = (
    checkpoints.WAV2VEC2,
    checkpoints.PARAKEET_CTC,
    checkpoints.PARAKEET_TDT,
    checkpoints.WHISPER,
    checkpoints.MOONSHINE,
    checkpoints.QWEN3,
    onnx_asr.CTC,
    onnx_asr.TDT,
    onnx_asr.RNNT,
    onnx_asr.AED,
)
CODECS = (codecs.MIMI, codecs.ENCODEC, codecs.DAC)
LANGUAGE_MODELS = (language.LLAMA, language.QWEN3, language.GGUF)
FAMILIES = (
    bert, whisper, hubert, speaker, reader, rvq, similar, *CODECS, *RECOGNIZERS, *LANGUAGE_MODELS, *texts.ALL,
    *frames.ALL, *adapters.ALL,
)  # fmt: skip
"""``CARD`` lacks only the files, which ``save`` writes into a folder."""


def names(task: Task) -> list[str]:
    """The models of a task: built-in, of installed plug-ins, tiny."""
    return [card.name for card in (*catalog().cards, *(family.CARD for family in FAMILIES)) if card.task == task]


@cache
def tiny_catalog(folder: Path) -> Catalog:
    """Write the tiny models into a folder, once, and return their cards beside all others."""
    found = catalog()
    for family in FAMILIES:
        found = found.add(family.save(folder / family.CARD.name))
    return found


def tiny_loader(folder: Path) -> ModelLoader:
    """A loader of all models on the CPU, in the precision that every machine has."""
    return ModelLoader(tiny_catalog(folder), folder, device="cpu", dtype="float32")
