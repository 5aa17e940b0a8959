"""What is heard, and where: against an alignment written out plainly, and in the samples."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from speechsearch.domain.values import PhonemeTrack, Query
from speechsearch.retrieval.evidence import (
    COST_ADDED,
    COST_MISSED,
    EXCHANGE,
    MOST_OCCURRENCES,
    PADDING,
    Pattern,
    align,
    explain,
    listen,
    marks,
    padded,
    patterns,
)
from speechsearch.text.lexicon import PHONEMES


def track(*names: str, step_s: float = 0.1) -> PhonemeTrack:
    symbols = np.array([PHONEMES.index(name) + 1 for name in names], np.uint8)
    return PhonemeTrack(symbols, np.arange(len(names), dtype=np.float32) * np.float32(step_s))


def sounds(names: str) -> tuple[int, ...]:
    return tuple(PHONEMES.index(name) + 1 for name in names.split())


def plain_costs(word: tuple[int, ...], heard: list[int]) -> list[int]:
    """Return the least cost of a stretch that ends at each place, cell by cell."""
    before = [0] * (len(heard) + 1)
    for symbol in word:
        row = [before[0] + COST_MISSED]
        for place, other in enumerate(heard, 1):
            exchanged = before[place - 1] + int(EXCHANGE[symbol, other])
            row.append(min(exchanged, before[place] + COST_MISSED, row[-1] + COST_ADDED))
        before = row
    return before[1:]


def test_costs_are_those_of_the_table_filled_cell_by_cell() -> None:
    random = np.random.default_rng(1)
    for _ in range(30):
        word = tuple(random.integers(1, 40, random.integers(1, 9)).tolist())
        tracks = random.integers(1, 40, (3, 50)).astype(np.uint8)
        costs, starts = align(word, tracks)
        assert costs.tolist() == [plain_costs(word, row.tolist()) for row in tracks]
        for row in range(3):  # the stretch from the start to the end costs as much by itself
            end = int(costs[row].argmin())
            stretch = tracks[row, starts[row, end] : end + 1].tolist()
            assert min([*plain_costs(word, stretch), COST_MISSED * len(word)]) == costs[row, end]


def test_a_word_is_heard_where_it_is_said_even_a_little_wrong() -> None:
    said = track(*"DH AH B R IH JH F EH L".split())
    misheard = track(*"DH AH B R IH CH F EH L".split())  # CH for JH
    other = track(*"DH AH F EH R IY S EH L".split())
    bridge = Pattern("bridge", sounds("B R IH JH"))
    ferry = Pattern("ferry", sounds("F EH R IY"))
    found = listen([bridge, ferry], [said, misheard, other])
    assert [[word.text for word in words] for words in found] == [["bridge"], [], ["ferry"]]
    (word,) = found[0]
    assert (word.start_s, word.end_s) == pytest.approx((0.2, 0.58))
    crossing = Pattern("crossing", sounds("K R AO S IH NG"))
    assert [word.text for word in listen([crossing], [track(*"K R AA S IH NG".split())])[0]] == ["crossing"]
    assert listen([crossing], [track(*"T R AA S IH NG".split())]) == [()]


def test_short_words_must_be_exact() -> None:
    rye = Pattern("rye", sounds("R AY D"))
    assert listen([rye], [track("R", "AY", "D"), track("R", "AY", "T")])[1] == ()


def test_occurrences_do_not_overlap_and_are_few() -> None:
    names = "B R IH JH AH".split()
    one, two = Pattern("bridge", sounds("B R IH JH")), Pattern("ridge", sounds("R IH JH"))
    (found,) = listen([two, one], [track(*(names * 6))])
    assert [word.text for word in found].count("bridge") == MOST_OCCURRENCES
    assert list(found) == sorted(found, key=lambda word: word.start_s)
    assert all(first.end_s <= second.start_s + 0.081 for first, second in pairwise(found))


def test_silence_and_nothing_sought() -> None:
    silence = PhonemeTrack(np.zeros(0, np.uint8), np.zeros(0, np.float32))
    bridge = Pattern("bridge", sounds("B R IH JH"))
    assert listen([bridge], [silence]) == [()]
    assert listen([bridge], []) == []
    assert listen([], [silence]) == [()]
    assert padded([silence, track("B")]).tolist() == [[PADDING], [sounds("B")[0]]]


def test_a_question_of_question_words_is_not_listened_for(loader) -> None:
    pronounce = loader.speech_encoder("mini").pronounce
    assert patterns("Who said that to whom?", pronounce) == []
    assert patterns("", pronounce) == []
    assert len(patterns("railway bridge " * 300, pronounce)) == 4  # two words, two pairs
    assert len(patterns(" ".join(f"word{number}" for number in range(300)), pronounce)) == 40


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
    times = np.arange(240, dtype=np.float32) / 12
    tracks = {str(n): PhonemeTrack(random.integers(1, 40, 240).astype(np.uint8), times) for n in range(20)}
    question = "engineer people furniture show railway crossing carries weight"
    explain(question, loader.speech_encoder("mini").pronounce, tracks, {})
    spent = []
    for _ in range(5):
        started = time.thread_time()
        explain(question, loader.speech_encoder("mini").pronounce, tracks, {})
        spent.append(time.thread_time() - started)
    assert min(spent) < 0.025  # about 0.005 on an idle core


def test_hits_say_what_was_heard_and_written(service) -> None:
    hit, second = service.search.find(Query("Why is octopus blood blue?", top_k=2)).hits
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
