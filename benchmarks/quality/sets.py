"""The sets that the engines are measured on and the conditions under which they are heard.

A set is a BEIR-style folder (see ``speechsearch.evaluation.dataset``). Beside its ``queries.jsonl`` may stand
``queries-spoken.jsonl``: some of the same questions, spoken by a voice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from speechsearch import audio
from speechsearch.audio.degrade import Degradation, NoiseKind, degrade
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import InputError
from speechsearch.domain.limits import Limits, Segmentation
from speechsearch.domain.values import Audio
from speechsearch.evaluation import CollectionQuery, EvaluationCollection, read_collection
from speechsearch.evaluation.dataset import query, rows
from speechsearch.evaluation.measure import with_passages

ABOUT_SAMPLES = "the bundled recordings, by synthetic voices; 39 of 67 by voices that training did not hear"
NOT_MEASURED = ("tuning", "tuning-names")
"""What weights and thresholds were chosen on."""
SPEED_SETS = ("samples",)
"""The sets on which speed is measured: every recogniser writes every passage down once more for it."""
VOICES = 4
KINDS = ("said", "rare", "phrase", "paraphrase", "name")
"""What the ids of queries about human speech and of names begin with; all other queries are questions."""
NAME_PREFIXES = ("tale", "encyclopedia", "invented", "librispeech", "ljspeech", "kathleen")
"""What the ids of the set ``names`` begin with: where the passage comes from. The kind of all is "name"."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A way in which every passage of a set is made worse before it is heard."""

    name: str
    title: str
    how: Degradation


CLEAN = "clean"
NOISES: dict[NoiseKind, str] = {"white": "white noise", "babble": "babble"}
CONDITIONS = (
    Condition(CLEAN, "as recorded", Degradation()),
    *(
        Condition(f"{noise}-{ratio_db}", f"{title}, {ratio_db} dB", Degradation(noise, float(ratio_db)))
        for noise, title in NOISES.items()
        for ratio_db in (20, 10, 5, 0)
    ),
    Condition("telephone", "telephone band", Degradation(is_telephone=True)),
    Condition("mp3-16", "MP3, 16 kbit/s", Degradation(mp3_kbps=16)),
    Condition("opus-8", "Opus, 8 kbit/s", Degradation(opus_kbps=8)),
    Condition("speed-0.8", "speed 0.8", Degradation(speed=0.8)),
    Condition("speed-1.25", "speed 1.25", Degradation(speed=1.25)),
    Condition("reverberation", "reverberation, 0.5 s", Degradation(reverberation_s=0.5)),
)
TITLES = {condition.name: condition.title for condition in CONDITIONS}


@dataclass(frozen=True, slots=True, eq=False)
class QualitySet:
    """A set, its passages' sound, and those of its questions that were spoken; ``key`` changes with what is heard."""

    collection: EvaluationCollection
    spoken: tuple[CollectionQuery, ...]
    sounds: Sequence[Audio]
    about: str
    passages_in_all: int
    key: str
    spoken_key: str

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.collection.name

    @property
    def audio_s(self) -> float:
        """Length of all passages in seconds."""
        return sum(sound.duration_s for sound in self.sounds)

    def heard(self, condition: Condition) -> Iterator[Audio]:
        """Yield every passage's sound under a condition, in order; the same at every call."""
        for place, sound in enumerate(self.sounds):
            voices = [self.sounds[other] for other in voices_for(place, len(self.sounds))]
            yield degrade(sound, condition.how, voices, seed=place + 1)


