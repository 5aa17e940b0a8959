"""Build the development sets as BEIR-style folders: texts spoken by the synthesisers, and reserved human speech.

``python -m benchmarks.build_development_sets DATA OUT`` writes OUT/<set>/{corpus.jsonl, queries.jsonl, qrels/test.tsv,
audio/*.flac, queries-spoken.jsonl, spoken/*.flac, README.json} for the sets fairytale, squad, ljspeech, librispeech,
kathleen, nonnative, names, tuning and tuning-names. The spoken queries are some of the others, with the same ids and
judgements. No set but ``tuning`` and ``tuning-names`` may be used to choose a weight or a threshold; they share no text
and no voice with the others.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.build_names import build_names, build_tuning_names
from benchmarks.known_items import (
    HUMAN_SETS,
    SPOKEN_QUERIES,
    HumanPassage,
    build_human,
    document_frequency,
    has_run,
    paraphrase_queries,
    rarest,
    read_paraphrases,
)
from benchmarks.plain_text import detokenise, plain
from benchmarks.set_folder import Asker, Question, SetFolder, rotation
from benchmarks.squad_paragraphs import squad_paragraphs
from speechsearch.text.words import STOP_WORDS
from speechsearch.training.voices import Voice, draw_voice

LONGEST_WORDS = 220
TUNING_SPOKEN_QUERIES = 150
SHORT_QUERIES = 60
ONSETS = "b bl d dr f fr g gl k kr l m n p pr s st t tr v w z".split()
SETS = ("fairytale", "squad", *HUMAN_SETS, "names", "tuning", "tuning-names")


def fairytales(data: Path, split: str) -> tuple[dict[str, str], list[tuple[str, str, tuple[str, ...]]]]:
    """Return {passage id: text} of a split's sections, and (story, question, passage ids) of its questions."""
    with gzip.open(data / "qa/fairytaleqa_sections.jsonl.gz", "rt", encoding="utf-8") as lines:
        sections = {f"{row['story']}#{row['section']}": plain(row["text"])
                    for row in map(json.loads, lines) if row["split"] == split}  # fmt: skip
    with gzip.open(data / "qa/fairytaleqa_questions.jsonl.gz", "rt", encoding="utf-8") as lines:
        questions = [
            (row["story"], plain(row["question"]),
             tuple(f"{row['story']}#{number.strip()}" for number in row["cor_section"].split(",")))
            for row in map(json.loads, lines) if row["split"] == split
        ]  # fmt: skip
    return sections, [question for question in questions if all(section in sections for section in question[2])]


def build_fairytale(data: Path, folder: Path, count: int, seed: int) -> None:
    """Write test sections of at most 220 words by the reserved voices, and the questions all of whose sections stay."""
    sections, questions = fairytales(data, "test")
    short = sorted(name for name, text in sections.items() if len(text.split()) <= LONGEST_WORDS)
    chosen = sorted(random.Random(seed).sample(short, min(count, len(short))))
    writer = SetFolder(folder, "FairytaleQA test sections (<= 220 words) spoken by the reserved voices")
    voice_of = rotation(seed)
    for i, name in enumerate(chosen):
        writer.speak(name, sections[name], voice_of(i), is_evaluation=True)
    numbered = [Question(f"q{i:04d}", text, passages) for i, (_, text, passages) in enumerate(questions)]
    writer.close(numbered, seed, Asker(voice_of, SPOKEN_QUERIES))


def training_voice(place: int, rng: random.Random) -> Voice:
    """Return a random training voice: espeak's and flite's in turn."""
    return draw_voice("espeak" if place % 2 == 0 else "flite", rng)


