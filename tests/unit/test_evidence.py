"""What is heard, and where: in made-up sounds and in the samples."""

from __future__ import annotations

import time

import numpy as np
import pytest

from speechsearch.domain.values import PhonemeTrack, Query, SpokenWord
from speechsearch.retrieval.evidence import LAST_S, explain, listen, marks
from speechsearch.text.keywords import track_of
from speechsearch.text.lexicon import PHONEMES

FRAME_S = 0.1


def track(names: str, doubt: float = 0.02) -> PhonemeTrack:
    """A track whose frames are nearly sure of one phoneme each, or after a slash of a second one at a fifth."""
    frames = np.full((len(names.split()), 40), doubt / 39, np.float32)
    for row, name in zip(frames, names.split(), strict=True):
        first, *second = (PHONEMES.index(one) + 1 for one in name.split("/"))
        row[second] = 0.2
        row[first] = 1 - doubt - 0.2 * len(second)
    return track_of(np.log(frames), FRAME_S)


def word(text: str, names: str) -> SpokenWord:
    return SpokenWord(text, (tuple(PHONEMES.index(name) + 1 for name in names.split()),))


BRIDGE, FERRY = word("bridge", "B R IH JH"), word("ferry", "F EH R IY")


def test_a_word_is_heard_where_it_is_said() -> None:
    said, other = track("DH AH B R IH JH F EH L"), track("DH AH F EH R IY S EH L")
    found = listen([BRIDGE, FERRY], [said, other])
    assert [[word.text for word in words] for words in found] == [["bridge"], ["ferry"]]
    ((heard,), _) = found
    assert (heard.start_s, heard.end_s) == pytest.approx((0.2, 0.5 + LAST_S))


def test_a_long_word_may_be_a_little_wrong_a_short_one_not() -> None:
    crossing, rye = word("crossing", "K R AO S IH NG"), word("rye", "R AY D")
    heard = listen([crossing, rye], [track("K R AA/AO S IH NG"), track("K R AA T IH M"), track("R AY T")])
    assert [[word.text for word in words] for words in heard] == [["crossing"], [], []]


def test_of_two_words_in_one_place_the_one_that_fits_better_is_heard() -> None:
    ridge = word("ridges", "R IH JH IH Z")
    (found,) = listen([ridge, BRIDGE], [track("B R IH JH")])
    assert [word.text for word in found] == ["bridge"]


def test_silence_and_nothing_sought() -> None:
    silence = PhonemeTrack(np.zeros((0, 8), np.uint8), np.zeros((0, 8), np.uint8), np.zeros(0, np.float32))
    assert listen([BRIDGE], [silence]) == [()]
    assert listen([BRIDGE], []) == []
    assert listen([], [silence]) == [()]


@pytest.mark.parametrize(
    ("question", "transcript", "marked"),
    [
        ("bridges", "A bridge; two Bridges.", ["bridge", "Bridges"]),
        ("Who was it?", "who was it", []),
        ("1890", "opened in 1890, eighteen years on", ["1890", "eighteen"]),
        ("<b>bold</b>", "a <b>bold</b> move", ["b", "bold", "b"]),
        ("café", "the CAFÉ’s door", ["CAFÉ’s"]),
        ("x", "", []),
        ("\u202e\x00", "\u202e\x00", []),
    ],
)
def test_words_of_the_transcript_are_marked(question: str, transcript: str, marked: list[str]) -> None:
    assert [transcript[start:end] for start, end in marks(question, transcript)] == marked


def test_twenty_hits_and_eight_words_take_a_few_milliseconds(loader) -> None:
    random = np.random.default_rng(1)
    times = np.arange(400, dtype=np.float32) / 25
    tracks = {
        str(number): PhonemeTrack(*random.integers(1, 40, (2, 400, 8)).astype(np.uint8), times) for number in range(20)
    }
    question = "engineer people furniture show railway crossing carries weight"
    words = loader.speech_encoder("mini").pronounce(Query(question))
    explain(question, words, tracks, {})
    spent = []
    for _ in range(5):
        started = time.thread_time()
        explain(question, words, tracks, {})
        spent.append(time.thread_time() - started)
    assert min(spent) < 0.04  # about 0.008 on an idle core


def test_hits_say_what_was_heard_and_written(service) -> None:
    hit, second = service.search.find(Query("Why is octopus blood blue?", top_k=2), "hybrid").hits
    assert hit.recording.title == "Three hearts and eight clever arms"
    assert {"octopus", "blue"} & {word.text for word in hit.heard}
    assert all(0 <= word.start_s < word.end_s <= hit.passage.span.duration_s + 1 for word in hit.heard)
    assert {hit.transcript[start:end] for start, end in hit.marked} <= {"blood", "blue", "octopus"}
    assert hit.marked and 0 < second.likelihood < hit.likelihood < 1
    by_transcript = service.search.find(Query("Why is octopus blood blue?", top_k=1), "asr").hits[0]
    assert by_transcript.heard == () and by_transcript.marked == hit.marked
    by_meaning = service.search.find(Query("Why is octopus blood blue?", top_k=1), "adapter").hits[0]
    assert by_meaning.heard == ()


def test_a_spoken_question_has_no_words_to_point_at(service, chosen_files) -> None:
    spoken = service.search.query_audio(chosen_files / "s004.opus")
    results = service.search.find(Query(audio=spoken, top_k=2))
    assert results.hits and all(hit.heard == () and hit.marked == () for hit in results.hits)
    assert results.total_ms >= results.encode_ms + results.search_ms > 0
