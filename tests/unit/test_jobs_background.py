"""Background jobs are done last, and make way."""

from __future__ import annotations

import threading
from pathlib import Path

from speechsearch.domain.progress import Progress
from speechsearch.jobs.worker import Worker
from speechsearch.store import Job, Store


def test_a_background_job_makes_way_and_is_taken_up_again(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'jobs.db'}")
    done: list[str] = []
    is_begun, is_all_done = threading.Event(), threading.Event()

    def behind(job, report):
        is_begun.set()
        while "files" not in done:  # until it is interrupted
            report(Progress("transcribe", "", 1, 2))
            threading.Event().wait(0.005)
        done.append("behind")
        yield from ()

    def files(job, report):
        done.append("files")
        yield from ()

    worker = Worker(
        store.jobs, tmp_path, {"behind": behind, "files": files}, lambda: None, lambda line: None, ("behind",)
    )
    worker.on_done.append(lambda job: is_all_done.set() if job.kind == "behind" else None)
    store.jobs.add(Job("1", "ann", "behind", ""))
    worker.start()
    assert is_begun.wait(10)
    store.jobs.add(Job("2", "ann", "files", ""))
    worker.make_way("files")
    worker.wake()
    assert is_all_done.wait(10)
    worker.stop(10)
    store.close()
    assert done == ["files", "behind"]
