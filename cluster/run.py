"""``speechsearch ingest --on ray``: list, hand out, and then make what later passes make."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TypeAlias

from cluster.driver import Driver, Pool, Result
from cluster.listing import Listed, Tasks
from cluster.pool import RayPool
from cluster.shared import Opener, checked, open_shared, own_settings
from cluster.tasks import How, Task
from ingest.pipeline import FileResult, explain, recording_id_of, run
from ingest.sources import Rejected, Selection, Source
from speechsearch.domain.errors import SpeechSearchError
from speechsearch.domain.progress import Progress, ProgressCallback
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings

TELL_EVERY_S = 20.0
Finder: TypeAlias = Callable[[Service, Path], tuple[Selection, Listed]]
"""Finds what is to be taken in, with a folder for what is unpacked."""


def ingest_on_ray(
    settings: Settings, find: Finder, how: How, *, address: str = "", progress: ProgressCallback | None = None
) -> Generator[Result, None, None]:
    """Take in recordings with actors of a Ray cluster, and yield what became of each, as it is done.

    Several drivers may work on the same sources, and a killed one is run again: what is done stays done.

    Args:
        settings: they name a database, a Qdrant server and a place for the sound files.
        find: lists what is to be taken in.
        how: it is.
        address: of the cluster, "auto" for the one that this machine belongs to; empty: Ray runs on this machine.
        progress: told after every recording.

    Raises:
        ConfigurationError: the settings name nothing that several processes can share; Ray does not start.
        MissingDependencyError: Ray is not installed.
        StoreError, IndexUnavailableError: database or index cannot be reached.
    """
    yield from ingest_on(partial(RayPool, address=address), checked(settings, address), find, how, progress)


def ingest_on(
    start: Callable[[Settings, How, Opener], AbstractContextManager[Pool]],
    settings: Settings,
    find: Finder,
    how: How,
    progress: ProgressCallback | None = None,
    opener: Opener = open_shared,
) -> Generator[Result, None, None]:
    """Take in recordings with a pool of actors; see ``ingest_on_ray``. ``opener``: opens everybody's service."""
    settings = settings.model_copy(update={"data_dir": settings.data_dir.expanduser().resolve()})
    with own_settings(settings) as own, opener(own) as service, service.workspace() as workspace:
        selection, listed = find(service, workspace)
        tasks = Tasks(listed, workspace, settings.media.url, how, service.library.fingerprint)
        tasks.sweep()
        with start(settings, how, opener) as pool:
            driver = Driver(pool, service.store)
            try:
                yield from _told(service, _first_pass(driver, service, tasks, listed, selection, how, progress))
            finally:
                tasks.sweep()
            if how.wants_passes:
                yield from _told(service, _later_passes(driver, service, how, progress))


def _told(service: Service, results: Iterator[Result]) -> Generator[Result, None, None]:
    """Yield results, and tell the page now and then, and at the end, that there is something new."""
    told_s = time.monotonic()
    for result in results:
        yield result
        if time.monotonic() - told_s > TELL_EVERY_S:
            service.library.tell_others()
            told_s = time.monotonic()
    service.library.tell_others()


def _first_pass(
    driver: Driver,
    service: Service,
    tasks: Tasks,
    listed: Listed,
    selection: Selection,
    how: How,
    progress: ProgressCallback | None,
) -> Generator[Result, None, None]:
    names: dict[str, str] = {}
    tally = Tally("ingest", selection.files, progress)
    for task, results in driver.work(_todo(driver, service, tasks, listed, selection, how)):
        for result in results:
            first = names.setdefault(result.recording_id, result.name) if result.recording_id else result.name
            if isinstance(result, FileResult) and result.state == "unchanged" and first != result.name:
                message = f"Same sound as '{first}' in this run."
                result = FileResult(result.name, "duplicate", result.recording_id, message=message)
            tally.add(result)
            yield result
        if task is not None:
            driver.patiently(partial(tasks.done_with, task))


def _todo(
    driver: Driver, service: Service, tasks: Tasks, listed: Listed, selection: Selection, how: How
) -> Iterator[Task | Result]:
    """Yield what is to be done, and results of what is not."""
    sources = itertools.chain(listed.rejected, selection)
    while True:
        try:
            source = next(sources)
        except StopIteration:
            return
        except Exception as error:
            yield FileResult("sources", "failed", message=explain(error, "The list of sources broke off"))
            return
        if isinstance(source, Rejected):
            yield FileResult(source.name, source.state, message=str(source.error))
        else:
            yield from _of(driver, service, tasks, source, how)


def _of(driver: Driver, service: Service, tasks: Tasks, source: Source, how: How) -> Iterator[Task | Result]:
    """Yield the task of a source, or what became of one that is there already."""
    task, store = tasks.of(source), service.store
    if task.place:
        known = driver.patiently(lambda: store.places.done([task.place]))
        version, recording_id = known.get(task.place, ("", ""))
        if version == task.version:
            yield FileResult(task.name, "unchanged", recording_id)
            return
    elif tasks.is_here_only(source.path):
        try:
            recording_id = recording_id_of(source, source.description.collection or how.collection)
        except SpeechSearchError as error:
            yield FileResult(task.name, "failed", message=str(error))
            return
        entry = driver.patiently(lambda: store.journal.entry(recording_id))
        if entry is not None and entry.state == "done" and entry.fingerprint == service.library.fingerprint:
            yield from run(service.manage, [source], collection=how.collection)  # only what is said of it is looked at
            return
    yield driver.patiently(lambda: tasks.spool(task))


def _later_passes(
    driver: Driver, service: Service, how: How, progress: ProgressCallback | None
) -> Generator[Result, None, None]:
    """Make what recordings still lack, each in one actor, and yield what could not be made."""
    missing = dict.fromkeys(one.recording_id for one in service.manage.missing())
    titles = {one.recording_id: one.title for one in service.store.recordings.find() if one.recording_id in missing}

    def task_of(recording_id: str) -> Task:
        title = titles.get(recording_id, recording_id[:12])
        return Task(title, recording_id=recording_id, is_retried=how.is_retried)

    tally = Tally("passes", len(missing), progress)
    for task, results in driver.work(task_of(one) for one in missing):
        assert task is not None, "there are no results among the tasks"
        tally.add(results[0] if results else FileResult(task.name, "indexed"))
        yield from results


class Tally:
    """Counts what is done and reports it, with how many seconds of sound a second are taken in, and the time left."""

    def __init__(self, stage: str, total: int, progress: ProgressCallback | None) -> None:
        self._stage, self._total, self._progress = stage, total, progress
        self._started_s, self._done, self._worked, self._sound_s = time.monotonic(), 0, 0, 0.0

    def add(self, result: Result) -> None:
        """Count a result."""
        if result.state in ("warning", "skipped"):
            return
        self._done += 1
        if result.state in ("indexed", "failed"):
            self._worked += 1
            self._sound_s += result.duration_s
        spent_s = max(1e-6, time.monotonic() - self._started_s)
        left_s = spent_s / self._worked * max(0, self._total - self._done) if self._worked else None
        if self._progress:
            rate = self._sound_s / spent_s
            self._progress(Progress(self._stage, result.name, self._done, self._total, rate, left_s, result.state))
