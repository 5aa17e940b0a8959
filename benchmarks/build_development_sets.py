"""Build the development sets as BEIR-style folders: texts spoken by the synthesisers, and reserved human speech.

``python -m benchmarks.build_development_sets DATA OUT`` writes OUT/<set>/{corpus.jsonl, queries.jsonl, qrels/test.tsv,
audio/*.flac, README.json} for the sets fairytale, squad, ljspeech, librispeech and tuning. No set but ``tuning`` may be
used to choose a weight or a threshold; ``tuning`` shares no text and no voice with the others.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
import shlex
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray

from speechsearch.mini.lexicon import spoken_words
from speechsearch.training.speech_corpus import human_parts
from speechsearch.training.voices import SAMPLE_RATE_HZ, Voice, draw_voice, reserved_voices, speak

LONGEST_S = 110.0
LONGEST_WORDS = 220
PAUSE_S = 0.25
SETS = ("fairytale", "squad", "ljspeech", "librispeech", "tuning")
TYPOGRAPHY = {"’": "'", "‘": "'", "“": '"', "”": '"', "—": ", ", "–": "-", "…": "...", "æ": "ae", "œ": "oe", "ø": "o",
              "ł": "l", "Ł": "L", "ß": "ss", "−": "minus ", "×": " times "}  # fmt: skip
BRACKETS = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "(", "-rsb-": ")", "-lcb-": "(", "-rcb-": ")", "``": '"', "''": '"',
            "--": ","}  # fmt: skip


def plain(text: str) -> str:
    r"""Return a text as ASCII in one line, as the synthesisers take it: accents dropped, typography written plainly.

    >>> plain("“Café” — it’s\nhere")
    '"Cafe", it\'s here'
    """
    for written, said in TYPOGRAPHY.items():
        text = text.replace(written, said)
    words = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().split()
    return " ".join(words).replace(" ,", ",")


def detokenise(tokens: str) -> str:
    r"""Return a sentence of Penn Treebank tokens as it is written.

    >>> detokenise("she did n't pay $ 5 -lrb- notre dame 's ``fee '' -rrb- , or 3 % .")
    'she didn\'t pay $5 (notre dame\'s "fee"), or 3%.'
    """
    text = " ".join(BRACKETS.get(token, token) for token in tokens.replace("``", "`` ").split())
    text = re.sub(r" (n't|'(?:s|re|ve|ll|d|m)\b|'(?=\s|$))", r"\1", text)
    text = re.sub(r'" ([^"]*?) ?"', r'"\1"', text)
    return re.sub(r"(?<=[($£€]) | (?=[)%?.;:!,])", "", text)


@dataclass(frozen=True, slots=True)
class Question:
    """A query to be, and the passages that answer it (none: it has no answer in the set)."""

    query_id: str
    text: str
    relevant: tuple[str, ...]


class SetFolder:
    """Writes one set: a passage at a time, then its questions."""

    def __init__(self, folder: Path, about: str) -> None:
        (folder / "audio").mkdir(parents=True, exist_ok=True)
        (folder / "qrels").mkdir(exist_ok=True)
        for older in (folder / "audio").glob("*.flac"):
            older.unlink()
        self.folder, self.about = folder, about
        self.corpus: list[dict[str, str]] = []
        self.durations_s: list[float] = []

    def add(self, passage_id: str, samples: NDArray[np.int16], text: str, voice: str) -> None:
        """Keep a passage: (samples,) int16 at 16 kHz, what is said and by whom."""
        name = f"audio/{len(self.corpus):04d}.flac"
        soundfile.write(self.folder / name, samples, SAMPLE_RATE_HZ, subtype="PCM_16")
        self.corpus.append({"_id": passage_id, "audio": name, "text": text, "voice": voice})
        self.durations_s.append(len(samples) / SAMPLE_RATE_HZ)

    def speak(self, passage_id: str, text: str, voice: Voice, *, is_evaluation: bool) -> str:
        """Speak and keep a passage; returns why it was left out, or ""."""
        try:
            samples = speak(text, voice, is_evaluation=is_evaluation)
        except (subprocess.SubprocessError, soundfile.SoundFileError) as error:
            return f"{passage_id}: {voice} failed ({error})"
        duration_s = len(samples) / SAMPLE_RATE_HZ
        if not 1 <= duration_s <= LONGEST_S or not np.any(samples):
            return f"{passage_id}: {duration_s:.0f} s by {voice}"
        self.add(passage_id, samples, text, str(voice))
        return ""

    def close(self, questions: Sequence[Question], seed: int, left_out: Sequence[str] = ()) -> None:
        """Write the lists; a question stays when it has no passage at all or all its passages were kept."""
        kept = {row["_id"] for row in self.corpus}
        questions = [question for question in questions if kept.issuperset(question.relevant)]
        write_lines(self.folder / "corpus.jsonl", map(json.dumps, self.corpus))
        write_lines(
            self.folder / "queries.jsonl",
            (json.dumps({"_id": question.query_id, "text": question.text}) for question in questions),
        )
        judged = (f"{q.query_id}\t{passage}\t1" for q in questions for passage in q.relevant)
        write_lines(self.folder / "qrels" / "test.tsv", ["query-id\tcorpus-id\tscore", *judged])
        summary = {
            "set": self.folder.name, "about": self.about, "passages": len(kept),
            "minutes": round(sum(self.durations_s) / 60, 1), "longest_s": round(max(self.durations_s), 1),
            "queries": len(questions), "unanswerable": sum(not question.relevant for question in questions),
            "voices": dict(sorted(Counter(row["voice"] for row in self.corpus).items())), "seed": seed,
            "left_out": list(left_out),
            "command": shlex.join(["python", "-m", "benchmarks.build_development_sets", *sys.argv[1:]]),
        }  # fmt: skip
        (self.folder / "README.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
        print(json.dumps({key: summary[key] for key in list(summary)[:7] if key != "about"}), flush=True)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write text lines."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def rotation(seed: int) -> Callable[[int], Voice]:
    """Return which reserved voice speaks passage i: every other one espeak, the others flite and festival in turn."""
    espeak = [voice for voice in reserved_voices() if voice.synthesiser == "espeak"]
    others = [voice for voice in reserved_voices() if voice.synthesiser != "espeak"]
    return lambda i: espeak[(i // 2 + seed) % len(espeak)] if i % 2 == 0 else others[(i // 2 + seed) % len(others)]


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
    notes = [writer.speak(name, sections[name], voice_of(i), is_evaluation=True) for i, name in enumerate(chosen)]
    numbered = [Question(f"q{i:04d}", text, passages) for i, (_, text, passages) in enumerate(questions)]
    writer.close(numbered, seed, [note for note in notes if note])


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
    voices = [draw_voice("espeak" if i % 2 == 0 else "flite", rng) for i in range(len(chosen))]
    notes = [writer.speak(n, sections[n], v, is_evaluation=False) for n, v in zip(chosen, voices, strict=True)]
    kept = {row["_id"] for row in writer.corpus}
    numbered = [Question(f"q{i:04d}", text, passages) for i, (_, text, passages) in enumerate(questions)]
    answerable = [question for question in numbered if kept.issuperset(question.relevant)]
    nowhere = [question for question in numbered if kept.isdisjoint(question.relevant)]
    for is_absent_story in (True, False):
        pool = [q for q in nowhere if (q.relevant[0].split("#")[0] in absent) == is_absent_story]
        kind = "absent-story" if is_absent_story else "absent-section"
        picked = rng.sample(pool, min(unanswerable // 2, len(pool)))
        answerable += [Question(f"{kind}-{question.query_id}", question.text, ()) for question in picked]
    writer.close(answerable, seed, [note for note in notes if note])


def squad_paragraphs(rows: Iterable[tuple[str, str]], sentences: int) -> Iterator[tuple[list[str], list[str]]]:
    """Yield (sentences, questions) of paragraphs made of consecutive distinct sentences.

    >>> rows = [("a .", "1?"), ("b .", "2?"), ("a .", "3?"), ("c .", "4?"), ("d .", "5?"), ("e .", "6?")]
    >>> list(squad_paragraphs(rows, 2))
    [(['a .', 'b .'], ['1?', '2?', '3?']), (['c .', 'd .'], ['4?', '5?'])]
    """
    said: list[str] = []
    asked: list[str] = []
    told: set[str] = set()
    for sentence, question in rows:
        if sentence in said:
            asked.append(question)
            continue
        if len(said) == sentences:
            yield said, asked
            said, asked = [], []
        if sentence not in told:  # a sentence of an earlier paragraph would make two passages right
            told.add(sentence)
            said.append(sentence)
            asked.append(question)
    if len(said) == sentences:
        yield said, asked


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
    notes = [
        writer.speak(names[number], " ".join(whole[number][0]), voice_of(i), is_evaluation=True)
        for i, number in enumerate(chosen)
    ]
    asked = [(number, question) for number in chosen for question in dict.fromkeys(whole[number][1])]
    numbered = [Question(f"q{i:04d}", text, (names[number],)) for i, (number, text) in enumerate(asked)]
    writer.close(numbered, seed, [note for note in notes if note])


def document_frequency(data: Path) -> Counter[str]:
    """Return in how many of the 13,100 LJ clips each word is said."""
    counts: Counter[str] = Counter()
    with gzip.open(data / "text/ljspeech_metadata_full.csv.gz", "rt", encoding="utf-8") as lines:
        for row in csv.reader(lines, delimiter="|", quoting=csv.QUOTE_NONE):
            counts.update(set(spoken_words(row[-1])))
    return counts


def rarest(text: str, frequency: Counter[str], count: int = 3) -> str:
    """Return the rarest different words of a text of more than three letters, in the order they are said.

    >>> rarest("The old marshal lived within the prison", Counter(marshal=2, lived=9, within=9, prison=5))
    'marshal lived prison'
    """
    words = [word for word in dict.fromkeys(spoken_words(text)) if len(word) > 3]
    chosen = sorted(words, key=lambda word: frequency[word])[:count]
    return " ".join(word for word in words if word in chosen)


def join(durations_s: Sequence[float], groups: Sequence[str], shortest_s: float, longest_s: float) -> list[range]:
    """Return which consecutive clips make a passage: of one group, closed once it is long enough.

    >>> join([9, 9, 9, 9, 9, 5], ["a", "a", "a", "a", "b", "b"], 20, 30)
    [range(0, 3), range(4, 6)]
    """
    passages: list[range] = []
    start = 0
    for i, group in enumerate(groups):
        total_s = sum(durations_s[start : i + 1])
        is_last = i + 1 == len(groups) or groups[i + 1] != group
        if total_s >= shortest_s or is_last or total_s + durations_s[i + 1] > longest_s:
            if total_s >= shortest_s / 2:  # a chapter's short rest makes no passage
                passages.append(range(start, i + 1))
            start = i + 1
    return passages


def build_human(data: Path, folder: Path, name: str, seed: int) -> None:
    """Write reserved human clips joined to passages of 20-30 s, each with two known-item queries."""
    clips = next(rows for part, found, rows in human_parts(data) if part == "evaluation" and found == name)
    sounds = [soundfile.read(file, dtype="int16", always_2d=True)[0][:, 0] for file, _, _ in clips]
    durations_s = [len(samples) / SAMPLE_RATE_HZ + PAUSE_S for samples in sounds]
    chapters = [re.sub(r"-[^-]*$", "", file.stem) for file, _, _ in clips]
    frequency = document_frequency(data)
    writer = SetFolder(folder, f"reserved {name} clips joined to 20-30 s; rarest words, and a stretch of eight words")
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), np.int16)
    questions: list[Question] = []
    for number, piece in enumerate(join(durations_s, chapters, 20.0, 30.0)):
        texts = [clips[i][1] for i in piece]
        passage_id = f"{chapters[piece[0]]}-p{number:03d}"
        samples = np.concatenate([part for i in piece for part in (sounds[i], pause)])
        writer.add(passage_id, samples, " ".join(texts), f"human:{clips[piece[0]][2]}")
        questions.append(Question(f"rare-{number:03d}", rarest(" ".join(texts), frequency), (passage_id,)))
        said = next((words for words in map(spoken_words, texts) if len(words) >= 12), spoken_words(" ".join(texts)))
        questions.append(Question(f"phrase-{number:03d}", " ".join(said[4:12]), (passage_id,)))
    writer.close(questions, seed)


def main(
    data: Annotated[Path, typer.Argument(help="The data folder.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Argument(help="The folder that gets one folder a set.")],
    sets: Annotated[str, typer.Option(help="Which sets, separated by commas.")] = ",".join(SETS),
    sections: Annotated[int, typer.Option(help="Sections of the fairytale set.")] = 280,
    paragraphs: Annotated[int, typer.Option(help="Paragraphs of the squad set.")] = 150,
    tuning_sections: Annotated[int, typer.Option(help="Sections of the tuning set.")] = 200,
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
        "ljspeech": lambda: build_human(data, out / "ljspeech", "ljspeech_385", seed),
        "librispeech": lambda: build_human(data, out / "librispeech", "librispeech", seed),
        "tuning": lambda: build_tuning(data, out / "tuning", tuning_sections, unanswerable, seed),
    }
    for name in wanted:
        builders[name]()


if __name__ == "__main__":
    typer.run(main)
