"""Questions with their answers as a reader learns them: places of answers in texts, and texts without one."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechsearch.text.question_words import content_stems
from speechsearch.text.sentences import sentences
from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import STOP_WORDS, stem

SECTIONS, QUESTIONS = "qa/fairytaleqa_sections.jsonl.gz", "qa/fairytaleqa_questions.jsonl.gz"
PAIRS = "qa/squad_nqg_test.sentence_question.tsv.gz"
SQUAD = "squad"
PAIRS_TRAINED_SHARE, PAIRS_TUNED_SHARE = 0.8, 0.9
"""The pairs from the first to the second share are for fitting likelihoods, those after it for measuring."""
LIKE, SOMEWHAT_LIKE = 0.6, 0.25
"""From this F1 of words on a stretch counts as the answer, or its sentence as that which answers."""
MONTHS = "january february march april may june july august september october november december".replace(" ", "|")
DATE = re.compile(rf"\b(?:\d{{1,2}} )?(?:(?:{MONTHS}) )?(?:\d{{1,2}}, )?(?:1\d|20)\d\d\b(?!,\d)")
NUMBER = re.compile(r"\b\d[\d,.]*(?<![,.])(?: (?:hundred|thousand|million|billion)\b|%| percent\b)?")
ASKS_DATE = re.compile(r"^when\b|\b(?:what|which) (?:year|date)\b", re.I)
ASKS_NUMBER = re.compile(r"\bhow (?:many|much|old|tall|long|far|high|large|big)\b|\bwhat percentage\b", re.I)
LONGER_WORDS = 4
BESIDE_SHARE = 0.4
"""So many of the examples without an answer are from beside the answer, which is what a search finds too."""
NEIGHBOURS = 8
"""Paragraphs so near are mostly of the same article, and half of the other examples without an answer are from them."""
SHORTEST_WINDOW_WORDS, LONGEST_WINDOW_WORDS = 15, 85
"""Of what is read at once; passages of speech last 5 to 30 s."""


@dataclass(frozen=True, slots=True)
class Section:
    """A text that is asked about: of which story, and its place there."""

    story: str
    number: str
    split: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its right section, where its answer stands there, in characters, and how it is written.

    ``is_sentence``: the spans are whole sentences, in which the answer is somewhere.
    """

    question: str
    section: Section
    spans: tuple[tuple[int, int], ...]
    answer: str = ""
    is_sentence: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A question, a text, and where its answer may stand in it; nowhere without spans."""

    question: str
    text: str
    spans: tuple[tuple[int, int], ...] = ()
    is_sentence: bool = False


@dataclass
class Sections:
    """Sections by (story, number) and by story."""

    by_place: dict[tuple[str, str], Section] = field(default_factory=dict)
    of_story: dict[str, list[Section]] = field(default_factory=lambda: defaultdict(list))

    def add(self, section: Section) -> Section:
        """Keep a section and return it."""
        self.by_place[section.story, section.number] = section
        self.of_story[section.story].append(section)
        return section


def lines(path: Path) -> Iterator[str]:
    """Yield the lines of a compressed file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from (line.rstrip("\n") for line in file)


def fairytale_questions(data: Path, split: str) -> tuple[Sections, list[Asked]]:
    """Return FairytaleQA's sections of a split, and its questions with one right section; spans as they are found."""
    known = Sections()
    for row in map(json.loads, lines(data / SECTIONS)):
        if row["split"] == split:
            known.add(Section(row["story"], str(row["section"]), split, " ".join(row["text"].split())))
    found = []
    for row in map(json.loads, lines(data / QUESTIONS)):
        section = known.by_place.get((row["story"], str(row["cor_section"]).strip()))
        if row["split"] == split and section is not None:
            spans, is_sentence = answer_spans(section.text, row["question"], row["answer"])
            found.append(Asked(row["question"], section, spans, row["answer"], is_sentence))
    return known, found


def sentence_questions(data: Path, sentences_each: int = 5) -> tuple[Sections, list[Asked]]:
    """Return paragraphs of consecutive SQuAD sentences, and the questions that one of their sentences answers."""
    known, found = Sections(), list[Asked]()
    rows = [row for line in lines(data / PAIRS) if len(row := line.split("\t")) == 2]
    written: list[str] = []
    asked: list[tuple[str, int]] = []

    def close(number: int) -> None:
        text, spans = "", []
        for sentence in written:
            text += " " * bool(text)
            spans.append((len(text), len(text) + len(sentence)))
            text += sentence
        section = known.add(Section(SQUAD, str(number), "train", text))
        for question, place in asked:
            begin, end = spans[place]
            asked_for = number_asked_for(question, text[begin:end])
            if asked_for is None:
                found.append(Asked(question, section, (spans[place],), is_sentence=True))
            else:
                span = (begin + asked_for[0], begin + asked_for[1])
                found.append(Asked(question, section, (span,), text[slice(*span)]))

    for sentence, question in ((_untokenised(row[0]), _untokenised(row[1])) for row in rows):
        if sentence not in written:
            if len(written) == sentences_each:
                close(len(known.by_place))
                written, asked = [], []
            written.append(sentence)
        asked.append((question, written.index(sentence)))
    if written:
        close(len(known.by_place))
    return known, found


