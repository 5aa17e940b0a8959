"""How well and how soon a stream is written down: ``python -m benchmarks.listening FOLDER --count 20``.

``FOLDER``: clips with what is said, as ``speechsearch.evaluation.recognition`` reads them. Each clip comes in by half
seconds, as if it were spoken; the delay of a word is how much later it was certain than it ended, without the time that
computing takes, which stands beside. Prints a Markdown table with n and the machine.
"""

from __future__ import annotations

import time
from pathlib import Path, PurePosixPath
from typing import Annotated

import numpy as np
import typer

from ingest.endings import is_sound
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.evaluation import describe_machine
from speechsearch.evaluation.metrics import word_error_rate
from speechsearch.evaluation.recognition import clips_in, sounds_of
from speechsearch.models.base import Recognizer
from speechsearch.service.listening import Final, LiveTranscript, Partial
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings

PIECE = SAMPLE_RATE_HZ // 2


def streamed(recognizer: Recognizer, sound: Audio) -> tuple[str, list[float]]:
    """Return what is written of a sound that comes in piece by piece, and the delay of each word in seconds."""
    live, texts, certain_at_s, delays_s = LiveTranscript(recognizer), list[str](), list[float](), list[float]()
    pieces = [sound.samples[start : start + PIECE] for start in range(0, len(sound.samples), PIECE)]
    for events in (*(live.hear(piece) for piece in pieces), live.finish()):
        for event in events:
            if isinstance(event, Partial):
                count = len(event.stable.split())
                certain_at_s += [live.heard_s] * (count - len(certain_at_s))
            elif isinstance(event, Final):
                words = event.segment.words
                known = [*certain_at_s, *[live.heard_s] * (len(words) - len(certain_at_s))]
                delays_s += [at_s - word.end_s for at_s, word in zip(known, words, strict=False)]
                certain_at_s = certain_at_s[len(words) :]
                texts.append(event.segment.text)
    return " ".join(texts), delays_s


def main(
    folder: Annotated[Path, typer.Argument(help="clips with what is said")],
    count: Annotated[int, typer.Option(help="so many of them")] = 20,
    recognizer: Annotated[str, typer.Option(help="by its name in the catalog")] = "whisper-base",
) -> None:
    """Write the table."""
    clips = clips_in(folder, lambda name: is_sound(PurePosixPath(name)), count)
    sounds = sounds_of(clips)
    model = new_loader(Settings()).recognizer(recognizer)
    model.transcribe(sounds[:1])
    began_s = time.perf_counter()
    whole = [said.text for sound in sounds for said in model.transcribe([sound])]
    whole_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    found = [streamed(model, sound) for sound in sounds]
    spent_s = time.perf_counter() - began_s
    delays_s = [delay_s for _, delays in found for delay_s in delays]
    gold, sound_s = [clip.text for clip in clips], sum(sound.duration_s for sound in sounds)
    median_s, late_s = np.quantile(delays_s, (0.5, 0.95))
    print(f"{describe_machine()}; {recognizer}, n = {len(clips)} clips, {sound_s:.0f} s, {len(delays_s)} words.\n")
    print("| | whole | as a stream |\n|---|---|---|")
    print(
        f"| word error rate | {word_error_rate(gold, whole):.3f} | {word_error_rate(gold, [t for t, _ in found]):.3f} |"
    )
    print(f"| a word is certain after (median / 95 %) | | {median_s:.1f} / {late_s:.1f} s |")
    print(f"| times real time | {sound_s / whole_s:.1f} | {sound_s / spent_s:.1f} |")


if __name__ == "__main__":
    typer.run(main)
