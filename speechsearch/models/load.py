"""From a card to a model: found, checked, loaded when first used, once a process, dropped when idle.

A factory is a function of one argument, ``Located``, that returns the model. What callers get is a thin stand-in that
knows from the card what can be known without loading.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from speechsearch.domain.errors import MissingDependencyError
from speechsearch.domain.importing import IMPORTING
from speechsearch.domain.packages import package_version
from speechsearch.models.base import (
    AudioTokenizer,
    LanguageModel,
    PassageGenerator,
    Reader,
    Recognizer,
    SoundEmbedder,
    SpeakerEncoder,
    SpeechEncoder,
    SpeechLanguageModel,
    TextEncoder,
)
from speechsearch.models.card import ModelCard, Task
from speechsearch.models.catalog import Catalog
from speechsearch.models.device import Device, check_device, choose_device
from speechsearch.models.files import FileFinder
from speechsearch.models.generative_cards import ADDRESSES, MANIFEST, learnt_of
from speechsearch.models.lazy import (
    LazyAudioTokenizer,
    LazyLanguageModel,
    LazyPassageGenerator,
    LazyReader,
    LazyRecognizer,
    LazySoundEmbedder,
    LazySpeakerEncoder,
    LazySpeechEncoder,
    LazySpeechLanguageModel,
    LazyTextEncoder,
)
from speechsearch.models.slot import Slot

LEARNT = (MANIFEST, ADDRESSES)
"""What a passage generator has learnt is read before its weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """All that a factory gets.

    Args:
        card: of the model that it makes.
        files: where the card's files lie, by name; their sha256 is checked.
        chosen: gives the device; asking for it may import PyTorch.
        needed: the loaded models that the card needs, by name.
        kept: the folder in which what is made of the files may be kept; None where there is none.
        bits: of a language model or text encoder: 4 to keep its weights in so many, where that is possible.
        may_run_code: whether code that lies beside the weights may run.
        threads: so many may compute at once on the processor, in models that do not ask PyTorch.
    """

    card: ModelCard
    files: Mapping[str, Path]
    chosen: Callable[[], Device]
    needed: Mapping[str, Any]
    kept: Path | None = None
    bits: int = 16
    may_run_code: bool = False
    threads: int = 1

    @property
    def device(self) -> Device:
        """Where the model has to compute, and in which precision.

        Raises:
            ConfigurationError: the device that was asked for is not there.
        """
        return self.chosen()


