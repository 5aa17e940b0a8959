"""A set of one-sentence passages with several questions each, of which one is asked and the others are learnt."""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.generative.variants import PASSAGES
from benchmarks.plain_text import detokenise, plain
from benchmarks.quality.sets import spoken_queries
from benchmarks.set_folder import Asker, Question, SetFolder, write_lines
from speechsearch.evaluation.dataset import EvaluationCollection, judgements, read_collection
from speechsearch.training.voices import Voice, reserved_voices

SHORTEST_WORDS, LONGEST_WORDS = 10, 40
UNASKED_EVERY = 5
"""Of every so many passages that have several questions, one has none to learn."""
TO_LEARN = "queries-train.jsonl"
JUDGED = Path("qrels") / "train.tsv"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A passage to be, the question that is asked about it ("" for none), and those that are learnt."""

    passage_id: str
    text: str
    asked: str
    learnt: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class GenerativeSet:
    """A set: what any engine is measured on, also with its questions spoken; the questions to learn, with passages."""

    collection: EvaluationCollection
    spoken: EvaluationCollection
    to_learn: tuple[tuple[str, tuple[str, ...]], ...]


def sentences(rows: Iterable[tuple[str, str]], count: int, seed: int) -> list[Sentence]:
    """Return so many passages of (sentence, question) rows, those with several questions first.

    >>> rows = [(" ".join(["word"] * 12), one) for one in ("who?", "when?", "who?")]
    >>> [(one.asked, one.learnt) for one in sentences(rows, 1, 1)]
    [('when?', ('who?',))]
    """
    questions = defaultdict[str, list[str]](list)
    for text, question in rows:
        if SHORTEST_WORDS <= len(text.split()) <= LONGEST_WORDS and question not in questions[text]:
            questions[text].append(question)
    known = [text for text in questions if questions[text]]
    random.Random(seed).shuffle(known)
    chosen = sorted(known, key=lambda text: len(questions[text]) < 2)[:count]
    found = []
    for number, text in enumerate(chosen):
        mine = questions[text]
        asked, learnt = (mine[-1], mine[:-1]) if len(mine) > 1 else ("", mine)
        is_unasked = asked and number % UNASKED_EVERY == UNASKED_EVERY - 1
        found.append(Sentence(f"p{number:04d}", text, asked, () if is_unasked else tuple(learnt)))
    return found


def voice_of(number: int) -> Voice:
    """Return who speaks a passage: the reserved voices that are fast."""
    voices = [one for one in reserved_voices() if one.synthesiser in ("espeak", "flite")]
    return voices[number % len(voices)]


def size_of(folder: Path) -> int:
    """Return of how many passages a set is, 0 where there is none."""
    file = folder / "corpus.jsonl"
    return len(file.read_text(encoding="utf-8").splitlines()) if (folder / TO_LEARN).exists() else 0


def build(data: Path, folder: Path, count: int, seed: int) -> None:
    """Write the set: passages in an order in which the first 100, 300, 1,000 are sets too.

    A larger set begins with the passages of a smaller one. The questions about the first PASSAGES are spoken, too.
    """
    with gzip.open(data / "qa/squad_nqg_test.sentence_question.tsv.gz", "rt", encoding="utf-8") as lines:
        cells = [line.rstrip("\n").split("\t") for line in lines]
    rows = [(plain(detokenise(one[0])), plain(detokenise(one[1]))) for one in cells if len(one) == 2]
    writer = SetFolder(folder, "single sentences of squad_nqg_test spoken by the reserved voices of espeak and flite")
    found = sentences(rows, count, seed)
    for number, one in enumerate(found):
        writer.speak(one.passage_id, one.text, voice_of(number), is_evaluation=True)
    kinds = ("spoken" if number < PASSAGES else "typed" for number in range(len(found)))
    asked = [Question(f"{kind}-{one.passage_id}", one.asked, (one.passage_id,))
             for kind, one in zip(kinds, found, strict=True) if one.asked]  # fmt: skip
    writer.close(asked, seed, Asker(voice_of, PASSAGES, ("spoken",)))
    kept = {row["_id"] for row in writer.corpus}
    learnt = [(f"t{one.passage_id}-{number}", text, one.passage_id)
              for one in found if one.passage_id in kept for number, text in enumerate(one.learnt)]  # fmt: skip
    write_lines(folder / TO_LEARN, (json.dumps({"_id": name, "text": text}) for name, text, _ in learnt))
    judged = (f"{name}\t{passage_id}\t1" for name, _, passage_id in learnt)
    write_lines(folder / JUDGED, ["query-id\tcorpus-id\tscore", *judged])


def read(folder: Path) -> GenerativeSet:
    """Return the set of a folder."""
    lines = (folder / TO_LEARN).read_text(encoding="utf-8").splitlines()
    texts = {row["_id"]: row["text"] for row in map(json.loads, lines)}
    judged = judgements(folder / JUDGED, set(texts))
    learnt = ((texts[name], tuple(grades)) for name, grades in judged.items())
    collection = read_collection(folder)
    spoken = replace(collection, queries=spoken_queries(folder, collection))
    return GenerativeSet(collection, spoken, tuple(learnt))