def number_asked_for(question: str, sentence: str) -> tuple[int, int] | None:
    """Return where the number stands that a question asks for; None where it asks for none, or there is not just one.

    A number that the question has itself is not the answer.

    >>> number_asked_for("in what year did they win?", "they won on 3 may 1925 in rome.")
    (12, 22)
    >>> number_asked_for("how many came?", "the 50 men and 7 dogs."), number_asked_for("who came?", "al, 7.")
    (None, None)
    """
    is_date = bool(ASKS_DATE.search(question))
    if not is_date and not ASKS_NUMBER.search(question):
        return None
    written = [one.span() for one in (DATE if is_date else NUMBER).finditer(sentence)]
    found = [place for place in written if sentence[slice(*place)] not in question]
    return found[0] if len(found) == 1 else None


def _untokenised(text: str) -> str:
    """Return PTB tokens as text.

    >>> _untokenised("it is a `` replica '' of lourdes , france -lrb- 1858 -rrb- .")
    'it is a "replica" of lourdes, france (1858).'
    """
    text = text.replace("``", '"<').replace("''", '>"').replace("-lrb-", "(<").replace("-rrb-", ">)")
    text = re.sub(r"< | ?>", "", text)
    return re.sub(r" ([.,;:?!%]|n't\b|'s\b|'re\b|'ll\b|'ve\b)", r"\1", text).strip()


def words_of(text: str) -> list[tuple[str, int, int]]:
    """Return the words of a text, small, with where each stands.

    >>> words_of("A big 'Dog'.")
    [('a', 0, 1), ('big', 2, 5), ('dog', 7, 10)]
    """
    return [(one.group().lower(), one.start(), one.end()) for one in re.finditer(r"\w+(?:'\w+)*", text)]