def voices_for(place: int, count: int, voices: int = VOICES) -> list[int]:
    """Return which other passages babble behind passage ``place`` of ``count``: spread evenly over the set.

    >>> voices_for(0, 100), voices_for(99, 100), voices_for(0, 2), voices_for(0, 1)
    ([20, 40, 60, 80], [19, 39, 59, 79], [1], [])
    """
    spread = {(place + (step * count) // (voices + 1)) % count for step in range(1, voices + 1)}
    nearest = {(place + step) % count for step in range(1, voices + 1)}
    chosen = (spread if count > voices else nearest) - {place}
    return sorted(chosen)


def spread(count: int, limit: int) -> list[int]:
    """Return at most ``limit`` of the places 0 ... count - 1, evenly spread.

    >>> spread(10, 4), spread(3, 4)
    ([0, 2, 5, 7], [0, 1, 2])
    """
    return list(range(count)) if count <= limit else [place * count // limit for place in range(limit)]


def kind_of(query_id: str) -> str:
    """Return what kind of query an id stands for.

    >>> kind_of("paraphrase-012"), kind_of("name-7"), kind_of("tale-004"), kind_of("q001")
    ('paraphrase', 'name', 'name', 'question')
    """
    prefix = query_id.split("-")[0]
    if prefix in NAME_PREFIXES and "-" in query_id:
        return "name"
    return prefix if prefix in KINDS else "question"


def folders_of(root: Path, wanted: Sequence[str] = ()) -> list[Path]:
    """Return the folders of the sets in ``root`` and the samples, in alphabetical order; all without ``wanted``.

    Raises:
        InputError: a set that is wanted is not there.
    """
    found = {path.parent.name: path.parent for path in root.glob("*/corpus.jsonl")} | {SAMPLES.name: SAMPLES}
    known = {name: found[name] for name in sorted(found) if name not in NOT_MEASURED}
    if missing := [name for name in wanted if name not in known]:
        raise InputError(f"There is no set {', '.join(missing)} in {root}.", f"There are: {', '.join(known)}.")
    return [known[name] for name in wanted or known]


def spoken_queries(folder: Path, collection: EvaluationCollection) -> tuple[CollectionQuery, ...]:
    """Return the spoken ones of a collection's questions; empty when the folder has none.

    Raises:
        InputError: a line cannot be used, or speaks a question that is not in ``queries.jsonl``.
    """
    file = folder / "queries-spoken.jsonl"
    if not file.is_file() or not file.stat().st_size:
        return ()
    typed = {row["_id"] for row in map(json.loads, (folder / "queries.jsonl").read_text("utf-8").splitlines())}
    found = tuple(query(folder, name, row, where) for name, row, where in rows(file))
    for one in found:
        if one.query_id not in typed or one.audio is None:
            raise InputError(f"{file}: {one.query_id!r} is no question of queries.jsonl, or has no audio.")
    return tuple(one for one in found if collection.relevance.get(one.query_id))


def read_set(folder: Path, limit: int) -> QualitySet:
    """Read a set, its sound included; at most ``limit`` passages, from all of the set.

    Raises:
        InputError, NotFoundError: it cannot be used.
        DecodeError: a passage is not sound.
    """
    whole = read_collection(folder)
    count = len(whole.passages)
    collection = with_passages(whole, [whole.passages[i] for i in spread(count, limit)]) if limit < count else whole
    spoken = spoken_queries(folder, collection)
    longest_s = Segmentation().longest_whole_s
    sounds = [audio.load(passage.audio, Limits(), longest_s) for passage in collection.passages]
    summary = folder / "README.json"
    about = json.loads(summary.read_text(encoding="utf-8"))["about"] if summary.is_file() else ABOUT_SAMPLES
    key, spoken_key = content_key(collection), content_key(replace(collection, queries=spoken))
    return QualitySet(collection, spoken, sounds, about, count, key, spoken_key)


def content_key(collection: EvaluationCollection) -> str:
    """Return a text that changes with anything in a collection: passages, texts, questions, judgements, sound."""
    digest = hashlib.sha256()
    listed = [
        [(passage.passage_id, passage.text) for passage in collection.passages],
        [(one.query_id, one.text) for one in collection.queries],
        sorted((name, sorted(grades.items())) for name, grades in collection.relevance.items()),
    ]
    digest.update(json.dumps(listed).encode())
    files = [passage.audio for passage in collection.passages]
    files += [one.audio for one in collection.queries if one.audio is not None]
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
