"""What a speech language model learns from: what was heard or read, an instruction, and what is to be answered."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from speechsearch.domain.values import Audio
from speechsearch.models.bert import BertTextEncoder
from speechsearch.models.mini.network import MiniModel
from speechsearch.models.speech_language_cards import ABOUT_IT, WRITE_DOWN
from speechsearch.text.spoken import spoken_words
from speechsearch.training.reader_data import Asked, fairytale_questions, shown
from speechsearch.training.speech_corpus import human_parts

SPEECH = ("librispeech", "ljspeech_385", "kathleen_arctic")
HEARD_AT_ONCE = 32
LONGEST_VECTORS = 60
"""About fifteen seconds."""
SPEECH_SHARE, ASKED_SHARE = 0.6, 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Vectors that a speech encoder gives, (vectors, dim) float32, an instruction, and the answer to it."""

    heard: Tensor
    instruction: str
    answer: str


def plain(text: str) -> str:
    """Return a text as it is said: small letters, no punctuation.

    >>> plain("Mr. Bell, in 1876!")
    'mister bell in eighteen seventy six'
    """
    return " ".join(spoken_words(text))


def utterances(data: Path, part: str, most: int, seed: int = 1) -> list[tuple[str, Path, str]]:
    """Return (set, file, text) of the human readers' utterances of a part, "train" or "evaluation".

    ``most``: so many of each set at most, drawn by chance.
    """
    found = list[tuple[str, Path, str]]()
    for its_part, name, rows in human_parts(data):
        if its_part == part and name in SPEECH:
            drawn = random.Random(seed).sample(rows, min(most, len(rows)))
            found += [(name, file, text) for file, text, _ in drawn]
    return found


def read_sound(file: Path) -> Audio:
    """Return the sound of a file, whose sampling rate is the library's."""
    samples, _ = soundfile.read(file, dtype="float32")
    return Audio(samples if samples.ndim == 1 else samples[:, 0].copy())


def hear(model: MiniModel, files: Sequence[Path], kept: Path) -> list[Tensor]:
    """Return the vectors that are heard in files, (vectors, dim) each; those of ``kept`` if they are of all files."""
    found = load_file(kept) if kept.exists() else {}
    if any(str(file) not in found for file in files):
        found = {}
        for start in range(0, len(files), HEARD_AT_ONCE):
            some = files[start : start + HEARD_AT_ONCE]
            for file, one in zip(some, model.hear([read_sound(file) for file in some]), strict=True):
                found[str(file)] = one.tokens.half().contiguous()
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_file(found, kept)
    return [found[str(file)].float() for file in files]


def read_as_heard(encoder: BertTextEncoder, text: str) -> Tensor:
    """Return the vectors of a text as if every word of it had been heard without doubt, (pieces, dim) float32."""
    ids = encoder.tokenizer.encode(plain(text), add_special_tokens=False).ids
    return encoder.word_embeddings[torch.tensor(ids, dtype=torch.long)].float().cpu()


def lessons(
    spoken: Sequence[tuple[Tensor, str]], encoder: BertTextEncoder, asked: Sequence[Asked], seed: int
) -> Iterator[Lesson]:
    """Yield lessons without end: heard utterances, and stretches of tales as if heard, repeated or asked about."""
    chooser = random.Random(seed)
    while True:
        kind = chooser.random()
        if kind < SPEECH_SHARE:
            heard, text = chooser.choice(spoken)
            lesson = Lesson(heard, WRITE_DOWN, plain(text))
        else:
            one = chooser.choice(asked)
            example = shown(chooser, one)
            heard = read_as_heard(encoder, example.text)
            is_asked = kind < SPEECH_SHARE + ASKED_SHARE
            wanted = one.answer if is_asked else plain(example.text)
            lesson = Lesson(heard, ABOUT_IT.format(one.question) if is_asked else WRITE_DOWN, wanted)
        if 0 < len(lesson.heard) <= LONGEST_VECTORS and lesson.answer:
            yield lesson


def told_questions(data: Path) -> list[Asked]:
    """Return the questions about tales whose answers stand there word by word."""
    _, asked = fairytale_questions(data, "train")
    return [one for one in asked if one.spans and not one.is_sentence]
