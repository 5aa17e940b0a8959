"""Open sound with ffmpeg (through PyAV, which brings its own copy): one way for every format.

Nothing that a file says of its length is believed; what can be decoded is. A note tells of all that is left out.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from speechsearch.audio.choice import choose
from speechsearch.audio.container import Container, codecs_named, identify
from speechsearch.audio.patched import View
from speechsearch.audio.track import Track
from speechsearch.domain.errors import DecodeError, MissingDependencyError
from speechsearch.domain.times import clock


@dataclass(slots=True)
class Sound:
    """An open file: its tracks, to be heard at the same time, and what is to be said about it, complete at the end."""

    container: Container
    tracks: list[Track]
    notes: list[str] = field(default_factory=list)

    @property
    def stated_s(self) -> float:
        """The length that the header promises, 0 where it does not."""
        return max(track.info.duration_s for track in self.tracks)

    def left_out(self, decoded_s: float) -> list[str]:
        """Return what is to be said once all of it has been decoded."""
        notes = [*self.notes, *(note for track in self.tracks for note in track.notes())]
        promised_s = self.stated_s - max(track.jumps_s for track in self.tracks)
        if decoded_s < promised_s - max(0.5, 0.01 * promised_s):
            there, promised = clock(decoded_s), clock(promised_s)
            notes.append(f"The file ends at {there} of the {promised} that its header promises; the rest is not in it.")
        return notes


def name_of(source: Path | bytes) -> str:
    """Return how messages name a source.

    >>> name_of(Path("talks/monday.mp3"))
    'monday.mp3'
    """
    return source.name if isinstance(source, Path) else "The recording"


@contextmanager
def open_sound(source: Path | bytes, name: str = "") -> Iterator[Sound]:
    """Open a file or its bytes by content; ``name``: how messages call it.

    Raises:
        DecodeError: it cannot be opened, is not sound, or turns out to be damaged while it is read.
    """
    name = name or name_of(source)
    if isinstance(source, Path) and source.exists() and not source.is_file():
        raise DecodeError(f"{name} is not a file.")
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError(f"{name} needs the package av (ffmpeg).", "pip install av") from error
    try:
        with ExitStack() as stack:
            file = stack.enter_context(_opened(source))
            container = identify(file, name)
            first = stack.enter_context(_av_opened(file, container))
            streams = list(first.streams.audio)
            is_known = any(stream.codec_context is not None for stream in streams)
            choice = choose(streams, name, () if is_known else codecs_named(file, container))
            sound = Sound(container, [], [note for note in (container.note, *choice.notes) if note])
            for index in choice.indexes:
                opened = first
                if index:  # a reader of its own, since the packets of two tracks may lie far apart in the file
                    again = stack.enter_context(_opened(source))
                    opened = stack.enter_context(_av_opened(again, container))
                sound.tracks.append(Track(opened, index, container, name, choice))
            yield sound
    except av.FFmpegError as error:
        raise _unreadable(error, name) from error
    except OSError as error:
        if error.errno is None:
            raise
        raise DecodeError(f"{name} cannot be opened: {error.strerror}.") from error


def _opened(source: Path | bytes) -> BinaryIO:
    return source.open("rb") if isinstance(source, Path) else io.BytesIO(source)


def _av_opened(file: BinaryIO, container: Container) -> Any:
    import av

    if container.start or container.patches:
        file = cast(BinaryIO, View(file, container.start, container.patches))
    file.seek(0)
    return av.open(file, format=container.format, metadata_errors="ignore")


def _unreadable(error: Exception, name: str) -> DecodeError:
    if isinstance(error, MemoryError):
        raise error
    reason = getattr(error, "strerror", None) or str(error)
    hint = "If it was cut off, copy it again; else turn what is there into a new file: ffmpeg -i broken new.wav."
    return DecodeError(f"{name} is damaged or not sound: {reason}.", hint)
