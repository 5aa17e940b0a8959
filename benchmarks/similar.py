"""Find the recording that a stretch of sound is of, and what sounds like it, by several ways.

``python -m benchmarks.similar DATA MUSIC --queries 100 --out runs/similar.json``

The recordings of speech and music that the embedder was trained on and those that it was not (``training/
similar_recordings.py``) are all there to be found; asked is only for the latter, by 10 s of each made worse in one way.
*Sounds alike*: 10 s of a piece of music look for its other rendering (other instruments, tempo and key). *Same words*:
a prompt finds the other speakers who read it. ``--only`` measures some of the ways; the others' figures stay in the
file. Prints Markdown tables with n, machine and command.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.similar_systems import (
    ByVectors,
    Chromaprint,
    System,
    VectorsOf,
    code_histogram,
    code_windows,
    mean_log_mel,
    unit,
)
from speechsearch.audio.degrade import Degradation
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix
from speechsearch.evaluation import describe_machine
from speechsearch.models.base import SoundEmbedder, SpeechEncoder
from speechsearch.models.load import ModelLoader
from speechsearch.models.similar_mini import SimilarEmbedder
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings
from speechsearch.training.similar_recordings import KINDS, Recording, read_mono, recordings
from speechsearch.training.similar_validation import ranks
from speechsearch.training.similar_views import Change, changed
from speechsearch.training.speech_corpus import human_parts

EMBEDDER = "similar-mini"
QUERY_S = 10.0
OUT = Path("runs/similar.json")
SPEED = "times real time"
CHANGES = {
    "cut": Change(),
    "20 dB quieter": Change(gain_db=-20),
    "white noise at 10 dB": Change(Degradation(noise="white", noise_ratio_db=10)),
    "voices at 10 dB": Change(Degradation(noise="babble", noise_ratio_db=10)),
    "room, 0.5 s": Change(Degradation(reverberation_s=0.5)),
    "telephone": Change(Degradation(is_telephone=True)),
    "MP3, 32 kbit/s": Change(Degradation(mp3_kbps=32)),
    "Opus, 12 kbit/s": Change(Degradation(opus_kbps=12)),
    "5 % faster": Change(Degradation(speed=1.05)),
    "a semitone higher": Change(semitones=1),
}
PROMPTS, PROMPTED = "speechocean", 200
Figures = dict[str, float]


def figures_of(found: NDArray[np.int64]) -> Figures:
    """Return recalls and the mean reciprocal rank of ranks from 1.

    >>> figures_of(np.array([1, 4]))
    {'n': 2, 'R@1': 0.5, 'R@10': 1.0, 'R@100': 1.0, 'MRR': 0.625}
    """
    recalls = {f"R@{most}": float((found <= most).mean()) for most in (1, 10, 100)}
    return {"n": len(found), **recalls, "MRR": float((1 / found).mean())}


def piece_of(samples: NDArray[np.float32], rng: random.Random) -> NDArray[np.float32]:
    """Return QUERY_S of samples from a place by chance; all of them where there are fewer."""
    size = round(QUERY_S * SAMPLE_RATE_HZ)
    begin = rng.randint(0, max(0, len(samples) - size))
    return samples[begin : begin + size]


def same_recording(
    systems: Sequence[System], kept: Sequence[Recording], asked: Mapping[str, Sequence[int]], voices: Sequence[Audio]
) -> dict[str, Any]:
    """Return the figures of each system by change and kind; ``asked``: places of the recordings that are looked for."""
    found: dict[str, Any] = {system.name: {} for system in systems}
    for name, change in CHANGES.items():
        for kind, places in asked.items():
            rng = random.Random(1)
            sounds = [Audio(changed(piece_of(kept[place].samples(), rng), change, voices, place)) for place in places]
            right = np.array([[other == place for other in range(len(kept))] for place in places])
            for system in systems:
                scores = np.stack([system.likeness(sound) for sound in sounds])
                found[system.name].setdefault(name, {})[kind] = figures_of(ranks(scores, right))
        print(f"{name} done", file=sys.stderr, flush=True)
    return found


def sounds_alike(systems: Sequence[System], kept: Sequence[Recording], places: Sequence[int]) -> dict[str, Figures]:
    """Return how well 10 s of a rendering find another of the same piece, the recording itself left out."""
    rng, found = random.Random(2), dict[str, Figures]()
    sounds = [Audio(piece_of(kept[place].samples(), rng)) for place in places]
    itself = np.array([[other == place for other in range(len(kept))] for place in places])
    pieces = np.array([[other.piece == kept[place].piece for other in kept] for place in places])
    for system in systems:
        scores = np.stack([system.likeness(sound) for sound in sounds])
        found[system.name] = figures_of(ranks(np.where(itself, -np.inf, scores).astype(np.float32), pieces & ~itself))
    return found


def same_words(data: Path, ways: Mapping[str, VectorsOf], most: int) -> dict[str, Figures]:
    """Return how well a prompt of a held-out speaker finds the other speakers who read it.

    ``most``: so many prompts that only one speaker read are there, too.
    """
    rows = [
        (text, path, speaker, part == "evaluation")
        for part, name, some in human_parts(data)
        if name.startswith(PROMPTS)
        for path, text, speaker in some
    ]
    readers: dict[str, set[str]] = {}
    for text, _, speaker, _ in rows:
        readers.setdefault(text, set()).add(speaker)
    shared = [row for row in rows if len(readers[row[0]]) > 1]
    alone = [row for row in rows if len(readers[row[0]]) == 1]
    said = random.Random(3).sample(shared, min(most, len(shared)))
    said += random.Random(3).sample(alone, min(most, len(alone)))
    texts, speakers = np.array([text for text, *_ in said]), np.array([speaker for _, _, speaker, _ in said])
    sounds = [Audio(read_mono(path)) for _, path, *_ in said]
    right = (texts[:, None] == texts) & (speakers[:, None] != speakers)
    same = np.eye(len(said), dtype=bool)
    is_asked = right.any(1) & np.array([is_held_out for *_, is_held_out in said])
    found = dict[str, Figures]()
    for name, vectors_of in ways.items():
        vectors = np.concatenate([vectors_of(sound)[:1] for sound in sounds])
        scores = np.where(same, -np.inf, vectors @ vectors.T).astype(np.float32)
        found[name] = figures_of(ranks(scores[is_asked], right[is_asked]))
    return found


def adapter_vectors(encoder: SpeechEncoder, sound: Audio) -> FloatMatrix:
    """Return what the speech encoder's dense channel makes of a sound, (1, dim)."""
    (channel,) = (one.name for one in encoder.channels if one.kind == "dense")
    (heard,) = encoder.encode_passages([sound])
    return unit(np.asarray(heard.vectors[channel], np.float32)[None])


