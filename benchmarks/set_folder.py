"""Write a BEIR-style folder of spoken passages and the queries about them, some of which are spoken too."""

from __future__ import annotations

import json
import random
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.plain_text import plain
from speechsearch.training.voices import SAMPLE_RATE_HZ, Voice, reserved_voices, speak

LONGEST_S = 110.0


@dataclass(frozen=True, slots=True)
class Question:
    """A query to be, and the passages that answer it (none: it has no answer in the set)."""

    query_id: str
    text: str
    relevant: tuple[str, ...]

    @property
    def kind(self) -> str:
        """What kind of query it is, from its id.

        >>> Question("said-003", "", ()).kind, Question("absent-story-q0007", "", ()).kind, Question("q1", "", ()).kind
        ('said', 'absent-story', 'question')
        """
        return self.query_id.rpartition("-")[0] or "question"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who speaks how many of a set's answerable questions; only those of ``kinds``."""

    voice_of: Callable[[int], Voice]
    most: int
    kinds: tuple[str, ...] = ("question",)
    is_evaluation: bool = True


class SetFolder:
    """Writes one set: a passage at a time, then its questions."""

    def __init__(self, folder: Path, about: str) -> None:
        for part in ("audio", "spoken", "qrels"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for older in (*(folder / "audio").glob("*.flac"), *(folder / "spoken").glob("*.flac")):
            older.unlink()
        self.folder, self.about = folder, about
        self.corpus: list[dict[str, str]] = []
        self.durations_s: list[float] = []
        self.left_out: list[str] = []

    def add(self, passage_id: str, samples: NDArray[np.int16], text: str, voice: str) -> None:
        """Keep a passage: (samples,) int16 at 16 kHz, what is said and by whom."""
        name = f"audio/{len(self.corpus):04d}.flac"
        soundfile.write(self.folder / name, samples, SAMPLE_RATE_HZ, subtype="PCM_16")
        self.corpus.append({"_id": passage_id, "audio": name, "text": text, "voice": voice})
        self.durations_s.append(len(samples) / SAMPLE_RATE_HZ)

    def speak(self, passage_id: str, text: str, voice: Voice, *, is_evaluation: bool) -> None:
        """Speak and keep a passage, or note why it is left out."""
        samples = self._said(passage_id, text, voice, 1.0, is_evaluation)
        if samples is not None:
            self.add(passage_id, samples, text, str(voice))

    def close(self, questions: Sequence[Question], seed: int, asker: Asker) -> None:
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
        spoken = self._speak_questions(questions, asker, seed)
        write_lines(self.folder / "queries-spoken.jsonl", map(json.dumps, spoken))
        summary = {
            "set": self.folder.name, "about": self.about, "passages": len(kept),
            "minutes": round(sum(self.durations_s) / 60, 1), "longest_s": round(max(self.durations_s), 1),
            "queries": len(questions), "unanswerable": sum(not question.relevant for question in questions),
            "queries_by_kind": dict(sorted(Counter(question.kind for question in questions).items())),
            "queries_spoken": len(spoken),
            "voices": dict(sorted(Counter(row["voice"] for row in self.corpus).items())),
            "voices_of_queries": dict(sorted(Counter(row["voice"] for row in spoken).items())),
            "seed": seed, "left_out": self.left_out,
            "command": shlex.join(["python", "-m", "benchmarks.build_development_sets", *sys.argv[1:]]),
        }  # fmt: skip
        (self.folder / "README.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
        print(json.dumps({key: summary[key] for key in list(summary)[:9] if key != "about"}), flush=True)

    def _speak_questions(self, questions: Sequence[Question], asker: Asker, seed: int) -> list[dict[str, str]]:
        """Return the lines of the questions that are spoken, each by a voice that speaks none of its passages."""
        pool = [question for question in questions if question.relevant and question.kind in asker.kinds]
        chosen = sorted(random.Random(seed).sample(range(len(pool)), min(asker.most, len(pool))))
        speakers = {row["_id"]: speaker(row["voice"]) for row in self.corpus}
        lines: list[dict[str, str]] = []
        for place, question in enumerate(pool[index] for index in chosen):
            heard = {speakers[passage] for passage in question.relevant}
            voice = next(v for step in count() if speaker(str(v := asker.voice_of(place + step))) not in heard)
            samples = self._said(question.query_id, plain(question.text), voice, 0.3, asker.is_evaluation)
            if samples is not None:
                name = f"spoken/{place:04d}.flac"
                soundfile.write(self.folder / name, samples, SAMPLE_RATE_HZ, subtype="PCM_16")
                lines.append({"_id": question.query_id, "text": question.text, "audio": name, "voice": str(voice)})
        return lines

    def _said(
        self, name: str, text: str, voice: Voice, shortest_s: float, is_evaluation: bool
    ) -> NDArray[np.int16] | None:
        try:
            samples = speak(text, voice, is_evaluation=is_evaluation)
        except (subprocess.SubprocessError, soundfile.SoundFileError) as error:
            self.left_out.append(f"{name}: {voice} failed ({error})")
            return None
        duration_s = len(samples) / SAMPLE_RATE_HZ
        if shortest_s <= duration_s <= LONGEST_S and np.any(samples):
            return samples
        self.left_out.append(f"{name}: {duration_s:.1f} s by {voice}")
        return None


def speaker(voice: str) -> str:
    """Return who speaks, whatever the accent.

    >>> speaker("espeak:en-gb+klatt3"), speaker("flite:awb"), speaker("kokoro:blend:a+b:0.5,speed=0.9")
    ('klatt3', 'flite:awb', 'kokoro:blend:a+b:0.5')
    """
    return voice.split(",")[0] if voice.startswith("kokoro:") else voice.rpartition("+")[2]


def rotation(seed: int) -> Callable[[int], Voice]:
    """Return which reserved voice speaks passage i: every other one espeak, the others flite and festival in turn.

    Kokoro's are not among them: they take a hundred times as long.
    """
    espeak = [voice for voice in reserved_voices() if voice.synthesiser == "espeak"]
    others = [voice for voice in reserved_voices() if voice.synthesiser in {"flite", "festival"}]
    return lambda i: espeak[(i // 2 + seed) % len(espeak)] if i % 2 == 0 else others[(i // 2 + seed) % len(others)]


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write text lines."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
