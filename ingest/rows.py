"""The rows of a dataset as sources; rows are as untrusted as the members of an archive."""

from __future__ import annotations

import contextlib
import itertools
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ingest.metadata import description_of
from ingest.sources import LONGEST_NAME, Description, Found, Rejected, Source, clean, disk_name
from speechsearch.domain.errors import (
    InputError,
    MissingDependencyError,
    NotFoundError,
    SpeechSearchError,
    TooLargeError,
)
from speechsearch.domain.limits import Limits

ALIASES = {
    "title": ("title",),
    "speaker": ("speaker", "speaker_id", "speaker_name"),
    "date": ("date",),
    "language": ("language", "lang", "locale"),
    "licence": ("licence", "license"),
    "source": ("source",),
}
NAME_COLUMNS = ("file_name", "file", "id", "_id")
TEXT_COLUMNS = ("text", "sentence", "transcription")
TITLE_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a dataset comes from: ``name`` for messages, and the folders its rows may name files in."""

    name: str
    folders: tuple[Path, ...]
    url: str = ""

    def has(self, url: str) -> bool:
        """Tell whether an address, or that of an archive around it, is one of something in the dataset."""
        return bool(self.url) and re.match(re.escape(self.url) + r"[@/]", url.rpartition("::")[2]) is not None


def library() -> Any:
    """Return the module ``datasets``, imported only when one is asked for: it takes a second."""
    try:
        import datasets
    except ImportError as error:
        raise MissingDependencyError("Datasets need the package 'datasets'.", "pip install datasets") from error
    return datasets


@cache
def undecoded() -> Any:
    """Return the type of a column with sound that stays as it came: a path or bytes, which our own decoder reads.

    The library's own type asks for torchcodec, and that for the libraries of ffmpeg, even where nothing is decoded.
    """

    class Undecoded(library().Audio):  # type: ignore[misc]  # known only when the library is
        def encode_example(self, value: Any) -> dict[str, Any]:
            if isinstance(value, str | Path):
                return {"bytes": None, "path": str(value)}
            if isinstance(value, bytes | bytearray):
                return {"bytes": bytes(value), "path": None}
            if not isinstance(value, Mapping) or not {"bytes", "path"} & set(value):
                raise InputError(f"A row has no sound, but {clean(value)}.")
            return {"bytes": value.get("bytes"), "path": value.get("path")}

    return Undecoded(decode=False)


@contextlib.contextmanager
def errors_of(name: str) -> Iterator[None]:
    """Turn the errors of the library into ours: it raises many kinds, its own and those of what it uses."""
    datasets = library()
    name = clean(name, LONGEST_NAME)
    try:
        yield
    except SpeechSearchError:
        raise
    except (datasets.exceptions.DatasetNotFoundError, datasets.exceptions.DataFilesNotFoundError) as error:
        hint = "Check the name. For a gated dataset, accept its terms and run: hf auth login"
        raise NotFoundError(f"There is no dataset '{name}': {clean(error, LONGEST_NAME)}", hint) from error
    except ConnectionError as error:  # the library's OfflineModeIsEnabled is one too
        hint = "Check the network and HF_HUB_OFFLINE, or download the dataset and name its folder."
        raise InputError(f"The dataset '{name}' cannot be reached: {clean(error, LONGEST_NAME)}", hint) from error
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        message = clean(error, LONGEST_NAME)
        if "split" in message.lower() and isinstance(error, ValueError):
            raise NotFoundError(f"'{name}' has no such split: {message}") from error
        raise InputError(f"The dataset '{name}' cannot be read: {message}") from error


def rows_of(
    dataset: Iterable[Mapping[str, Any]], origin: Origin, split: str, column: str, workspace: Path,
    limits: Limits,
) -> Iterator[Found]:  # fmt: skip
    """Yield one source a row; the sound lies in the workspace while its row is the current one."""
    workspace.mkdir(parents=True, exist_ok=True)
    rows = iter(dataset)
    with tempfile.TemporaryDirectory(prefix="ingest-", dir=workspace) as folder:
        for number in itertools.count():
            with errors_of(f"{origin.name}, row {number}"):
                row = next(rows, None)
            if row is None:
                return
            name = f"{clean(origin.name)}/{split}/{_file_name(row, column, number)}"
            try:
                with errors_of(name):
                    path, size_bytes = _on_disk(row[column], origin, Path(folder), name, limits)
            except SpeechSearchError as error:
                yield Rejected(name, error)
                continue
            yield Source(name, path, size_bytes, _description(row, column, origin, split))
            if path.parent == Path(folder):
                path.unlink(missing_ok=True)


def _on_disk(
    value: Mapping[str, Any] | None, origin: Origin, folder: Path, name: str, limits: Limits
) -> tuple[Path, int]:
    """Return a file with the sound and its size: written from the row's bytes, fetched, or the file that it names."""
    content, path = (value or {}).get("bytes"), str((value or {}).get("path") or "")
    target = folder / disk_name(name)
    if content is not None:
        _write([content], target, name, limits)
    elif not path:
        raise InputError(f"'{name}' has no sound.")
    elif "://" in path:
        import fsspec

        if not origin.has(path):
            raise InputError(f"'{name}' names a file outside of its dataset, which is not opened.")
        with fsspec.open(path, "rb") as stream:
            _write(iter(lambda: stream.read(1 << 20), b""), target, name, limits)
    else:
        target = _inside(path, origin.folders, name)
    size_bytes = target.stat().st_size
    if size_bytes > limits.file_bytes:
        raise _too_large(name, limits)
    return target, size_bytes


