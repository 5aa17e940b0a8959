"""Files as people have them: lengths that are not true, tags, late tracks, several tracks, opposite phase."""

import struct

import numpy as np
import pytest

from speechsearch.audio import decode, mpeg
from speechsearch.audio.playback import media_type
from speechsearch.domain.errors import DecodeError, TooLongError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Span
from tests.tiny.sounds import BY_SOUNDFILE, KINDS, RATE_HZ, Part, content_of, film_of, sweep

LIMITS = Limits()
SOUND = sweep(3.0)
CONSTANT = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}


def heard(content, name="talk"):
    """The sound of a file and what was left out of it."""
    notes = []
    blocks = [one.samples for one in decode.blocks(content, LIMITS, 600.0, 30.0, name, notes.append)]
    return np.concatenate(blocks), notes


def likeness(sound, expected, at_s=0.0):
    """How much the sound from a second on is like another, up to a shift of a quarter of a second."""
    begin, slack = round(at_s * RATE_HZ), RATE_HZ // 4
    part = np.pad(sound, (slack, slack + len(expected)))[begin : begin + len(expected) + 2 * slack]
    size = 1 << (len(part) + len(expected)).bit_length()
    found = np.fft.irfft(np.fft.rfft(part, size) * np.conj(np.fft.rfft(expected, size)))[: 2 * slack + 1]
    shift = int(found.argmax())
    return found[shift] / (np.linalg.norm(expected) * np.linalg.norm(part[shift : shift + len(expected)]) + 1e-9)


def id3(count, version=3, flags=0):
    """A tag of so many bytes."""
    size = bytes([count >> 21 & 127, count >> 14 & 127, count >> 7 & 127, count & 127])
    return b"ID3" + bytes([version, 0, flags]) + size + bytes(count)


def ape(count):
    """An APEv2 tag with its header."""
    return b"APETAGEX" + struct.pack("<III", 2000, count, 0) + bytes(12) + b"x" * count


@pytest.mark.parametrize("kind", ["mp3", "flac", "wav", "ogg", "opus", "aac", "ts"])
def test_files_that_were_joined_are_heard_to_the_end(kind):
    other = np.ascontiguousarray(sweep(2.0)[::-1])
    joined = content_of(kind, SOUND) + content_of(kind, other)
    sound, notes = heard(joined)
    assert len(sound) / RATE_HZ == pytest.approx(5.0, abs=0.2)
    assert likeness(sound, SOUND[:-1600]) > 0.97
    assert likeness(sound[3 * RATE_HZ :], other[4000:-4000], 0.25) > 0.97
    assert notes == []


def test_an_mp3_that_changes_its_rate_on_the_way_keeps_its_speed():
    joined = content_of("mp3", sweep(3.0, 44_100), 44_100) + content_of("mp3", sweep(2.0, 22_050), 22_050)
    sound, _ = heard(joined)
    assert len(sound) / RATE_HZ == pytest.approx(5.0, abs=0.2)
    assert likeness(sound[3 * RATE_HZ :], sweep(2.0)[1600:-1600], 0.1) > 0.97


@pytest.mark.parametrize("other", [
    content_of("float", SOUND), content_of("wav", sweep(3.0, 8000), 8000), content_of("wav8", SOUND),
    content_of("wav", SOUND)[:36] + b"LIST\3\0\0\0abc\0" + content_of("wav", SOUND)[35:],
])  # fmt: skip
def test_a_wav_of_another_kind_that_is_joined_on_is_left_out_and_said(other):
    sound, notes = heard(content_of("wav", SOUND) + other)
    assert len(sound) == len(SOUND)
    assert notes == ["A second file that is joined to its end has another format and was left out."]


def test_an_ogg_of_another_rate_that_is_joined_on_is_said():
    sound, notes = heard(content_of("ogg", SOUND) + content_of("ogg", sweep(2.0, 22_050), 22_050))
    assert len(sound) / RATE_HZ == pytest.approx(3.0, abs=0.1)
    assert len(notes) == 1 and "left out" in notes[0]


@pytest.mark.parametrize("stated", [0, 1, (1 << 36) - 1])
def test_the_length_in_a_flac_is_not_believed(stated):
    content = bytearray(content_of("flac", SOUND))
    place = 4 + 4 + 13  # the last 36 bits of it: samples
    content[place] = content[place] & 0xF0 | stated >> 32
    content[place + 1 : place + 5] = struct.pack(">I", stated & 0xFFFFFFFF)
    sound, notes = heard(bytes(content))
    assert len(sound) == len(SOUND)
    assert likeness(sound, SOUND) > 0.99
    assert all("promises" in note for note in notes)


