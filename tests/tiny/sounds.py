"""Sound files made on the spot, without any program: whole ones of every format, and films with several tracks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

RATE_HZ = 16_000
BY_SOUNDFILE = {"wav": ("WAV", "PCM_16"), "wav8": ("WAV", "PCM_U8"), "float": ("WAV", "FLOAT"),
                "rf64": ("RF64", "PCM_16"), "flac": ("FLAC", "PCM_16"), "mp3": ("MP3", "MPEG_LAYER_III"),
                "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"), "aiff": ("AIFF", "PCM_16"),
                "au": ("AU", "PCM_16"), "caf": ("CAF", "PCM_16"), "w64": ("W64", "PCM_16"),
                "adpcm": ("WAV", "MS_ADPCM")}  # fmt: skip
BY_AV = {"m4a": ("mp4", "aac"), "alac": ("mp4", "alac"), "webm": ("webm", "libopus"), "mka": ("matroska", "flac"),
         "aac": ("adts", "aac"), "wma": ("asf", "wmav2"), "avi": ("avi", "pcm_s16le"), "ts": ("mpegts", "mp2"),
         "mpg": ("mpeg", "mp2")}  # fmt: skip
KINDS = (*BY_SOUNDFILE, *BY_AV)


def sweep(duration_s: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    """A rising tone, so that every moment sounds different, (samples,) float32."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (0.4 * np.sin(2 * np.pi * (200 + 40 * time_s) * time_s)).astype(np.float32)


def content_of(kind: str, sound: np.ndarray, rate_hz: int = RATE_HZ, **how: Any) -> bytes:
    """A file of some kind with a sound, (samples,) or (samples, channels)."""
    file = io.BytesIO()
    if kind in BY_SOUNDFILE:
        container, subtype = BY_SOUNDFILE[kind]
        soundfile.write(file, sound, rate_hz, format=container, subtype=subtype, **how)
        return file.getvalue()
    container, codec = BY_AV[kind]
    return film_of([Part(sound)], container, codec, pictures_s=0)


@dataclass(frozen=True, slots=True)
class Part:
    """A track of a film: what is heard, from when on, in which language."""

    sound: np.ndarray
    start_s: float = 0.0
    language: str = ""
    gap_at_s: float = 1e9
    gap_s: float = 0.0
    role: str = ""


def film_of(
    parts: Sequence[Part], container: str = "mp4", codec: str = "aac", pictures_s: float = 4.0, start_s: float = 0.0
) -> bytes:
    """A film with pictures of some length and these tracks; ``start_s``: what its clock shows when it begins."""
    file, rate_hz = io.BytesIO(), 48_000
    packets: list[Any] = []
    with av.open(file, "w", format=container) as opened:
        video = None
        if pictures_s:
            video = opened.add_stream("libvpx" if container == "webm" else "mpeg4", rate=5)
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        streams = [opened.add_stream(codec, rate=rate_hz, layout="mono") for _ in parts]
        for stream, part in zip(streams, parts, strict=True):
            stream.bit_rate = 96_000
            if part.role:
                stream.disposition = av.stream.Disposition[part.role]
            if part.language:
                stream.metadata["language"] = part.language
            packets += _sound_packets(stream, part, rate_hz, start_s)
        if video is not None:
            for number in range(round(pictures_s * 5)):
                picture = av.VideoFrame(32, 32, "yuv420p")
                picture.pts, picture.time_base = round((start_s + number / 5) * 1000), Fraction(1, 1000)
                packets += video.encode(picture)
            packets += video.encode(None)
        for packet in sorted(packets, key=lambda one: float((one.dts or 0) * one.time_base)):
            opened.mux(packet)
    return file.getvalue()


def _sound_packets(stream: Any, part: Part, rate_hz: int, start_s: float) -> list[Any]:
    sound = np.interp(np.arange(0, len(part.sound), RATE_HZ / rate_hz), np.arange(len(part.sound)), part.sound)
    converter = av.AudioResampler(stream.codec_context.format or "fltp", "mono", rate_hz)
    frames, size = [], stream.codec_context.frame_size or 1024
    for begin in range(0, len(sound), size):
        samples = np.zeros((1, size), np.float32)
        piece = sound[begin : begin + size]
        samples[0, : len(piece)] = piece
        frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
        frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
        late_s = start_s + part.start_s + (part.gap_s if begin / rate_hz >= part.gap_at_s else 0.0)
        frame.pts = begin + round(late_s * rate_hz)
        frames += converter.resample(frame)
    return [packet for frame in (*frames, None) for packet in stream.encode(frame)]


def write(folder: Path, name: str, content: bytes) -> Path:
    """The content as a file."""
    path = folder / name
    path.write_bytes(content)
    return path
