"""Three senses of similar, and duplicates, over real recordings: the sound embedder alone is a fake."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechsearch.audio.degrade import Degradation, change_speed, degrade
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import (
    CapabilityError,
    DecodeError,
    InputError,
    NotAllowedError,
    NotFoundError,
    SilentError,
    TooLongError,
)
from speechsearch.domain.limits import Segmentation
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Filters
from speechsearch.domain.visitors import Visitor, private
from speechsearch.service.open import Service
from tests.tiny.fakes import FakeLoader, FakeRecognizer, FakeSoundEmbedder, open_fakes, take_in

ANN, BOB = Visitor("ann", may_add=True), Visitor("bob", may_add=True)
LATE_S = 3.3
NAMES = ("s001", "s002", "s003", "s004", "s005")


def sample(name: str) -> np.ndarray:
    samples, rate_hz = soundfile.read(SAMPLES / "audio" / f"{name}.opus", dtype="float32")
    assert rate_hz == SAMPLE_RATE_HZ
    return samples


def wav(samples: np.ndarray, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE_HZ, format=kind)
    return file.getvalue()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Five samples; a noisy copy of one that begins later, in MP3; a tone twice; and Ann's own copy of another."""
    folder = tmp_path_factory.mktemp("in")
    (folder / "own").mkdir()
    for name in NAMES:
        soundfile.write(folder / f"{name}.wav", sample(name), SAMPLE_RATE_HZ)
    late = Audio(sample("s002")[round(LATE_S * SAMPLE_RATE_HZ) :])
    copied = degrade(late, Degradation(noise="pink", noise_ratio_db=15.0))
    soundfile.write(folder / "s002 noisy.mp3", copied.samples, SAMPLE_RATE_HZ)
    soundfile.write(folder / "own" / "s003 again.flac", sample("s003") * 0.5, SAMPLE_RATE_HZ)
    models = FakeLoader(sounds=FakeSoundEmbedder(), finds_copies=True)
    data_dir = tmp_path_factory.mktemp("similar") / "data"
    with open_fakes(data_dir, models, Segmentation(shortest_s=5, longest_s=12)) as opened:
        assert set(take_in(opened, *sorted(folder.glob("*.*")))) == {"indexed"}
        assert take_in(opened, folder / "own", collection=private("mine", "ann")) == ["indexed"]
        assert list(opened.manage.catch_up()) == []
        yield opened


def id_of(service: Service, title: str) -> str:
    return service.browse.recording_named(title).recording_id


def titles(results: object) -> list[str]:
    return [hit.recording.title for hit in results.hits if hit.is_likely]


def test_a_recording_a_passage_and_a_sound_find_the_copy_at_its_second(service: Service) -> None:
    found = service.similar.of_track(id_of(service, "s002"), "recording")
    assert titles(found) == ["s002 noisy"] and found.recordings == found.of_recordings == 6
    (hit, *_) = found.hits
    assert hit.offset_s == pytest.approx(-LATE_S, abs=0.1) and hit.likelihood > 0.95
    (back, *_) = service.similar.of_track(id_of(service, "s002 noisy"), "recording").hits
    assert back.recording.title == "s002" and back.offset_s == pytest.approx(LATE_S, abs=0.1)
    passage = service.browse.passages_of(id_of(service, "s002 noisy"))[1]
    (part, *_) = service.similar.of_track(passage.passage_id, "recording").hits
    assert part.recording.title == "s002" and part.likelihood > 0.9
    moved = part.points[:, 1] - part.points[:, 0]
    assert np.median(moved) == pytest.approx(LATE_S, abs=0.1), "the diagonal is in the recording's own seconds"
    assert passage.span.start_s + LATE_S == pytest.approx(part.span.start_s, abs=4.0)
    sent = service.similar.sound(wav(sample("s004")[5 * SAMPLE_RATE_HZ : 15 * SAMPLE_RATE_HZ], "FLAC"))
    (from_sound, *_) = service.similar.of_sound(sent, "recording").hits
    assert from_sound.recording.title == "s004" and from_sound.offset_s == pytest.approx(5.0, abs=0.1)


