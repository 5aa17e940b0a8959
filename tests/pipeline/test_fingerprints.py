"""A model is changed: exactly what it concerns is made anew, and meanwhile searches say what they searched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.limits import Segmentation
from speechsearch.domain.progress import Progress
from speechsearch.domain.values import Query
from speechsearch.service.open import Service
from speechsearch.store import Judgement
from tests.conftest import copy_data
from tests.tiny.fakes import (
    FakeLoader,
    FakeRecognizer,
    FakeSpeechEncoder,
    FakeTextEncoder,
    direction,
    open_fakes,
    take_in,
    word_of,
)

RATE_HZ = 16_000


class EnoughError(BaseException):
    """Ends a pass between two batches."""


@dataclass
class Made:
    """A closed data folder after both passes, and the word that each passage is."""

    folder: Path
    words: dict[str, str] = field(default_factory=dict)

    @property
    def passages(self) -> int:
        return len(self.words)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two recordings; the second begins with a passage of its own, which every way to cut leaves."""
    folder = tmp_path_factory.mktemp("sounds")
    for number, name in enumerate(("s001", "s004")):
        spoken, _ = soundfile.read(SAMPLES / "audio" / f"{name}.opus", frames=18 * RATE_HZ, dtype="float32")
        pause = np.zeros(4 * RATE_HZ, np.float32)
        parts = [spoken[: 3 * RATE_HZ], pause, spoken[3 * RATE_HZ :]] if number else [spoken]
        soundfile.write(folder / f"{name}.wav", np.concatenate(parts), RATE_HZ, subtype="PCM_16")
    return folder


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, sounds: Path) -> Made:
    made, models = Made(tmp_path_factory.mktemp("first") / "data"), FakeLoader()
    with open_fakes(made.folder, models) as service:
        assert take_in(service, sounds) == ["indexed"] * 2
        passages = service.store.passages.ids()
        assert models.counted() == {"sound": len(passages)}
        assert list(service.manage.catch_up()) == []
        assert models.counted() == {"first": len(passages), "text": len(passages)}
        made.words.update(words_of(service))
        check(service, models)
    return made


