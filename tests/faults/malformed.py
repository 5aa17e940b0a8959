"""Take in malformed files of every format through the real service, one after another, and watch what becomes of it.

A process of its own takes them in, with fakes for models, so that a crash, a hang or too much memory ends that and not
this. What it says of each file is either what became of it, or a clear error: one of ours, without "the log has more".
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import multiprocessing
import os
import tarfile
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

import numpy as np
import psutil
import soundfile

from ingest import dataset_sources, discover, run
from ingest.episodes import parsed
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import SpeechSearchError
from speechsearch.evaluation.questions import Names, read_questions
from speechsearch.service.open import Service
from tests.faults.mutate import damaged, damaged_text
from tests.tiny.fakes import FakeLoader, open_fakes
from tests.tiny.sounds import KINDS, content_of

LONGEST_S = 20.0
SPEECH_SAMPLES = 32_000
MOST_BYTES = 1_000_000_000
UNCLEAR = ("the log has more", "crashed", "Traceback")
CAPTION = "00:00:00.100 --> 00:00:00.900\nwhales sing\n\n"
FEED = """<?xml version="1.0"?><rss version="2.0" xmlns:podcast="https://podcastindex.org/namespace/1.0"
 xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>Talks</title><language>en</language>
<item><title>One</title><pubDate>Wed, 01 May 2024 10:00:00 GMT</pubDate><enclosure url="https://a.example/1.mp3"
 length="1000" type="audio/mpeg"/><podcast:transcript url="1.vtt" type="text/vtt"/></item></channel></rss>"""

Told = list[tuple[str, str]]
"""What became of a file: states and messages."""


@dataclass(frozen=True, slots=True)
class Format:
    """A valid file, how it is damaged, and how the product is given it."""

    name: str
    content: bytes
    open: Callable[[Service, Path], Told]
    is_text: bool = False
    beside: Mapping[str, bytes] = field(default_factory=dict)


def formats() -> dict[str, Format]:
    """Return a valid file of every format that the product takes, by what it is called here."""
    sound, _ = soundfile.read(SAMPLES / "audio" / "s015.opus", frames=SPEECH_SAMPLES, dtype="float32")
    wav = content_of("wav", sound)
    found = {kind: Format(f"a.{kind}", content_of(kind, sound), taken_in) for kind in KINDS}
    members = {"a.wav": wav, "b.opus": found["opus"].content, "a.srt": b"1\n" + CAPTION.replace(".", ",").encode(),
               "metadata.csv": b"file,title\na.wav,One\nb.opus,Two\n"}  # fmt: skip
    for name, packed in archives(members).items():
        found[name] = Format(f"talks.{name}", packed, taken_in)
        found[f"{name} in zip"] = Format("all.zip", archives({f"inner.{name}": packed, "a.wav": wav})["zip"], taken_in)
    near = {"a.wav": wav}
    segments = {"segments": [{"start": 0.1, "end": 0.9, "text": "whales", "words": [["whales", 0.1, 0.5]]}]}
    chapters = {"version": "1.2.0", "chapters": [{"startTime": 0, "title": "One"}]}
    found |= {
        "metadata.csv": Format("metadata.csv", members["metadata.csv"], taken_in, True, near),
        "srt": Format("a.srt", members["a.srt"], taken_in, True, near),
        "vtt": Format("a.vtt", f"WEBVTT\n\n{CAPTION}".encode(), taken_in, True, near),
        "json": Format("a.json", json.dumps(segments).encode(), taken_in, True, near),
        "chapters": Format("a.chapters.json", json.dumps(chapters).encode(), taken_in, True, near),
        "feed": Format("feed.xml", FEED.encode(), fed, True),
        "names.csv": Format("names.csv", b"Wozniak,voss nee ak\nNguyen,win\n", listed, True),
        "questions.csv": Format("q.csv", b"question,recording\nWho sings?,One\n", asked, True),
    }
    for kind, content in tables(wav).items():
        found[kind] = Format(f"rows.{kind}", content, taken_from_dataset, kind == "jsonl")
    return found


def archives(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the members packed in every way that can be opened."""
    packed = {}
    for name, method in {"zip": zipfile.ZIP_DEFLATED, "bzip2.zip": zipfile.ZIP_BZIP2}.items():
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for member, content in members.items():
                archive.writestr(zipfile.ZipInfo(member), content, method)
        packed[name] = file.getvalue()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for member, content in members.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    plain = file.getvalue()
    packings = {"tar.gz": partial(gzip.compress, mtime=0), "tar.bz2": bz2.compress, "tar.xz": lzma.compress}
    return packed | {"tar": plain} | {name: pack(plain) for name, pack in packings.items()}


