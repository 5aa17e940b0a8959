"""How fast recordings become searchable: seconds of audio in a second of work, stage by stage.

``python -m benchmarks.ingest_speed --minutes 60``: the bundled samples, joined and repeated to one long Opus file, so
that anyone can run it. Prints a Markdown table with n and the machine.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import typer

from speechsearch import audio
from speechsearch.domain.assets import ASSETS
from speechsearch.domain.values import Recording
from speechsearch.evaluation import describe_machine
from speechsearch.library.library import BATCH_S, ahead, batches
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings

SAMPLES = ASSETS / "samples" / "audio"


def long_recording(path: Path, minutes: float) -> float:
    """Write the samples one after another until the length is reached; return the length in seconds."""
    written = 0
    with soundfile.SoundFile(path, "w", 16_000, 1, format="OGG", subtype="OPUS") as file:
        while written < minutes * 60 * 16_000:
            for sample in sorted(SAMPLES.glob("*.opus")):
                samples, _ = soundfile.read(sample, dtype="float32")
                piece = np.concatenate([samples, np.zeros(8_000, np.float32)])
                file.write(piece[: int(minutes * 60 * 16_000) - written])
                written += min(len(piece), int(minutes * 60 * 16_000) - written)
    return written / 16_000


def main(minutes: float = 60.0) -> None:
    """Measure every stage alone, then together."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.opus"
        duration_s = long_recording(path, minutes)
        with Service.open(Settings(data_dir=Path(folder) / "data")) as service:
            library = service.library
            passages = list(audio.passages(path, library.segmentation, library.limits))
            sounds = [sound for _, sound in passages]
            service.library.makers.speech_encoder.embed(
                service.library.makers.speech_encoder.hear(sounds[:8])
            )  # the libraries load and compile on first use

            def sound_in() -> None:
                for _ in audio.passages(path, library.segmentation, library.limits):
                    pass

            def hybrid() -> None:
                for batch in batches(ahead(audio.passages(path, library.segmentation, library.limits)), BATCH_S):
                    library.encoder.encode([sound for _, sound in batch])

            def baseline() -> None:
                for start in range(0, len(sounds), 16):
                    said = library.recognizer.transcribe(sounds[start : start + 16])
                    library.transcript_encoder.encode([one.text for one in said])

            def everything() -> None:
                service.manage.take_in(path, Recording("0" * 64, "speed", "long", duration_s, "long.opus"))

            stages: dict[str, Callable[[], None]] = {
                "decode, voice activity, passages": sound_in,
                "the same and adapter + phonetic (hybrid)": hybrid,
                f"baseline alone ({library.recognizer.name}: transcribe, embed)": baseline,
                "all engines, stored and indexed": everything,
            }
            machine = describe_machine()
            print(f"{duration_s / 60:.0f} minutes of speech, {len(passages)} passages, one run each; {machine}\n")
            print("| stage | times real time |\n|---|---|")
            for name, stage in stages.items():
                started = time.perf_counter()
                stage()
                print(f"| {name} | {duration_s / (time.perf_counter() - started):.0f} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
