"""Sound and its text for the training of an adapter: of manifests, of any set that ``datasets`` reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechsearch import audio
from speechsearch.domain.errors import InputError, NotFoundError, SpeechSearchError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio
from speechsearch.training.speechrag_config import DataGroup, SourceGroup

LONGEST_S = 120.0
"""What is longer is no utterance or passage, and is not read."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A sound, read when asked for, and what is said in it."""

    name: str
    text: str
    load: Callable[[], Audio]


def examples_of(source: SourceGroup) -> Iterator[Example]:
    """Yield the examples of a source, in its order; rows without text are left out.

    Raises:
        NotFoundError, InputError: the manifest or dataset is not there, or cannot be used.
    """
    return manifest(Path(source.manifest)) if source.manifest else dataset(source)


def manifest(path: Path) -> Iterator[Example]:
    """Yield the lines of a file of JSON lines with "audio", a path beside or below the file, and "text".

    Raises:
        NotFoundError: there is no such file.
        InputError: a line is no such object; the message says which.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no manifest {path}.", "See docs/speechrag.md.")
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                sound, text = str(row["audio"]), str(row["text"])
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f'{path.name}, line {number}: no object with "audio" and "text".') from error
            file = (path.parent / sound).resolve()
            if not file.is_relative_to(path.parent.resolve()):
                raise InputError(f"{path.name}, line {number}: {sound!r:.200} lies outside of the manifest's folder.")
            if text.strip():
                yield Example(sound, text, _loader(file, sound))


def dataset(source: SourceGroup) -> Iterator[Example]:
    """Yield the rows of a dataset, as they come: nothing is downloaded before it is needed.

    Sound is read by our own decoder, so that none of the library's is needed.

    Raises:
        NotFoundError, InputError: there is no such dataset, split or column, or it cannot be read.
    """
    import datasets

    name = source.dataset
    try:
        found: Any = datasets.load_dataset(
            name,
            source.configuration or None,
            split=source.split,
            revision=source.revision or None,
            streaming=True,
        )
        first = next(iter(found.take(1)), {}) if found.features is None else found.features
        missing = [one for one in (source.audio_column, source.text_column) if one not in first]
        if missing:
            raise InputError(f"'{name}' has no column {missing[0]!r}.", f"Its columns are {', '.join(first)}.")
        found = found.select_columns([source.audio_column, source.text_column])
        found = found.cast_column(source.audio_column, datasets.Audio(decode=False))
        folder = Path(name).resolve() if Path(name).is_dir() else None
        for number, row in enumerate(found):
            text = str(row[source.text_column] or "")
            if text.strip():
                yield Example(f"{name}, row {number}", text, _of_row(row[source.audio_column], folder, number))
    except SpeechSearchError:
        raise
    except (datasets.exceptions.DatasetNotFoundError, datasets.exceptions.DataFilesNotFoundError) as error:
        raise NotFoundError(f"There is no dataset '{name}': {error}", "Check its name, or name a folder.") from error
    except (OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        raise InputError(f"The dataset '{name}' cannot be read: {error}") from error


def _of_row(value: Any, folder: Path | None, number: int) -> Callable[[], Audio]:
    content, path = value.get("bytes"), str(value.get("path") or "")
    if content is not None:
        return _loader(bytes(content), f"row {number}")
    file = Path(path) if folder is None else (folder / path)
    if folder is None or not file.resolve().is_relative_to(folder):
        raise InputError(f"Row {number} has no sound of its own, and names none in the dataset's folder.")
    return _loader(file.resolve(), path)


def _loader(source: Path | bytes, name: str) -> Callable[[], Audio]:
    return lambda: audio.load(source, Limits(), LONGEST_S, name)


def within(examples: Iterable[Example], data: DataGroup, hours: float) -> Iterator[tuple[Example, Audio]]:
    """Yield the examples with their sound, up to so many hours (0: all); those of other lengths are left out."""
    left_s = hours * 3600 or float("inf")
    for example in examples:
        if left_s <= 0:
            return
        sound = example.load()
        if data.shortest_s <= sound.duration_s <= data.longest_s:
            left_s -= sound.duration_s
            yield example, sound
