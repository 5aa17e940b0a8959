"""Decode one sound track, on the time line of its file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechsearch.audio.choice import Choice
from speechsearch.audio.container import ELEMENTARY, READABLE, TIMED, Container
from speechsearch.audio.frames import Converted
from speechsearch.domain.errors import DecodeError
from speechsearch.domain.times import clock

PREROLL_S = 0.5  # a decoder needs some packets before the first sound is right
GAP_S = 0.05  # a jump in the time stamps that is more than rounding
LONGEST_GAP_S = 3600.0
"""A longer one is a clock that was set or began anew, and no pause."""


@dataclass(frozen=True, slots=True)
class SoundInfo:
    """What a file holds; ``duration_s`` is what its header says, 0 where it does not."""

    duration_s: float
    sample_rate_hz: int
    channels: int
    format: str


class Track:
    """Reads one track, on the time line of the whole file: a film's sound may begin long after its pictures."""

    def __init__(self, opened: Any, index: int, container: Container, name: str, choice: Choice) -> None:
        self._opened, self._container, self._name = opened, container, name
        self._stream = opened.streams.audio[index]
        codec = choice.codecs[index]
        rate_hz, channels = self._stream.rate or 0, self._stream.channels or 0
        if not rate_hz or not channels:
            message = f"{name} is damaged: it names no sample rate or no channels for its sound ({codec})."
            raise DecodeError(message, READABLE)
        self.base_s = Fraction(0)
        if container.format in TIMED and opened.start_time and abs(opened.start_time) > 1e5:
            self.base_s = Fraction(opened.start_time, 10**6)
        self.start_s = float((self._stream.start_time or 0) * self._stream.time_base - self.base_s)
        self.info = SoundInfo(self._stated_s(), rate_hz, channels, codec)
        self._bad_s = self.jumps_s = 0.0

    def notes(self) -> list[str]:
        """Return what of the track could not be decoded, and what was not there."""
        notes = []
        if self._bad_s >= 0.1:
            notes.append(f"{self._bad_s:.1f} s of it are damaged and were left out.")
        if self.jumps_s:
            notes.append(f"Its time stamps jump by {clock(self.jumps_s)}; what comes after follows at once here.")
        return notes

    def _stated_s(self) -> float:
        """Return the length in the header, 0 where there is none or it may be that of the pictures."""
        container = self._container
        if container.format == "mp3":
            return container.table_s
        if container.format in ("aac", "amr", "mpegts", "mpeg"):  # there ffmpeg guesses
            return 0.0
        if self._stream.duration and container.format != "matroska":
            stated_s = float(self._stream.duration * self._stream.time_base)
        else:
            stated_s = (self._opened.duration or 0) / 1e6 if len(self._opened.streams) == 1 else 0.0
        start_s = self.start_s if container.format in TIMED and self._stream.duration else 0.0
        return (stated_s + start_s) / max(1 - container.missing, 1e-6)

    def measured_s(self) -> float:
        """Return how much there is, by looking at every packet without decoding it; the track is at its end then."""
        if self.info.duration_s and self._container.format not in ELEMENTARY:
            return self.info.duration_s
        total = end = 0
        for packet in self._packets():
            total += packet.duration or 0
            end = max(end, (packet.pts or 0) + (packet.duration or 0))
        is_timed = self._container.format in TIMED
        end_s = float(end * self._stream.time_base - self.base_s) if is_timed else 0.0
        return max(float(total * self._stream.time_base), end_s)

    def blocks(self, start_s: float = 0.0) -> Iterator[NDArray[np.float32]]:
        """Yield the sound from ``start_s`` on, (samples, channels) float32, in blocks of a second."""
        rate_hz = self.info.sample_rate_hz
        if self._container.can_jump and start_s > PREROLL_S:
            goal = int((Fraction(start_s - PREROLL_S) + self.base_s) / self._stream.time_base)
            self._opened.seek(goal, stream=self._stream, backward=True)
        skip = round(start_s * rate_hz)
        waiting: list[NDArray[np.float32]] = []
        count = 0
        for begin, samples in self._placed(skip):
            samples = samples[max(0, skip - begin) :]
            if waiting and samples.shape[1] != waiting[0].shape[1]:  # their number changes on the way
                yield np.concatenate(waiting)
                waiting, count = [], 0
            waiting.append(samples)
            count += len(samples)
            if count >= rate_hz:
                joined = np.concatenate(waiting)
                whole = count - count % rate_hz
                yield from np.split(joined[:whole], whole // rate_hz)
                waiting, count = [joined[whole:]], count - whole
        if count:
            yield np.concatenate(waiting)

    def _placed(self, start: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield where each decoded frame begins and its samples; what is missing after ``start`` is silence."""
        rate_hz = self.info.sample_rate_hz
        is_timed, can_jump = self._container.format in TIMED, self._container.can_jump
        base = float(self.base_s / self._stream.time_base)
        samples_a_tick = float(self._stream.time_base * rate_hz)
        position: int | None = None if can_jump else 0
        for stamp, samples in self._frames():
            begin = position or 0
            if stamp is not None and (is_timed or position is None):
                begin = round((stamp - base) * samples_a_tick)
            if position is None:
                position = min(max(0, begin), start)
            if is_timed and begin - position > GAP_S * rate_hz:
                if begin - position > LONGEST_GAP_S * rate_hz:
                    self.jumps_s += (begin - position) / rate_hz
                    base += (begin - position) / samples_a_tick
                    begin = position
                while begin > position:
                    hole = min(begin - position, rate_hz)
                    yield position, np.zeros((hole, samples.shape[1]), np.float32)
                    position += hole
            elif is_timed and position - begin > rate_hz:  # the clock began anew: a file joined to another
                base -= (position - begin) / samples_a_tick
            yield position, samples
            position += len(samples)

    def _packets(self) -> Iterator[Any]:
        """Yield the packets; a file that breaks off ends there."""
        import av

        packets = iter(self._opened.demux(self._stream))
        while True:
            try:
                yield next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, IndexError) as error:  # PyAV's own, of a packet of a stream that came up late
                if isinstance(error, MemoryError):
                    raise
                self._bad_s += 0.1
                return

    def _frames(self) -> Iterator[tuple[int | None, NDArray[np.float32]]]:
        """Yield time stamp and samples of each frame; packets that cannot be decoded are left out."""
        import av

        good, bad = 0, 0
        converted = Converted(self.info.sample_rate_hz)
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                if isinstance(error, MemoryError):
                    raise
                bad += 1  # a hole of a few milliseconds
                self._bad_s += float((packet.duration or 0) * packet.time_base) if packet.time_base else 0.0
                continue
            good += 1
            for frame in frames:
                yield from ((frame.pts, part) for part in converted(frame))
        yield from ((None, part) for part in converted.rest())
        if bad > good:
            raise DecodeError(f"{self._name} is damaged or not sound: little of its {self.info.format} can be decoded.",
                              READABLE)  # fmt: skip
