"""The pieces of a transcript that is not finished, a line a piece, so that a killed command loses few of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from speechsearch.domain.segments import Segment
from speechsearch.domain.values import Span, Word


class SegmentLog:
    """The pieces in a file; a line that a kill cut off, and all after it, counts for nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.segments: list[Segment] = []
        """Those that were kept before, in order."""
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
            try:
                self.segments.append(_segment(line))
            except (ValueError, KeyError, TypeError):
                break
        if self.segments:
            path.write_text("".join(map(_line, self.segments)), encoding="utf-8")

    def add(self, segment: Segment) -> None:
        """Keep one more piece."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(segment))


def _line(segment: Segment) -> str:
    return json.dumps(asdict(segment), ensure_ascii=False) + "\n"


def _segment(line: str) -> Segment:
    row = json.loads(line)
    words = tuple(Word(str(one["text"]), float(one["start_s"]), float(one["end_s"])) for one in row["words"])
    span = Span(float(row["span"]["start_s"]), float(row["span"]["end_s"]))
    confidence = None if row["confidence"] is None else float(row["confidence"])
    return Segment(span, str(row["text"]), words, str(row["language"]), confidence, str(row["speaker"]))
