"""Every format at its right length, and a clear error for everything that is not sound."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechsearch.audio import load, probe, read_span, stream, stream_channels, to_wav
from speechsearch.audio.mpeg import frame
from speechsearch.domain.errors import DecodeError, TooLargeError, TooLongError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Span

LIMITS = Limits()
FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(not FFMPEG, reason="the ffmpeg program, which makes this file, is not installed")
DURATION_S = 6.3
BY_SOUNDFILE = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "mp3": ("MP3", "MPEG_LAYER_III"),
                "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"), "aiff": ("AIFF", "PCM_24"),
                "au": ("AU", "PCM_16"), "caf": ("CAF", "PCM_16"), "w64": ("W64", "FLOAT")}  # fmt: skip
BY_FFMPEG = {
    "m4a": (), "mp4": ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=5", "-shortest"), "webm": ("-c:a", "libopus"),
    "aac": (), "unknown_length.mp3": ("-write_xing", "0", "-q:a", "5"), "fast.m4a": ("-movflags", "+faststart"),
    "lossless.m4a": ("-c:a", "alac"), "mov": ("-c:a", "pcm_s16le"), "mka": ("-c:a", "flac"),
    "3gp": ("-c:a", "aac"),
}  # fmt: skip


def sweep(duration_s: float = DURATION_S, rate_hz: int = 44_100) -> np.ndarray:
    """Return a rising tone, so that every moment sounds different."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (0.4 * np.sin(2 * np.pi * (200 + 20 * time_s) * time_s)).astype(np.float32)


def make(folder: Path, kind: str, duration_s: float = DURATION_S) -> Path:
    path = folder / f"tone.{kind}"
    if kind in BY_SOUNDFILE:
        container, subtype = BY_SOUNDFILE[kind]
        rate_hz = 48_000 if subtype == "OPUS" else 44_100
        soundfile.write(path, sweep(duration_s, rate_hz), rate_hz, format=container, subtype=subtype)
        return path
    wav = folder / "source.wav"
    soundfile.write(wav, sweep(duration_s), 44_100)
    subprocess.run([FFMPEG, "-v", "error", "-y", "-i", wav, *BY_FFMPEG[kind], path], check=True, timeout=60)
    return path


def whole(path: Path) -> np.ndarray:
    return np.concatenate([block.samples for block in stream(path, LIMITS)])


def alignment(left: np.ndarray, right: np.ndarray) -> tuple[float, int]:
    """Return the correlation of two sounds at the shift where it is largest, and that shift in samples."""
    size = 1 << (len(left) + len(right)).bit_length()
    products = np.fft.irfft(np.fft.rfft(left, size) * np.conj(np.fft.rfft(right, size)))
    shift = int(products.argmax())
    likeness = products[shift] / np.sqrt((left**2).sum() * (right**2).sum())
    return float(likeness), shift if shift < size // 2 else shift - size


