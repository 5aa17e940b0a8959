"""Transcripts that ship with the program, of its sample collection: the same that the recogniser would write.

They are found by passage, which is content and place, and by the recogniser's fingerprint; of another recogniser, or
of passages that are cut otherwise, there are none. ``python -m speechsearch.training.sample_transcripts`` makes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.values import Transcript, Word

FILE = SAMPLES / "transcripts.jsonl"


@cache
def written_before(fingerprint: str, file: Path = FILE) -> Mapping[str, Transcript]:
    """Return passage id -> transcript by the recogniser of this fingerprint; nothing where none ship.

    A line is {"fingerprint", "recognizer", "passage_id", "text", "words": [[text, start_s, end_s], ...]}.
    """
    if not file.is_file():
        return MappingProxyType({})
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return MappingProxyType(
        {
            row["passage_id"]: Transcript(row["text"], row["recognizer"], tuple(Word(*word) for word in row["words"]))
            for row in rows
            if row["fingerprint"] == fingerprint
        }
    )