def times_real_time(embedder: SoundEmbedder, sounds: Sequence[Audio]) -> float:
    """Return how many seconds of sound are tokenised and embedded a second."""
    embedder.embed(sounds[:1])
    began_s = time.perf_counter()
    embedder.embed(sounds)
    return sum(sound.duration_s for sound in sounds) / (time.perf_counter() - began_s)


def table(found: Mapping[str, Mapping[str, Mapping[str, Figures]]], kind: str) -> str:
    """Return a Markdown table of R@1 / R@10 / R@100 / MRR by change (rows) and system (columns)."""
    names = list(found)
    lines = [f"| {kind} | n | {' | '.join(names)} |", "|---|" + "---|" * (len(names) + 1)]
    for change in CHANGES:
        cells = [found[name][change][kind] for name in names]
        shown = (" / ".join(f"{one[key]:.3f}" for key in ("R@1", "R@10", "R@100", "MRR")) for one in cells)
        lines.append(f"| {change} | {cells[0]['n']} | {' | '.join(shown)} |")
    return "\n".join(lines)


def short_table(found: Mapping[str, Figures], title: str) -> str:
    """Return a Markdown table with a row a way."""
    lines = [f"| {title} | n | R@1 | R@10 | R@100 | MRR |", "|---|---|---|---|---|---|"]
    for name, one in found.items():
        cells = " | ".join(f"{one[key]:.3f}" for key in ("R@1", "R@10", "R@100", "MRR"))
        lines.append(f"| {name} | {one['n']} | {cells} |")
    return "\n".join(lines)