def with_size(kind, name, size, value, order):
    """A file of some kind with another size in the chunk of a name."""
    content = bytearray(content_of(kind, SOUND))
    place = content.index(name) + len(name)
    if kind == "w64":
        place += 12
    content[place : place + size] = value.to_bytes(size, order)
    return bytes(content)


WAV_BYTES = 2 * len(SOUND)


@pytest.mark.parametrize("content", [
    with_size("wav", b"data", 4, 0, "little"), with_size("wav", b"data", 4, 0xFFFFFFFF, "little"),
    with_size("wav", b"data", 4, 2000, "little"), with_size("wav", b"RIFF", 4, 0, "little"),
    with_size("wav", b"data", 4, WAV_BYTES - 20_000, "little"),
    with_size("rf64", b"ds64", 28, 28, "little"), with_size("w64", b"data", 8, 24, "little"),
    with_size("w64", b"data", 8, 0, "little"), with_size("aiff", b"SSND", 4, 0, "big"),
    with_size("aiff", b"SSND", 4, 8, "big"), with_size("aiff", b"FORM", 4, 0, "big"),
    with_size("caf", b"data", 8, 0, "big"), with_size("caf", b"data", 8, (1 << 64) - 1, "big"),
    with_size("caf", b"data", 8, 1000, "big"),
    content_of("au", SOUND)[:8] + b"\xff\xff\xff\xff" + content_of("au", SOUND)[12:],
    content_of("au", SOUND)[:8] + bytes(4) + content_of("au", SOUND)[12:],
    content_of("au", SOUND)[:8] + struct.pack(">I", 1000) + content_of("au", SOUND)[12:],
])  # fmt: skip
def test_a_recorder_that_never_wrote_the_length_loses_nothing(content):
    sound, notes = heard(content)
    assert len(sound) == pytest.approx(len(SOUND), abs=8)
    assert likeness(sound, SOUND) > 0.99
    assert notes == []


@pytest.mark.parametrize("tail", [b"LIST\x1a\0\0\0INFOISFT\x0e\0\0\0a program here\0\0",
                                  b"TAG" + bytes(125), bytes(5000), b"id3 \x10\x10\0\0" + id3(4102)])  # fmt: skip
