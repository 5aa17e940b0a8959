"""The two libraries that decode: libsndfile and ffmpeg (through PyAV, which brings its own copy)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from speechsearch.audio.container import CUT_OFF, READABLE, Container, identify
from speechsearch.audio.mpeg import Rest, place_of
from speechsearch.domain.errors import DecodeError, MissingDependencyError

PREROLL_S = 0.5  # a decoder needs some packets before the first sound is right
GAP_S = 0.05  # a jump in the time stamps that is more than rounding


@dataclass(frozen=True, slots=True)
class SoundInfo:
    """What a file holds; ``duration_s`` is 0 as long as only decoding can tell it."""

    duration_s: float
    sample_rate_hz: int
    channels: int
    format: str


class Reader(Protocol):
    """An open file."""

    info: SoundInfo

    def blocks(self, start_s: float = 0.0) -> Iterator[NDArray[np.float32]]:
        """Yield the sound from ``start_s`` on, (samples, channels) float32, in blocks of about a second."""


def name_of(source: Path | bytes) -> str:
    """Return how messages name a source.

    >>> name_of(Path("talks/monday.mp3"))
    'monday.mp3'
    """
    return source.name if isinstance(source, Path) else "The recording"


@contextmanager
def open_reader(source: Path | bytes) -> Iterator[Reader]:
    """Open a file or its bytes by content.

    Raises:
        DecodeError: it cannot be opened, is not sound, or turns out to be damaged while it is read.
    """
    name = name_of(source)
    if isinstance(source, Path) and source.exists() and not source.is_file():
        raise DecodeError(f"{name} is not a file.")
    try:
        file: BinaryIO = source.open("rb") if isinstance(source, Path) else io.BytesIO(source)
    except OSError as error:
        raise DecodeError(f"{name} cannot be opened: {error.strerror}.") from error
    with file:
        container = identify(file, name)
        opened = _libsndfile(file, name) if container.reader == "libsndfile" else _ffmpeg(file, container, name)
        with opened as reader:
            yield reader


@contextmanager
def _libsndfile(file: BinaryIO, name: str) -> Iterator[Reader]:
    try:
        # A file number instead of the file spares a call into Python for every few bytes.
        with ForwardFile(file if isinstance(file, io.BytesIO) else file.fileno(), closefd=False) as sound:
            yield SoundFileReader(sound)
    except soundfile.LibsndfileError as error:
        raise DecodeError(f"{name} is damaged or not sound: {error.error_string or 'bad data'}", READABLE) from error


class ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file read in order; ``soundfile`` otherwise seeks after each read, which damages the next frames of an MP3."""

    def seekable(self) -> bool:
        """Return False; ``seek`` works all the same."""
        return False


class SoundFileReader:
    """Reads wav, flac, mp3, Ogg Vorbis and the like with libsndfile."""

    def __init__(self, sound: soundfile.SoundFile) -> None:
        self._sound = sound
        duration_s = sound.frames / sound.samplerate
        self.info = SoundInfo(duration_s, sound.samplerate, sound.channels, sound.format.lower())

    def blocks(self, start_s: float = 0.0) -> Iterator[NDArray[np.float32]]:
        """Yield the sound from ``start_s`` on, (samples, channels) float32, in blocks of a second."""
        rate_hz = self.info.sample_rate_hz
        start = min(round(start_s * rate_hz), self._sound.frames)
        early = min(start, round(PREROLL_S * rate_hz))
        self._sound.seek(start - early)
        while len(block := self._sound.read(rate_hz + early, dtype="float32", always_2d=True)):
            yield block[early:]
            early = 0


@contextmanager
def _ffmpeg(file: BinaryIO, container: Container, name: str) -> Iterator[Reader]:
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError(f"{name} needs the package av (ffmpeg).", "pip install av") from error
    try:
        with av.open(file, format=container.name, metadata_errors="ignore") as opened:
            if not opened.streams.audio:
                raise DecodeError(f"{name} holds no sound.", READABLE)
            reader = FfmpegReader(opened, container, name)
            yield MpegReader(file, reader, container, name) if container.name == "mp3" else reader
    except av.FFmpegError as error:
        raise DecodeError(f"{name} is damaged or not sound: {error.strerror}.", CUT_OFF) from error