def tables(wav: bytes) -> dict[str, bytes]:
    """Return datasets of one file."""
    from datasets import Dataset

    rows = Dataset.from_dict({"audio": [{"bytes": wav, "path": "a.wav"}], "title": ["One"]})
    parquet = io.BytesIO()
    rows.to_parquet(parquet)
    line = {"audio": {"bytes": None, "path": "a.wav"}, "title": "One"}
    return {"parquet": parquet.getvalue(), "jsonl": json.dumps(line).encode() + b"\n"}


def taken_in(service: Service, folder: Path) -> Told:
    """Take in a folder."""
    with service.workspace() as workspace:
        return told(service, discover([folder], service.limits, workspace))


def taken_from_dataset(service: Service, folder: Path) -> Told:
    """Take in the dataset that is the only file of a folder."""
    (path,) = folder.iterdir()
    with service.workspace() as workspace:
        return told(service, dataset_sources(str(path), workspace=workspace, limits=service.limits))


def told(service: Service, found) -> Told:
    """Take in what was found."""
    return [(one.state, one.message) for one in run(service.manage, found, collection="talks")]


def fed(service: Service, folder: Path) -> Told:
    """Read a feed."""
    (path,) = folder.iterdir()
    return [("read", f"{len(parsed(path.read_bytes(), 'https://a.example/feed.xml').episodes)} episodes")]


def listed(service: Service, folder: Path) -> Told:
    """Add a table of names."""
    (path,) = folder.iterdir()
    return [("read", str(service.names.import_table(path.read_bytes())))]


def asked(service: Service, folder: Path) -> Told:
    """Read a table of questions."""
    (path,) = folder.iterdir()
    return [("read", str(len(read_questions([path], Names(service.store.recordings.find())).queries)))]


@cache
def known_formats() -> dict[str, Format]:
    """Return ``formats``, made once a process."""
    return formats()


def case(number: int, seed: int) -> tuple[str, Format, bytes]:
    """Return the format and the damaged content of a case; all formats come in turn."""
    known = known_formats()
    name = list(known)[number % len(known)]
    one = known[name]
    others = [other.content for other in known.values()]
    damage = damaged_text if one.is_text else damaged
    return name, one, damage(one.content, np.random.default_rng([seed, number]), others)


def take_in_all(data_dir: Path, first: int, count: int, seed: int, connection: Connection) -> None:
    """Run in a process of its own: take in cases, and say of each what became of it, or which error came out."""
    with open_fakes(data_dir, FakeLoader()) as service:
        for number in range(first, count):
            _, one, content = case(number, seed)
            connection.send(("begun", number))
            before_s = spent_s()
            with tempfile.TemporaryDirectory() as lent:
                folder = Path(lent) / "in"
                folder.mkdir()
                for name, beside in one.beside.items():
                    (folder / name).write_bytes(beside)
                (folder / one.name).write_bytes(content)
                try:
                    found = one.open(service, folder)
                except SpeechSearchError as error:
                    found = [("refused", str(error))]
                except Exception as error:
                    found = [("unclear", f"{type(error).__name__}: {error}")]
            left = [str(path) for path in (data_dir / "work").iterdir()] if (data_dir / "work").exists() else []
            connection.send(("ended", spent_s() - before_s, found, left))
        connection.send(("over", service.browse.differences(), sorted(p.name for p in data_dir.glob("media/*.unf*"))))