def test_what_follows_the_sound_of_a_wav_is_no_sound(tail):
    sound, notes = heard(content_of("wav", SOUND) + tail)
    assert (len(sound), notes) == (len(SOUND), [])


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "aiff", "w64", "m4a fast", "au"])
def test_of_a_file_that_is_cut_off_what_is_there_is_taken_and_the_rest_is_said(kind):
    content = content_of("mka" if kind == "m4a fast" else kind, sweep(6.0), **(CONSTANT if kind == "mp3" else {}))
    sound, notes = heard(content[: len(content) // 2])
    assert 2.0 < len(sound) / RATE_HZ < 4.5
    assert likeness(sound, sweep(6.0)[: len(sound) - 1600]) > 0.97
    assert any("of the 0:00:06" in note and "promises; the rest is not in it." in note for note in notes)


def test_a_film_without_its_table_is_an_error_that_says_what_to_do():
    with pytest.raises(DecodeError, match=r"day 1\.m4a is damaged or not sound: .*new file"):
        heard(content_of("m4a", SOUND)[:9000], "day 1.m4a")


@pytest.mark.parametrize("before", [
    id3(500) + id3(900, 4), id3(500) + bytes(1500), id3(500, 4, 0x10) + b"3DI\x04\0\x10" + id3(500)[6:10],
    ape(300), id3(10) + ape(300) + id3(20), bytes(700), b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n",
    b"ID3\x03\0\0\xff\xff\xff\xff" + bytes(100),
    b"ID3\x03\0\0\0\0\0\x0a" + b"\xff\xd8\xff\xe0" + bytes(30) + b"x" * 500,
    np.random.default_rng(0).bytes(3000),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["mp3", "flac", "aac", "opus", "m4a"])
def test_what_stands_before_the_sound_is_passed_over(kind, before):
    sound, notes = heard(before + content_of(kind, SOUND))
    assert len(sound) / RATE_HZ == pytest.approx(3.0, abs=0.1)
    assert likeness(sound, SOUND[:-1600]) > 0.97
    assert notes == []


@pytest.mark.parametrize("after", [b"TAG" + bytes(125), ape(3000), ape(3000) + b"TAG" + bytes(125), bytes(2000),
                                   b"LYRICSBEGIN" + b"la " * 500 + b"LYRICS200"])  # fmt: skip
@pytest.mark.parametrize("kind", ["mp3", "flac", "aac"])
def test_what_stands_behind_the_sound_is_passed_over(kind, after):
    sound, _ = heard(content_of(kind, SOUND) + after)
    assert len(sound) / RATE_HZ == pytest.approx(3.0, abs=0.1)
    assert likeness(sound, SOUND[:-1600]) > 0.97


@pytest.mark.parametrize(("content", "what"), [
    (b"PK\x03\x04" + content_of("mp3", SOUND), "a ZIP archive"), (b"%PDF-1.7 ...", "a PDF"),
    (b"\n<!DOCTYPE html><html>404</html>", "a web page"), (b"#EXTM3U\nhttp://localhost/a.mp3", "a play list"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer of Git LFS"), (b"MThd\0\0\0\6", "MIDI"),
])  # fmt: skip
def test_what_is_no_sound_is_called_by_what_it_is(content, what):
    with pytest.raises(
        DecodeError, match=f"day 1.mp3 is not sound in a format that we read; it is {what}.*Readable are"
    ):
        heard(content, "day 1.mp3")


@pytest.mark.parametrize(("content", "codec"), [
    (content_of("mka", SOUND).replace(b"A_FLAC", b"A_QQQQ"), "A_QQQQ"),
    (content_of("wav", SOUND).replace(b"\x10\0\0\0\1\0", b"\x10\0\0\0\x99\x09"), "WAV type 0x0999"),
])  # fmt: skip
def test_a_codec_that_is_not_known_is_named_with_what_to_do(content, codec):
    with pytest.raises(
        DecodeError, match=rf"day 1\.mka holds sound in a codec .*\({codec}\)\. .*save it as wav or mp3"
    ):
        heard(content, "day 1.mka")


@pytest.mark.parametrize("container", ["mp4", "webm", "matroska", "mpegts"])
def test_a_track_that_begins_late_is_heard_when_players_play_it(container, tmp_path):
    content = film_of(
        [Part(SOUND, start_s=2.0)], container, "libopus" if container == "webm" else "aac", pictures_s=6.0
    )
    sound, notes = heard(content)
    assert np.abs(sound[: round(1.9 * RATE_HZ)]).max() < 0.01
    assert likeness(sound, SOUND[:-1600], 2.0) > 0.97
    assert notes == []
    (tmp_path / "film").write_bytes(content)
    assert media_type(tmp_path / "film", len(sound) / RATE_HZ) == ""  # players get a copy with our times
    assert decode.probe(tmp_path / "film", LIMITS).duration_s == pytest.approx(5.0, abs=0.1)


@pytest.mark.parametrize("container", ["mp4", "webm", "mpegts"])
def test_a_clock_that_does_not_begin_at_zero_is_set_to_it(container, tmp_path):
    parts, codec = [Part(SOUND, start_s=1.0)], "libopus" if container == "webm" else "aac"
    content = film_of(parts, container, codec, pictures_s=6.0, start_s=3 * 3600.0)
    sound, notes = heard(content)
    assert likeness(sound, SOUND[:-1600], 1.0) > 0.97
    assert len(sound) / RATE_HZ == pytest.approx(4.0, abs=0.1)
    assert notes == []
    (tmp_path / "film").write_bytes(content)
    assert media_type(tmp_path / "film", len(sound) / RATE_HZ) == ""


def test_a_pause_of_the_recorder_is_silence_and_a_jump_of_its_clock_is_said():
    sound, notes = heard(film_of([Part(SOUND, gap_at_s=1.0, gap_s=2.0)], "webm", "libopus", pictures_s=0))
    assert likeness(sound, SOUND[RATE_HZ + 1600 : -1600], 3.1) > 0.97
    assert notes == []
    sound, notes = heard(film_of([Part(SOUND, gap_at_s=1.0, gap_s=9000.0)], "webm", "libopus", pictures_s=0))
    assert likeness(sound, SOUND[RATE_HZ + 1600 : -1600], 1.1) > 0.97
    assert notes == ["Its time stamps jump by 2:30:00.0; what comes after follows at once here."]


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_all_tracks_of_a_film_are_heard_at_their_times(container, tmp_path):
    other = np.ascontiguousarray(SOUND[::-1])
    content = film_of([Part(SOUND), Part(other, start_s=4.0)], container, pictures_s=8.0)
    sound, notes = heard(content)
    assert likeness(sound, SOUND[:-1600]) > 0.97
    assert likeness(sound, other[1600:-1600], 4.1) > 0.97
    assert notes == ["Its 2 sound tracks were mixed: 1, 2."]
    (tmp_path / "film").write_bytes(content)
    assert decode.probe(tmp_path / "film", LIMITS).duration_s == pytest.approx(7.0, abs=0.1)
    part = decode.read_span(tmp_path / "film", Span(4.5, 6.5)).samples
    assert np.abs(part - sound[round(4.5 * RATE_HZ) : round(6.5 * RATE_HZ)]).max() < 0.01


@pytest.mark.parametrize(("first", "second", "heard_first", "named"), [
    ({"language": "eng"}, {"language": "fra"}, True, ("1 (eng) was taken in", "left out: 2 (fra)", "0:a:1")),
    ({"language": "eng"}, {"language": "fra", "role": "default"}, False, ("2 (fra) was", "left out: 1 (eng)", "0:a:0")),
    ({"language": "eng"}, {"language": "eng", "role": "comment"}, True, ("1 (eng) was", "beside it", "left out: 2")),
])  # fmt: skip
def test_of_several_languages_the_one_that_players_play_is_heard_and_the_others_are_named(
    first, second, heard_first, named
):
    other = np.ascontiguousarray(SOUND[::-1])
    sound, notes = heard(film_of([Part(SOUND, **first), Part(other, **second)], "matroska", pictures_s=0))
    assert (likeness(sound, SOUND[:-1600]) > 0.97) == heard_first
    assert (likeness(sound, other[1600:-1600], 0.1) > 0.97) != heard_first
    assert len(notes) == 1
    assert all(text in notes[0] for text in named)


@pytest.mark.parametrize("gain", [-1.0, -0.6])
@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
def test_opposite_channels_are_heard_like_each_alone(kind, gain):
    sound, _ = heard(content_of(kind, np.stack([SOUND, gain * SOUND], axis=1)))
    assert abs(likeness(np.abs(sound), np.abs(SOUND[:-1600]))) > 0.97
    assert np.abs(sound).max() > 0.25


@pytest.mark.parametrize("channels", [1, 2, 5, 8, 11, 16])
@pytest.mark.parametrize("kind", ["wav", "float", "flac", "ogg", "opus"])
def test_any_number_of_channels_is_read(kind, channels):
    if (kind in ("flac", "opus") and channels > 8) or (kind == "opus" and channels == 7):
        pytest.skip("the format has fewer")
    rate_hz = 48_000 if kind == "opus" else RATE_HZ
    sound, _ = heard(content_of(kind, np.repeat(sweep(1.0, rate_hz)[:, None], channels, axis=1), rate_hz))
    assert likeness(sound, sweep(1.0)[:-1600]) > 0.95


def test_a_table_of_an_mp3_is_true_only_for_the_whole_file(tmp_path):
    def kind(content, duration_s):
        (tmp_path / "talk").write_bytes(content)
        return media_type(tmp_path / "talk", duration_s)

    constant = content_of("mp3", SOUND, **CONSTANT)
    assert kind(constant, 3.0) == kind(id3(900) + constant, 3.0) == "audio/mpeg"
    assert kind(constant + constant, 6.0) == ""
    assert kind(id3(900) + bytes(500) + constant, 3.0) == ""
    assert kind(content_of("mp3", SOUND), 3.0) == ""  # a varying bit rate
    without_table = constant[mpeg.frame(constant)[0] :]
    assert kind(without_table, 3.0) == ""


@pytest.mark.parametrize("kind", sorted(set(BY_SOUNDFILE) - {"mp3", "rf64"}))
def test_a_header_that_tells_another_length_than_there_is_makes_a_copy(kind, tmp_path):
    (tmp_path / "talk").write_bytes(content_of(kind, SOUND))
    assert media_type(tmp_path / "talk", 9.0) == ""


def test_a_header_cannot_make_a_file_too_long_and_a_long_one_is_still_refused(tmp_path):
    content = bytearray(content_of("flac", SOUND))
    content[22:26] = b"\xff\xff\xff\xff"
    (tmp_path / "talk.flac").write_bytes(content)
    assert decode.probe(tmp_path / "talk.flac", LIMITS).duration_s == pytest.approx(3.0, abs=0.01)
    with pytest.raises(TooLongError, match=r"talk.flac is longer than 2 seconds"):
        decode.probe(tmp_path / "talk.flac", Limits(duration_s=2.0))


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_read_whole_and_in_parts_at_the_same_times(kind, tmp_path):
    (tmp_path / "talk").write_bytes(content_of(kind, sweep(6.0)))
    sound, notes = heard(tmp_path / "talk")
    assert len(sound) / RATE_HZ == pytest.approx(6.0, abs=0.1)
    assert likeness(sound, sweep(6.0)[:-1600]) > 0.97
    assert notes == []
    for start_s, end_s in ((0.0, 1.5), (2.37, 4.11), (5.2, 9.0)):
        part = decode.read_span(tmp_path / "talk", Span(start_s, end_s)).samples
        expected = sound[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]
        assert abs(len(part) - len(expected)) <= 17  # Matroska rounds its time stamps to a millisecond
        assert likeness(part, expected[20:-20]) > 0.98
