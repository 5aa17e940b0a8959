"""Recipe: music for training and tests, from real scores: the corpus of music21, played by FluidSynth.

``python -m speechsearch.training.music OUT --pieces 300`` (``--tiny``: six). Needs ``pip install music21==10.5.1
mido==1.3.3`` and Debian's ``fluidsynth`` and ``fluid-soundfont-gm`` (MIT). Only composers whose work is in the public
domain, and folk tunes; what is made is never shipped. Every piece is played ``renderings`` times: other instruments,
tempo and key. OUT/music.jsonl says for each file its piece, part (train or held out, by piece) and how it was played;
what is there already is not made again.
"""

from __future__ import annotations

import json
import random
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import soundfile
import typer

COMPOSERS = (
    "bach", "beethoven", "corelli", "haydn", "handel", "mozart", "palestrina", "josquin", "monteverdi", "schubert",
    "schumann_robert", "weber", "verdi", "ciconia", "cpebach", "chopin", "joplin", "trecento", "schumann_clara",
)  # fmt: skip
FOLK = ("ryansMammoth", "oneills1850", "airdsAirs", "nottingham-dataset")
ENSEMBLES = (
    (0,), (6,), (19,), (24,), (46,), (40, 41, 42), (73, 71, 70), (56, 57, 58), (52,), (48,), (11,), (105, 24), (21,),
    (40, 0, 42), (68, 71, 70), (4,), (65, 66), (12,), (75, 24), (80, 38),
)  # fmt: skip
"""General MIDI programs; the parts of a piece take them in turn."""
TEMPI_BPM = (66, 132)
KEYS = (-5, 6)
LONGEST_S, SHORTEST_S = 75.0, 20.0
RATE_HZ = 16_000
TICKS = 480
HELD_OUT_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Rendering:
    """A piece as it was played: ``programs`` of General MIDI, ``key`` in semitones from the score's."""

    file: str
    piece: str
    part: str
    programs: tuple[int, ...]
    tempo_bpm: float
    key: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class Note:
    """A note of a score, in quarters from its start; ``pitch`` as MIDI counts, ``part`` from 0."""

    start: float
    length: float
    pitch: int
    part: int


def part_of(piece: str) -> str:
    """Return the part that a piece belongs to, always the same.

    >>> part_of("bach/bwv66.6"), part_of("bach/bwv11.6")
    ('train', 'held out')
    """
    return "held out" if zlib.crc32(piece.encode()) % 1000 < 1000 * HELD_OUT_SHARE else "train"


def scores(seed: int) -> list[tuple[str, str, str]]:
    """Return (piece, path, number in the file) of scores in an order by chance; half of them folk tunes."""
    from music21 import corpus

    root = Path(corpus.__file__).parent
    kept = (".mxl", ".xml", ".krn", ".musicxml")
    files = [path for name in COMPOSERS for path in sorted((root / name).rglob("*")) if path.suffix in kept]
    tunes: list[tuple[str, str, str]] = []
    for name in FOLK:
        for path in sorted((root / name).rglob("*.abc")):
            numbers = [line[2:].strip() for line in path.read_text("utf-8", "replace").splitlines() if line[:2] == "X:"]
            tunes += [(f"{name}/{path.stem}/{number}", str(path), number) for number in numbers]
    written = [(str(path.relative_to(root).with_suffix("")), str(path), "") for path in files]
    rng = random.Random(seed)
    rng.shuffle(written)
    rng.shuffle(tunes)
    return [one for pair in zip(written, tunes, strict=False) for one in pair]


def notes_of(path: str, number: str) -> list[Note]:
    """Return the notes of a score without ties, by start; a tune's repeats are not played.

    Raises:
        ValueError: it has none.
    """
    from music21 import converter

    read: Any = converter.parse(path, number=int(number)) if number else converter.parse(path)
    found = []
    for place, part in enumerate(read.parts if getattr(read, "parts", None) else [read]):
        for note in part.flatten().stripTies().notes:
            for pitch in note.pitches:
                found.append(Note(float(note.offset), max(0.1, float(note.quarterLength)), int(pitch.midi), place))
    if not found:
        raise ValueError(f"{path} has no notes.")
    return sorted(found, key=lambda note: (note.start, note.part, note.pitch))


