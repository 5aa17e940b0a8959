"""How well voices are told apart, and known again: diarization errors, numbers of speakers, matching, speed.

``python -m benchmarks.diarization DATA --half tune`` while thresholds are chosen, ``--half test`` for the figures of
docs/speakers.md: no voice is in both halves. ``DATA``: the folder with the speech that docs/speakers.md names.
Prints Markdown tables with n and the machine.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from benchmarks.mixtures import Mixture, learners, long_readers, mixtures, readers, utterances
from speechsearch.diarization import SAME_PERSON, diarize
from speechsearch.diarization.pipeline import told_apart
from speechsearch.diarization.windows import Encode, hear, windows_of
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix
from speechsearch.evaluation import describe_machine
from speechsearch.evaluation.machine import peak_memory_bytes
from speechsearch.models.catalog import catalog
from speechsearch.models.load import ModelLoader

log = logging.getLogger(__name__)

METRICS = {
    "DER": {"collar": 0.0, "skip_overlap": False},
    "DER, collar .25": {"collar": 0.5, "skip_overlap": False},  # pyannote counts both sides
    "DER, one voice at a time": {"collar": 0.0, "skip_overlap": True},
}
PARTS = ("missed detection", "false alarm", "confusion")
STRETCHES, STRETCH_S = 5, 45.0
"""So many stretches of each session of a person are compared, each so long."""
THRESHOLDS = (0.75, 0.8, 0.85, 0.9)


class Errors:
    """The errors of mixtures of one kind, summed up."""

    def __init__(self) -> None:
        self.mixtures = self.right = 0
        self.overlap_s = self.speech_s = 0.0
        self.metrics = {name: DiarizationErrorRate(**how) for name, how in METRICS.items()}

    def add(self, mixture: Mixture, found: Annotation, voices: int) -> None:
        """Count one mixture."""
        reference = annotation(mixture.spoken)
        self.mixtures += 1
        self.right += voices == mixture.voices
        self.overlap_s += reference.get_overlap().duration()
        self.speech_s += reference.get_timeline().support().duration()
        whole = Timeline([Segment(0, mixture.sound.duration_s)])
        for metric in self.metrics.values():
            metric(reference, found, uem=whole)

    def cells(self) -> list[str]:
        """Return the cells of a row."""
        first = self.metrics["DER"]
        parts = [first[part] / first["total"] for part in PARTS]
        shares = [self.overlap_s / self.speech_s, *(abs(metric) for metric in self.metrics.values()), *parts]
        return [str(self.mixtures), *(f"{100 * share:.1f}" for share in shares), f"{self.right} of {self.mixtures}"]


def annotation(spoken: Iterable[tuple[str, float, float]]) -> Annotation:
    """Return who speaks when as pyannote has it."""
    found = Annotation()
    for number, (voice, start_s, end_s) in enumerate(spoken):
        found[Segment(start_s, end_s), number] = voice
    return found


def told(sets: Mapping[str, Iterable[Mixture]], encode: Encode) -> Iterator[list[str]]:
    """Yield the rows of the table of errors, by set and number of voices, with their number found and given."""
    errors: dict[tuple[str, str, str], Errors] = defaultdict(Errors)
    for name, some in sets.items():
        for mixture in some:
            heard = hear([mixture.sound], encode)
            for given in (None, mixture.voices):
                found = told_apart(heard, given)
                turns = annotation((str(one.voice), one.span.start_s, one.span.end_s) for one in found.turns)
                groups = [str(mixture.voices)] + ["2 to 4"] * (2 <= mixture.voices <= 4)
                for group in groups:
                    errors[name, group, "given" if given else "found"].add(mixture, turns, len(found.voices))
            log.info("%s: %d voices, %d found", mixture.name, mixture.voices, len(told_apart(heard, None).voices))
    for (name, group, how), one in sorted(errors.items(), key=lambda item: (item[0][2], item[0][0], item[0][1])):
        yield [name, group, how, *one.cells()]


def voice_of(sounds: Sequence[np.ndarray], encode: Encode) -> FloatMatrix:
    """Return the mean vector of what a person says, (dim,), as ``diarize`` makes it of a voice."""
    windows = [Audio(samples) for samples in windows_of(sounds)]
    mean = np.concatenate([encode(windows[at : at + 64]) for at in range(0, len(windows), 64)]).mean(axis=0)
    found: FloatMatrix = mean / np.linalg.norm(mean)
    return found


def sessions(files: Sequence[Path], voice: str) -> dict[str, list[Path]]:
    """Return a person's files by session: chapters of LibriSpeech and LJ Speech, the halves of others."""
    if voice.isdecimal() or voice == "ljspeech":
        found: dict[str, list[Path]] = defaultdict(list)
        for path in files:
            found[path.name.rsplit("-", 1)[0]].append(path)
        return found
    return {"first half": list(files[: len(files) // 2]), "second half": list(files[len(files) // 2 :])}


def stretch(files: Sequence[Path], start: int) -> list[np.ndarray]:
    """Return ``STRETCH_S`` of utterances, from a file on."""
    found: list[np.ndarray] = []
    for path in [*files[start:], *files[:start]]:
        found += utterances(path)
        if sum(map(len, found)) >= STRETCH_S * SAMPLE_RATE_HZ:
            break
    return found


def known_again(people: Mapping[str, Sequence[Path]], others: Mapping[str, Sequence[Path]], encode: Encode) -> str:
    """Return how well people are known again in another recording of theirs, among others, in Markdown."""
    vectors: dict[str, dict[str, list[FloatMatrix]]] = {}
    for person, files in people.items():
        vectors[person] = {
            session: [voice_of(stretch(some, at * len(some) // STRETCHES), encode) for at in range(STRETCHES)]
            for session, some in sessions(files, person).items()
        }
    said = [stretch(files, 0) for files in others.values()]
    strangers = np.stack([voice_of(sounds, encode) for sounds in said if sounds])
    enrolled = np.stack([next(iter(one.values()))[0] for one in vectors.values()])
    everybody = np.concatenate([enrolled, strangers])
    same, different, right = [], [], []
    for place, one in enumerate(vectors.values()):
        first, *later = one.values()
        for asked in (vector for some in later for vector in some):
            same += [float(asked @ vector) for vector in first]
            scores = everybody @ asked
            right.append(int(scores.argmax()) == place)
            different += np.delete(scores, place).tolist()
    different += (strangers @ strangers.T)[np.triu_indices(len(strangers), 1)].tolist()
    genuine, impostor = np.sort(same), np.sort(different)
    rate, at = equal_error_rate(genuine, impostor)
    lines = [
        f"{len(people)} people in two recordings each ({len(genuine)} pairs of stretches of {STRETCH_S:.0f} s), "
        f"{len(strangers)} others ({len(impostor):,} pairs of different people): equal error rate {100 * rate:.2f} % "
        f"at a cosine of {at:.3f}; {100 * np.mean(right):.1f} % of {len(right)} stretches are nearest to their own "
        f"person among {len(everybody)}.",
        "",
        "| cosine | false matches | missed matches |",
        "| -----: | ------------: | -------------: |",
    ]
    for threshold in sorted({*THRESHOLDS, SAME_PERSON}):
        false, missed = np.mean(impostor >= threshold), np.mean(genuine < threshold)
        lines.append(f"| {threshold:.2f} | {100 * false:.2f} % | {100 * missed:.1f} % |")
    return "\n".join(lines)


def equal_error_rate(genuine: np.ndarray, impostor: np.ndarray) -> tuple[float, float]:
    """Return where as many different pairs are accepted as same ones are not, and at which score; both sorted.

    >>> equal_error_rate(np.array([0.4, 0.8, 0.9, 1.0]), np.array([0.1, 0.2, 0.3, 0.5]))
    (0.25, 0.5)
    """
    scores = np.union1d(genuine, impostor)
    false = 1 - np.searchsorted(impostor, scores) / len(impostor)
    missed = np.searchsorted(genuine, scores) / len(genuine)
    best = int(np.abs(false - missed).argmin())
    return float((false[best] + missed[best]) / 2), float(scores[best])


def speed(mixture: Mixture, minutes: float, encode: Encode) -> str:
    """Return how fast a long recording is diarized, and in how much memory, in Markdown."""
    block = mixture.sound
    blocks = [block] * max(1, round(60 * minutes / block.duration_s))
    encode([block])  # the libraries load on first use
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    found = diarize(blocks, encode)
    spent_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    duration_s = sum(one.duration_s for one in blocks)
    speech_s = sum(turn.span.duration_s for turn in found.turns)
    peak_mib = peak_memory_bytes() / 2**20
    by_clock, by_cpu = duration_s / spent_s, duration_s / cpu_s
    return (
        f"{duration_s / 60:.0f} minutes of decoded sound, {speech_s / 60:.0f} of them speech: {spent_s:.1f} s by the "
        f"clock ({by_clock:.0f} times real time), {cpu_s:.1f} s of processor time ({by_cpu:.0f} times); the process "
        f"took {peak_mib:.0f} MiB at most."
    )


def main(
    data: Annotated[Path, typer.Argument(help="The folder with speech.")],
    half: str = "test",
    each: Annotated[int, typer.Option(help="Mixtures of each number of voices; 0: only the speed.")] = 10,
    minutes: Annotated[float, typer.Option(help="Of the long recording; 0: no speed.")] = 10.0,
    encoder: str = "ge2e",
) -> None:
    """Measure a speaker encoder and the room ``diarization`` with it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    encode = ModelLoader(catalog(), device="cpu").speaker_encoder(encoder).encode
    seed = {"tune": 1, "test": 2}[half]
    print(f"{describe_machine()}; {encoder}, {half}")
    if each:
        sets = {
            "readers": mixtures(readers(data, half), range(1, 7), each, 99.0, seed, "readers"),
            "learners": mixtures(learners(data, half), range(1, 5), (each + 1) // 2, 45.0, seed, "learners"),
        }
        if half == "test":
            sets["long"] = mixtures(long_readers(data), range(1, 5), (each + 1) // 2, 75.0, seed, "long")
        head = [
            "set",
            "voices",
            "their number",
            "n",
            "overlap",
            *METRICS,
            "missed",
            "false alarm",
            "wrong voice",
            "right",
        ]
        print()
        for row in [head, ["---"] * 3 + ["---:"] * (len(head) - 3), *told(sets, encode)]:
            print(f"| {' | '.join(row)} |", flush=True)
        if half == "test":
            others = {**readers(data, half), **learners(data, half)}
            print(f"\n{known_again(long_readers(data), others, encode)}", flush=True)
    if minutes:
        (mixture,) = mixtures(learners(data, half), [3], 1, 45.0, seed, "speed")
        print(f"\n{speed(mixture, minutes, encode)}")


if __name__ == "__main__":
    typer.run(main)
