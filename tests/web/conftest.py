"""A tiny service in memory: real search over the words of a few synthetic recordings, which sound as sine tones."""

from __future__ import annotations

import io
import time
import uuid
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from speechsearch.datatypes import (
    SAMPLE_RATE_HZ,
    Audio,
    ChannelRank,
    Comparison,
    Hit,
    Passage,
    Query,
    Recording,
    Results,
    Span,
    passage_id,
)
from speechsearch.errors import DecodeError, NotFoundError, TooLongError
from speechsearch.progress import Progress
from speechsearch.settings import Settings

HOSTILE = "<script>alert(1)</script> \"quoted\" 'single' ${document.title} {{value}} \u202eדוגמה"

TALKS = (
    ("The cantilever bridge", "Ada Quill", "the railway bridge was built by two engineers from Leeds in 1890"),
    ("Bread and time", "Tom Marsh", "a slow dough made with rye flour and wild yeast tastes of apples"),
    ("The night sky over Atacama", "Ines Rojas", "telescopes in the desert see the birth of stars"),
    ("Keeping bees in town", "Ada Quill", "bees on the roof of the theatre made forty kilos of honey"),
    ("How the canal was dug", "Tom Marsh", "the canal and its iron bridge were dug and built in nine years"),
    (HOSTILE, "<b>Mallory</b>", "hostile words <img src=x onerror=alert(1)> about a bridge"),
)


def wav(frequency_hz: float, duration_s: float) -> bytes:
    """Return a sine tone as a 16-bit mono WAV file."""
    times_s = np.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    samples = (0.3 * np.sin(2 * np.pi * frequency_hz * times_s) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


@dataclass(frozen=True)
class TinyPassage:
    """A passage with the words said in it and the tone that it sounds as."""

    passage: Passage
    recording: Recording
    words: str
    tone_hz: float


@dataclass
class TinyService:
    """The service's methods over word overlap; the same answers on every run."""

    settings: Settings
    entries: list[TinyPassage] = field(default_factory=list)

    @property
    def limits(self):
        return self.settings.limits

    def add(self, title: str, speaker: str, words: str, collection: str = "samples") -> Recording:
        number = len(self.entries)
        recording_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{collection}/{title}").hex
        recording = Recording(recording_id, collection, title, 90.0, speaker=speaker, language="en")
        span = Span(12.0 + number, 12.0 + number + 3.0)
        passage = Passage(passage_id(recording_id, span), recording_id, span)
        self.entries.append(TinyPassage(passage, recording, words, 220.0 + 40 * number))
        return recording

    def engines(self):
        return [
            SimpleNamespace(name=name, title=title, summary=summary)
            for name, title, summary in (
                ("hybrid", "Hybrid", "Adapter and phonetic index together, by their normalised scores."),
                ("adapter", "Adapter", "A speech adapter puts the sound itself into the space of a text encoder."),
                ("phonetic", "Phonetic", "Compares the sounds of the question with the sounds that were said."),
                ("asr", "ASR baseline", "Transcribes the passage first, then searches the text by words and meaning."),
            )
        ]

    def collections(self):
        names = sorted({entry.recording.collection for entry in self.entries})
        return [
            SimpleNamespace(
                name=name, description="", licence="CC0-1.0", source="", duration_s=90.0 * n, recordings=n, passages=n
            )
            for name in names
            for n in [sum(entry.recording.collection == name for entry in self.entries)]
        ]

    def example_questions(self, count: int) -> list[str]:
        found = ["Who built the railway bridge?", "What do bees make on the roof?", "Where are the telescopes?"]
        return found[:count] if self.entries else []

    def search(self, query: Query, engine: str = "hybrid") -> Results:
        started = time.perf_counter()
        if engine not in {info.name for info in self.engines()}:
            raise NotFoundError(f"There is no engine {engine!r}.", "Choose one of hybrid, adapter, phonetic, asr.")
        words = set(query.text.lower().strip("?!. ").split()) if query.audio is None else {"bees", "honey"}
        allowed = query.filters.collections
        entries = [entry for entry in self.entries if not allowed or entry.recording.collection in allowed]
        ranked = sorted(entries, key=lambda entry: (-self._score(words, entry), entry.passage.passage_id))
        hits = tuple(self._hit(rank, words, entry, engine) for rank, entry in enumerate(ranked[: query.top_k], 1))
        is_any = any(hit.is_confident for hit in hits)
        return Results(engine, hits, is_any, 1.5, (time.perf_counter() - started) * 1000)

    def compare(self, query: Query, left: str = "hybrid", right: str = "asr") -> Comparison:
        return Comparison(self.search(query, left), self.search(query, right))

    def clip(self, passage_id: str) -> bytes:
        for entry in self.entries:
            if entry.passage.passage_id == passage_id:
                return wav(entry.tone_hz, entry.passage.span.duration_s)
        raise NotFoundError(f"There is no passage {passage_id}.", "Search again.")

    def query_audio(self, source: Path | bytes) -> Audio:
        content = source.read_bytes() if isinstance(source, Path) else source
        if content[:4] != b"RIFF":
            raise DecodeError("The question is not readable sound.", "Record it again.")
        with wave.open(io.BytesIO(content)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        if len(samples) / SAMPLE_RATE_HZ > self.limits.query_audio_s:
            raise TooLongError("The question is longer than 60 s.", "Ask a shorter one.")
        return Audio(samples)

    @staticmethod
    def _score(words: set[str], entry: TinyPassage) -> float:
        return len(words & set(entry.words.split())) / max(1, len(words))

    def _hit(self, rank: int, words: set[str], entry: TinyPassage, engine: str) -> Hit:
        score = self._score(words, entry)
        names = ("adapter", "phonetic") if engine == "hybrid" else (engine,)
        channels = tuple(ChannelRank(name, rank + place, score) for place, name in enumerate(names))
        transcript = entry.words if engine == "asr" else ""
        return Hit(rank, score, entry.passage, entry.recording, channels, score >= 0.3, transcript)


@dataclass(frozen=True)
class TinyResult:
    """What became of one file."""

    name: str
    state: str
    recording_id: str
    passages: int
    duration_s: float
    message: str


def tiny_ingest(service: TinyService):
    """Return an ``ingest_files`` that takes WAV files; a file's name is what is said in it."""

    def ingest_files(paths: Sequence[Path], collection: str) -> Iterator[object]:
        for number, path in enumerate(paths):
            yield Progress("ingest", path.name, number, len(paths), remaining_s=float(len(paths) - number))
            try:
                duration_s = service.query_audio(path).duration_s
            except DecodeError as error:
                yield TinyResult(path.name, "failed", "", 0, 0.0, str(error))
                continue
            recording = service.add(path.stem, "", path.stem.replace("_", " "), collection)
            yield TinyResult(path.name, "indexed", recording.recording_id, 1, duration_s, "")

    return ingest_files


@pytest.fixture
def service(tmp_path: Path) -> TinyService:
    tiny = TinyService(Settings(data_dir=tmp_path / "data"))
    for title, speaker, words in TALKS:
        tiny.add(title, speaker, words)
    return tiny


@pytest.fixture
def ingest_files(service: TinyService):
    return tiny_ingest(service)


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "whales_sing_at_night.wav"
    path.write_bytes(wav(440.0, 1.0))
    return path


@pytest.fixture
def long_tone(tmp_path: Path) -> Path:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(440.0, 61.0))
    return path
