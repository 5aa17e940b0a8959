"""From files, archives and datasets to a searchable collection."""

from ingest.discover import discover
from ingest.hub import dataset_sources
from ingest.pipeline import FileResult, run
from ingest.runners import runners
from ingest.sources import Description, Rejected, Selection, Source

__all__ = [
    "Description",
    "FileResult",
    "Rejected",
    "Selection",
    "Source",
    "dataset_sources",
    "discover",
    "run",
    "runners",
]
