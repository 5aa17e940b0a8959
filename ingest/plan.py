"""What a selection will take in, gathered on the first look at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ingest.matching import Tables
from ingest.metadata import Metadata, Room
from ingest.sources import Found, Rejected, Selection, Source
from speechsearch.domain.errors import InputError
from speechsearch.domain.limits import Limits

MOST_NAMED = {"warning": 100, "skipped": 200}
"""So many of these a selection are passed on, each of which is kept in the database; then their number."""
MORE = {"warning": "more warnings like these", "skipped": "more files that are no sound were left out"}


@dataclass(slots=True)
class Plan:
    """Parts to go through in order, and their size."""

    limits: Limits
    workspace: Path
    parts: list[Callable[[], Iterable[Found]]] = field(default_factory=list)
    files: int = 0
    size_bytes: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    text_bytes: int = 0
    room: Room = field(init=False)

    def __post_init__(self) -> None:
        self.room = Room(rows=10 * self.limits.archive_files)

    def add(self, found: Iterable[Found]) -> None:
        """Add sources that lie on the disk as they are, and refusals."""
        listed = self.few(found)
        self.count(listed)
        self.parts.append(lambda: listed)

    def count(self, found: Sequence[Found]) -> None:
        """Count files and bytes, without warnings and what was passed over."""
        self.files += sum(isinstance(one, Source) or one.state == "failed" for one in found)
        self.size_bytes += sum(one.size_bytes for one in found if isinstance(one, Source))

    def few(self, found: Iterable[Found]) -> list[Found]:
        """Return what was found, without the warnings and the like that are too many by now; those are only counted."""
        kept: list[Found] = []
        for one in found:
            if isinstance(one, Rejected) and one.state in MOST_NAMED:
                self.seen[one.state] += 1
                if self.seen[one.state] > MOST_NAMED[one.state]:
                    continue
            kept.append(one)
        return kept

    def keep(self, folder: PurePosixPath, table: Metadata, tables: Tables) -> list[Found]:
        """Keep the rows of a table for its folder, and return what was wrong with it."""
        if table.rows:
            tables[folder] = replace(table, problems=())
        return self.few(table.problems)

    def selection(self) -> Selection:
        """Return all of it."""
        return Selection(self._walk(), files=self.files, size_bytes=self.size_bytes)

    def _walk(self) -> Iterator[Found]:
        for part in self.parts:
            yield from part()
        for state, most in MOST_NAMED.items():
            if (rest := self.seen[state] - most) > 0:
                yield Rejected("warnings", InputError(f"And {rest:,} {MORE[state]}."), "warning")
