"""Which of a film's sound tracks are heard: all of one language, mixed; the others are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from speechsearch.audio.container import READABLE
from speechsearch.domain.errors import DecodeError

UNKNOWN = ("", "und", "mis", "mul", "zxx")


@dataclass(frozen=True, slots=True)
class Choice:
    """The places of the chosen tracks among the file's, the codec of each of the file's, and what to say about it."""

    indexes: tuple[int, ...]
    codecs: tuple[str, ...]
    notes: tuple[str, ...]


def choose(streams: Sequence[Any], name: str, named: Sequence[str] = ()) -> Choice:
    """Return which audio streams of a file to mix: those in the language of the one that players play, or in none.

    Comments on a film and descriptions for the blind are left out of the mixture.

    ``named``: the codecs that the file itself names.

    Raises:
        DecodeError: there is none, or none that can be decoded.
    """
    from av.stream import Disposition

    if not streams:
        raise DecodeError(f"{name} holds no sound.", READABLE)
    codecs = tuple(_codec(stream) for stream in streams)
    usable = [index for index, stream in enumerate(streams) if stream.codec_context is not None]
    if not usable:
        raise DecodeError(
            f"{name} holds sound in a codec that we cannot decode ({', '.join(named) or 'without a name'}).",
            "If it is protected, only its own program can play it; else let that save it as wav or mp3.",
        )
    notes = [f"Its track {_label(streams[index], index)} is in a codec that we cannot decode and was left out."
             for index in range(len(streams)) if index not in usable]  # fmt: skip
    played = [index for index in usable if not is_beside(streams[index])] or usable
    first = next((index for index in played if streams[index].disposition & Disposition.default), played[0])
    spoken = language_of(streams[first])
    chosen = [index for index in played if index == first or language_of(streams[index]) in ("", spoken)]
    others = [index for index in usable if index not in chosen]
    if len(chosen) > 1:
        names = ", ".join(_label(streams[index], index) for index in chosen)
        notes.append(f"Its {len(chosen)} sound tracks were mixed: {names}.")
    if others:
        names = ", ".join(_label(streams[index], index) for index in others)
        notes.append(
            f"Of its sound tracks, {_label(streams[first], first)} was taken in; those in other languages or beside it "
            f"were left out: {names}. To take one in, save it: ffmpeg -i film -map 0:a:{others[0]} track.flac."
        )
    return Choice(tuple(chosen), codecs, tuple(notes))


def is_beside(stream: Any) -> bool:
    """Say whether a track comments on or describes what is heard in another."""
    from av.stream import Disposition

    return bool(stream.disposition & (Disposition.comment | Disposition.visual_impaired | Disposition.descriptions))


def language_of(stream: Any) -> str:
    """Return the language that a track names, empty if it names none."""
    named = str(stream.metadata.get("language", "")).strip().lower()[:20]
    return "" if named in UNKNOWN else named


def _codec(stream: Any) -> str:
    context = stream.codec_context
    return str(context.name) if context is not None else "unknown"


def _label(stream: Any, index: int) -> str:
    """Return a track's number, title and language."""
    title = " ".join(str(stream.metadata.get("title", "")).split())[:60]
    told = ", ".join(text for text in (title, language_of(stream)) if text and text.isprintable())
    return f"{index + 1} ({told})" if told else str(index + 1)
