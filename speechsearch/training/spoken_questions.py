"""Recipe: speak texts as recordings, with questions whose answers' times are known: to fit and to measure answers.

``python -m speechsearch.training.spoken_questions DATA OUT --split val`` (or ``test``) writes OUT/audio/*.flac, texts
of FairytaleQA's part and paragraphs of SQuAD pairs that the reader was not trained on, and OUT/questions.jsonl. Taken
in with ``python -m speechsearch ingest OUT/audio -c spoken --wait``, they are asked as anybody asks.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Literal

import soundfile
import typer

from speechsearch.domain.values import Word
from speechsearch.text.spoken import spoken_words
from speechsearch.training.reader_data import (
    PAIRS_TRAINED_SHARE,
    PAIRS_TUNED_SHARE,
    Asked,
    Section,
    fairytale_questions,
    sentence_questions,
)
from speechsearch.training.voices import SAMPLE_RATE_HZ, Voice, draw_voice, reserved_voices, speak

QUESTIONS, AUDIO = "questions.jsonl", "audio"
STORIES, SECTIONS_EACH, PARAGRAPHS = 3, 8, 20
QUESTIONS_EACH = 4
"""At most so many of one text."""
LONGEST_WORDS = 220
Split = Literal["val", "test"]


@dataclass(frozen=True, slots=True)
class SpokenQuestion:
    """A question, the recording that answers it, by its file's stem, and what is said there.

    ``among``: the recordings to which it is put: those of its story, which it does not name; () for all. ``spans``:
    where the answer stands in ``text``, in characters; whole sentences where ``is_sentence``.
    """

    question: str
    recording: str
    among: tuple[str, ...]
    text: str
    spans: tuple[tuple[int, int], ...]
    answer: str
    is_sentence: bool


def chosen(data: Path, split: Split, rng: random.Random) -> list[tuple[list[Section], list[Asked]]]:
    """Return groups of texts with the questions about them: a story each, and all paragraphs as the last one."""
    known, asked = fairytale_questions(data, split)
    groups = []
    stories = sorted(name for name, sections in known.of_story.items() if len(short(sections)) >= SECTIONS_EACH)
    for story in rng.sample(stories, STORIES):
        sections = short(known.of_story[story])[:SECTIONS_EACH]
        groups.append((sections, some(asked, sections, rng)))
    _, asked = sentence_questions(data)
    bounds = (PAIRS_TRAINED_SHARE, PAIRS_TUNED_SHARE) if split == "val" else (PAIRS_TUNED_SHARE, 1.0)
    stretch = asked[slice(*(int(len(asked) * share) for share in bounds))]
    paragraphs = short(list(dict.fromkeys(one.section for one in stretch)))
    paragraphs = rng.sample(paragraphs, min(PARAGRAPHS, len(paragraphs)))
    return [*groups, (paragraphs, some(stretch, paragraphs, rng))]


def short(sections: Sequence[Section]) -> list[Section]:
    """Return the texts that are not too long to be spoken as one recording."""
    return [one for one in sections if len(one.text.split()) <= LONGEST_WORDS]


def some(asked: Sequence[Asked], sections: Sequence[Section], rng: random.Random) -> list[Asked]:
    """Return up to QUESTIONS_EACH questions of each text, drawn by chance, whose answer stands there."""
    found, counts = [], Counter[Section]()
    about = [one for one in asked if one.section in sections and one.spans]
    for one in rng.sample(about, len(about)):
        counts[one.section] += 1
        if counts[one.section] <= QUESTIONS_EACH:
            found.append(one)
    return found


def voices(split: Split, rng: random.Random) -> Iterator[Voice]:
    """Yield voices without end: reserved ones for measuring, else those of training; espeak's and flite's."""
    reserved = [voice for voice in reserved_voices() if voice.synthesiser in ("espeak", "flite")]
    while True:
        for synthesiser in ("espeak", "flite"):
            of_it = [voice for voice in reserved if voice.synthesiser == synthesiser]
            yield rng.choice(of_it) if split == "test" else draw_voice(synthesiser, rng)


def read_questions(folder: Path) -> list[SpokenQuestion]:
    """Return the questions of a folder that ``main`` wrote. Raises OSError, ValueError, TypeError: it is not one."""
    rows = [json.loads(line) for line in (folder / QUESTIONS).read_text(encoding="utf-8").splitlines()]
    return [
        SpokenQuestion(**row | {"among": tuple(row["among"]), "spans": tuple(map(tuple, row["spans"]))}) for row in rows
    ]


def times_of(text: str, words: Sequence[Word], span: tuple[int, int]) -> tuple[float, float] | None:
    """Return when a stretch of a text is said, by the words that a recogniser heard, whatever it misheard.

    The two are aligned; of misheard words the time is that between those beside them. None where nothing is near.

    >>> heard = [Word("The", 0.0, 0.2), Word("fairy", 0.2, 0.6), Word("was", 0.6, 0.8), Word("old.", 0.8, 1.0)]
    >>> times_of("The ferry was old.", heard, (4, 9)), times_of("The ferry was old.", heard, (14, 18))
    ((0.2, 0.6), (0.8, 1.0))
    """
    before, inside = spoken_words(text[: span[0]]), spoken_words(text[slice(*span)])
    said = [*before, *inside, *spoken_words(text[span[1] :])]
    heard = [(one, word) for word in words for one in spoken_words(word.text)]
    place_of = dict[int, int]()
    for block in SequenceMatcher(None, said, [one for one, _ in heard], autojunk=False).get_matching_blocks():
        place_of |= {block.a + step: block.b + step for step in range(block.size)}
    first, last = len(before), len(before) + len(inside) - 1
    if last < first or not place_of:
        return None
    at_or_before = [place_of[one] + (one != first) for one in place_of if one <= first]
    at_or_after = [place_of[one] - (one != last) for one in place_of if one >= last]
    begin = max(at_or_before, default=0)
    end = min(at_or_after, default=len(heard) - 1)
    if end < begin:
        return None
    return heard[begin][1].start_s, heard[end][1].end_s


def main(data: Path, out: Path, split: str = "val", seed: int = 1, tiny: bool = False) -> None:
    """Speak the texts of a split ("val" or "test") and write their questions."""
    part: Split = "test" if split == "test" else "val"
    rng = random.Random(seed)
    (out / AUDIO).mkdir(parents=True, exist_ok=True)
    speakers = voices(part, rng)
    rows, length_s = list[SpokenQuestion](), 0.0
    groups = chosen(data, part, rng)
    for number, (sections, asked) in enumerate(groups):
        names = {section: f"{number}-{place:02d}" for place, section in enumerate(sections[: 2 if tiny else None])}
        for section, name in names.items():
            samples = speak(section.text, next(speakers), is_evaluation=part == "test")
            soundfile.write(out / AUDIO / f"{name}.flac", samples, SAMPLE_RATE_HZ, subtype="PCM_16")
            length_s += len(samples) / SAMPLE_RATE_HZ
        among = tuple(names.values()) if number < len(groups) - 1 else ()
        rows += [
            SpokenQuestion(
                one.question, names[one.section], among, one.section.text, one.spans, one.answer, one.is_sentence
            )
            for one in asked
            if one.section in names
        ]
    (out / QUESTIONS).write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows), encoding="utf-8")
    print(
        f"{split}: {len(list((out / AUDIO).iterdir()))} recordings, {length_s / 60:.1f} minutes, {len(rows)} questions"
    )


if __name__ == "__main__":
    typer.run(main)
