"""The thread that does the jobs of the queue, one after the other: of each visitor in the order in which they came.

The next job is one of the visitor who was served longest ago, and a job that has had its turn, and has got further in
it, makes way for another visitor's after the file it is at. Between files, and between the batches of a long one, a job
can be interrupted; the recording it was at is then as if it had never been begun. Background jobs wait until nothing
else does, and make way for what comes. A job that the database calls running when the program starts is one that a
killed process left; it is taken up again, but not a third time.
"""

from __future__ import annotations

import logging
import math
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Protocol

from speechsearch.domain.counters import FILES, SOUND_SECONDS, TASKS, Counters
from speechsearch.domain.errors import SpeechSearchError
from speechsearch.domain.priority import make_way
from speechsearch.domain.progress import Progress, ProgressCallback
from speechsearch.store import Job, JobFile, JobState
from speechsearch.store.jobs import Jobs

log = logging.getLogger(__name__)

RUNNING: tuple[JobState, ...] = ("running",)
SWEEP_EVERY_S = 600.0
MOST_CRASHES = 2
"""A job that was running when so many processes ended has ended them, for all we know."""
RETRY_S = 10.0
TURN_S = 120.0
"""How long a job goes on while another visitor waits; a new turn reads again what the last one had unpacked."""
TAKEN_IN = ("indexed", "updated")
WAITING = Progress("wait", "", 0, 0)


class FileOutcome(Protocol):
    """What became of one file."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def passages(self) -> int: ...  # noqa: D102
    @property
    def duration_s(self) -> float: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102
    @property
    def recording_id(self) -> str: ...  # noqa: D102


Runner = Callable[[Job, ProgressCallback], Generator[FileOutcome, None, None]]
"""Does a job, reports how far it is and yields what became of each file; a report may raise to end it."""


class Interruption(BaseException):
    """Ends a job between two batches; no ``Exception``, so that it is not taken for a file's failure."""


