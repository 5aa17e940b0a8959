"""What a driver hands to its actors, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ingest.pipeline import FileResult
from ingest.sources import Source
from speechsearch.library.second_pass import Unmade


@dataclass(frozen=True, slots=True)
class How:
    """How recordings are taken in.

    ``collection``: its name in the store; ``is_retried``: what was set aside is tried again; ``wants_passes``: also
    transcripts and who speaks.
    """

    collection: str
    wants_transcripts: bool = True
    is_retried: bool = False
    wants_passes: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """A recording to be taken in, or one that is there (``recording_id``) and lacks what later passes make.

    ``addresses``: files of the source that are fetched first -> where from. ``place`` and ``version``: where it lies
    for good, so that it is not read again when it is done; empty for what was unpacked. ``is_retried``: it is tried
    though it was set aside.
    """

    name: str
    source: Source | None = None
    addresses: Mapping[Path, str] = field(default_factory=dict)
    place: str = ""
    version: str = ""
    recording_id: str = ""
    is_retried: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a task.

    "done": there are results, failures among them. "busy": another driver's actor is at this recording. "lost": the
    database, the index or the sound files could not be reached. "died": the actor's process ended.
    """

    state: Literal["done", "busy", "lost", "died"]
    results: tuple[FileResult | Unmade, ...] = ()
    recording_id: str = ""
    message: str = ""


def set_aside(name: str, tries: int, message: str) -> str:
    """Return that a recording is not tried any more, in words.

    >>> set_aside("a.mp3", 3, "The process ended.")
    "'a.mp3' is set aside: it failed 3 times. The process ended. To try it again: --retry."
    """
    return f"'{name}' is set aside: it failed {tries} times. {message} To try it again: --retry."
