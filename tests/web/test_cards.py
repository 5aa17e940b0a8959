"""Columns, cards and why the columns differ, from made-up results."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from speechsearch.domain.values import ChannelRank, Comparison, Hit, Passage, Recording, Results, Span, Word
from speechsearch.retrieval.engine_cards import BUILT_IN, EngineCard
from speechsearch.ui import differences
from speechsearch.ui.asked import Asked
from speechsearch.ui.cards import Place, card, column, marked
from speechsearch.ui.comparison import comparison

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "\u202eשלום עולם\u202c",
    "x" * 5000,
    "</h2></li></ol><style>*{display:none}</style>",
    "line\nbreak\x00\x1b",
    "@0f0f/<b>mine</b>",
)
ALLOWED = set(
    "section ol ul li div span p h2 i b bdi em strong small mark audio button a svg path line details summary "
    "figure figcaption code ss-player ss-similar".split()
)
ENGINES = {card.name: card for card in BUILT_IN}
FIRST, SECOND, THIRD = (f"0000000{number}-b469-59bd-b109-0aa052084b09" for number in (1, 2, 3))


class Reader(HTMLParser):
    """Collects text, and checks tags, attributes and that tags close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.open: list[str] = []
        self.links: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED or (tag, ("type", "range")) == ("input", attrs[0])
        assert not any(name.startswith("on") for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in ("path", "line", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def hit(rank: int = 1, passage_id: str = FIRST, title: str = "Talk", **more) -> Hit:
    recording = Recording("ab", more.pop("collection", "samples"), title, 90.0, speaker=title, date="2019-03-04")
    channels = (ChannelRank("adapter", 2, 0.5), ChannelRank("phonetic", 1, 0.9))
    return Hit(rank, 0.8, Passage(passage_id, "ab", Span(62.0, 75.5)), recording, channels, **more)


def results(*hits: Hit, engine: str = "hybrid") -> Results:
    return Results(engine, hits, any(found.is_confident for found in hits), 12.3, 4.2)


def found(left: list[str], right: list[str], engines: tuple[str, str] = ("hybrid", "asr")) -> Comparison:
    sides = [
        results(*(hit(rank, one, f"Talk {one[7]}") for rank, one in enumerate(ids, 1)), engine=name)
        for ids, name in zip((left, right), engines, strict=True)
    ]
    return Comparison(*sides)


def shown(value: Comparison, asked: Asked | None = None, *, is_spoken: bool = False) -> tuple[str, str, str]:
    return comparison(value, asked or Asked("why?"), ENGINES, "/below", is_spoken=is_spoken)


def one_column(value: Results) -> str:
    return shown(Comparison(value, results(engine="asr")))[1]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_stay_text(value: str) -> None:
    full = hit(1, value, value, collection=value, transcript=value, heard=(Word(value, 1.0, 2.0),), marked=((0, 3),))
    asked = Asked(value, collections=[value], speakers=[value], date_from="2019")
    for html in shown(Comparison(results(full), results(full, engine="asr")), asked):
        reader = Reader(html)
        assert all(link.startswith("/below/") for link in reader.links)
        assert not any(character in link for link in reader.links for character in "<>\"' ")


def test_a_card_says_what_was_found() -> None:
    html = one_column(results(hit(title="The bridge", likelihood=0.617)))
    text = Reader(html).text
    for part in ("1:02–1:15", "The bridge", "2019-03-04", "meaning #2", "pronunciation #1", "62 % likely"):
        assert part in text
    assert "width:62%" in html
    assert 'title="score 0.8000"' in html
    assert 'preload="none"' in html
    assert f'src="/below/api/v1/clips/{FIRST}"' in html
    assert "q=why%3F&amp;k=5&amp;engine=hybrid&amp;right=asr&amp;recording=ab&amp;t=62.00" in html
    assert f"/below/api/v1/clips/{FIRST}?download=1" in html


def test_a_private_collection_is_shown_by_its_own_name() -> None:
    html = one_column(results(hit(collection="@0f0f/my notes")))
    assert "my notes" in html
    assert "0f0f" not in html


def test_judgements_and_exports_are_for_typed_questions() -> None:
    value = found([FIRST], [FIRST])
    above, left, _ = shown(value)
    assert left.count("ss-vote") == 2
    assert "/api/v1/export?format=vtt&amp;engine=asr&amp;q=why%3F&amp;k=5" in above
    assert '/api/v1/feedback/qrels"' in above
    above, left, _ = shown(value, is_spoken=True)
    assert "ss-vote" not in left
    assert "q=" not in left
    assert "export" not in above


def test_exports_keep_the_filters() -> None:
    above = shown(found([FIRST], []), Asked("why?", collections=["a b"], date_from="2019"))[0]
    assert "collection=a+b&amp;from=2019" in above
    assert "Filtered by collection <bdi>a b</bdi> · recorded from <bdi>2019</bdi>" in above


def test_transcripts_are_folded_where_they_were_not_searched() -> None:
    value = hit(transcript="a red sun", marked=((2, 5),))
    sound = one_column(results(value))
    assert sound.index("Transcript (not used for this search)") < sound.index("a <mark>red</mark> sun")
    baseline = one_column(results(value, engine="asr"))
    assert "a <mark>red</mark> sun" in baseline
    assert "not used" not in baseline
    assert "no words recognised" in one_column(results(hit(transcript=""), engine="asr"))
    assert "not used" not in one_column(results(hit()))  # none was made


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([], "abcdef"),
        ([(4, 99), (0, 2)], "<mark>ab</mark>cd<mark>ef</mark>"),
        ([(0, 3), (1, 5)], "<mark>abc</mark><mark>de</mark>f"),
        ([(3, 3), (5, 2), (-4, 1)], "<mark>a</mark>bcdef"),
    ],
)
def test_marks_lie_in_the_transcript(stretches: list[tuple[int, int]], expected: str) -> None:
    assert marked("abcdef", stretches) == f"<bdi>{expected}</bdi>"


