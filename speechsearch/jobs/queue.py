"""The queue of long tasks: what may be submitted by whom, who sees it, and how it is paused and cancelled.

Every state is in the database and uploaded files lie in a folder of their job, so a process may be killed at any time:
the next one takes the job up again, and what was taken in before comes out as unchanged. ``worker`` does the jobs.
"""

from __future__ import annotations

import math
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from speechsearch.domain.counters import Counters
from speechsearch.domain.errors import InputError, NotAllowedError, NotFoundError, StoreError, TooManyError
from speechsearch.domain.limits import Limits
from speechsearch.domain.progress import Progress
from speechsearch.domain.visitors import LOCAL, Visitor, owner_of
from speechsearch.jobs.quotas import Quotas
from speechsearch.jobs.worker import MOST_CRASHES, Runner, Worker
from speechsearch.store import Job, JobFile, JobState, Store
from speechsearch.store.jobs import time_ago

CATCH_UP = "transcripts"
"""The kind of the job that makes what recordings lack after they were taken in; it waits for all others."""
GIVEN_BACK_EVERY_S = 60.0
"""So often memory is given back while one job follows another: what computes waits for that, and needs some of it."""
KEPT_S = 30 * 24 * 3600.0
"""How long the results of a job on everybody's collections are kept; a visitor's own go with his collections."""


class Keeper(Protocol):
    """The part of ``service.manage.Manage`` that the queue needs."""

    def target(self, collection: str, visitor: Visitor) -> str:
        """Return the name in the store of the collection that a visitor's recordings go to."""

    def check_quota(self, collection: str) -> None:
        """Refuse more than a visitor may have."""

    def missing(self) -> Sequence[object]:
        """Return what recordings still lack."""

    def sweep(self, before: str) -> None:
        """Delete visitors' own collections that nothing was added to since a time."""


class Host(Protocol):
    """The part of ``service.open.Service`` that the queue needs."""

    @property
    def data_dir(self) -> Path:
        """The data folder."""

    @property
    def limits(self) -> Limits:
        """What a recording, an upload and a visitor may be."""

    @property
    def store(self) -> Store:
        """The database."""

    @property
    def manage(self) -> Keeper:
        """What changes the library."""

    @property
    def counters(self) -> Counters:
        """Count what happens."""

    def release_idle(self) -> None:
        """Let go of models that nobody has used for a while."""

    def give_back_memory(self) -> None:
        """Have the system get back the memory of what is no longer held."""


