"""Lanes, lists and cards that say who speaks, from made-up voices."""

from __future__ import annotations

import re

import pytest

from speechsearch.domain.speakers import RecordedSpeakers, RecordedVoice, Turn
from speechsearch.domain.values import Hit, Passage, Recording, Span, Speaker, Transcript, Word
from speechsearch.retrieval.engine_cards import BUILT_IN
from speechsearch.ui import people_view, voice_lanes
from speechsearch.ui.cards import Place, card
from speechsearch.ui.colours import VOICES, stylesheet
from speechsearch.ui.differences import Relation
from speechsearch.ui.people_view import HeardIn
from speechsearch.ui.recording_lists import Wanted, filters
from speechsearch.ui.recording_view import passage_list
from tests.web.test_cards import ALLOWED, HOSTILE, Reader

ANN, BOB = Speaker("a" * 36, 1, "Ann", 7, 7800.0), Speaker("b" * 36, 2, "", 1, 20.0)
TALK = Recording("ab", "talks", "On whales", 40.0, speaker="Ada")
RELATION = Relation(None, "Transcript", "only by sound")


def heard(*speakers: Speaker, number: int = 2) -> RecordedSpeakers:
    """Voices that speak ten seconds each, one after the other; the first may be several people's."""
    whose = speakers or tuple(Speaker(str(one), one) for one in range(1, number + 1))
    voices = tuple(RecordedVoice(place, one, 10.0) for place, one in enumerate(whose, 1))
    turns = tuple(Turn(Span(10.0 * (one.number - 1), 10.0 * one.number), one.number) for one in voices)
    return RecordedSpeakers(True, voices, turns)


class VoiceReader(Reader):
    """Allows the elements of the lanes besides those of cards."""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in ALLOWED:
            super().handle_starttag(tag, attributes)
            return
        assert tag in {"ss-voices", "form", "label", "input", "select", "option", "datalist", "template", "h4"}, tag
        assert not any(name.startswith("on") for name, _ in attributes)
        if tag not in {"input"}:
            self.open.append(tag)


def test_a_voice_has_a_lane_with_its_turns_by_time() -> None:
    html = voice_lanes.voices(heard(ANN, BOB), 40.0, [ANN, BOB], may_change=True)
    text = VoiceReader(html).text
    assert "Who speaks: Ann, Speaker 2" in text and "50 % of the speech, 10 s" in text
    assert '<details class="ss-rec-all ss-v-all" open>' in html
    assert 'data-turns="10.00 20.00"' in html and "M10.00 0h10.00v1h-10.00z" in html
    assert 'viewBox="0 0 40.00 1"' in html
    assert re.findall(r'data-colour="(\d)"', html) == ["0", "1"]
    assert 'aria-label="Next turn of Ann"' in html and 'aria-label="Edit Speaker 2"' in html
    before, ann, bob = html.split("<li ")
    assert "A new speaker" in ann and "A new speaker" in bob
    # However many lanes there are, the script puts the others into them from one list.
    assert "Speaker 2 (1 recording)" in before and 'data-name="Ann">Ann (7 recordings)' in before
    assert "recordings)" not in ann + bob


def test_one_voice_is_folded_and_nobody_is_nothing() -> None:
    html = voice_lanes.voices(heard(BOB), 9.0, [], may_change=True)
    assert '<details class="ss-rec-all ss-v-all"><summary>' in html
    assert voice_lanes.voices(RecordedSpeakers(), 9.0, [ANN], may_change=True) == ""
    assert voice_lanes.voices(RecordedSpeakers(is_heard=True), 9.0, [ANN], may_change=True) == ""


def test_readers_see_lanes_and_change_nothing() -> None:
    html = voice_lanes.voices(heard(ANN, BOB), 40.0, [], may_change=False)
    VoiceReader(html)
    assert "ss-v-track" in html
    assert not any(part in html for part in ("<form", "data-edit", "<datalist", "<select"))