def midi_of(notes: list[Note], programs: tuple[int, ...], tempo_bpm: float, key: int, file: Path) -> None:
    """Write notes as a MIDI file; the touch is a little uneven, as people play."""
    import mido

    rng = random.Random(f"{file.name}")
    track: Any = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo_bpm)))
    parts = sorted({note.part for note in notes})[:15]
    channel = {part: place if place < 9 else place + 1 for place, part in enumerate(parts)}  # 9 are the drums
    for part in parts:
        program = programs[parts.index(part) % len(programs)]
        track.append(mido.Message("program_change", channel=channel[part], program=program))
    events = []
    for note in notes:
        pitch = min(108, max(21, note.pitch + key))
        if note.part in channel:
            begin = round(note.start * TICKS + rng.uniform(0, 12))
            events.append((begin, 1, channel[note.part], pitch, rng.randint(64, 108)))
            events.append((begin + round(note.length * TICKS * 0.95), 0, channel[note.part], pitch, 0))
    now = 0
    for when, is_on, place, pitch, velocity in sorted(events):
        kind = "note_on" if is_on else "note_off"
        track.append(mido.Message(kind, channel=place, note=pitch, velocity=velocity, time=when - now))
        now = when
    mido.MidiFile(ticks_per_beat=TICKS, tracks=[track]).save(file)


def played(midi: Path, soundfont: Path) -> Any:
    """Return the sound of a MIDI file, (n,) float32 at RATE_HZ."""
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "played.wav"
        subprocess.run(
            ["fluidsynth", "-ni", "-q", "-g", "0.5", "-r", str(RATE_HZ), "-F", str(wave), str(soundfont), str(midi)],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        samples, _ = soundfile.read(wave, dtype="float32", always_2d=True)
    return samples.mean(1)


def render(piece: str, path: str, number: str, renderings: int, out: Path, soundfont: Path) -> list[Rendering]:
    """Return the renderings of a piece, written below OUT; none if it cannot be read or is too short."""
    import warnings

    rng = random.Random(piece)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            notes = notes_of(path, number)
        except Exception as error:  # music21 raises of every kind; a score more or less does not count
            print(f"{piece}: {type(error).__name__}: {error}", flush=True)
            return []
    made = []
    for turn, programs in enumerate(rng.sample(ENSEMBLES, renderings)):
        tempo, key = rng.uniform(*TEMPI_BPM), rng.randint(*KEYS)
        first = [note for note in notes if note.start * 60 / tempo < LONGEST_S]
        name = f"{zlib.crc32(piece.encode()):08x}-{turn}"
        with tempfile.TemporaryDirectory() as folder:
            midi = Path(folder) / f"{name}.mid"
            midi_of(first, programs, tempo, key, midi)
            samples = played(midi, soundfont)[: round(LONGEST_S * RATE_HZ)]
        if len(samples) < SHORTEST_S * RATE_HZ:
            return []
        soundfile.write(out / f"{name}.flac", samples, RATE_HZ)
        made.append(Rendering(f"{name}.flac", piece, part_of(piece), programs, tempo, key, len(samples) / RATE_HZ))
    return made


def read_renderings(out: Path) -> list[Rendering]:
    """Return what was played before."""
    index = out / "music.jsonl"
    lines = index.read_text(encoding="utf-8").splitlines() if index.exists() else []
    return [Rendering(**{**row, "programs": tuple(row["programs"])}) for row in map(json.loads, lines)]


def waiting(pieces: int, seed: int, done: set[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the scores to be played; more than are wanted, since some cannot be read."""
    yield from (one for one in scores(seed)[: pieces * 2] if one[0] not in done)


def main(
    out: Path,
    pieces: int = 300,
    renderings: int = 2,
    workers: int = 1,
    soundfont: Path = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    seed: int = 1,
    tiny: bool = False,
) -> None:
    """Play the scores into OUT."""
    out.mkdir(parents=True, exist_ok=True)
    wanted = 6 if tiny else pieces
    done = {one.piece for one in read_renderings(out)}
    with ProcessPoolExecutor(workers) as pool, (out / "music.jsonl").open("a", encoding="utf-8") as index:
        work = waiting(wanted, seed, done)
        running = {pool.submit(render, *one, renderings, out, soundfont) for one in islice(work, workers * 2)}
        while running and len(done) < wanted:
            ended = next(as_completed(running))
            running.remove(ended)
            for one in ended.result():
                index.write(json.dumps(asdict(one)) + "\n")
                done.add(one.piece)
            index.flush()
            if (following := next(work, None)) is not None:
                running.add(pool.submit(render, *following, renderings, out, soundfont))
        for unneeded in running:
            unneeded.cancel()
    print(f"{len(done)} pieces", flush=True)


if __name__ == "__main__":
    typer.run(main)
