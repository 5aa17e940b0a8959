"""Sound that is decoded while it still comes in: raw samples, or Opus in the containers that programs stream it in.

A container is read by ffmpeg in a child process with limited memory and time, as all sound from outside; what comes in
goes to the child through a named pipe.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import soxr
from numpy.typing import NDArray

from speechsearch.audio.children import Allowance, in_child
from speechsearch.audio.frames import Converted
from speechsearch.audio.resample import resample, to_mono
from speechsearch.audio.untrusted import allowance
from speechsearch.domain.errors import CapabilityError, DecodeError, InputError
from speechsearch.domain.values import SAMPLE_RATE_HZ

Encoding = Literal["pcm_s16le", "webm", "ogg"]
"""16-bit samples; Opus in WebM, as the MediaRecorder of browsers sends it; Opus in Ogg pages."""
DEMUXERS = {"webm": "matroska", "ogg": "ogg"}
NAME = "The stream"
SLOWEST_HZ, FASTEST_HZ = 8_000, 96_000
MOST_CHANNELS = 2
SAMPLE_BYTES = 2
AT_ONCE = {"analyzeduration": "0", "probesize": "32", "fflags": "nobuffer"}
"""ffmpeg is not to wait for seconds of sound before it gives the first."""
READ_BYTES = 1024


class PcmStream:
    """Turns pieces of 16-bit samples, little-endian and interleaved, into 16 kHz mono."""

    def __init__(self, rate_hz: int = SAMPLE_RATE_HZ, channels: int = 1) -> None:
        """Raises InputError: nobody records at such a rate, or with so many channels."""
        if not SLOWEST_HZ <= rate_hz <= FASTEST_HZ or not 1 <= channels <= MOST_CHANNELS:
            raise InputError(
                f"A stream of {rate_hz} samples a second and {channels} channels is not taken.",
                f"Send {SLOWEST_HZ} to {FASTEST_HZ} samples a second, of one or two channels.",
            )
        self._frame_bytes = SAMPLE_BYTES * channels
        self._channels = channels
        self._rest = b""
        is_ours = rate_hz == SAMPLE_RATE_HZ
        self._resampler = None if is_ours else soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Return what can be heard of a further piece, (n,) float32; half a sample waits for the next.

        >>> stream = PcmStream()
        >>> [stream.decode(piece).tolist() for piece in (bytes([0]), bytes([64, 0, 192]))]
        [[], [0.5, -0.5]]
        """
        data = self._rest + data
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        frames = np.frombuffer(data[:whole], "<i2").reshape(-1, self._channels).astype(np.float32) / np.float32(32768)
        return self._resampled(to_mono(frames, NAME))

    def rest(self) -> NDArray[np.float32]:
        """Return what is still under way at the end."""
        return self._resampled(np.zeros(0, np.float32), is_last=True)

    def _resampled(self, samples: NDArray[np.float32], is_last: bool = False) -> NDArray[np.float32]:
        if self._resampler is None:
            return samples
        heard: NDArray[np.float32] = np.clip(self._resampler.resample_chunk(samples, last=is_last), -1.0, 1.0)
        return heard


class EncodedStream:
    """Decodes a container of sound in a child while it comes in; close it, or the child waits in vain.

    ``write`` and ``close`` never wait, so they may be called by an event loop; ``samples`` waits, in a thread.
    """

    def __init__(self, encoding: Literal["webm", "ogg"], longest_s: float) -> None:
        """``longest_s``: so much is decoded at most.

        Raises:
            CapabilityError: this system has no named pipes.
        """
        if not hasattr(os, "mkfifo"):
            raise CapabilityError("Streams of WebM and Ogg need Linux or macOS.", "Send pcm_s16le.")
        self._encoding, self._longest_s = encoding, longest_s
        self._folder = tempfile.TemporaryDirectory(prefix="speechsearch-stream-")
        self._pipe = Path(self._folder.name) / "pipe"
        os.mkfifo(self._pipe, 0o600)
        # Both ends, so that opening does not wait for the child, and a child that is gone is no signal.
        self._file: int | None = os.open(self._pipe, os.O_RDWR | os.O_NONBLOCK)
        self._is_heard = self._is_finished = False
        self._lock = threading.Lock()

    def write(self, data: bytes | memoryview) -> int:
        """Return how many of the bytes the pipe has taken; 0 where it is full or closed."""
        try:
            return os.write(self._file, data) if self._file is not None else 0
        except BlockingIOError:
            return 0

    def finish(self) -> None:
        """Say that nothing more comes; what was written is decoded still."""
        with self._lock:
            self._is_finished = True
            if self._is_heard:  # else what is in the pipe would be lost before the child has opened it
                self._hang_up()

    def close(self) -> None:
        """End it; what was not decoded yet is lost."""
        with self._lock:
            self._hang_up()
        self._folder.cleanup()

    def _hang_up(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def samples(self) -> Iterator[NDArray[np.float32]]:
        """Yield what is heard, (n,) float32 at 16 kHz, as soon as it is decoded.

        Raises:
            DecodeError: it is no such container, or takes too much memory or time.
        """
        usual = allowance(self._longest_s)
        waits_s = usual.wait_s + 2 * self._longest_s  # for somebody who speaks
        arguments = {"path": str(self._pipe), "encoding": self._encoding}
        allowed = Allowance(usual.memory_bytes, usual.cpu_s, waits_s)
        for value in in_child(f"{__name__}:decoded_in_child", arguments, allowed, NAME, DecodeError):
            if not value:  # the child has opened the pipe
                with self._lock:
                    self._is_heard = True
                    if self._is_finished:
                        self._hang_up()
                continue
            yield np.frombuffer(value, np.float32)


def decoded_in_child(content: bytes, path: str, encoding: str) -> Iterator[bytes]:
    """Yield nothing when the pipe is open, and then the samples of a stream in parts. Raises DecodeError."""
    import av

    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # which does not wait where the other end is closed already
    os.set_blocking(pipe, True)
    yield b""
    try:
        with (
            open(pipe, "rb", buffering=0) as file,
            av.open(file, format=DEMUXERS[encoding], options=AT_ONCE, buffer_size=READ_BYTES) as opened,
        ):
            tracks = opened.streams.audio
            if not tracks or tracks[0].codec_context is None:
                raise DecodeError(f"{NAME} holds no sound that can be decoded.", "Send Opus.")
            for part in resample(_blocks(opened, tracks[0]), tracks[0].rate, NAME):
                if len(part):
                    yield part.tobytes()
    except av.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise DecodeError(
            f"{NAME} is not {encoding} that can be decoded: {reason}.",
            f"The first bytes are those of the container. Encodings: {', '.join(get_args(Encoding))}.",
        ) from error


def _blocks(opened: object, track: object) -> Iterator[NDArray[np.float32]]:
    """Yield decoded frames, (samples, channels) float32; packets that cannot be decoded are left out."""
    import av

    converted = Converted(track.rate)  # type: ignore[attr-defined]
    for packet in opened.demux(track):  # type: ignore[attr-defined]
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            continue
        for frame in frames:
            yield from converted(frame)
    yield from converted.rest()
