"""Phrases that must be said and words that must not, in made-up sounds and transcripts."""

from __future__ import annotations

import numpy as np
import pytest

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.question_syntax import Question
from speechsearch.domain.values import PhonemeTrack, Query, SpokenWord
from speechsearch.retrieval.demands import Demands, other_readings
from speechsearch.retrieval.evidence import explain
from speechsearch.text.keywords import track_of
from speechsearch.text.lexicon import PHONEMES
from speechsearch.text.spoken import spoken_words

SAID = {
    "model": "M AA D AH L", "bridge": "B R IH JH", "old": "OW L D", "party": "P AA R T IY", "art": "AA R T",
    "voy": "V OY", "che": "CH EH",
}  # fmt: skip


def symbols(names: str) -> tuple[int, ...]:
    return tuple(PHONEMES.index(name) + 1 for name in names.split())


def pronounce(query: Query) -> list[SpokenWord]:
    return [SpokenWord(word, (symbols(SAID.get(word, "Z UH " * len(word))),)) for word in spoken_words(query.text)]


def heard(*words: str) -> PhonemeTrack:
    names = " ".join(SAID[word] for word in words).split()
    frames = np.full((2 * len(names), 40), 0.02 / 39, np.float32)
    for row, name in enumerate(names):
        frames[2 * row, PHONEMES.index(name) + 1] = frames[2 * row + 1, 0] = 0.98
    return track_of(np.log(frames), 0.04)


TRACKS = {
    "together": heard("old", "model", "bridge"),
    "apart": heard("model", "old", "bridge"),
    "turned": heard("bridge", "model"),
    "party": heard("old", "party"),
    "art": heard("old", "art"),
}


def met(
    question: Question, texts: dict[str, list[str]] | None = None, sounds: tuple[SpokenWord, ...] = ()
) -> list[str]:
    return Demands(question, pronounce, sounds, sounds).met([*TRACKS, "unheard"], TRACKS, texts or {})


def test_a_phrase_is_heard_only_in_one_piece_and_in_order() -> None:
    assert met(Question("model bridge", ("model bridge",))) == ["together"]


def test_a_phrase_may_be_written_instead() -> None:
    texts = {"unheard": ["A model bridge."], "apart": ["a model of a bridge"]}
    assert met(Question("model bridge", ("model bridge",)), texts) == ["together", "unheard"]


def test_without_sound_only_what_is_written_counts() -> None:
    demands = Demands(Question("model bridge", ("model bridge",)), pronounce)
    assert demands.met(["together", "apart"], {}, {"apart": ["model bridge"]}) == ["apart"]


def test_a_word_is_left_out_where_it_is_heard_or_written() -> None:
    assert met(Question("old", excluded=("bridge",))) == ["party", "art", "unheard"]
    assert met(Question("old", excluded=("bridge",)), {"unheard": ["Bridge"]}) == ["party", "art"]


def test_a_word_inside_another_that_is_written_is_not_said() -> None:
    assert "party" not in met(Question("old", excluded=("art",)))
    found = met(Question("old", excluded=("art",)), {"party": ["an old party"], "art": ["an old Arp"]})
    assert "party" in found and "art" not in found


def test_what_people_have_heard_counts_before_all_else() -> None:
    known = SpokenWord("model bridge", (), frozenset({"apart"}), frozenset({"together"}))
    phrase = Question("model bridge", ("model bridge",))
    texts = {"together": ["model bridge"]}
    assert met(phrase, texts, (known,)) == ["apart"]
    assert set(met(Question("old", excluded=("model bridge",)), texts, (known,))) == {*TRACKS, "unheard"} - {"apart"}
    alone, more = Question("model bridge"), Question("old model bridge")
    assert "together" not in met(alone, sounds=(known,)) and "together" in met(more, sounds=(known,))


def test_a_name_is_heard_as_it_is_said_to_sound() -> None:
    tracks = {"said": heard("old", "voy", "che")}
    name = SpokenWord("wojcie", (symbols("V OY CH EH"),))
    assert Demands(Question("wojcie", ("wojcie",)), pronounce).met(["said"], tracks, {}) == []
    assert Demands(Question("wojcie", ("wojcie",)), pronounce, (name,)).met(["said"], tracks, {}) == ["said"]


def test_hits_show_phrases_whole() -> None:
    demands = Demands(Question("model bridge", ("model bridge",)), pronounce)
    tracks = {"together": TRACKS["together"]}
    found = explain("model bridge", pronounce(Query("model bridge")), tracks, {}, demands.phrases)
    assert [word.text for word in found["together"].heard] == ["model bridge"]


def test_acronyms_may_be_said_letter_by_letter() -> None:
    (nasa,) = other_readings("NASA money", pronounce)
    assert nasa.text == "nasa" and nasa.pronunciations == (symbols("Z UH " * 4),)


@pytest.mark.parametrize("phrase", ["漢字", "?!", "word " * 21])
def test_what_cannot_be_looked_for_is_said(phrase: str) -> None:
    with pytest.raises(EmptyQueryError, match="cannot be looked for"):
        Demands(Question("x", (phrase,)), pronounce)


def test_there_are_not_endless_demands() -> None:
    with pytest.raises(EmptyQueryError, match="At most 10"):
        Demands(Question("x", (), tuple("abcdefghijk")), pronounce)