class FfmpegReader:
    """Reads Opus, m4a, mp4, webm, aac and mp3 without a length header with ffmpeg, on the file's own time line."""

    def __init__(self, opened: Any, container: Container, name: str) -> None:
        self._opened = opened
        self._stream = opened.streams.audio[0]
        self._container = container
        self._name = name
        rate_hz, channels = self._stream.rate or 0, self._stream.channels or 0
        if not rate_hz or not channels:
            raise DecodeError(f"{name} is damaged: it names no sample rate or no channels.", READABLE)
        duration_s = self._stated_duration_s() if container.has_length else 0.0
        self.info = SoundInfo(duration_s, rate_hz, channels, self._stream.codec_context.name)

    def _stated_duration_s(self) -> float:
        """Return the length in the header, 0 where it may be that of the pictures."""
        if self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        return (self._opened.duration or 0) / 1e6 if len(self._opened.streams) == 1 else 0.0

    def blocks(self, start_s: float = 0.0) -> Iterator[NDArray[np.float32]]:
        """Yield the sound from ``start_s`` on, mixed to (samples, 1) float32, in blocks of about a second."""
        if self._container.is_seekable and start_s > PREROLL_S:
            base_s = (self._stream.start_time or 0) * self._stream.time_base
            goal = int((Fraction(start_s - PREROLL_S) + base_s) / self._stream.time_base)
            self._opened.seek(goal, stream=self._stream, backward=True)
        skip = round(start_s * self.info.sample_rate_hz)
        waiting: list[NDArray[np.float32]] = []
        count = 0
        for begin, samples in self._placed(skip):
            waiting.append(samples[max(0, skip - begin) :])
            count += len(waiting[-1])
            if count >= self.info.sample_rate_hz:
                yield np.concatenate(waiting)
                waiting, count = [], 0
        if waiting and len(rest := np.concatenate(waiting)):
            yield rest

    def _placed(self, start: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield where each decoded frame begins and its samples; what is missing after ``start`` is silence."""
        rate_hz = self.info.sample_rate_hz
        base = self._stream.start_time or 0
        samples_a_tick = float(self._stream.time_base * rate_hz)
        position: int | None = None
        for stamp, samples in self._frames():
            begin = position if stamp is None else round((stamp - base) * samples_a_tick)
            begin = begin or 0
            if position is None:
                position = min(max(0, begin), start) if self._container.is_seekable else 0
            while self._container.is_seekable and begin - position > GAP_S * rate_hz:
                hole = min(begin - position, rate_hz)
                yield position, np.zeros((hole, 1), np.float32)
                position += hole
            yield position, samples
            position += len(samples)

    def _frames(self) -> Iterator[tuple[int | None, NDArray[np.float32]]]:
        """Yield time stamp and samples of each frame; packets that cannot be decoded are left out."""
        import av

        good, bad = 0, 0
        to_float = av.AudioResampler(format="fltp", rate=self.info.sample_rate_hz)
        for packet in self._opened.demux(self._stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                bad += 1  # a hole of a few milliseconds
                continue
            good += 1
            for frame in frames:
                is_ready = frame.format.name == "fltp" and frame.sample_rate == self.info.sample_rate_hz
                try:
                    parts = [frame] if is_ready else to_float.resample(frame)
                except ValueError as error:
                    raise DecodeError(f"{self._name} changes its sample format on the way.", CUT_OFF) from error
                for part in parts:
                    yield frame.pts, _mixed(part.to_ndarray())
        if bad > good:
            raise DecodeError(f"{self._name} is damaged or not sound.", READABLE)


class MpegReader:
    """Reads an MP3 without a length header: late moments from a frame shortly before them on, not from the start."""

    def __init__(self, file: BinaryIO, reader: FfmpegReader, container: Container, name: str) -> None:
        self._file, self._reader, self._container, self._name = file, reader, container, name
        self.info = reader.info

    def blocks(self, start_s: float = 0.0) -> Iterator[NDArray[np.float32]]:
        """Yield the sound from ``start_s`` on, mixed to (samples, 1) float32, in blocks of about a second."""
        early = round((start_s - PREROLL_S) * self.info.sample_rate_hz)
        place = place_of(self._file, early) if early > 0 and not isinstance(self._file, io.BytesIO) else None
        if place is None:
            yield from self._reader.blocks(start_s)
            return
        import av

        start_bytes, start_samples = place
        with av.open(Rest(self._file, start_bytes), format="mp3", metadata_errors="ignore") as opened:
            rest = FfmpegReader(opened, self._container, self._name)
            yield from rest.blocks(start_s - start_samples / self.info.sample_rate_hz)


def _mixed(planes: NDArray[Any]) -> NDArray[np.float32]:
    """Return the mean of the channels as (samples, 1); their number may change within a file.

    >>> _mixed(np.array([[0.0, 1.0], [1.0, 1.0]], np.float32)).tolist()
    [[0.5], [1.0]]
    """
    mono = planes[0] if len(planes) == 1 else planes.mean(axis=0)
    result: NDArray[np.float32] = mono.astype(np.float32, copy=False)[:, None]
    return result