def _write(chunks: Iterable[bytes], target: Path, name: str, limits: Limits) -> None:
    written_bytes = 0
    with target.open("wb") as stream:
        for chunk in chunks:
            written_bytes += len(chunk)
            if written_bytes > limits.file_bytes:
                raise _too_large(name, limits)
            stream.write(chunk)


def _too_large(name: str, limits: Limits) -> TooLargeError:
    return TooLargeError(f"'{name}' has more than {limits.file_bytes:,} bytes.", "Convert it to Opus.")


def _inside(path: str, folders: Sequence[Path], name: str) -> Path:
    """Return the file that a row names, only if it lies in one of ``folders``: rows are as untrusted as archives."""
    for folder in folders:
        found = (folder / path).resolve()
        if found.is_relative_to(folder.resolve()):
            if not found.is_file():
                raise InputError(f"'{name}' names a file that is not there.")
            return found
    raise InputError(f"'{name}' names a file outside of its dataset, which is not opened.")


def _first(row: Mapping[str, Any], names: Iterable[str]) -> str:
    """Return the first of some columns that says something, whatever its case."""
    lowered = {column.lower(): value for column, value in row.items()}
    values = (lowered.get(name) for name in names)
    return next((text for value in values if value is not None and (text := clean(value, LONGEST_NAME))), "")


def _file_name(row: Mapping[str, Any], column: str, number: int) -> str:
    """Return a file's name for a row: of the sound, else by its id, else by its number."""
    path = str((row[column] or {}).get("path") or "")
    named = path.rpartition("::")[0] or path
    name = clean(Path(named.replace("\\", "/")).name, LONGEST_NAME)
    others = {name: value for name, value in row.items() if name != column}
    return name or _first(others, NAME_COLUMNS).replace("/", "_") or f"row {number}"


def _description(row: Mapping[str, Any], column: str, origin: Origin, split: str) -> Description:
    """Return what the other columns say; a recording without title or file name is called by its text."""
    others = {name: value for name, value in row.items() if name != column}
    values = {field: text for field, names in ALIASES.items() if (text := _first(others, names))}
    if "title" not in values and not (row[column] or {}).get("path") and not _first(others, NAME_COLUMNS):
        values["title"] = clean(_first(others, TEXT_COLUMNS), TITLE_CHARACTERS)
    described = description_of(values)
    return described if described.source else replace(described, source=clean(f"{origin.name}, {split}", LONGEST_NAME))
