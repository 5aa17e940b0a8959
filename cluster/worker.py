"""What an actor does: one recording at a time, as the single process does it, under a lease."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from cluster.shared import Opener, open_shared, own_settings
from cluster.tasks import Answer, How, Task, set_aside
from ingest.pipeline import FileResult, explain, recording_id_of, run
from ingest.sources import Source
from speechsearch.domain.errors import IndexUnavailableError, InputError, StoreError
from speechsearch.domain.values import Recording
from speechsearch.library.addresses import address_errors, files_at
from speechsearch.library.intake import media_name_of
from speechsearch.library.second_pass import Unmade
from speechsearch.service.settings import Settings
from speechsearch.store import Claim

log = logging.getLogger(__name__)

RENEWALS = 3
"""So often a lease is renewed before it would end."""
UNREACHABLE = (StoreError, IndexUnavailableError)


class Worker:
    """Takes in recordings with a service of its own.

    Args:
        settings: of the cluster.
        how: they are taken in.
        opener: opens the service.
    """

    def __init__(self, settings: Settings, how: How, opener: Opener = open_shared) -> None:
        self._how, self._lease_s = how, settings.cluster.lease_s
        self._open = ExitStack()
        own = self._open.enter_context(own_settings(settings))
        self._service = self._open.enter_context(opener(own))

    def ready(self) -> bool:
        """Say that the service is open."""
        return True

    def close(self) -> None:
        """Let go of everything."""
        self._open.close()

    def do(self, task: Task, holder: str) -> Answer:
        """Do a task and return what became of it; ``holder`` names this try of it in its lease."""
        try:
            return self._take_in(task, task.source, holder) if task.source else self._catch_up(task, holder)
        except UNREACHABLE as error:
            with suppress(*UNREACHABLE):  # then the lease ends by itself
                self._service.store.leases.give_back(holder)
            return Answer("lost", recording_id=task.recording_id, message=str(error))

    def _take_in(self, task: Task, source: Source, holder: str) -> Answer:
        store, how = self._service.store, self._how
        collection = source.description.collection or how.collection
        with self._service.workspace() as folder:
            try:
                source = fetched(source, task, folder)
                recording_id = recording_id_of(source, collection)
            except UNREACHABLE:
                raise
            except Exception as error:  # of this file; the others go on
                message = explain(error, f"'{task.name}' could not be read on {socket.gethostname()}")
                return Answer("done", (FileResult(task.name, "failed", message=message),))
            claim = self._claim(recording_id, holder, task.is_retried)
            if claim.state == "busy":
                return Answer("busy", recording_id=recording_id)
            if claim.state == "set aside":
                message = set_aside(task.name, claim.tries, claim.message)
                self._remove_media(recording_id, source)  # what was copied before its process died
                self._service.manage.mark_failed(recording_id, source.file_name, collection, message)
                return Answer("done", (FileResult(task.name, "failed", recording_id, message=message),))
            with self._held(recording_id, holder):
                found = run(
                    self._service.manage, [source], collection=how.collection, wants_transcripts=how.wants_transcripts
                )
                results = tuple(found)
                self._service.library.derived.remove(recording_id)
            if results[0].state != "failed":
                if task.place and results[0].state not in ("duplicate", "skipped"):
                    store.places.keep(task.place, task.version, recording_id)
                store.leases.release(recording_id, holder)
            elif results[0].code in [one.code for one in UNREACHABLE]:
                store.leases.give_back(holder)
                return Answer("lost", recording_id=recording_id, message=results[0].message)
            else:
                if store.leases.renew(recording_id, holder, self._lease_s):
                    self._remove_media(recording_id, source)
                store.leases.fail(holder, results[0].message)
            return Answer("done", results, recording_id)

    def _catch_up(self, task: Task, holder: str) -> Answer:
        claim = self._claim(task.recording_id, holder, task.is_retried)
        if claim.state == "busy":
            return Answer("busy", recording_id=task.recording_id)
        if claim.state == "set aside":
            return Answer(
                "done", (Unmade(task.name, set_aside(task.name, claim.tries, claim.message), task.recording_id),)
            )
        with self._held(task.recording_id, holder):
            unmade = tuple(self._service.manage.catch_up(recording_ids=[task.recording_id]))
        self._service.store.leases.release(task.recording_id, holder)
        return Answer("done", unmade, task.recording_id)

    def _claim(self, recording_id: str, holder: str, is_retried: bool) -> Claim:
        leases = self._service.store.leases
        claim = leases.claim(recording_id, holder, self._lease_s)
        if claim.state == "set aside" and is_retried:
            leases.forgive(recording_id)
            claim = leases.claim(recording_id, holder, self._lease_s)
        return claim

    @contextmanager
    def _held(self, recording_id: str, holder: str) -> Iterator[None]:
        """Renew a lease while the block works."""
        is_over = threading.Event()

        def renew() -> None:
            while not is_over.wait(self._lease_s / RENEWALS):
                try:
                    self._service.store.leases.renew(recording_id, holder, self._lease_s)
                except StoreError as error:  # what is made is the same if another makes it too
                    log.warning("The lease of recording %s could not be renewed: %s", recording_id[:12], error)

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _remove_media(self, recording_id: str, source: Source) -> None:
        """Remove the sound file of a recording that failed, unless the recording is there all the same."""
        entry = self._service.store.journal.entry(recording_id)
        if entry is None or entry.state not in ("stored", "done"):
            recording = Recording(recording_id, "", "", 0.0, file_name=source.file_name)
            self._service.library.files.remove(media_name_of(recording, source.path.name))


def fetched(source: Source, task: Task, folder: Path) -> Source:
    """Return a source with all its files on this machine, those at addresses fetched into a folder.

    Raises:
        InputError: a file is not there.
        StoreError: an address cannot be reached.
    """

    def here(path: Path, number: int) -> Path:
        address = task.addresses.get(path)
        if address is None:
            if not path.exists():
                hint = "Put it into a folder that all machines have under the same path, or give an address (s3://...)."
                raise InputError(f"'{task.name}' is not on {socket.gethostname()}.", hint)
            return path
        files, at = files_at(address)
        target = folder / f"{number}{path.suffix}"
        with address_errors(address):
            files.get_file(at, str(target))
        return target

    beside = tuple(replace(one, path=here(one.path, number)) for number, one in enumerate(source.beside, 1))
    return replace(source, path=here(source.path, 0), beside=beside)
