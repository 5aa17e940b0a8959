"""How far an ingest run is, how fast it goes and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ingest.sources import Found, Selection, Source
from speechsearch.domain.progress import Progress, ProgressCallback

NOTHING = Source("", Path())


class Meter:
    """Counts files, bytes and seconds of sound, and reports them with the rate and the time left."""

    def __init__(self, sources: Iterable[Found], report: ProgressCallback | None) -> None:
        self.report = report
        self.files_total = sources.files if isinstance(sources, Selection) else 0
        self.bytes_total = sources.size_bytes if isinstance(sources, Selection) else 0
        self.files_done = 0
        self.bytes_done = 0
        self.worked_bytes = 0.0
        self.worked_sound_s = 0.0
        self.worked_s = 0.0
        self.source = NOTHING
        self.started_s = 0.0

    def start_file(self, source: Source) -> None:
        """Note what is being worked on."""
        self.source = source
        self.started_s = time.monotonic()
        self._send(source.name, 0.0, 0.0, 0.0, "")

    def passages_of(self, duration_s: float) -> Callable[[int, float], None]:
        """Return what is to be called with the passages and seconds of sound done so far."""

        def on_passages(passages: int, sound_s: float) -> None:
            part = min(1.0, sound_s / duration_s) if duration_s > 0 else 0.0
            elapsed_s = time.monotonic() - self.started_s
            self._send(self.source.name, part, sound_s, elapsed_s, f"{passages} passages, {sound_s / 60:.1f} min")

        return on_passages

    def pass_over(self) -> None:
        """Count something that was refused before it could be worked on."""
        self.files_done += 1

    def finish_file(self, sound_s: float) -> None:
        """Count the current source as done, with the seconds of sound that were worked on; 0 tells nothing of speed."""
        self.files_done += 1
        self.bytes_done += self.source.size_bytes
        if sound_s > 0:
            self.worked_bytes += self.source.size_bytes
            self.worked_sound_s += sound_s
            self.worked_s += time.monotonic() - self.started_s
        self.source = NOTHING

    def report_files(self, name: str, message: str) -> None:
        """Report what is done between two sources."""
        self._send(name, 0.0, 0.0, 0.0, message)

    def _send(self, name: str, part: float, sound_s: float, elapsed_s: float, message: str) -> None:
        """Report, with ``part`` of the current file (0 to 1), its seconds of sound and of work added."""
        if self.report is None:
            return
        part_bytes = part * self.source.size_bytes
        worked_s = self.worked_s + elapsed_s
        worked_bytes = self.worked_bytes + part_bytes
        left_bytes = max(0.0, self.bytes_total - self.bytes_done - part_bytes)
        self.report(
            Progress(
                stage="ingest",
                name=name,
                done=self.files_done + part,
                total=self.files_total,
                rate=(self.worked_sound_s + sound_s) / worked_s if worked_s > 0 else 0.0,
                remaining_s=left_bytes * worked_s / worked_bytes if self.bytes_total and worked_bytes else None,
                message=message,
            )
        )