def give_back_memory() -> None:
    """Have the system get back what was let go of: glibc keeps hundreds of megabytes of sounds and models otherwise."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


class ModelLoader:
    """Gives models of a catalog; each is loaded once, and safe to use from several threads."""

    def __init__(
        self,
        catalog: Catalog,
        folder: Path | None = None,
        may_download: bool = False,
        device: str = "auto",
        dtype: str = "auto",
        cache_dir: Path | None = None,
        language_model_bits: int = 16,
        text_encoder_bits: int = 16,
        trusted_code: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
        threads: int = 0,
    ) -> None:
        """``folder``, ``may_download``, ``cache_dir``: where files are looked for, as ``FileFinder`` takes them.

        ``language_model_bits``, ``text_encoder_bits``: 4 or 16. ``trusted_code``: the models that may run code of their
        own.
        ``device``: auto, cpu, cuda or mps; ``dtype``: auto, float32, bfloat16 or float16. ``clock``: seconds.
        ``threads``: of the processor that models may take; 0: all.

        Raises:
            ConfigurationError: there is no such device or precision.
        """
        check_device(device, dtype)
        self.catalog = catalog
        self._finder = FileFinder(folder, cache_dir, may_download)
        self._wanted = (device, dtype)
        self._cache_dir = cache_dir
        self._text_encoder_bits, self._language_model_bits = text_encoder_bits, language_model_bits
        self._trusted_code = frozenset(trusted_code)
        self._clock = clock
        self._threads = threads or os.cpu_count() or 1
        self._slots: dict[tuple[Task, str], Slot[Any]] = {}
        self._lock = Lock()

    @cached_property
    def device(self) -> Device:
        """The device that models are loaded on; asking for it imports PyTorch.

        Raises:
            ConfigurationError: the device that was asked for is not there.
        """
        with IMPORTING:
            return choose_device(*self._wanted)

    def speech_encoder(self, name: str) -> SpeechEncoder:
        """Return a speech encoder, not loaded yet. Raises NotFoundError."""
        return LazySpeechEncoder(self._slot("speech encoder", name))

    def text_encoder(self, name: str) -> TextEncoder:
        """Return a text encoder, not loaded yet. Raises NotFoundError."""
        return LazyTextEncoder(self._slot("text encoder", name))

    def recognizer(self, name: str) -> Recognizer:
        """Return a recogniser, not loaded yet. Raises NotFoundError."""
        return LazyRecognizer(self._slot("recognizer", name))

    def speaker_encoder(self, name: str) -> SpeakerEncoder:
        """Return a speaker encoder, not loaded yet. Raises NotFoundError."""
        return LazySpeakerEncoder(self._slot("speaker encoder", name))

    def reader(self, name: str) -> Reader:
        """Return a reader, not loaded yet. Raises NotFoundError."""
        return LazyReader(self._slot("reader", name))

    def audio_tokenizer(self, name: str) -> AudioTokenizer:
        """Return an audio tokenizer, not loaded yet. Raises NotFoundError."""
        return LazyAudioTokenizer(self._slot("audio tokenizer", name))

    def sound_embedder(self, name: str) -> SoundEmbedder:
        """Return a sound embedder, not loaded yet. Raises NotFoundError."""
        return LazySoundEmbedder(self._slot("sound embedder", name))

    def speech_language_model(self, name: str) -> SpeechLanguageModel:
        """Return a speech language model, not loaded yet. Raises NotFoundError."""
        return LazySpeechLanguageModel(self._slot("speech language model", name))

    def language_model(self, name: str) -> LanguageModel:
        """Return a language model, not loaded yet. Raises NotFoundError."""
        return LazyLanguageModel(self._slot("language model", name))

    def passage_generator(self, name: str) -> PassageGenerator:
        """Return a passage generator, not loaded yet.

        Raises:
            NotFoundError: there is none of that name.
            ModelUnavailableError: what it has learnt cannot be read.
        """
        slot = self._slot("passage generator", name)
        files = {file.name: self._finder.find(slot.card, file) for file in slot.card.files if file.name in LEARNT}
        return LazyPassageGenerator(slot, learnt_of(files[MANIFEST].parent))

    def model(self, task: Task, name: str) -> Any:
        """Return a model itself, loaded, for recipes and measurements that need more than its protocol.

        Raises:
            NotFoundError: there is no such card.
            MissingDependencyError, ModelUnavailableError: it cannot be loaded.
        """
        with self._slot(task, name).use() as model:
            return model

    def located(self, card: ModelCard, needed: Mapping[str, Any] | None = None) -> Located:
        """Return what a card's factory gets, its files found and checked, for what is built upon them.

        Raises:
            MissingDependencyError: its package or its files are not installed.
            ModelUnavailableError: a file is not the one that the card names.
        """
        if card.package:
            package_version(card.package, card.pip_line)
        files = {file.name: self._finder.find(card, file) for file in card.files}
        kept = self._cache_dir / card.name if self._cache_dir else None
        bits = self._text_encoder_bits if card.task == "text encoder" else self._language_model_bits
        made = (bits, card.name in self._trusted_code, self._threads)
        return Located(card, files, lambda: self.device, needed or {}, kept, *made)

    def is_within_reach(self, task: Task, name: str) -> bool:
        """Say whether all files of a model are on this machine, or may be fetched; none is read. Raises NotFoundError.

        It may fail to load all the same.
        """
        card = self.catalog.get(task, name)
        own = all(self._finder.is_within_reach(card, file) for file in card.files)
        return own and all(self.is_within_reach(*needed) for needed in card.needs)

    def in_memory(self) -> list[ModelCard]:
        """Return the cards of the models that are loaded now."""
        with self._lock:
            slots = list(self._slots.values())
        return [slot.card for slot in slots if slot.is_loaded]

    def release_idle(self, older_than_s: float) -> list[ModelCard]:
        """Let go of the models that nobody used for so long and return their cards; used again, they load again."""
        with self._lock:
            slots = list(self._slots.values())
        released = [slot.card for slot in slots if slot.release(older_than_s)]
        if released:
            gc.collect()
            give_back_memory()
        return released

    def _slot(self, task: Task, name: str) -> Slot[Any]:
        card = self.catalog.get(task, name)
        with self._lock:
            if (task, name) not in self._slots:
                self._slots[task, name] = Slot(card, self._make, self._slot, self._clock)
            return self._slots[task, name]

    def _make(self, card: ModelCard, needed: Mapping[str, Any]) -> Any:
        """Return a model made by its card's factory.

        Raises:
            MissingDependencyError: its package or its files are not installed.
            ModelUnavailableError: a file is not the one that the card names.
        """
        located = self.located(card, needed)
        module, _, function = card.factory.partition(":")
        try:
            with IMPORTING:
                factory = getattr(import_module(module), function)
        except ImportError as error:
            raise MissingDependencyError(
                f"The {card.task} '{card.name}' cannot be imported: {error}.",
                "Install it again.",
            ) from error
        return factory(located)