def test_more_than_eight_lanes_are_folded_and_the_longest_come_first() -> None:
    many = heard(number=11)
    longest = RecordedVoice(11, many.voices[10].speaker, 99.0)
    found = RecordedSpeakers(True, (*many.voices[:10], longest), many.turns)
    html = voice_lanes.voices(found, 110.0, [], may_change=True)
    seen, folded = html.split('<details class="ss-more">')
    assert seen.count("ss-v-track") == 8 and folded.count("ss-v-track") == 3
    assert "3 speakers more" in folded and "and 8 more" in seen
    assert seen.index('data-voice="11"') < seen.index('data-voice="1"')


def test_turns_are_a_list_too() -> None:
    found = heard(ANN, BOB)
    more = (Turn(Span(18.0, 19.0), 1, is_overlap=True), Turn(Span(30.0, 31.0), 9))
    both = RecordedSpeakers(True, found.voices, (*found.turns, *more))
    html = voice_lanes.turn_list(both)
    assert html.count("<li ") == 3  # the last is nobody's any more
    text = VoiceReader(html).text
    assert "0:10–0:20" in text and "Speaker 2" in text and text.count("at the same time as another") == 1


def test_passages_say_who_says_what() -> None:
    words = tuple(Word(text, at, at + 1.0) for at, text in enumerate(("one", "two", "three", "four")))
    said = Transcript("one two three four", "r", words)
    turns = (Turn(Span(0.0, 2.0), 1), Turn(Span(2.0, 4.0), 2))
    found = RecordedSpeakers(True, heard(ANN, BOB).voices, turns)
    passages = [(Passage("1", "ab", Span(0.0, 4.0)), said), (Passage("2", "ab", Span(4.0, 9.0)), None)]
    text = VoiceReader(passage_list(passages, found)).text
    assert "Ann one two" in text and "Speaker 2 three four" in text and "no transcript" in text
    alone = RecordedSpeakers(True, heard(ANN).voices, turns[:1])
    assert "Ann" not in VoiceReader(passage_list(passages, alone)).text
    unheard = VoiceReader(passage_list(passages, RecordedSpeakers())).text
    assert "one two three four" in unheard and "Ann" not in unheard
    timeless = [(passages[0][0], Transcript("one two three four", "r"))]
    assert "Ann Speaker 2 one two three four" in VoiceReader(passage_list(timeless, found)).text


def test_cards_say_who_said_it_and_lead_to_more_by_them() -> None:
    def shown(hit: Hit, place: Place) -> str:
        return card(hit, RELATION, place)

    typed = Place(root="/below", question="why?", address=[("q", "why?"), ("speaker", "Zoe"), ("k", "5")])
    hit = Hit(1, 0.8, Passage("1", "ab", Span(0.0, 9.0)), TALK, ())
    both = Hit(1, 0.8, hit.passage, TALK, (), speakers=(BOB, ANN))
    assert "/below/?q=why%3F&amp;k=5&amp;speaker=Ada" in shown(hit, typed)
    text = VoiceReader(shown(both, typed)).text
    assert "Speaker 2, Ann" in text and "More by Speaker 2" in text and "More by Ann" in text and "Ada" not in text
    assert not any("Zoe" in link for link in re.findall(r'<a class="ss-by"[^>]*>', shown(both, typed)))
    assert 'data-recording="" href="/below/?recording=&amp;speaker=Ann"' in shown(both, Place(root="/below"))
    assert "More by" not in shown(hit, Place(question="why?", address=[("q", "why?"), ("speaker", "Ada")]))
    nobody = Recording("ab", "talks", "On whales", 40.0)
    assert "More by" not in shown(Hit(1, 0.8, hit.passage, nobody, ()), typed)


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_text(value: str) -> None:
    evil = Speaker(value, 1, value, 1, 10.0)
    found, talk = heard(evil, BOB), Recording(value, value, value, 40.0, speaker=value)
    hit = Hit(1, 0.8, Passage(value, value, Span(0.0, 9.0)), talk, (), speakers=(evil,))
    passages = [(Passage("1", "ab", Span(0.0, 20.0)), Transcript(value, "r"))]
    pages = (
        voice_lanes.voices(found, 40.0, [evil, BOB], may_change=True),
        voice_lanes.turn_list(found),
        passage_list(passages, found),
        card(hit, RELATION, Place(question="why?", address=[("q", value)])),
        people_view.panel([evil, BOB], 2, value, 50, "", frozenset([value])),
        people_view.person(evil, [evil], [HeardIn(talk, found.voices[0], 1.0)] * 2, "", 2, may_change=True),
        filters({"collections": [], "speakers": [value, "x"], "dates": []}, Wanted(speaker=value)),
    )
    for html in pages:
        VoiceReader(html)


