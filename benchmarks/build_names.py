"""Build the sets ``names`` and ``tuning-names``: queries of names and rare words only, all of them typed.

``names`` has reserved texts by reserved voices, invented passages (``names.jsonl``) and reserved human speech; its
passages are never training data. ``tuning-names`` shares no text and no voice with it: fusion may be tuned on it.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.known_items import HUMAN_SETS, PAUSE_S, join, reserved_clips
from benchmarks.name_queries import (
    common_words,
    names_in,
    queries_of,
    rare_words,
    read_invented,
    relevant_to,
    with_random_names,
)
from benchmarks.plain_text import detokenise, plain
from benchmarks.set_folder import Asker, Question, SetFolder, rotation
from benchmarks.squad_paragraphs import squad_paragraphs
from speechsearch.text.lexicon import dictionary
from speechsearch.text.spoken import spoken_words
from speechsearch.training.kokoro_styles import RESERVED_KOKORO
from speechsearch.training.voices import SAMPLE_RATE_HZ, Voice, draw_voice

SHORTEST_WORDS, LONGEST_WORDS = 60, 120
READERS = ("librispeech", "ljspeech", "kathleen")
RANDOM_NAME_SHARE = 0.05
Tales = Callable[[Path, str], tuple[dict[str, str], object]]


def is_fitting(text: str) -> bool:
    """Say whether a text has 60 to 120 words."""
    return SHORTEST_WORDS <= len(text.split()) <= LONGEST_WORDS


def chosen_tales(data: Path, tales: Tales, split: str, count: int, rng: random.Random) -> dict[str, str]:
    """Return {passage id: text} of random sections of a split that are not too short or long."""
    sections = {name: text for name, text in tales(data, split)[0].items() if is_fitting(text)}
    return {name: sections[name] for name in sorted(rng.sample(sorted(sections), min(count, len(sections))))}


def chosen_paragraphs(data: Path, count: int, rng: random.Random) -> dict[str, str]:
    """Return {passage id: text} of random paragraphs of four squad_nqg_test sentences."""
    with gzip.open(data / "qa/squad_nqg_test.sentence_question.tsv.gz", "rt", encoding="utf-8") as lines:
        rows = [tuple(map(plain, map(detokenise, line.rstrip("\n").split("\t")))) for line in lines]
    whole = squad_paragraphs(((row[0], row[1]) for row in rows if len(row) == 2), 4)
    texts = {f"p{number:04d}": " ".join(said) for number, (said, _) in enumerate(whole)}
    fitting = sorted(name for name, text in texts.items() if is_fitting(text))
    return {name: texts[name] for name in sorted(rng.sample(fitting, min(count, len(fitting))))}


def add_readers(data: Path, writer: SetFolder, name: str) -> dict[str, str]:
    """Add a set's reserved human clips joined to passages; returns {passage id: text}."""
    kind = HUMAN_SETS[name]
    clips = reserved_clips(data, kind.parts)
    sounds = [soundfile.read(file, dtype="int16", always_2d=True)[0][:, 0] for file, _, _ in clips]
    groups = [file.stem.rpartition("-")[0] or speaker for file, _, speaker in clips]
    durations_s = [len(samples) / SAMPLE_RATE_HZ + PAUSE_S for samples in sounds]
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), np.int16)
    texts: dict[str, str] = {}
    for number, piece in enumerate(join(durations_s, groups, kind.shortest_s, kind.longest_s)):
        passage = f"{name}-p{number:03d}"
        texts[passage] = " ".join(clips[i][1] for i in piece)
        samples = np.concatenate([part for i in piece for part in (sounds[i], pause)])
        writer.add(passage, samples, texts[passage], f"human:{clips[piece[0]][2]}")
    return texts


def said_names(text: str, common: Collection[str]) -> list[str]:
    """Return the names and rare words of a text; only rare words where no capitals tell."""
    has_capitals = not text.isupper() and not text.islower()
    return names_in(text, common) if has_capitals else rare_words(list(spoken_words(text)), common)


def close(
    writer: SetFolder, parts: Mapping[str, Mapping[str, str]], common: Collection[str], seed: int,
    asked: tuple[Question, ...] = (),
) -> None:  # fmt: skip
    """Write the set's lists, with queries of the names in each part's passages (kind: its name)."""
    words_of = {row["_id"]: frozenset(spoken_words(row["text"])) for row in writer.corpus}
    questions = [Question(query.query_id, query.text, relevant_to(query.text, words_of)) for query in asked]
    for kind, texts in parts.items():
        names = {name: said_names(text, common) for name, text in texts.items() if name in words_of}
        questions += queries_of(kind, names, words_of, 1 if kind in READERS else 3, seed)
    writer.close([query for query in questions if query.relevant], seed, Asker(rotation(seed), 0))


def build_names(data: Path, folder: Path, tales: Tales, count: int, kokoro: int, seed: int) -> None:
    """Write reserved and invented texts by reserved voices, Kokoro's among them, and reserved readers."""
    rng, common = random.Random(seed), common_words(data)
    writer = SetFolder(folder, "reserved and invented texts by reserved voices, reserved readers; names as queries")
    invented = read_invented()
    parts = {
        "tale": chosen_tales(data, tales, "test", count // 2, rng),
        "encyclopedia": chosen_paragraphs(data, count - count // 2, rng),
    }
    spoken = {row["id"]: row["text"] for row in invented} | parts["tale"] | parts["encyclopedia"]
    voice_of, others = rotation(seed), iter(range(len(spoken)))
    for i, (name, text) in enumerate(spoken.items()):
        is_kokoro = i * kokoro // len(spoken) != (i + 1) * kokoro // len(spoken)
        voice = Voice("kokoro", RESERVED_KOKORO[i % len(RESERVED_KOKORO)]) if is_kokoro else voice_of(next(others))
        writer.speak(name, plain(text), voice, is_evaluation=True)
    for name in READERS:
        parts[name] = add_readers(data, writer, name)
    texts = [(text, row["id"]) for row in invented for text in row["queries"]]
    close(writer, parts, common, seed, tuple(
        Question(f"invented-{i:03d}", text, (name,)) for i, (text, name) in enumerate(texts)
    ))  # fmt: skip


def build_tuning_names(data: Path, folder: Path, tales: Tales, count: int, kokoro: int, seed: int) -> None:
    """Write val sections by training voices, a share of their words replaced by random names of the dictionary."""
    rng, common = random.Random(seed), common_words(data)
    writer = SetFolder(folder, "FairytaleQA val sections with random names by training voices; names as queries")
    rare = sorted(word for word in dictionary() if len(word) > 3 and word.isalpha() and word not in common)
    texts = {
        name: with_random_names(text, rare, rng.random, RANDOM_NAME_SHARE)
        for name, text in chosen_tales(data, tales, "val", count, rng).items()
    }
    for i, (name, text) in enumerate(texts.items()):
        is_kokoro = i * kokoro // len(texts) != (i + 1) * kokoro // len(texts)
        voice = draw_voice("kokoro" if is_kokoro else ("espeak", "flite", "flite")[i % 3], rng)
        writer.speak(name, text, voice, is_evaluation=False)
    close(writer, {"tale": texts}, common, seed)
