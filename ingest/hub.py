"""Recordings from ``datasets``: local folders and files, or the Hugging Face hub; any table with an audio column."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingest.cards import check_card, check_files
from ingest.rows import ALIASES, NAME_COLUMNS, TEXT_COLUMNS, Origin, errors_of, library, rows_of, undecoded
from ingest.sources import Selection, clean
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.limits import Limits

TABLE_SUFFIXES = {".parquet", ".json", ".jsonl", ".csv", ".tsv", ".arrow"}


def dataset_sources(
    name_or_path: str,
    *,
    workspace: Path,
    limits: Limits,
    split: str = "train",
    configuration: str | None = None,
    audio_column: str | None = None,
    limit: int | None = None,
    revision: str | None = None,
    streaming: bool = True,
) -> Selection:
    """Return the recordings of one split of a dataset, one a row.

    ``name_or_path``: a folder (audiofolder, parquet, ``save_to_disk``), a table file, or a name on the hub.
    ``audio_column`` may be left out when there is only one. Columns named title, speaker, date, language, licence and
    source are kept. ``workspace``: folder for one recording at a time. Nothing that exists on disk asks the network.

    Raises:
        NotFoundError: no such dataset or split.
        InputError: no audio column, several and none named, or the dataset cannot be read.
        MissingDependencyError: ``datasets`` is not installed.
    """
    if limit is not None and limit < 1:
        raise InputError(f"The limit is {limit}; it must be at least 1.")
    origin, dataset = _load(name_or_path, split, configuration, revision, streaming)
    columns = _columns(dataset, origin.name)
    column = _audio_column(columns, audio_column, origin.name)
    wanted = {*NAME_COLUMNS, *TEXT_COLUMNS, *itertools.chain(*ALIASES.values())} - {column}
    with errors_of(origin.name):
        dataset = dataset.select_columns([column, *(name for name in columns if name.lower() in wanted)])
        dataset = dataset.cast_column(column, undecoded())
    files = _length(dataset, split)
    return Selection(
        rows_of(itertools.islice(dataset, limit), origin, split, column, workspace, limits),
        files=min(files, limit) if files and limit else files,
    )


def hub_sources(
    name: str,
    *,
    workspace: Path,
    limits: Limits,
    split: str,
    configuration: str | None,
    audio_column: str | None,
    limit: int | None,
) -> Selection:
    """Return the recordings of a dataset of the hub, as ``dataset_sources``, and of nothing on this machine's disk.

    Raises:
        NotFoundError: it is no name of the form owner/name, or a folder of that name lies here and would be taken.
    """
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) or Path(name).exists():
        raise NotFoundError(f"'{clean(name)}' is no dataset of the hub.", "Names are like google/fleurs.")
    return dataset_sources(
        name, workspace=workspace, limits=limits, split=split, configuration=configuration, audio_column=audio_column,
        limit=limit,
    )  # fmt: skip


def _load(
    name_or_path: str, split: str, configuration: str | None, revision: str | None, streaming: bool
) -> tuple[Origin, Any]:
    """Return the dataset and where it comes from."""
    datasets = library()
    path = Path(name_or_path)
    with errors_of(name_or_path):
        if path.is_dir() and ((path / "state.json").is_file() or (path / "dataset_dict.json").is_file()):
            return Origin(path.name, (path,)), _pick_split(datasets.load_from_disk(str(path)), split, path.name)
        if path.is_dir():
            builder = datasets.load_dataset_builder(str(path), configuration)
            return _opened(builder, Origin(path.name, (path,)), split, streaming)
        if path.is_file():
            if path.suffix.lower() not in TABLE_SUFFIXES:
                raise InputError(f"'{path.name}' is not a table.", f"Known are {', '.join(sorted(TABLE_SUFFIXES))}.")
            # By its folder: named by its format, the library would ask the hub first.
            files = {"train": path.name}
            loaded = datasets.load_dataset(str(path.parent), data_files=files, split=split, streaming=streaming)
            return Origin(path.name, (path.parent,)), loaded
        if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name_or_path):
            raise NotFoundError(f"'{clean(name_or_path)}' is neither a file or folder nor a name on the hub.")
        from huggingface_hub.constants import HF_HUB_CACHE

        caches = (Path(datasets.config.HF_DATASETS_CACHE), Path(HF_HUB_CACHE))
        origin = Origin(name_or_path, caches, f"hf://datasets/{name_or_path}")
        if not datasets.config.HF_HUB_OFFLINE:  # then only what was taken before can be opened
            check_card(origin, revision)
        builder = datasets.load_dataset_builder(name_or_path, configuration, revision=revision)
        return _opened(builder, origin, split, streaming)


def _opened(builder: Any, origin: Origin, split: str, streaming: bool) -> tuple[Origin, Any]:
    """Return a split of a dataset, if all its files are its own."""
    check_files(builder.config.data_files or {}, origin)
    if getattr(builder, "BASE_FEATURE", None) is library().Audio:  # a folder of files
        builder.BASE_FEATURE = type(undecoded())
    if streaming:
        return origin, builder.as_streaming_dataset(split=split)
    builder.download_and_prepare()
    return origin, builder.as_dataset(split=split)


def _pick_split(dataset: Any, split: str, name: str) -> Any:
    """Return one split of what ``save_to_disk`` wrote, which is a single split or all of them."""
    if not isinstance(dataset, Mapping):
        return dataset
    if split not in dataset:
        raise NotFoundError(f"'{name}' has no split '{clean(split)}'.", f"It has {', '.join(dataset)}.")
    return dataset[split]


def _columns(dataset: Any, name: str) -> dict[str, Any]:
    """Return the columns and their types; those of a first row where the table names none."""
    if dataset.features:
        return dict(dataset.features)
    with errors_of(name):
        first = next(iter(dataset), None)
    if first is None:
        raise InputError(f"The dataset '{name}' has no rows.")
    return dict(first)


def _audio_column(columns: Mapping[str, Any], wanted: str | None, name: str) -> str:
    """Return the column with the sound.

    >>> _audio_column({"id": "", "audio": {"bytes": b"", "path": ""}}, None, "talks")
    'audio'
    """
    listed = ", ".join(clean(column) for column in columns)
    if wanted is not None:
        if wanted not in columns:
            raise InputError(f"'{name}' has no column '{clean(wanted)}'.", f"Its columns are {listed}.")
        return wanted
    found = [column for column, kind in columns.items() if _is_audio(kind)]
    if not found:
        raise InputError(f"'{name}' has no audio column.", f"Its columns are {listed}; name the one with the sound.")
    if len(found) > 1:
        raise InputError(f"'{name}' has several audio columns: {', '.join(found)}.", "Name the one to take.")
    return found[0]


def _is_audio(kind: Any) -> bool:
    """Tell whether a column's type (or a value) holds sound: the library's own type, or bytes and a path."""
    return getattr(kind, "_type", "") == "Audio" or (isinstance(kind, Mapping) and {"bytes", "path"} <= set(kind))


def _length(dataset: Any, split: str) -> int:
    """Return the number of rows, 0 when it is not known."""
    if hasattr(dataset, "__len__"):
        return len(dataset)
    known = (dataset.info.splits or {}).get(split)
    return int(known.num_examples or 0) if known else 0
