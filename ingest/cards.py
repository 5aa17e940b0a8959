"""Refuse datasets that name files outside of themselves: a card may, and the library would read them from this disk.

Checked twice: the card before the library looks for what it names, and then the files that the library found.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ingest.rows import Origin, library
from ingest.sources import LONGEST_NAME, clean
from speechsearch.domain.errors import InputError

CARDS = ("README.md", ".huggingface.yaml")


def check_card(origin: Origin, revision: str | None) -> None:
    """Refuse a dataset of the hub whose card names files elsewhere.

    Raises:
        InputError: it does.
    """
    import httpx
    import yaml
    from huggingface_hub import DatasetCard, HfFileSystem

    hub = HfFileSystem(endpoint=library().config.HF_ENDPOINT)
    for file_name in CARDS:
        try:
            text = hub.read_text(
                f"datasets/{origin.name}@{quote(revision or 'main', '')}/{file_name}", encoding="utf-8"
            )
        except FileNotFoundError:
            continue
        except httpx.TransportError:
            return  # the library says so itself, or opens what it keeps of an earlier time
        is_card = file_name.endswith(".md")
        told = DatasetCard(text).data.to_dict() if is_card else yaml.safe_load(text)  # type: ignore[no-untyped-call]
        configurations = told.get("configs") if isinstance(told, Mapping) else None
        for pattern in _patterns(configurations or []):
            if not is_inside(pattern, origin):
                raise _outside(pattern, origin)


def check_files(files: Mapping[Any, Iterable[str]], origin: Origin) -> None:
    """Refuse a dataset by the files that the library has found for it.

    Raises:
        InputError: one of them is not the dataset's.
    """
    for one in (str(one) for part in files.values() for one in part):
        folders = [os.path.abspath(folder) for folder in origin.folders]  # noqa: PTH100  links stay as they are
        is_here = "://" not in one and any(Path(os.path.normpath(one)).is_relative_to(folder) for folder in folders)
        if not (origin.has(one) if origin.url else is_here):
            raise _outside(one, origin)


def is_inside(pattern: str, origin: Origin) -> bool:
    """Tell whether what a card names is relative to the dataset and stays in it, or is its own address.

    >>> origin = Origin("ann/talks", (), "hf://datasets/ann/talks")
    >>> [is_inside(one, origin) for one in ("data/*.parquet", "hf://datasets/ann/talks@main/a.csv")]
    [True, True]
    >>> [is_inside(one, origin) for one in ("/etc/passwd", "file:///etc/passwd", "../b", "hf://datasets/ann/talks2/a")]
    [False, False, False, False]
    """
    if ".." in re.split(r"[/\\]", pattern):
        return False
    is_relative = "://" not in pattern and not re.match(r"[/\\~]|[A-Za-z]:", pattern)
    return is_relative or origin.has(pattern)


def _patterns(value: Any) -> Iterator[str]:
    """Yield the file names, patterns and folders in the part of a card that tells of its files."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("data_files", "data_dir"):
                yield from _texts(inner)
            else:
                yield from _patterns(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _patterns(inner)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _outside(path: str, origin: Origin) -> InputError:
    shown = clean(path, LONGEST_NAME)
    return InputError(f"The dataset '{clean(origin.name)}' names '{shown}', which is not part of it and is not opened.")