def test_heard_words_say_when() -> None:
    html = one_column(results(hit(heard=(Word("ferry", 6.75, 7.2), Word("bridge", 99.0, 99.5)))))
    assert 'data-at="6.75"' in html
    assert "left:50.0%;width:3.3%" in html
    assert "left:100.0%;width:0.0%" in html
    assert "ferry 0:06" in Reader(html).text


def test_weak_answers_are_one_click_away() -> None:
    weak = one_column(results(hit(is_confident=False)))
    assert weak.index("Nothing relevant found.") < weak.index("<details") < weak.index("<audio")
    assert "Show 1 unlikely answer" in weak
    mixed = one_column(results(hit(), hit(2, SECOND, is_confident=False)))
    assert "Nothing relevant" not in mixed
    assert mixed.count("ss-weak") == 1
    assert "Nothing relevant found." in one_column(results())


def test_times_are_shown() -> None:
    html = one_column(results(hit()))
    assert "1 passage in 16 ms" in Reader(html).text
    assert 'title="question 12.3 ms, search 4.2 ms"' in html


def test_the_player_says_how_long_the_passage_is_before_it_is_loaded() -> None:
    html = one_column(results(hit()))
    assert 'preload="none"' in html
    assert '<span class="ss-length" title="Length">0:13</span>' in html


def test_common_hits_are_linked_and_others_say_who_found_them() -> None:
    _, left, right = shown(found([FIRST, SECOND], [THIRD, FIRST]))
    assert 'data-twin="right-hit-2"' in left
    assert 'data-twin="left-hit-1"' in right
    assert "▼1 #2 in Transcript" in Reader(left).text
    assert "▲1 #1 in Sound" in Reader(right).text
    assert "only by sound" in left
    assert "only by transcript" in right
    on_left, on_right = differences.relations(found([FIRST], [FIRST]), ENGINES["hybrid"], ENGINES["asr"])
    assert on_left[FIRST].hue == on_right[FIRST].hue


@pytest.mark.parametrize(
    ("left", "right", "engines", "expected"),
    [
        ([], [], ("hybrid", "asr"), "Neither column found a passage."),
        ([FIRST], [FIRST], ("hybrid", "asr"), "Both columns found the same 1 passage."),
        ([FIRST, SECOND], [SECOND, FIRST], ("asr", "asr"),
         "Both columns found the same 2 passages, in a different order."),
        ([FIRST, SECOND], [FIRST, SECOND], ("asr", "asr"),
         "Both columns found the same 2 passages, in the same order."),
        (
            [FIRST, SECOND],
            [THIRD, FIRST],
            ("hybrid", "asr"),
            "1 of 3 passages found by both, 1 only by sound, 1 only by transcript.",
        ),
        ([FIRST, SECOND], [FIRST], ("asr", "adapter"), "1 of 2 passages found by both, 1 only by transcript."),
        ([FIRST], [SECOND], ("adapter", "phonetic"),
         "0 of 2 passages found by both, 1 only by Meaning, 1 only by Pronunciation."),
    ],
)  # fmt: skip
def test_summary_counts(left: list[str], right: list[str], engines: tuple[str, str], expected: str) -> None:
    sides = [ENGINES[name] for name in engines]
    assert differences.summary(found(left, right, engines), *sides) == expected


def test_reason_names_what_the_recogniser_missed() -> None:
    def reason(left: list[Hit], right: list[Hit]) -> str:
        value = Comparison(results(*left), results(*right, engine="asr"))
        return differences.reason(value, ENGINES["hybrid"], ENGINES["asr"])

    one, two, known = hit(1, FIRST), hit(2, SECOND), hit(2, SECOND, marked=((0, 1),))
    assert reason([one], []).endswith("the passage that only sound found.")
    assert reason([one, two], []).endswith("any of the passages that only sound found.")
    assert reason([one, known], []).endswith("1 of the 2 passages that only sound found.")
    assert reason([known], []) == ""
    assert reason([one], [one]) == ""
    same = Comparison(results(one), results(two))
    assert differences.reason(same, ENGINES["hybrid"], ENGINES["adapter"]) == ""


def test_picture_has_a_line_for_every_common_passage_and_says_the_same_in_words() -> None:
    html = differences.picture(found([FIRST, SECOND], [SECOND, THIRD]), ENGINES["hybrid"], ENGINES["asr"])
    assert html.count("<line") == 1
    assert 'y1="15" y2="5"' in html
    text = Reader(html).text
    assert "Talk 2, 1:02–1:15: rank 2 in Sound, rank 1 in Transcript" in text
    assert "Talk 3, 1:02–1:15: not in Sound, rank 2 in Transcript" in text


def test_a_plug_ins_engine_is_shown_by_its_card() -> None:
    other = EngineCard("later", "Later engine", "How it works.", "sound", (), "later:make", ("#000", "#fff"))
    relation = differences.Relation(None, "Transcript", "only by sound")
    html = column(results(hit(), engine="later"), other, {FIRST: relation}, Place())
    assert "How it works." in html
    assert card(hit(), relation, Place()) in html
