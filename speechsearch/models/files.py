"""Where a model's files lie: looked for near before far, put together where they come in parts, checked by sha256."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from speechsearch.domain.assets import ASSETS
from speechsearch.domain.errors import ConfigurationError, MissingDependencyError, ModelUnavailableError
from speechsearch.domain.packages import packaged_file
from speechsearch.models.card import ModelCard, ModelFile, OnDisk, OnHub, Packaged, Shipped

BLOCK_BYTES = 1 << 20
INCOMING = ".incoming"


class FileFinder:
    """Finds files in the user's folder, among what is installed, in the hub's cache, and last on the hub."""

    def __init__(self, folder: Path | None, cache_dir: Path | None, may_download: bool) -> None:
        """``folder``: holds a folder a model, named as its card; what lies there is used before anything else.

        ``cache_dir``: where files that come in parts are put together; a temporary folder of this process if None.
        ``may_download``: whether what lies nowhere is fetched from the hub.
        """
        self._folder, self._cache_dir, self._may_download = folder, cache_dir, may_download
        self._lock = threading.Lock()

    def find(self, card: ModelCard, file: ModelFile) -> Path:
        """Return where a file of a model lies, its sha256 checked.

        Raises:
            MissingDependencyError: it is nowhere, and would come with a package.
            ModelUnavailableError: it is nowhere, or is not the file that the card names, or cannot be downloaded.
        """
        path = self._near(card, file)
        if path is None:
            path = self._downloaded(card, file)
        found = sha256_of(path)
        if found != file.sha256:
            raise ModelUnavailableError(
                f"{path} is not the file of the {card.task} '{card.name}': its sha256 is {found}, not {file.sha256}.",
                "Delete it and install it again.",
            )
        return path

    def is_within_reach(self, card: ModelCard, file: ModelFile) -> bool:
        """Say whether a file is on this machine, or may be fetched from the hub; nothing is read."""
        return bool(self.parts_near(card, file)) or (
            self._may_download and any(isinstance(source, OnHub) for source in file.sources)
        )

    def parts_near(self, card: ModelCard, file: ModelFile) -> list[Path]:
        """Return where a file lies on this machine, or the parts that make it; nothing where it is not. Reads none."""
        if self._folder is not None and (own := self._folder / card.name / file.name).is_file():
            return [own]
        for source in file.sources:
            if isinstance(source, Shipped):
                return [ASSETS / source.path]
            if isinstance(source, OnDisk) and (named := Path(source.path)).is_file():
                return [named]
            if isinstance(source, Packaged) and (parts := _packaged(source)):
                return parts
        if self._cache_dir is not None and (fetched := self._cache_dir / card.name / file.name).is_file():
            return [fetched]
        for source in file.sources:
            if isinstance(source, OnHub) and (cached := _in_hub_cache(source)):
                return [cached]
        return []

    def _near(self, card: ModelCard, file: ModelFile) -> Path | None:
        """Return where a file lies on this machine, its parts joined, or None."""
        parts = self.parts_near(card, file)
        if len(parts) < 2:
            return parts[0] if parts else None
        with self._lock:
            if self._cache_dir is None:
                self._cache_dir = Path(tempfile.mkdtemp(prefix="speechsearch-models-"))
                weakref.finalize(self, shutil.rmtree, self._cache_dir, ignore_errors=True)
            whole = self._cache_dir / card.name / file.name
            if not whole.is_file() or sha256_of(whole) != file.sha256:
                join(parts, whole)
            return whole

    def _downloaded(self, card: ModelCard, file: ModelFile) -> Path:
        """Return a file from the hub."""
        source = next((source for source in file.sources if isinstance(source, OnHub)), None)
        if source is None or not self._may_download:
            raise self._missing(card, file)
        return _from_hub(source, self._missing(card, file).hint)

    def fetch(self, card: ModelCard, file: ModelFile) -> Path:
        """Return where a file of a model lies, its sha256 checked, after fetching it from the hub if it is not near.

        It is kept in ``cache_dir``, from where ``remove`` takes it away again; what came in part is gone on with.

        Raises:
            ConfigurationError: there is no ``cache_dir``.
            MissingDependencyError, ModelUnavailableError: it is not on the hub, or that cannot be reached, or what came
                is not the file that the card names.
        """
        source = next((source for source in file.sources if isinstance(source, OnHub)), None)
        if self.parts_near(card, file) or source is None:
            return self.find(card, file)
        if self._cache_dir is None:
            raise ConfigurationError("There is no folder to keep models in.", "Name a data folder.")
        kept = self._cache_dir / card.name / file.name
        incoming = self._cache_dir / card.name / INCOMING
        make_private(incoming)
        came = _from_hub(source, "Try again once the hub can be reached.", incoming)
        found = sha256_of(came)
        if found != file.sha256:
            came.unlink()
            raise ModelUnavailableError(
                f"What the hub sent as {source.path} of {source.repository} is another file: its sha256 is {found}, "
                f"not {file.sha256}.",
                "Try again; if it stays so, the repository was changed: do not use it.",
            )
        make_private(kept.parent)
        came.replace(kept)
        shutil.rmtree(incoming, ignore_errors=True)
        return kept

    def remove(self, card: ModelCard) -> int:
        """Remove what was fetched of a model, or put together from packages, and return how many bytes that were."""
        folder = None if self._cache_dir is None else self._cache_dir / card.name
        if folder is None or not folder.is_dir():
            return 0
        size_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
        return size_bytes

    def _missing(self, card: ModelCard, file: ModelFile) -> MissingDependencyError | ModelUnavailableError:
        """Return the error of a file that is nowhere, with all that would help."""
        packaged = [source.pip_line for source in file.sources if isinstance(source, Packaged)]
        ways = [f"run: {line}" for line in packaged]
        if self._folder is not None:
            ways.append(f"put it into {self._folder / card.name}")
        if any(isinstance(source, OnHub) for source in file.sources) and not self._may_download:
            ways.append(f"download it: python -m speechsearch models download {card.name}")
        hint = "; or ".join(ways) or "set a folder of models that has it"
        message = f"The file {file.name} of the {card.task} '{card.name}' is not on this machine."
        kind = MissingDependencyError if packaged else ModelUnavailableError
        return kind(message, f"{hint[0].upper()}{hint[1:]}.")


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file; a file that did not change is read once a process.

    Raises:
        ModelUnavailableError: it cannot be read.
    """
    try:
        state = path.stat()
        return _sha256_of(str(path), state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise ModelUnavailableError(f"{path} cannot be read: {error}.", "Install speechsearch again.") from error


@lru_cache(maxsize=512)
def _sha256_of(path: str, size_bytes: int, changed_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for the user alone: it may become a data folder."""
    for one in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        one.mkdir(mode=0o700, exist_ok=True)


def join(parts: Iterable[Path], whole: Path) -> None:
    """Write a file from its parts, in order; it appears at once or not at all."""
    make_private(whole.parent)
    unfinished = whole.with_name(f"{whole.name}.{os.getpid()}.unfinished")
    with open(unfinished, "wb") as target:
        for part in parts:
            with open(part, "rb") as source:
                shutil.copyfileobj(source, target, BLOCK_BYTES)
    unfinished.replace(whole)


def _packaged(source: Packaged) -> list[Path]:
    """Return the parts of a file of installed packages; none if one of them is not installed."""
    try:
        return [packaged_file(part.package, part.path, source.pip_line) for part in source.parts]
    except MissingDependencyError:
        return []  # it may lie elsewhere; if it lies nowhere, the error names the packages


def _from_hub(source: OnHub, hint: str, folder: Path | None = None) -> Path:
    """Return a file that the hub sends, kept in a folder or, without one, in the hub's cache.

    Raises:
        ModelUnavailableError: it cannot be had.
    """
    import httpx
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return Path(hf_hub_download(source.repository, source.path, revision=source.revision, local_dir=folder))
    except (OSError, httpx.HTTPError, EntryNotFoundError) as error:
        raise ModelUnavailableError(
            f"{source.path} of {source.repository} cannot be downloaded: {error}", hint
        ) from error


@contextmanager
def together(files: Mapping[str, Path]) -> Iterator[Path]:
    """Give a folder in which files lie beside each other under their names, as libraries want them; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="speechsearch-model-") as name:
        for file, path in files.items():
            (Path(name) / file).symlink_to(path.resolve())
        yield Path(name)


def _in_hub_cache(source: OnHub) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source.repository, source.path, revision=source.revision)
    return Path(found) if isinstance(found, str) else None
