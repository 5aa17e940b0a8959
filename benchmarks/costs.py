"""What an archive of 100, 10,000 or 1,000,000 hours takes: ``python -m benchmarks.costs [--clips 67]``.

Sizes are measured: clips of the sample collection are taken in with all passes, and what they leave is counted. Rates
are given, by default those of README.md and docs/speakers.md, half of what two cores of a quiet machine did. Everything
else is multiplied from these, without discounts; prices are the reader's own, ``--price`` is of a core and hour.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer

from ingest import discover, run
from speechsearch.domain.assets import SAMPLES
from speechsearch.evaluation import describe_machine
from speechsearch.library.contents import bytes_below
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings

HOURS = (100, 10_000, 1_000_000)
SPARSE_BYTES = 8
"""A term and its weight."""
POINT_BYTES = 300
"""Of a point's id, payload and their indexes, by Qdrant's own rule of thumb for a few short fields; not measured."""


@dataclass(frozen=True)
class Sizes:
    """What an hour of recordings leaves: passages, numbers of dense vectors, terms of sparse ones, bytes."""

    hours: float
    passages: float
    dense_numbers: float
    sparse_terms: float
    database_bytes: float
    media_bytes: float


@dataclass(frozen=True)
class Need:
    """What so many hours need. Memory and disk are Qdrant's, without replicas."""

    hours: int
    passages: float
    core_hours: dict[str, float]
    ram_bytes: float
    int8_ram_bytes: float
    disk_bytes: float
    database_bytes: float
    media_bytes: float


def need(sizes: Sizes, rates: dict[str, float], hours: int) -> Need:
    """Return what so many hours need. ``rates``: pass -> hours of recordings in an hour of one core.

    >>> found = need(Sizes(1, 200, 200 * 768, 200 * 500, 2e6, 3e7), {"sound": 50.0}, 100)
    >>> found.core_hours, round(found.int8_ram_bytes / 1e6), round(found.disk_bytes / 1e6)
    ({'sound': 2.0}, 21, 163)
    """
    dense, sparse, points = (one * hours for one in (sizes.dense_numbers, sizes.sparse_terms, sizes.passages))
    others = points * POINT_BYTES
    return Need(
        hours,
        points,
        {name: hours / rate for name, rate in rates.items()},
        4 * dense + SPARSE_BYTES * sparse + others,
        dense + others,  # the numbers as one byte each; those of four, and terms, are read from the disk
        5 * dense + SPARSE_BYTES * sparse + others,
        sizes.database_bytes * hours,
        sizes.media_bytes * hours,
    )


def measured(clips: int) -> Sizes:
    """Take in clips of the sample collection with all passes, and return what an hour of them leaves."""
    with tempfile.TemporaryDirectory() as name:
        folder, workspace = Path(name) / "in", Path(name) / "work"
        folder.mkdir()
        for path in sorted((SAMPLES / "audio").glob("*.opus"))[:clips]:
            (folder / path.name).write_bytes(path.read_bytes())
        settings = Settings(data_dir=Path(name) / "data")
        with Service.open(settings):
            pass
        empty = bytes_below(settings.data_dir / "speechsearch.db")
        with Service.open(settings) as service:
            results = list(run(service.manage, discover([folder], service.limits, workspace), collection="costs"))
            problems = [one.message for one in (*results, *service.manage.catch_up()) if one.state == "failed"]
            if problems:
                raise SystemExit("\n".join(problems))
            hours = sum(one.duration_s for one in results) / 3600
            stored = [
                passage
                for recording in service.store.recordings.find()
                for passage in service.store.passages.stored(recording.recording_id)
            ]
            vectors = [one for passage in stored for one in passage.vectors.values()]
            dense = sum(one.size for one in vectors if isinstance(one, np.ndarray))
            sparse = sum(one.indices.size for one in vectors if not isinstance(one, np.ndarray))
            media = bytes_below(settings.data_dir / "media")
        database = bytes_below(settings.data_dir / "speechsearch.db") - empty
    return Sizes(hours, len(stored) / hours, dense / hours, sparse / hours, database / hours, media / hours)


def size(count: float) -> str:
    """Return bytes in words.

    >>> size(2.5e9), size(3e13), size(4e5)
    ('2.5 GB', '30 TB', '0.4 MB')
    """
    unit, name = next(((unit, name) for unit, name in ((1e12, "TB"), (1e9, "GB")) if count >= unit), (1e6, "MB"))
    return f"{count / unit:.3g} {name}"


def table(needs: list[Need], price: float) -> str:
    """Return the needs as a Markdown table, a column each."""
    rows = [
        ("", [f"{one.hours:,} hours" for one in needs]),
        ("passages", [f"{one.passages:,.0f}" for one in needs]),
        *((f"core hours, {name}", [f"{one.core_hours[name]:,.0f}" for one in needs]) for name in needs[0].core_hours),
        ("core hours, all", [f"{sum(one.core_hours.values()):,.0f}" for one in needs]),
        ("16-core machines for a week", [f"{sum(one.core_hours.values()) / 16 / 168:,.2g}" for one in needs]),
        *([("cost of the cores", [f"{sum(one.core_hours.values()) * price:,.0f}" for one in needs])] * (price > 0)),
        ("Qdrant, all in memory", [size(one.ram_bytes) for one in needs]),
        ("Qdrant, int8 in memory, the rest on disk", [size(one.int8_ram_bytes) for one in needs]),
        ("Qdrant on disk", [size(one.disk_bytes) for one in needs]),
        ("database", [size(one.database_bytes) for one in needs]),
        ("sound files, as the samples are (Opus)", [size(one.media_bytes) for one in needs]),
    ]
    lines = ["| " + " | ".join((name, *cells)) + " |" for name, cells in rows]
    return "\n".join((lines[0], "|:---|" + "---:|" * len(needs), *lines[1:]))


def main(
    clips: int = 67, sound: float = 97.0, transcripts: float = 9.0, speakers: float = 79.0, price: float = 0.0
) -> None:
    """Print the table. ``sound``, ``transcripts``, ``speakers``: times real time, of one core."""
    sizes = measured(clips)
    rates = {"sound": sound, "transcripts (whisper-base)": transcripts, "who speaks": speakers}
    numbers, terms = sizes.dense_numbers / sizes.passages, sizes.sparse_terms / sizes.passages
    print(f"{clips} clips of the samples, {sizes.hours * 60:.0f} minutes; {describe_machine()}")
    print(f"An hour of them: {sizes.passages:.0f} passages, each with {numbers:.0f} numbers and {terms:.0f} terms;")
    print(f"{size(sizes.database_bytes)} of database, {size(sizes.media_bytes)} of sound\n")
    print(table([need(sizes, rates, hours) for hours in HOURS], price))


if __name__ == "__main__":
    typer.run(main)
