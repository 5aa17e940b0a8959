"""The parameters of OpenAI's audio routes: the fields of a form, read and checked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from speechsearch.api.openai_errors import ParameterError

LONGEST_PROMPT = 4000
MOST_KEYWORDS = 100
Format = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
Granularity = Literal["word", "segment"]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
_FIELD = re.compile(r"(\w+)(?:\[(\w*)\])?", re.ASCII)


class ServerVad(BaseModel):
    """How a recording is to be cut at pauses. It always is; these numbers change nothing."""

    type: Literal["server_vad"]
    prefix_padding_ms: int = Field(300, ge=0)
    silence_duration_ms: int = Field(200, ge=0)
    threshold: float = Field(0.5, ge=0, le=1)


class AudioForm(BaseModel):
    """What both routes take. ``temperature`` is checked and not used: the likeliest text is always written."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(max_length=200)
    prompt: str = Field("", max_length=LONGEST_PROMPT)
    response_format: Format = "json"
    temperature: float = Field(0.0, ge=0, le=1)


class TranslationForm(AudioForm):
    """The parameters of a translation."""

    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"


class TranscriptionForm(AudioForm):
    """The parameters of a transcription."""

    language: Language | None = None
    languages: list[Language] = []
    keywords: list[Annotated[str, Field(max_length=200)]] = Field([], max_length=MOST_KEYWORDS)
    timestamp_granularities: list[Granularity] = ["segment"]
    stream: bool = False
    include: list[Literal["logprobs"]] = []
    chunking_strategy: ServerVad | Literal["auto"] | None = None
    known_speaker_names: list[str] = []
    known_speaker_references: list[str] = []


AForm = TypeVar("AForm", bound=AudioForm)


def form_of(kind: type[AForm], fields: Iterable[tuple[str, str]]) -> AForm:
    """Return the parameters of a form.

    Raises:
        ParameterError: one is missing, unknown, or has a value that does not fit.

    >>> form_of(TranscriptionForm, [("model", "whisper-1"), ("timestamp_granularities[]", "word")]).stream
    False
    >>> form_of(TranslationForm, [("model", "whisper-1"), ("beam", "5")])
    Traceback (most recent call last):
        ...
    speechsearch.api.openai_errors.ParameterError: Unknown parameter: 'beam'.
    """
    try:
        return kind.model_validate(nested(kind, fields))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0])[:80]
        said, reason = {
            "missing": (f"Missing required parameter: '{name}'.", "missing_required_parameter"),
            "extra_forbidden": (f"Unknown parameter: '{name}'.", "unknown_parameter"),
        }.get(first["type"], (f"Invalid value for '{name}': {first['msg']}.", "invalid_value"))
        raise ParameterError(said, "", name, reason) from None


def nested(kind: type[AudioForm], fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the fields of a form as a JSON object: ``a[]`` is an item of a list, ``a[b]`` a member of an object.

    >>> pairs = [("model", "m"), ("include[]", "logprobs"), ("chunking_strategy[type]", "server_vad")]
    >>> nested(TranscriptionForm, pairs)
    {'model': 'm', 'include': ['logprobs'], 'chunking_strategy': {'type': 'server_vad'}}
    >>> nested(TranscriptionForm, [("chunking_strategy", '{"type": "server_vad"}'), ("include", "logprobs")])
    {'chunking_strategy': {'type': 'server_vad'}, 'include': ['logprobs']}
    """
    found: dict[str, Any] = {}
    lists = {name for name, field in kind.model_fields.items() if "list[" in str(field.annotation)}
    for field, value in fields:
        match = _FIELD.fullmatch(field)
        name, key = (match[1], match[2]) if match else (field, None)
        if key:
            members = found.setdefault(name, {})
            if isinstance(members, dict):
                members[key] = value
        elif key == "" or name in lists:
            items = found.setdefault(name, [])
            if isinstance(items, list):
                items.append(value)
        else:
            found[name] = _object(value) if name == "chunking_strategy" else value
    return found


def _object(value: str) -> Any:
    """Return what a field holds that may be a word or a JSON object."""
    try:
        return json.loads(value) if value.startswith("{") else value
    except (ValueError, RecursionError):
        return value
