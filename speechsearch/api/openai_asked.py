"""What a request to OpenAI's audio routes asks for, once its form is read: pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from speechsearch.api.openai_errors import ParameterError
from speechsearch.api.openai_forms import AudioForm, Format, Granularity, TranscriptionForm

STREAMED = ("json", "text", "diarized_json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for: which file, by which recogniser, how it is to be written.

    ``longest_s``: how long the file may be. ``language``: what is spoken, as ISO 639 writes it; None: what is heard.
    ``only_language``: the one that the recogniser knows, if it knows no other.
    """

    path: Path
    name: str
    model: str
    longest_s: float
    language: str | None = None
    only_language: str = ""
    hotwords: tuple[str, ...] = ()
    to_english: bool = False
    format: Format = "json"
    granularities: tuple[Granularity, ...] = ()


def asked_of(form: AudioForm, path: Path, name: str, model: str, longest_s: float, takes_hotwords: bool) -> Asked:
    """Return what a form asks for; a prompt is left out where the model takes none, as it is no more than a help.

    Raises:
        ParameterError: it asks for what cannot be given.
    """
    format, hotwords = form.response_format, words_of(form.prompt) if takes_hotwords else ()
    if not isinstance(form, TranscriptionForm):
        return Asked(path=path, name=name, model=model, longest_s=longest_s, to_english=True, format=format,
                     granularities=("segment",))  # fmt: skip
    check(form)
    return Asked(
        path=path,
        name=name,
        model=model,
        longest_s=longest_s,
        language=form.language or (form.languages[0] if len(form.languages) == 1 else None),
        hotwords=(*hotwords, *form.keywords),
        format=format,
        granularities=tuple(form.timestamp_granularities),
    )


def check(form: TranscriptionForm) -> None:
    """Do nothing if all that is asked for can be given.

    Raises:
        ParameterError: log probabilities are asked for, or known speakers, or a stream of a format that is no stream.
    """
    if form.include:
        raise ParameterError("No log probabilities of tokens are given here.", "", "include", "unsupported_value")
    if form.known_speaker_names or form.known_speaker_references:
        raise ParameterError(
            "Speakers cannot be named by examples here.",
            "They are called A, B and so on.",
            "known_speaker_names",
            "unsupported_parameter",
        )
    if form.stream and form.response_format not in STREAMED:
        raise ParameterError(
            f"'{form.response_format}' is not streamed.",
            f"Choose {', '.join(STREAMED)}.",
            "stream",
            "unsupported_value",
        )


def words_of(prompt: str) -> tuple[str, ...]:
    """Return the names and terms of a prompt: what stands between commas, semicolons and line breaks.

    >>> words_of("Wojciechowski, Qdrant Edge;")
    ('Wojciechowski', 'Qdrant Edge')
    """
    return tuple(part.strip() for part in re.split(r"[,;\n]", prompt) if part.strip())
