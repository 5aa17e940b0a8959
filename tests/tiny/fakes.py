"""Models that count how often they are asked: plain arithmetic, so that what they make can be foretold.

Every sound has a word of its own. The speech encoder hears it, a recogniser writes it down, and the text encoder gives
each word a direction of its own; the fingerprint goes into all that is made, so that it tells who made it.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ingest import discover, run
from speechsearch.domain.errors import EmptyQueryError, NotFoundError
from speechsearch.domain.limits import Segmentation
from speechsearch.domain.values import (
    Audio,
    Channel,
    FloatMatrix,
    PhonemeTrack,
    Query,
    SpokenWord,
    Transcript,
    Vector,
    Word,
)
from speechsearch.models.base import EncodedPassage, ReadPassage
from speechsearch.models.catalog import Catalog
from speechsearch.service.open import Service
from speechsearch.service.settings import EngineSettings, Settings

DIM = 16
SHORT = Segmentation(shortest_s=2, longest_s=4)


def word_of(sound: Audio) -> str:
    """The word that a sound is: the same for the same samples."""
    return f"w{zlib.crc32((sound.samples * 8000).round().astype(np.int16).tobytes())}"


def direction(text: str, maker: str, dim: int = DIM) -> FloatMatrix:
    """The unit vector of a text's words as one maker sees them, (dim,) float32."""
    rows = [np.random.default_rng(zlib.crc32(f"{maker} {word}".encode())).standard_normal(dim) for word in text.split()]
    total = np.sum(rows, axis=0) if rows else np.zeros(dim)
    return (total / max(1e-9, float(np.linalg.norm(total)))).astype(np.float32)


class FakeSpeechEncoder:
    """Hears the word of each sound."""

    def __init__(self, version: str = "1", channels: Sequence[str] = ("adapter",)) -> None:
        self.fingerprint = f"fake-speech-{version}"
        self.channels = tuple(Channel(name, "dense", DIM) for name in channels)
        self.passages = 0

    def encode_passages(self, sounds: Sequence[Audio]) -> list[EncodedPassage]:
        """The direction of each sound's word in every channel, and a track of one phoneme."""
        self.passages += len(sounds)
        track = PhonemeTrack(np.ones((1, 1), np.uint8), np.zeros((1, 1), np.uint8), np.zeros(1, np.float32))
        return [EncodedPassage(self.vectors(word_of(sound)), track) for sound in sounds]

    def vectors(self, word: str) -> dict[str, FloatMatrix]:
        """What passages get whose sound is a word."""
        return {channel.name: direction(word, f"{self.fingerprint} {channel.name}") for channel in self.channels}

    def encode_query(self, query: Query, channel: str) -> Vector:
        """The direction of typed words, or of the word that is spoken."""
        if query.audio is None and not query.text.strip():
            raise EmptyQueryError("The question is empty.")
        return direction(word_of(query.audio) if query.audio else query.text, f"{self.fingerprint} {channel}")

    def pronounce(self, query: Query) -> list[SpokenWord]:
        """Words of one phoneme each, too short to be looked for."""
        return [SpokenWord(word, ((1,),)) for word in query.text.split()]


