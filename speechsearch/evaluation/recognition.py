"""How fast a recogniser writes, and how many words of it are wrong, on a folder of clips."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechsearch import audio
from speechsearch.domain.errors import InputError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio
from speechsearch.evaluation.metrics import word_error_rate
from speechsearch.models.base import Recognizer

TABLE = "transcripts.tsv"
BATCH = 16
LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip and what is said in it; empty where nobody wrote that down."""

    name: str
    path: Path
    text: str = ""


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a recogniser made of some clips; ``word_error_rate`` is None where nothing says what was said.

    ``rate``: seconds of sound a second, after a first clip that loads the model.
    """

    recognizer: str
    texts: tuple[str, ...]
    rate: float
    word_error_rate: float | None


def clips_in(folder: Path, is_sound: Callable[[str], bool], most: int) -> list[Clip]:
    """Return the first clips of a folder, by name: those of ``transcripts.tsv`` where there is one, else all.

    The table has a line a clip: id, seconds, text, with tabs between; the clip is ``audio/<id>.<ending>`` or lies
    beside the table. Else what is said stands in a text file of the clip's name.

    Raises:
        InputError: there is no such folder, or no clip in it.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder '{folder}'.")
    place = folder / "audio" if (folder / "audio").is_dir() else folder
    sounds = {path.stem: path for path in sorted(place.iterdir()) if path.is_file() and is_sound(path.name)}
    if (folder / TABLE).is_file():
        rows = [line.split("\t") for line in (folder / TABLE).read_text(encoding="utf-8").splitlines()]
        said = {row[0]: row[2] for row in rows if len(row) == 3 and row[0] in sounds}
    else:
        texts = {name: path.with_suffix(".txt") for name, path in sounds.items()}
        said = {name: path.read_text(encoding="utf-8") if path.is_file() else "" for name, path in texts.items()}
    clips = [Clip(name, sounds[name], text.strip()) for name, text in sorted(said.items())]
    if not clips:
        raise InputError(f"There are no clips in '{folder}'.", f"Put sound files there, and {TABLE} if you have it.")
    return clips[:most]


def sounds_of(clips: Sequence[Clip]) -> list[Audio]:
    """Return the sound of clips. Raises DecodeError, TooLongError: longer than a minute, TooLargeError."""
    return [audio.load(clip.path, Limits(), LONGEST_S, clip.path.name) for clip in clips]


def recognised(recognizer: Recognizer, clips: Sequence[Clip], sounds: Sequence[Audio]) -> Recognition:
    """Return what a recogniser makes of clips, how fast, and how many of the words that are known it gets wrong."""
    recognizer.transcribe(sounds[:1])
    began_s = time.perf_counter()
    batches = (sounds[start : start + BATCH] for start in range(0, len(sounds), BATCH))
    texts = tuple(said.text for batch in batches for said in recognizer.transcribe(batch))
    spent_s = time.perf_counter() - began_s
    rate = sum(sound.duration_s for sound in sounds) / max(1e-9, spent_s)
    errors = word_error_rate([clip.text for clip in clips], texts) if any(clip.text for clip in clips) else None
    return Recognition(recognizer.name, texts, rate, errors)