class JobQueue:
    """The jobs, and the thread that does them.

    Args:
        runners: what to do for each kind of job.
        say: gets a line for the terminal when a job begins and when it ends.
    """

    def __init__(
        self, service: Host, runners: Mapping[str, Runner], say: Callable[[str], None] = lambda line: None
    ) -> None:
        self.service = service
        self.folder = service.data_dir / "jobs"
        self._store = service.store.jobs
        self.quotas = Quotas(lambda: service.limits)
        self.worker = Worker(self._store, self.folder, runners, self.sweep, say, service.counters, (CATCH_UP,))
        self._given_back_s = -math.inf
        self.on_done = self.worker.on_done
        self.on_done.append(self._after)

    def start(self) -> None:
        """Begin with the jobs that wait, and with one that the last process left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        alive = {job.job_id: job for job in self._store.find() if not job.has_ended}
        for left in self.folder.iterdir():
            if left.name not in alive:
                shutil.rmtree(left)
        for job in alive.values():
            if job.kind != "files":
                continue
            if (self.folder / job.job_id).exists():
                self._hold(job.job_id, Visitor(job.visitor_id))
            else:  # a backup does not keep them
                self._store.set_state(job.job_id, "failed", "The uploaded files are gone. Add them again.")
        if not any(job.state == "cancelled" or job.crashes >= MOST_CRASHES for job in self._of_kind(CATCH_UP)[-1:]):
            self.catch_up()
        self.worker.start()

    def stop(self, wait_s: float = 30.0) -> None:
        """End the current job after its batch and wait for that; the next start takes it up again."""
        self.worker.stop(wait_s)

    def check(self, collection: str, visitor: Visitor = LOCAL, upload_bytes: int = 0) -> str:
        """Return the name in the store of the collection that a job may go to.

        Args:
            upload_bytes: what is still to be received.

        Raises:
            NotAllowedError: the visitor may not add any.
            InputError: the collection's name cannot be used.
            TooManyError: the visitor, or his address, has started too many jobs.
            TooLongError: the visitor's own collections are full.
            StoreError: the disk is nearly full.
        """
        key, limits = self.service.manage.target(collection, visitor), self.service.limits
        if not visitor.sees_all and self._store.count(visitor.visitor_id, time_ago(3600)) >= limits.jobs_an_hour:
            raise TooManyError(f"{limits.jobs_an_hour} tasks an hour can be started.", "Try again in an hour.")
        self.quotas.check(visitor)
        self.service.manage.check_quota(key)
        free_bytes = shutil.disk_usage(self.service.data_dir).free - upload_bytes
        if free_bytes < limits.free_disk_bytes:
            raise StoreError(
                f"The disk would have {max(0, free_bytes) / 1e9:.1f} GB left, too little to go on.",
                "Delete recordings or make room, or lower SPEECHSEARCH_LIMITS__FREE_DISK_BYTES.",
            )
        return key

    def submit_files(
        self,
        paths: Sequence[tuple[Path, str]],
        collection: str,
        visitor: Visitor = LOCAL,
        descriptions: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Job:
        """Take over uploaded files and return the job that will index them; see ``check`` for what it raises.

        Args:
            paths: each file and its name as the visitor gave it, with folders in front of it where there are any.
            descriptions: title, speaker, date, language and licence by that name.
        """
        if not paths:
            raise InputError("There are no files to add.", "Choose audio files, a folder or an archive.")
        key = self.check(collection, visitor)
        job_id = secrets.token_hex(16)
        folder = self.folder / job_id
        folder.mkdir(parents=True)
        try:
            files = []
            for number, (path, name) in enumerate(paths):
                kept = f"{number:05d}{disk_suffix(name)}"
                shutil.move(path, folder / kept)
                files.append([kept, name])
            self._hold(job_id, visitor)
            task = {"files": files, "descriptions": descriptions or {}}
            count = sum(not name.lower().endswith("metadata.csv") for _, name in files)
            about = f"{count:,} file{'' if count == 1 else 's'}"
            return self._add(Job(job_id, visitor.visitor_id, "files", key, task, message=about), visitor)
        except BaseException:
            shutil.rmtree(folder)
            raise

    def submit_dataset(
        self,
        name: str,
        collection: str,
        visitor: Visitor = LOCAL,
        *,
        split: str = "train",
        configuration: str = "",
        audio_column: str = "",
        limit: int | None = None,
    ) -> Job:
        """Return the job that will index a dataset of the hub; only owners may. See ``check`` for what it raises."""
        if not visitor.is_owner:
            raise NotAllowedError("Datasets cannot be added by visitors.", "Their owner must log in.")
        if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name, re.ASCII):
            raise InputError(f"{name!r:.200} is no dataset of the hub.", "Names are like google/fleurs.")
        task = {"name": name, "split": split, "limit": limit}
        task |= {"configuration": configuration, "audio_column": audio_column}
        key = self.check(collection, visitor)
        job = Job(secrets.token_hex(16), visitor.visitor_id, "dataset", key, task, message=f"{name}, {split}"[:200])
        return self._add(job, visitor)

    def submit_feed(self, url: str, collection: str, visitor: Visitor = LOCAL, limit: int | None = None) -> Job:
        """Return the job that will index the episodes of a feed; only owners may. Raises what ``check`` does."""
        if not visitor.is_owner:
            raise NotAllowedError("Feeds cannot be added by visitors.", "Their owner must log in.")
        key, job_id = self.check(collection, visitor), secrets.token_hex(16)
        task = {"url": url, "limit": limit}
        return self._add(Job(job_id, visitor.visitor_id, "feed", key, task, message=url[:200]), visitor)

    def submit_watched(self, folder: Path, inside: Sequence[str], recordings: int, collection: str) -> Job:
        """Return the job that will index files of a watched folder where they lie. Raises what ``check`` does."""
        key, job_id = self.check(collection), secrets.token_hex(16)
        task = {"folder": str(folder), "inside": list(inside)}
        about = f"{recordings:,} file{'' if recordings == 1 else 's'} of {folder.name}"[:200]
        return self._add(Job(job_id, LOCAL.visitor_id, "watched", key, task, message=about), LOCAL)

    def submit(self, kind: str, collection: str = "", visitor: Visitor = LOCAL) -> Job:
        """Return a job that needs no more than its kind and collection; only owners may. Raises NotAllowedError."""
        if not visitor.is_owner:
            raise NotAllowedError("Visitors cannot start this task.", "The owner must log in.")
        return self._add(Job(secrets.token_hex(16), visitor.visitor_id, kind, collection), visitor)

    def submit_once(self, kind: str, collection: str) -> None:
        """Submit a job unless there was one of its kind already that did not fail."""
        if all(job.state == "failed" for job in self._of_kind(kind)):
            self.submit(kind, collection)

    def _add(self, job: Job, visitor: Visitor) -> Job:
        if job.kind not in self.worker.runners:
            raise InputError(f"There is no task of the kind {job.kind!r:.80}.")
        rights = {"is_owner": visitor.is_owner, "may_add": visitor.may_add, "sees_all": visitor.sees_all}
        added = self._store.add(replace(job, task={**job.task, "rights": rights}))
        self.quotas.count(visitor)
        self.worker.make_way(added)
        self.worker.wake()
        return added

    def jobs(self, visitor: Visitor = LOCAL) -> list[Job]:
        """Return the jobs that a visitor sees, in the order in which they came: the own ones, an owner all."""
        return self._store.find(None if visitor.is_owner or visitor.sees_all else visitor.visitor_id)

    def job(self, job_id: str, visitor: Visitor = LOCAL) -> Job:
        """Return a job. Raises NotFoundError, also when the visitor must not see it."""
        job = self._store.get(job_id)
        if job is None or not (visitor.is_owner or visitor.sees_all or job.visitor_id == visitor.visitor_id):
            raise NotFoundError("There is no such task.", "It may have been removed after it had ended.")
        return job

    def job_now(self, job_id: str, visitor: Visitor = LOCAL) -> tuple[Job, Progress | None]:
        """Return a job and how far it is at the same moment, None when it is not the current one.

        Raises:
            NotFoundError: there is none, or the visitor must not see it.
        """
        with self.worker.lock:
            return self.job(job_id, visitor), self.worker.progress(job_id)

    def jobs_now(self, visitor: Visitor = LOCAL) -> list[tuple[Job, Progress | None]]:
        """Return the jobs that a visitor sees, as ``jobs`` does, and how far each is at the same moment."""
        with self.worker.lock:
            return [(job, self.worker.progress(job.job_id)) for job in self.jobs(visitor)]

    def files(self, job_id: str, visitor: Visitor = LOCAL) -> list[JobFile]:
        """Return what became of a job's files, by name. Raises NotFoundError."""
        self.job(job_id, visitor)
        return self._store.files(job_id)

    def current(self) -> tuple[Job, Progress] | None:
        """Return the job that runs, or is next, and how far it is; None when there is nothing to do."""
        return self.worker.current()

    def pause(self, job_id: str, visitor: Visitor = LOCAL) -> Job:
        """Halt a job, after its current batch, until it is resumed. Raises NotFoundError, InputError."""
        return self._change(job_id, visitor, "paused", ("queued", "running"))

    def resume(self, job_id: str, visitor: Visitor = LOCAL) -> Job:
        """Let a paused job go on. Raises NotFoundError, InputError."""
        return self._change(job_id, visitor, "queued", ("paused",))

    def cancel(self, job_id: str, visitor: Visitor = LOCAL) -> Job:
        """End a job after its current batch; what it has taken in stays. Raises NotFoundError, InputError."""
        return self._change(job_id, visitor, "cancelled", ("queued", "running", "paused"))

    def _change(self, job_id: str, visitor: Visitor, state: JobState, allowed: tuple[JobState, ...]) -> Job:
        with self.worker.lock:
            job = self.job(job_id, visitor)
            if job.state not in allowed:
                raise InputError(f"The task is {job.state} and cannot be {state} now.", "Look at the list again.")
            self._store.set_state(job_id, state)
            if not self.worker.interrupt(job_id) and state == "cancelled":
                self.worker.clear(job_id)
        if state == "queued":
            self.worker.make_way(job)
        self.worker.wake()
        return self.job(job_id, visitor)

    @contextmanager
    def arriving(self, visitor: Visitor) -> Iterator[tuple[Path, Callable[[int], None]]]:
        """Give a folder for an upload, which is removed at the end, and what is to be told of each piece, in bytes.

        That function raises TooLargeError when more of the visitor's, or of his address's, waits than may.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.quotas.release({job.job_id for job in self._store.find() if not job.has_ended})
        with (
            tempfile.TemporaryDirectory(prefix="incoming-", dir=self.folder) as folder,
            self.quotas.arriving(folder, visitor) as arrived,
        ):
            yield Path(folder), arrived

    def _hold(self, job_id: str, visitor: Visitor) -> None:
        self.quotas.hold(job_id, visitor, sum(one.stat().st_size for one in (self.folder / job_id).iterdir()))

    def catch_up(self) -> None:
        """Have the second pass done if there is anything for it and it does not wait already."""
        is_waiting = any(not job.has_ended for job in self._of_kind(CATCH_UP))
        if CATCH_UP in self.worker.runners and not is_waiting and self.service.manage.missing():
            self.submit(CATCH_UP)

    def _after(self, job: Job) -> None:
        if job.kind != CATCH_UP:
            self.catch_up()
        if time.monotonic() - self._given_back_s > GIVEN_BACK_EVERY_S:
            self._give_back_memory()

    def _give_back_memory(self) -> None:
        self._given_back_s = time.monotonic()
        self.service.give_back_memory()

    def _of_kind(self, kind: str) -> list[Job]:
        return [job for job in self._store.find() if job.kind == kind]

    def sweep(self) -> None:
        """Delete visitors' own collections that nothing was added to for long, and the jobs of long ago."""
        hidden_s = self.service.limits.visitor_hours * 3600
        self.service.manage.sweep(time_ago(hidden_s))
        self.service.release_idle()
        self._give_back_memory()
        for job in self._store.find():
            kept_s = hidden_s if owner_of(job.collection) else KEPT_S
            if job.kind != "samples" and job.updated_at < time_ago(kept_s):
                if not job.has_ended:
                    self.cancel(job.job_id)
                self._store.delete(job.job_id)