class FakeTextEncoder:
    """Gives each word a direction of its own."""

    def __init__(self, version: str = "1", dim: int = DIM) -> None:
        self.fingerprint, self.dim = f"fake-text-{version}", dim
        self.passages = 0

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """One row a question."""
        return np.stack([direction(text, self.fingerprint, self.dim) for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """One row a transcript."""
        self.passages += len(texts)
        return self.encode_queries(texts)


class FakeRecognizer:
    """Writes down the word of each sound, and its own fingerprint."""

    def __init__(self, name: str = "first", version: str = "1", log: Path | None = None) -> None:
        """``log``: a file that gets a line for each passage, when another process is to count."""
        self.name, self.fingerprint, self.log = name, f"fake-{name}-{version}", log
        self.passages = 0

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """One transcript a sound."""
        self.passages += len(sounds)
        texts = [f"{word_of(sound)} {self.fingerprint}" for sound in sounds]
        if self.log is not None:
            with self.log.open("a") as log:
                log.writelines(f"{text}\n" for text in texts)
        return [Transcript(text, self.name, (Word(text.split()[0], 0.0, 0.5),)) for text in texts]


class FakeReader:
    """Finds the first word of a passage that the question has, too; surely, so that nothing is left to chance."""

    fingerprint = "fake-reader"

    def read(self, question: str, passages: Sequence[str]) -> list[ReadPassage]:
        """One piece a word; one that the question has is the answer."""
        found = []
        for text in passages:
            words = list(re.finditer(r"\S+", text))
            sought = {word.strip("?.,").lower() for word in question.split()}
            odds = np.array([9.0 if one.group().strip(".,").lower() in sought else -9.0 for one in words], np.float32)
            found.append(ReadPassage(np.array([one.span() for one in words], np.int32).reshape(-1, 2), odds, odds))
        return found


class FakeSpeakerEncoder:
    """Takes every sound for one person's; whose recordings are whose is up to who diarizes."""

    dim = DIM

    def __init__(self, version: str = "1") -> None:
        self.fingerprint = f"fake-speakers-{version}"

    def encode(self, sounds: Sequence[Audio]) -> FloatMatrix:
        """The same row for each sound."""
        return np.tile(direction("somebody", self.fingerprint), (len(sounds), 1))


class FakeSoundEmbedder:
    """Hears how strong the bands of a sound are; alike are sounds of the same pitch."""

    dim, window_s = DIM, 10.0

    def __init__(self, version: str = "1") -> None:
        self.fingerprint = f"fake-sounds-{version}"
        self.batches: list[int] = []

    def embed(self, sounds: Sequence[Audio]) -> FloatMatrix:
        """The energy of so many bands, from low to high, without their mean."""
        self.batches.append(len(sounds))
        spectra = [np.abs(np.fft.rfft(sound.samples, 16_000)) for sound in sounds]
        bands = np.array([[band.max() for band in np.array_split(one[:4096], DIM)] for one in spectra], np.float32)
        bands = np.log1p(bands) - np.log1p(bands).mean(axis=1, keepdims=True)
        return bands / np.maximum(1e-9, np.linalg.norm(bands, axis=1, keepdims=True))


@dataclass
class FakeLoader:
    """Stands where ``ModelLoader`` stands; the models' names are those of ``engines``."""

    speech: FakeSpeechEncoder = field(default_factory=FakeSpeechEncoder)
    text: FakeTextEncoder = field(default_factory=FakeTextEncoder)
    recognizers: tuple[FakeRecognizer, ...] = field(default_factory=lambda: (FakeRecognizer(),))
    speakers: FakeSpeakerEncoder | None = None
    sounds: FakeSoundEmbedder | None = None
    finds_copies: bool = False
    catalog: Catalog = field(default_factory=Catalog)

    def speech_encoder(self, name: str) -> FakeSpeechEncoder:
        """The speech encoder."""
        return self.speech

    def text_encoder(self, name: str) -> FakeTextEncoder:
        """The text encoder."""
        return self.text

    def recognizer(self, name: str) -> FakeRecognizer:
        """A recogniser by its name."""
        found = {one.name: one for one in self.recognizers}
        if name not in found:
            raise NotFoundError(f"There is no recognizer '{name}'.")
        return found[name]

    def reader(self, name: str) -> FakeReader:
        """The reader."""
        return FakeReader()

    def model(self, task: str, name: str) -> object:
        """A model itself; all are loaded."""
        return self

    def is_within_reach(self, task: str, name: str) -> bool:
        """All are here."""
        return True

    def speaker_encoder(self, name: str) -> FakeSpeakerEncoder:
        """The speaker encoder."""
        return self.speakers or FakeSpeakerEncoder()

    def sound_embedder(self, name: str) -> FakeSoundEmbedder:
        """The sound embedder."""
        return self.sounds or FakeSoundEmbedder()

    def in_memory(self) -> list[Any]:
        """None has a card."""
        return []

    def release_idle(self, older_than_s: float) -> list[Any]:
        """Nothing is let go of."""
        return []

    def counted(self) -> dict[str, int]:
        """How many passages each model has been given since this was asked last, those that have any."""
        counts = Counter({"sound": self.speech.passages, "text": self.text.passages})
        self.speech.passages = self.text.passages = 0
        for one in self.recognizers:
            counts[one.name], one.passages = one.passages, 0
        return dict(+counts)


def fake_settings(
    data_dir: Path, models: FakeLoader, segmentation: Segmentation = SHORT, database: str = ""
) -> Settings:
    """Settings that name the models, and cut into short passages. ``database``: a server's, by its URL."""
    names = ",".join(one.name for one in models.recognizers) or "none"
    engines = EngineSettings(
        recognizer=names,
        speaker_encoder="fake" if models.speakers else "none",
        sound_embedder="fake" if models.sounds else "none",
        finds_copies=models.finds_copies,
    )
    return Settings(data_dir=data_dir, segmentation=segmentation, engines=engines, store={"url": database})


def open_fakes(data_dir: Path, models: FakeLoader, segmentation: Segmentation = SHORT, database: str = "") -> Service:
    """The real service, store and index in a data folder, with these models."""
    return Service.open(fake_settings(data_dir, models, segmentation, database), loader=models)


def take_in(service: Service, *paths: Path, collection: str = "talks", wants_transcripts: bool = True) -> list[str]:
    """Take in files and return what became of each."""
    with service.workspace() as workspace:
        found = discover(paths, service.limits, workspace)
        done = run(service.manage, found, collection=collection, wants_transcripts=wants_transcripts)
        return [result.state for result in done]