def f1(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Return SQuAD's F1 of two lists of words.

    >>> round(f1("the golden hair".split(), "golden hair".split()), 2), f1([], ["a"])
    (0.8, 0.0)
    """
    common = sum((Counter(found) & Counter(wanted)).values())
    return 2 * common / (len(found) + len(wanted)) if common else 0.0


def answer_spans(text: str, question: str, answer: str) -> tuple[tuple[tuple[int, int], ...], bool]:
    """Return where an answer stands in a text, in characters, and whether that is only its sentence; () for nowhere.

    >>> answer_spans("She had golden hair. It was long.", "What hair?", "golden hair")
    (((8, 19),), False)
    >>> answer_spans("He fled to the wood. It was night.", "Where is he?", "Deep in the wood, far from home.")
    (((0, 20),), True)
    """
    there = words_of(text)
    wanted = [word for word, _, _ in words_of(answer)]
    while len(wanted) > 1 and wanted[0] in ("the", "a", "an"):
        wanted = wanted[1:]
    if not there or not wanted:
        return (), False
    size = len(wanted)
    literal = [
        (there[start][1], there[start + size - 1][2])
        for start in range(len(there) - size + 1)
        if [word for word, _, _ in there[start : start + size]] == wanted
    ]
    if literal:
        return tuple(literal), False
    best, span = _nearest(there, wanted)
    if best >= LIKE and size > 1:
        return (span,), False
    said, told = content_stems(f"{question} {answer}"), content_stems(answer)

    def likeness(place: tuple[int, int]) -> tuple[int, int]:
        stems = {stem(word) for word in spoken_words(text[place[0] : place[1]])}
        return len(stems & told), len(stems & said)

    place = max(sentences(text), key=likeness)
    share = likeness(place)[0] / max(1, len(told))
    return ((place,), True) if share >= SOMEWHAT_LIKE else ((), False)


def _nearest(there: Sequence[tuple[str, int, int]], wanted: Sequence[str]) -> tuple[float, tuple[int, int]]:
    """Return the best F1 of any stretch of words with those of an answer, and the stretch."""
    best, span, counts = 0.0, (0, 0), Counter(wanted)
    for start, (word, begin, _) in enumerate(there):
        if word not in counts:
            continue
        left, common = counts.copy(), 0
        for size, (word, _, end) in enumerate(there[start : start + len(wanted) + LONGER_WORDS], 1):
            if left[word] > 0:
                left[word] -= 1
                common += 1
                score = 2 * common / (size + len(wanted))
                if score > best:
                    best, span = score, (begin, end)
    return best, span


def window(chooser: random.Random, text: str, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return a stretch of whole sentences, about as long as a passage of speech, with one of the spans if it can."""
    places = sentences(text)
    length = chooser.randint(SHORTEST_WINDOW_WORDS, LONGEST_WINDOW_WORDS)
    if spans:
        begin, end = chooser.choice(spans)
        inside = [number for number, (start, stop) in enumerate(places) if start < end and stop > begin]
        first, last = inside[0], inside[-1]
    else:
        first = last = chooser.randrange(len(places))
    while len(text[places[first][0] : places[last][1]].split()) < length and (first > 0 or last < len(places) - 1):
        if last == len(places) - 1 or (first > 0 and chooser.random() < 0.5):
            first -= 1
        else:
            last += 1
    return places[first][0], places[last][1]


def shown(chooser: random.Random, one: Asked) -> Example:
    """Return a question with a stretch of its section that has the answer."""
    start, end = window(chooser, one.section.text, one.spans)
    spans = tuple((begin - start, stop - start) for begin, stop in one.spans if start <= begin and stop <= end)
    return Example(one.question, one.section.text[start:end], spans, one.is_sentence)


def beside(chooser: random.Random, one: Asked) -> Example | None:
    """Return a question with a stretch of its own section that stands beside the answer; None where there is none."""
    text, runs = one.section.text, list[list[tuple[int, int]]]()
    is_beside = False
    for place in sentences(text):
        has_answer = any(place[0] < end and place[1] > begin for begin, end in one.spans)
        if not has_answer:
            runs = runs if is_beside else [*runs, []]
            runs[-1].append(place)
        is_beside = not has_answer
    stretches = [text[run[0][0] : run[-1][1]] for run in runs]
    stretches = [stretch for stretch in stretches if not one.answer or one.answer.lower() not in stretch.lower()]
    if not stretches:
        return None
    stretch = chooser.choice(stretches)
    start, end = window(chooser, stretch, ())
    return Example(one.question, stretch[start:end])


def unanswered(chooser: random.Random, one: Asked, known: Sections) -> Example | None:
    """Return a question with a stretch that does not answer it: of its own section, or of another one of its story.

    That is mostly one with many of the question's words.
    """
    if chooser.random() < BESIDE_SHARE and (not one.is_sentence or one.section.story == SQUAD):
        return beside(chooser, one)
    others = known.of_story[one.section.story]
    if one.section.story == SQUAD and chooser.random() < 0.5:
        place = int(one.section.number)
        others = others[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1]
    others = [section for section in others if section is not one.section]
    others = [section for section in others if not one.answer or one.answer.lower() not in section.text.lower()]
    if not others:
        return None
    sought = {word for word in spoken_words(one.question) if word not in STOP_WORDS}
    some = chooser.sample(others, min(len(others), 8))
    near = max(some, key=lambda section: len(sought & set(spoken_words(section.text))))
    text = (near if chooser.random() < 0.7 else some[0]).text
    start, end = window(chooser, text, ())
    return Example(one.question, text[start:end])


def as_recognised(example: Example) -> Example:
    """Return an example without punctuation and capitals, as some recognisers write; every letter keeps its place.

    >>> as_recognised(Example("Who?", "He said: Go!")).text
    'he said  go '
    """
    text = "".join(one if one.isalnum() or one == "'" else " " for one in example.text.lower())
    is_same = len(text) == len(example.text)  # some letters have no small form of one letter
    return Example(example.question, text, example.spans, example.is_sentence) if is_same else example


def examples(
    sources: Iterable[tuple[Sections, Sequence[Asked], float]], nothing_share: float, seed: int
) -> Iterator[Example]:
    """Yield examples without end: sources by their weight, some without an answer, some as recognisers write."""
    chooser = random.Random(seed)
    chosen = [(known, [one for one in asked if one.spans], weight) for known, asked, weight in sources]
    while True:
        known, asked, _ = chooser.choices(chosen, [weight for _, _, weight in chosen])[0]
        one = chooser.choice(asked)
        is_nothing = chooser.random() < nothing_share
        example = unanswered(chooser, one, known) if is_nothing else shown(chooser, one)
        if example is not None:
            yield as_recognised(example) if chooser.random() < 0.3 else example