def build_tuning(data: Path, folder: Path, count: int, unanswerable: int, seed: int) -> None:
    """Write val sections by training voices; half of the questions without an answer are about stories not in the set.

    The other half is about stories in the set, but about sections that are not.
    """
    rng = random.Random(seed)
    sections, questions = fairytales(data, "val")
    stories = sorted({name.split("#")[0] for name in sections})
    absent = frozenset(rng.sample(stories, 3))
    short = sorted(n for n, t in sections.items() if len(t.split()) <= LONGEST_WORDS and n.split("#")[0] not in absent)
    chosen = sorted(rng.sample(short, min(count, len(short))))
    writer = SetFolder(folder, "FairytaleQA val sections spoken by training voices, some questions without an answer")
    voices = [training_voice(i, rng) for i in range(len(chosen))]
    for name, voice in zip(chosen, voices, strict=True):
        writer.speak(name, sections[name], voice, is_evaluation=False)
    kept = {row["_id"] for row in writer.corpus}
    numbered = [Question(f"q{i:04d}", text, passages) for i, (_, text, passages) in enumerate(questions)]
    answerable = [question for question in numbered if kept.issuperset(question.relevant)]
    nowhere = [question for question in numbered if kept.isdisjoint(question.relevant)]
    for is_absent_story in (True, False):
        pool = [q for q in nowhere if (q.relevant[0].split("#")[0] in absent) == is_absent_story]
        kind = "absent-story" if is_absent_story else "absent-section"
        picked = rng.sample(pool, min(unanswerable // 2, len(pool)))
        answerable += [Question(f"{kind}-{question.query_id}", question.text, ()) for question in picked]
    passages = [HumanPassage(row["_id"], (row["text"],)) for row in writer.corpus]
    paraphrases = {name: text for name, text in read_paraphrases()["tuning"].items() if name in kept}
    answerable += [*worded(data, passages, seed), *paraphrase_queries(passages, paraphrases)]
    elsewhere = [text for name, text in sorted(sections.items()) if name not in kept]
    answerable += short_queries(data, passages, elsewhere, seed)
    others = random.Random(seed)  # not rng: the typed part stays what it was before questions were spoken
    asker = Asker(lambda i: training_voice(i, others), TUNING_SPOKEN_QUERIES, is_evaluation=False)
    writer.close(answerable, seed, asker)


def worded(data: Path, passages: Sequence[HumanPassage], seed: int) -> list[Question]:
    """Return two queries a passage made of its own words: its one to four rarest, and eight in a row."""
    rng, frequency = random.Random(seed), document_frequency(data)
    words_of = {passage.passage_id: passage.words for passage in passages}
    found = []
    for number, passage in enumerate(passages):
        rare = rarest(passage.texts[0], frequency, rng.randint(1, 4))
        start = rng.randrange(max(1, len(passage.words) - 8))
        run = passage.words[start : start + 8]
        with_rare = tuple(name for name, words in words_of.items() if set(rare.split()) <= set(words))
        with_run = tuple(name for name, words in words_of.items() if has_run(words, run))
        found += [
            Question(f"rare-{number:03d}", rare, with_rare),
            Question(f"phrase-{number:03d}", " ".join(run), with_run),
        ]
    return found


def short_queries(data: Path, passages: Sequence[HumanPassage], elsewhere: Sequence[str], seed: int) -> list[Question]:
    """Return what people type first, and what nothing answers: one or two words of a passage, and without an answer
    one to four rare words of texts ``elsewhere``, and words that do not exist.
    """
    rng, frequency = random.Random(seed), document_frequency(data)
    words_of = {passage.passage_id: frozenset(passage.words) for passage in passages}
    found = []
    for number, passage in enumerate(rng.sample(passages, min(SHORT_QUERIES, len(passages)))):
        said = sorted({word for word in passage.words if len(word) > 3 and word not in STOP_WORDS})
        words = rng.sample(said, min(len(said), rng.randint(1, 2)))
        having = tuple(name for name, these in words_of.items() if these.issuperset(words))
        found.append(Question(f"words-{number:03d}", " ".join(words), having))
    for number, text in enumerate(rng.sample(elsewhere, min(SHORT_QUERIES, len(elsewhere)))):
        rare = rarest(text, frequency, rng.randint(1, 4))
        if not any(these.issuperset(rare.split()) for these in words_of.values()):
            found.append(Question(f"absent-words-{number:03d}", rare, ()))
    for number in range(SHORT_QUERIES // 2):
        words = ["".join(rng.choice(ONSETS) + rng.choice("aeiou") for _ in range(rng.randint(2, 4))) for _ in range(2)]
        found.append(Question(f"absent-nonsense-{number:03d}", " ".join(words[: rng.randint(1, 2)]), ()))
    return found


def build_squad(data: Path, folder: Path, count: int, seed: int) -> None:
    """Write Wikipedia paragraphs of six consecutive sentences, at most 220 words, by the reserved voices."""
    with gzip.open(data / "qa/squad_nqg_test.sentence_question.tsv.gz", "rt", encoding="utf-8") as lines:
        rows = [tuple(map(plain, map(detokenise, line.rstrip("\n").split("\t")))) for line in lines]
    whole = list(squad_paragraphs(((row[0], row[1]) for row in rows if len(row) == 2), 6))
    short = [i for i, (said, _) in enumerate(whole) if len(" ".join(said).split()) <= LONGEST_WORDS]
    chosen = sorted(random.Random(seed).sample(short, min(count, len(short))))
    writer = SetFolder(folder, "paragraphs of 6 consecutive squad_nqg_test sentences spoken by the reserved voices")
    voice_of = rotation(seed)
    names = {number: f"p{number:04d}" for number in chosen}
    for i, number in enumerate(chosen):
        writer.speak(names[number], " ".join(whole[number][0]), voice_of(i), is_evaluation=True)
    asked = [(number, question) for number in chosen for question in dict.fromkeys(whole[number][1])]
    numbered = [Question(f"q{i:04d}", text, (names[number],)) for i, (number, text) in enumerate(asked)]
    writer.close(numbered, seed, Asker(voice_of, SPOKEN_QUERIES))


def main(
    data: Annotated[Path, typer.Argument(help="The data folder.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Argument(help="The folder that gets one folder a set.")],
    sets: Annotated[str, typer.Option(help="Which sets, separated by commas.")] = ",".join(SETS),
    sections: Annotated[int, typer.Option(help="Sections of the fairytale set.")] = 280,
    paragraphs: Annotated[int, typer.Option(help="Paragraphs of the squad set.")] = 55,
    tuning_sections: Annotated[int, typer.Option(help="Sections of the tuning set.")] = 120,
    name_passages: Annotated[
        int, typer.Option(help="Tales and paragraphs of names; tuning-names has 0.6 as many.")
    ] = 100,
    kokoro_passages: Annotated[int, typer.Option(help="How many of them Kokoro speaks, which is slow.")] = 40,
    unanswerable: Annotated[int, typer.Option(help="Questions of the tuning set that have no answer.")] = 60,
    seed: int = 1,
) -> None:
    """Build the development sets; a set that is there already is written anew."""
    wanted = sets.split(",")
    if unknown := set(wanted) - set(SETS):
        raise typer.BadParameter(f"unknown set {', '.join(sorted(unknown))}; known: {', '.join(SETS)}")
    builders: dict[str, Callable[[], None]] = {
        "fairytale": lambda: build_fairytale(data, out / "fairytale", sections, seed),
        "squad": lambda: build_squad(data, out / "squad", paragraphs, seed),
        "names": lambda: build_names(data, out / "names", fairytales, name_passages, kokoro_passages, seed),
        "tuning-names": lambda: build_tuning_names(
            data, out / "tuning-names", fairytales, name_passages * 3 // 5, kokoro_passages // 3, seed
        ),
        "tuning": lambda: build_tuning(data, out / "tuning", tuning_sections, unanswerable, seed),
    }
    for name in wanted:
        if name in HUMAN_SETS:
            build_human(data, out / name, name, seed)
        else:
            builders[name]()


if __name__ == "__main__":
    typer.run(main)