KINDS = [*BY_SOUNDFILE, *(pytest.param(kind, marks=needs_ffmpeg) for kind in BY_FFMPEG)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_format_has_its_right_duration_and_sound(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind)
    samples = whole(path)
    assert samples.dtype == np.float32
    assert len(samples) / SAMPLE_RATE_HZ == pytest.approx(DURATION_S, abs=0.1)
    assert probe(path, LIMITS).duration_s == pytest.approx(DURATION_S, abs=0.1)
    likeness, _ = alignment(samples, sweep(rate_hz=SAMPLE_RATE_HZ))
    assert likeness > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_a_span_is_the_same_slice_of_the_whole(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind, duration_s=20.0)
    samples = whole(path)
    for start_s, end_s in [(0.0, 2.0), (3.37, 8.11), (12.999, 15.0), (18.2, 25.0)]:
        part = read_span(path, Span(start_s, end_s)).samples
        expected = samples[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]
        likeness, shift = alignment(part, expected)
        assert likeness > 0.99
        slack_samples = 16 if kind in ("webm", "mka") else 0  # Matroska rounds its time stamps to a millisecond
        assert abs(shift) <= slack_samples
        assert abs(len(part) - len(expected)) <= slack_samples + 1


def mpeg_frames(sound: np.ndarray, rate_hz: int) -> list[bytes]:
    """Return the frames of an MP3 of varying bit rate, without the one that tells the length."""
    file = io.BytesIO()
    soundfile.write(file, sound, rate_hz, format="MP3", bitrate_mode="VARIABLE", compression_level=0.6)
    content, place, frames = file.getvalue(), 0, []
    while found := frame(content[place : place + 3]):
        frames.append(content[place : place + found[0]])
        place += found[0]
    assert b"Xing" in frames[0]
    assert place == len(content)
    assert len({len(one) for one in frames}) > 3
    return frames[1:]


@pytest.mark.parametrize(("kind", "name"), [("mp3", "a.wav"), ("wav", "a.mp3"), ("flac", "a.txt"), ("opus", "a.raw"),
                                            pytest.param("m4a", "a.ogg", marks=needs_ffmpeg)])  # fmt: skip
def test_a_misnamed_file_is_read_by_its_content(tmp_path: Path, kind: str, name: str) -> None:
    path = make(tmp_path, kind).rename(tmp_path / name)
    assert probe(path, LIMITS).duration_s == pytest.approx(DURATION_S, abs=0.1)
    assert len(whole(path)) / SAMPLE_RATE_HZ == pytest.approx(DURATION_S, abs=0.1)


def test_a_large_picture_in_front_of_an_mp3_changes_nothing(tmp_path: Path) -> None:
    path = make(tmp_path, "mp3")
    size = 300_000
    tag = b"ID3\x03\x00\x00" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + b"\0" * size
    path.write_bytes(tag + path.read_bytes())
    assert len(whole(path)) / SAMPLE_RATE_HZ == pytest.approx(DURATION_S, abs=0.1)


@pytest.mark.parametrize("channels", [2, 8])
def test_channels_are_averaged(tmp_path: Path, channels: int) -> None:
    tone = sweep(1.0, SAMPLE_RATE_HZ)
    sound = np.zeros((len(tone), channels), np.float32)
    sound[:, 0] = tone
    soundfile.write(tmp_path / "many.wav", sound, SAMPLE_RATE_HZ, subtype="FLOAT")
    assert np.allclose(whole(tmp_path / "many.wav"), tone / channels, atol=1e-6)


@pytest.mark.parametrize(("rate_hz", "subtype"), [(8000, "PCM_U8"), (192_000, "PCM_24"), (11_025, "ULAW"),
                                                  (22_050, "DOUBLE")])  # fmt: skip
def test_unusual_rates_and_widths(tmp_path: Path, rate_hz: int, subtype: str) -> None:
    soundfile.write(tmp_path / "odd.wav", sweep(2.0, rate_hz), rate_hz, subtype=subtype)
    samples = whole(tmp_path / "odd.wav")
    assert len(samples) == 2 * SAMPLE_RATE_HZ
    assert np.abs(samples - sweep(2.0, SAMPLE_RATE_HZ))[200:-200].max() < 0.03


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_both_channels_of_stereo_are_told_apart(tmp_path: Path, rate_hz: int) -> None:
    sides = np.stack([sweep(3.3, rate_hz), 0.1 * sweep(3.3, rate_hz)[::-1]], axis=1)
    soundfile.write(tmp_path / "a.wav", sides, rate_hz)
    blocks = list(stream_channels(tmp_path / "a.wav", Limits()))
    assert {len(block) for block in blocks} == {2}
    found = [np.concatenate([block[side].samples for block in blocks]) for side in range(2)]
    for side in range(2):
        soundfile.write(tmp_path / "one.wav", sides[:, side], rate_hz)
        np.testing.assert_allclose(found[side], whole(tmp_path / "one.wav"), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_other_sound_is_one_channel(tmp_path: Path, channels: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([sweep(2.0)] * channels, axis=1), 44_100)
    (block,) = (tuple(one) for one in stream_channels(tmp_path / "a.wav", Limits()))
    assert len(block) == 1
    np.testing.assert_array_equal(block[0].samples, whole(tmp_path / "a.wav"))


def test_both_channels_are_read_within_the_limits(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((50_000, 2)), 16_000)
    with pytest.raises(TooLongError, match="a talk is longer than 2 seconds"):
        list(stream_channels(tmp_path / "a.wav", Limits(duration_s=2.0), "a talk"))
    soundfile.write(tmp_path / "b.wav", np.full((16_000, 2), np.nan), 16_000, subtype="FLOAT")
    with pytest.raises(DecodeError, match="not numbers"):
        list(stream_channels(tmp_path / "b.wav", Limits()))


@pytest.mark.parametrize("block_s", [0.5, 1.0, 7.0])
def test_blocks_are_consecutive_and_of_equal_length(tmp_path: Path, block_s: float) -> None:
    path = make(tmp_path, "wav")
    blocks = [block.samples for block in stream(path, LIMITS, block_s)]
    assert {len(block) for block in blocks[:-1]} <= {round(block_s * SAMPLE_RATE_HZ)}
    assert 0 < len(blocks[-1]) <= round(block_s * SAMPLE_RATE_HZ)
    assert np.array_equal(np.concatenate(blocks), whole(path))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    sound = sweep(1.0)
    sound[12_345] = bad
    soundfile.write(tmp_path / "nan.wav", sound, 44_100, subtype="FLOAT")
    with pytest.raises(DecodeError, match="not numbers"):
        whole(tmp_path / "nan.wav")


def test_loud_floats_are_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", sweep(1.0) * 1e30, 44_100, subtype="FLOAT")
    samples = whole(tmp_path / "loud.wav")
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"),
    (b"This is a text about sound.\n" * 50, "not sound in a format"),
    (b"#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/secret.m4a\n", "not sound in a format"),
    (b"ffconcat version 1.0\nfile /etc/passwd\n", "not sound in a format"),
    (b"RIFF\x24\x00\x00\x00WAVE" + b"\x00" * 32, "damaged or not sound"),
    (b"RIFF\xff\xff\xff\xffWAVEjunk", "damaged or not sound"),
    (b"\xff\xfb\x90\x00" + b"\x00" * 4000, "not sound in a format"),
    (b"\xff\xfeh\x00e\x00l\x00l\x00o\x00" * 100, "not sound in a format"),
    (b"OggS" + b"\x00" * 500, "damaged|cut off"),
    (b"OggS\x00\x02" + b"\x00" * 20 + b"\x01\x13OpusHead\x01\x01" + b"\x00" * 9, "damaged|cut off|no sound"),
    (b"fLaC" + b"\x07" * 500, "damaged or not sound"),
    (b"\x00\x00\x00\x20ftypM4A " + b"\x00" * 500, "damaged or not sound|no sound"),
    (b"\x1a\x45\xdf\xa3" + b"\x01" * 500, "damaged or not sound|no sound"),
    (b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + b"\x00" * 100, "not sound in a format"),
    (b"ID3", "not sound in a format"),
    (b"\xff\xf1\x50\x80" + b"\x00" * 300, "not sound in a format"),
])  # fmt: skip
def test_what_is_not_sound_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "speech.mp3"
    path.write_bytes(content)
    with pytest.raises(DecodeError, match=message):
        whole(path)
    with pytest.raises(DecodeError, match=message):
        probe(path, LIMITS)
    with pytest.raises(DecodeError, match=message):
        load(content, LIMITS, 60.0)


