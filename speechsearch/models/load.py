"""From a card to a model: found, checked, loaded when first used, once a process, dropped when idle.

A factory is a function of one argument, ``Located``, that returns the model. What callers get is a thin stand-in that
knows from the card what can be known without loading.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from speechsearch.domain.errors import MissingDependencyError
from speechsearch.domain.packages import package_version
from speechsearch.models.base import AudioTokenizer, Reader, Recognizer, SpeakerEncoder, SpeechEncoder, TextEncoder
from speechsearch.models.card import ModelCard, Task
from speechsearch.models.catalog import Catalog
from speechsearch.models.device import Device, check_device, choose_device
from speechsearch.models.files import FileFinder
from speechsearch.models.lazy import (
    LazyAudioTokenizer,
    LazyReader,
    LazyRecognizer,
    LazySpeakerEncoder,
    LazySpeechEncoder,
    LazyTextEncoder,
)
from speechsearch.models.slot import Slot


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """All that a factory gets.

    Args:
        card: of the model that it makes.
        files: where the card's files lie, by name; their sha256 is checked.
        device: where the model has to compute, and in which precision.
        needed: the loaded models that the card needs, by name.
    """

    card: ModelCard
    files: Mapping[str, Path]
    device: Device
    needed: Mapping[str, Any]


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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``folder``, ``may_download``, ``cache_dir``: where files are looked for, as ``FileFinder`` takes them.

        ``device``: auto, cpu, cuda or mps; ``dtype``: auto, float32, bfloat16 or float16. ``clock``: seconds.

        Raises:
            ConfigurationError: there is no such device or precision.
        """
        check_device(device, dtype)
        self.catalog = catalog
        self._finder = FileFinder(folder, cache_dir, may_download)
        self._wanted = (device, dtype)
        self._clock = clock
        self._slots: dict[tuple[Task, str], Slot[Any]] = {}
        self._lock = Lock()

    @cached_property
    def device(self) -> Device:
        """The device that models are loaded on; asking for it imports PyTorch.

        Raises:
            ConfigurationError: the device that was asked for is not there.
        """
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

    def model(self, task: Task, name: str) -> Any:
        """Return a model itself, loaded, for recipes and measurements that need more than its protocol.

        Raises:
            NotFoundError: there is no such card.
            MissingDependencyError, ModelUnavailableError: it cannot be loaded.
        """
        with self._slot(task, name).use() as model:
            return model

    def is_within_reach(self, task: Task, name: str) -> bool:
        """Say whether all files of a model are on this machine, or may be fetched; none is read. Raises NotFoundError.

        It may fail to load all the same.
        """
        card = self.catalog.get(task, name)
        own = all(self._finder.is_within_reach(card, file) for file in card.files)
        return own and all(self.is_within_reach(*needed) for needed in card.needs)

    def release_idle(self, older_than_s: float) -> list[ModelCard]:
        """Let go of the models that nobody used for so long and return their cards; used again, they load again."""
        with self._lock:
            slots = list(self._slots.values())
        return [slot.card for slot in slots if slot.release(older_than_s)]

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
        if card.package:
            package_version(card.package, card.pip_line)
        files = {file.name: self._finder.find(card, file) for file in card.files}
        module, _, function = card.factory.partition(":")
        try:
            factory = getattr(import_module(module), function)
        except ImportError as error:
            raise MissingDependencyError(
                f"The {card.task} '{card.name}' cannot be imported: {error}.",
                "Install it again.",
            ) from error
        return factory(Located(card, files, self.device, needed))
