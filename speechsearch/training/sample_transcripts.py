"""Recipe: write down the sample collection ahead, so that the first start shows both columns at once.

``python -m speechsearch.training.sample_transcripts`` cuts the samples as the settings' defaults do and writes
``assets/samples/transcripts.jsonl`` with the default recogniser.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from speechsearch import audio
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.values import passage_id
from speechsearch.library.written_before import FILE
from speechsearch.models.base import Recognizer
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings


def lines(path: Path, recognizer: Recognizer, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield what a recogniser writes of each passage of a file, as ``written_before`` reads it."""
    recording_id = hashlib.sha256(path.read_bytes()).hexdigest()
    cut = list(audio.passages(path, settings.segmentation, settings.limits))
    said = recognizer.transcribe([sound for _, sound in cut])
    for (span, _), transcript in zip(cut, said, strict=True):
        yield {
            "fingerprint": recognizer.fingerprint,
            "recognizer": recognizer.name,
            "passage_id": passage_id(recording_id, span),
            "text": transcript.text,
            "words": [[word.text, round(word.start_s, 2), round(word.end_s, 2)] for word in transcript.words],
        }


def main(out: Path = FILE) -> None:
    """Write OUT."""
    settings = Settings()
    recognizer = new_loader(settings).recognizer(Settings.model_fields["engines"].default.recognizers[0])
    with out.open("w", encoding="utf-8") as file:
        for path in sorted((SAMPLES / "audio").iterdir()):
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines(path, recognizer, settings))


if __name__ == "__main__":
    typer.run(main)