def ways_of(loader: ModelLoader, only: Sequence[str]) -> dict[str, VectorsOf | None]:
    """Return the ways by name, with what makes their vectors; None for Chromaprint, which has none."""
    tokenizer = loader.audio_tokenizer("rvq-mini")
    ways: dict[str, VectorsOf | None] = {
        EMBEDDER: lambda sound: embedder_of(loader).embed_tokens(code_windows(tokenizer, sound)),
        "mean log-mel": mean_log_mel,
        "codes' histogram": partial(code_histogram, tokenizer),
        Chromaprint.name: None,
    }
    return {name: way for name, way in ways.items() if not only or name in only}


def embedder_of(loader: ModelLoader) -> SimilarEmbedder:
    """Return the shipped embedder itself, which takes codes, too."""
    embedder: SimilarEmbedder = loader.model("sound embedder", EMBEDDER)
    return embedder


def main(
    data: Annotated[Path, typer.Argument(help="The data of the recipes.")],
    music: Annotated[Path, typer.Argument(help="What training/music.py made.")],
    queries: Annotated[int, typer.Option(help="So many of each kind and change.")] = 100,
    only: Annotated[list[str] | None, typer.Option(help="Ways to measure, by name; all if none is named.")] = None,
    others: Annotated[int, typer.Option(help="So many recordings of the training beside those held out.")] = 10_000,
    out: Annotated[Path, typer.Option(help="Where the figures go, and those measured before are.")] = OUT,
) -> None:
    """Measure and print the tables of all that was measured."""
    loader = new_loader(Settings())
    ways = ways_of(loader, only or ())
    systems: list[System] = [ByVectors(name, way) if way else Chromaprint() for name, way in ways.items()]
    held_out = [one for kind in KINDS for one in recordings(data, music, kind, is_held_out=True)]
    trained_on = [one for kind in KINDS for one in recordings(data, music, kind, is_held_out=False)]
    kept = held_out + random.Random(4).sample(trained_on, min(others, len(trained_on)))
    lasts_s = 0.0
    for recording in kept:
        sound = Audio(recording.samples())
        lasts_s += sound.duration_s
        for system in systems:
            system.add(sound)
    what = f"{len(kept)} recordings, {lasts_s / 3600:.1f} h"
    print(what, file=sys.stderr, flush=True)
    rng = random.Random(1)
    by_kind = {kind: [place for place, one in enumerate(held_out) if one.kind == kind] for kind in KINDS}
    asked = {kind: rng.sample(places, min(queries, len(places))) for kind, places in by_kind.items()}
    voices = [Audio(one.samples()) for one in kept if one.kind == "speech"][-8:]
    words = {name: way for name, way in ways.items() if way}
    if EMBEDDER in ways:
        words["speech adapter"] = partial(adapter_vectors, loader.speech_encoder("mini"))
    document: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}

    def keep(name: str, found: Any) -> None:
        """Write figures beside those that are there."""
        document[name] = {**document.get(name, {}), **found} if isinstance(found, dict) else found
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(document, indent=1), encoding="utf-8")

    if EMBEDDER in ways:
        some = [Audio(kept[place].samples()) for place in asked["music"][:10]]
        keep(SPEED, times_real_time(loader.sound_embedder(EMBEDDER), some))
    keep("same words", same_words(data, words, PROMPTED))
    keep("sounds alike", sounds_alike(systems, kept, asked["music"]))
    keep("same recording", same_recording(systems, kept, asked, voices))
    print(f"{what}; {describe_machine()}; {' '.join(sys.argv)}\n")
    for kind in KINDS:
        print(table(document["same recording"], kind), end="\n\n")
    for name in ("sounds alike", "same words"):
        print(short_table(document[name], name), end="\n\n")
    print(f"tokenised and embedded {document.get(SPEED, 0):.0f} times real time")


if __name__ == "__main__":
    typer.run(main)
