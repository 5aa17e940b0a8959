"""Speak `passages.jsonl` and write the sample collection: audio, metadata.csv and the evaluation files.

Run `python -m speechsearch.training.speak_samples` to rebuild everything, `--only s004 s010` to speak a few recordings
again, `--check` to print the figures of what is there. Speaking needs espeak-ng, flite, festival and ffmpeg:
`apt-get install espeak-ng flite festival festvox-us-slt-hts festvox-kallpc16k festvox-kdlpc16k ffmpeg`, and the
packages that `kokoro.py` names. On one core Kokoro takes about 1.3 s for a second of speech. Nothing else in the
project needs them, because the audio is kept in the repository.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from speechsearch.domain.assets import SAMPLES
from speechsearch.training.kokoro import kokoro
from speechsearch.training.sample_voices import RESPELLED, speaking_command, years_in_words
from speechsearch.training.voices import named

RATE_HZ = 16_000
BIT_RATE = "24k"
LEVEL_DBFS = -20.0
PEAK = 0.75  # the codec overshoots: this leaves room
EDGE_S = 0.2
PARAGRAPH_PAUSE_S = 0.8
LICENCE = "CC0-1.0"
COLLECTION = "samples"


def read_lines(name: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON Lines file in this folder."""
    return [json.loads(line) for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines() if line.strip()]