def test_people_are_listed_by_name_then_by_how_much_they_speak() -> None:
    others = [Speaker("c" * 36, 5, "", 2, 90.0), Speaker("d" * 36, 6, "bea", 2, 90.0)]
    html = people_view.panel(people_view.ordered([BOB, ANN, *others]), 4, "", 3, "/below", frozenset([ANN.speaker_id]))
    labels = re.findall(r'data-label="([^"]*)"', html)
    assert labels == ["Ann", "bea", "Speaker 5"]
    text = VoiceReader(html).text
    assert "7 recordings, 2.2 h of speech" in text and "And 1 speaker more" in text
    assert html.count(">Change<") == 1 and html.count(">Show the voices<") == 2
    assert f'src="/below/page/speakers/{ANN.speaker_id}/sample"' in html
    assert "/below/?recording=&amp;speaker=Ann" in html
    assert "No speakers yet" in people_view.nobody(are_heard=True)
    assert "is not listened for here" in people_view.nobody(are_heard=False)
    assert "No speaker has these words" in people_view.panel([], 4, "zoe", 3, "", frozenset())


def test_a_person_can_be_changed_by_owners_only() -> None:
    voices = (RecordedVoice(1, ANN, 10.0, is_confirmed=True), RecordedVoice(2, ANN, 5.0))
    found = [HeardIn(TALK, voices[0], 3.0), HeardIn(TALK, voices[1], 9.0)]
    html = people_view.person(ANN, [BOB], found, "", 9, may_change=True)
    for what in ("name", "unname", "merge", "assign", "forget"):
        assert f'data-do="{what}"' in html
    text = VoiceReader(html).text
    assert "And 7 recordings more" in text
    assert "On whales, 0:03" in text and "confirmed" in text and "matched by voice" in text
    assert "who speaks when in 7 recordings are deleted. The recordings" in text
    read_only = people_view.person(ANN, [BOB], found, "", 2, may_change=False)
    assert "data-do" not in read_only and "<form" not in read_only and "On whales" in read_only
    only = people_view.person(BOB, [], found[:1], "", 1, may_change=True)
    assert not any(f'data-do="{what}"' in only for what in ("unname", "merge", "assign"))


def test_the_list_of_recordings_keeps_those_in_which_a_speaker_is_heard() -> None:
    wanted = Wanted(speaker="Ann")
    assert not wanted.fits(TALK) and wanted.fits(TALK, frozenset(["ab"]))
    assert "selected>Ann<" in filters({"collections": [], "speakers": [], "dates": []}, wanted)


def test_voices_have_colours_on_both_grounds() -> None:
    sheet = stylesheet(BUILT_IN)
    for place, (light, dark) in enumerate(VOICES):
        assert f'[data-colour="{place}"] {{ --ss-voice: {light}; }}' in sheet
        assert f'.dark [data-colour="{place}"] {{ --ss-voice: {dark}; }}' in sheet
        assert contrast(light, "#ffffff") >= 3 and contrast(dark, "#0f172a") >= 3


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG has it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