@pytest.fixture
def made(first: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """The same in a folder of the test's own; coverage is counted anew every time, and batches are short."""
    monkeypatch.setattr("speechsearch.library.coverage.LONGEST_KEPT_S", 0.0)
    monkeypatch.setattr("speechsearch.library.second_pass.BATCH_S", 6.0)
    return Made(copy_data(first.folder, tmp_path / "data"), first.words)


def words_of(service: Service) -> dict[str, str]:
    return {one: word_of(service.browse.sound(one)) for one in service.store.passages.ids()}


def expected(channel: str, word: str, models: FakeLoader) -> np.ndarray:
    """The vector that the present models give a passage in a dense channel."""
    recognizers = {f"meaning@{one.name}": one for one in models.recognizers}
    if channel in recognizers:
        return direction(f"{word} {recognizers[channel].fingerprint}", models.text.fingerprint, models.text.dim)
    return models.speech.vectors(word)[channel]


def check(service: Service, models: FakeLoader) -> None:
    """Every channel holds vectors of the present models only, and every engine finds them and says how many."""
    library, words = service.library, words_of(service)
    spans = {one: passage.span.duration_s for one, passage in service.store.passages.get(list(words)).items()}
    recordings = service.browse.recordings()
    made: dict[str, set[str]] = {}
    for channel in library.makers.channels:
        made[channel.name] = {
            passage_id
            for one in recordings
            if channel.name in library.current_channels(one.recording_id)
            for passage_id in service.store.passages.ids_with(one.recording_id, channel.name)
        }
        if channel.kind == "sparse":
            continue
        wanted = {one: expected(channel.name, word, models) for one, word in words.items()}
        stored = service.store.passages.vectors(channel.name, sorted(made[channel.name]))
        for asked in list(words)[:4]:
            found = library.index.search(channel.name, wanted[asked], len(words))
            assert {one.passage_id for one in found} == made[channel.name]
            for one in found:  # as it must be if the passage's vector is by the maker of the question's
                assert one.score == pytest.approx(float(wanted[asked] @ wanted[one.passage_id]), abs=1e-3)
        assert all(np.allclose(vector, wanted[one], atol=1e-6) for one, vector in stored.items())
    for name, engine in service.search.engines.items():
        ready = set.intersection(*(made[channel] for channel in engine.needed))
        is_both = engine.card.searches == "both"  # then what has lost its sound is found by its transcript
        findable = set.union(*(made[channel] for channel in engine.channels)) if is_both else ready
        results = service.search.find(Query("anything", top_k=200), name)
        assert {hit.passage.passage_id for hit in results.hits} == findable, name
        assert (results.coverage.passages, results.coverage.of_passages) == (len(ready), len(words)), name
        assert results.coverage.of_duration_s == pytest.approx(sum(spans.values()))
        assert results.coverage.is_whole == (len(ready) == len(words))
        for passage_id in sorted(ready)[: 0 if is_both else 2]:
            word = words[passage_id]
            asked = (
                f"{word} {next((one.fingerprint for one in models.recognizers if one.name == engine.recognizer), '')}"
            )
            hit = service.search.find(Query(asked.strip(), top_k=1), name).hits[0]
            assert hit.passage.passage_id == passage_id
            assert not engine.recognizer or hit.transcript == asked


def stopped_after(batches: int) -> Callable[[Progress], None]:
    """A report that ends the pass after so many batches."""
    seen: list[Progress] = []

    def report(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == batches:
            raise EnoughError

    return report


def bytes_in(service: Service, channels: set[str]) -> dict[tuple[str, str], bytes]:
    """All vectors of some channels, as they are stored."""
    return {
        (one.passage.passage_id, name): (vector if isinstance(vector, np.ndarray) else vector.values).tobytes()
        for recording in service.browse.recordings()
        for one in service.store.passages.stored(recording.recording_id)
        for name, vector in one.vectors.items()
        if name in channels
    }


SOUND, FIRST = {"adapter"}, {"meaning@first", "words@first"}
TWO = (FakeRecognizer("first"), FakeRecognizer("second"))


@pytest.mark.parametrize(
    ("models", "counted", "kept", "searchable"),
    [
        (
            FakeLoader(recognizers=(FakeRecognizer(version="2"),)),
            {"first", "text"},
            SOUND,
            {"all", "adapter", "hybrid"},
        ),
        (FakeLoader(text=FakeTextEncoder("2")), {"text"}, SOUND, {"all", "adapter", "hybrid"}),
        (FakeLoader(text=FakeTextEncoder("2", dim=24)), {"text"}, SOUND, {"all", "adapter", "hybrid"}),
        (FakeLoader(speech=FakeSpeechEncoder("2")), {"sound"}, FIRST, {"asr"}),
        (FakeLoader(speech=FakeSpeechEncoder("2", ("adapter", "pieces"))), {"sound"}, FIRST, {"asr"}),
        (
            FakeLoader(recognizers=TWO),
            {"second", "text"},
            SOUND | FIRST,
            {"all", "all-second", "adapter", "hybrid", "asr"},
        ),
    ],
    ids=["recogniser", "text encoder", "of another width", "speech encoder", "of more channels", "second recogniser"],
)
def test_only_what_a_changed_model_concerns_is_made_anew(
    made: Made, models: FakeLoader, counted: set[str], kept: set[str], searchable: set[str]
) -> None:
    with open_fakes(made.folder, FakeLoader()) as service:
        before = bytes_in(service, kept)
        said = service.store.transcripts.get(list(made.words), "first")
    with open_fakes(made.folder, models) as service:
        whole = {one for one in service.search.engines if service.search.find(Query("x"), one).coverage.is_whole}
        assert whole == searchable
        check(service, models)
        assert models.counted() == {}  # nothing is made while the folder opens
        assert sum(one.passages for one in service.manage.missing()) == made.passages
        with pytest.raises(EnoughError):
            list(service.manage.catch_up(stopped_after(1)))
        check(service, models)
        left = sum(one.passages for one in service.manage.missing())
        assert 0 < left < made.passages
    with open_fakes(made.folder, models) as service:
        check(service, models)
        assert list(service.manage.catch_up()) == [] == service.manage.missing()
        check(service, models)
        assert models.counted() == dict.fromkeys(counted, made.passages)
        assert bytes_in(service, kept) == before
        now = service.store.transcripts.get(list(made.words), "first")
        if "first" in counted:
            assert {one.text.split()[1] for one in now.values()} == {"fake-first-2"}
        else:
            assert now == said
        assert service.browse.differences() == []
        assert list(service.manage.catch_up()) == [] and models.counted() == {}


def test_models_that_come_back_find_what_they_made_gone_and_make_it_again(made: Made) -> None:
    other, back = FakeLoader(speech=FakeSpeechEncoder("2")), FakeLoader()
    for models in (other, back):
        with open_fakes(made.folder, models) as service:
            assert list(service.manage.catch_up()) == []
            check(service, models)
            assert models.counted() == {"sound": made.passages}


def test_a_recogniser_that_is_taken_away_and_comes_back_finds_its_transcripts(made: Made) -> None:
    none, back = FakeLoader(recognizers=()), FakeLoader()
    with open_fakes(made.folder, none) as service:
        assert set(service.search.engines) == {"hybrid", "adapter"}
        assert service.manage.missing() == [] == list(service.manage.catch_up())
        check(service, none)
    with open_fakes(made.folder, back) as service:
        check(service, back)
        assert service.search.find(Query("x"), "asr").coverage.is_whole
        assert back.counted() == {}


LONGER = Segmentation(shortest_s=2, longest_s=7)
WHOLE = Segmentation(method="none")


def test_another_cut_makes_anew_only_the_passages_that_it_changes(made: Made) -> None:
    models = FakeLoader()
    with open_fakes(made.folder, models) as service:
        for one in made.words:
            service.feedback.judge("who?", one, 1)
    with open_fakes(made.folder, models, LONGER) as service:
        assert len(service.browse.differences()) == 2  # both are cut with other settings
        check(service, models)
        assert models.counted() == {}
        passages = service.manage.rebuild()
        now = service.store.passages.ids()
        fresh = now - made.words.keys()
        assert 0 < len(fresh) < len(now) == passages
        assert models.counted() == {"sound": len(fresh)}
        check(service, models)
        assert service.search.find(Query("x"), "asr").coverage.passages == len(now) - len(fresh)
        assert list(service.manage.catch_up()) == []
        check(service, models)
        assert models.counted() == {"first": len(fresh), "text": len(fresh)}
        judged: list[Judgement] = service.feedback.judgements("who?")
        kept = {one.passage_id for one in judged}  # of a passage that is gone, the new one that has most of it has it
        assert now - fresh < kept <= now
        assert service.browse.differences() == []


def test_a_cut_that_leaves_no_passage_has_all_written_down_anew(made: Made) -> None:
    models = FakeLoader()
    with open_fakes(made.folder, models, WHOLE) as service:
        assert service.manage.rebuild() == 2 == service.store.passages.count()
        assert models.counted() == {"sound": 2}
        assert service.search.find(Query("x"), "asr").coverage.passages == 0
        check(service, models)
        assert list(service.manage.catch_up()) == []
        assert models.counted() == {"first": 2, "text": 2}
        check(service, models)


def test_a_rebuild_that_is_interrupted_goes_on_where_it_was(made: Made) -> None:
    models = FakeLoader()
    with open_fakes(made.folder, models, LONGER) as service:
        with pytest.raises(EnoughError):
            service.manage.rebuild(stopped_after(1))
        check(service, models)
        assert len(service.browse.differences()) == 1
    with open_fakes(made.folder, models, LONGER) as service:
        service.manage.rebuild()
        assert service.browse.differences() == []
        assert models.counted() == {"sound": len(service.store.passages.ids() - made.words.keys())}


def test_a_rebuild_lets_others_write_meanwhile(made: Made) -> None:
    with open_fakes(made.folder, FakeLoader()) as service:
        titles = []

        def delete_another(progress: Progress) -> None:
            titles.append(progress.name)
            for one in service.browse.recordings():
                if one.title not in titles:
                    service.manage.delete_recording(one.recording_id)

        passages = service.manage.rebuild(delete_another)
        assert len(titles) == 1 and passages == service.store.passages.count()
        assert service.browse.differences() == []


def test_what_is_not_to_be_written_down_never_is(tmp_path: Path, sounds: Path) -> None:
    models = FakeLoader()
    with open_fakes(tmp_path / "data", models) as service:
        assert take_in(service, sounds / "s001.wav", wants_transcripts=False) == ["indexed"]
        assert service.manage.missing() == [] == list(service.manage.catch_up())
        results = service.search.find(Query("x"), "asr")
        assert results.hits == () and results.coverage.passages == 0 < results.coverage.of_passages
        models.counted()
    with open_fakes(tmp_path / "data", models, LONGER) as service:
        service.manage.rebuild()
        assert service.manage.missing() == [] == list(service.manage.catch_up())
        assert models.counted().keys() == {"sound"}


def test_a_recording_that_fails_is_told_and_the_others_are_made(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    class Stumbling(FakeRecognizer):
        def transcribe(self, sounds, language=None):
            if sounds[0].samples.std() == worst:
                raise ZeroDivisionError("a mistake of ours")
            return super().transcribe(sounds, language)

    models = FakeLoader(recognizers=(Stumbling(version="2"),))
    with open_fakes(made.folder, models) as service:
        broken, other = service.browse.recordings()
        (service.browse.media(broken.recording_id)[1]).write_bytes(b"no sound")
        worst = service.browse.sound(service.browse.passages_of(other.recording_id)[0].passage_id).samples.std()
        failed = {one.name: one.message for one in service.manage.catch_up()}
        assert failed.keys() == {broken.title, other.title}
        assert "is not sound" in failed[broken.title]
        assert failed[other.title] == "ZeroDivisionError: a mistake of ours (the log has more)."
        assert "Traceback" in caplog.text
        worst = -1.0
        assert [one.name for one in service.manage.catch_up()] == [broken.title]
        missing = {one.recording_id: one.passages for one in service.manage.missing()}
        assert missing == {broken.recording_id: len(service.browse.passages_of(broken.recording_id))}


def test_a_recording_that_is_deleted_while_it_is_written_down_leaves_nothing(made: Made) -> None:
    models = FakeLoader(recognizers=(FakeRecognizer(version="2"),))
    with open_fakes(made.folder, models) as service:

        def delete_all(progress: Progress) -> None:
            for one in service.browse.recordings():
                service.manage.delete_recording(one.recording_id)

        assert list(service.manage.catch_up(delete_all)) == []
        assert service.browse.recordings() == [] == list(service.library.index.ids())
        assert service.browse.differences() == [] == service.manage.missing()
