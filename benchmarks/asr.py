"""Measure recognisers: ``python -m benchmarks.asr main SPEECH runs/asr [--models whisper-base,mini] [--most 100]``.

SPEECH has a folder a set, with ``audio`` and ``transcripts.tsv`` (id, seconds, text). Measured for every recogniser
that is installed, on every device: word error rate (utterances spread evenly over a set), real-time factor, processor
time and peak memory over long speech in passages of up to 30 s, and the cold start: from the start of a process to the
first transcript, with Python, imports and loading. Processor time, in seconds a second of speech and over all threads,
is what a busy machine hardly changes. Each measurement is a process of its own; one that crashes is a failure, not a
speed. What is measured already is read from runs/asr. The table goes into the document between its marks.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from speechsearch.domain.values import Audio
from speechsearch.models.card import ModelCard

SETS = {
    "librispeech_train_clean_4spk": "LibriSpeech",
    "kathleen_arctic": "Kathleen",
    "ljspeech_385": "LJ",
    "speechocean762_adults": "non-native",
}
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
FIRST_S, PASSAGE_S, TIMEOUT_S = 5.0, 28.0, 3_600
DEVICES = ("cpu", "cuda")
Figures = dict[str, Any]
app = typer.Typer(add_completion=False)


def spread(count: int, most: int) -> list[int]:
    """Return which of a row to take, at most so many, evenly spread.

    >>> spread(10, 4), spread(3, 9)
    ([0, 2, 5, 7], [0, 1, 2])
    """
    taken = min(count, most)
    return [place * count // taken for place in range(taken)]


def utterances(folder: Path, most: int) -> Iterator[tuple[Audio, str]]:
    """Yield the sound and the text of utterances of a set."""
    from speechsearch import audio
    from speechsearch.domain.limits import Limits

    lines = (folder / "transcripts.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    for place in spread(len(rows), most):
        name, _, text, *_ = rows[place]
        yield audio.load(next((folder / "audio").glob(f"{name}.*")), Limits(), 60), text


def long_speech(folder: Path, minutes: float) -> list[Audio]:
    """Return consecutive utterances, joined to passages of up to 28 s, of so many minutes together."""
    passages: list[Audio] = []
    held: list[np.ndarray] = []
    for sound, _ in utterances(folder, 10**6):
        if held and sum(map(len, held)) + len(sound.samples) > PASSAGE_S * 16_000:
            passages.append(Audio(np.concatenate(held)))
            held = []
        held.append(sound.samples)
        if sum(one.duration_s for one in passages) >= minutes * 60:
            break
    return passages


@app.command()
def child(
    what: str, model: str, device: str, speech: Path, most: int, minutes: float, threads: int, started_s: float
) -> None:
    """Measure one thing in this process and print it as JSON; called by ``main``."""
    from speechsearch.evaluation.machine import peak_memory_bytes
    from speechsearch.evaluation.metrics import word_error_rate
    from speechsearch.service.open import new_loader
    from speechsearch.service.settings import ModelSettings, Settings

    if threads:
        import torch

        torch.set_num_threads(threads)
    settings = Settings()
    chosen = ModelSettings(**{**settings.models.model_dump(), "device": device})
    recognizer = new_loader(settings.model_copy(update={"models": chosen})).recognizer(model)
    first = speech / next(iter(SETS))
    clip = Audio(next(utterances(first, 1))[0].samples[: round(FIRST_S * 16_000)])
    recognizer.transcribe([clip], "en")
    figures: Figures = {"cold_start_s": time.time() - started_s, "cold_start_processor_s": time.process_time()}
    if what == "long":
        sounds = long_speech(first, minutes)
        length_s = sum(sound.duration_s for sound in sounds)
        begin, begin_cpu = time.perf_counter(), time.process_time()
        recognizer.transcribe(sounds, "en")
        spent_s, spent_cpu_s = time.perf_counter() - begin, time.process_time() - begin_cpu
        figures = {"real_time_factor": spent_s / length_s, "processor_time": spent_cpu_s / length_s}
    elif what != "start":
        pairs = list(utterances(speech / what, most))
        said = [one.text for one in recognizer.transcribe([sound for sound, _ in pairs], "en")]
        figures = {"word_error_rate": word_error_rate([text for _, text in pairs], said), "n": len(pairs)}
    print(json.dumps({**figures, "peak_mb": peak_memory_bytes() / 1e6}))


def measured(kept: Path, key: Figures, arguments: Sequence[str]) -> Figures:
    """Return what a process of its own measured, or why it failed; figures of the same key are read from ``kept``."""
    if kept.is_file():
        before: Figures = json.loads(kept.read_text(encoding="utf-8"))
        if before["key"] == key and not before["failed"]:
            return before
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.asr", "child", *arguments, str(time.time())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        failure = f"exit code {done.returncode}: {done.stderr.strip()[-200:]}" if done.returncode else ""
    except subprocess.TimeoutExpired:
        failure = f"took more than {TIMEOUT_S} s"
    found: Figures = {"key": key, "failed": failure}
    if not failure:
        found |= json.loads(done.stdout.splitlines()[-1])
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part")
    part.write_text(json.dumps(found, indent=1), encoding="utf-8")
    part.replace(kept)
    return found


def installed(names: str) -> list[ModelCard]:
    """Return the recognisers to measure: those that are named, or all whose files and packages are here."""
    from speechsearch.domain.captions import GIVEN
    from speechsearch.domain.errors import SpeechSearchError
    from speechsearch.models.files import FileFinder
    from speechsearch.service.open import kept_models, known_catalog, models_folder
    from speechsearch.service.settings import Settings

    settings, found = Settings(), []
    catalog = known_catalog(settings).catalog
    if names:
        return [catalog.get("recognizer", name) for name in names.split(",")]
    finder = FileFinder(models_folder(settings), kept_models(settings), may_download=False)
    for card in catalog.of("recognizer"):
        try:
            _ = card.fingerprint, [finder.find(card, file) for file in card.files]
        except SpeechSearchError:
            continue
        found += [card] if card.name != GIVEN else []
    return found


def row(model: str, device: str, found: dict[str, Figures]) -> str:
    """Return a line of the table; what failed is said in place of a figure.

    >>> row("a", "cpu", {"start": {"failed": "exit code 1"}})
    '| a | cpu | - | - | - | - | - | - | failed | failed | failed |'
    """

    def cell(what: str, name: str, digits: int) -> str:
        if what not in found:
            return "-"
        return "failed" if found[what]["failed"] else f"{found[what][name]:.{digits}f}"

    errors = [cell(name, "word_error_rate", 3) for name in SETS]
    peaks = [one["peak_mb"] for one in found.values() if not one["failed"]]
    speed = [cell("long", name, 3) for name in ("real_time_factor", "processor_time")]
    ends = [*speed, *(cell("start", name, 1) for name in ("cold_start_s", "cold_start_processor_s"))]
    return f"| {' | '.join([model, device, *errors, *ends, f'{max(peaks):.0f}' if peaks else 'failed'])} |"


@app.command()
def main(
    speech: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    runs: Path,
    models: Annotated[str, typer.Option(help="With commas between; all that are installed if empty.")] = "",
    most: Annotated[int, typer.Option(help="Utterances a set.")] = 100,
    minutes: Annotated[float, typer.Option(help="Of long speech.")] = 6.0,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 for all.")] = 0,
    document: Annotated[Path, typer.Option(help="Gets the table between its marks.")] = Path("docs/recognizers.md"),
) -> None:
    """Measure and write the table."""
    import torch

    from speechsearch.evaluation import describe_machine

    machine = str(describe_machine())
    devices = [one for one in DEVICES if one == "cpu" or torch.cuda.is_available()]
    errors = " | ".join(f"WER {title}" for title in SETS.values())
    ends = "real-time factor | processor time | cold start, s | of the processor, s | peak memory, MB"
    lines = [f"| recogniser | device | {errors} | {ends} |", "|:--|:--|" + "--:|" * (len(SETS) + 5)]
    fingerprints = {card.name: card.fingerprint for card in installed(models)}
    for model in fingerprints:
        for device in devices:
            found = {}
            for what in ("start", "long", *(name for name in SETS if (speech / name).is_dir())):
                key = {"machine": machine, "model": fingerprints[model], "threads": threads, "most": most,
                       "minutes": minutes}  # fmt: skip
                arguments = [what, model, device, str(speech), str(most), str(minutes), str(threads)]
                found[what] = measured(runs / f"{model}-{device}-{what}.json", key, arguments)
                print(
                    model, device, what, {name: one for name, one in found[what].items() if name != "key"}, flush=True
                )
            lines.append(row(model, device, found))
    chosen = f" --models {models}" if models else ""
    limits = f"--most {most} --minutes {minutes:g} --threads {threads}"
    command = f"python -m benchmarks.asr main SPEECH {runs}{chosen} {limits}"
    about = f"{date.today()}, `{command}`, {machine}; n = {most} utterances a set:"
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    document.write_text(f"{before}{BEGIN}\n{about}\n\n" + "\n".join(lines) + f"\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    app()
