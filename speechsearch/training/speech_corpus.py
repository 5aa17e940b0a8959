"""Recipe: synthesise and collect speech for the encoder, training and evaluation parts apart.

``python -m speechsearch.training.speech_corpus DATA runs/corpus`` (``--tiny`` ends in a minute). ``--kokoro-hours``
wants the packages that ``training/kokoro.py`` names.
"""

from __future__ import annotations

import itertools
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray

from speechsearch.text.lexicon import SYMBOL_OF, Lexicon, Pronunciation, dictionary
from speechsearch.text.spoken import spoken_words
from speechsearch.training.corpus import ShardWriter
from speechsearch.training.texts import (
    LJ_HELD_OUT_SHARE,
    dialogues,
    encyclopedia,
    fairytales,
    novels,
    read_sentences,
    split_sentences,
)
from speechsearch.training.voices import SAMPLE_RATE_HZ, draw_voice, reserved_voices, speak

KATHLEEN_HELD_OUT_SHARE = 0.20
RESERVED_READER = "8226"
RANDOM_WORD_SHARE = 0.06


def unknown(word: str) -> list[Pronunciation]:
    """Refuse a word that is not in CMUdict: its sound would be a guess."""
    raise KeyError(word)


def flite_letter_to_sound(word: str) -> list[Pronunciation]:
    """Return flite's guess at a word (its rules were learnt from CMUdict too): for human speech, which is scarce."""
    command = ["flite", "-voice", "kal16", "-ps", "-t", word, "-o", "none"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout.upper().split()
    return [tuple(SYMBOL_OF["AH" if phoneme == "AX" else phoneme] for phoneme in said if phoneme != "PAU")]


def label(text: str, lexicon: Lexicon) -> list[int] | None:
    """Return the symbols of a text, or None when the lexicon does not know a word."""
    try:
        return [symbol for word in lexicon.pronounce_text(text) for symbol in word] or None
    except KeyError:
        return None


def speakable(data: Path, rng: random.Random) -> Iterator[str]:
    """Yield sentences of 3-40 words that the dictionary covers, some of their words replaced by random ones."""
    lexicon = Lexicon(unknown)
    names = [word for word in dictionary() if len(word) > 3]
    books = itertools.chain(fairytales(data), novels(data))
    running = (s for p in books if rng.random() < 0.04 for s in split_sentences(p))
    lines = itertools.chain(read_sentences(data), encyclopedia(data), dialogues(data))
    pool = list(itertools.islice(running, 40_000)) + [s for s in lines if rng.random() < 0.25]
    rng.shuffle(pool)
    for text in itertools.cycle(pool):
        words = text.split()
        if not 3 <= len(words) <= 40:
            continue
        words = [rng.choice(names) if rng.random() < RANDOM_WORD_SHARE else word for word in words]
        text = " ".join(words)
        if re.search(r"\d", text):
            text = " ".join(spoken_words(text))
        if label(text, lexicon):
            yield text


def synthesise_shard(job: tuple[str, float, int, Path, Path, bool]) -> str:
    """Write one shard of a synthesiser's training voices, or of the reserved voices; returns a line for the log."""
    synthesiser, hours, seed, data, out, is_evaluation = job
    rng = random.Random(seed)
    part = "evaluation" if is_evaluation else "train"
    writer = ShardWriter(out / part / f"{synthesiser}-{seed}")
    lexicon = Lexicon(unknown)
    texts = speakable(data, rng)
    fixed = [voice for voice in reserved_voices() if voice.synthesiser == synthesiser] if is_evaluation else []
    failures = 0
    while writer.offset < hours * 3600 * SAMPLE_RATE_HZ:
        voice = (
            fixed[len(fixed) * writer.offset // int(hours * 3600 * SAMPLE_RATE_HZ)]
            if fixed
            else draw_voice(synthesiser, rng)
        )
        for text in itertools.islice(texts, 8 if is_evaluation else 1):
            try:
                samples = speak(text, voice, is_evaluation=is_evaluation)
            except (subprocess.SubprocessError, soundfile.SoundFileError):
                failures += 1  # a rare word can crash an old synthesiser; the count is in the log line
                continue
            if SAMPLE_RATE_HZ // 2 < len(samples) < 30 * SAMPLE_RATE_HZ:
                writer.add(samples, label(text, lexicon) or [], text, str(voice))
    writer.close()
    return f"{part} {synthesiser}-{seed}: {writer.offset / SAMPLE_RATE_HZ / 3600:.2f} h, {failures} failures"


def human_parts(data: Path) -> Iterator[tuple[str, str, list[tuple[Path, str, str]]]]:
    """Yield (part, name, rows) of the human sets; a row is (file, text, speaker), the reserved ones in "evaluation"."""
    speech = data / "speech"

    def rows(folder: str, suffix: str, speaker_of: Callable[[str], str] | None = None) -> list[tuple[Path, str, str]]:
        lines = (speech / folder / "transcripts.tsv").read_text(encoding="utf-8").splitlines()
        cells = [line.split("\t") for line in lines]
        return [
            (speech / folder / "audio" / f"{c[0]}{suffix}", c[2], speaker_of(c[0]) if speaker_of else folder)
            for c in cells
        ]

    for folder, suffix, share in (
        ("kathleen_arctic", ".ogg", KATHLEEN_HELD_OUT_SHARE),
        ("ljspeech_385", ".ogg", LJ_HELD_OUT_SHARE),
    ):
        everything = rows(folder, suffix)
        cut = len(everything) - round(len(everything) * share)
        yield "train", folder, everything[:cut]
        yield "evaluation", folder, everything[cut:]
    readers = rows("librispeech_train_clean_4spk", ".opus", lambda name: name.split("-")[0])
    yield "train", "librispeech", [row for row in readers if row[2] != RESERVED_READER]
    yield "evaluation", "librispeech", [row for row in readers if row[2] == RESERVED_READER]
    groups = ("adults", "children")
    speakers = {file.name[:5] for group in groups for file in (speech / f"speechocean762_{group}" / "audio").iterdir()}
    held_out = frozenset(sorted(speakers)[5::6])
    for group in groups:
        everything = rows(f"speechocean762_{group}", ".opus", lambda name: name[:5])
        yield "train", f"speechocean-{group}", [row for row in everything if row[2] not in held_out]
        yield "evaluation", f"speechocean-{group}", [row for row in everything if row[2] in held_out]


def collect_human(data: Path, out: Path, limit: int | None) -> Iterator[str]:
    """Write one shard for each part of the human sets; yields a line for the log each."""
    lexicon = Lexicon(flite_letter_to_sound)
    for part, name, rows in human_parts(data):
        writer = ShardWriter(out / part / name)
        for file, text, speaker in rows[:limit]:
            symbols = label(text, lexicon) or []
            samples, _ = soundfile.read(file, dtype="int16")
            writer.add(to_mono(samples), symbols, text, f"human:{speaker}")
        writer.close()
        yield f"{part} {name}: {writer.offset / SAMPLE_RATE_HZ / 3600:.2f} h"


def to_mono(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return the first channel, (samples,) int16."""
    return samples if samples.ndim == 1 else np.ascontiguousarray(samples[:, 0])


def main(
    data: Path,
    out: Path,
    espeak_hours: float = 12.0,
    flite_hours: float = 8.0,
    festival_hours: float = 0.3,
    kokoro_hours: float = 0.0,
    workers: int = 2,
    seed: int = 1,
    tiny: bool = False,
) -> None:
    """Write the shards below OUT/train and OUT/evaluation."""
    limit = 20 if tiny else None
    evaluation_hours = {"espeak": 0.3, "flite": 0.15, "festival": 0.2, "kokoro": 0.1}
    hours = {"espeak": espeak_hours, "flite": flite_hours, "festival": festival_hours, "kokoro": kokoro_hours}
    hours = {name: total for name, total in hours.items() if total}
    if tiny:
        hours = evaluation_hours = dict.fromkeys(hours, 0.02)
    for line in collect_human(data, out, limit):
        print(line, flush=True)
    jobs: list[tuple[str, float, int, Path, Path, bool]] = []
    for name, total in hours.items():
        jobs.append((name, evaluation_hours[name], seed * 1000 + 999, data, out, True))
        pieces = max(1, round(total))
        jobs += [(name, total / pieces, seed * 1000 + piece, data, out, False) for piece in range(pieces)]
    with Pool(workers) as pool:
        for line in pool.imap_unordered(synthesise_shard, jobs):
            print(line, flush=True)


if __name__ == "__main__":
    typer.run(main)