def trim(samples: np.ndarray) -> np.ndarray:
    """Return samples without the quiet the engine left at the ends (10 ms frames 50 dB below the loudest)."""
    frame = RATE_HZ // 100
    levels = np.sqrt(np.mean(samples[: len(samples) // frame * frame].reshape(-1, frame) ** 2, axis=1))
    loud = np.flatnonzero(levels > levels.max() * 10 ** (-50 / 20))
    return samples[loud[0] * frame : (loud[-1] + 1) * frame]


def level(samples: np.ndarray) -> np.ndarray:
    """Return samples at -20 dBFS RMS, with rare peaks above half of `PEAK` bent smoothly so that none passes it."""
    samples = samples * 10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(samples**2))
    knee = PEAK / 2
    over = np.maximum(np.abs(samples) - knee, 0)
    result: np.ndarray = np.sign(samples) * (np.minimum(np.abs(samples), knee) + knee * np.tanh(over / knee))
    return result


def paragraph_sound(text: str, voice: str, folder: Path) -> np.ndarray:
    """Return a paragraph as the engine speaks it, (samples,) float64 at 16 kHz."""
    if voice.startswith("kokoro:"):
        return kokoro().speak(text, voice.partition(":")[2]).astype(np.float64)
    text_path, wave_path = folder / "text.txt", folder / "speech.wav"
    text_path.write_text(text + "\n", encoding="utf-8")
    subprocess.run(speaking_command(voice, text_path, wave_path), check=True, capture_output=True)
    samples, rate_hz = soundfile.read(wave_path, dtype="float64")
    resampled: np.ndarray = soxr.resample(samples, rate_hz, RATE_HZ)
    return resampled


def speak(text: str, voice: str, folder: Path) -> np.ndarray:
    """Return speech, (samples,) float64 at 16 kHz, levelled, with a pause between paragraphs and quiet ends."""
    pieces = []
    for name, said in RESPELLED.items():
        text = text.replace(name, said)
    for paragraph in map(years_in_words, text.split("\n\n")):
        pieces += [trim(paragraph_sound(paragraph, voice, folder)), np.zeros(int(PARAGRAPH_PAUSE_S * RATE_HZ))]
    return np.pad(level(np.concatenate(pieces[:-1])), int(EDGE_S * RATE_HZ))


def write_opus(samples: np.ndarray, path: Path, folder: Path) -> None:
    """Write Ogg Opus through ffmpeg, whose exact mode gives the same bytes for the same samples.

    The file appears under its name only when it is whole, so that stopping the build harms nothing.
    """
    wave_path, opus_path = folder / "levelled.wav", folder / path.name
    soundfile.write(wave_path, samples, RATE_HZ, subtype="PCM_16")
    exact = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
    codec = ["-c:a", "libopus", "-b:a", BIT_RATE, "-application", "voip", "-ar", str(RATE_HZ), "-ac", "1"]
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(wave_path), *codec, *exact, str(opus_path)]
    subprocess.run(command, check=True)
    shutil.move(opus_path, path)


def write_derived(passages: list[dict[str, Any]], questions: list[dict[str, Any]]) -> None:
    """Write metadata.csv, corpus.jsonl, queries.jsonl and qrels/test.tsv (the layout that BEIR uses)."""
    with open(SAMPLES / "metadata.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "title", "speaker", "date", "language", "licence", "collection"])
        for row in passages:
            described = [row[field] for field in ("title", "speaker", "date", "language")]
            writer.writerow([f"audio/{row['id']}.opus", *described, LICENCE, COLLECTION])
    corpus = [{"_id": row["id"], "audio": f"audio/{row['id']}.opus", "text": row["text"]} for row in passages]
    queries = [{"_id": row["id"], "text": row["text"]} for row in questions]
    pairs = [f"{row['id']}\t{answer}\t1" for row in questions for answer in row["answers"]]
    (SAMPLES / "qrels").mkdir(exist_ok=True)
    files = {
        "corpus.jsonl": map(json.dumps, corpus),
        "queries.jsonl": map(json.dumps, queries),
        "qrels/test.tsv": ["query-id\tcorpus-id\tscore", *pairs],
    }
    for name, lines in files.items():
        (SAMPLES / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def check(passages: list[dict[str, Any]], questions: list[dict[str, Any]]) -> list[str]:
    """Print the figures of the collection and return what is wrong with it, a sentence each."""
    faults: list[str] = []
    seconds: Counter[bool] = Counter()
    size_bytes = 0
    ids = {row["id"] for row in passages}
    for name, rows in (("passages", passages), ("questions", questions)):
        repeated = [key for key, count in Counter(row["id"] for row in rows).items() if count > 1]
        faults += [f"{name}.jsonl has {key} more than once." for key in repeated]
    faults += [f"{row['id']} names an unknown recording." for row in questions if not ids.issuperset(row["answers"])]
    faults += [f"audio/{path.name} has no line." for path in (SAMPLES / "audio").iterdir() if path.stem not in ids]
    for row in passages:
        path = SAMPLES / "audio" / f"{row['id']}.opus"
        samples, rate_hz = soundfile.read(path)
        length_s = len(samples) / rate_hz
        words_per_s = len(row["text"].split()) / length_s
        dbfs, peak = 20 * np.log10(np.sqrt(np.mean(samples**2))), np.abs(samples).max()
        figures = f"{length_s:6.1f} s {words_per_s:4.2f} words/s {dbfs:6.1f} dBFS peak {peak:.2f} {rate_hz} Hz"
        print(row["id"], figures, row["voice"])
        if rate_hz != RATE_HZ or samples.ndim != 1 or peak >= 1:
            faults.append(f"{path.name} is clipped or not 16 kHz mono: {figures}")
        if not 1.5 < words_per_s < 4.5 or abs(dbfs - LEVEL_DBFS) > 1:
            faults.append(f"{path.name} is too fast, slow, loud or quiet: {figures}")
        seconds[named(row["voice"]).is_reserved] += length_s
        size_bytes += path.stat().st_size
    total_s, reserved = sum(seconds.values()), sum(named(row["voice"]).is_reserved for row in passages)
    print(f"{len(passages)} recordings, {total_s / 60:.1f} minutes, {size_bytes / 1e6:.2f} MB")
    print(f"{reserved} recordings, {seconds[True] / 60:.1f} minutes in reserved voices")
    print(f"{len(questions)} questions, {sum(not row['answers'] for row in questions)} of them with no answer")
    return faults


def main() -> int:
    """Build or check the collection and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="ID", help="speak only these recordings")
    parser.add_argument("--check", action="store_true", help="speak nothing, print the figures of what is there")
    arguments = parser.parse_args()
    passages, questions = read_lines("passages.jsonl"), read_lines("questions.jsonl")
    if not arguments.check:
        if missing := [name for name in ("espeak-ng", "flite", "text2wave", "ffmpeg") if shutil.which(name) is None]:
            parser.error(f"not installed: {', '.join(missing)}. The top of this file says how to install them.")
        (SAMPLES / "audio").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            for row in passages:
                if arguments.only is None or row["id"] in arguments.only:
                    samples = speak(row["text"], row["voice"], Path(folder))
                    write_opus(samples, SAMPLES / "audio" / f"{row['id']}.opus", Path(folder))
        write_derived(passages, questions)
    faults = check(passages, questions)
    print("\n".join(faults) or "No faults.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
