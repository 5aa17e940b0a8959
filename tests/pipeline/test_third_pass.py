"""The third pass: who speaks is kept, passages are cut at turns, and nothing that was known is lost.

The models are fakes, and who speaks when is a script; library, store and index are the real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.limits import Segmentation
from speechsearch.domain.progress import Progress
from speechsearch.domain.speakers import Turn
from speechsearch.domain.values import Filters, Query, Span, Transcript
from speechsearch.library import third_pass
from speechsearch.library.turn_cuts import parts_at_turns
from speechsearch.service.open import Service
from tests.tiny.fakes import FakeLoader, FakeRecognizer, FakeSpeakerEncoder, open_fakes, take_in
from tests.tiny.voices import Script, acting

CUT = Segmentation(shortest_s=5, longest_s=12)
SCRIPTS: dict[int, Script] = {
    24: [(0.0, "ann"), (6.5, "bob"), (18.0, "ann"), (24.0, "")],
    15: [(0.0, "ann"), (15.0, "")],
    16: [(0.0, "cyd"), (16.0, "")],
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Recordings of 24, 15 and 16 seconds."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, seconds in enumerate(SCRIPTS):
        samples, rate_hz = soundfile.read(sorted((SAMPLES / "audio").glob("*.opus"))[number], frames=seconds * 16_000)
        assert len(samples) == seconds * rate_hz
        soundfile.write(folder / f"{seconds}.wav", samples, rate_hz)
    return folder


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[int, Script]], None]:
    """Sets who speaks when."""

    def use(scripts: dict[int, Script]) -> None:
        monkeypatch.setattr(third_pass, "diarize", acting(scripts))

    use(SCRIPTS)
    return use


def spans(service: Service, name: str) -> list[tuple[float, float]]:
    recording = service.browse.recording_named(name)
    passages = service.browse.passages_of(recording.recording_id)
    return [(round(one.span.start_s, 2), round(one.span.end_s, 2)) for one in passages]


def open_with(data_dir: Path, models: FakeLoader) -> Service:
    return open_fakes(data_dir, models, CUT)


def test_passages_are_cut_at_turns_and_keep_what_is_known(tmp_path: Path, files: Path, script) -> None:
    deaf = FakeLoader()
    with open_with(tmp_path / "data", deaf) as service:
        assert take_in(service, files) == ["indexed"] * 3 and list(service.manage.catch_up()) == []
        before = {name: spans(service, f"{name}.wav") for name in SCRIPTS}
        key = service.browse.recording_named("24.wav").recording_id
        said = {one.passage_id: text for one, text in service.browse.transcribed(key)}
        for passage_id in said:
            service.feedback.judge("bees", passage_id, 1)
        assert not service.speakers.of_recording(key).is_heard and service.speakers.all() == []
        assert len(service.search.find(Query("x", top_k=50), "adapter").hits) == service.store.passages.count()
    hearing = FakeLoader(speakers=FakeSpeakerEncoder())
    with open_with(tmp_path / "data", hearing) as service:
        assert [(one.maker, one.passages) for one in service.manage.missing()] == [
            ("who speaks", len(before[number])) for number in sorted(SCRIPTS, key=lambda n: recording_id(service, n))
        ]
        stages: list[Progress] = []
        assert list(service.manage.catch_up(stages.append)) == [] == service.manage.missing()
        assert {one.stage for one in stages} <= {"speakers", "transcribe"}
        assert max(one.fraction for one in stages) == 1.0 == stages[-1].fraction
        heard = service.speakers.of_recording(key)
        assert [one.number for one in heard.voices] == [1, 2] and len(heard.turns) == 3
        ann, bob = (one.speaker for one in heard.voices)
        assert (ann.recordings, ann.speech_s, bob.recordings, bob.speech_s) == (2, 27.5, 1, 11.5)
        after = {name: spans(service, f"{name}.wav") for name in SCRIPTS}
        assert (after[15], after[16]) == (before[15], before[16]), "one voice: nothing is cut"
        edges = {start_s for start_s, _ in after[24]} - {start_s for start_s, _ in before[24]}
        assert edges and edges <= {6.5, 18.0}, "where the speaker changes"
        now = dict(service.browse.transcribed(key))
        kept = [one for one in now if one.passage_id in said]
        assert all(now[one] == said[one.passage_id] for one in kept)
        assert all(text is not None for text in now.values())
        # Of each passage that was cut, one of the new ones has its words; nobody wrote anything down again.
        assert hearing.counted().keys() <= {"sound", "text"}
        assert {text.text for text in now.values() if text and text.text} == {text.text for text in said.values()}
        judged = {one.passage_id for one in service.store.judgements.find()}
        assert len(judged) == len(said) and judged <= {one.passage_id for one in now}
        assert set(service.library.index.ids()) == service.store.passages.ids()
        assert service.browse.differences() == []
        written = {one.passage_id for one, text in now.items() if text and text.text}
        hits = service.search.find(Query("x", top_k=50, filters=Filters(recording_ids=(key,))), "asr").hits
        assert {hit.passage.passage_id for hit in hits} == written
        assert list(service.manage.catch_up()) == [] and hearing.counted() == {}


def recording_id(service: Service, seconds: int) -> str:
    return service.browse.recording_named(f"{seconds}.wav").recording_id


def test_another_cut_gives_the_same_passages_again(tmp_path: Path, files: Path, script) -> None:
    models = FakeLoader(speakers=FakeSpeakerEncoder())
    with open_with(tmp_path / "data", models) as service:
        take_in(service, files)
        assert list(service.manage.catch_up()) == []
        wanted, index = spans(service, "24.wav"), set(service.library.index.ids())
        voices = service.store.voices.numbers_in(recording_id(service, 24))
    with open_fakes(tmp_path / "data", models, Segmentation(shortest_s=2, longest_s=4)) as service:
        service.manage.rebuild()
        assert list(service.manage.catch_up()) == [] == service.browse.differences()
        assert spans(service, "24.wav") != wanted
    with open_with(tmp_path / "data", models) as service:
        service.manage.rebuild()
        assert list(service.manage.catch_up()) == [] == service.browse.differences()
        assert spans(service, "24.wav") == wanted and set(service.library.index.ids()) == index
        assert service.store.voices.numbers_in(recording_id(service, 24)) == voices
        assert take_in(service, files) == ["unchanged"] * 3


def test_another_encoder_hears_again_and_everybody_stays_who_he_is(tmp_path: Path, files: Path, script) -> None:
    with open_with(tmp_path / "data", FakeLoader(speakers=FakeSpeakerEncoder())) as service:
        take_in(service, files)
        assert list(service.manage.catch_up()) == []
        key = recording_id(service, 24)
        ann, bob = (one.speaker for one in service.speakers.of_recording(key).voices)
        assert (ann.recordings, bob.recordings) == (2, 1)
        service.speakers.name(ann.speaker_id, "Ann")
        cyd = service.speakers.assign(recording_id(service, 16), 1, bob.speaker_id)
        service.speakers.assign(recording_id(service, 16), 1)
        assert cyd.speaker_id == bob.speaker_id
        refusals = service.store.voices.refusals()
        assert {speaker for *_, speaker in refusals} == {bob.speaker_id}
        cut = spans(service, "24.wav")
    script({**SCRIPTS, 24: [(0.0, "bob"), (0.4, "ann"), (9.0, "bob"), (18.0, "ann"), (24.0, "")]})
    with open_with(tmp_path / "data", FakeLoader(speakers=FakeSpeakerEncoder("2"))) as service:
        assert len(service.manage.missing()) == 3 and list(service.manage.catch_up()) == []
        assert next((one.label, one.recordings) for one in service.speakers.all()) == ("Ann", 2)
        voices = service.speakers.of_recording(key).voices
        assert [one.speaker.speaker_id for one in voices] == [bob.speaker_id, ann.speaker_id]
        assert service.store.voices.refusals() == refusals
        assert spans(service, "24.wav") != cut and service.browse.differences() == []
        assert {one.fingerprint for one in service.store.voices.of(key)} == {"fake-speakers-2"}


def test_without_a_speaker_encoder_nothing_is_heard(tmp_path: Path, files: Path) -> None:
    with open_with(tmp_path / "data", FakeLoader()) as service:
        take_in(service, files)
        assert list(service.manage.catch_up()) == [] == service.manage.missing()
        assert service.store.voices.heard() == {} and service.speakers.all() == []


def test_without_the_files_of_its_encoder_nothing_is_tried(
    tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeLoader, "is_within_reach", lambda self, task, name: task != "speaker encoder")
    with open_with(tmp_path / "data", FakeLoader(speakers=FakeSpeakerEncoder())) as service:
        take_in(service, files)
        assert list(service.manage.catch_up()) == [] == service.manage.missing()
        assert not service.speakers.are_heard


class Leaving(FakeRecognizer):
    """Gives no times of words, so that a new cut is written down anew; is there until it is gone."""

    is_gone = False

    def transcribe(self, sounds, language=None, hotwords=()) -> list[Transcript]:
        """The words alone."""
        if self.is_gone:
            raise ModelUnavailableError("The recogniser is gone.")
        return [Transcript("words", self.name) for _ in sounds]


@pytest.mark.parametrize("was_there", [False, True])
def test_a_recogniser_that_is_gone_is_told_once_and_all_are_heard(
    tmp_path: Path, files: Path, script, was_there: bool
) -> None:
    recognizer = Leaving()
    if was_there:
        with open_with(tmp_path / "data", FakeLoader(recognizers=(recognizer,))) as service:
            take_in(service, files)
            assert list(service.manage.catch_up()) == []
    recognizer.is_gone = True
    models = FakeLoader(recognizers=(recognizer,), speakers=FakeSpeakerEncoder())
    with open_with(tmp_path / "data", models) as service:
        take_in(service, files)
        (failed,) = service.manage.catch_up()
        assert failed.message == "The recogniser is gone."
        assert len(service.store.voices.heard()) == len(SCRIPTS)


def test_a_recording_that_cannot_be_heard_does_not_stop_the_others(
    tmp_path: Path, files: Path, script, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_with(tmp_path / "data", FakeLoader(speakers=FakeSpeakerEncoder())) as service:
        take_in(service, files)
        script({24: SCRIPTS[24], 16: SCRIPTS[16]})
        (failed,) = service.manage.catch_up()
        assert failed.name == "15" and "KeyError" in failed.message
        assert len(service.store.voices.heard()) == 2 and len(service.manage.missing()) == 1
        script(SCRIPTS)
        assert list(service.manage.catch_up()) == [] == service.manage.missing()


def test_one_that_is_deleted_meanwhile_leaves_nothing(
    tmp_path: Path, files: Path, script, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_with(tmp_path / "data", FakeLoader(speakers=FakeSpeakerEncoder())) as service:
        take_in(service, files)
        plain = third_pass.diarize

        def deleting(sound: object, encode: object) -> object:
            found = plain(sound, encode)
            for one in service.browse.recordings():
                service.manage.delete_recording(one.recording_id)
            return found

        monkeypatch.setattr(third_pass, "diarize", deleting)
        failed = list(service.manage.catch_up())
        assert all("no recording" in one.message or "no passages" in one.message for one in failed)
        assert service.store.voices.heard() == {} and service.speakers.all() == []
        assert service.browse.differences() == [] and list(service.library.index.ids()) == []


def test_search_goes_by_who_speaks(tmp_path: Path, files: Path, script) -> None:
    (files / "metadata.csv").write_text("file,title,speaker\n16.wav,Sixteen,Ann\n15.wav,Fifteen,Dora\n", "utf-8")
    with open_with(tmp_path / "data", FakeLoader(speakers=FakeSpeakerEncoder())) as service:

        def found(*names: str) -> set[str]:
            results = service.search.find(Query("x", top_k=50, filters=Filters(speakers=names)), "adapter")
            ids = {hit.passage.passage_id for hit in results.hits}
            assert (results.coverage.passages, results.coverage.of_passages) == (len(ids), len(ids))
            wanted_s = sum(hit.passage.span.duration_s for hit in results.hits)
            assert results.coverage.of_duration_s == pytest.approx(wanted_s)
            return ids

        assert take_in(service, files) == ["indexed"] * 3
        passages = {n: service.browse.passages_of(recording_id(service, n)) for n in SCRIPTS}
        of = {number: {one.passage_id for one in each} for number, each in passages.items()}
        assert found("Ann") == of[16] and found("Dora") == of[15] and found("Speaker 1") == set()
        assert list(service.manage.catch_up()) == []
        labels = [one.label for one in service.speakers.all()]
        assert labels[:2] == ["Ann", "Dora"] and len(labels) == 3, "the only voice of a recording is whom metadata name"
        (bob,) = [one for one in service.speakers.all() if not one.name]
        assert service.browse.facets()["speakers"] == ["Ann", "Dora", bob.label]
        passages = {n: service.browse.passages_of(recording_id(service, n)) for n in SCRIPTS}
        mixed = service.store.voices.numbers_in(recording_id(service, 24))
        dora, his = ({one for one, numbers in mixed.items() if number in numbers} for number in (1, 2))
        assert dora and his and dora != his
        assert found("Dora") == found("dora") == of[15] | dora and found("Ann") == of[16]
        assert found(bob.label) == found(bob.label.lower()) == found(bob.speaker_id) == his
        assert found(bob.label, "Ann") == his | of[16] and found("nobody") == set()
        hits = service.search.find(Query("x", top_k=50), "adapter").hits
        for hit in hits:
            numbers = mixed.get(hit.passage.passage_id)
            assert len(hit.speakers) == (len(numbers) if numbers else 1)
        # Renamed, he is found at once, and the index was not written.
        service.speakers.name(bob.speaker_id, "Robert")
        assert found("Robert") == his and found(bob.label) == set()
        # What metadata say of a recording in which nobody sounds so counts whole, until somebody says who it is.
        service.manage.change_recording(recording_id(service, 24), {"speaker": "Eve"})
        everything = {one.passage_id for one in passages[24]}
        assert found("Eve") == everything
        eve = service.speakers.assign(recording_id(service, 24), 2)
        service.speakers.name(eve.speaker_id, "Eve")
        assert found("Eve") == his and found("Robert") == set()
        restricted = Filters(speakers=("Dora",), recording_ids=(recording_id(service, 15),))
        assert len(service.search.find(Query("x", top_k=50, filters=restricted), "adapter").hits) == len(of[15])


def test_coverage_of_what_is_not_all_written_down(tmp_path: Path, files: Path, script) -> None:
    with open_with(tmp_path / "data", FakeLoader(speakers=FakeSpeakerEncoder())) as service:
        take_in(service, files)
        assert list(service.manage.catch_up()) == []
        key = recording_id(service, 24)
        numbers = service.store.voices.numbers_in(key)
        gone = next(one for one, found in numbers.items() if found == (2,))
        stored = service.store.passages.stored(key)
        channel = service.library.makers.baselines[0].encoder.channels[0].name
        service.library.index.delete([gone])
        kept = [one for one in stored if one.passage.passage_id != gone]
        assert all(channel in one.vectors for one in kept)
        service.store.passages.encode(key, [], {channel: "another"})
        baseline = service.library.makers.baselines[0]
        service.store.passages.encode(key, kept, {**service.library.makers.of_sound, **baseline.made_by})
        service.library.version += 1
        bob = service.speakers.of_recording(key).voices[1].speaker
        results = service.search.find(Query("x", top_k=50, filters=Filters(speakers=(bob.label,))), "asr")
        theirs = sum(2 in found for found in numbers.values())
        assert (results.coverage.passages, results.coverage.of_passages) == (theirs - 1, theirs)


def test_turns_of_nobody_cut_nothing() -> None:
    whole = Span(3.0, 9.0)
    assert parts_at_turns(whole, []) == [whole]
    short = [Turn(Span(0, 5), 1), Turn(Span(5, 5.6), 2), Turn(Span(5.7, 6.3), 2), Turn(Span(6.3, 9), 1)]
    assert parts_at_turns(whole, short) == [whole], "three seconds are left on both sides, or it is not cut"
    assert parts_at_turns(Span(0, 9), short) == [Span(0, 5), Span(5, 9)]
