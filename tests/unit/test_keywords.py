"""The keyword score: against a table filled cell by cell over all frames, and what is kept of the frames."""

from __future__ import annotations

import numpy as np
import pytest

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.values import PhonemeTrack, Query, SpokenWord
from speechsearch.retrieval.retriever import RankedPassage, Ranking
from speechsearch.retrieval.spotting import KeptTracks, KeywordRetriever, chances, content, places_of
from speechsearch.text.keywords import (
    FLOOR,
    UNIT,
    WORST,
    best_places,
    filled,
    heard_symbols,
    joined,
    least_losses,
    track_of,
)

FRAME_S = 0.04


def log_probs_of(*symbols: int, doubt: float = 0.02) -> np.ndarray:
    """Frames that are nearly sure of one symbol each, 0 for the blank."""
    frames = np.full((len(symbols), 40), doubt / 39, np.float32)
    frames[np.arange(len(symbols)), symbols] = 1 - doubt
    return np.log(frames)


def plain_loss(word: tuple[int, ...], losses: np.ndarray) -> float:
    """The least loss of a word in frames (frames, 40), every path written out: states phoneme, blank, phoneme, ..."""
    states = [symbol for phoneme in word for symbol in (phoneme, 0)][:-1]
    best, row = np.inf, np.full(len(states), np.inf)
    for frame in losses:
        before, row = row, np.full(len(states), np.inf)
        for place, symbol in enumerate(states):
            ways = [before[place], 0.0 if place == 0 else before[place - 1]]
            if place >= 2 and symbol and states[place - 2] != symbol:
                ways.append(before[place - 2])
            row[place] = min(ways) + frame[symbol]
        best = min(best, row[-1])
    return best


