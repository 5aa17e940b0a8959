"""Who speaks when: clustering and turns with made-up vectors, and the whole way with two real voices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import soundfile

from speechsearch.diarization import diarize
from speechsearch.diarization.channels import CROSSTALK_DB
from speechsearch.diarization.clustering import FEWEST_WINDOWS, MOST_CLUSTERED, centroids_of, cluster
from speechsearch.diarization.pipeline import Mode
from speechsearch.diarization.turns import OVERLAP_S, marked, numbered, stretches
from speechsearch.diarization.windows import STEP_S, WINDOW_S, hear, windows_of
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import InputError
from speechsearch.domain.speakers import Diarization, Turn
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix, Span
from speechsearch.models.catalog import catalog
from speechsearch.models.load import ModelLoader

RNG = np.random.default_rng(3)


def samples(name: str, start_s: float, end_s: float) -> np.ndarray:
    found, rate_hz = soundfile.read(SAMPLES / "audio" / f"{name}.opus", dtype="float32")
    assert rate_hz == SAMPLE_RATE_HZ
    return found[int(start_s * rate_hz) : int(end_s * rate_hz)]


@pytest.fixture(scope="module")
def man() -> np.ndarray:
    return samples("s002", 0, 12)


@pytest.fixture(scope="module")
def woman() -> np.ndarray:
    return samples("s003", 0, 12)


@pytest.fixture(scope="module")
def encode(request: pytest.FixtureRequest) -> object:
    return ModelLoader(catalog(), device="cpu", dtype="float32").speaker_encoder("ge2e").encode


def voices(counts: Sequence[int], spread: float = 0.2, dim: int = 32) -> FloatMatrix:
    """Vectors of so many windows of each voice, in order, scattered around directions at right angles."""
    rows = [np.eye(dim)[voice] + RNG.normal(scale=spread / dim**0.5, size=(n, dim)) for voice, n in enumerate(counts)]
    found = np.concatenate(rows).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def blocks(sound: np.ndarray, block_s: float = 0.7) -> Iterator[Audio]:
    size = int(block_s * SAMPLE_RATE_HZ)
    return (Audio(sound[at : at + size].astype(np.float32)) for at in range(0, len(sound), size))


def stereo(left: np.ndarray, right: np.ndarray) -> Iterator[tuple[Audio, Audio]]:
    return zip(blocks(left), blocks(right), strict=True)


def spoken_s(found: Diarization, voice: int) -> float:
    return sum(turn.span.duration_s for turn in found.turns if turn.voice == voice)


def test_the_number_of_voices_is_found_and_short_ones_go_to_others() -> None:
    vectors = voices([40, 25, 30, FEWEST_WINDOWS - 2])
    labels = cluster(vectors)
    assert len(set(labels)) == 3
    assert [len(set(labels[first:end])) for first, end in ((0, 40), (40, 65), (65, 95))] == [1, 1, 1]
    np.testing.assert_array_equal(cluster(vectors), labels)


@pytest.mark.parametrize("speakers", [1, 2, 3, 4])
def test_so_many_voices_as_are_given(speakers: int) -> None:
    assert len(set(cluster(voices([30, 20, 25, 15]), speakers))) == speakers


def test_outliers_are_no_voice_where_the_number_is_given() -> None:
    vectors = voices([30, 30, 1])
    labels = cluster(vectors, 2)
    assert labels[0] != labels[30] and labels[0] == labels[29] and labels[30] == labels[59]


def test_no_more_voices_than_windows() -> None:
    assert len(set(cluster(voices([1, 1]), 5))) <= 2
    assert cluster(voices([1])).tolist() == [0] and cluster(np.zeros((0, 4), np.float32)).tolist() == []


def test_of_a_long_recording_some_windows_are_clustered_and_all_are_given_a_voice() -> None:
    counts = [MOST_CLUSTERED, MOST_CLUSTERED // 2]
    labels = cluster(voices(counts))
    assert len(labels) == sum(counts) and len(set(labels)) == 2
    assert len(set(labels[: counts[0]])) == 1


def test_a_voice_changes_at_the_pause_near_which_it_sounds_different() -> None:
    first = np.clip((7.7 - np.arange(37) * STEP_S) / WINDOW_S, 0, 1)  # how much of a window is before 7.7 s
    similarity = np.stack([0.8 * first, 0.8 * (1 - first)], axis=1).astype(np.float32)
    assert stretches(similarity, [8.0, 16.0]) == [(0.0, 8.0, 0), (8.0, 16.0, 1)]


def test_where_voices_change_without_a_pause_both_speak_for_a_moment() -> None:
    similarity = np.zeros((21, 2), np.float32)
    similarity[:10, 0], similarity[10:, 1] = 0.8, 0.8
    (first, second) = stretches(similarity, [9.6])
    assert first[1] - second[0] == pytest.approx(2 * OVERLAP_S)
    assert (first[1] + second[0]) / 2 == pytest.approx(9.5 * STEP_S + WINDOW_S / 2, abs=0.11)


def test_voices_are_numbered_as_they_begin_and_who_never_speaks_is_left_out() -> None:
    found = numbered([Turn(Span(5.0, 6.0), 1), Turn(Span(0.0, 4.0), 3)], np.eye(3, dtype=np.float32))
    assert [(turn.span.start_s, turn.voice) for turn in found.turns] == [(0.0, 1), (5.0, 2)]
    assert [(voice.number, voice.speech_s, int(voice.vector.argmax())) for voice in found.voices] == [
        (1, 4.0, 2),
        (2, 1.0, 0),
    ]


def test_a_turn_within_another_is_overlap_and_the_other_goes_on() -> None:
    found = marked([Turn(Span(0, 10), 1), Turn(Span(2, 3), 2)])
    assert [(turn.span, turn.voice, turn.is_overlap) for turn in found] == [
        (Span(0, 2), 1, False),
        (Span(2, 3), 1, True),
        (Span(2, 3), 2, True),
        (Span(3, 10), 1, False),
    ]


def test_windows_are_the_same_however_the_speech_is_divided() -> None:
    sound = RNG.normal(size=5_000).astype(np.float32)
    whole = list(windows_of([sound], 400, 100))
    parts = list(windows_of(np.split(sound, [10, 11, 900, 4_000]), 400, 100))
    assert len(whole) == len(parts) == 47
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_pauses_are_left_out_of_windows(man: np.ndarray) -> None:
    quiet = np.zeros(5 * SAMPLE_RATE_HZ, np.float32)
    heard = hear(blocks(np.concatenate([man, quiet, man])), lambda sounds: np.ones((len(sounds), 2), np.float32))
    speech_s = sum(span.duration_s for span in heard.speech)
    assert 16 < speech_s < 24
    assert len(heard.vectors) == pytest.approx((speech_s - WINDOW_S) / STEP_S, abs=2)


def test_two_voices_that_take_turns_are_told_apart(man: np.ndarray, woman: np.ndarray, encode) -> None:
    parts = [man[:96_000], woman[:96_000], man[96_000:], woman[96_000:]]
    found = diarize(blocks(np.concatenate(parts)), encode)
    assert len(found.voices) == 2
    assert [voice.vector.shape for voice in found.voices] == [(256,), (256,)]
    inside = {number: {turn.voice for turn in found.turns if 6 * number + 1 < middle(turn) < 6 * number + 5}
              for number in range(4)}  # fmt: skip
    assert inside == {0: {1}, 1: {2}, 2: {1}, 3: {2}}
    again = diarize(Audio(np.concatenate(parts)), encode)
    assert again.turns == found.turns


def middle(turn: Turn) -> float:
    return (turn.span.start_s + turn.span.end_s) / 2


def test_one_voice_alone_is_one(man: np.ndarray, encode) -> None:
    found = diarize(blocks(man), encode)
    assert {turn.voice for turn in found.turns} == {1} and not any(turn.is_overlap for turn in found.turns)
    assert found.voices[0].speech_s == pytest.approx(spoken_s(found, 1))


@pytest.mark.parametrize("mode", ["auto", "channel"])
def test_in_a_call_each_channel_is_a_voice_and_overlap_is_marked(
    man: np.ndarray, woman: np.ndarray, mode: Mode, encode
) -> None:
    quiet = np.zeros(8 * SAMPLE_RATE_HZ, np.float32)
    leak = np.float32(10 ** (-(CROSSTALK_DB + 8) / 20))
    left, right = np.concatenate([man, quiet]), np.concatenate([quiet, woman])
    found = diarize(stereo(left + leak * right, right + leak * left), encode, mode=mode)
    assert len(found.voices) == 2
    first, second = found.voices
    assert first.vector @ second.vector < 0.8
    assert all(turn.voice == 1 for turn in found.turns if turn.span.end_s < 8)
    assert all(turn.voice == 2 for turn in found.turns if turn.span.start_s > 12.2)
    overlap = [turn.span for turn in found.turns if turn.is_overlap]
    assert overlap and all(span.start_s > 7.9 and span.end_s < 12.2 for span in overlap)


def test_stereo_with_the_same_on_both_channels_is_told_apart_by_sound(
    man: np.ndarray, woman: np.ndarray, encode
) -> None:
    both = np.concatenate([man, woman])
    found = diarize(stereo(both, both), encode)
    assert found.turns == diarize(blocks(both), encode).turns
    assert len(found.voices) == 2


def test_a_dead_channel_is_no_voice(man: np.ndarray, woman: np.ndarray, encode) -> None:
    both = np.concatenate([man, woman])
    found = diarize(stereo(both, np.zeros_like(both)), encode)
    assert len(found.voices) == 2
    forced = diarize(stereo(both, np.zeros_like(both)), encode, mode="channel")
    assert len(forced.voices) == 1


def test_three_speakers_on_two_channels_are_told_apart_by_sound(man: np.ndarray, woman: np.ndarray, encode) -> None:
    found = diarize(stereo(man, woman), encode, speakers=1)
    assert len(found.voices) == 1
    with pytest.raises(InputError, match="by its channels: 3 speakers have not a channel each"):
        diarize(stereo(man, woman), encode, speakers=3, mode="channel")


def test_one_channel_has_no_channels_to_tell_voices_apart_by(man: np.ndarray, encode) -> None:
    with pytest.raises(InputError, match="by its channels: it is not stereo"):
        diarize(blocks(man), encode, mode="channel")
    with pytest.raises(InputError, match="cannot be 0 speakers"):
        diarize(blocks(man), encode, speakers=0)


@pytest.mark.parametrize("mode", ["auto", "cluster"])
@pytest.mark.parametrize("seconds", [0, 0.005, 30])
def test_where_nobody_speaks_nobody_is_found(seconds: float, mode: Mode, encode) -> None:
    silence = np.zeros(int(seconds * SAMPLE_RATE_HZ), np.float32)
    for sound in (blocks(silence), stereo(silence, silence)):
        found = diarize(sound, encode, mode=mode)
        assert found.turns == () and found.voices == ()


def test_chords_are_nobody(encode) -> None:
    t = np.arange(20 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    chord = sum(0.1 * np.sin(2 * np.pi * hz * t) for hz in (220, 277, 330, 440)) * (0.6 + 0.4 * np.sin(2 * np.pi * t))
    assert diarize(blocks(chord), encode).voices == ()


def test_a_vector_of_a_voice_is_the_mean_of_its_windows() -> None:
    vectors = voices([3, 2])
    labels = np.array([0, 0, 0, 1, 1])
    np.testing.assert_allclose(np.linalg.norm(centroids_of(vectors, labels), axis=1), 1, atol=1e-6)