@dataclass
class Outcome:
    """What became of all files; ``bad``: what must not happen, in sentences."""

    states: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    """Of the processor, the children's included; on a machine with other work, the clock tells nothing."""
    slowest: str = ""
    most_bytes: int = 0
    formats: int = 0
    files: int = 0


def spent_s() -> float:
    """Return how much of the processor this process and its children have used, those that ended included."""
    spent = os.times()
    children = [one.cpu_times() for one in psutil.Process().children(recursive=True) if one.is_running()]
    return sum(spent[:4]) + sum(one.user + one.system for one in children)


class Memory:
    """Watches how much memory a process and its children have together."""

    def __init__(self, pid: int) -> None:
        self.most_bytes, self._pid, self._is_over = 0, pid, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self._is_over.wait(0.1):
            self.most_bytes = max(self.most_bytes, sum(sizes(self._pid)))

    def close(self) -> None:
        """Watch no longer."""
        self._is_over.set()


def sizes(pid: int) -> Iterator[int]:
    """Yield the memory of a process and of each of its children, in bytes; of those that are there."""
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            try:
                yield one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
    except psutil.NoSuchProcess:
        return


def taken(folder: Path, files: int, seed: int, hangs_after_s: float = LONGEST_S) -> Outcome:
    """Take in so many malformed files in ``folder``, and return what became of them.

    ``hangs_after_s``: by the clock; more than LONGEST_S where there is other work for the machine.
    """
    outcome, context = Outcome(formats=len(known_formats()), files=files), multiprocessing.get_context("spawn")
    (folder / "tmp").mkdir()
    first = 0
    while first < files:
        ours, theirs = context.Pipe()
        process = context.Process(target=take_in_all, args=(folder / "data", first, files, seed, theirs))
        with patch.dict(os.environ, TMPDIR=str(folder / "tmp")):
            process.start()
        theirs.close()
        memory = Memory(process.pid)
        first = listen(ours, process, first, seed, hangs_after_s, outcome)
        memory.close()
        outcome.most_bytes = max(outcome.most_bytes, memory.most_bytes)
        process.join()
    if outcome.most_bytes > MOST_BYTES:
        outcome.bad.append(f"The process and its children had {outcome.most_bytes:,} bytes.")
    outcome.bad += [f"{path} was left behind." for path in (folder / "tmp").iterdir()]
    return outcome


def listen(connection: Connection, process, first: int, seed: int, hangs_after_s: float, outcome: Outcome) -> int:
    """Note what the process says until it is over, dies or hangs; return the number of the next case."""
    number, begun_s = first, time.monotonic()
    while True:
        name = case(number, seed)[0]
        try:
            if not connection.poll(max(0.0, begun_s + hangs_after_s + 60 * (number == first) - time.monotonic())):
                process.kill()
                outcome.bad.append(f"Case {number} ({name}) hung.")
                return number + 1
            what, *said = connection.recv()
        except EOFError:
            process.join()
            outcome.bad.append(f"Case {number} ({name}) ended the process: {process.exitcode}.")
            return number + 1
        if what == "over":
            outcome.bad += [f"{one}" for one in (*said[0], *said[1])]
            return outcome.files
        if what == "begun":
            number, begun_s = said[0], time.monotonic()
            continue
        took_s, found, left = said
        if took_s > outcome.slowest_s:
            outcome.slowest_s, outcome.slowest = took_s, f"case {number} ({name})"
        if took_s > LONGEST_S:
            outcome.bad.append(f"Case {number} ({name}) took {took_s:.0f} s.")
        for state, message in found:
            outcome.states[state] += 1
            if state == "unclear" or any(word in message for word in UNCLEAR) or (state == "failed" and not message):
                outcome.bad.append(f"Case {number} ({name}): {state}: {message:.300}")
        outcome.bad += [f"Case {number} ({name}) left {one}." for one in left]
