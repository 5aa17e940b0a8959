"""The models of a user's own: each folder in the folder of models that is named like no other model becomes a card.

What it is, its files say: a Whisper of CTranslate2 has ``model.bin``, what onnx-asr decodes has ``*.onnx``, a
checkpoint of transformers (a recogniser, a language model, an audio tokenizer) has ``config.json``, and so have a
speech encoder like ``mini`` and a sound embedder like ``similar-mini``; a trained speech adapter says so in its
``config.json``; ``modules.json`` makes a folder of sentence-transformers a text encoder, or a speech encoder if it also
hears; of HuBERT, WavLM, wav2vec 2.0, wav2vec2-BERT and Whisper the encoder is a frame encoder for adapters, too; one
ONNX graph alone is a speaker encoder, a GGUF file a language model. Licence and languages are those that the hub's
``README.md`` begins with, where there is one. What is not understood is told with the reason, and stops nothing.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from speechsearch.domain.errors import SpeechSearchError
from speechsearch.models import (
    adapter_cards,
    adapter_folder,
    codec_cards,
    frame_cards,
    language_cards,
    mini_cards,
    omni_cards,
    onnx_asr_cards,
    similar_cards,
    speech_language_cards,
    text_cards,
    transformers_cards,
    whisper_cards,
)
from speechsearch.models.card import ModelCard
from speechsearch.models.catalog import Catalog
from speechsearch.models.files import make_private, sha256_of

log = logging.getLogger(__name__)

DIGESTS = "digests.json"
MOST_README_BYTES = 1_000_000
MOST_LANGUAGES = 250


@dataclass(frozen=True, slots=True)
class FolderCatalog:
    """A catalog with the models of a folder; ``refused``: the names of folders that are no model -> why."""

    catalog: Catalog
    refused: Mapping[str, str] = field(default_factory=dict)


class Digests:
    """The sha256 of large files, kept in a file, so that a file that did not change is not read at every start."""

    def __init__(self, kept: Path | None) -> None:
        """``kept``: the file; nothing is kept if None."""
        self._kept = kept
        self._known: dict[str, list[object]] = {}
        self._is_new = False
        if kept is not None and kept.is_file():
            try:
                read = json.loads(kept.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                read = {}  # it only saves time
            self._known = read if isinstance(read, dict) else {}

    def of(self, path: Path) -> str:
        """Return the sha256 of a file. Raises ModelUnavailableError: it cannot be read."""
        state = path.stat()
        now = [state.st_size, state.st_mtime_ns]
        before = self._known.get(str(path))
        if isinstance(before, list) and before[:2] == now and len(before) == 3:
            return str(before[2])
        digest = sha256_of(path)
        self._known[str(path)] = [*now, digest]
        self._is_new = True
        return digest

    def keep(self) -> None:
        """Write what is new; a folder that cannot be written costs only time at the next start."""
        if self._kept is None or not self._is_new:
            return
        part = self._kept.with_suffix(f".{os.getpid()}")
        try:
            make_private(self._kept.parent)
            part.write_text(json.dumps(self._known), encoding="utf-8")
            part.replace(self._kept)
        except OSError as error:
            log.warning("The sha256 of models cannot be kept in %s: %s", self._kept, error)


def with_folder(catalog: Catalog, folder: Path | None, kept: Path | None = None) -> FolderCatalog:
    """Return a catalog that has the models of a folder too.

    ``kept``: a folder in which the sha256 of their files is kept; they are computed anew each time if None.
    """
    if folder is None or not folder.is_dir():
        return FolderCatalog(catalog)
    digests = Digests(None if kept is None else kept / DIGESTS)
    taken = {card.name for card in catalog.cards}
    refused: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and path.name not in taken:
            try:
                catalog = catalog.add(cards_of(path, digests.of))
            except SpeechSearchError as error:
                refused[path.name] = error.message
            except OSError as error:
                refused[path.name] = f"It cannot be read: {error}."
    digests.keep()
    return FolderCatalog(catalog, refused)


def cards_of(folder: Path, sha256: Callable[[Path], str] = sha256_of) -> tuple[ModelCard, ...]:
    """Return the cards of a folder, whose name is the model's, one a task; its files are hashed by ``sha256``.

    Raises:
        ModelUnavailableError, ConfigurationError: it holds no model that is known, or has a name that cannot be one.
        OSError: it cannot be read.
    """
    licence, languages = described(folder / "README.md")
    return tuple(
        replace(card, licence=licence or card.licence, languages=card.languages or languages)
        for card in _cards_of(folder, sha256)
    )


def card_of(folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the first card of a folder: what it is before all. Raises as ``cards_of``."""
    return cards_of(folder, sha256)[0]


def _cards_of(folder: Path, sha256: Callable[[Path], str]) -> list[ModelCard]:
    names, config = {path.name for path in folder.iterdir()}, folder / "config.json"
    if "model.bin" in names:
        return [whisper_cards.card_of_folder(folder.name, folder, sha256=sha256)]
    if any(name.endswith(".onnx") for name in names) and "config.json" not in names:
        from speechsearch.models import onnx_speaker  # opens the graph, so it imports what runs it

        return [onnx_speaker.card_of_folder(folder.name, folder, sha256)]
    if adapter_folder.is_adapter(config):
        return [adapter_cards.card_of_folder(folder.name, folder, sha256)]
    if omni_cards.is_omni(folder):
        return [omni_cards.card_of_folder(folder.name, folder, sha256)]
    if text_cards.MODULES in names:
        return [text_cards.card_of_folder(folder.name, folder, sha256)]
    if any(name.endswith(".onnx") for name in names):
        return [onnx_asr_cards.card_of_folder(folder.name, folder, sha256)]
    if speech_language_cards.CONFIG in names:
        return [speech_language_cards.card_of_folder(folder.name, folder, sha256)]
    if any(name.endswith(".gguf") for name in names):
        return [language_cards.card_of_gguf(folder.name, folder, sha256)]
    if language_cards.is_language_model(config):
        return [language_cards.card_of_checkpoint(folder.name, folder, sha256)]
    if codec_cards.kind_of(config):
        return [codec_cards.card_of_folder(folder.name, folder, sha256)]
    if similar_cards.is_sound_embedder(config):
        return [similar_cards.card_of_folder(folder.name, folder, sha256)]
    if mini_cards.is_mini(config):
        return [mini_cards.card_of_folder(folder.name, folder, sha256)]
    if not frame_cards.is_frame_encoder(config):
        return [transformers_cards.card_of_checkpoint(folder.name, folder, sha256)]
    readers = [frame_cards.card_of_checkpoint]
    if transformers_cards.is_recognizer(config):
        readers.insert(0, transformers_cards.card_of_checkpoint)
    return [read(folder.name, folder, sha256) for read in readers]


def described(readme: Path) -> tuple[str, tuple[str, ...]]:
    """Return the licence and the languages that a README of the hub begins with; "" and () where it says none."""
    if not readme.is_file() or readme.stat().st_size > MOST_README_BYTES:
        return "", ()
    from huggingface_hub import metadata_load
    from yaml import YAMLError

    try:
        said = metadata_load(readme) or {}
    except (YAMLError, ValueError, OSError) as error:
        log.warning("%s is not read: %s", readme, error)
        return "", ()
    licence, spoken = said.get("license"), said.get("language") or ()
    codes = [spoken] if isinstance(spoken, str) else spoken if isinstance(spoken, list) else []
    found = tuple(one.lower() for one in codes[:MOST_LANGUAGES] if isinstance(one, str) and 2 <= len(one) <= 3)
    return licence[:80] if isinstance(licence, str) else "", found
