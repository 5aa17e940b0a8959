"""The second pass: what recordings still lack of the present models is made, recording by recording, batch by batch.

Recordings are searchable by their sound before it; transcripts follow here, then who speaks and what they sound like:
the third and the fourth pass, which need more of a recording than a passage at a time and have files of their own.
After a change of models it makes anew what that change concerns, and nothing else. What is made is written batch by
batch, so that a process may be killed at any time, and the next one goes on where it was.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from speechsearch import audio
from speechsearch.domain.errors import MissingDependencyError, ModelUnavailableError, SpeechSearchError
from speechsearch.domain.progress import Progress, ProgressCallback
from speechsearch.domain.values import Audio, Passage, Transcript
from speechsearch.library.batches import ahead, batches
from speechsearch.library.fourth_pass import keep_constellation, keep_windows
from speechsearch.library.given_transcripts import transcripts_of
from speechsearch.library.intake import passages_with_sound
from speechsearch.library.library import Library
from speechsearch.library.third_pass import hear_speakers
from speechsearch.library.written_before import written_before
from speechsearch.models.baseline import Baseline
from speechsearch.store import StoredPassage

log = logging.getLogger(__name__)

BATCH_S = 90.0
"""Between two batches the pass can be halted."""
SOUND, SPEAKERS, PEAKS, ALIKE = "", "who speaks", "spectral peaks", "what sounds alike"
LAST = (SPEAKERS, PEAKS, ALIKE)
"""What needs a recording as a whole; nobody waits for it to search."""
UNUSABLE = (MissingDependencyError, ModelUnavailableError)
"""A model that fails so fails at every recording: that is said once."""


@dataclass(frozen=True, slots=True)
class Missing:
    """How many passages of a recording lack what a recogniser makes (its name), or the speech encoder (SOUND).

    SPEAKERS: in all of them it is to be heard who speaks. PEAKS, ALIKE: what the recording sounds like is to be kept.
    """

    recording_id: str
    maker: str
    passages: int


@dataclass(frozen=True, slots=True)
class Unmade:
    """A recording that could not be worked on, and why; it is as it was."""

    name: str
    message: str
    recording_id: str = ""
    state: Literal["failed"] = "failed"
    passages: int = 0
    duration_s: float = 0.0


class SecondPass:
    """Makes what is missing in a library."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def missing(self, recording_ids: Sequence[str] | None = None) -> list[Missing]:
        """Return what is to be made (of some recordings): all their sound first, then one recogniser after the other.

        Last comes who speaks, and what they sound like.
        """
        store, makers = self._library.store, self._library.makers
        made_by = makers.made_by
        made: dict[tuple[str, str], int] = {}
        for one in store.passages.encodings(recording_ids):
            if one.fingerprint == made_by.get(one.channel):
                made[one.recording_id, one.channel] = one.passages
        counts = store.passages.counts(recording_ids)
        wanted, given = store.transcripts.wanted(recording_ids), store.given.with_captions(recording_ids)
        tasks = [
            (SOUND, tuple(makers.of_sound), counts.keys()),
            *((one.name, tuple(one.made_by), given if one.is_given else wanted) for one in makers.baselines),
        ]
        found = []
        for maker, channels, concerned in tasks:
            for recording_id, count in counts.items():
                have = min((made.get((recording_id, channel), 0) for channel in channels), default=count.passages)
                if have < count.passages and recording_id in concerned:
                    found.append(Missing(recording_id, maker, count.passages - have))
        if makers.heard_by:
            heard = store.voices.heard(recording_ids)
            unheard = (one for one in counts if heard.get(one) != makers.heard_by)
            found += [Missing(one, SPEAKERS, counts[one].passages) for one in unheard]
        for maker, fingerprint, having in (
            (PEAKS, makers.peaks_by, store.sounds.with_constellation),
            (ALIKE, makers.embedded_by, store.sounds.with_windows),
        ):
            ready = having(fingerprint, recording_ids) if fingerprint else counts.keys()
            found += [Missing(one, maker, counts[one].passages) for one in counts if one not in ready]
        return found

    def run(
        self, progress: ProgressCallback | None = None, recording_ids: Sequence[str] | None = None
    ) -> Generator[Unmade, None, int]:
        """Make all that is missing (of some recordings); yield what could not be made.

        Return how many passages were worked on. ``progress`` may raise to halt it.
        """
        tasks = deque(self.missing(recording_ids))
        meter = PassMeter(sum(one.passages for one in tasks), progress)
        unusable: set[str] = set()
        while tasks:
            task = tasks.popleft()
            if task.maker in unusable:
                continue
            try:
                tasks.extendleft(reversed(self._make(task, meter)))
            except SpeechSearchError as error:
                if isinstance(error, UNUSABLE):
                    unusable.add(task.maker)
                log.warning("%s of recording %s: %s", task.maker or "sound", task.recording_id[:12], error)
                yield Unmade(self._title(task.recording_id), str(error), task.recording_id)
            except Exception as error:  # a model may fail at one recording; the others are not to wait for that
                log.exception("%s of recording %s", task.maker or "sound", task.recording_id[:12])
                reason = f"{type(error).__name__}: {error} (the log has more)."
                yield Unmade(self._title(task.recording_id), reason, task.recording_id)
        return meter.done

    def _title(self, recording_id: str) -> str:
        names = [one.title for one in self._library.store.recordings.find() if one.recording_id == recording_id]
        return names[0] if names else recording_id[:12]

    def _make(self, task: Missing, meter: PassMeter) -> list[Missing]:
        """Make what is missing, and return what is missing after that and was not before."""
        if self._library.store.journal.entry(task.recording_id) is None:
            return []  # deleted meanwhile
        if task.maker == SPEAKERS:
            return self._hear_speakers(task, meter)
        if task.maker in (PEAKS, ALIKE):
            self._keep_sound(task, meter)
        elif task.maker == SOUND:
            self._make_sound(task.recording_id, meter)
        else:
            (baseline,) = [one for one in self._library.makers.baselines if one.name == task.maker]
            self._make_transcripts(task.recording_id, baseline, meter)
        return []

    def _make_sound(self, recording_id: str, meter: PassMeter) -> None:
        """Encode the passages of a recording that the present speech encoder has not."""
        library = self._library
        ready = passages_with_sound(library, recording_id)
        todo = [one for one in library.store.passages.of(recording_id) if one.passage_id not in ready]
        title = library.store.recordings.get(recording_id).title
        for batch in self._heard(recording_id, todo):
            heard = library.encode([sound for _, sound in batch])
            stored = [StoredPassage(one, made.vectors, made.track) for (one, _), made in zip(batch, heard, strict=True)]
            with library.writing:
                if self._is_there(recording_id, stored):
                    library.store.passages.encode(recording_id, stored, library.makers.of_sound)
                    self._index(recording_id, stored)
                    library.version += 1
            meter.add("encode", title, len(batch), sum(sound.duration_s for _, sound in batch))

    def _make_transcripts(self, recording_id: str, baseline: Baseline, meter: PassMeter) -> None:
        """Write down the passages of a recording that a recogniser has not, and encode the transcripts."""
        store, recognizer = self._library.store, baseline.recognizer
        known = store.transcripts.of(recording_id, baseline.name, recognizer.fingerprint)
        todo = self._lacking(recording_id, baseline, known)
        recording = store.recordings.get(recording_id)
        if baseline.is_given:
            shipped = transcripts_of(store.given.of(recording_id), store.passages.of(recording_id))
        else:
            shipped = written_before(recognizer.fingerprint)
        for texts, is_new in ((known, False), (shipped, True)):
            written_down = [one for one in todo if one.passage_id in texts]
            if written_down:
                self._save_transcripts(recording_id, baseline, written_down, texts, is_new=is_new)
                meter.add("transcribe", recording.title, len(written_down), 0.0)
            todo = [one for one in todo if one.passage_id not in texts]
        for batch in self._heard(recording_id, todo):
            sounds, passages = [sound for _, sound in batch], [passage for passage, _ in batch]
            said = recognizer.transcribe(sounds)
            texts = {passage.passage_id: one for passage, one in zip(passages, said, strict=True)}
            self._save_transcripts(recording_id, baseline, passages, texts, is_new=True)
            meter.add("transcribe", recording.title, len(batch), sum(sound.duration_s for sound in sounds))

    def _lacking(self, recording_id: str, baseline: Baseline, known: Collection[str]) -> list[Passage]:
        """Return the passages of a recording that lack a transcript or its vectors; ``known``: those with a text."""
        passages, current = self._library.store.passages, self._library.current_channels(recording_id)
        has_vectors = [passages.ids_with(recording_id, name) if name in current else set() for name in baseline.made_by]
        ready = set.intersection(*has_vectors).intersection(known)
        return [one for one in passages.of(recording_id) if one.passage_id not in ready]

    def _hear_speakers(self, task: Missing, meter: PassMeter) -> list[Missing]:
        """Hear who speaks in a recording, and return what its new passages lack then."""
        store, recording_id = self._library.store, task.recording_id
        title = store.recordings.get(recording_id).title
        hear_speakers(self._library, recording_id, lambda sound_s: meter.add("speakers", title, 0, sound_s))
        is_wanted, is_given = bool(store.transcripts.wanted([recording_id])), store.given.has_captions(recording_id)
        found = []
        for one in self._library.makers.baselines:
            if is_given if one.is_given else is_wanted:
                known = store.transcripts.of(recording_id, one.name, one.recognizer.fingerprint)
                found.append(Missing(recording_id, one.name, len(self._lacking(recording_id, one, known))))
        meter.expect(sum(one.passages for one in found))
        meter.add("speakers", title, task.passages, 0.0)
        return [one for one in found if one.passages]

    def _keep_sound(self, task: Missing, meter: PassMeter) -> None:
        """Keep what a recording sounds like, in one of two ways."""
        title = self._library.store.recordings.get(task.recording_id).title
        keep = keep_constellation if task.maker == PEAKS else keep_windows
        keep(self._library, task.recording_id, lambda sound_s: meter.add("similar", title, 0, sound_s))
        meter.add("similar", title, task.passages, 0.0)

    def _save_transcripts(
        self,
        recording_id: str,
        baseline: Baseline,
        passages: Sequence[Passage],
        texts: Mapping[str, Transcript],
        *,
        is_new: bool,
    ) -> None:
        vectors = baseline.encoder.encode([texts[one.passage_id].text for one in passages])
        stored = [StoredPassage(one, found) for one, found in zip(passages, vectors, strict=True)]
        with self._library.writing:
            if self._is_there(recording_id, stored):
                new = {one.passage_id: texts[one.passage_id] for one in passages} if is_new else {}
                fingerprint = baseline.recognizer.fingerprint
                self._library.store.transcripts.save(recording_id, new, fingerprint, stored, baseline.made_by)
                self._index(recording_id, stored)
                self._library.transcripts_version += 1

    def _heard(self, recording_id: str, passages: Sequence[Passage]) -> Iterator[list[tuple[Passage, Audio]]]:
        """Yield passages with their sound, in batches; the recording is read once."""
        if not passages:
            return
        library, spans = self._library, [one.span for one in passages]
        name = library.store.recordings.get(recording_id).file_name
        sounds = audio.sounds_at(library.media(recording_id), spans, library.limits, name)
        pairs = zip(passages, ahead(sounds), strict=True)
        yield from batches(pairs, BATCH_S, lambda pair: pair[1].duration_s)

    def _is_there(self, recording_id: str, stored: Sequence[StoredPassage]) -> bool:
        """Say whether a recording still has these passages: it may have been deleted or cut anew meanwhile."""
        there = {one.passage_id for one in self._library.store.passages.of(recording_id)}
        return all(one.passage.passage_id in there for one in stored)

    def _index(self, recording_id: str, stored: Sequence[StoredPassage]) -> None:
        library = self._library
        recording = library.store.recordings.get(recording_id)
        library.write(library.points(recording, [one.passage.passage_id for one in stored]))
        library.store.journal.mark(recording_id, "done")


class PassMeter:
    """Counts what a pass has done and reports it with rate and time left."""

    def __init__(self, total: int, progress: ProgressCallback | None) -> None:
        self.done, self._total, self._progress = 0, total, progress
        self._sound_s, self._started = 0.0, time.monotonic()

    def expect(self, passages: int) -> None:
        """Count on so many passages more."""
        self._total += passages

    def add(self, stage: str, name: str, passages: int, sound_s: float) -> None:
        """Count passages; the callback may raise."""
        self.done += passages
        self._sound_s += sound_s
        spent_s = max(1e-6, time.monotonic() - self._started)
        left_s = spent_s / self.done * max(0, self._total - self.done) if self.done else None
        if self._progress:
            self._progress(Progress(stage, name, self.done, self._total, self._sound_s / spent_s, left_s))
