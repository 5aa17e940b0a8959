"""Transcripts that come with recordings: kept, brought to the passages, searched, corrected, deleted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingest import discover, run
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.captions import Caption, Chapter, Given
from speechsearch.domain.errors import CapabilityError
from speechsearch.domain.values import Audio, Filters, Passage, Query, Span, Word
from speechsearch.library.given_transcripts import transcripts_of
from speechsearch.service.open import Service, new_loader
from speechsearch.service.settings import Settings
from tests.tiny.fakes import FakeLoader, FakeRecognizer, open_fakes

SRT = "1\n00:00:00,500 --> 00:00:03,000\nA zeppelin over Brno.\n\n2\n00:00:20,000 --> 00:00:22,000\nThe {0} ends.\n"


class NoRecognizer(FakeRecognizer):
    """Stands for the recogniser of given transcripts, which never hears anything."""

    def transcribe(self, sounds, language=None):
        raise AssertionError("nothing is to be written down")


def models(*names: str) -> FakeLoader:
    return FakeLoader(recognizers=tuple((NoRecognizer if name == "given" else FakeRecognizer)(name) for name in names))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "talks").mkdir()
    for name in ("s004", "s015"):
        (tmp_path / "talks" / f"{name}.opus").write_bytes((SAMPLES / "audio" / f"{name}.opus").read_bytes())
    (tmp_path / "talks" / "s004.srt").write_text(SRT.format("war"))
    return tmp_path / "talks"


def results(service: Service, folder: Path) -> dict[str, tuple[str, str]]:
    found = discover([folder], service.limits, folder.parent / "work")
    return {one.name: (one.state, one.message) for one in run(service.manage, found, collection="talks")}


def texts(service: Service, title: str) -> list[str]:
    (recording,) = [one for one in service.browse.recordings() if one.title == title]
    return [said.text if said else "" for _, said in service.browse.transcribed(recording.recording_id)]


def test_a_transcript_beside_a_file_is_searched_as_a_further_recogniser(folder: Path, tmp_path: Path) -> None:
    with open_fakes(tmp_path / "data", models("first", "given")) as service:
        assert results(service, folder)["talks/s004.opus"] == (
            "indexed",
            "Transcript 's004.srt' taken over: 2 captions.",
        )
        assert list(service.manage.catch_up()) == [] and service.manage.missing() == []
        (hit, *_) = service.search.find(Query("zeppelin Brno"), "asr-given").hits
        assert hit.recording.title == "s004" and hit.transcript == "A zeppelin over Brno."
        coverage = service.search.find(Query("zeppelin"), "asr-given").coverage
        assert 0 < coverage.passages < coverage.of_passages
        assert service.browse.differences() == []


def test_the_first_recogniser_that_has_written_something_is_shown(folder: Path, tmp_path: Path) -> None:
    with open_fakes(tmp_path / "data", models("given", "first")) as service:
        results(service, folder)
        assert list(service.manage.catch_up()) == []
        assert texts(service, "s004")[0] == "A zeppelin over Brno." and texts(service, "s015")[0].startswith("w")
        sound = Audio(np.ones(16_000, np.float32) / 2)
        assert service.search.find(Query(audio=sound), "asr").recognizer == "given"  # written down by the other


def test_a_corrected_transcript_takes_the_place_of_the_old_one(folder: Path, tmp_path: Path) -> None:
    with open_fakes(tmp_path / "data", models("given")) as service:
        results(service, folder)
        assert list(service.manage.catch_up()) == []
        assert results(service, folder)["talks/s004.opus"] == ("unchanged", "")
        assert service.manage.missing() == []
        (folder / "s004.srt").write_text(SRT.format("peace"))
        assert results(service, folder)["talks/s004.opus"][0] == "unchanged"
        assert service.manage.missing() != [] and list(service.manage.catch_up()) == []
        assert any("peace" in text for text in texts(service, "s004"))
        assert service.search.find(Query("peace"), "asr").hits[0].transcript == "The peace ends."
        (recording,) = [one for one in service.browse.recordings() if one.title == "s004"]
        assert service.manage.keep_given(recording.recording_id, Given(chapters=(Chapter(0.0, "A"),)))
        assert len(service.store.given.of(recording.recording_id).captions) == 2, "what is missing stays"
        assert list(service.manage.catch_up()) == []
        assert service.browse.differences() == []


def test_it_is_kept_where_nobody_searches_it_and_survives_another_cut(folder: Path, tmp_path: Path) -> None:
    with open_fakes(tmp_path / "data", models("first")) as service:
        results(service, folder)
        (recording,) = [one for one in service.browse.recordings() if one.title == "s004"]
        assert len(service.store.given.of(recording.recording_id).captions) == 2
    other = Settings(data_dir=tmp_path / "data", engines={"recognizer": "given"})  # cut into longer passages
    loader = models("given")
    with Service.open(other, "rebuild", loader=loader) as service:
        service.manage.rebuild()
        assert list(service.manage.catch_up()) == []
        assert " ".join(texts(service, "s004")).split() == "A zeppelin over Brno. The war ends.".split()
        service.manage.delete_recording(recording.recording_id)
        assert service.store.given.with_captions() == set()


def test_filters_and_private_collections_hold_for_it(folder: Path, tmp_path: Path) -> None:
    with open_fakes(tmp_path / "data", models("given")) as service:
        results(service, folder)
        assert list(service.manage.catch_up()) == []
        nobody = Filters(speakers=("Nobody",))
        assert service.search.find(Query("zeppelin", filters=nobody), "asr").hits == ()


def test_words_go_to_the_passage_in_which_they_are_said() -> None:
    passages = [Passage("a", "r", Span(0.0, 10.0)), Passage("b", "r", Span(12.0, 20.0))]
    words = (Word("one", 1.0, 2.0), Word("two", 10.2, 10.6), Word("three", 11.6, 11.8), Word("four", 30.0, 31.0))
    found = transcripts_of(Given("x", (Caption(Span(0.0, 31.0), "", words),)), passages)
    assert found["a"].text == "one two" and found["b"].text == "three four"
    assert found["b"].words[0] == Word("three", 0.0, 0.0) and found["b"].words[1].end_s == 8.0
    across = transcripts_of(Given("x", (Caption(Span(6.0, 16.0), "in this one half there"),)), passages)
    assert (across["a"].text, across["b"].text) == ("in this one", "half there") and across["a"].words == ()
    assert transcripts_of(Given(), passages) == {}


def test_given_transcripts_hear_nothing() -> None:
    recognizer = new_loader(Settings()).recognizer("given")
    assert recognizer.transcribe([]) == []
    with pytest.raises(CapabilityError, match="nothing can be written down by them"):
        recognizer.transcribe([Audio(np.zeros(16_000, np.float32))])