@pytest.mark.parametrize("speed", [0.97, 1.03])
def test_a_copy_at_another_speed_is_found(service: Service, speed: float) -> None:
    sound = Audio(change_speed(sample("s005")[: 14 * SAMPLE_RATE_HZ], speed))
    (hit, *_) = service.similar.of_sound(sound, "recording").hits
    assert hit.recording.title == "s005" and hit.likelihood > 0.5
    assert abs(hit.speed - speed) <= 0.011 and hit.points[-1, 0] <= sound.duration_s


def test_what_is_not_there_is_not_likely(service: Service) -> None:
    found = service.similar.of_sound(Audio(sample("s009")[: 10 * SAMPLE_RATE_HZ]), "recording")
    assert titles(found) == []


def test_the_same_words_are_found_whoever_says_them(service: Service) -> None:
    passage = service.browse.passages_of(id_of(service, "s003"))[0]
    found = service.similar.of_track(passage.passage_id, "words", 50)
    ids = [hit.passage_id for hit in found.hits]
    assert passage.passage_id not in ids and len(ids) == len(set(ids)) > 5
    assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)
    assert all(hit.transcript and hit.likelihood is None for hit in found.hits)
    whole = service.similar.of_track(id_of(service, "s001"), "words", 50)
    assert id_of(service, "s001") not in {hit.recording.recording_id for hit in whole.hits}
    heard = service.similar.of_sound(service.similar.sound(wav(sample("s001"))), "words", 3)
    assert len(heard.hits) == 3


def test_shared_words_are_said(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    passage = service.browse.passages_of(id_of(service, "s003"))[0]
    said = {passage.passage_id: "They built bridges, all of them old."}
    monkeypatch.setattr(
        service.store.transcripts, "texts", lambda ids, _: {one: said.get(one, "The old bridge fell.") for one in ids}
    )
    (hit, *_) = service.similar.of_track(passage.passage_id, "words", 1).hits
    assert hit.shared == ("bridge", "old") and hit.transcript == "The old bridge fell."


def test_what_sounds_alike_is_found_and_says_where(service: Service) -> None:
    found = service.similar.of_track(id_of(service, "s002"), "sound")
    assert (
        found.sense == "sound"
        and len(found.hits) == 5
        and id_of(service, "s002") not in {hit.recording.recording_id for hit in found.hits}
    )
    best = found.hits[0]
    assert best.recording.title == "s002 noisy" and best.score > found.hits[-1].score
    assert best.nearest and best.span.start_s == best.nearest[0].found_s and best.likelihood is None
    passage = service.browse.passages_of(id_of(service, "s001"))[-1]
    assert service.similar.of_track(passage.passage_id, "sound", 3).hits
    vector = service.similar.embed(Audio(sample("s001")))
    assert vector.shape == (16,) and np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-4)
    (same, *_) = service.similar.of_sound(Audio(sample("s005")), "sound", 1).hits
    assert same.recording.title == "s005" and same.score > 0.99


def test_windows_that_are_most_alike_are_named_by_their_own_seconds(service: Service) -> None:
    before = np.concatenate([sample(name) for name in NAMES[:4]])
    whole = Audio(np.concatenate([before, sample("s005")]))
    last_s = len(before) / SAMPLE_RATE_HZ
    found = service.similar.of_sound(whole, "sound", 50)
    assert whole.duration_s > 80, "more windows than are asked"
    (hit,) = (one for one in found.hits if one.recording.title == "s005")
    best = hit.nearest[0]
    assert last_s - 5 < best.asked_s < whole.duration_s and best.asked_s - last_s == pytest.approx(best.found_s, abs=5)
    passage = service.browse.passages_of(id_of(service, "s001"))[-1]
    for hit in service.similar.of_track(passage.passage_id, "sound").hits:
        assert all(passage.span.start_s - 10 <= one.asked_s <= passage.span.end_s for one in hit.nearest)