def only_writes_transcripts(job: Job, progress: Progress) -> bool:
    """Say whether a job only writes transcripts, so that all there is can be searched by its sound meanwhile.

    >>> job = Job("1", "ann", CATCH_UP, "")
    >>> stages = ("start", "transcribe", "encode")
    >>> [only_writes_transcripts(job, Progress(stage, "", 0, 0)) for stage in stages]
    [True, True, False]
    """
    return job.kind == CATCH_UP and progress.stage != "encode"


def visitor_of_job(job: Job) -> Visitor:
    """Return the visitor of a job with the rights of that time.

    >>> rights = {"is_owner": False, "may_add": True, "sees_all": False}
    >>> visitor_of_job(Job("1", "ann", "files", "@ann/notes", {"rights": rights})).may_add
    True
    """
    return Visitor(job.visitor_id, **dict[str, Any](job.task["rights"]))


def disk_suffix(name: str) -> str:
    """Return the ending of a visitor's file name that tells its format, nothing else of it.

    >>> disk_suffix("talks.TAR.gz"), disk_suffix("../a.mp3"), disk_suffix("x.<b>")
    ('.tar.gz', '.mp3', '')
    """
    found = re.search(r"(\.tar)?\.[a-z0-9]{1,8}$", name.lower())
    return found[0] if found else ""
