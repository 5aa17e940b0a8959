"""How fast recordings become searchable: seconds of audio in a second of work, stage by stage.

``python -m benchmarks.ingest_speed --minutes 60``: the bundled samples, joined and repeated to one long Opus file, so
that anyone can run it. Prints a Markdown table with n and the machine.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import typer

from speechsearch import audio
from speechsearch.domain.assets import ASSETS
from speechsearch.domain.values import Recording
from speechsearch.evaluation import describe_machine
from speechsearch.library.batches import ahead, batches
from speechsearch.library.intake import BATCH_S
from speechsearch.models.baseline import Baseline
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings

SAMPLES = ASSETS / "samples" / "audio"


def long_recording(path: Path, minutes: float) -> float:
    """Write the samples one after another until the length is reached, as Opus or FLAC; return its seconds."""
    written, form = 0, ("OGG", "OPUS") if path.suffix == ".opus" else ("FLAC", "PCM_16")
    with soundfile.SoundFile(path, "w", 16_000, 1, format=form[0], subtype=form[1]) as file:
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
            encoder, baselines = library.makers.speech_encoder, library.makers.baselines
            encoder.encode_passages(sounds[:8])  # the libraries load and compile on first use

            def sound_in() -> None:
                for _ in audio.passages(path, library.segmentation, library.limits):
                    pass

            def hear() -> None:
                cut = ahead(audio.passages(path, library.segmentation, library.limits))
                for batch in batches(cut, BATCH_S, lambda one: one[1].duration_s):
                    encoder.encode_passages([sound for _, sound in batch])

            def write_down(baseline: Baseline) -> None:
                for start in range(0, len(sounds), 16):
                    said = baseline.recognizer.transcribe(sounds[start : start + 16])
                    baseline.encoder.encode([one.text for one in said])

            def sound_pass() -> None:
                found = service.manage.take_in(path, Recording("0" * 64, "speed", "long", duration_s, "long.opus"))
                if found.passages != len(passages):
                    raise SystemExit(f"{found.state}: {found.passages} passages. {found.message}")

            def second_pass() -> None:
                for problem in service.manage.catch_up():
                    raise SystemExit(problem.message)

            stages: dict[str, Callable[[], None]] = {
                "decode, voice activity, passages": sound_in,
                "the same, and the channels of sound": hear,
                **{f"{one.name} alone: transcribe, embed": partial(write_down, one) for one in baselines},
                "first pass: searchable by sound, stored and indexed": sound_pass,
                "second pass: transcripts, stored and indexed": second_pass,
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