def test_nobody_is_told_of_what_is_the_others_own(service: Service) -> None:
    shared_id, own_id = id_of(service, "s003"), id_of(service, "s003 again")
    for sense in ("recording", "sound", "words"):
        assert own_id not in {
            hit.recording.recording_id for hit in service.similar.of_track(shared_id, sense, 50, visitor=BOB).hits
        }
        assert own_id in {
            hit.recording.recording_id for hit in service.similar.of_track(shared_id, sense, 50, visitor=ANN).hits
        }
        with pytest.raises(NotFoundError, match="no recording"):
            service.similar.of_track(own_id, sense, visitor=BOB)
    assert service.similar.counts(BOB)[0] == 6 and service.similar.counts(ANN)[:2] == (7, 7)
    assert [pair.first.title for pair in service.duplicates.find(visitor=BOB)] == ["s002"]
    pairs = [{pair.first.title, pair.second.title} for pair in service.duplicates.find(visitor=ANN)]
    assert sorted(pairs, key=min) == [{"s002", "s002 noisy"}, {"s003", "s003 again"}]
    assert service.duplicates.find("mine", ANN) == []


def test_filters_leave_out_as_in_search(service: Service) -> None:
    recording_id = id_of(service, "s002")
    for filters, count in (
        (Filters(collections=("talks",)), 1),
        (Filters(languages=("xx",)), 0),
        (Filters(speakers=("Nobody",)), 0),
        (Filters(recording_ids=(id_of(service, "s001"),)), 0),
        (Filters(date_from="2999"), 0),
    ):
        assert len(titles(service.similar.of_track(recording_id, "recording", 5, filters))) == count, filters
    with pytest.raises(NotFoundError, match="no collection"):
        service.similar.of_track(recording_id, "recording", 5, Filters(collections=("none",)))
    with pytest.raises(InputError, match="0 answers"):
        service.similar.of_track(recording_id, "recording", 0)
    with pytest.raises(NotFoundError, match="no recording"):
        service.similar.of_track("f" * 64, "recording")