def test_a_stream_that_never_knew_its_length_is_read(tmp_path: Path) -> None:
    path = make(tmp_path, "wav")
    content = bytearray(path.read_bytes())
    data = content.index(b"data")
    content[4:8] = content[data + 4 : data + 8] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert len(whole(path)) / SAMPLE_RATE_HZ == pytest.approx(DURATION_S, abs=0.1)


def test_a_file_without_a_sample_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0, np.float32), 16_000)
    with pytest.raises(DecodeError, match="holds no sound"):
        whole(tmp_path / "none.wav")
    with pytest.raises(DecodeError, match="holds no sound"):
        probe(tmp_path / "none.wav", LIMITS)


@needs_ffmpeg
def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    make_film = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=1", path]
    subprocess.run(make_film, check=True, timeout=60)
    with pytest.raises(DecodeError, match="holds no sound"):
        probe(path, LIMITS)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="cannot be opened"):
        probe(tmp_path / "missing.wav", LIMITS)
    with pytest.raises(DecodeError, match="is not a file"):
        probe(tmp_path, LIMITS)


def test_limits(tmp_path: Path) -> None:
    path = tmp_path / "many.wav"
    soundfile.write(path, np.zeros((96_000, 4), np.float32), 48_000)
    with pytest.raises(TooLargeError, match="4 channels; 2 are allowed"):
        probe(path, Limits(channels=2))
    with pytest.raises(TooLargeError, match="48000 samples a second; 44100 are allowed"):
        list(stream(path, Limits(sample_rate_hz=44_100)))
    with pytest.raises(TooLargeError, match=r"768,0\d\d bytes; 1,000 are allowed"):
        probe(path, Limits(file_bytes=1000))
    with pytest.raises(TooLongError, match=r"longer than 1\.5 seconds"):
        list(stream(path, Limits(duration_s=1.5)))
    with pytest.raises(TooLongError, match="longer than 1 seconds"):
        load(path, LIMITS, longest_s=1.0)
    with pytest.raises(TooLargeError, match="bytes; 1,000 are allowed"):
        load(path.read_bytes(), Limits(file_bytes=1000), longest_s=10.0)


@needs_ffmpeg
def test_the_length_limit_holds_where_the_header_is_silent(tmp_path: Path) -> None:
    path = make(tmp_path, "unknown_length.mp3")
    with pytest.raises(TooLongError, match="longer than 3 seconds"):
        probe(path, Limits(duration_s=3.0))


def test_bytes_are_loaded_like_files(tmp_path: Path) -> None:
    for kind in ("wav", "opus", "mp3"):
        path = make(tmp_path, kind)
        assert np.array_equal(load(path.read_bytes(), LIMITS, 60.0).samples, load(path, LIMITS, 60.0).samples)


def test_to_wav_is_what_a_player_takes() -> None:
    sound = Audio(np.array([0.0, 0.5, -1.0, 1.5], np.float32))
    samples, rate_hz = soundfile.read(io.BytesIO(to_wav(sound)), dtype="int16")
    assert rate_hz == SAMPLE_RATE_HZ
    assert samples.tolist() == [0, 16384, -32767, 32767]