def random_log_probs(frames: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    logits = random.standard_normal((frames, 40)) * 3
    logits[:, 0] += random.choice([0.0, 6.0], frames)
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
def test_losses_are_those_of_the_table_filled_cell_by_cell(seed: int) -> None:
    random = np.random.default_rng(seed)
    words = [tuple(random.integers(1, 40, size).tolist()) for size in (1, 2, 5, 9)] + [(4, 4, 7)]
    tracks = [track_of(random_log_probs(frames, seed + 10 * frames), FRAME_S) for frames in (40, 3, 120)]
    found, starts, ends = best_places(words, joined(tracks))
    for row, track in enumerate(tracks):
        full = []
        gaps = np.diff(track.starts_s, prepend=-1.0) > 1.5 * FRAME_S
        for symbols, losses, is_gap in zip(track.symbols, track.losses, gaps, strict=True):
            frame = np.full(40, FLOOR / UNIT)
            if is_gap:  # frames that are surely blank count as one
                full.append(np.where(np.arange(40) == 0, 0.0, FLOOR / UNIT))
            frame[symbols] = losses / UNIT
            full.append(frame)
        expected = [min(WORST, plain_loss(word, np.array(full)) / len(word)) for word in words]
        np.testing.assert_allclose(found[row], expected, atol=1e-4)
    np.testing.assert_array_equal(least_losses(words, joined(tracks)), found)
    assert ((starts >= 0) == (ends >= 0)).all() and (starts <= ends).all()


def test_where_a_word_lies_is_known() -> None:
    track = track_of(log_probs_of(0, 3, 0, 7, 0, 8, 8, 9, 0, 4), FRAME_S)
    (place,) = places_of([SpokenWord("word", ((7, 8, 9), (1, 2, 3)))], [track])
    assert place.losses[0] == 0
    assert (place.starts_s[0], place.ends_s[0]) == pytest.approx((3 * FRAME_S, 7 * FRAME_S))
    empty = PhonemeTrack(np.zeros((0, 8), np.uint8), np.zeros((0, 8), np.uint8), np.zeros(0, np.float32))
    (place,) = places_of([SpokenWord("word", ((7, 8, 9),))], [empty, track])
    assert place.losses.tolist() == [WORST, 0.0] and np.isnan(place.starts_s[0])


def test_the_pronunciation_that_fits_best_counts() -> None:
    track = track_of(log_probs_of(0, 7, 0, 8, 9), FRAME_S)
    one = places_of([SpokenWord("word", ((1, 2),))], [track])[0].losses[0]
    both = places_of([SpokenWord("word", ((1, 2), (8, 9)))], [track])[0].losses[0]
    assert both == 0 < one


def test_frames_that_are_surely_blank_are_not_kept_but_part_what_is_said_twice() -> None:
    frames = log_probs_of(5, 0, 5, 5, 0, 0, 6, doubt=0.001)
    track = track_of(frames, FRAME_S)
    assert track.starts_s.tolist() == pytest.approx([0.0, 0.08, 0.12, 0.24])
    assert heard_symbols(track) == [5, 5, 6]


def test_tracks_of_fewer_symbols_are_filled_up_without_hiding_the_blank() -> None:
    track = PhonemeTrack(np.array([[0], [7]], np.uint8), np.zeros((2, 1), np.uint8), np.array([0.0, 0.04], np.float32))
    losses, _, _ = best_places([(7,)], joined([track]))
    assert losses[0, 0] == 0 and filled(track.losses, FLOOR).shape == (2, 8)


def word(text: str, *symbols: int) -> SpokenWord:
    return SpokenWord(text, (symbols,))


def test_stop_words_are_looked_for_only_where_there_are_no_others() -> None:
    who, octopus, short = word("who", 1, 2), word("octopus", 3, 4, 5), word("a", 1)
    assert [one.text for one in content([who, octopus, short, octopus])] == ["octopus"]
    assert [one.text for one in content([who, short])] == ["who"]
    assert content([short]) == []


class First:
    """Finds all passages, in order."""

    name = "first"

    def __init__(self, *passage_ids: str) -> None:
        self.passage_ids = passage_ids

    def retrieve(self, query: Query, limit: int) -> Ranking:
        return Ranking(tuple(RankedPassage(one, 1.0, ()) for one in self.passage_ids), 1.0, 2.0)


def test_the_second_stage_ranks_what_the_first_found() -> None:
    tracks = {"a": track_of(log_probs_of(1, 2, 3), FRAME_S), "b": track_of(log_probs_of(7, 8, 9), FRAME_S)}
    asked: list[list[str]] = []

    def read(passage_ids: list[str]) -> dict[str, PhonemeTrack]:
        asked.append(list(passage_ids))
        return {one: tracks[one] for one in passage_ids if one in tracks}

    kept = KeptTracks(read, most=2)
    engine = KeywordRetriever(
        "keywords", First("a", "b", "gone"), lambda query: [word("name", 7, 8, 9)], kept, lambda: ["a"]
    )
    query = Query("name")
    found = engine.retrieve(query, 5)
    assert [one.passage_id for one in found.passages] == ["b", "a"]
    assert found.passages[0].score == pytest.approx(chances(np.zeros(1, np.float32))[0])
    assert found.passages[0].channels[0].channel == "keywords"
    assert found.passages[1].score < 0.001
    assert engine.score(query, ["b"]) == {"b": pytest.approx(found.passages[0].score)}
    assert asked == [["a"], ["b", "gone"]]
    with pytest.raises(EmptyQueryError, match="can be pronounced"):
        KeywordRetriever("keywords", First("a"), lambda query: [], kept, list).score(Query("?"), ["a"])


def test_a_word_that_few_passages_have_counts_for_more() -> None:
    tracks = {name: track_of(log_probs_of(*sounds), FRAME_S) for name, sounds in {
        "a": (1, 2, 3), "b": (7, 8, 9), "c": (1, 2, 3), "d": (1, 2, 3)}.items()}  # fmt: skip
    words = [word("common", 1, 2, 3), word("rare", 7, 8, 9)]
    engine = KeywordRetriever("k", First(*tracks), lambda query: words, lambda ids: {one: tracks[one] for one in ids},
                              lambda: list(tracks))  # fmt: skip
    scores = engine.score(Query("common rare"), list(tracks))
    assert scores["b"] > 1.5 * scores["a"] and scores["a"] == pytest.approx(scores["c"])
    alone = KeywordRetriever("k", First(*tracks), lambda query: words, lambda ids: {one: tracks[one] for one in ids},
                             list)  # fmt: skip
    without = alone.score(Query("common rare"), list(tracks))
    assert without["a"] == pytest.approx(without["b"])  # no background: nothing is known of how common they are