def test_sounds_that_cannot_be_compared_are_refused_with_a_reason(service: Service) -> None:
    for content, kind, words in (
        (b"this is no sound", DecodeError, "sound"),
        (wav(sample("s001")[: SAMPLE_RATE_HZ // 5]), InputError, "0.2 s long; at least 1 s"),
        (wav(np.zeros(5 * SAMPLE_RATE_HZ, np.float32)), SilentError, "nothing to hear"),
        (wav(sample("s001"))[:3000], InputError, "at least|readable|damaged|broken"),
    ):
        with pytest.raises(kind, match=words):
            service.similar.sound(content)
    hours = io.BytesIO()
    with soundfile.SoundFile(hours, "w", 8_000, 1, format="FLAC") as file:
        for _ in range(180):
            file.write(np.zeros(60 * 8_000, np.float32))
    with pytest.raises(TooLongError, match="longer than 600 seconds"):
        service.similar.sound(hours.getvalue())
    tone = Audio(np.sin(np.arange(5 * SAMPLE_RATE_HZ) / 5).astype(np.float32) * 0.3)
    assert titles(service.similar.of_sound(tone, "recording")) == []


def test_a_pair_is_shown_until_both_are_kept_and_one_is_deleted_by_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    soundfile.write(folder / "whole.wav", sample("s006"), SAMPLE_RATE_HZ)
    soundfile.write(folder / "copy.mp3", sample("s006"), SAMPLE_RATE_HZ)
    soundfile.write(folder / "part.wav", sample("s006")[4 * SAMPLE_RATE_HZ : 16 * SAMPLE_RATE_HZ], SAMPLE_RATE_HZ)
    soundfile.write(folder / "other.wav", sample("s007"), SAMPLE_RATE_HZ)
    models = FakeLoader(recognizers=(FakeRecognizer(),), finds_copies=True)
    with open_fakes(tmp_path / "data", models) as service:
        assert take_in(service, folder) == ["indexed"] * 4
        assert service.duplicates.find() == [], "nothing is prepared yet"
        with pytest.raises(NotFoundError, match="not prepared yet"):
            service.similar.of_track(id_of(service, "whole"), "recording")
        assert list(service.manage.catch_up()) == []
        pairs = {frozenset((one.first.title, one.second.title)): one for one in service.duplicates.find("talks")}
        assert pairs.keys() == {frozenset(pair) for pair in (("whole", "copy"), ("whole", "part"), ("copy", "part"))}
        copy, part = pairs[frozenset(("whole", "copy"))], pairs[frozenset(("whole", "part"))]
        assert copy.is_whole and abs(copy.offset_s) < 0.2 and copy.votes["length"] == "yes"
        assert not part.is_whole and part.first.title == "whole" and part.offset_s == pytest.approx(4.0, abs=0.1)
        assert part.votes == {"offsets": "yes", "length": "abstains", "fingerprint": "yes", "sound": "abstains"}
        assert part.shared_s == pytest.approx(12.0, abs=0.3) and part.likelihood > 0.95
        ids = {title: id_of(service, title) for title in ("whole", "copy", "part")}
        assert copy.may_change == {ids["whole"], ids["copy"]}
        with pytest.raises(NotAllowedError, match="cannot be changed"):
            service.duplicates.judge(ids["whole"], ids["copy"], "keep both", BOB)
        with pytest.raises(InputError, match="no duplicate of itself"):
            service.duplicates.judge(ids["whole"], ids["whole"], "keep both")
        assert service.duplicates.find(visitor=BOB)[0].may_change == frozenset()
        service.duplicates.judge(ids["copy"], ids["whole"], "keep both")
        assert len(service.duplicates.find()) == 2
    with open_fakes(tmp_path / "data", models) as service:
        assert len(service.duplicates.find()) == 2, "it is remembered"
        service.duplicates.judge(ids["whole"], ids["copy"], None)
        assert len(service.duplicates.find()) == 3
        service.manage.delete_recording(ids["part"])
        (pair,) = service.duplicates.find()
        assert {pair.first.title, pair.second.title} == {"whole", "copy"}
        assert titles(service.similar.of_track(ids["whole"], "recording")) == ["copy"]
        service.manage.delete_recording(ids["copy"])
        assert service.duplicates.find() == [] and titles(service.similar.of_track(ids["whole"], "recording")) == []


def test_what_is_switched_off_says_so(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", sample("s001"), SAMPLE_RATE_HZ)
    with open_fakes(tmp_path / "data", FakeLoader()) as service:
        take_in(service, tmp_path / "one.wav")
        assert list(service.manage.catch_up()) == [] and service.similar.senses() == ("words",)
        recording_id = id_of(service, "one")
        with pytest.raises(CapabilityError, match="Copies are not looked for"):
            service.similar.of_track(recording_id, "recording")
        with pytest.raises(CapabilityError, match="no sound embedder"):
            service.similar.of_track(recording_id, "sound")
        with pytest.raises(CapabilityError, match="no sound embedder"):
            service.similar.embed(Audio(sample("s001")))
        with pytest.raises(CapabilityError, match="Copies are not looked for"):
            service.duplicates.find()
        assert service.similar.counts() == (0, 0, 0)


def test_many_blocks_become_few_and_lose_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    from speechsearch.service import copies

    monkeypatch.setattr(copies, "MOST_BLOCKS", 2)
    found, names = copies.Copies(service.library), sorted(service.library.store.sounds.with_constellation("peaks-1"))
    there: set[str] = set()
    monkeypatch.setattr(found, "ready", lambda: set(there))
    for name in names:
        there.add(name)
        service.library.sounds_version += 1
        blocks = found._ready()
        assert len(blocks) <= 2 and sorted(one for block in blocks for one in block.names) == sorted(there)
    gone = there.pop()
    service.library.sounds_version += 1
    assert gone not in there and found._ready()
