"""What the queue's jobs do: take in uploads, datasets, watched files, the samples; make what is missing; rebuild."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from ingest.discover import discover, discover_some, discover_uploaded
from ingest.hub import hub_sources
from ingest.pipeline import FileResult, run
from ingest.sources import Rejected, Selection
from speechsearch.domain.progress import ProgressCallback

if TYPE_CHECKING:  # the children that read archives import this package, and need no database
    from speechsearch.jobs.worker import Runner
    from speechsearch.library.second_pass import Unmade
    from speechsearch.service.open import Service
    from speechsearch.store import Job

Finder: TypeAlias = "Callable[[Job, Path], Selection]"
"""Finds a job's recordings, with a folder for what is unpacked."""


def runners(service: Service, samples: Path) -> Mapping[str, Runner]:
    """Return the runner of each kind of job. ``samples``: the folder of the sample collection."""
    from speechsearch.jobs.queue import CATCH_UP

    jobs_dir, limits = service.settings.data_dir.expanduser().resolve() / "jobs", service.limits

    def uploaded(job: Job, workspace: Path) -> Selection:
        files = [(jobs_dir / job.job_id / kept, name) for kept, name in job.task["files"]]
        return discover_uploaded(files, limits, workspace, job.task["descriptions"])

    def dataset(job: Job, workspace: Path) -> Selection:
        task = job.task
        return hub_sources(
            task["name"],
            workspace=workspace,
            limits=limits,
            split=task["split"] or "train",
            configuration=task["configuration"] or None,
            audio_column=task["audio_column"] or None,
            limit=task["limit"],
        )

    def feed(job: Job, workspace: Path) -> Selection:
        from ingest.feeds import new_episodes

        return new_episodes(service, job.task["url"], job.collection, workspace, job.task["limit"])

    def watched(job: Job, workspace: Path) -> Selection:
        inside = [PurePosixPath(one) for one in job.task["inside"]]
        return discover_some(Path(job.task["folder"]), inside, limits, workspace)

    def sample_files(job: Job, workspace: Path) -> Selection:
        found = discover([samples], limits, workspace)
        # What lies beside the samples, their questions and the like, is no news to anybody.
        kept = (one for one in found if not (isinstance(one, Rejected) and one.state == "skipped"))
        return Selection(kept, files=found.files, size_bytes=found.size_bytes)

    return {
        "files": partial(take_in, service, uploaded),
        "dataset": partial(take_in, service, dataset),
        "feed": partial(take_in, service, feed),
        "watched": partial(take_in, service, watched),
        "samples": partial(take_in, service, sample_files),
        "reindex": partial(reindex, service),
        CATCH_UP: partial(catch_up, service),
    }


def take_in(service: Service, find: Finder, job: Job, report: ProgressCallback) -> Generator[FileResult, None, None]:
    """Index what a job brings and yield what became of each file."""
    from speechsearch.jobs.queue import visitor_of_job

    visitor = visitor_of_job(job)
    jobs_dir = service.settings.data_dir.expanduser().resolve() / "jobs"
    with tempfile.TemporaryDirectory(prefix="work-", dir=jobs_dir) as workspace:  # the queue clears up after a kill
        yield from run(
            service.manage,
            find(job, Path(workspace)),
            collection=job.collection,
            progress=report,
            target=lambda name: service.manage.target(name, visitor),
        )


def reindex(service: Service, job: Job, report: ProgressCallback) -> Generator[FileResult, None, None]:
    """Make the index anew while it is in use; a killed process is finished by the next.

    Unlike ``Service.rebuild`` it starts from a good index of the same models, so it may be interrupted at any point.
    """
    service.manage.rebuild(report)
    yield from ()


def catch_up(service: Service, job: Job, report: ProgressCallback) -> Generator[Unmade, None, None]:
    """Make what recordings still lack, transcripts above all, and yield what could not be made."""
    yield from service.manage.catch_up(report)