class Worker:
    """Does the jobs of a database.

    Args:
        folder: holds a folder of files for every job that has some.
        runners: what to do for each kind of job.
        sweep: called at the start and every ten minutes, between two jobs.
        say: gets a line for the terminal when a job begins and when it ends.
        counters: count files, sound and tasks.
        background: the kinds that are done when nothing else is to be done.
    """

    def __init__(
        self,
        store: Jobs,
        folder: Path,
        runners: Mapping[str, Runner],
        sweep: Callable[[], None],
        say: Callable[[str], None],
        counters: Counters,
        background: Collection[str] = (),
    ) -> None:
        self.runners, self._background = runners, background
        self.lock = threading.Lock()
        """Held while a job's state is changed."""
        self.on_done: list[Callable[[Job], None]] = []
        """Called in the worker's thread with every job that has ended after some work."""
        self._store, self._folder, self._sweep, self._say = store, folder, sweep, say
        self._counters = counters
        self._wake = threading.Event()
        self._current: tuple[Job, Progress] | None = None
        self._is_interrupted = self._is_stopping = self._has_rivals = False
        self._served: dict[str, int] = {}
        """Visitor -> the number of the turn that was the last of his."""
        self._turns, self._begun_s = 0, 0.0
        self._reached: Counter[str] = Counter()
        """Job -> how many files the turns before this one have come to the end of."""
        self.thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin; jobs that a killed process left are queued again, or failed where that happened before."""
        for job in self._store.find(states=RUNNING):
            crashes = self._store.count_crash(job.job_id)
            if crashes < MOST_CRASHES:
                self._store.set_state(job.job_id, "queued")
            else:
                reason = f"The program ended {crashes} times while it worked on this. It is not tried again."
                self._store.set_state(job.job_id, "failed", reason)
        self.thread.start()

    def make_way(self, job: Job) -> None:
        """Have the job that runs wait for one that has come: at once in the background, or after its turn."""
        with self.lock:
            if self._current is None or job.kind in self._background:
                return
            running = self._current[0]
            self._is_interrupted = self._is_interrupted or running.kind in self._background
            self._has_rivals = self._has_rivals or job.visitor_id != running.visitor_id

    def stop(self, wait_s: float) -> None:
        """End the current job after its batch and wait for that; the next process takes it up again."""
        self._is_stopping = True
        self._wake.set()
        if self.thread.is_alive():
            self.thread.join(wait_s)

    def wake(self) -> None:
        """Look for jobs now."""
        self._wake.set()

    def interrupt(self, job_id: str) -> bool:
        """End a job after its batch and leave its state as it is; return whether it is the current one."""
        is_current = self._current is not None and self._current[0].job_id == job_id
        self._is_interrupted = self._is_interrupted or is_current
        return is_current

    def current(self) -> tuple[Job, Progress] | None:
        """Return the job that runs, or is next, and how far it is; None when there is nothing to do."""
        if current := self._current:
            return current
        waiting = self._waiting()
        return (waiting[0], WAITING) if waiting else None

    def progress(self, job_id: str) -> Progress | None:
        """Return how far a job is; None when it is not the current one."""
        current = self._current
        return current[1] if current and current[0].job_id == job_id else None

    def clear(self, job_id: str) -> None:
        """Remove the files of a job that has ended."""
        if (folder := self._folder / job_id).exists():
            shutil.rmtree(folder)

    def _work(self) -> None:
        """Do jobs until told to stop; an error of the database or the disk is logged, and tried again."""
        make_way()
        swept_s = -math.inf  # not by the clock, which may be set back
        while not self._is_stopping:
            self._wake.clear()
            try:
                if time.monotonic() - swept_s > SWEEP_EVERY_S:
                    swept_s = time.monotonic()
                    self._sweep()
                job = self._take()
                if job is not None:
                    self._run(job)
                    continue
            except Exception:
                log.exception("the queue of jobs")
                self._current = None
                self._wake.wait(RETRY_S)
                continue
            self._wake.wait(SWEEP_EVERY_S)

    def _waiting(self) -> list[Job]:
        """Return the jobs to be done, next one first: background last, then whose visitor was served longest ago."""
        found = self._store.find(states=("running", "queued"))
        return sorted(found, key=lambda job: (job.kind in self._background, self._served.get(job.visitor_id, 0)))

    def _take(self) -> Job | None:
        """Return the next job and make it the current one."""
        with self.lock:
            waiting = self._waiting()
            job = self._store.with_task(waiting[0].job_id) if waiting else None
            if job is not None:
                self._store.set_state(job.job_id, "running")
                self._current, self._is_interrupted = (job, Progress("start", "", 0, 0)), False
                self._turns, self._begun_s = self._turns + 1, time.monotonic()
                self._served[job.visitor_id] = self._turns
                rivals = [one for one in waiting if one.kind not in self._background]
                self._has_rivals = any(one.visitor_id != job.visitor_id for one in rivals)
        return job

    def _run(self, job: Job) -> None:
        state: JobState | None = None
        message = ""
        what = f"Task {job.kind} {job.job_id[:8]}"
        self._say(f"{what} has begun.")
        seen: Counter[str] = Counter()
        try:
            with closing(self.runners[job.kind](job, self._report)) as outcomes:
                for outcome in outcomes:
                    seen[outcome.name] += 1
                    name = outcome.name + (f" ({seen[outcome.name]})" if seen[outcome.name] > 1 else "")
                    kept = JobFile(
                        name, outcome.state, outcome.passages, outcome.duration_s, outcome.message, outcome.recording_id
                    )
                    self._store.set_file(job.job_id, kept)
                    self._counters.add(FILES, state=outcome.state)
                    if outcome.state in TAKEN_IN:
                        self._counters.add(SOUND_SECONDS, outcome.duration_s)
                    self._stop_when_asked()
                    self._stop_after_turn(job, seen.total())
            state = "done"
        except Interruption:
            pass
        except SpeechSearchError as error:
            state, message = "failed", str(error)
        except Exception as error:
            log.exception("job %s", job.job_id)
            state, message = "failed", f"Something went wrong: {type(error).__name__} (the log has more)."
        self._end(job, state, message)
        self._say(f"{what}: {state or 'interrupted'}. {message}".rstrip())

    def _end(self, job: Job, state: JobState | None, message: str) -> None:
        with self.lock:
            ended = self._store.get(job.job_id)
            if state is None and ended is not None and ended.state == "running":
                state = "queued"  # it made way, or the program stops: that is no crash
            if state is not None:
                self._store.set_state(job.job_id, state, message)
                ended = self._store.get(job.job_id)
            if ended is None or ended.has_ended:
                self.clear(job.job_id)
                del self._reached[job.job_id]
            self._current = None
        if ended is not None and ended.has_ended:
            self._counters.add(TASKS, kind=ended.kind, state=ended.state)
            for call in self.on_done:
                try:
                    call(ended)
                except Exception:
                    log.exception("after job %s", job.job_id)

    def _report(self, progress: Progress) -> None:
        self._stop_when_asked()
        if self._current:
            self._current = (self._current[0], progress)

    def _stop_when_asked(self) -> None:
        if self._is_stopping or self._is_interrupted:
            raise Interruption

    def _stop_after_turn(self, job: Job, files: int) -> None:
        is_over = time.monotonic() - self._begun_s > TURN_S and files > self._reached[job.job_id]
        if self._has_rivals and is_over:
            self._reached[job.job_id] = files
            raise Interruption
